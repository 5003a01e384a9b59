//! The cache over real servers, processes and broken links.

mod again;
mod channel;
mod commands;
mod early;
mod fill;
mod fleet;
mod full;
mod history;
mod holder;
mod instance;
mod late;
mod moving;
mod outage;
mod pending;
mod races;
mod stampede;
mod topologies;
