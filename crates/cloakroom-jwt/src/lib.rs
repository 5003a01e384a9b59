//! Tokens.

pub mod refresh;
pub mod revoked;
