//! The rules, one by one, with a channel and a clock that are moved by hand.

#![allow(clippy::unwrap_used)]

use cloakroom_core::Clock as _;
use cloakroom_core::{
    Address, Buckets, Channel, Error, ErrorKind, Freshness, ManualClock, OsEntropy, Result,
    SessionId, Term,
};
use cloakroom_near::{Copied, Limits, Near};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use time::Duration;
use tokio::sync::{Notify, Semaphore};

const SECOND: Freshness = Freshness {
    within: Duration::SECOND,
    ..Freshness::NOW
};

/// A revision, or [`NOTHING`].
#[derive(Debug, PartialEq)]
struct Value(u64);

/// There is nothing yet; that something comes is not announced.
const NOTHING: Value = Value(u64::MAX);

impl Copied for Value {
    fn revision(&self) -> u64 {
        self.0
    }

    fn weight(&self) -> usize {
        100
    }

    fn good_for(&self) -> Duration {
        Duration::minutes(10)
    }

    fn is_announced(&self) -> bool {
        *self != NOTHING
    }
}

/// A store of one number, whose loads can be held.
#[derive(Debug, Default)]
struct Store {
    holds: AtomicU64,
    loads: AtomicU64,
    held: AtomicU64,
    begun: Notify,
    go: Option<Semaphore>,
}

struct World {
    clock: ManualClock,
    channel: Arc<Channel>,
    near: Near<Value>,
    at: Address,
    store: Arc<Store>,
}

fn address(buckets: &Buckets) -> Address {
    let bucket = buckets.get(3).unwrap();
    let digest = SessionId::generate(bucket, &OsEntropy).unwrap().digest();
    Address { bucket, digest }
}

impl World {
    fn new(gated: bool) -> Self {
        let buckets = Buckets::default();
        let channel = Arc::new(Channel::new(&buckets, Duration::milliseconds(300)));
        let clock = ManualClock::default();
        let near = Near::with_clock(
            Arc::clone(&channel),
            Limits::default(),
            Arc::new(clock.clone()),
        );
        let store = Store {
            holds: AtomicU64::new(1),
            go: gated.then(|| Semaphore::new(0)),
            ..Store::default()
        };
        Self {
            clock,
            channel,
            near,
            at: address(&buckets),
            store: Arc::new(store),
        }
    }

    fn subscribed(&self) -> Term {
        self.channel.begin_term(self.at.bucket)
    }

    fn proven(&self, term: Term) {
        self.channel
            .caught_up(self.at.bucket, term, self.clock.moment());
    }

    async fn get(&self, need: Freshness) -> Result<u64> {
        let store = Arc::clone(&self.store);
        let load = move || {
            let store = Arc::clone(&store);
            async move {
                store.loads.fetch_add(1, SeqCst);
                // What the server read, whenever the reply comes.
                let value = store.holds.load(SeqCst);
                store.held.fetch_add(1, SeqCst);
                store.begun.notify_one();
                if let Some(go) = &store.go {
                    go.acquire().await.unwrap().forget();
                }
                match value {
                    0 => Err(Error::new(ErrorKind::Unavailable, "away")),
                    value => Ok(Value(value)),
                }
            }
        };
        Ok(self.near.get(self.at, need, load).await?.value.0)
    }

    fn loads(&self) -> u64 {
        self.store.loads.load(SeqCst)
    }

    fn write(&self, revision: u64) {
        self.store.holds.store(revision, SeqCst);
    }

    fn announce(&self, revision: Option<u64>) {
        self.channel.deliver(self.at, revision);
    }

    /// A read beside one that is held: both go on as soon as this one's load has begun too.
    async fn get_by_a_load_of_its_own(&self) -> u64 {
        let both_go = async {
            self.store.begun.notified().await;
            self.let_through();
            self.let_through();
        };
        let (got, ()) = tokio::join!(self.get(SECOND), both_go);
        got.unwrap()
    }

    fn let_through(&self) {
        self.store.go.as_ref().unwrap().add_permits(1);
    }
}

