//! What is said to caches beside what the handler says.

use axum::Router;
use axum::routing::get;
use cloakroom::{Key, Session};
use http::header::{CACHE_CONTROL, SET_COOKIE, VARY};

use crate::web::support::{Browser, World, on_both};

on_both!(
    what_varies_already_is_not_said_twice,
    what_may_be_cached_is_not_when_it_sets_a_cookie,
    the_application_s_own_cookies_stay,
);

async fn what_varies_already_is_not_said_twice(world: World) {
    let a = world.instance().await;
    let cases: [(&[&str], &[&str]); 6] = [
        (&[], &["cookie"]),
        (&["*"], &["*"]),
        (&["Cookie"], &["Cookie"]),
        (&["accept, COOKIE"], &["accept, COOKIE"]),
        (&["accept"], &["accept", "cookie"]),
        (&["accept", "origin"], &["accept", "origin", "cookie"]),
    ];
    for (said, expected) in cases {
        let values = move |_: Session| async move {
            let mut headers = http::HeaderMap::new();
            for value in said {
                headers.append(VARY, value.parse().unwrap());
            }
            headers
        };
        let app = Router::new()
            .route("/", get(values))
            .layer(a.sessions.layer());
        let answer = Browser::new().get(&app, "/").await.is(200);
        assert_eq!(answer.header("vary"), expected);
    }
}

async fn what_may_be_cached_is_not_when_it_sets_a_cookie(world: World) {
    const SEEN: Key<bool> = Key::new("seen");
    let a = world.instance().await;
    let cached = || [(CACHE_CONTROL, "public, max-age=3600")];
    let writes = async move |session: Session| {
        session.insert(SEEN, &true).unwrap();
        cached()
    };
    let reads = async move |_: Session| cached();
    let app = Router::new()
        .route("/writes", get(writes))
        .route("/reads", get(reads));
    let app = app.layer(a.sessions.layer());
    let mut browser = Browser::new();
    let first = browser.get(&app, "/writes").await;
    assert!(first.new_id().is_some());
    assert_eq!(first.header("cache-control"), ["no-store"]);
    for path in ["/writes", "/reads"] {
        // The second time it writes nothing.
        let again = browser.get(&app, path).await;
        assert_eq!(again.cookies(), []);
        assert_eq!(again.header("cache-control"), ["public, max-age=3600"]);
        assert_eq!(again.header("vary"), ["cookie"]);
    }
}

async fn the_application_s_own_cookies_stay(world: World) {
    const SEEN: Key<bool> = Key::new("seen");
    let a = world.instance().await;
    let own = async |session: Session| {
        session.insert(SEEN, &true).unwrap();
        [(SET_COOKIE, "theme=dark; Path=/")]
    };
    let app = Router::new().route("/", get(own)).layer(a.sessions.layer());
    let answer = Browser::new().get(&app, "/").await.is(200);
    let names: Vec<_> = answer
        .cookies()
        .into_iter()
        .map(|cookie| cookie.name)
        .collect();
    assert_eq!(names, ["theme", "__Host-id", "__Host-id-rev"]);
}
