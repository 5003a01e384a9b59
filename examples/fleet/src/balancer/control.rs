//! What a person does to an instance.

use super::slot::{Seat, Slot, State, StoreHealth};
use crate::{
    instance::{FINISH_LIMIT, Instance},
    net,
};
use cloakroom::SessionStore;
use std::{fmt, io, sync::Arc};
use tokio::time::{Instant, timeout_at};

/// Why an instance can't start.
#[derive(Debug)]
pub(super) enum StartError {
    /// It got no port.
    Port(io::Error),
    /// The library refuses.
    Sessions(cloakroom::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(error) => write!(f, "no port for an instance: {error}"),
            Self::Sessions(error) => error.fmt(f),
        }
    }
}

impl Slot {
    /// Starts a new instance here, unless one runs. It gets the last one's port if that is free.
    ///
    /// # Errors
    ///
    /// What the library says, or that there is no port.
    pub(super) async fn start(&self, store: Arc<dyn SessionStore>) -> Result<(), StartError> {
        let mut held = self.instance.lock().await;
        if held.is_some() {
            return Ok(());
        }
        let port = self.seat().port;
        let listener = match net::listen(port).await {
            Err(_) if port != 0 => net::listen(0).await,
            tried => tried,
        };
        let listener = listener.map_err(StartError::Port)?;
        let started = Instance::start(self.identity.clone(), listener, store).await;
        let instance = started.map_err(StartError::Sessions)?;
        *self.seat() = Seat {
            state: State::Running,
            ready: true,
            port: instance.port(),
            store: StoreHealth::Up,
        };
        *held = Some(instance);
        Ok(())
    }

    /// Takes the instance out of rotation, lets its open requests finish, and stops it.
    pub(super) async fn stop(&self) {
        let mut held = self.instance.lock().await;
        let Some(instance) = held.take() else {
            return;
        };
        self.leave();
        instance.close_streams();
        let limit = Instant::now() + FINISH_LIMIT;
        // Whether or not they finish in time: the instance deals with what is left.
        let _ = timeout_at(limit, self.idle()).await;
        instance.stop(limit).await;
        self.seat().state = State::Stopped;
    }

    /// Makes the instance hang. False if none runs here.
    pub(super) async fn pause(&self) -> bool {
        self.with(State::Paused, Instance::pause).await
    }

    /// Makes it go on. False if none runs here.
    pub(super) async fn resume(&self) -> bool {
        self.with(State::Running, Instance::resume).await
    }

    async fn with(&self, state: State, act: impl FnOnce(&Instance)) -> bool {
        let held = self.instance.lock().await;
        let Some(instance) = held.as_ref() else {
            return false;
        };
        act(instance);
        self.seat().state = state;
        true
    }

    /// Ends the instance's event streams, unless someone is stopping it, which does so too.
    pub(super) fn close_streams(&self) {
        if let Ok(held) = self.instance.try_lock() {
            held.iter().for_each(Instance::close_streams);
        }
    }
}
