//! What a connection reports, and its end.

use crate::convert;
use cloakroom_redis::{DriverError, Event, EventSink};
use fred::{error::Error, types::Message};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::{
    sync::{
        broadcast::{
            Receiver,
            error::{RecvError, TryRecvError},
        },
        watch,
    },
    task::JoinHandle,
};

/// The events of one connection, in order, and whether it has ended.
pub(crate) struct Link {
    state: Mutex<State>,
    ended: watch::Sender<bool>,
}

struct State {
    messages: Receiver<Message>,
    events: EventSink,
    open: bool,
    lagged: bool,
}

impl Link {
    pub(crate) fn new(messages: Receiver<Message>, events: EventSink) -> Self {
        Self {
            state: Mutex::new(State {
                messages,
                events,
                open: true,
                lagged: false,
            }),
            ended: watch::Sender::new(false),
        }
    }

    /// Delivers the messages that have come, then these events.
    ///
    /// # Errors
    ///
    /// [`DriverError`] if the connection ends because messages were lost.
    pub(crate) fn deliver_with(
        &self,
        events: impl IntoIterator<Item = Event>,
    ) -> Result<(), DriverError> {
        let mut state = self.state();
        state.deliver();
        if state.lagged {
            self.end();
            return Err(DriverError::lost(
                "messages came faster than they were read",
            ));
        }
        if state.open {
            events.into_iter().for_each(&*state.events);
        }
        Ok(())
    }

    /// Waits for an answer, but not beyond the connection's end: a command that is queued in that
    /// very moment gets none from fred, neither then nor ever.
    pub(crate) async fn or_end<T>(
        &self,
        answer: impl Future<Output = T>,
    ) -> Result<T, DriverError> {
        let mut ended = self.ended.subscribe();
        tokio::select! {
            biased;
            answer = answer => Ok(answer),
            _ = ended.wait_for(|ended| *ended) => Err(has_ended()),
        }
    }

    /// Ends the connection.
    pub(crate) fn end(&self) {
        self.ended.send_replace(true);
    }

    /// Delivers messages as they come, until fred's task ends or some are lost.
    pub(crate) async fn keep(
        self: Arc<Self>,
        mut router: Task<Result<(), Error>>,
        mut wake: Receiver<Message>,
    ) {
        loop {
            let received = tokio::select! {
                _ = router.end() => break,
                received = self.or_end(wake.recv()) => received,
            };
            // What was received is in the other receiver too, which is the one that counts.
            let closed = matches!(received, Err(_) | Ok(Err(RecvError::Closed)));
            if closed || self.deliver_with([]).is_err() {
                break;
            }
        }
        drop(router);
        let mut state = self.state();
        state.deliver();
        state.close();
        self.end();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn deliver(&mut self) {
        while self.open {
            match self.messages.try_recv() {
                Ok(message) => (self.events)(convert::message(message)),
                Err(TryRecvError::Lagged(_)) => {
                    self.lagged = true;
                    self.close();
                }
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
    }

    fn close(&mut self) {
        if std::mem::replace(&mut self.open, false) {
            (self.events)(Event::Closed);
        }
    }
}

fn has_ended() -> DriverError {
    DriverError::lost("the connection has ended")
}

/// A task that ends with its owner.
pub(crate) struct Task<T>(JoinHandle<T>);

impl<T> Task<T> {
    pub(crate) const fn new(handle: JoinHandle<T>) -> Self {
        Self(handle)
    }
}

impl Task<Result<(), Error>> {
    /// Waits for the end of fred's task, and says why it ended.
    pub(crate) async fn end(&mut self) -> DriverError {
        match (&mut self.0).await {
            Ok(Ok(())) => has_ended(),
            Ok(Err(cause)) => convert::error(&cause),
            Err(cause) => DriverError::lost(cause),
        }
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use fred::types::{MessageKind, config::Server};
    use tokio::sync::broadcast;

    fn message(payload: &str) -> Message {
        Message {
            channel: "news".into(),
            value: payload.into(),
            kind: MessageKind::Message,
            server: Server::new("127.0.0.1", 6379),
        }
    }

    fn link(messages: Receiver<Message>) -> (Arc<Link>, Arc<Mutex<Vec<Event>>>) {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&heard);
        let sink = Arc::new(move |event| sink.lock().unwrap().push(event));
        (Arc::new(Link::new(messages, sink)), heard)
    }

    #[tokio::test]
    async fn lost_messages_end_the_connection_once() {
        let (sender, messages) = broadcast::channel(2);
        let wake = sender.subscribe();
        let (link, heard) = link(messages);
        sender.send(message("one")).unwrap();
        link.deliver_with([]).unwrap();
        assert_eq!(heard.lock().unwrap().len(), 1);
        for _ in 0..3 {
            sender.send(message("more")).unwrap();
        }
        assert!(link.deliver_with([]).is_err());
        assert!(link.or_end(std::future::pending::<()>()).await.is_err());
        sender.send(message("after the end")).unwrap();
        let router = Task::new(tokio::spawn(std::future::pending()));
        Arc::clone(&link).keep(router, wake).await;
        assert!(link.deliver_with([]).is_err());
        assert_eq!(heard.lock().unwrap()[1..], [Event::Closed]);
    }

    #[tokio::test]
    async fn what_came_before_the_end_is_delivered_before_it() {
        let (sender, messages) = broadcast::channel(2);
        let wake = sender.subscribe();
        let (link, heard) = link(messages);
        sender.send(message("last")).unwrap();
        let router = Task::new(tokio::spawn(std::future::ready(Ok(()))));
        link.keep(router, wake).await;
        let heard = heard.lock().unwrap();
        let (channel, payload) = ("news".into(), "last".into());
        assert_eq!(*heard, [Event::Message { channel, payload }, Event::Closed]);
    }
}
