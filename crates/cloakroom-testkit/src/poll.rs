//! Polling with a limit.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long a poll sleeps between two looks.
pub(crate) const STEP: Duration = Duration::from_millis(5);

/// Polls `check` until it answers `true`, for at most `limit`; says whether it ever did.
///
/// A check that is still running when the limit is reached is dropped. At least one check is made.
///
/// # Cancel safety
///
/// Dropping the future drops the check under way; nothing else is kept.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use std::time::Duration;
///
/// let task = tokio::spawn(async { 7 });
/// let done = cloakroom_testkit::eventually(Duration::from_secs(5), || async { task.is_finished() });
/// assert!(done.await, "the task needs less than five seconds");
/// # }
/// ```
#[must_use = "assert it: a poll that reached its limit only says so"]
pub async fn eventually<F, Fut>(limit: Duration, mut check: F) -> bool
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, check()).await {
            Ok(true) => return true,
            Ok(false) if Instant::now() < deadline => tokio::time::sleep(STEP).await,
            Ok(false) | Err(_) => return false,
        }
    }
}

/// Polls until there is something, like [`eventually`].
pub(crate) async fn until_some<T, F, Fut>(limit: Duration, mut look: F) -> Option<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let found = Mutex::new(None);
    let _ = eventually(limit, || {
        let look = look();
        async {
            let seen = look.await;
            let done = seen.is_some();
            *found.lock().unwrap() = seen;
            done
        }
    })
    .await;
    found.into_inner().unwrap()
}

/// Polls a check that needs no waiting itself, like [`eventually`].
pub(crate) async fn until(limit: Duration, mut check: impl FnMut() -> bool) -> bool {
    eventually(limit, || std::future::ready(check())).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_check_that_holds_is_seen_even_without_time() {
        assert!(eventually(Duration::ZERO, || async { true }).await);
    }

    #[tokio::test]
    async fn a_check_that_never_holds_ends_at_the_limit() {
        let start = Instant::now();
        assert!(!eventually(Duration::from_millis(30), || async { false }).await);
        assert!(start.elapsed() >= Duration::from_millis(30));
    }

    #[tokio::test]
    async fn a_check_that_hangs_ends_at_the_limit() {
        assert!(!eventually(Duration::from_millis(30), std::future::pending).await);
    }
}
