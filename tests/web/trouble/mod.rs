//! Handlers that fail, clients that go away, stores that don't answer.

mod background;
mod dropped;
mod failing;
mod outage;
mod size;
mod unavailable;
