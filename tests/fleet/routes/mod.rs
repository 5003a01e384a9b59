//! Every route of the contract, walked through the balancer: status, shape, and what it does.

mod account;
mod devices;
mod events;
mod input;
mod page;
mod shop;
