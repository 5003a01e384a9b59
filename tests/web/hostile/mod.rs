//! Ids that nobody was given.

mod fixation;
mod forged;
mod fuzz;
mod malformed;
mod several;

use std::sync::LazyLock;

use axum::Router;
use axum::body::Body;
use cloakroom_core::{Address, Buckets, Entropy, OsEntropy, SessionId};
use http::{HeaderValue, Method, Request, header};

use crate::web::support::{Answer, call};

/// Asks with `Cookie` headers of these bytes.
async fn ask(app: &Router, method: Method, path: &str, cookies: &[&[u8]]) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for cookie in cookies {
        request = request.header(header::COOKIE, HeaderValue::from_bytes(cookie).unwrap());
    }
    call(app, request.body(Body::from("value")).unwrap()).await
}

/// `__Host-id=` and this value.
fn id_cookie(value: impl AsRef<[u8]>) -> Vec<u8> {
    [b"__Host-id=", value.as_ref()].concat()
}

/// Laying them out takes a while.
static BUCKETS: LazyLock<Buckets> = LazyLock::new(Buckets::default);

/// A well-formed id that was never issued.
fn forged() -> SessionId {
    let mut random = [0; 8];
    OsEntropy.fill(&mut random).unwrap();
    let bucket = BUCKETS.of_hash(u64::from_be_bytes(random));
    SessionId::generate(bucket, &OsEntropy).unwrap()
}

/// Where a session of this id would lie.
fn address(id: &str) -> Address {
    let id = SessionId::parse(id, &BUCKETS).unwrap();
    let bucket = id.bucket(&BUCKETS).unwrap();
    let digest = id.digest();
    Address { bucket, digest }
}
