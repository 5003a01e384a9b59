//! Who may know whom. A new crate of the workspace gets its line here.

/// Which crates of the workspace a crate may depend on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Allowed {
    /// These alone.
    Only(&'static [&'static str]),
    /// Every library but these.
    AllBut(&'static [&'static str]),
    /// Any: programs and tests, on which nothing depends.
    Free,
}

use Allowed::{AllBut, Free, Only};

const CORE: &str = "cloakroom-core";
const NEAR: &str = "cloakroom-near";
const REDIS: &str = "cloakroom-redis";
const TOWER: &str = "cloakroom-tower";

/// The arrows. They point down: core knows no one, only the facade sees all.
const ARROWS: [(&str, Allowed); 19] = [
    (
        "cloakroom",
        AllBut(&["cloakroom-testkit", "cloakroom-conformance"]),
    ),
    (CORE, Only(&[])),
    (REDIS, Only(&[CORE])),
    ("cloakroom-driver-redis", Only(&[CORE, REDIS])),
    ("cloakroom-driver-fred", Only(&[CORE, REDIS])),
    (NEAR, Only(&[CORE])),
    (TOWER, Only(&[CORE, NEAR])),
    ("cloakroom-cache", Only(&[CORE, NEAR])),
    ("cloakroom-events", Only(&[CORE])),
    ("cloakroom-jwt", Only(&[CORE, NEAR])),
    ("cloakroom-tower-sessions", Only(&[CORE, NEAR, TOWER])),
    ("cloakroom-testkit", Only(&[CORE])),
    ("cloakroom-conformance", Only(&[])),
    ("cloakroom-bench", Free),
    ("cloakroom-e2e", Free),
    ("cache-aside", Free),
    ("fleet", Free),
    ("jwt-shop", Free),
    ("xtask", Free),
];

/// What `package` may depend on; `None` if the table doesn't know it.
pub(super) fn allowed(package: &str) -> Option<Allowed> {
    ARROWS
        .iter()
        .find(|(name, _)| *name == package)
        .map(|(_, allowed)| *allowed)
}

/// Crates from elsewhere that core must not depend on, nor on any whose name continues one of
/// these after a dash: it has no runtime, no HTTP, no client and no log output.
pub(super) const NOT_IN_CORE: [&str; 8] = [
    "tokio",
    "http",
    "hyper",
    "axum",
    "tower",
    "redis",
    "fred",
    "tracing-subscriber",
];

/// The client libraries, and the only libraries of ours that may depend on each.
pub(super) const CLIENTS: [(&str, &[&str]); 2] = [
    ("redis", &["cloakroom-driver-redis", "cloakroom-testkit"]),
    ("fred", &["cloakroom-driver-fred"]),
];

/// The crates whose paths must not appear in the source of `package`.
pub(super) fn foreign_paths(package: &str) -> &'static [&'static str] {
    match package {
        "cloakroom-driver-redis" | "cloakroom-driver-fred" | "cloakroom-testkit" => &[],
        _ => &["redis", "fred"],
    }
}
