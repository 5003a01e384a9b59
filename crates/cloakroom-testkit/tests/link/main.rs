//! A link: between two sockets, and in front of a real server.

// What a helper of a test can't get, fails the test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod redis;
mod sockets;
