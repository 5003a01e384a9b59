//! Access tokens, from outside: made by hand, by chance and by others.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod bound;
mod forge;
mod fuzz;
mod ground;
mod http;
mod interop;
mod issuing;
mod keys;
mod peers;
mod refresh;
mod revoked;
mod rotation;
mod service;
mod table;
