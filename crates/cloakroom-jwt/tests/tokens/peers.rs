//! Blue and green sign by keys of their own, read each other's documents by HTTP, and rotate.

use axum::{Router, extract::State, routing::get};
use cloakroom_core::{Clock as _, ManualClock, MemoryStore, Store};
use cloakroom_jwt::{Grant, Jwks, KeyRing, LoginService, SigningKey, Tokens, Verifier};
use std::sync::Arc;
use time::{Duration, OffsetDateTime};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

const ISSUER: &str = "https://login.example";
const LIFE: Duration = Duration::minutes(5);
const ROTATIONS: usize = 10;

struct Colour {
    name: &'static str,
    ring: KeyRing,
    key: SigningKey,
    service: LoginService,
    port: u16,
}

impl Colour {
    async fn start(name: &'static str, store: &Arc<dyn Store>, clock: &ManualClock) -> Self {
        let key = SigningKey::generate().unwrap();
        let ring = KeyRing::new(key.clone());
        let tokens = Tokens::builder(ring.clone(), ISSUER).audience("shop");
        let tokens = tokens.life(LIFE).clock(clock.clone());
        let service = LoginService::builder(Arc::clone(store), tokens);
        let service = service.build().await.unwrap();
        let jwks = async |State(service): State<LoginService>| -> Jwks { service.tokens().jwks() };
        let app = Router::new().route("/.well-known/jwks.json", get(jwks));
        let app = app.with_state(service.clone());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(axum::serve(listener, app).into_future());
        Self {
            name,
            ring,
            key,
            service,
            port,
        }
    }

    /// Its document, as others read it.
    async fn document(&self) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let ask = b"GET /.well-known/jwks.json HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(ask).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        text.split_once("\r\n\r\n").unwrap().1.to_owned()
    }
}

/// All who verify: both colours, and a service that only does that.
struct World {
    clock: ManualClock,
    colours: [Colour; 2],
    shop: (KeyRing, Verifier),
    issued: Vec<(String, OffsetDateTime)>,
    retired: Vec<SigningKey>,
    accepted: usize,
    refused: usize,
}

impl World {
    async fn new() -> Self {
        let clock = ManualClock::default();
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let blue = Colour::start("blue", &store, &clock).await;
        let green = Colour::start("green", &store, &clock).await;
        let ring = KeyRing::empty();
        let verifier = Verifier::builder(ring.clone(), ISSUER).audience("shop");
        let verifier = verifier.clock(clock.clone()).build().unwrap();
        Self {
            clock,
            colours: [blue, green],
            shop: (ring, verifier),
            issued: Vec::new(),
            retired: Vec::new(),
            accepted: 0,
            refused: 0,
        }
    }

    /// Everybody reads everybody else's document.
    async fn read(&self) {
        for signer in &self.colours {
            let document = signer.document().await;
            let others = self.colours.iter().filter(|c| c.name != signer.name);
            for ring in others.map(|c| &c.ring).chain([&self.shop.0]) {
                ring.trust_jwks_of(signer.name, &document).unwrap();
            }
        }
    }

    fn verifiers(&self) -> [Verifier; 3] {
        let [blue, green] = self.colours.each_ref().map(|c| c.service.verifier());
        [blue, green, self.shop.1.clone()]
    }

    /// Both issue; all that has not expired is good everywhere, and nothing of a retired key.
    async fn check(&mut self) {
        for colour in &self.colours {
            let pair = colour.service.log_in("alice", None, None).await.unwrap();
            let access = pair.access;
            let end = access.registered().expires_at;
            self.issued.push((access.token().to_owned(), end));
        }
        let now = self.clock.now();
        self.issued.retain(|(_, end)| *end > now);
        for verifier in self.verifiers() {
            for (token, _) in &self.issued {
                verifier.verify(token).await.unwrap();
                self.accepted += 1;
            }
            for key in &self.retired {
                let thief = Tokens::builder(KeyRing::new(key.clone()), ISSUER).audience("shop");
                let thief = thief.clock(self.clock.clone()).build().unwrap();
                let forged = thief.issue(&Grant::new("alice")).unwrap();
                assert!(verifier.verify(forged.token()).await.is_err());
                self.refused += 1;
            }
        }
    }

    /// One colour takes another key, by the steps of the manual.
    async fn rotate(&mut self, at: usize) {
        let new = SigningKey::generate().unwrap();
        self.colours[at].ring.trust(new.public()).unwrap();
        self.check().await;
        self.read().await;
        self.check().await;
        let until = self.clock.now() + LIFE;
        self.colours[at].ring.sign_with(new.clone(), until).unwrap();
        self.check().await;
        for _ in 0..4 {
            self.clock.advance(LIFE / 4);
            self.check().await;
        }
        // Its owner refuses it by itself now; the others when they have read that it is gone.
        let old = std::mem::replace(&mut self.colours[at].key, new);
        self.read().await;
        self.retired.push(old);
        self.check().await;
        self.colours[at].ring.prune(self.clock.now());
        self.read().await;
        self.check().await;
    }
}

#[tokio::test]
async fn through_rotations_no_valid_token_is_refused_and_none_of_a_retired_key_accepted() {
    let mut world = World::new().await;
    world.read().await;
    for n in 0..ROTATIONS {
        // One, the other, and each twice in a row.
        world.rotate((n / 2 + n) % 2).await;
    }
    let (accepted, refused) = (world.accepted, world.refused);
    println!(
        "{ROTATIONS} rotations: {accepted} valid, 0 refused; {refused} of retired keys, 0 accepted"
    );
    assert!(accepted > 1_000 && refused > 500);
    let rings = world.colours.iter().map(|c| &c.ring);
    for ring in rings.chain([&world.shop.0]) {
        assert_eq!(ring.len(), 2, "nobody keeps what is over");
    }
}
