//! No id, and no attribute's value, where it doesn't belong: in logs, in Redis, in `Debug`.

mod debug;
mod ids;
mod logs;
mod scenario;
mod stolen;

/// Stands in attributes, and nowhere else.
const VALUE: &str = "planted-value-of-an-attribute";
