//! How long values are good, and what happens when they aren't.

use crate::{Error, ErrorKind, Result};
use time::Duration;

/// What a read does when the store can't be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnUnavailable {
    /// Loads directly: once in each process, for all who wait there. The value serves this process
    /// for as long as the bound on staleness allows. The default: applications go on without their
    /// cache, if their database bears it.
    Load,
    /// Serves a near copy that was true no longer than this ago; loads directly if there is none.
    Stale(Duration),
    /// Fails at once. For what the database could not bear.
    Fail,
}

/// What becomes of a load when all who wait for it have gone away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnAbandoned {
    /// It is finished, and its value kept. The default: the next caller will want it.
    Finish,
    /// The loader is dropped, and the lease given back.
    Abort,
}

/// A cache's times and choices.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) fresh_for: Duration,
    pub(crate) absent_for: Duration,
    pub(crate) while_loading: Duration,
    pub(crate) on_error: Duration,
    pub(crate) soft_timeout: Option<Duration>,
    pub(crate) load_timeout: Duration,
    pub(crate) lease: Duration,
    pub(crate) jitter: f64,
    pub(crate) early: f64,
    pub(crate) back_off: Duration,
    pub(crate) stale_back_off: Duration,
    pub(crate) max_staleness: Duration,
    pub(crate) max_size: usize,
    pub(crate) on_unavailable: OnUnavailable,
    pub(crate) on_abandoned: OnAbandoned,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            fresh_for: Duration::minutes(1),
            absent_for: Duration::seconds(10),
            while_loading: Duration::ZERO,
            on_error: Duration::ZERO,
            soft_timeout: None,
            load_timeout: Duration::seconds(30),
            lease: Duration::seconds(3),
            jitter: 0.1,
            early: 1.0,
            back_off: Duration::ZERO,
            stale_back_off: Duration::SECOND,
            max_staleness: Duration::SECOND,
            max_size: 1024 * 1024,
            on_unavailable: OnUnavailable::Load,
            on_abandoned: OnAbandoned::Finish,
        }
    }
}

impl Policy {
    pub(crate) fn check(&self) -> Result<()> {
        let positive = [
            ("fresh time", self.fresh_for),
            ("load timeout", self.load_timeout),
            ("load lease", self.lease),
            ("greatest staleness", self.max_staleness),
        ];
        if let Some((what, time)) = positive.iter().find(|(_, time)| *time <= Duration::ZERO) {
            return Err(wrong(format!(
                "the {what} must be longer than 0 s, not {time}"
            )));
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            let jitter = self.jitter;
            return Err(wrong(format!(
                "the jitter must be between 0 and 1, not {jitter}"
            )));
        }
        if !(0.0..=1000.0).contains(&self.early) {
            let early = self.early;
            return Err(wrong(format!(
                "the factor of early loads must be between 0 and 1000, not {early}"
            )));
        }
        Ok(())
    }
}

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}

/// A fresh time cut short by chance, so that what was loaded together doesn't expire together: by up
/// to `jitter` of it. Never longer than it was, and no shorter than a millisecond.
pub(crate) fn jittered(fresh: Duration, jitter: f64, uniform: f64) -> Duration {
    // What can't be reckoned with is cut by nothing: a time of ages, which rounds to more than there is.
    let cut = Duration::checked_seconds_f64(fresh.as_seconds_f64() * (1.0 - jitter * uniform));
    cut.unwrap_or(fresh)
        .clamp(fresh.min(Duration::MILLISECOND), fresh)
}

/// Whether to load a value anew that is fresh for `left` more, and took `took` to load: the rule of
/// XFetch. Each read decides by chance, ever more likely towards the end, so that nearly always one
/// load comes before it, and seldom two.
pub(crate) fn is_early(left: Duration, took: Duration, factor: f64, uniform: f64) -> bool {
    took * factor * -uniform.max(f64::MIN_POSITIVE).ln() >= left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_only_shortens() {
        let minute = Duration::MINUTE;
        assert_eq!(jittered(minute, 0.1, 0.0), minute);
        assert_eq!(jittered(minute, 0.1, 1.0), Duration::seconds(54));
        assert_eq!(jittered(minute, 0.0, 1.0), minute);
        assert_eq!(jittered(minute, 1.0, 1.0), Duration::MILLISECOND);
        assert_eq!(jittered(Duration::ZERO, 1.0, 1.0), Duration::ZERO);
        assert_eq!(jittered(Duration::MAX, 0.1, 0.0), Duration::MAX);
        assert_eq!(jittered(Duration::MAX, 0.0, 0.5), Duration::MAX);
        assert!(jittered(Duration::MAX, 0.5, 1.0) < Duration::MAX);
    }

    #[test]
    fn early_is_by_the_formula() {
        let took = Duration::milliseconds(100);
        // -ln(0.5) is 0.693.
        for (left, factor, uniform, early) in [
            (69, 1.0, 0.5, true),
            (70, 1.0, 0.5, false),
            (138, 2.0, 0.5, true),
            (139, 2.0, 0.5, false),
            (1, 0.0, 0.5, false),
            (1, 1.0, 1.0, false),
            (1_000_000, 1.0, 0.0, false),
            (70_000, 1.0, 0.0, true),
        ] {
            let left = Duration::milliseconds(left);
            assert_eq!(
                is_early(left, took, factor, uniform),
                early,
                "{left} {factor} {uniform}"
            );
        }
    }

    /// A key that is read a thousand times a second, for a minute, and takes 100 ms to load: in nearly
    /// all of many periods exactly one read decides to load before the end. The load itself takes the
    /// others' turns away.
    #[test]
    fn one_early_load_a_period() {
        let (fresh, took) = (Duration::MINUTE, Duration::milliseconds(100));
        let mut random = fastrand::Rng::with_seed(7);
        let periods = 200;
        let (mut none, mut earliest) = (0, Duration::ZERO);
        for _ in 0..periods {
            let early = (0..60_000).find(|read| {
                let left = fresh - Duration::milliseconds(*read);
                is_early(left, took, 1.0, random.f64())
            });
            match early {
                Some(read) => earliest = earliest.max(fresh - Duration::milliseconds(read)),
                None => none += 1,
            }
        }
        assert_eq!(none, 0);
        assert!(earliest < Duration::seconds(3), "{earliest}");
    }
}
