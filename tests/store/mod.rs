//! The stores: the conformance suite against memory and against a real Redis, and what only Redis
//! has to promise.

mod access;
mod bound;
mod config;
mod conformance;
mod driver;
mod expiry;
mod fixtures;
mod heal;
mod in_step;
mod invalidations;
mod layout;
mod listener;
mod log;
mod login;
mod outage;
mod scripts;
mod support;
mod tls;
mod topology;
mod traffic;
mod unknown;
mod unwilling;
