//! What the application decided.

use cloakroom_core::{Freshness, Lifetime, Limit, OnLimit};
use time::Duration;

/// What a request with an id sees while the store can't be reached.
///
/// Requests without an id that set nothing and log nobody in don't ask the store, and are served
/// either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnUnavailable {
    /// 503 with `Retry-After`, the client's id kept: nobody is taken for a stranger by mistake.
    #[default]
    Refuse,
    /// Served as if it had brought no id, and its changes are dropped; the client's id is kept.
    /// For sites where a page without a login is better than none.
    Anonymous,
    /// Served from a near copy that was true within this time, longer than the staleness that is
    /// allowed otherwise; without one, refused. Logouts and revocations of that time, elsewhere,
    /// are not seen: for sites where a short outage must not be noticed.
    NearCopy(Duration),
}

/// What the application decided, once, for all its sessions.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) lifetime: Lifetime,
    pub(crate) remembered: Lifetime,
    pub(crate) max_sessions: Option<u32>,
    pub(crate) on_limit: OnLimit,
    pub(crate) max_size: usize,
    pub(crate) on_unavailable: OnUnavailable,
    pub(crate) retry_after: Duration,
    pub(crate) max_staleness: Duration,
    pub(crate) touch_interval: Option<Duration>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            // NIST SP 800-63B-4 names 24 h and 1 h for AAL2; half of each is a working day and a
            // lunch.
            lifetime: Lifetime {
                idle: Duration::minutes(30),
                absolute: Duration::hours(12),
                remembered: false,
            },
            // AAL1's longest, and half of it unused.
            remembered: Lifetime {
                idle: Duration::days(14),
                absolute: Duration::days(30),
                remembered: true,
            },
            max_sessions: None,
            on_limit: OnLimit::default(),
            // A session is loaded whole; what is larger belongs into a database.
            max_size: 64 * 1024,
            on_unavailable: OnUnavailable::Refuse,
            // Reconnecting takes about as long.
            retry_after: Duration::seconds(1),
            // Short enough that nobody is seen acting after a logout, long enough for some
            // renewals of trust.
            max_staleness: Duration::SECOND,
            touch_interval: None,
        }
    }
}

impl Policy {
    pub(crate) fn limit(&self) -> Option<Limit> {
        let at_limit = self.on_limit;
        self.max_sessions.map(|max| Limit { max, at_limit })
    }

    /// How fresh a read must be, whatever its client has seen.
    pub(crate) fn freshness(&self, within: Duration) -> Freshness {
        let at_worst = match self.on_unavailable {
            OnUnavailable::NearCopy(at_worst) => at_worst,
            OnUnavailable::Refuse | OnUnavailable::Anonymous => Duration::ZERO,
        };
        Freshness {
            within,
            revision: 0,
            at_worst,
        }
    }

    /// The shortest idle window that it gives.
    pub(crate) fn shortest_window(&self) -> Duration {
        self.lifetime.idle.min(self.remembered.idle)
    }

    /// A twentieth of the idle window, so that it is kept to within 5 %, but not oftener than
    /// each minute for long windows.
    pub(crate) fn touch_interval(&self) -> Duration {
        let twentieth: Duration = self.shortest_window() / 20;
        self.touch_interval
            .unwrap_or_else(|| twentieth.min(Duration::MINUTE))
    }
}
