//! The way of a request: the layer in front of an application in this process, on memory and on a
//! real Redis, several instances over one store.

mod account;
mod bare;
mod caches;
mod config;
mod copies;
mod counts;
mod header_transport;
mod headers;
mod hostile;
mod plan;
mod races;
mod secrets;
pub(crate) mod support;
mod time;
mod trouble;
mod update;
mod versions;
