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
    /// Questions where the servers are.
    Directions,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Data, Self::Messages, Self::Directions];

    /// Those for commands begin by loading the scripts; who asks for directions asks nothing else.
    pub(crate) fn of(first: &[Command]) -> Self {
        let has = |name: &[u8]| first.iter().any(|command| *command.parts()[0] == *name);
        if has(b"SCRIPT") {
            Self::Data
        } else if has(b"SENTINEL") || has(b"CLUSTER") {
            Self::Directions
        } else {
            Self::Messages
        }
    }
}

/// Ends one subscription; `None` if its connection is gone.
type Unsubscribe = Box<dyn Fn() -> Option<BoxFuture<'static, ()>> + Send + Sync>;

/// What is done to a link.
pub(crate) type Blow = Arc<dyn Fn(&Link) + Send + Sync>;

/// Which of an instance's links are meant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meant {
    pub(crate) kinds: &'static [Kind],
    /// Those to the server on this port; all, if it is `None`.
    pub(crate) server: Option<u16>,
}

impl Meant {
    fn has(self, port: u16, kind: Kind) -> bool {
        self.kinds.contains(&kind) && self.server.is_none_or(|server| server == port)
    }
}

/// The links of one instance.
#[derive(Default)]
pub(crate) struct Network {
    links: Mutex<HashMap<(u16, Kind), Arc<Link>>>,
    /// Where an address leads that was moved.
    moved: Mutex<HashMap<u16, u16>>,
    /// What is being done to links, those that are made meanwhile too.
    weather: Mutex<Option<(Meant, Blow)>>,
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
        let link = link.or_insert_with(|| {
            let link = Link::to(port);
            let weather = self.weather.lock().unwrap();
            if let Some((meant, blow)) = &*weather
                && meant.has(port, kind)
            {
                blow(&link);
            }
            Arc::new(link)
        });
        link.port()
    }

    /// Leads new connections for one server to another one.
    pub(crate) fn redirect(&self, from: u16, to: u16) {
        self.moved.lock().unwrap().insert(from, to);
    }

    /// The links that carry these kinds.
    pub(crate) fn links(&self, kinds: &'static [Kind]) -> Vec<Arc<Link>> {
        let server = None;
        self.meant(Meant { kinds, server })
    }

    fn meant(&self, meant: Meant) -> Vec<Arc<Link>> {
        let links = self.links.lock().unwrap();
        let these = links
            .iter()
            .filter(|((port, kind), _)| meant.has(*port, *kind));
        these.map(|(_, link)| Arc::clone(link)).collect()
    }

    /// Does this to the links that are meant, and to those that are made until it ends.
    pub(crate) fn strike(&self, meant: Meant, blow: &Blow) {
        *self.weather.lock().unwrap() = Some((meant, Arc::clone(blow)));
        self.meant(meant).iter().for_each(|link| blow(link));
    }

    /// Ends it, with this last deed.
    pub(crate) fn calm(&self, meant: Meant, last: &dyn Fn(&Link)) {
        *self.weather.lock().unwrap() = None;
        for link in self.meant(meant) {
            last(&link);
            link.heal();
        }
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
