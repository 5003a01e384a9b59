//! A store that counts what it is asked, and that can be held or made to fail at one step.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use cloakroom::{ErrorKind, Health, SessionStore};
use cloakroom_core::{
    Address, BoxFuture, Buckets, Change, Channel, Committed, Created, Digest, Ended, Error,
    Freshness, Listed, Loaded, NewSession, Result, Retired, Rotated, Touch, User, Which,
};
use tokio::{sync::Semaphore, task::yield_now};

use super::within;

/// What a store can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Op {
    Load,
    Create,
    Commit,
    Retire,
    Rotate,
    End,
    Touch,
    List,
    Revoke,
}

/// What happens to the next operation of a kind.
#[derive(Debug, Clone)]
enum Act {
    /// It waits before it is done.
    HoldBefore(Gate),
    /// It is done, and its answer waits.
    HoldAfter(Gate),
    /// It isn't done and fails.
    Refuse,
    /// It is done, but its caller is told that nobody knows.
    Lose,
}

/// One operation that waits to be let through.
#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<(Semaphore, Semaphore)>);

impl Gate {
    fn new() -> Self {
        Self(Arc::new((Semaphore::new(0), Semaphore::new(0))))
    }

    /// Returns when the operation has arrived.
    pub(crate) async fn reached(&self) {
        within(self.0.0.acquire()).await.unwrap().forget();
    }

    /// Lets the operation go on, now or when it arrives.
    pub(crate) fn open(&self) {
        self.0.1.add_permits(1);
    }

    async fn pass(&self) {
        self.0.0.add_permits(1);
        within(self.0.1.acquire()).await.unwrap().forget();
    }
}

/// The store of one instance, watched by the test.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    inner: Arc<dyn SessionStore>,
    watch: Arc<Watch>,
}

#[derive(Debug, Default)]
struct Watch {
    calls: Mutex<BTreeMap<Op, u64>>,
    acts: Mutex<Vec<(Op, Act)>>,
    down: AtomicBool,
}

impl Watched {
    pub(crate) fn new(inner: Arc<dyn SessionStore>) -> Self {
        Self {
            inner,
            watch: Arc::default(),
        }
    }

    /// Stops the next operation of this kind before it is done.
    pub(crate) fn hold(&self, op: Op) -> Gate {
        let gate = Gate::new();
        self.plan(op, Act::HoldBefore(gate.clone()));
        gate
    }

    /// Stops the answer to the next operation of this kind.
    pub(crate) fn hold_answer(&self, op: Op) -> Gate {
        let gate = Gate::new();
        self.plan(op, Act::HoldAfter(gate.clone()));
        gate
    }

    /// The next operation of this kind fails and isn't done.
    pub(crate) fn refuse(&self, op: Op) {
        self.plan(op, Act::Refuse);
    }

    /// The next operation of this kind is done, and its caller is told that nobody knows.
    pub(crate) fn lose(&self, op: Op) {
        self.plan(op, Act::Lose);
    }

    /// From now on all operations fail, or none.
    pub(crate) fn down(&self, down: bool) {
        self.watch.down.store(down, Ordering::SeqCst);
    }

    /// What was asked since the last time.
    pub(crate) fn calls(&self) -> BTreeMap<Op, u64> {
        std::mem::take(&mut *self.watch.calls.lock().unwrap())
    }

    fn plan(&self, op: Op, act: Act) {
        self.watch.acts.lock().unwrap().push((op, act));
    }

    fn begin(&self, op: Op) -> Option<Act> {
        *self.watch.calls.lock().unwrap().entry(op).or_default() += 1;
        if self.watch.down.load(Ordering::SeqCst) {
            return Some(Act::Refuse);
        }
        let mut acts = self.watch.acts.lock().unwrap();
        let place = acts.iter().position(|(planned, _)| *planned == op)?;
        Some(acts.remove(place).1)
    }

    fn around<'a, T: Send + 'a>(
        &'a self,
        op: Op,
        work: BoxFuture<'a, Result<T>>,
    ) -> BoxFuture<'a, Result<T>> {
        Box::pin(async move {
            // In memory nothing waits by itself: let the others interleave.
            yield_now().await;
            match self.begin(op) {
                None => {
                    let answer = work.await;
                    yield_now().await;
                    answer
                }
                Some(Act::HoldBefore(gate)) => {
                    gate.pass().await;
                    work.await
                }
                Some(Act::HoldAfter(gate)) => {
                    let answer = work.await;
                    gate.pass().await;
                    answer
                }
                Some(Act::Refuse) => Err(unavailable()),
                Some(Act::Lose) => work.await.and(Err(unavailable())),
            }
        })
    }
}

fn unavailable() -> Error {
    Error::new(ErrorKind::Unavailable, "the test says so")
}

impl SessionStore for Watched {
    fn buckets(&self) -> &Buckets {
        self.inner.buckets()
    }

    fn user(&self, id: &str) -> Result<User> {
        self.inner.user(id)
    }

    fn load(&self, at: Address, need: Freshness) -> BoxFuture<'_, Result<Loaded>> {
        self.around(Op::Load, self.inner.load(at, need))
    }

    fn create<'a>(&'a self, new: &'a NewSession) -> BoxFuture<'a, Result<Created>> {
        self.around(Op::Create, self.inner.create(new))
    }

    fn commit<'a>(
        &'a self,
        at: Address,
        change: &'a Change,
        max_size: usize,
    ) -> BoxFuture<'a, Result<Committed>> {
        self.around(Op::Commit, self.inner.commit(at, change, max_size))
    }

    fn retire(&self, at: Address, revision: u64) -> BoxFuture<'_, Result<Retired>> {
        self.around(Op::Retire, self.inner.retire(at, revision))
    }

    fn rotate(&self, at: Address, to: Digest) -> BoxFuture<'_, Result<Rotated>> {
        self.around(Op::Rotate, self.inner.rotate(at, to))
    }

    fn end(&self, at: Address) -> BoxFuture<'_, Result<Ended>> {
        self.around(Op::End, self.inner.end(at))
    }

    fn touch<'a>(&'a self, touches: &'a [Touch]) -> BoxFuture<'a, Result<()>> {
        self.around(Op::Touch, self.inner.touch(touches))
    }

    fn list<'a>(&'a self, user: &'a User) -> BoxFuture<'a, Result<Vec<Listed>>> {
        self.around(Op::List, self.inner.list(user))
    }

    fn revoke<'a>(&'a self, user: &'a User, which: Which) -> BoxFuture<'a, Result<u64>> {
        self.around(Op::Revoke, self.inner.revoke(user, which))
    }

    fn revoke_everyone(&self) -> BoxFuture<'_, Result<()>> {
        self.around(Op::Revoke, self.inner.revoke_everyone())
    }

    fn channel(&self) -> Option<Arc<Channel>> {
        self.inner.channel()
    }

    fn health(&self) -> Health {
        self.inner.health()
    }
}
