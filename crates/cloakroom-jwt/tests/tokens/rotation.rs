//! Keys rotate on two instances while tokens are issued and verified by both.

use cloakroom_core::{Clock as _, ManualClock};
use cloakroom_jwt::{Grant, KeyRing, SigningKey, Tokens};
use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::{Duration as Real, Instant},
};
use time::{Duration, OffsetDateTime};

const ROTATIONS: usize = 60;
const LIFE: Duration = Duration::minutes(5);
/// How much later the second instance begins to sign by the new key.
const LAG: Duration = Duration::seconds(40);

struct Instance {
    ring: KeyRing,
    tokens: Tokens,
}

/// A key that no longer counts, in the hands of somebody who still signs by it.
struct Stolen {
    tokens: Tokens,
    from: OffsetDateTime,
}

struct World {
    clock: ManualClock,
    instances: [Instance; 2],
    issued: Mutex<VecDeque<(String, OffsetDateTime)>>,
    stolen: Mutex<Vec<Stolen>>,
    over: AtomicBool,
    verified: AtomicU64,
    refused: AtomicU64,
}

#[test]
fn while_keys_rotate_no_valid_token_is_refused_and_none_of_a_retired_key_accepted() {
    let clock = ManualClock::default();
    let first = SigningKey::generate().unwrap();
    let world = World {
        instances: [instance(&first, &clock), instance(&first, &clock)],
        clock,
        issued: Mutex::default(),
        stolen: Mutex::default(),
        over: AtomicBool::new(false),
        verified: AtomicU64::new(0),
        refused: AtomicU64::new(0),
    };
    thread::scope(|scope| {
        for n in 0..2 {
            scope.spawn({
                let world = &world;
                move || issue_and_verify(world, n)
            });
            scope.spawn({
                let world = &world;
                move || verify_all(world, n)
            });
        }
        scope.spawn(|| use_stolen(&world));
        rotate(&world, first);
        world.over.store(true, SeqCst);
    });
    let (verified, refused) = (world.verified.load(SeqCst), world.refused.load(SeqCst));
    println!(
        "{ROTATIONS} rotations: {verified} valid, all accepted; {refused} retired, all refused"
    );
    assert!(verified > 10_000 && refused > 500);
}

fn instance(key: &SigningKey, clock: &ManualClock) -> Instance {
    let ring = KeyRing::new(key.clone());
    let tokens = tokens(ring.clone(), clock);
    Instance { ring, tokens }
}

fn tokens(ring: KeyRing, clock: &ManualClock) -> Tokens {
    let builder = Tokens::builder(ring, "https://login.example").audience("shop");
    builder.life(LIFE).clock(clock.clone()).build().unwrap()
}

/// First both trust the new key, then one signs by it, then the other; the old one ends when the
/// last token that may have been signed by it has expired.
fn rotate(world: &World, mut old: SigningKey) {
    let [blue, green] = &world.instances;
    for round in 0..ROTATIONS {
        let new = SigningKey::generate().unwrap();
        let (early, late) = if round % 2 == 0 {
            (blue, green)
        } else {
            (green, blue)
        };
        early.ring.trust(new.public()).unwrap();
        late.ring.trust(new.public()).unwrap();
        work(world);
        let until = world.clock.now() + LAG + LIFE;
        early.ring.sign_with(new.clone(), until).unwrap();
        work(world);
        for _ in 0..4 {
            world.clock.advance(LAG / 4);
            work(world);
        }
        late.ring.sign_with(new.clone(), until).unwrap();
        for _ in 0..10 {
            world.clock.advance(LIFE / 10);
            work(world);
        }
        let tokens = tokens(KeyRing::new(old), &world.clock);
        let from = until;
        world.stolen.lock().unwrap().push(Stolen { tokens, from });
        work(world);
        if round % 3 == 0 {
            assert!(early.ring.prune(world.clock.now()) > 0);
        }
        old = new;
    }
}

/// Lets the others do something before the next step.
fn work(world: &World) {
    let goal = world.verified.load(SeqCst) + 20;
    let limit = Instant::now() + Real::from_secs(60);
    while world.verified.load(SeqCst) < goal {
        assert!(Instant::now() < limit, "the others have stopped");
        thread::yield_now();
    }
}

fn issue_and_verify(world: &World, n: usize) {
    while !world.over.load(SeqCst) {
        let issued = world.instances[n]
            .tokens
            .issue(&Grant::new("alice"))
            .unwrap();
        let (token, end) = (issued.token().to_owned(), issued.registered().expires_at);
        verify(world, 1 - n, &token, end);
        let mut pool = world.issued.lock().unwrap();
        pool.push_back((token, end));
        if pool.len() > 200 {
            pool.pop_front();
        }
    }
}

/// Tokens of all ages, of both instances.
fn verify_all(world: &World, n: usize) {
    let mut rng = fastrand::Rng::with_seed(n as u64);
    while !world.over.load(SeqCst) {
        let drawn = {
            let pool = world.issued.lock().unwrap();
            (!pool.is_empty()).then(|| pool[rng.usize(..pool.len())].clone())
        };
        match drawn {
            Some((token, end)) => verify(world, n, &token, end),
            None => thread::yield_now(),
        }
    }
}

fn verify(world: &World, at: usize, token: &str, end: OffsetDateTime) {
    let answer = world.instances[at]
        .tokens
        .verifier()
        .verify_ignoring_revocation(token);
    // Unexpired after the answer, so unexpired all along.
    if world.clock.now() < end {
        assert!(answer.is_ok(), "refused: {answer:?}");
        world.verified.fetch_add(1, SeqCst);
    }
}

/// Tokens that are right in all but the key.
fn use_stolen(world: &World) {
    let mut rng = fastrand::Rng::with_seed(7);
    while !world.over.load(SeqCst) {
        let made = {
            let stolen = world.stolen.lock().unwrap();
            rng.choice(stolen.iter()).map(|key| {
                assert!(key.from <= world.clock.now());
                key.tokens.issue(&Grant::new("alice")).unwrap()
            })
        };
        let Some(made) = made else {
            thread::yield_now();
            continue;
        };
        for instance in &world.instances {
            let answer = instance
                .tokens
                .verifier()
                .verify_ignoring_revocation(made.token());
            assert!(answer.is_err(), "a retired key was accepted");
            world.refused.fetch_add(1, SeqCst);
        }
    }
}
