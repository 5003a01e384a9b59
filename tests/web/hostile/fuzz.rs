//! 100,000 cookie headers of chance.

use std::convert::Infallible;

use cloakroom::LazySession;
use http::{HeaderValue, Request, Response, header};
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::web::support::{Browser, World, on_both};

on_both!(chance_asks_nobody);

const ROUNDS: u32 = 100_000;

/// Marsaglia's xorshift: the same headers in each run.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    /// Any byte that a header may hold.
    fn byte(&mut self) -> u8 {
        match self.next() as u8 {
            byte @ (0..0x20 | 0x7f) => byte.wrapping_add(0x40),
            byte => byte,
        }
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.byte()).collect()
    }

    /// A header that is close to right more often than not, and never right.
    fn header(&mut self, id: &str) -> Vec<u8> {
        let mut header = Vec::new();
        for _ in 0..=self.below(4) {
            let name = self.one(&["__Host-id", "__Host-id-rev", "id", "", "x", "__Host-id "]);
            header.extend(name.as_bytes());
            header.extend(self.one(&["=", "=", "=", "", "==", " = "]).as_bytes());
            header.extend(self.value(id));
            header.extend(self.one(&["; ", ";", ",", ";;", "\t", ""]).as_bytes());
        }
        header
    }

    fn value(&mut self, id: &str) -> Vec<u8> {
        let mut value = id.as_bytes().to_vec();
        match self.below(4) {
            0 => return self.bytes(80),
            1 => {
                value.truncate(self.below(32));
                value.push(b'.');
            }
            2 => {
                value.push(b'A');
                value.extend(self.bytes(8));
            }
            _ => {
                let at = self.below(32);
                value[at] =
                    *self.one(&[b".", b"+", b"=", b"%", b" ", b"\xc3", b"\xff"].map(|b| &b[0]));
            }
        }
        value
    }
}

async fn chance_asks_nobody(world: World) {
    let a = world.instance().await;
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    let id = alice.id().unwrap().to_owned();
    a.store.calls();
    let service = a
        .sessions
        .layer()
        .layer(service_fn(|request: Request<()>| async move {
            let session = request.extensions().get::<LazySession>().unwrap();
            assert_eq!(session.load().await.unwrap().user(), None);
            Ok::<_, Infallible>(Response::new(()))
        }));
    let mut chance = Chance(0x2545_f491_4f6c_dd1d);
    for _ in 0..ROUNDS {
        let mut request = Request::new(());
        for _ in 0..=chance.below(2) {
            let value = HeaderValue::from_bytes(&chance.header(&id)).unwrap();
            request.headers_mut().append(header::COOKIE, value);
        }
        let response = service.clone().oneshot(request).await.unwrap();
        assert!(!response.headers().contains_key(header::SET_COOKIE));
    }
    assert!(a.store.calls().is_empty(), "nobody was asked");
    assert_eq!(alice.user(&a.app).await.as_deref(), Some("alice"));
    println!(
        "{ROUNDS} cookie headers, {} rejected",
        a.sessions.stats().rejected_ids
    );
}
