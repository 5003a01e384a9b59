//! With the sessions' layer, in either order.

use super::*;
use axum::{Router, http::HeaderName, routing};
use cloakroom_core::SessionUse;
use cloakroom_tower::{Key, LazySession, MemoryStore as Store, Session, Sessions, SessionsLayer};
use futures_util::future::join_all;

const NAME: Key<String> = Key::new("name");
const FRESH: [(HeaderName, &str); 1] = [(http::header::CACHE_CONTROL, "max-age=60")];

#[derive(Clone, Copy, Debug)]
enum Order {
    /// The cache answers before there is a session.
    CacheOutside,
    /// The cache is between the session and the handler.
    CacheInside,
}

const ORDERS: [Order; 2] = [Order::CacheOutside, Order::CacheInside];

async fn sessions() -> Sessions {
    Sessions::builder(Store::new()).build().await.unwrap()
}

fn app(order: Order, sessions: SessionsLayer, cache: ResponseCacheLayer) -> Router {
    let routes = Router::new()
        .route("/public", routing::get(async || (FRESH, "public")))
        .route("/looks", routing::get(async |_: Session| (FRESH, "looked")))
        .route(
            "/holds",
            routing::get(async |_: LazySession| (FRESH, "held")),
        )
        .route("/me", routing::get(me))
        .route("/visits", routing::get(visit))
        .route("/out", routing::get(out))
        .route("/login", routing::post(login));
    match order {
        Order::CacheOutside => routes.layer(sessions).layer(cache),
        Order::CacheInside => routes.layer(cache).layer(sessions),
    }
}

async fn me(session: Session) -> impl axum::response::IntoResponse {
    let user = session
        .user()
        .map_or("nobody".to_owned(), |user| user.to_string());
    tokio::time::sleep(Duration::from_millis(3)).await;
    (FRESH, user)
}

async fn visit(session: LazySession) -> impl axum::response::IntoResponse {
    session.insert(NAME, "somebody").unwrap();
    (FRESH, "written")
}

async fn out(session: LazySession) -> impl axum::response::IntoResponse {
    session.log_out().await.unwrap();
    (FRESH, "out")
}

async fn login(session: Session, user: String) {
    session.log_in(user).await.unwrap();
}

/// What came back of a request with these cookies.
async fn call(app: &Router, method: Method, uri: &str, cookies: &str, body: &str) -> Answer {
    let mut request = request(method, uri, &[]);
    if !cookies.is_empty() {
        let cookies = cookies.parse().unwrap();
        request.headers_mut().insert("cookie", cookies);
    }
    *request.body_mut() = Body::from(body.to_owned());
    let response = app.clone().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: head.status,
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

async fn log_in(app: &Router, user: &str) -> String {
    let answer = call(app, Method::POST, "/login", "", user).await;
    let cookies = answer.headers.get_all("set-cookie").iter();
    let pairs = cookies.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap());
    pairs.collect::<Vec<_>>().join("; ")
}

#[tokio::test]
async fn what_reads_the_session_is_nobody_elses() {
    for order in ORDERS {
        let app = app(order, sessions().await.layer(), in_memory().layer());
        let (alice, bob) = (log_in(&app, "alice").await, log_in(&app, "bob").await);
        let all = (0..300).map(|n| {
            let (cookies, user) = [(&*alice, "alice"), (&*bob, "bob"), ("", "nobody")][n % 3];
            let app = &app;
            async move {
                tokio::time::sleep(Duration::from_millis(n as u64 % 17)).await;
                let answer = call(app, Method::GET, "/me", cookies, "").await;
                assert_eq!(answer.body, user, "{order:?} {answer:?}");
                assert!(
                    answer.says().contains("detail=session"),
                    "{order:?} {answer:?}"
                );
                assert_eq!(answer.header("vary"), "cookie", "{order:?}");
            }
        });
        join_all(all).await;
    }
}

