//! Settings of the service.

use super::{Inner, OnUnavailable, Policy, Sessions, Toucher};
use crate::{
    Error, LONGEST_LIFE, Result,
    transport::{Cookie, Transport},
};
use cloakroom_core::{Clock, Entropy, ErrorKind, OnLimit, OsEntropy, SessionStore, SystemClock};
use cloakroom_near::{Limits, NearStore};
use std::sync::{Arc, OnceLock};
use time::Duration;

impl Sessions {
    /// Begins a service over a store, which may be shared as an `Arc<dyn SessionStore>`.
    pub fn builder(store: impl SessionStore) -> SessionsBuilder {
        SessionsBuilder {
            store: Arc::new(store),
            policy: Policy::default(),
            transport: Cookie::new().into(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(OsEntropy),
            limits: Limits::default(),
            short_ids: false,
        }
    }
}

/// Settings of [`Sessions`].
#[derive(Debug, Clone)]
#[must_use]
pub struct SessionsBuilder {
    store: Arc<dyn SessionStore>,
    policy: Policy,
    transport: Transport,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    limits: Limits,
    short_ids: bool,
}

impl SessionsBuilder {
    /// A session ends when it was not used for this long: 30 minutes by default.
    pub fn idle_timeout(mut self, idle: Duration) -> Self {
        self.policy.lifetime.idle = idle;
        self
    }

    /// A session ends this long after login however much it is used: 12 hours by default.
    pub fn absolute_timeout(mut self, absolute: Duration) -> Self {
        self.policy.lifetime.absolute = absolute;
        self
    }

    /// The same two for sessions whose user asked to be remembered: 14 and 30 days by default.
    /// They are kept in the session itself, so later writes, by any instance, leave them.
    pub fn remembered_for(mut self, idle: Duration, absolute: Duration) -> Self {
        self.policy.remembered.idle = idle;
        self.policy.remembered.absolute = absolute;
        self
    }

    /// How many sessions a user may have at once: without it, any number. At the limit, a login
    /// evicts the oldest unless [`on_limit`](Self::on_limit) says otherwise.
    pub fn max_sessions_per_user(mut self, max: u32) -> Self {
        self.policy.max_sessions = Some(max);
        self
    }

    /// What a login beyond the limit does. Has no effect without a limit.
    pub fn on_limit(mut self, at_limit: OnLimit) -> Self {
        self.policy.on_limit = at_limit;
        self
    }

    /// The most bytes that all attributes of a session may have, names and encoded values
    /// together: 64 KiB by default. Beyond it writes fail, and nothing is cut.
    pub fn max_size(mut self, bytes: usize) -> Self {
        self.policy.max_size = bytes;
        self
    }

    /// How ids travel: the default [`Cookie`], another, or a [`Header`](crate::Header).
    pub fn transport(mut self, transport: impl Into<Transport>) -> Self {
        self.transport = transport.into();
        self
    }

    /// Lets the cookie travel in plain text under the name `id`: for development on localhost and
    /// nothing else.
    pub fn insecure_development_cookie(self) -> Self {
        self.transport(Cookie::insecure_development())
    }

    /// Reads ids of tower-sessions' form too, 22 characters: where sessions that were made under its
    /// own layer shall live on under this one. New ids, and those after a login, are Cloakroom's.
    pub fn short_ids(mut self) -> Self {
        self.short_ids = true;
        self
    }

    /// What a request with an id sees while the store can't be reached: a 503 by default.
    pub fn on_unavailable(mut self, policy: OnUnavailable) -> Self {
        self.policy.on_unavailable = policy;
        self
    }

    /// What `Retry-After` says on that 503, in whole seconds: 1 by default.
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.policy.retry_after = after;
        self
    }

    /// How stale a read may be: 1 s by default. Reads come from near copies, which are gone within
    /// milliseconds of a write, a logout or a revocation anywhere, and are never used for longer
    /// than this after one, whatever happens to the network. Zero keeps no copies: each read asks
    /// the store.
    ///
    /// A client always reads its own writes; [`LazySession::load_now`](crate::LazySession::load_now)
    /// asks the store for one request, and [`Strict`](crate::Strict) for one route. A store in
    /// this process is asked in any case.
    pub fn max_staleness(mut self, within: Duration) -> Self {
        self.policy.max_staleness = within;
        self
    }

