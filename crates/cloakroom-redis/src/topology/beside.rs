//! A connection beside the one for commands, to the same server.

use crate::{
    Connection,
    node::{Met, Node},
};
use std::sync::Arc;

/// A connection for subscriptions.
///
/// What it proves holds for what commands have read only if they went to the same server. Behind one
/// address there may be another one after a failover, and a connection that stands doesn't notice.
#[derive(Debug)]
pub(crate) struct Beside {
    pub(crate) connection: Box<dyn Connection>,
    run: String,
    commands: Arc<Node>,
    /// Which server commands went to before it was opened.
    met: Met,
}

impl Beside {
    pub(super) fn new(
        connection: Box<dyn Connection>,
        run: String,
        commands: Arc<Node>,
        met: Met,
    ) -> Self {
        Self {
            connection,
            run,
            commands,
            met,
        }
    }

    /// Whether all commands have gone to this server, from before it was opened until now.
    pub(crate) fn is_of_one_server(&self) -> bool {
        let met = self.commands.met();
        met == self.met && met.run.as_ref() == Some(&self.run)
    }

    /// Has commands go by a new connection: this one is younger than theirs, and leads elsewhere.
    pub(crate) fn renew_commands(&self) {
        self.commands.distrust();
    }
}
