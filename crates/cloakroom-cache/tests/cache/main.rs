//! The cache on every store, against real servers: one binary.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod basics;
mod between;
mod cancelled;
mod coalesced;
mod envelopes;
mod failing;
mod http;
mod keys;
mod many;
mod overlap;
mod schemas;
mod servers;
mod stale;
mod stores;
mod support;
mod tagged;
mod times;
