//! Tokens: one binary.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod bound;
mod ground;
mod refresh;
mod revoked;
