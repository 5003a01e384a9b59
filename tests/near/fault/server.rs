//! Servers that stop, end, lose their role, or lose everything.

use std::time::Instant;

use tokio::time::sleep;

use super::{Fault, Strike};
use crate::near::deployment::{isolate, restore};
use crate::near::world::World;

pub(super) async fn strike(world: &World, mut strike: Strike) {
    let masters = world.deployment.masters().await;
    let master = masters[strike.random.below(masters.len())];
    match strike.fault {
        Fault::PauseServer => {
            master.pause();
            sleep(strike.lasts).await;
            master.resume();
        }
        Fault::Demote => {
            isolate(master).await;
            sleep(strike.lasts).await;
            restore(master).await;
        }
        Fault::FailOver => {
            world.deployment.fail_over(&world.networks()).await;
            sleep(strike.lasts).await;
        }
        kill => {
            let began = Instant::now();
            master.kill();
            if kill == Fault::KillAndLose {
                world.scribe.lost(began);
            }
            sleep(strike.lasts / 3).await;
            master.restart().await;
        }
    }
}