#[tokio::test]
async fn a_copy_is_used_for_as_long_as_it_is_known_to_be_true() {
    let w = World::new(false);
    let term = w.subscribed();
    assert_eq!(w.get(SECOND).await.unwrap(), 1);
    for _ in 0..10 {
        w.clock.advance(Duration::milliseconds(900));
        w.proven(term);
        assert_eq!(w.get(SECOND).await.unwrap(), 1);
    }
    assert_eq!(w.loads(), 1);
    // To the nanosecond.
    w.clock.advance(Duration::SECOND - Duration::NANOSECOND);
    w.get(SECOND).await.unwrap();
    assert_eq!(w.loads(), 1);
    w.clock.advance(Duration::NANOSECOND);
    w.write(2);
    assert_eq!(w.get(SECOND).await.unwrap(), 2);
}

#[tokio::test]
async fn without_a_word_from_the_channel_a_copy_is_as_old_as_its_load() {
    let w = World::new(false);
    for round in 1..=5 {
        assert_eq!(w.get(SECOND).await.unwrap(), 1);
        w.clock.advance(Duration::milliseconds(999));
        assert_eq!(w.get(SECOND).await.unwrap(), 1);
        assert_eq!(w.loads(), round);
        w.clock.advance(Duration::milliseconds(1));
    }
}

#[tokio::test]
async fn that_there_is_nothing_is_believed_for_as_long_as_its_load_is_young() {
    let w = World::new(false);
    let term = w.subscribed();
    w.write(NOTHING.0);
    for round in 1..=5 {
        assert_eq!(w.get(SECOND).await.unwrap(), NOTHING.0);
        w.clock.advance(Duration::milliseconds(999));
        w.proven(term);
        assert_eq!(w.get(SECOND).await.unwrap(), NOTHING.0);
        assert_eq!(w.loads(), round);
        w.clock.advance(Duration::milliseconds(1));
    }
    w.write(1);
    assert_eq!(w.get(SECOND).await.unwrap(), 1);
}

#[tokio::test]
async fn what_one_term_proves_says_nothing_of_another() {
    let w = World::new(false);
    let term = w.subscribed();
    w.proven(term);
    assert_eq!(w.get(SECOND).await.unwrap(), 1);
    // Lost, and subscribed again; what was written between was never announced here.
    w.channel.begin_term(w.at.bucket);
    w.write(2);
    w.clock.advance(Duration::SECOND);
    let term = w.subscribed();
    w.proven(term);
    assert_eq!(w.get(SECOND).await.unwrap(), 2);
    assert_eq!(w.near.stats().doubted, 1);
}

#[tokio::test]
async fn what_is_announced_drops_older_copies_alone() {
    let w = World::new(false);
    let term = w.subscribed();
    w.proven(term);
    w.write(5);
    w.get(SECOND).await.unwrap();
    w.announce(Some(4));
    w.announce(Some(5));
    assert_eq!(w.get(SECOND).await.unwrap(), 5);
    assert_eq!(w.loads(), 1);
    w.write(6);
    w.announce(Some(6));
    assert_eq!(w.get(SECOND).await.unwrap(), 6);
    w.announce(None);
    w.get(SECOND).await.unwrap();
    assert_eq!((w.loads(), w.near.stats().stale), (3, 2));
}

#[tokio::test]
async fn what_is_announced_on_the_way_keeps_older_values_out() {
    for announced in [Some(2), None] {
        let w = World::new(true);
        let term = w.subscribed();
        w.proven(term);
        let late = async {
            w.store.begun.notified().await;
            w.write(2);
            w.announce(announced);
            w.let_through();
        };
        // Who asked before it was announced may see what was before.
        let (got, ()) = tokio::join!(w.get(SECOND), late);
        assert_eq!(got.unwrap(), 1);
        assert_eq!(w.near.stats().fenced, 1);
        w.let_through();
        assert_eq!(w.get(SECOND).await.unwrap(), 2);
        // Nor is the fence up for ever.
        assert_eq!(w.get(SECOND).await.unwrap(), 2);
        assert_eq!(w.loads(), 2);
    }
}

#[tokio::test]
async fn nobody_joins_a_load_that_began_before_the_announcement() {
    let w = World::new(true);
    let term = w.subscribed();
    w.proven(term);
    let late = async {
        w.store.begun.notified().await;
        w.write(2);
        w.announce(Some(2));
        assert_eq!(w.get_by_a_load_of_its_own().await, 2);
    };
    let (got, ()) = tokio::join!(w.get(SECOND), late);
    assert_eq!(got.unwrap(), 1);
}

