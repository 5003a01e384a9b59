//! What every store of cached values does: in memory and on Redis.

use crate::support::{Ground, SOON};
use bytes::Bytes;
use cloakroom_core::{
    Address, Bucket, Digest, Fetch, Fetched, Listener, LoadLease, NewValue, OsEntropy, Put, Slot,
    Store, Stored, Want,
};
use cloakroom_testkit::eventually;
use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};
use time::Duration;

const LONG: Duration = Duration::HOUR;
const SHORT: Duration = Duration::milliseconds(20);

/// A store, an entry in it, and what is announced of that.
struct Bench {
    store: Arc<dyn Store>,
    at: Address,
    heard: Arc<Heard>,
}

#[derive(Default)]
struct Heard(Mutex<Vec<(Address, Option<u64>)>>);

impl Listener for Heard {
    fn stale(&self, at: Address, revision: Option<u64>) {
        self.0.lock().unwrap().push((at, revision));
    }
    fn all_stale(&self, _: Bucket) {}
    fn lost(&self, _: Bucket) {}
}

async fn on_each<F: Future<Output = ()>>(test: impl Fn(Bench) -> F) {
    let bench = |store: Arc<dyn Store>| {
        let heard = Arc::new(Heard::default());
        let listener: std::sync::Weak<dyn Listener> = Arc::downgrade(&heard) as _;
        store.news().listen(listener);
        let at = store.place(Digest::from_bytes(fastrand::u128(..).to_be_bytes()));
        Bench { store, at, heard }
    };
    let (_ground, store) = Ground::memory();
    test(bench(store)).await;
    let (_ground, store) = Ground::redis().await;
    test(bench(store)).await;
}

fn lease() -> LoadLease {
    LoadLease::generate(&OsEntropy).unwrap()
}

fn value(text: &'static str, fresh_for: Duration, usable_for: Duration) -> NewValue {
    let bytes = Bytes::from_static(text.as_bytes());
    NewValue {
        bytes,
        fresh_for,
        usable_for,
    }
}

fn good(text: &'static str) -> NewValue {
    value(text, LONG, LONG)
}

impl Bench {
    fn slot(&self, schema: u32) -> Slot {
        Slot {
            at: self.at,
            schema,
        }
    }

    async fn fetch_of(
        &self,
        schema: u32,
        want: Want,
        lease: LoadLease,
        lasts: Duration,
    ) -> Fetched {
        let slot = self.slot(schema);
        self.store
            .fetch(&Fetch {
                slot,
                want,
                lease,
                lasts,
            })
            .await
            .unwrap()
    }

    async fn fetch(&self, want: Want) -> Fetched {
        self.fetch_of(0, want, lease(), LONG).await
    }

    /// Takes the lease.
    async fn leased(&self, lasts: Duration) -> LoadLease {
        let lease = lease();
        let fetched = self.fetch_of(0, Want::Missing, lease, lasts).await;
        assert!(matches!(fetched, Fetched::Leased { .. }), "{fetched:?}");
        lease
    }

    async fn put(&self, lease: LoadLease, value: &NewValue) -> Put {
        self.store.put(self.slot(0), lease, value).await.unwrap()
    }

    async fn insert(&self, value: &NewValue) -> Put {
        self.store.insert(self.slot(0), value).await.unwrap()
    }

    async fn fresh(&self) -> Option<Stored> {
        match self.fetch(Want::Look).await {
            Fetched::Fresh(stored) => Some(stored),
            _ => None,
        }
    }

    /// What was announced of the entry. Ends with an invalidation, after which nothing comes.
    async fn news(&self) -> Vec<Option<u64>> {
        self.store.invalidate(self.at).await.unwrap();
        let of_entry = || {
            let heard = self.heard.0.lock().unwrap();
            let of_entry = heard.iter().filter(|(at, _)| *at == self.at);
            of_entry.map(|(_, revision)| *revision).collect::<Vec<_>>()
        };
        assert!(eventually(SOON, || async { of_entry().last() == Some(&None) }).await);
        let news = of_entry();
        self.heard.0.lock().unwrap().clear();
        news[..news.len() - 1].to_vec()
    }
}

fn revision(put: Put) -> u64 {
    match put {
        Put::Done { revision } => revision,
        Put::Refused => panic!("refused"),
    }
}