    /// How many near copies are kept, and how many bytes they may take: 16,384 and 64 MiB by
    /// default.
    pub fn near_copies(mut self, copies: usize, bytes: usize) -> Self {
        self.limits = Limits { copies, bytes };
        self
    }

    /// A session that is read is written at most once in this time, to slide its idle window: by
    /// default a twentieth of the idle timeout, at most a minute.
    pub fn touch_interval(mut self, interval: Duration) -> Self {
        self.policy.touch_interval = Some(interval);
        self
    }

    /// Another clock for when touches are due: for tests that move time by hand.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Another source of randomness for ids: for tests of what a broken one does. Anything but
    /// the operating system's generator makes sessions guessable.
    pub fn danger_entropy(mut self, entropy: impl Entropy) -> Self {
        self.entropy = Arc::new(entropy);
        self
    }

    /// Checks the settings and starts the task that writes touches.
    ///
    /// Must be called on a tokio runtime. Costs no round trip: the store was connected before.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`], with the setting that can't be and what it must be.
    ///
    /// # Cancel safety
    ///
    /// Safe: it has no effect until it has returned.
    #[expect(
        clippy::unused_async,
        reason = "it needs a runtime, and may ask the store one day"
    )]
    pub async fn build(self) -> Result<Sessions> {
        self.check()?;
        let near = self.near()?;
        let near_store = near
            .clone()
            .map(|near| Arc::new(near) as Arc<dyn SessionStore>);
        let toucher = Toucher::new(
            self.policy.touch_interval(),
            self.policy.shortest_window(),
            self.clock,
        );
        let inner = Arc::new(Inner {
            store: near_store.unwrap_or(self.store),
            near,
            policy: self.policy,
            transport: self.transport,
            short_ids: self.short_ids,
            toucher,
            watchers: OnceLock::new(),
            counters: Default::default(),
            entropy: self.entropy,
        });
        let sessions = Sessions(inner);
        Toucher::start(&sessions);
        Ok(sessions)
    }

    /// Near copies, if they are wished and of use.
    fn near(&self) -> Result<Option<NearStore>> {
        let within = self.policy.max_staleness;
        if within <= Duration::ZERO {
            return Ok(None);
        }
        let interval = self.store.channel().map(|channel| channel.interval());
        match interval {
            // In this process the store is as near as a copy would be.
            Some(interval) if interval.is_zero() => return Ok(None),
            Some(interval) if interval.saturating_mul(2) > within => {
                return Err(Error::new(
                    ErrorKind::Config,
                    "the staleness allowed must be at least twice the store's renewal interval; \
                     raise max_staleness, or lower the store's renewal_interval",
                ));
            }
            _ => {}
        }
        // On the machine's clock, which the store's channel measures by too.
        Ok(Some(NearStore::new(Arc::clone(&self.store), self.limits)))
    }

    fn check(&self) -> Result<()> {
        let Policy {
            lifetime,
            remembered,
            max_sessions,
            max_size,
            ..
        } = &self.policy;
        let bad = |what| Err(Error::new(ErrorKind::Config, what));
        self.transport.check()?;
        if [lifetime, remembered]
            .iter()
            .any(|l| l.idle < Duration::MILLISECOND)
        {
            return bad("the idle timeout must be at least 1 ms");
        }
        if lifetime.absolute < lifetime.idle || remembered.absolute < remembered.idle {
            return bad("the absolute timeout must not be shorter than the idle timeout");
        }
        if [lifetime, remembered]
            .iter()
            .any(|l| l.absolute > LONGEST_LIFE)
        {
            return bad("the absolute timeout must be at most 100 years");
        }
        if *max_sessions == Some(0) {
            return bad("a user must be allowed at least one session");
        }
        if *max_size == 0 {
            return bad("the cap on a session's size must be at least 1 byte");
        }
        let interval = self.policy.touch_interval();
        if interval.is_negative() || interval > lifetime.idle.min(remembered.idle) / 2 {
            return bad(
                "the touch interval must be between 0 and half of the shorter idle timeout",
            );
        }
        Ok(())
    }
}