#[tokio::test]
async fn nobody_joins_a_load_that_began_too_long_ago_or_before_what_the_client_saw() {
    let w = World::new(true);
    let older = async {
        w.store.begun.notified().await;
        w.clock.advance(Duration::SECOND);
        w.write(2);
        assert_eq!(w.get_by_a_load_of_its_own().await, 2);
    };
    let (got, ()) = tokio::join!(w.get(SECOND), older);
    assert_eq!(got.unwrap(), 1);

    let w = World::new(true);
    let seen = async {
        w.store.begun.notified().await;
        w.write(2);
        for _ in 0..2 {
            w.let_through();
        }
        let need = Freshness {
            revision: 2,
            ..SECOND
        };
        assert_eq!(w.get(need).await.unwrap(), 2);
    };
    let (got, ()) = tokio::join!(w.get(SECOND), seen);
    assert_eq!(got.unwrap(), 1);
}

#[tokio::test]
async fn a_thousand_who_miss_at_once_share_one_load() {
    let w = World::new(true);
    let many = futures_join((0..1000).map(|_| w.get(SECOND)));
    let go = async {
        w.store.begun.notified().await;
        w.let_through();
    };
    let (got, ()) = tokio::join!(many, go);
    assert!(got.into_iter().all(|got| got.unwrap() == 1));
    assert_eq!((w.loads(), w.near.stats().joined), (1, 999));
}

/// All of them, polled side by side.
async fn futures_join<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.map(Box::pin).collect();
    let mut done: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(move |context| {
        for (future, done) in futures.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *done = Some(value);
            }
        }
        if done.iter().all(Option::is_some) {
            return std::task::Poll::Ready(done.drain(..).flatten().collect());
        }
        std::task::Poll::Pending
    })
    .await
}

#[tokio::test]
async fn who_goes_away_leaves_the_load_to_the_others_and_to_the_copy() {
    let w = World::new(true);
    {
        let first = w.get(SECOND);
        tokio::select! {
            biased;
            _ = first => unreachable!("it is held"),
            () = w.store.begun.notified() => {}
        }
    }
    w.let_through();
    assert_eq!(w.get(SECOND).await.unwrap(), 1);
    assert_eq!(w.loads(), 1);
}

#[tokio::test]
async fn an_error_is_shared_and_not_kept() {
    let w = World::new(false);
    w.write(0);
    assert!(w.get(SECOND).await.unwrap_err().is_unavailable());
    w.write(1);
    assert_eq!(w.get(SECOND).await.unwrap(), 1);
}

#[tokio::test]
async fn while_the_store_is_away_an_older_copy_may_do() {
    let w = World::new(false);
    let term = w.subscribed();
    w.proven(term);
    w.get(SECOND).await.unwrap();
    w.channel.begin_term(w.at.bucket);
    w.clock.advance(Duration::seconds(30));
    w.write(0);
    let minute = Freshness {
        at_worst: Duration::MINUTE,
        ..SECOND
    };
    assert_eq!(w.get(minute).await.unwrap(), 1);
    assert_eq!(w.near.stats().at_worst, 1);
    assert!(w.get(SECOND).await.is_err());
    // What was heard to be stale, and what the client has seen to be, never does.
    let seen = Freshness {
        revision: 2,
        ..minute
    };
    assert!(w.get(seen).await.is_err());
    w.clock.advance(Duration::seconds(30));
    assert!(w.get(minute).await.is_err());
}

#[tokio::test]
async fn strict_reads_ask_the_store() {
    let w = World::new(false);
    let term = w.subscribed();
    w.proven(term);
    for loads in 1..=3 {
        w.get(Freshness::NOW).await.unwrap();
        assert_eq!(w.loads(), loads);
    }
    w.get(SECOND).await.unwrap();
    assert_eq!(w.loads(), 3, "what they brought is kept");
}