#[tokio::test]
async fn what_does_not_read_it_is_everybodys() {
    for order in ORDERS {
        let app = app(order, sessions().await.layer(), in_memory().layer());
        let alice = log_in(&app, "alice").await;
        for uri in ["/public", "/holds"] {
            let first = call(&app, Method::GET, uri, &alice, "").await;
            assert_eq!(first.says(), "cloakroom; fwd=uri-miss; stored", "{order:?}");
            call(&app, Method::GET, uri, "", "").await.is_hit();
        }
    }
}

#[tokio::test]
async fn looking_for_a_session_and_finding_none_is_reading_it() {
    for order in ORDERS {
        let app = app(order, sessions().await.layer(), in_memory().layer());
        for _ in 0..2 {
            let answer = call(&app, Method::GET, "/looks", "", "").await;
            let says = "cloakroom; fwd=uri-miss; detail=session";
            assert_eq!(answer.says(), says, "{order:?}");
        }
    }
}

#[tokio::test]
async fn what_changes_the_session_is_never_stored() {
    for order in ORDERS {
        let by_all = |_: &http::request::Parts| std::future::ready(Some("all".to_owned()));
        let cache = in_memory().layer().principal(by_all);
        let app = app(order, sessions().await.layer(), cache);
        for uri in ["/visits", "/out"] {
            let alice = log_in(&app, "alice").await;
            let answer = call(&app, Method::GET, uri, &alice, "").await;
            let says = "cloakroom; fwd=uri-miss; detail=session-changed";
            assert_eq!(answer.says(), says, "{order:?} {uri}");
            assert!(answer.headers.contains_key("set-cookie"), "{order:?} {uri}");
            let next = call(&app, Method::GET, uri, "", "").await;
            assert_eq!(next.says(), says, "{order:?} {uri}");
        }
    }
}

/// As the facade's `by_user`.
fn by_user(parts: &http::request::Parts) -> impl Future<Output = Option<String>> + Send + use<> {
    let session = parts.extensions.get::<LazySession>().cloned();
    async move {
        let session = session?.load().await.ok()?;
        session.user().map(|user| user.to_string())
    }
}

#[tokio::test]
async fn by_user_each_user_has_a_page_and_anonymous_ones_share_none_of_their_own() {
    let cache = in_memory();
    let layer = cache.layer().principal(by_user);
    let app = app(Order::CacheInside, sessions().await.layer(), layer);
    let (alice, bob) = (log_in(&app, "alice").await, log_in(&app, "bob").await);
    for (cookies, user) in [(&alice, "alice"), (&bob, "bob")] {
        for says in ["cloakroom; fwd=uri-miss; stored", "cloakroom; hit; ttl="] {
            let answer = call(&app, Method::GET, "/me", cookies, "").await;
            assert!(answer.says().starts_with(says), "{answer:?}");
            assert_eq!((&*answer.body, answer.header("vary")), (user, "cookie"));
        }
    }
    // Nobody's: what read the session is not stored, what did not is, though the key needed it.
    for _ in 0..2 {
        let answer = call(&app, Method::GET, "/me", "", "").await;
        assert_eq!(answer.says(), "cloakroom; fwd=uri-miss; detail=session");
    }
    call(&app, Method::GET, "/public", "", "").await;
    let shared = call(&app, Method::GET, "/public", "", "").await;
    shared.is_hit();
    assert_eq!(shared.header("vary"), "cookie");
    let again = log_in(&app, "alice").await;
    call(&app, Method::GET, "/me", &again, "").await.is_hit();
}

#[tokio::test]
async fn a_session_that_was_read_on_the_way_in_keeps_the_cache_out() {
    use axum::{
        extract::Request,
        middleware::{Next, from_fn},
    };
    let guard = from_fn(async |session: Session, request: Request, next: Next| {
        // Whoever is here may have told the handler what the session says.
        drop(session);
        next.run(request).await
    });
    let app: Router = Router::new()
        .route("/public", routing::get(async || (FRESH, "public")))
        .layer(in_memory().layer())
        .layer(guard)
        .layer(sessions().await.layer());
    for _ in 0..2 {
        let answer = call(&app, Method::GET, "/public", "", "").await;
        assert_eq!(answer.says(), "cloakroom; fwd=bypass; detail=session");
    }
}

