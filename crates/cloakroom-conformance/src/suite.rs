//! The suite: what it is told, and the run.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::cases::{self, Promise};
use crate::ground::Ground;
use crate::outage::Outage;
use crate::report::{Outcome, Report};
use crate::subject::Subject;
use crate::tasks::panicked;
use crate::verdict::Stop;

/// Beside what a case's operations may take, the time that it waits for sessions to expire.
const CASE: Duration = Duration::from_secs(60);

/// The cases, and how to run them against one store.
///
/// # Example
///
/// See the [crate's documentation](crate) for a store to run it against.
pub struct Suite {
    ground: Ground,
    left_out: Vec<(String, String)>,
    only: Vec<String>,
}

impl Suite {
    /// A suite for the store that `open` opens.
    ///
    /// Each call must open *one more instance on the same data*, as another process would: another
    /// client of the same server, another pool on the same database. For a store that is alone in
    /// its process, a clone that shares its data. The suite opens one to three for each case, and
    /// drops them after it. If opening panics, the case is broken.
    pub fn new<F>(open: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Arc<dyn Subject>> + Send + 'static,
    {
        let ground = Ground {
            open: Arc::new(move || Box::pin(open())),
            staleness: Duration::ZERO,
            deadline: Duration::from_secs(5),
            recovery: Duration::from_secs(10),
            outage: None,
        };
        Self {
            ground,
            left_out: Vec::new(),
            only: Vec::new(),
        }
    }

    /// How long an instance may show what another has changed. Zero unless this says otherwise,
    /// which is right for every store that keeps no copies and reads no replicas.
    ///
    /// It excuses no instance from showing its own changes at once.
    #[must_use]
    pub fn staleness(mut self, staleness: Duration) -> Self {
        self.ground.staleness = staleness;
        self
    }

    /// When an operation counts as hanging: 5 seconds unless this says otherwise.
    ///
    /// Opening an instance has as long.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.ground.deadline = deadline;
        self
    }

    /// How soon after it was mended the store must work again: 10 seconds unless this says
    /// otherwise.
    #[must_use]
    pub fn recovery(mut self, recovery: Duration) -> Self {
        self.ground.recovery = recovery;
        self
    }

    /// How to break the store and to mend it. Without these the group `outage` is not tried.
    ///
    /// After `begin` has returned the store can't reach its data; after `end` it can, and the data
    /// is what it was: a link that is cut and restored, a server that is stopped and goes on. Each
    /// call of `begin` is followed by one of `end`, while no other case runs.
    #[must_use]
    pub fn outage<B, E>(
        mut self,
        begin: impl Fn() -> B + Send + Sync + 'static,
        end: impl Fn() -> E + Send + Sync + 'static,
    ) -> Self
    where
        B: Future<Output = ()> + Send + 'static,
        E: Future<Output = ()> + Send + 'static,
    {
        self.ground.outage = Some(Outage::new(begin, end));
        self
    }

    /// Leaves out a group (`"overlap"`) or a case (`"overlap::many_writers_each_keep_theirs"`), for
    /// a reason that the report repeats.
    ///
    /// For a store that can't do something and says so. A case that is only inconvenient should
    /// stay in: that it is broken is worth knowing.
    ///
    /// # Panics
    ///
    /// If there is no such group or case.
    #[must_use]
    pub fn leave_out(mut self, which: &str, why: &str) -> Self {
        assert_known(which);
        self.left_out.push((which.to_owned(), why.to_owned()));
        self
    }

    /// Tries this group or case, and no other but those that further calls name.
    ///
    /// For the time in which something is mended; the report says of all others that they were not
    /// tried.
    ///
    /// # Panics
    ///
    /// If there is no such group or case.
    #[must_use]
    pub fn only(mut self, which: &str) -> Self {
        assert_known(which);
        self.only.push(which.to_owned());
        self
    }

    /// Runs all cases, one after another, and reports what each came to.
    ///
    /// Takes about eleven seconds with a fast store, nearly all of it waiting for sessions to
    /// expire, and makes about 250 sessions. Those that it leaves behind expire within ten minutes. A
    /// case that panics or hangs is broken, and the others go on.
    ///
    /// It must run on a tokio runtime with a timer. A store that blocks the thread it is called on
    /// needs the multi-thread one: on the other, nothing is left that could notice.
    ///
    /// # Consistency
    ///
    /// The cases use new ids, so that they disturb neither each other nor what else is in the
    /// store, but for four ids at the edges of their range. So only one suite should run on the
    /// same data at a time.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped, the case that is running is given up; an outage that has begun may then
    /// not end.
    pub async fn run(&self) -> Report {
        let mut cases = Vec::with_capacity(cases::PROMISES.len());
        for promise in cases::PROMISES {
            let outcome = match self.reason_to_leave_out(promise) {
                Some(why) => Outcome::NotTried(why),
                None => take(promise, &self.ground).await,
            };
            cases.push(promise.came_to(outcome));
        }
        Report { cases }
    }

    /// Runs all cases as [`run`](Self::run) does, for a test that should fail if one is broken.
    ///
    /// # Panics
    ///
    /// If the store does not conform, with the report's table.
    ///
    /// # Cancel safety
    ///
    /// That of [`run`](Self::run).
    pub async fn assert(&self) -> Report {
        let report = self.run().await;
        assert!(report.conforms(), "the store does not conform\n{report}");
        report
    }

    fn reason_to_leave_out(&self, promise: &Promise) -> Option<String> {
        if !self.only.is_empty() && !self.only.iter().any(|which| promise.is(which)) {
            return Some("not asked for".to_owned());
        }
        let mut left_out = self.left_out.iter();
        let (_, why) = left_out.find(|(which, _)| promise.is(which))?;
        Some(why.clone())
    }
}

impl fmt::Debug for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suite")
            .field("staleness", &self.ground.staleness)
            .field("deadline", &self.ground.deadline)
            .field("recovery", &self.ground.recovery)
            .field("outage", &self.ground.outage.is_some())
            .field("left_out", &self.left_out)
            .field("only", &self.only)
            .finish_non_exhaustive()
    }
}

fn assert_known(which: &str) {
    let known = cases::PROMISES.iter().any(|promise| promise.is(which));
    assert!(known, "the suite has neither a group nor a case {which:?}");
}

/// Runs one case in a task of its own, so that neither a panic nor a blocked thread reaches the
/// next.
async fn take(promise: &Promise, ground: &Ground) -> Outcome {
    let limit = CASE + ground.deadline.saturating_mul(20) + ground.staleness.saturating_mul(20);
    let mut task = tokio::spawn((promise.run)(ground.clone()));
    let verdict = match timeout(limit, &mut task).await {
        Ok(ended) => ended.unwrap_or_else(|error| Err(panicked(error))),
        Err(_) => {
            task.abort();
            Err(Stop::Broken(format!("did not end within {limit:?}")))
        }
    };
    match verdict {
        Ok(()) => Outcome::Kept,
        Err(Stop::Broken(seen)) => Outcome::Broken(seen),
        Err(Stop::NotTried(why)) => Outcome::NotTried(why),
    }
}
