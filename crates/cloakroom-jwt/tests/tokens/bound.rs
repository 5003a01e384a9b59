//! How soon eight instances refuse, on a good network and on bad ones.

use crate::ground::{LIMIT, connect};
use cloakroom_core::{Address, Digest, Entropy, OsEntropy, SessionStore, Store, Which};
use cloakroom_driver_redis::RedisDriver;
use cloakroom_jwt::{Families, FamilyPolicy, Login, Revoked, Subject};
use cloakroom_redis::RedisStore;
use cloakroom_testkit::{Direction, Link, RedisServer, eventually};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};
use tokio::time::sleep;

const INSTANCES: usize = 8;
const LIFE: time::Duration = time::Duration::minutes(5);

#[derive(Debug, Clone, Copy)]
struct Token {
    session: Option<Address>,
    at: Address,
}

impl Token {
    fn subject(&self) -> Subject<'_> {
        Subject {
            session: self.session,
            token: self.at,
            epoch: self.session.map(|_| ""),
        }
    }
}

fn place(store: &Arc<dyn Store>) -> Address {
    let mut digest = [0; 16];
    OsEntropy.fill(&mut digest).unwrap();
    Address::of_digest(Digest::from_bytes(digest), store.layout())
}

fn families(store: &Arc<dyn Store>) -> Families {
    let policy = FamilyPolicy {
        idle: time::Duration::days(14),
        absolute: time::Duration::days(30),
        grace: time::Duration::SECOND,
        access_life: LIFE,
        limit: None,
    };
    Families::new(Arc::clone(store) as _, policy).unwrap()
}

/// Revokes, and answers how long after its return the last instance accepted its last token.
async fn refused_after(
    all: &[Revoked],
    tokens: &[Token],
    revoke: impl Future<Output = ()>,
) -> Duration {
    for set in all {
        for token in tokens {
            assert_eq!(set.known(token.subject()), Some(false));
        }
    }
    revoke.await;
    let returned = Instant::now();
    let one = |set: &Revoked| {
        let (set, tokens) = (set.clone(), tokens.to_vec());
        tokio::spawn(async move {
            for token in tokens {
                while !set.is_revoked(token.subject()).await.unwrap() {
                    assert!(returned.elapsed() < LIMIT, "it is never refused");
                    sleep(Duration::from_micros(100)).await;
                }
            }
            returned.elapsed()
        })
    };
    let mut worst = Duration::ZERO;
    for refused in all.iter().map(one).collect::<Vec<_>>() {
        worst = worst.max(refused.await.unwrap());
    }
    worst
}

