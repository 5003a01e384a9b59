//! What instances do all the time: answer reads, write, log users in and out.
//!
//! Requests come whether or not earlier ones were answered, as they do on a server.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cloakroom_core::{
    Address, Change, Committed, Created, Error, Freshness, Rotated, SessionStore, Which,
};
use cloakroom_testkit::conformance::draft::{self, CAP, Draft};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::history::{Saw, TOKEN, What};
use super::random::Random;
use super::world::{BOUND, Held, World};

/// What one client has seen of each session: what its cookies would carry.
type Seen = Arc<Mutex<HashMap<usize, u64>>>;

/// Who a client's requests go to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Served {
    ByOne(usize),
    ByAny,
}

impl Served {
    fn instance(self, world: &World, random: &mut Random) -> usize {
        match self {
            Self::ByOne(instance) => instance,
            Self::ByAny => random.below(world.instances.len()),
        }
    }
}

/// Nothing is worked around: what fails must be the store that could not be reached.
fn may_fail(error: &Error) -> What {
    assert!(error.is_unavailable(), "{error}: {error:?}");
    What::Failed
}

/// Runs until the world's time is over, and until all that it began has an answer.
async fn requests(world: &Arc<World>, mut begin: impl FnMut(&mut JoinSet<()>) -> Duration) {
    let mut under_way = JoinSet::new();
    while !world.is_over() {
        let pause = begin(&mut under_way);
        sleep(pause).await;
        while let Some(done) = under_way.try_join_next() {
            done.unwrap();
        }
    }
    while let Some(done) = under_way.join_next().await {
        done.unwrap();
    }
}

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
fn needed(random: &mut Random) -> Freshness {
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
async fn look(world: &World, instance: usize, held: Held, need: Freshness, seen: &Seen) {
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
        Err(error) => (may_fail(&error), None),
    };
    world.scribe.note(instance, held.session, asked, what);
    written
}

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
fn hold(world: &World, seat: usize, at: Address, handle: cloakroom_core::Handle) -> usize {
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
