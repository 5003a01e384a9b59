//! Clients that write, and read what they wrote.

use std::sync::Arc;
use std::time::Instant;

use cloakroom_core::{Change, Committed, SessionStore};
use cloakroom_testkit::conformance::draft::CAP;
use tokio::time::sleep;

use super::reads::{Seen, look, needed};
use super::{may_fail, requests};
use crate::near::history::{TOKEN, What};
use crate::near::random::Random;
use crate::near::world::{Held, World};

/// A client that writes now and then, a few times in quick succession, on any instance.
pub(crate) async fn write(world: Arc<World>, mut random: Random) {
    requests(&world, |under_way| {
        let seat = &world.seats[random.below(world.seats.len())];
        if let Some(held) = seat.live() {
            let burst = burst(Arc::clone(&world), held, random.fork());
            under_way.spawn(burst);
        }
        random.milliseconds(30, 120)
    })
    .await;
}

async fn burst(world: Arc<World>, held: Held, mut random: Random) {
    let seen = Seen::default();
    for _ in 0..=random.below(3) {
        let instance = random.below(world.instances.len());
        let Some(revision) = put(&world, instance, held).await else {
            return;
        };
        // Read your writes, on any instance.
        seen.lock().unwrap().insert(held.session, revision);
        if random.once_in(4) {
            let instance = random.below(world.instances.len());
            look(&world, instance, held, needed(&mut random), &seen).await;
        }
        sleep(random.milliseconds(0, 60)).await;
    }
}

/// Writes one attribute; the revision that it made, if it is known to have.
async fn put(world: &World, instance: usize, held: Held) -> Option<u64> {
    let token = world.token();
    let mut change = Change::default();
    change.write(TOKEN, Some(token.to_string().into()));
    let asked = Instant::now();
    let store = &world.instances[instance].store;
    let (what, written) = match store.commit(held.at, &change, CAP).await {
        Ok(Committed::Done { revision }) => {
            let token = Some(token);
            (What::Wrote { revision, token }, Some(revision))
        }
        Ok(Committed::Gone | Committed::Superseded) => return None,
        Ok(other) => panic!("{other:?}"),
        Err(error) => {
            may_fail(&error);
            (What::MayHaveWritten { token }, None)
        }
    };
    world.scribe.note(instance, held.session, asked, what);
    written
}