#[tokio::test]
async fn one_reader_has_the_lease_and_the_others_are_told_how_long() {
    on_each(|bench| async move {
        assert_eq!(
            bench.fetch(Want::Look).await,
            Fetched::Absent { stale: None }
        );
        let holder = bench.leased(Duration::seconds(10)).await;
        let left = || async {
            match bench.fetch(Want::Missing).await {
                Fetched::Held { stale: None, left } => left,
                other => panic!("{other:?}"),
            }
        };
        let before = left().await;
        assert!(
            before > Duration::seconds(5) && before <= Duration::seconds(10),
            "{before}"
        );
        assert_eq!(
            bench.fetch(Want::Look).await,
            Fetched::Absent { stale: None }
        );
        let (slot, store) = (bench.slot(0), &bench.store);
        assert!(!store.extend(slot, lease(), LONG).await.unwrap());
        store.release(slot, lease()).await.unwrap();
        assert!(store.extend(slot, holder, LONG).await.unwrap());
        assert!(left().await > Duration::minutes(59));
        store.release(slot, holder).await.unwrap();
        assert!(!store.extend(slot, holder, LONG).await.unwrap());
        assert_eq!(bench.put(holder, &good("late")).await, Put::Refused);
        bench.leased(LONG).await;
    })
    .await;
}

#[tokio::test]
async fn who_holds_the_lease_puts_the_value_once() {
    on_each(|bench| async move {
        let holder = bench.leased(LONG).await;
        assert_eq!(bench.put(lease(), &good("other")).await, Put::Refused);
        let first = revision(
            bench
                .put(holder, &value("one", Duration::MINUTE, LONG))
                .await,
        );
        assert_eq!(bench.put(holder, &good("again")).await, Put::Refused);
        let found = bench.fresh().await.unwrap();
        assert_eq!((&*found.bytes, found.revision), (&b"one"[..], first));
        assert!(found.fresh_for <= Duration::MINUTE && found.fresh_for > Duration::seconds(50));
        assert!(found.usable_for <= LONG && found.usable_for > Duration::minutes(59));
        for want in [Want::Missing, Want::Replace(first + 1)] {
            assert!(matches!(bench.fetch(want).await, Fetched::Fresh(s) if s.revision == first));
        }
        let next = lease();
        let fetched = bench.fetch_of(0, Want::Replace(first), next, LONG).await;
        assert!(matches!(fetched, Fetched::Leased { stale: Some(s) } if s.revision == first));
        let held = bench.fetch(Want::Replace(first)).await;
        assert!(
            matches!(held, Fetched::Held { stale: Some(_), .. }),
            "{held:?}"
        );
        assert!(matches!(
            bench.fetch(Want::Missing).await,
            Fetched::Fresh(_)
        ));
        let second = revision(bench.put(next, &good("two")).await);
        assert!(second > first);
        bench.store.invalidate(bench.at).await.unwrap();
        let third = bench.leased(LONG).await;
        assert!(revision(bench.put(third, &good("three")).await) > second);
    })
    .await;
}