#[tokio::test]
async fn the_sessions_layer_writes_on_the_note_that_is_there() {
    let sessions = sessions().await;
    let service = sessions
        .layer()
        .layer(service_fn(async |request: Request<Body>| {
            let session = request.extensions().get::<LazySession>().cloned().unwrap();
            match request.uri().path() {
                "/read" => drop(session.load().await.unwrap()),
                "/now" => drop(session.load_now().await.unwrap()),
                "/write" => session.remove(NAME),
                "/login" => session.load().await.unwrap().log_in("alice").await.unwrap(),
                "/out" => session.log_out().await.unwrap(),
                "/rotate" => session.load().await.unwrap().rotate().await.unwrap(),
                "/update" => {
                    let session = session.load().await.unwrap();
                    session.update(NAME, |_| {}).await.unwrap();
                }
                _ => {}
            }
            Ok::<_, Infallible>(Response::new(Body::empty()))
        }));
    for (path, read, changed) in [
        ("/", false, false),
        ("/read", true, false),
        ("/now", true, false),
        ("/write", true, true),
        ("/login", true, true),
        ("/out", true, true),
        ("/rotate", true, true),
        ("/update", true, true),
    ] {
        let note = SessionUse::default();
        let mut request = request(Method::GET, path, &[]);
        request.extensions_mut().insert(note.clone());
        service.clone().oneshot(request).await.unwrap();
        assert_eq!(
            (note.was_read(), note.was_changed()),
            (read, changed),
            "{path}"
        );
    }
}

/// A cache for all around one for each user: of another name, or the same.
async fn nested(inner_name: &str) -> Router {
    let store = Arc::new(MemoryStore::new());
    let pages = |name: &str| {
        let pages = ResponseCache::builder(name, Arc::clone(&store) as _);
        // So that each request goes the whole way.
        let pages = pages.early(0.0).pass_for(time::Duration::ZERO);
        pages.build().unwrap()
    };
    let (outer, inner) = (pages("pages"), pages(inner_name));
    Router::new()
        .route("/me", routing::get(me))
        .route("/public", routing::get(async || (FRESH, "public")))
        .layer(inner.layer().principal(by_user))
        .layer(outer.layer())
        .route("/login", routing::post(login))
        .layer(sessions().await.layer())
}

#[tokio::test]
async fn a_layer_for_users_inside_one_for_all_hides_no_reads_from_it() {
    for inner in ["users", "pages"] {
        let app = nested(inner).await;
        let (alice, bob) = (log_in(&app, "alice").await, log_in(&app, "bob").await);
        // The second time the inner one answers each from what it has stored.
        for round in 0..3 {
            for (cookies, user) in [(&*alice, "alice"), (&*bob, "bob"), ("", "nobody")] {
                let answer = call(&app, Method::GET, "/me", cookies, "").await;
                assert_eq!(answer.body, user, "{inner} {round} {answer:?}");
                let says: Vec<_> = answer.headers.get_all("cache-status").iter().collect();
                let says: Vec<_> = says.iter().map(|says| says.to_str().unwrap()).collect();
                let hit = says[0].contains("hit");
                let may_hit = inner == "users" && round > 0 && user != "nobody";
                assert_eq!(hit, may_hit, "{inner} {round} {says:?}");
                assert!(says[1].contains("fwd=uri-miss; detail="), "{says:?}");
            }
        }
    }
}

