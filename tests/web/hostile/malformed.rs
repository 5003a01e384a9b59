//! Values that no id can have.

use http::Method;

use super::{ask, id_cookie};
use crate::web::support::{Browser, Instance, World, call, on_both};

on_both!(
    malformed_ids_are_no_session_and_ask_nobody,
    a_write_with_a_malformed_id_gets_an_id_of_ours,
    an_id_is_read_from_its_cookie_alone,
    an_empty_id_is_nobody_s,
);

/// What is no id, made from one that is.
fn malformed(id: &str) -> Vec<Vec<u8>> {
    let (cut, half) = (&id[..31], &id[..16]);
    let mut all: Vec<Vec<u8>> = [
        "\"", "%22", "%41", "+", "/", "=", "{", "}", "*", "~", " x", "\t",
    ]
    .iter()
    .map(|end| format!("{cut}{end}").into_bytes())
    .collect();
    all.extend(TRICKS.iter().map(|trick| trick.as_bytes().to_vec()));
    all.extend([
        id[1..].into(),
        format!("{id}A").into(),
        format!("{id}=").into(),
        format!("{id}.7").into(),
        format!("\"{id}\"").into(),
        format!("{half} {half}").into(),
        format!("{half}%00{half}").into(),
        // Digits and letters that are none in ASCII.
        format!("{}٣٣", &id[..28]).into(),
        format!("{}Ａ", &id[..29]).into(),
        [half.as_bytes(), b"\xff\xfe", half.as_bytes()].concat(),
        [&id.as_bytes()[..30], b"\xc3\x28"].concat(),
        "A".repeat(65_536).into(),
        id.repeat(2048).into(),
        // A bucket that this deployment doesn't have.
        format!("AEA{}", &id[3..]).into(),
        format!("__{}", &id[2..]).into(),
        id.bytes()
            .map(|b| format!("%{b:02x}"))
            .collect::<String>()
            .into(),
    ]);
    all
}

const TRICKS: [&str; 22] = [
    "",
    " ",
    "\t",
    "\"\"",
    "null",
    "undefined",
    "deleted",
    "0",
    "../../../../../../../../etc/pass",
    "..\\..\\..\\..\\..\\..\\..\\..\\..\\..\\xx",
    "%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2",
    "%00%00%00%00%00%00%00%00%00%00%0",
    "%0d%0aSet-Cookie: __Host-id=evil",
    "********************************",
    "????????????????????????????????",
    "{0}{0}{0}{0}{0}{0}{0}{0}{0}{0}{0",
    "cr1:{e}:s:0123456789abcdef012345",
    "cr1:{e}:settings",
    "' OR 1=1 --                      ",
    "[\"a\",\"b\"]",
    "\u{feff}",
    "ééééééééééééééééé",
];

async fn malformed_ids_are_no_session_and_ask_nobody(world: World) {
    let a = world.instance().await;
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    let id = alice.id().unwrap().to_owned();
    let all = malformed(&id);
    a.store.calls();
    for value in &all {
        let cookie = id_cookie(value);
        for (method, path) in [(Method::GET, "/info"), (Method::POST, "/logout")] {
            let answer = ask(&a.app, method, path, &[&cookie]).await;
            assert!(!answer.text.contains("alice"), "{value:?}");
            assert_eq!(answer.id_cookie(), None, "{value:?}");
        }
    }
    assert!(a.store.calls().is_empty(), "nobody was asked");
    assert_eq!(
        a.sessions.stats().rejected_ids,
        2 * rejected(&a, &all).await
    );
    assert_eq!(world.live().await, 1);
    assert_eq!(alice.user(&a.app).await.as_deref(), Some("alice"));
}

/// How many of these are seen as a rejected id by an instance of their own.
async fn rejected(a: &Instance, all: &[Vec<u8>]) -> u64 {
    let before = a.sessions.stats().rejected_ids;
    for value in all {
        ask(&a.app, Method::GET, "/anon", &[&id_cookie(value)]).await;
    }
    let more = a.sessions.stats().rejected_ids - before;
    assert_eq!(more, all.len() as u64);
    more
}

async fn a_write_with_a_malformed_id_gets_an_id_of_ours(world: World) {
    let a = world.instance().await;
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    let all = malformed(alice.id().unwrap());
    for (n, value) in all.iter().enumerate() {
        let answer = ask(&a.app, Method::PUT, "/attr/k", &[&id_cookie(value)])
            .await
            .is(200);
        let new = answer.new_id().unwrap();
        assert_ne!(new.as_bytes(), value);
        assert_eq!(world.live().await, n + 2, "a new session for {value:?}");
        assert_eq!(Browser::with_id(&new).user(&a.app).await, None);
    }
}

const OTHER_COOKIES: [&str; 6] = [
    "__Host-ID",
    "__host-id",
    "id",
    "__Host-id-rev",
    "x__Host-id",
    "__Host-idx",
];

const OTHER_HEADERS: [&str; 6] = [
    "__Host-id",
    "id",
    "authorization",
    "x-session",
    "x-session-id",
    "set-cookie",
];

/// Not from another cookie, a query, a path, a form or another header.
async fn an_id_is_read_from_its_cookie_alone(world: World) {
    let a = world.instance().await;
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    let id = alice.id().unwrap();
    a.store.calls();
    for name in OTHER_COOKIES {
        let cookie = format!("{name}={id}");
        let me = ask(&a.app, Method::GET, "/info", &[cookie.as_bytes()]).await;
        assert!(!me.is(200).text.contains("alice"), "{name}");
    }
    for query in [format!("__Host-id={id}"), format!("id={id}#__Host-id={id}")] {
        let me = ask(&a.app, Method::GET, &format!("/info?{query}"), &[]).await;
        assert!(!me.is(200).text.contains("alice"), "{query}");
    }
    for name in OTHER_HEADERS {
        for value in [
            id.to_owned(),
            format!("Bearer {id}"),
            format!("__Host-id={id}"),
        ] {
            let request = Browser::new()
                .request(Method::GET, "/info")
                .header(name, value);
            let form = format!("__Host-id={id}&id={id}");
            let me = call(&a.app, request.body(form.into()).unwrap()).await;
            assert!(!me.is(200).text.contains("alice"), "{name}");
        }
    }
    assert!(a.store.calls().is_empty());
}

/// A30: after a logout nobody shares a session that has no id.
async fn an_empty_id_is_nobody_s(world: World) {
    let a = world.instance().await;
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    let logout = alice.post(&a.app, "/logout").await.is(204);
    assert!(logout.id_cookie().unwrap().removes());
    assert_eq!(alice.id(), None);
    for empty in ["", " ", "\"\""] {
        let write = ask(&a.app, Method::PUT, "/attr/k", &[&id_cookie(empty)])
            .await
            .is(200);
        assert_eq!(write.new_id().unwrap().len(), 32);
        let read = ask(&a.app, Method::GET, "/attr/k", &[&id_cookie(empty)]).await;
        assert_eq!(read.status, 404);
    }
}
