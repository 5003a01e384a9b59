//! What a link does to the bytes that pass, as the test last set it.

use std::time::Duration;

use super::pushes::PushRule;

/// A direction of a [`Link`](super::Link), or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the clients to the server: commands.
    ToServer,
    /// From the server to the clients: replies and pushes.
    ToClient,
    /// Both.
    Both,
}

impl Direction {
    pub(super) fn ways(self) -> &'static [Way] {
        match self {
            Self::ToServer => &[Way::ToServer],
            Self::ToClient => &[Way::ToClient],
            Self::Both => &[Way::ToServer, Way::ToClient],
        }
    }
}

/// One of the two directions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Way {
    ToServer,
    ToClient,
}

impl Way {
    pub(super) fn back(self) -> Self {
        match self {
            Self::ToServer => Self::ToClient,
            Self::ToClient => Self::ToServer,
        }
    }
}

/// Whether bytes get through.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Gate {
    #[default]
    Open,
    /// They wait.
    Stalled,
    /// They vanish.
    Swallowing,
}

/// What happens in one direction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rule {
    pub(super) gate: Gate,
    pub(super) delay: Duration,
    /// Bytes per second, if there is a limit; never zero.
    pub(super) rate: Option<u64>,
    /// How often the direction was half-closed: whoever sees it grow is.
    pub(super) half_closes: u64,
}

/// What happens to a whole link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    /// Whether it is there at all.
    pub(super) up: bool,
    /// Whether its owner is gone.
    pub(super) ended: bool,
    pub(super) pushes: PushRule,
    to_server: Rule,
    to_client: Rule,
}

impl Settings {
    pub(super) fn healthy() -> Self {
        Self {
            up: true,
            ended: false,
            pushes: PushRule::default(),
            to_server: Rule::default(),
            to_client: Rule::default(),
        }
    }

    /// Takes every fault away. What is counted stays counted.
    pub(super) fn heal(&mut self) {
        self.up = true;
        self.pushes.hold = false;
        for way in Direction::Both.ways() {
            let rule = self.rule_mut(*way);
            *rule = Rule {
                half_closes: rule.half_closes,
                ..Rule::default()
            };
        }
    }

    pub(super) fn rule(&self, way: Way) -> &Rule {
        match way {
            Way::ToServer => &self.to_server,
            Way::ToClient => &self.to_client,
        }
    }

    pub(super) fn rule_mut(&mut self, way: Way) -> &mut Rule {
        match way {
            Way::ToServer => &mut self.to_server,
            Way::ToClient => &mut self.to_client,
        }
    }
}