/// The inner one's principal has nothing to do with sessions.
#[tokio::test]
async fn what_an_inner_layer_has_for_a_principal_is_not_stored_by_an_outer_one() {
    let store = Arc::new(MemoryStore::new());
    let pages = |name: &str| ResponseCache::builder(name, Arc::clone(&store) as _);
    let (outer, inner) = (pages("a").build().unwrap(), pages("b").build().unwrap());
    let by_key = |parts: &http::request::Parts| {
        let key = parts.headers.get("x-api-key").cloned();
        std::future::ready(key.map(|key| key.to_str().unwrap().to_owned()))
    };
    let handler = Handler::new(|request, _| async move {
        let key = request.headers()["x-api-key"].to_str().unwrap().to_owned();
        page(&[("cache-control", "max-age=60")], key)
    });
    let inner = handler.behind(&inner.layer().principal(by_key));
    let inner = service_fn(move |request| {
        let response = inner.clone().oneshot(request);
        async move { Ok::<_, Infallible>(response.await?.map(Body::new)) }
    });
    let service = outer.layer().layer(inner);
    for key in ["1", "2", "1", "2"] {
        let headers: &'static [_] = Box::leak(Box::new([("x-api-key", key)]));
        let answer = get(&service, "/", headers).await;
        assert_eq!(answer.body, key, "{answer:?}");
    }
    assert_eq!(handler.calls(), 2);
}

/// As the facade's `by_session`.
fn by_session(parts: &http::request::Parts) -> impl Future<Output = Option<String>> + Send + use<> {
    let session = parts.extensions.get::<LazySession>().cloned();
    async move {
        let session = session?.load().await.ok()?;
        let user = session.user().map(|user| user.to_string());
        let handle = session.handle()?;
        Some(format!("{handle} {}", user.unwrap_or_default()))
    }
}

/// A page with what belongs to one session, like a token in a form.
async fn form(session: Session) -> String {
    session
        .handle()
        .map_or("none".to_owned(), |handle| handle.to_string())
}

#[tokio::test]
async fn sessions_of_one_user_share_no_forms() {
    let vary = [("cache-control", "max-age=60"), ("vary", "Cookie")];
    let plain = [("cache-control", "max-age=60")];
    let layer = || in_memory().layer();
    for (layer, path) in [
        (layer().principal(by_user), "/varies"),
        (layer().principal(by_session), "/varies"),
        (layer().principal(by_session), "/plain"),
    ] {
        let app: Router = Router::new()
            .route(
                "/varies",
                routing::get(async move |session: Session| (vary, form(session).await)),
            )
            .route(
                "/plain",
                routing::get(async move |session: Session| (plain, form(session).await)),
            )
            .layer(layer)
            .route("/login", routing::post(login))
            .layer(sessions().await.layer());
        let (phone, laptop) = (log_in(&app, "alice").await, log_in(&app, "alice").await);
        let form = async |cookies: &str| call(&app, Method::GET, path, cookies, "").await;
        let (one, two) = (form(&phone).await, form(&laptop).await);
        assert_ne!(one.body, two.body, "{path}");
        for (cookies, own) in [(&phone, one), (&laptop, two)] {
            let again = form(cookies).await;
            assert!(again.says().contains("; hit"), "{path} {again:?}");
            assert_eq!(again.body, own.body, "{path}");
        }
    }
}

/// What a response varies by may be a session's cookie, or a password.
#[tokio::test]
async fn what_clients_are_told_apart_by_is_not_stored() {
    let (ground, store) = crate::support::Ground::redis().await;
    let pages = ResponseCache::builder("pages", store as _).build().unwrap();
    let handler = Handler::fixed(&[
        ("cache-control", "max-age=60"),
        ("vary", "cookie, authorization"),
    ]);
    let alice = |_: &http::request::Parts| std::future::ready(Some("alice".to_owned()));
    let service = handler.behind(&pages.layer().principal(alice));
    let headers = [("cookie", "id=secret"), ("authorization", "Basic secret")];
    let first = get(&service, "/", &headers).await;
    assert_eq!(first.says(), "cloakroom; fwd=uri-miss; stored");
    get(&service, "/", &headers).await.is_hit();
    let other = get(
        &service,
        "/",
        &[("cookie", "id=secret"), ("authorization", "Basic other")],
    )
    .await;
    assert_eq!(other.body, "2");
    let dump = ground.server.as_ref().unwrap().dump().await;
    assert!(!dump.windows(6).any(|part| part == b"secret"));
}
