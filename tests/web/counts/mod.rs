//! What 1,000 requests of a kind cost, by the server's own count.

mod meter;
mod reads;
mod writes;

/// How many requests of a kind are counted.
const N: u64 = 1000;
