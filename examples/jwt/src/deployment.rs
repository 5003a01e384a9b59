//! All instances: half of them blue, half green.

use crate::{Client, Failure, Instance, open, request, sessions, tokens};
use cloakroom::{
    Store,
    jwt::{KeyRing, SigningKey},
};
use std::sync::Arc;

/// The shop twice, several instances each, blue and green in turn.
#[derive(Debug)]
pub struct Deployment {
    /// With sessions.
    pub sessions: Vec<Instance>,
    /// With tokens.
    pub tokens: Vec<Instance>,
    /// The keys of blue and of green.
    pub rings: [KeyRing; 2],
}

/// Their names.
const COLOURS: [&str; 2] = ["blue", "green"];

impl Deployment {
    /// Starts so many instances of each, at least two, from this port on, or on free ones for 0.
    ///
    /// # Errors
    ///
    /// If the store can't be used, or a port can't be had.
    pub async fn start(url: &str, each: u16, port: u16) -> Result<Self, Failure> {
        let keys = [SigningKey::generate()?, SigningKey::generate()?];
        Self::start_with(keys.map(KeyRing::new), url, each, port).await
    }

    /// The same with these keys, of blue and of green.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn start_with(
        rings: [KeyRing; 2],
        url: &str,
        each: u16,
        port: u16,
    ) -> Result<Self, Failure> {
        let shared = if url == "memory:" {
            Some(open(url).await?)
        } else {
            None
        };
        let mut this = Self {
            sessions: Vec::new(),
            tokens: Vec::new(),
            rings,
        };
        let place = |n: u16| if port == 0 { 0 } else { port + n };
        for n in 0..each {
            let name = format!("{}-{}", COLOURS[usize::from(n) % 2], n / 2);
            let own = store(shared.as_ref(), url).await?;
            let app = sessions::router(&sessions::sessions(own).await?);
            this.sessions
                .push(Instance::serve(name.clone(), place(n), app).await?);
            let ring = &this.rings[usize::from(n) % 2];
            let own = store(shared.as_ref(), url).await?;
            let app = tokens::router(tokens::service(own, ring).await?);
            this.tokens
                .push(Instance::serve(name, place(each + n), app).await?);
        }
        this.read_keys().await?;
        Ok(this)
    }

    /// Lets blue read green's document, and green blue's. A real deployment does so when it starts and
    /// then every few minutes.
    ///
    /// # Errors
    ///
    /// If a document can't be read.
    pub async fn read_keys(&self) -> Result<(), Failure> {
        for (own, peer) in [(0, 1), (1, 0)] {
            let mut client = Client::connect(self.tokens[peer].port).await?;
            let document = client
                .send(&request("GET", "/.well-known/jwks.json", "", ""))
                .await?;
            self.rings[own].trust_jwks_of(COLOURS[peer], &document.body)?;
        }
        Ok(())
    }

    /// A line for each instance.
    pub fn addresses(&self) -> impl Iterator<Item = String> {
        let line =
            |way| move |i: &Instance| format!("{way} {:8} http://127.0.0.1:{}/", i.name, i.port);
        let sessions = self.sessions.iter().map(line("sessions"));
        sessions.chain(self.tokens.iter().map(line("tokens  ")))
    }
}

async fn store(shared: Option<&Arc<dyn Store>>, url: &str) -> Result<Arc<dyn Store>, Failure> {
    match shared {
        Some(store) => Ok(Arc::clone(store)),
        None => open(url).await,
    }
}