fn figures(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    let (median, p99, max) = (at(0.5), at(0.99), at(1.0));
    println!(
        "{what}: {} revocations, refused on {INSTANCES} instances after {median:?} (median), {p99:?} (p99), {max:?} (max)",
        times.len()
    );
    assert!(max < Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_instances_refuse_a_token_a_session_and_a_user() {
    let rounds = std::env::var("CLOAKROOM_REVOCATIONS").map_or(100, |n| n.parse().unwrap());
    let server = RedisServer::start().await;
    let (mut stores, mut sets) = (Vec::new(), Vec::new());
    for _ in 0..INSTANCES {
        let store = connect(&server.url()).await;
        sets.push(
            Revoked::builder(Arc::clone(&store) as _)
                .build()
                .await
                .unwrap(),
        );
        stores.push(store);
    }
    let store = &stores[0];
    let (mut token_times, mut session_times, mut user_times) = (vec![], vec![], vec![]);
    for _ in 0..rounds {
        let token = Token {
            session: None,
            at: place(store),
        };
        let revoke = async { store.revoke_for(token.at, LIFE).await.unwrap() };
        token_times.push(refused_after(&sets, &[token], revoke).await);

        let mut of_user = Vec::new();
        let mut last = None;
        for _ in 0..3 {
            let family = families(store)
                .begin("alice", Login::default())
                .await
                .unwrap();
            of_user.push(Token {
                session: Some(family.at),
                at: place(store),
            });
            last = Some(family);
        }
        let one = of_user.pop().unwrap();
        let revoke = async { families(store).end(&last.unwrap().token).await.unwrap() };
        session_times.push(refused_after(&sets, &[one], revoke).await);
        let user = store.user("alice").unwrap();
        let revoke = async { assert_eq!(store.revoke(&user, Which::All).await.unwrap(), 2) };
        user_times.push(refused_after(&sets, &of_user, revoke).await);
    }
    figures("a token", token_times);
    figures("a session", session_times);
    figures("a user", user_times);
}

/// What the link does for a time.
#[derive(Debug, Clone, Copy)]
enum Fault {
    DropMessages,
    Withhold,
    Swallow(Direction),
    HalfClose(Direction),
    Cut,
    Stall,
    Delay,
    Throttle,
}

const FAULTS: [Fault; 10] = [
    Fault::DropMessages,
    Fault::Withhold,
    Fault::Swallow(Direction::ToClient),
    Fault::Swallow(Direction::ToServer),
    Fault::HalfClose(Direction::ToClient),
    Fault::HalfClose(Direction::ToServer),
    Fault::Cut,
    Fault::Stall,
    Fault::Delay,
    Fault::Throttle,
];

const BOUND: Duration = Duration::from_millis(500);

async fn inflict(link: &Link, fault: Fault, lasts: Duration) {
    match fault {
        Fault::DropMessages | Fault::Withhold => link.withhold_pushes(true),
        Fault::Swallow(direction) => link.swallow(direction),
        Fault::HalfClose(direction) => link.half_close(direction),
        Fault::Cut => link.cut(),
        Fault::Stall => link.stall(Direction::Both),
        Fault::Delay => link.delay(Direction::Both, Duration::from_millis(700)),
        Fault::Throttle => link.throttle(Direction::Both, 4096),
    }
    sleep(lasts).await;
    if matches!(fault, Fault::DropMessages) {
        link.drop_withheld();
    }
    link.heal();
}

/// A token, and when the revocation of it had returned.
type Revocation = (Token, Arc<Mutex<Option<Instant>>>);

/// What the checks of one instance saw.
#[derive(Default)]
struct Seen {
    accepted: AtomicU64,
    refused: AtomicU64,
    unavailable: AtomicU64,
    worst: Mutex<Duration>,
}

async fn check(set: Revoked, tokens: Arc<Vec<Revocation>>, over: Arc<AtomicBool>, seen: Arc<Seen>) {
    let mut next = 0;
    while !over.load(SeqCst) {
        next = (next + 7) % tokens.len();
        let (token, returned) = &tokens[next];
        let begun = Instant::now();
        // As a server would have read it before it began.
        let revoked = *returned.lock().unwrap();
        match set.is_revoked(token.subject()).await {
            Ok(false) => {
                seen.accepted.fetch_add(1, SeqCst);
                if let Some(revoked) = revoked {
                    let late = begun.saturating_duration_since(revoked);
                    let mut worst = seen.worst.lock().unwrap();
                    *worst = late.max(*worst);
                }
            }
            Ok(true) => drop(seen.refused.fetch_add(1, SeqCst)),
            Err(error) => {
                assert!(error.is_unavailable(), "{error}");
                seen.unavailable.fetch_add(1, SeqCst);
            }
        }
        sleep(Duration::from_micros(500)).await;
    }
}

/// Instances behind a link, and a way around it to revoke by.
struct World {
    server: RedisServer,
    direct: Arc<dyn Store>,
    sets: Vec<Revoked>,
    _stores: Vec<Arc<dyn Store>>,
}

impl World {
    async fn new(instances: usize, bound: Duration) -> Self {
        let server = RedisServer::builder().linked().start().await;
        let direct = connect(&format!("redis://127.0.0.1:{}", server.port())).await;
        let (mut sets, mut stores) = (Vec::new(), Vec::<Arc<dyn Store>>::new());
        for _ in 0..instances {
            let store = RedisStore::builder(RedisDriver, server.url())
                .renewal_interval(time::Duration::milliseconds(100))
                .command_timeout(time::Duration::milliseconds(400))
                .connect_timeout(time::Duration::milliseconds(400));
            let store: Arc<dyn Store> = Arc::new(store.connect().await.unwrap());
            let set = Revoked::builder(Arc::clone(&store) as _);
            let set = set.max_staleness(bound.try_into().unwrap());
            sets.push(set.build().await.unwrap());
            stores.push(store);
        }
        Self {
            server,
            direct,
            sets,
            _stores: stores,
        }
    }

    /// Waits until each instance has answered by itself.
    async fn settle(&self) {
        let at = place(&self.direct);
        let token = Token { session: None, at };
        for set in &self.sets {
            let trusts = || async { set.known(token.subject()) == Some(false) };
            assert!(eventually(3 * LIMIT, trusts).await);
        }
    }

    /// Revokes tokens while the link has a fault; how long after a revocation one was accepted.
    async fn worst(&self, fault: Fault) -> Duration {
        self.settle().await;
        let token = || Token {
            session: None,
            at: place(&self.direct),
        };
        let tokens: Vec<Revocation> = (0..120).map(|_| (token(), Arc::default())).collect();
        let tokens = Arc::new(tokens);
        let (over, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Seen::default()));
        let start = |set: &Revoked| {
            let (tokens, over) = (Arc::clone(&tokens), Arc::clone(&over));
            tokio::spawn(check(set.clone(), tokens, over, Arc::clone(&seen)))
        };
        let checks: Vec<_> = self.sets.iter().map(start).collect();
        let revoke = async {
            for (token, returned) in tokens.iter() {
                self.direct.revoke_for(token.at, LIFE).await.unwrap();
                *returned.lock().unwrap() = Some(Instant::now());
                sleep(Duration::from_millis(8)).await;
            }
        };
        let link = self.server.link();
        let inflict = async {
            sleep(Duration::from_millis(100)).await;
            inflict(link, fault, Duration::from_millis(1_200)).await;
        };
        tokio::join!(revoke, inflict);
        sleep(BOUND).await;
        over.store(true, SeqCst);
        for check in checks {
            check.await.unwrap();
        }
        link.cut_now(1000);
        seen.tell(fault)
    }
}

impl Seen {
    fn tell(&self, fault: Fault) -> Duration {
        let read = |count: &AtomicU64| count.load(SeqCst);
        let worst = *self.worst.lock().unwrap();
        let (accepted, refused) = (read(&self.accepted), read(&self.refused));
        let unavailable = read(&self.unavailable);
        println!(
            "{fault:?}: {accepted} accepted, {refused} refused, {unavailable} unavailable; \
             accepted {worst:?} after a revocation at most"
        );
        assert!(accepted > 0 && refused > 0);
        worst
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_instance_accepts_beyond_the_bound_whatever_the_network_does() {
    let world = World::new(INSTANCES, BOUND).await;
    for fault in FAULTS {
        let worst = world.worst(fault).await;
        assert!(worst < BOUND, "{fault:?}: {worst:?}");
    }
}

/// The check above can fail: so it does where nothing has to be proven.
#[tokio::test(flavor = "multi_thread")]
async fn who_trusts_without_proof_is_caught() {
    let world = World::new(2, Duration::from_secs(3600)).await;
    let worst = world.worst(Fault::Swallow(Direction::ToClient)).await;
    assert!(worst > BOUND, "{worst:?}");
}
