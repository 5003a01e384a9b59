//! One instance's network: a link to each server for each kind of connection.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use cloakroom_core::BoxFuture;
use cloakroom_redis::Command;
use cloakroom_testkit::Link;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Commands.
    Data,
    /// Subscriptions, and their renewals.
    Messages,
}

impl Kind {
    /// Those for commands begin by loading the scripts.
    pub(crate) fn of(first: &[Command]) -> Self {
        let loads = |command: &Command| command.parts()[0].as_ref() == b"SCRIPT";
        if first.iter().any(loads) {
            Self::Data
        } else {
            Self::Messages
        }
    }
}

/// Ends one subscription; `None` if its connection is gone.
type Unsubscribe = Box<dyn Fn() -> Option<BoxFuture<'static, ()>> + Send + Sync>;

/// The links of one instance.
#[derive(Default)]
pub(crate) struct Network {
    links: Mutex<HashMap<(u16, Kind), Arc<Link>>>,
    /// Where an address leads that was moved.
    moved: Mutex<HashMap<u16, u16>>,
    subscriptions: Mutex<Vec<Unsubscribe>>,
}

impl Network {
    /// The port that leads to a server's, for a connection of this kind.
    pub(crate) fn door(&self, port: u16, kind: Kind) -> u16 {
        let port = self
            .moved
            .lock()
            .unwrap()
            .get(&port)
            .copied()
            .unwrap_or(port);
        let mut links = self.links.lock().unwrap();
        let link = links.entry((port, kind));
        link.or_insert_with(|| Arc::new(Link::to(port))).port()
    }

    /// Leads new connections for one server to another one.
    pub(crate) fn redirect(&self, from: u16, to: u16) {
        self.moved.lock().unwrap().insert(from, to);
    }

    /// The links that carry these kinds.
    pub(crate) fn links(&self, kinds: &[Kind]) -> Vec<Arc<Link>> {
        let links = self.links.lock().unwrap();
        let of_kind = links.iter().filter(|((_, kind), _)| kinds.contains(kind));
        of_kind.map(|(_, link)| Arc::clone(link)).collect()
    }

    pub(super) fn subscribed(&self, unsubscribe: Unsubscribe) {
        self.subscriptions.lock().unwrap().push(unsubscribe);
    }

    /// Ends every subscription without a word; connections stay.
    pub(crate) async fn unsubscribe(&self) {
        let all = std::mem::take(&mut *self.subscriptions.lock().unwrap());
        for ending in all.iter().filter_map(|unsubscribe| unsubscribe()) {
            ending.await;
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").finish_non_exhaustive()
    }
}
