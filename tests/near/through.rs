//! Any driver, led through a network of links that can be made bad.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use bytes::Bytes;
use cloakroom_core::BoxFuture;
use cloakroom_redis::{
    Command, Connection, Driver, DriverError, Endpoint, Event, EventSink, Reply,
};
use tokio::sync::OnceCell;

use super::network::{Kind, Network};

/// A driver whose connections go through links, which it tells apart by what they carry.
#[derive(Debug, Clone)]
pub(crate) struct Through<D> {
    pub(crate) driver: D,
    pub(crate) network: Arc<Network>,
}

impl<D: Driver + Copy> Driver for Through<D> {
    fn connect<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        events: EventSink,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, DriverError>> {
        let later = Later(Arc::new(Shared {
            through: self.clone(),
            endpoint: endpoint.clone(),
            events,
            muted: AtomicBool::new(false),
            connection: OnceCell::new(),
        }));
        Box::pin(async { Ok(Box::new(later) as Box<dyn Connection>) })
    }
}

/// A connection that is made when it is first used: only then it is seen what for.
struct Later<D>(Arc<Shared<D>>);

struct Shared<D> {
    through: Through<D>,
    endpoint: Endpoint,
    events: EventSink,
    /// Whether the server's word that a subscription has ended is kept from the listener.
    muted: AtomicBool,
    connection: OnceCell<Box<dyn Connection>>,
}

impl<D: Driver + Copy> Later<D> {
    async fn connection(&self, first: &[Command]) -> Result<&dyn Connection, DriverError> {
        let connect = || async {
            let Shared {
                through, endpoint, ..
            } = &*self.0;
            let port = through.network.door(endpoint.port, Kind::of(first));
            let host = "127.0.0.1".to_owned();
            let endpoint = Endpoint {
                host,
                port,
                ..endpoint.clone()
            };
            let connection = through.driver.connect(&endpoint, self.sink()).await?;
            Ok::<_, DriverError>(connection)
        };
        let connection = self.0.connection.get_or_try_init(connect).await?;
        Ok(&**connection)
    }

    fn sink(&self) -> EventSink {
        let shared = Arc::downgrade(&self.0);
        let events = Arc::clone(&self.0.events);
        Arc::new(move |event| {
            let ended = matches!(event, Event::Unsubscribed { .. });
            let muted = || shared.upgrade().is_some_and(|s| s.muted.load(SeqCst));
            if !(ended && muted()) {
                events(event);
            }
        })
    }
}

impl<D: Driver + Copy> Connection for Later<D> {
    fn call(&self, command: Command) -> BoxFuture<'_, Result<Reply, DriverError>> {
        Box::pin(async move {
            let connection = self.connection(std::slice::from_ref(&command)).await?;
            if let [name, channel] = command.parts()
                && name.ends_with(b"SUBSCRIBE")
            {
                let subscribed = Arc::downgrade(&self.0);
                let (name, channel) = (name.clone(), channel.clone());
                self.0.through.network.subscribed(Box::new(move || {
                    let shared = subscribed.upgrade()?;
                    let (name, channel) = (name.clone(), channel.clone());
                    Some(Box::pin(
                        async move { shared.unsubscribe(&name, channel).await },
                    ))
                }));
            }
            connection.call(command).await
        })
    }

    fn pipeline(&self, commands: Vec<Command>) -> BoxFuture<'_, Result<Vec<Reply>, DriverError>> {
        Box::pin(async move {
            let connection = self.connection(&commands).await?;
            connection.pipeline(commands).await
        })
    }
}

impl<D> Shared<D> {
    /// Ends a subscription without a word to the listener, as a server may.
    async fn unsubscribe(&self, subscribe: &Bytes, channel: Bytes) {
        self.muted.store(true, SeqCst);
        let sharded = subscribe.starts_with(b"SS");
        let name = if sharded {
            "SUNSUBSCRIBE"
        } else {
            "UNSUBSCRIBE"
        };
        if let Some(connection) = self.connection.get() {
            // One that has ended has no subscriptions either.
            let _ = connection.call(Command::new(name).arg(channel)).await;
        }
    }
}

impl<D> fmt::Debug for Later<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Later")
    }
}
