//! Tests of the suite: a store that keeps what it owes conforms, and each way of being wrong is
//! seen by the cases that are about it, and by no others.

mod flawed;
mod flaws;
mod found;
mod memory;
mod options;
mod store;
mod tidy;
