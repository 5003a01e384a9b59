//! Operations that run beside each other.

use tokio::task::{JoinHandle, JoinSet};

use crate::guard::message;
use crate::verdict::{Stop, broken};

/// Runs all on the runtime's threads. Answers in the order in which they end.
pub(crate) async fn all<T: Send + 'static>(
    futures: impl IntoIterator<Item = impl Future<Output = Result<T, Stop>> + Send + 'static>,
) -> Result<Vec<T>, Stop> {
    let mut tasks = JoinSet::new();
    for future in futures {
        tasks.spawn(future);
    }
    let mut answers = Vec::with_capacity(tasks.len());
    while let Some(ended) = tasks.join_next().await {
        answers.push(ended.unwrap_or_else(|error| Err(panicked(error)))?);
    }
    Ok(answers)
}

/// Runs two on the runtime's threads. `round` alternates which is started first.
pub(crate) async fn both(
    round: usize,
    a: impl Future<Output = Result<(), Stop>> + Send + 'static,
    b: impl Future<Output = Result<(), Stop>> + Send + 'static,
) -> Result<(), Stop> {
    let (a, b) = if round.is_multiple_of(2) {
        let a = tokio::spawn(a);
        (a, tokio::spawn(b))
    } else {
        let b = tokio::spawn(b);
        (tokio::spawn(a), b)
    };
    // Both have ended before either is judged.
    let (a, b) = (ended(a).await, ended(b).await);
    a.and(b)
}

async fn ended(task: JoinHandle<Result<(), Stop>>) -> Result<(), Stop> {
    task.await.unwrap_or_else(|error| Err(panicked(error)))
}

/// What a task that has no result said.
pub(crate) fn panicked(error: tokio::task::JoinError) -> Stop {
    match error.try_into_panic() {
        Ok(payload) => broken(format!("panicked: {}", message(payload.as_ref()))),
        Err(error) => broken(error),
    }
}
