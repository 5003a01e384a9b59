//! Cloakroom end to end, in one binary.
//!
//! | room | what it shows |
//! |---|---|
//! | [`store`] | the stores: the conformance suite on memory and on a real Redis |
//! | [`web`] | the way of a request: the layer in front of an application in this process |
//! | [`near`] | copies that stay within their bound, whatever breaks |
//! | [`tower_sessions`] | applications of tower-sessions and axum-login on Cloakroom |
//! | [`shared`] | the server that cases share |
//! | [`fleet`] | the demo as its users meet it: processes and HTTP |

// The tests' own helpers report what went wrong by failing the test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod fleet;
mod near;
mod shared;
mod store;
mod tower_sessions;
mod web;
