//! How Cloakroom works and how to run it.

#[cfg(feature = "cache")]
#[doc = include_str!("../manual/caching.md")]
pub mod caching {}

#[doc = include_str!("../manual/consistency.md")]
pub mod consistency {}

#[doc = include_str!("../manual/faults.md")]
pub mod faults {}

#[doc = include_str!("../manual/migration.md")]
pub mod migration {}

#[doc = include_str!("../manual/operations.md")]
pub mod operations {}

#[cfg(feature = "http-cache")]
#[doc = include_str!("../manual/response_cache.md")]
pub mod response_cache {}

#[doc = include_str!("../manual/sessions.md")]
pub mod sessions {}

#[cfg(feature = "jwt")]
#[doc = include_str!("../manual/tokens.md")]
pub mod tokens {}

#[doc = include_str!("../manual/tower_sessions.md")]
pub mod tower_sessions {}
