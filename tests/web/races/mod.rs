//! Requests that overlap, each constellation two hundred times.

mod limit;
mod login;
mod logout;
mod revoke;
mod supersede;
mod writes;

use super::support::{Browser, Instance};

/// How often each race is run.
const ROUNDS: usize = 200;

/// Lets others go first, a different number of times in each round.
async fn stagger(turns: usize) {
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}

/// A browser that has an anonymous session.
async fn anonymous(instance: &Instance) -> Browser {
    let mut browser = Browser::new();
    let first = browser.put(&instance.app, "/attr/first", "first");
    first.await.is(200);
    browser
}