#[tokio::test]
async fn what_says_that_a_value_is_wrong_takes_the_lease_away() {
    on_each(|bench| async move {
        let (store, at, slot) = (&bench.store, bench.at, bench.slot(0));
        for how in ["invalidate", "insert", "mark", "unmark", "another mark"] {
            let holder = bench.leased(LONG).await;
            let mark = lease();
            match how {
                "invalidate" => store.invalidate(at).await.unwrap(),
                "insert" => drop(revision(bench.insert(&good("new")).await)),
                "unmark" => store.unmark(at, mark).await.unwrap(),
                _ => store.mark(at, mark, LONG).await.unwrap(),
            }
            assert!(!store.extend(slot, holder, LONG).await.unwrap(), "{how}");
            assert_eq!(bench.put(holder, &good("old")).await, Put::Refused, "{how}");
            store.release(slot, holder).await.unwrap();
            let found = bench.fresh().await;
            assert_eq!(found.is_some(), how == "insert", "{how}");
            store.unmark(at, mark).await.unwrap();
            assert_eq!(bench.put(holder, &good("old")).await, Put::Refused, "{how}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_lease_ends_by_time_and_is_taken_over() {
    on_each(|bench| async move {
        let dead = bench.leased(SHORT).await;
        tokio::time::sleep(2 * std::time::Duration::try_from(SHORT).unwrap()).await;
        // Nothing was there beside it.
        assert_eq!(bench.put(dead, &good("late")).await, Put::Refused);
        let dead = bench.leased(SHORT).await;
        let next = lease();
        let taken = || async {
            let fetched = bench.fetch_of(0, Want::Missing, next, LONG).await;
            matches!(fetched, Fetched::Leased { .. })
        };
        assert!(eventually(SOON, taken).await);
        assert_eq!(bench.put(dead, &good("late")).await, Put::Refused);
        bench.store.release(bench.slot(0), dead).await.unwrap();
        revision(bench.put(next, &good("next")).await);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_longer_fresh_is_stale_and_then_gone() {
    on_each(|bench| async move {
        let holder = bench.leased(LONG).await;
        let first = revision(bench.put(holder, &value("old", Duration::ZERO, LONG)).await);
        let is_stale = |stale: &Option<Stored>| stale.as_ref().is_some_and(|s| s.revision == first && s.fresh_for.is_zero());
        assert!(matches!(bench.fetch(Want::Look).await, Fetched::Absent { stale } if is_stale(&stale)));
        let next = lease();
        let fetched = bench.fetch_of(0, Want::Replace(first), next, LONG).await;
        assert!(matches!(fetched, Fetched::Leased { stale } if is_stale(&stale)));
        assert!(matches!(bench.fetch(Want::Missing).await, Fetched::Held { stale, .. } if is_stale(&stale)));
        bench.store.release(bench.slot(0), next).await.unwrap();
        assert!(matches!(bench.fetch(Want::Look).await, Fetched::Absent { stale } if is_stale(&stale)));
        revision(bench.insert(&value("brief", SHORT, SHORT)).await);
        let gone = || async { bench.fetch(Want::Look).await == Fetched::Absent { stale: None } };
        assert!(eventually(SOON, gone).await);
        // Kept for at least as long as it is fresh.
        revision(bench.insert(&value("kept", LONG, Duration::ZERO)).await);
        assert!(bench.fresh().await.is_some());
        revision(bench.insert(&value("ages", Duration::MAX, Duration::MAX)).await);
        assert!(bench.fresh().await.unwrap().fresh_for > Duration::days(10_000));
        revision(bench.insert(&value("never", Duration::MIN, Duration::MIN)).await);
        assert_eq!(bench.fetch(Want::Look).await, Fetched::Absent { stale: None });
    })
    .await;
}

#[tokio::test]
async fn only_what_somebody_waits_for_is_announced_and_whatever_is_wrong() {
    on_each(|bench| async move {
        let (store, at, slot) = (&bench.store, bench.at, bench.slot(0));
        let holder = bench.leased(LONG).await;
        store.release(slot, holder).await.unwrap();
        let holder = bench.leased(LONG).await;
        revision(bench.put(holder, &good("v")).await);
        assert_eq!(bench.news().await, []);

        let holder = bench.leased(LONG).await;
        bench.fetch(Want::Look).await;
        store.release(slot, holder).await.unwrap();
        assert_eq!(bench.news().await, []);
        let holder = bench.leased(LONG).await;
        bench.fetch(Want::Missing).await;
        store.release(slot, holder).await.unwrap();
        // Whoever takes it now, nobody waits yet.
        let holder = bench.leased(LONG).await;
        store.release(slot, holder).await.unwrap();
        assert_eq!(bench.news().await, [Some(0)]);
        let holder = bench.leased(LONG).await;
        bench.fetch(Want::Missing).await;
        let put = revision(bench.put(holder, &good("v")).await);
        assert_eq!(bench.news().await, [Some(put)]);

        let inserted = revision(bench.insert(&good("v")).await);
        let mark = lease();
        store.mark(at, mark, LONG).await.unwrap();
        assert_eq!(bench.insert(&good("w")).await, Put::Refused);
        store.unmark(at, mark).await.unwrap();
        assert_eq!(bench.news().await, [Some(inserted), None, None]);
    })
    .await;
}

#[tokio::test]
async fn a_mark_keeps_everything_out_until_all_are_lifted_or_over() {
    on_each(|bench| async move {
        let (store, at) = (&bench.store, bench.at);
        let (one, two) = (lease(), lease());
        let first = revision(bench.insert(&good("old")).await);
        store.mark(at, one, LONG).await.unwrap();
        store.mark(at, two, LONG).await.unwrap();
        for want in [Want::Look, Want::Missing, Want::Replace(first)] {
            assert_eq!(bench.fetch(want).await, Fetched::Marked);
        }
        assert_eq!(bench.insert(&good("new")).await, Put::Refused);
        store.unmark(at, one).await.unwrap();
        store.invalidate(at).await.unwrap();
        store.unmark(at, lease()).await.unwrap();
        assert_eq!(bench.fetch(Want::Missing).await, Fetched::Marked);
        store.unmark(at, two).await.unwrap();
        assert_eq!(
            bench.fetch(Want::Look).await,
            Fetched::Absent { stale: None }
        );
        assert!(revision(bench.insert(&good("new")).await) > first);

        // One that is over leaves the other.
        store.mark(at, one, LONG).await.unwrap();
        store.mark(at, two, SHORT).await.unwrap();
        tokio::time::sleep(2 * std::time::Duration::try_from(SHORT).unwrap()).await;
        store.invalidate(at).await.unwrap();
        assert_eq!(bench.fetch(Want::Missing).await, Fetched::Marked);
        store.unmark(at, one).await.unwrap();
        bench.leased(LONG).await;
        store.mark(at, one, SHORT).await.unwrap();
        let free = || async { matches!(bench.fetch(Want::Missing).await, Fetched::Leased { .. }) };
        assert!(eventually(SOON, free).await);
        revision(bench.insert(&good("free")).await);
    })
    .await;
}

#[tokio::test]
async fn schemas_stand_side_by_side_and_fall_together() {
    on_each(|bench| async move {
        let store = &bench.store;
        let (a, b) = (lease(), lease());
        for (schema, lease) in [(1, a), (11, b)] {
            let fetched = bench.fetch_of(schema, Want::Missing, lease, LONG).await;
            assert_eq!(fetched, Fetched::Leased { stale: None });
        }
        assert_eq!(
            store.put(bench.slot(11), a, &good("x")).await.unwrap(),
            Put::Refused
        );
        revision(store.put(bench.slot(1), a, &good("one")).await.unwrap());
        revision(store.put(bench.slot(11), b, &good("eleven")).await.unwrap());
        let text = |schema| {
            let bench = &bench;
            async move {
                match bench.fetch_of(schema, Want::Look, lease(), LONG).await {
                    Fetched::Fresh(stored) => Some(stored.bytes),
                    _ => None,
                }
            }
        };
        assert_eq!(text(1).await.as_deref(), Some(&b"one"[..]));
        assert_eq!(text(11).await.as_deref(), Some(&b"eleven"[..]));
        store.invalidate(bench.at).await.unwrap();
        assert_eq!((text(1).await, text(11).await), (None, None));
        // What is inserted drops what others hold, and their leases.
        for (schema, lease) in [(1, a), (2, a), (11, b)] {
            bench.fetch_of(schema, Want::Missing, lease, LONG).await;
        }
        revision(store.put(bench.slot(11), b, &good("eleven")).await.unwrap());
        revision(store.insert(bench.slot(1), &good("one")).await.unwrap());
        assert_eq!(
            store.put(bench.slot(2), a, &good("two")).await.unwrap(),
            Put::Refused
        );
        assert_eq!(
            (text(1).await.is_some(), text(2).await, text(11).await),
            (true, None, None)
        );
    })
    .await;
}

#[tokio::test]
async fn a_tag_never_has_a_version_twice_and_says_with_which_message_it_came() {
    on_each(|bench| async move {
        let (store, at) = (&bench.store, bench.at);
        let first = store.tag(at).await.unwrap();
        assert_eq!(store.tag(at).await.unwrap(), first);
        let mut versions = HashSet::from([first.version]);
        let mut number = first.number;
        for _ in 0..200 {
            store.change_tag(at).await.unwrap();
            let tag = store.tag(at).await.unwrap();
            assert!(versions.insert(tag.version));
            assert!(tag.number > number);
            number = tag.number;
        }
        // Announced, and counted as heard only then.
        let news = store.news();
        let heard = || async { news.lease(at.bucket).number() == Some(number) };
        assert!(eventually(SOON, heard).await);
        assert_eq!(bench.heard.0.lock().unwrap().len(), 200);
        // One that nobody knew may have changed with the latest message, and not after.
        let mut bytes = *at.digest.as_bytes();
        bytes[0] ^= 1;
        let other = store.place(Digest::from_bytes(bytes));
        assert_eq!(other.bucket, at.bucket);
        assert_eq!(store.tag(other).await.unwrap().number, number);
        store.invalidate(other).await.unwrap();
        assert_eq!(store.tag(other).await.unwrap().number, number);
        let heard = || async { news.lease(at.bucket).number() == Some(number + 1) };
        assert!(eventually(SOON, heard).await);
    })
    .await;
}
