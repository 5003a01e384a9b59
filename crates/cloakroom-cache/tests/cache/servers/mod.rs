//! The cache over real servers, processes and broken links.

mod channel;
mod commands;
mod fill;
mod fleet;
mod full;
mod history;
mod holder;
mod instance;
mod late;
mod races;
mod stampede;
