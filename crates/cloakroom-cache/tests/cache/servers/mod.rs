//! The cache over real servers, processes and broken links.

mod commands;
mod fill;
mod fleet;
mod history;
mod holder;
mod instance;
mod late;
mod races;
mod stampede;
