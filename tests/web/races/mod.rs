//! Requests that overlap, each constellation two hundred times.

mod limit;
mod login;
mod logout;
mod revoke;
mod supersede;
mod writes;

/// How often each race is run.
const ROUNDS: usize = 200;

/// Lets others go first, a different number of times in each round.
async fn stagger(turns: usize) {
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}
