//! What a case runs on: stores over the same data, and time that passes when told to.

use std::fmt::Debug;
use std::sync::Arc;

use cloakroom_core::{
    Address, BoxFuture, Clock, Created, Digest, Loaded, ManualClock, MemoryStore, NewSession,
    Record, SessionStore, User,
};
use time::{Duration, OffsetDateTime};

use super::Instance;
use super::draft;

/// How many instances a fixture should have, so that cases run beside themselves.
const INSTANCES: usize = 4;

/// A store that keeps milliseconds may be off by one at each of two roundings.
const ROUNDING: Duration = Duration::milliseconds(2);

/// A store may count the time that is left from the end of a step that read the clock at its
/// beginning; a busy machine may stop it in between.
const STEP: Duration = Duration::seconds(20);

/// What is behind the stores under test: what a case needs and the contract doesn't offer.
pub trait Backing: Debug + Send + Sync + 'static {
    /// The store's time.
    fn now(&self) -> BoxFuture<'_, OffsetDateTime>;

    /// Lets this much time pass for the store's sessions.
    ///
    /// Either the clock moves on, or all sessions grow older against a clock that doesn't: their
    /// instants then lie further back than they did.
    fn pass(&self, by: Duration) -> BoxFuture<'_, ()>;

    /// How many live sessions there are, counted behind the stores' back.
    ///
    /// # Panics
    ///
    /// If something lies there that is neither a session nor the mark of a superseded one, or
    /// that would stay for ever.
    fn sessions(&self) -> BoxFuture<'_, usize>;
}

/// Several stores over the same data, which holds nothing at first.
#[derive(Debug)]
pub struct Fixture {
    instances: Vec<Instance>,
    backing: Box<dyn Backing>,
}

impl Fixture {
    /// A fixture of these stores: one or, better, four that share nothing but their data.
    ///
    /// # Panics
    ///
    /// If there is no store.
    pub fn new(
        stores: impl IntoIterator<Item = Arc<dyn SessionStore>>,
        backing: impl Backing,
    ) -> Self {
        Self::of(stores.into_iter().map(Instance::new), backing)
    }

    /// A fixture of stores that keep copies, each with the one behind it.
    ///
    /// # Panics
    ///
    /// If there is no store.
    pub fn near(
        stores: impl IntoIterator<Item = (Arc<dyn SessionStore>, Arc<dyn SessionStore>)>,
        backing: impl Backing,
    ) -> Self {
        let pairs = stores.into_iter();
        Self::of(
            pairs.map(|(near, truth)| Instance::near(near, truth)),
            backing,
        )
    }

    fn of(instances: impl Iterator<Item = Instance>, backing: impl Backing) -> Self {
        let instances: Vec<_> = instances.collect();
        assert!(!instances.is_empty(), "a fixture has a store");
        Self {
            instances,
            backing: Box::new(backing),
        }
    }

    /// A fixture of [`MemoryStore`]s with a clock that stands still.
    #[must_use]
    pub fn memory() -> Self {
        let clock = ManualClock::default();
        let store = MemoryStore::with_clock(Arc::new(clock.clone()));
        let instance = || Arc::new(store.clone()) as Arc<dyn SessionStore>;
        let stores: Vec<_> = std::iter::repeat_with(instance).take(INSTANCES).collect();
        Self::new(stores, Memory { store, clock })
    }

    /// The same with copies in front, which `near` makes of a store and its clock.
    pub fn near_memory(
        near: impl Fn(Arc<dyn SessionStore>, Arc<dyn Clock>) -> Arc<dyn SessionStore>,
    ) -> Self {
        let clock = ManualClock::default();
        let store = MemoryStore::with_clock(Arc::new(clock.clone()));
        let pair = || {
            let truth = Arc::new(store.clone()) as Arc<dyn SessionStore>;
            (near(Arc::clone(&truth), Arc::new(clock.clone())), truth)
        };
        let stores: Vec<_> = std::iter::repeat_with(pair).take(INSTANCES).collect();
        Self::near(stores, Memory { store, clock })
    }

    /// The store of one instance; there is an endless number of instances.
    #[must_use]
    pub fn instance(&self, number: usize) -> Instance {
        self.instances[number % self.instances.len()].clone()
    }

