//! What a response tells the client and the caches on the way.

use cloakroom::{Cookie, SameSite};
use time::Duration;

use crate::web::support::{Browser, SetCookie, World, on_both};

on_both!(
    the_default_cookie_is_as_safe_as_can_be,
    a_write_tells_its_revision_and_nothing_else,
    only_what_used_the_session_varies_by_it,
    a_remembered_cookie_is_kept_as_long_as_its_session,
    browsers_keep_no_cookie_longer_than_400_days,
    a_removal_has_the_attributes_of_what_it_removes,
    the_application_chooses_how_the_cookie_looks,
    every_id_looks_alike,
);

/// The attributes' names and values, in order, without `Max-Age`.
fn look(cookie: &SetCookie) -> Vec<String> {
    let attributes = cookie
        .attributes
        .iter()
        .filter(|(name, _)| *name != "max-age");
    attributes
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

/// In the order of their names.
const DEFAULT_LOOK: [&str; 4] = ["httponly=", "path=/", "samesite=Lax", "secure="];

async fn the_default_cookie_is_as_safe_as_can_be(world: World) {
    let a = world.instance().await;
    let mut browser = Browser::new();
    for path in ["/login/alice", "/rotate", "/login/alice"] {
        let answer = browser.post(&a.app, path).await.is(200);
        let (id, revision) = (
            answer.id_cookie().unwrap(),
            answer.revision_cookie().unwrap(),
        );
        assert_eq!(answer.cookies().len(), 2);
        for cookie in [&id, &revision] {
            assert_eq!(look(cookie), DEFAULT_LOOK);
            assert_eq!(cookie.max_age(), None, "it goes when the browser is closed");
        }
        assert_eq!(id.value.len(), 32);
        assert_eq!(answer.header("cache-control"), ["no-store"]);
        assert_eq!(answer.header("vary"), ["cookie"]);
        assert!(!answer.text.contains(&id.value));
    }
}

async fn a_write_tells_its_revision_and_nothing_else(world: World) {
    let a = world.instance().await;
    let mut browser = Browser::new();
    let first = browser.put(&a.app, "/attr/k", "1").await.is(200);
    let mark = |value: &str| value.split_once('.').unwrap().0.to_owned();
    let revision = first.revision_cookie().unwrap().value;
    assert!(revision.ends_with(".1"), "{revision}");
    for (n, path) in ["/attr/k", "/lazy/k"].into_iter().enumerate() {
        let answer = browser
            .put(&a.app, path, &format!("{n} again"))
            .await
            .is(200);
        assert_eq!(answer.id_cookie(), None);
        let cookie = answer.revision_cookie().unwrap();
        assert_eq!(cookie.value, format!("{}.{}", mark(&revision), n + 2));
        assert_eq!(look(&cookie), DEFAULT_LOOK);
        assert_eq!(answer.header("cache-control"), ["no-store"]);
        assert_eq!(answer.header("vary"), ["cookie"]);
    }
    browser.post(&a.app, "/rotate").await.is(200);
    let rotated = browser.cookie("__Host-id-rev").unwrap();
    assert_ne!(mark(rotated), mark(&revision), "it speaks for another id");
}

async fn only_what_used_the_session_varies_by_it(world: World) {
    let a = world.instance().await;
    let mut browser = Browser::new();
    browser.log_in(&a.app, "alice").await;
    for (path, used) in [
        ("/anon", false),
        ("/unused", false),
        ("/info", true),
        ("/attr/k", true),
    ] {
        for mut browser in [browser.clone(), Browser::new()] {
            let answer = browser.get(&a.app, path).await;
            let vary = if used { vec!["cookie"] } else { vec![] };
            assert_eq!(answer.header("vary"), vary, "{path}");
            assert_eq!(
                answer.header("cache-control"),
                [""; 0],
                "{path}: it may be cached"
            );
            assert_eq!(answer.cookies(), []);
        }
    }
    let ended = browser.post(&a.app, "/logout").await.is(204);
    assert_eq!(ended.header("vary"), ["cookie"]);
    assert_eq!(ended.header("cache-control"), ["no-store"]);
}

async fn a_remembered_cookie_is_kept_as_long_as_its_session(world: World) {
    let with = |days| {
        move |b: cloakroom::SessionsBuilder| {
            b.remembered_for(Duration::days(days), Duration::days(2 * days))
        }
    };
    let a = world.configured(with(20)).await;
    let mut browser = Browser::new();
    let login = browser
        .post(&a.app, "/login/alice?remember=true")
        .await
        .is(200);
    let forty_days = Duration::days(40).whole_seconds();
    for cookie in login.cookies() {
        assert_eq!(cookie.max_age(), Some(forty_days), "{cookie:?}");
        assert_eq!(look(&cookie), DEFAULT_LOOK);
    }
    // Rotated by an instance with other settings, long after it was last seen.
    let b = world.configured(with(30)).await;
    world.pass(Duration::days(15)).await;
    let rotated = browser.post(&b.app, "/rotate").await.is(200);
    for cookie in rotated.cookies() {
        let left = Duration::days(25).whole_seconds();
        let kept = cookie.max_age().unwrap();
        assert!(
            (left - 60..=left).contains(&kept),
            "{kept} s of {left} s left"
        );
    }
}

async fn browsers_keep_no_cookie_longer_than_400_days(world: World) {
    let years = Duration::days(10 * 365);
    let a = world.configured(|b| b.remembered_for(years, years)).await;
    let mut browser = Browser::new();
    let login = browser
        .post(&a.app, "/login/alice?remember=true")
        .await
        .is(200);
    let most = Duration::days(400).whole_seconds();
    assert_eq!(login.id_cookie().unwrap().max_age(), Some(most));
    assert_eq!(browser.user(&a.app).await.as_deref(), Some("alice"));
}

async fn a_removal_has_the_attributes_of_what_it_removes(world: World) {
    let a = world.instance().await;
    let looks = |b: cloakroom::SessionsBuilder| {
        let cookie = Cookie::new()
            .name("app")
            .path("/shop")
            .domain("example.com");
        b.transport(cookie.same_site(SameSite::Strict))
    };
    let b = world.configured(looks).await;
    for (app, name) in [(&a.app, "__Host-id"), (&b.app, "app")] {
        let mut browser = Browser::new();
        let login = browser.log_in(app, "alice").await.cookies();
        let logout = browser.post(app, "/logout").await.is(204).cookies();
        assert_eq!(login.len(), 2);
        for (set, removed) in login.iter().zip(&logout) {
            assert!(
                set.name.starts_with(name) && removed.removes(),
                "{removed:?}"
            );
            assert_eq!((&set.name, look(set)), (&removed.name, look(removed)));
        }
        assert_eq!(browser.cookie(name), None);
    }
}

async fn the_application_chooses_how_the_cookie_looks(world: World) {
    let strict = Cookie::new()
        .name("__Secure-shop")
        .path("/shop")
        .domain("example.com");
    let strict = strict.same_site(SameSite::Strict);
    let a = world.configured(|b| b.transport(strict)).await;
    let cookies = Browser::new().log_in(&a.app, "alice").await.cookies();
    assert_eq!(cookies[0].name, "__Secure-shop");
    assert_eq!(cookies[1].name, "__Secure-shop-rev");
    let look_of = look(&cookies[0]);
    let domain = "domain=example.com";
    assert_eq!(
        look_of,
        [
            domain,
            "httponly=",
            "path=/shop",
            "samesite=Strict",
            "secure="
        ]
    );

    let b = world.configured(|b| b.insecure_development_cookie()).await;
    let cookies = Browser::new().log_in(&b.app, "alice").await.cookies();
    assert_eq!(cookies[0].name, "id");
    assert_eq!(look(&cookies[0]), ["httponly=", "path=/", "samesite=Lax"]);
}

/// It says nothing of user or payload, not even by its length.
async fn every_id_looks_alike(world: World) {
    let a = world.instance().await;
    let long = "x".repeat(250);
    let mut lines = Vec::new();
    for user in ["a", "alice", &long] {
        let mut browser = Browser::new();
        browser.put(&a.app, "/attr/k", &long).await.is(200);
        let login = browser.log_in(&a.app, user).await;
        lines.extend(
            login.header("set-cookie")[..1]
                .iter()
                .map(|line| line.len()),
        );
        let id = browser.id().unwrap();
        assert!(
            id.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        );
        let all: usize = login
            .header("set-cookie")
            .iter()
            .map(|line| line.len())
            .max()
            .unwrap();
        assert!(all <= 4096, "browsers keep no longer one");
    }
    assert_eq!(lines, [lines[0]; 3]);
}
