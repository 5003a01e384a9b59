//! Users who log in, and whose sessions end in every way there is.

use std::sync::Arc;
use std::time::Instant;

use cloakroom_core::{Address, Created, Error, Handle, Rotated, SessionStore, Which};
use cloakroom_testkit::conformance::draft::{self, Draft};
use tokio::time::sleep;

use super::may_fail;
use crate::near::history::{TOKEN, What};
use crate::near::random::Random;
use crate::near::world::{Held, World};

/// Logs some users' devices in, out, and in again, in every way there is.
pub(crate) async fn come_and_go(world: Arc<World>, seats: Vec<usize>, mut random: Random) {
    for seat in &seats {
        log_in(&world, *seat, &mut random).await;
    }
    while !world.is_over() {
        let seat = random.pick(&seats);
        match world.seats[seat].live() {
            Some(held) => leave(&world, seat, held, &mut random).await,
            None => log_in(&world, seat, &mut random).await,
        }
        sleep(random.milliseconds(20, 120)).await;
    }
}

async fn log_in(world: &World, seat: usize, random: &mut Random) {
    let instance = random.below(world.instances.len());
    let store = &world.instances[instance].store;
    let user = store.user(&world.seats[seat].user).unwrap();
    let token = world.token();
    let new = draft::login(&user).with(TOKEN, token.to_string());
    let asked = Instant::now();
    match store.create(&new).await {
        Ok(Created::Done { .. }) => {
            let held = hold(world, seat, new.at, new.handle);
            let (revision, token) = (1, Some(token));
            let what = What::Wrote { revision, token };
            world.scribe.note(instance, held, asked, what);
        }
        Ok(other) => panic!("{other:?}"),
        Err(error) => drop(may_fail(&error)),
    }
}

/// The seat holds a new session from now on; its number.
fn hold(world: &World, seat: usize, at: Address, handle: Handle) -> usize {
    let session = world.scribe.session(at);
    world.seats[seat].held.lock().unwrap().push(Held {
        session,
        at,
        handle,
        alive: true,
    });
    session
}

async fn leave(world: &World, seat: usize, held: Held, random: &mut Random) {
    let instance = random.below(world.instances.len());
    match random.below(5) {
        0 => revoke(world, instance, seat, Which::All).await,
        1 => revoke(world, instance, seat, Which::One(held.handle)).await,
        2 => revoke(world, instance, seat, Which::Others(held.handle)).await,
        3 => rotate(world, instance, seat, held).await,
        _ => {
            let asked = Instant::now();
            let ended = world.instances[instance].store.end(held.at).await;
            note_end(world, instance, held.session, asked, ended.err().as_ref());
        }
    }
}

fn note_end(world: &World, instance: usize, session: usize, asked: Instant, error: Option<&Error>) {
    let unknown = |error| {
        may_fail(error);
        What::MayHaveEnded
    };
    let what = error.map_or(What::Ended, unknown);
    world.scribe.note(instance, session, asked, what);
    world.seats.iter().for_each(|seat| seat.left(session));
}

/// Ends some of a user's sessions: those that this worker knows, for nobody else makes any.
async fn revoke(world: &World, instance: usize, seat: usize, which: Which) {
    let name = &world.seats[seat].user;
    let seats = world.seats.iter().filter(|seat| seat.user == *name);
    let doomed = seats
        .filter_map(|seat| seat.live())
        .filter(|held| match which {
            Which::All => true,
            Which::One(handle) => held.handle == handle,
            Which::Others(handle) => held.handle != handle,
        });
    let doomed: Vec<_> = doomed.collect();
    let store = &world.instances[instance].store;
    let user = store.user(name).unwrap();
    let asked = Instant::now();
    let revoked = store.revoke(&user, which).await;
    for held in doomed {
        note_end(world, instance, held.session, asked, revoked.as_ref().err());
    }
}

async fn rotate(world: &World, instance: usize, seat: usize, held: Held) {
    let to = draft::digest(held.at.bucket);
    let asked = Instant::now();
    let rotated = world.instances[instance].store.rotate(held.at, to).await;
    note_end(world, instance, held.session, asked, rotated.as_ref().err());
    if let Ok(Rotated::Done { revision }) = rotated {
        let at = Address {
            digest: to,
            ..held.at
        };
        let session = hold(world, seat, at, held.handle);
        let token = None;
        let what = What::Wrote { revision, token };
        world.scribe.note(instance, session, asked, what);
    }
}
