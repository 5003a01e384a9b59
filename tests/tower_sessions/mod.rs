//! Applications of tower-sessions, 0.14 and 0.15, and of axum-login on Cloakroom: under their own
//! layer, and under ours.

mod app;
mod guest;
mod layer;
mod login;
mod migration;
mod owed;
mod routes;
mod stock;
mod users;
