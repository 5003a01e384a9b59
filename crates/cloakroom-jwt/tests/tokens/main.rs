//! Access tokens, from outside: made by hand, by chance and by others.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod forge;
mod fuzz;
mod http;
mod interop;
mod issuing;
mod keys;
mod rotation;
mod table;
