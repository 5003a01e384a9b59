//! Requests that overlap, over three nodes, two hundred times each.

mod login;
mod logout;
mod writes;

use futures_util::{StreamExt, stream};

/// How often each race is run.
const ROUNDS: usize = 200;

/// Runs all rounds, a few at a time so that the nodes are busy with more than one.
async fn rounds<T>(at_once: usize, round: impl AsyncFn(usize) -> T) -> Vec<T> {
    stream::iter(0..ROUNDS)
        .map(|number| round(number))
        .buffer_unordered(at_once)
        .collect()
        .await
}
