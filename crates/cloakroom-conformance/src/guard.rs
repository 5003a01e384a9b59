//! Operations that may hang or panic, made to answer all the same.

use std::any::Any;
use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::subject::{BoxFuture, Failure};

/// Why an operation has no result.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The store said so.
    Failed(Failure),
    /// It had not answered after this long.
    Hung(Duration),
    /// It panicked, with this message.
    Panicked(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(failure) => write!(f, "failed: {failure}"),
            Self::Hung(deadline) => write!(f, "had not answered after {deadline:?}"),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
        }
    }
}

/// Runs an operation until its deadline.
///
/// What blocks its thread for good can't be stopped from here: see `suite::take`, which stops
/// waiting.
pub(crate) async fn guarded<T>(
    deadline: Duration,
    operation: impl Future<Output = Result<T, Failure>> + Send,
) -> Result<T, Trouble> {
    let began = Instant::now();
    match timeout(deadline, Caught(Box::pin(operation))).await {
        // It kept its thread, and with it the timer, for so long.
        Ok(Ok(_)) if began.elapsed() > deadline => Err(Trouble::Hung(deadline)),
        Ok(Ok(answer)) => answer.map_err(Trouble::Failed),
        Ok(Err(payload)) => Err(Trouble::Panicked(message(payload.as_ref()))),
        Err(_) => Err(Trouble::Hung(deadline)),
    }
}

/// Runs an operation until it has had to wait so many times, and drops it there.
pub(crate) async fn dropped<T>(
    deadline: Duration,
    waits: usize,
    operation: impl Future<Output = Result<T, Failure>> + Send,
) -> Result<(), Trouble> {
    let mut operation = Box::pin(operation);
    let mut left = waits;
    let some_of_it = poll_fn(move |cx| {
        if operation.as_mut().poll(cx)?.is_ready() {
            return Poll::Ready(Ok(()));
        }
        left = left.saturating_sub(1);
        match left {
            0 => Poll::Ready(Ok(())),
            _ => Poll::Pending,
        }
    });
    guarded(deadline, some_of_it).await
}

/// What was said in a panic.
pub(crate) fn message(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        return (*text).to_owned();
    }
    let text = payload.downcast_ref::<String>();
    text.cloned().unwrap_or_else(|| "no message".to_owned())
}

/// A future whose panic is a value.
struct Caught<'a, T>(BoxFuture<'a, T>);

impl<T> Future for Caught<'_, T> {
    type Output = Result<T, Box<dyn Any + Send>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // After a panic the future is dropped and never polled again.
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(payload) => Poll::Ready(Err(payload)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn an_answer_passes() {
        let answer = guarded(LIMIT, async { Ok(1) }).await;
        assert_eq!(answer.unwrap(), 1);
    }

    #[tokio::test]
    async fn what_is_dropped_has_come_as_far_as_was_said() {
        for (waits, expected) in [(1, 1), (2, 2), (3, 3), (4, 3), (5, 3)] {
            let mut steps = 0;
            let operation = async {
                for _ in 0..3 {
                    steps += 1;
                    tokio::task::yield_now().await;
                }
                Ok(())
            };
            dropped(LIMIT, waits, operation).await.unwrap();
            assert_eq!(steps, expected, "{waits}");
        }
    }

    #[tokio::test]
    async fn what_has_no_answer_says_why() {
        let failed = guarded(LIMIT, async { Err::<(), _>(Failure::new("no")) }).await;
        assert_eq!(failed.unwrap_err().to_string(), "failed: no");
        let hung = guarded(LIMIT, std::future::pending::<Result<(), Failure>>()).await;
        let said = "had not answered after 50ms";
        assert_eq!(hung.unwrap_err().to_string(), said);
        let blocked = guarded(LIMIT, async {
            std::thread::sleep(LIMIT * 2);
            Ok(())
        });
        assert_eq!(blocked.await.unwrap_err().to_string(), said);
        let panicked = guarded::<()>(LIMIT, async { panic!("oh {}", 1) }).await;
        assert_eq!(panicked.unwrap_err().to_string(), "panicked: oh 1");
        let panicked = guarded::<()>(LIMIT, async { panic!("oh") }).await;
        assert_eq!(panicked.unwrap_err().to_string(), "panicked: oh");
    }
}
