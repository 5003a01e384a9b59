//! What the tests share: programs to start, browsers to ask them with, and what they read.

mod answer;
mod browser;
mod events;
mod metrics;
mod nodes;
mod programs;
mod rotation;

pub(crate) use answer::{Answer, check_members};
pub(crate) use browser::{Browser, fetch, try_fetch};
pub(crate) use events::Events;
pub(crate) use metrics::samples;
pub(crate) use nodes::{MAX_STALENESS, Nodes};
pub(crate) use programs::{Fleet, Node, NodeSpec, PROGRAM, program};
pub(crate) use rotation::Rotation;

use std::time::Duration;

/// How long anything may take that needs no more than a busy machine's goodwill.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);
