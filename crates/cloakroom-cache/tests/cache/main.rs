//! The cache on every store, against real servers: one binary.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod basics;
mod http;
mod support;