#[tokio::test]
async fn that_a_session_ended_takes_the_place_of_an_older_copy_alone() {
    let w = World::new(false);
    let term = w.subscribed();
    w.proven(term);
    let get = async |need, answer: u64| {
        let load = || async move { Ok(Value(answer)) };
        w.near.get(w.at, need, load).await.unwrap().value.0
    };
    assert_eq!(get(SECOND, 5).await, 5);
    assert_eq!(get(Freshness::NOW, 0).await, 0);
    assert_eq!(
        get(SECOND, 5).await,
        0,
        "who was told the end sees no session"
    );

    let (answer, answered) = tokio::sync::oneshot::channel();
    let answered = std::cell::RefCell::new(Some(answered));
    let slow = w.near.get(w.at, Freshness::NOW, || {
        let answered = answered.take().unwrap();
        async { Ok(Value(answered.await.unwrap())) }
    });
    let later = async {
        w.clock.advance(Duration::MILLISECOND);
        assert_eq!(get(Freshness::NOW, 7).await, 7);
        answer.send(0).unwrap();
    };
    let (slow, ()) = tokio::join!(slow, later);
    assert_eq!(slow.unwrap().value.0, 0);
    assert_eq!(get(SECOND, 9).await, 7, "it was read before");
}

#[tokio::test]
async fn an_own_write_makes_a_copy_of_what_it_wrote() {
    let w = World::new(false);
    let term = w.subscribed();
    w.proven(term);
    w.get(SECOND).await.unwrap();
    let write = w.near.write(w.at);
    w.write(2);
    w.announce(Some(2));
    write.made(2, |_| Value(2));
    assert_eq!(w.get(SECOND).await.unwrap(), 2);
    // Whether its announcement comes before the reply or after it.
    let write = w.near.write(w.at);
    write.made(3, |_| Value(3));
    w.announce(Some(3));
    assert_eq!(w.get(SECOND).await.unwrap(), 3);
    assert_eq!(w.loads(), 1);
    // Somebody else's write came between.
    let write = w.near.write(w.at);
    w.write(5);
    write.made(5, |_| unreachable!("4 was never seen"));
    assert_eq!(w.get(SECOND).await.unwrap(), 5);
    // In another term the same number may stand for something else.
    w.subscribed();
    let write = w.near.write(w.at);
    w.write(6);
    write.made(6, |_| unreachable!("5 was seen in another term"));
    assert_eq!(w.get(SECOND).await.unwrap(), 6);
    // And after it.
    let write = w.near.write(w.at);
    w.write(8);
    w.announce(Some(8));
    write.made(7, |_| Value(7));
    assert_eq!(w.get(SECOND).await.unwrap(), 8);
}

#[tokio::test]
async fn limits_hold_and_what_is_used_stays_longest() {
    let buckets = Buckets::default();
    let channel = Arc::new(Channel::in_process(&buckets));
    let limits = Limits {
        copies: 160,
        bytes: 1_000_000,
    };
    let near = Near::<Value>::new(channel, limits);
    let used = address(&buckets);
    let load = || async { Ok(Value(1)) };
    near.get(used, SECOND, load).await.unwrap();
    for _ in 0..2000 {
        near.get(address(&buckets), SECOND, load).await.unwrap();
        near.get(used, SECOND, load).await.unwrap();
        assert!(near.stats().copies <= 160);
    }
    let stats = near.stats();
    assert_eq!((stats.hits, stats.misses), (2000, 2001));
    assert_eq!(stats.evicted + stats.copies, 2001);
    assert_eq!(stats.bytes, stats.copies * 100);
}

#[tokio::test]
async fn when_all_of_a_bucket_ended_no_copy_of_it_is_used_nor_what_is_on_its_way() {
    let w = World::new(true);
    let term = w.subscribed();
    w.proven(term);
    let other = Buckets::default().get(4).unwrap();
    let late = async {
        w.store.begun.notified().await;
        w.write(9);
        w.channel.deliver_all(other);
        w.channel.deliver_all(w.at.bucket);
        w.let_through();
    };
    let (got, ()) = tokio::join!(w.get(SECOND), late);
    assert_eq!(got.unwrap(), 1);
    assert_eq!(w.near.stats().fenced, 1);
    w.let_through();
    assert_eq!(w.get(SECOND).await.unwrap(), 9);
    w.channel.deliver_all(other);
    assert_eq!(w.get(SECOND).await.unwrap(), 9);
    assert_eq!(w.loads(), 2, "another bucket's copies stay");
    w.channel.deliver_all(w.at.bucket);
    w.let_through();
    w.get(SECOND).await.unwrap();
    assert_eq!(w.loads(), 3);
}
