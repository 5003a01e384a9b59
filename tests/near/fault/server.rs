//! Servers that stop, end, lose their role, or lose everything; and buckets that leave them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{Fault, Strike};
use crate::near::deployment::{isolate, restore};
use crate::near::history::Span;
use crate::near::loss::{Left, Loss};
use crate::near::world::World;

pub(super) async fn strike(world: &World, mut strike: Strike) {
    if strike.fault == Fault::Move {
        return moves(world, strike).await;
    }
    let master = world.any_master(&mut strike.random).await;
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
        kill => {
            let buckets = world.buckets_of(master).await;
            master.kill();
            sleep(strike.lasts / 3).await;
            let began = Instant::now();
            master.restart().await;
            if kill == Fault::KillAndLose {
                world.scribe.lost(Loss {
                    change: Span::since(began),
                    buckets,
                    left: Left::These(HashMap::new()),
                    said_again: None,
                });
            }
        }
    }
}

async fn moves(world: &World, mut strike: Strike) {
    let until = Instant::now() + strike.lasts;
    while Instant::now() < until {
        let bucket = world.any_bucket(&mut strike.random);
        let (servers, random) = (&world.deployment, &mut strike.random);
        servers.move_bucket(bucket, random).await;
        sleep(Duration::from_millis(20)).await;
    }
}
