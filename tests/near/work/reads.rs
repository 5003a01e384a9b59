//! Clients that read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use cloakroom_core::{Freshness, SessionStore};

use super::{Served, may_fail, requests};
use crate::near::history::{Saw, What};
use crate::near::random::Random;
use crate::near::world::{BOUND, Held, World};

/// What one client has seen of each session: what its cookies would carry.
pub(super) type Seen = Arc<Mutex<HashMap<usize, u64>>>;

/// A client that reads all the time.
pub(crate) async fn read(world: Arc<World>, served: Served, mut random: Random) {
    let seen = Seen::default();
    requests(&world, |under_way| {
        let seat = &world.seats[random.below(world.seats.len())];
        if let Some(held) = seat.any(random.once_in(3)) {
            let instance = served.instance(&world, &mut random);
            let need = needed(&mut random);
            let (world, seen) = (Arc::clone(&world), Arc::clone(&seen));
            under_way.spawn(async move { look(&world, instance, held, need, &seen).await });
        }
        random.milliseconds(2, 6)
    })
    .await;
}

/// Most reads ask for the bound; some for the truth, some for less if the truth can't be had.
pub(super) fn needed(random: &mut Random) -> Freshness {
    let bound = Freshness {
        within: BOUND,
        ..Freshness::NOW
    };
    match random.below(16) {
        0 => Freshness::NOW,
        1 => Freshness {
            at_worst: BOUND * 2,
            ..bound
        },
        2 => Freshness {
            within: BOUND / 4,
            ..bound
        },
        _ => bound,
    }
}

/// Reads one session, as a client that has seen this much.
pub(super) async fn look(world: &World, instance: usize, held: Held, need: Freshness, seen: &Seen) {
    let revision = seen.lock().unwrap().get(&held.session).copied();
    let need = Freshness {
        revision: revision.unwrap_or_default(),
        ..need
    };
    let asked = Instant::now();
    let loaded = world.instances[instance].store.load(held.at, need).await;
    let what = match &loaded {
        Ok(loaded) => {
            let saw = Saw::of(loaded);
            if let Saw::Session { revision, .. } = saw {
                let mut seen = seen.lock().unwrap();
                let seen = seen.entry(held.session).or_default();
                *seen = revision.max(*seen);
            }
            What::Read { need, saw }
        }
        Err(error) => may_fail(error),
    };
    world.scribe.note(instance, held.session, asked, what);
}
