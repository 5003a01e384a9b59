//! The shop's two versions.

use clap::ValueEnum;
use serde::Serialize;
use std::fmt;

/// A version of the shop. The two run side by side and share their sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Version {
    /// The version in use, called blue.
    V1,
    /// The next one, called green.
    V2,
}

impl Version {
    /// As routes and options spell it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        }
    }

    /// What blue/green deployments call it.
    pub(crate) fn colour(self) -> &'static str {
        match self {
            Self::V1 => "blue",
            Self::V2 => "green",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
