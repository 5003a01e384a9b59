//! What the cases of this binary share.

pub(crate) mod app;
mod client;
mod cookies;
mod watched;
mod world;

pub(crate) use client::{Answer, Browser, call};
pub(crate) use cookies::SetCookie;
pub(crate) use watched::{Op, Watched};
pub(crate) use world::{Instance, World};

use std::time::Duration;

/// No wait takes longer, however busy the machine is.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Waits, but not for ever.
pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    let result = tokio::time::timeout(LIMIT, work).await;
    result.unwrap_or_else(|_| panic!("nothing happened for {LIMIT:?}"))
}

/// Does the same work so many times at once, on all threads; returns all results in order.
pub(crate) async fn at_once<T, F>(times: usize, work: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<_> = (0..times).map(|turn| tokio::spawn(work(turn))).collect();
    let mut results = Vec::new();
    for task in tasks {
        match within(task).await {
            Ok(result) => results.push(result),
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }
    results
}

/// Runs each case twice: on memory and on a real Redis.
macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {$(
        mod $case {
            use crate::web::support::World;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn memory() {
                super::$case(World::memory()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn redis() {
                super::$case(World::redis(module_path!()).await).await;
            }
        }
    )+};
}
pub(crate) use on_both;
