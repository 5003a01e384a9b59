//! Futures that run beside each other.

use std::time::Duration;

use cloakroom_core::BoxFuture;

/// How long a case may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs all on the runtime's threads; answers in their order.
pub(super) async fn all<T: Send + 'static>(
    futures: impl IntoIterator<Item: Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let tasks: Vec<_> = futures.into_iter().map(tokio::spawn).collect();
    let mut results = Vec::with_capacity(tasks.len());
    for task in tasks {
        results.push(task.await.expect("a task doesn't panic"));
    }
    results
}

/// Runs two on the runtime's threads. `round` alternates which is started first.
pub(super) async fn both<A: Send + 'static, B: Send + 'static>(
    round: usize,
    a: impl Future<Output = A> + Send + 'static,
    b: impl Future<Output = B> + Send + 'static,
) -> (A, B) {
    let (a, b) = if round.is_multiple_of(2) {
        let a = tokio::spawn(a);
        (a, tokio::spawn(b))
    } else {
        let b = tokio::spawn(b);
        (tokio::spawn(a), b)
    };
    let a = a.await.expect("a task doesn't panic");
    (a, b.await.expect("a task doesn't panic"))
}

pub(super) fn boxed<'a>(case: impl Future<Output = ()> + Send + 'a) -> BoxFuture<'a, ()> {
    Box::pin(case)
}

/// A case that hangs fails with its name.
pub(super) async fn in_time(case: &str, run: BoxFuture<'_, ()>) {
    let done = tokio::time::timeout(LIMIT, run).await;
    assert!(done.is_ok(), "{case} did not end within {LIMIT:?}");
}