    /// The store of the first instance.
    #[must_use]
    pub fn first(&self) -> &Instance {
        &self.instances[0]
    }

    /// The store of the second instance.
    #[must_use]
    pub fn second(&self) -> &Instance {
        &self.instances[1 % self.instances.len()]
    }

    /// The stores of all instances.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.instances.iter()
    }

    /// Lets time pass.
    pub async fn pass(&self, by: Duration) {
        self.backing.pass(by).await;
    }

    /// The store's time.
    pub async fn now(&self) -> OffsetDateTime {
        self.backing.now().await
    }

    /// How many live sessions there are.
    pub async fn sessions(&self) -> usize {
        self.backing.sessions().await
    }

    pub(super) fn user(&self, id: &str) -> User {
        self.first().user(id)
    }

    /// An anonymous session to make.
    pub(super) fn anonymous(&self) -> NewSession {
        // Any bucket will do; the digest of another one is as random as anything.
        let buckets = self.first().store().buckets();
        let first = buckets.get(0).expect("there is a bucket");
        let hash = draft::digest(first).as_bytes()[0];
        draft::anonymous(buckets.of_hash(hash.into()))
    }

    /// A login to make.
    pub(super) fn login(&self, user: &str) -> NewSession {
        draft::login(&self.user(user))
    }

    /// Makes a session, which must succeed without ending another one.
    pub(super) async fn create(&self, new: NewSession) -> NewSession {
        let created = self.first().create(&new).await;
        assert!(
            matches!(created, Created::Done { evicted: 0, .. }),
            "{created:?}"
        );
        new
    }

    /// The record of a live session. Each look checks what the store says of its future.
    pub(super) async fn record(&self, at: Address) -> Arc<Record> {
        let before = self.now().await;
        let loaded = self.first().load(at).await;
        let after = self.now().await;
        let Loaded::Found { record, expires_in } = loaded else {
            panic!("{at:?} should be alive, but it is {loaded:?}");
        };
        let idle_end = record.last_seen.saturating_add(record.idle);
        let deadline = idle_end.min(record.absolute_deadline);
        let left = (deadline - after - ROUNDING)..=(deadline - before + STEP);
        assert!(
            left.contains(&expires_in),
            "said {expires_in}, not {left:?}"
        );
        assert!(record.last_seen <= after && record.created_at <= record.last_seen);
        assert_eq!(record.digest, at.digest);
        record
    }

    /// Whether every instance finds the session alive; they must agree.
    pub(super) async fn is_live(&self, at: Address) -> bool {
        let first = self.first().load(at).await;
        for instance in self.instances() {
            let other = instance.load(at).await;
            assert_eq!(
                std::mem::discriminant(&other),
                std::mem::discriminant(&first),
                "{other:?} on one instance, {first:?} on another"
            );
        }
        matches!(first, Loaded::Found { .. })
    }

    /// Fails unless the id leads to nothing on every instance, not even to a newer one.
    pub(super) async fn assert_absent(&self, at: Address) {
        for instance in self.instances() {
            assert_eq!(instance.load(at).await, Loaded::Absent);
        }
    }

    /// Fails unless every instance knows that the client of the session ended it.
    pub(super) async fn assert_ended(&self, at: Address) {
        for instance in self.instances() {
            assert_eq!(instance.load(at).await, Loaded::Ended);
        }
    }

    /// Fails unless every instance knows that a newer id took the place of this one.
    pub(super) async fn assert_superseded(&self, at: Address) {
        for instance in self.instances() {
            assert_eq!(instance.load(at).await, Loaded::Superseded);
        }
    }
}

/// Another address of the same bucket.
pub(super) fn beside(at: Address) -> Address {
    moved(at, draft::digest(at.bucket))
}

/// The address of this digest in the same bucket.
pub(super) fn moved(at: Address, digest: Digest) -> Address {
    Address { digest, ..at }
}

#[derive(Debug)]
struct Memory {
    store: MemoryStore,
    clock: ManualClock,
}

impl Backing for Memory {
    fn now(&self) -> BoxFuture<'_, OffsetDateTime> {
        Box::pin(std::future::ready(self.clock.now()))
    }

    fn pass(&self, by: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move { self.clock.advance(by) })
    }

    fn sessions(&self) -> BoxFuture<'_, usize> {
        Box::pin(std::future::ready(self.store.len()))
    }
}
