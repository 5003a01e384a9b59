//! Settings that can't be are refused at the start, with what must be changed.

use cloakroom::{
    Cookie, Error, ErrorKind, Header, MemoryStore, SameSite, Sessions, SessionsBuilder,
};
use time::Duration;

type Builder = SessionsBuilder;

fn cookie(builder: Builder, looks: impl FnOnce(Cookie) -> Cookie) -> Builder {
    builder.transport(looks(Cookie::new()))
}

async fn refusal(with: impl FnOnce(Builder) -> Builder) -> Error {
    let built = with(Sessions::builder(MemoryStore::new())).build().await;
    built.expect_err("this can't be")
}

/// Each is refused with a message that holds this part.
async fn refused(part: &str, with: impl FnOnce(Builder) -> Builder) {
    let error = refusal(with).await;
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains(part), "{part}: {error}");
}

#[tokio::test]
async fn cookies_that_browsers_would_refuse() {
    refused("no domain", |b| cookie(b, |c| c.domain("example.com"))).await;
    refused("the path /", |b| cookie(b, |c| c.path("/shop"))).await;
    let named = |name: &'static str| move |b| b_insecure(b, name);
    refused("secure", named("__Host-id")).await;
    refused("secure", named("__Secure-id")).await;
    // Browsers know the two prefixes in whatever case.
    refused("no domain", |b| {
        cookie(b, |c| c.name("__HOST-id").domain("example.com"))
    })
    .await;
    refused("secure", named("__secure-id")).await;
    let open = Cookie::insecure_development().same_site(SameSite::None);
    refused("SameSite=None", |b| b.transport(open)).await;
}

fn b_insecure(builder: Builder, name: &'static str) -> Builder {
    builder.transport(Cookie::insecure_development().name(name))
}

#[tokio::test]
async fn cookies_that_are_no_cookies() {
    for name in ["", "a b", "a=b", "a;b", "a\r\nb", "é", "a\0"] {
        refused("name", |b| cookie(b, |c| c.name(name))).await;
    }
    for path in ["", "shop", "/a;b", "/a\r\nSet-Cookie: x=y", "/é"] {
        refused("path", |b| cookie(b, |c| c.name("id").path(path))).await;
    }
    for domain in ["", "a;b", "a\nb"] {
        refused("domain", |b| cookie(b, |c| c.name("id").domain(domain))).await;
    }
    let long = "x".repeat(1025);
    refused("1024", |b| cookie(b, |c| c.name(long.clone()))).await;
    refused("1024", |b| {
        cookie(b, |c| c.name("id").path(format!("/{long}")))
    })
    .await;
}

#[tokio::test]
async fn limits_of_time_that_end_every_session_or_none() {
    let (zero, day) = (Duration::ZERO, Duration::DAY);
    refused("idle timeout", |b| b.idle_timeout(zero)).await;
    refused("idle timeout", |b| b.idle_timeout(-day)).await;
    refused("idle timeout", |b| b.remembered_for(zero, day)).await;
    refused("absolute timeout", |b| b.absolute_timeout(zero)).await;
    refused("absolute timeout", |b| b.absolute_timeout(Duration::MINUTE)).await;
    refused("absolute timeout", |b| {
        b.remembered_for(day, Duration::HOUR)
    })
    .await;
    refused("100 years", |b| b.absolute_timeout(Duration::MAX)).await;
    refused("100 years", |b| b.remembered_for(day, Duration::MAX)).await;
}

#[tokio::test]
async fn touches_that_would_come_too_late() {
    let half = Duration::minutes(15);
    let interval = |interval| move |b: Builder| b.touch_interval(interval);
    refused("touch interval", interval(half + Duration::SECOND)).await;
    refused("touch interval", interval(-Duration::SECOND)).await;
    // A remembered session with the shorter window needs them too.
    let remembered = Duration::minutes(10);
    refused("touch interval", |b| {
        interval(half)(b).remembered_for(remembered, Duration::DAY)
    })
    .await;
    let builder = Sessions::builder(MemoryStore::new());
    interval(half)(builder).build().await.unwrap();
}

#[tokio::test]
async fn numbers_that_allow_nothing() {
    refused("at least one session", |b| b.max_sessions_per_user(0)).await;
    refused("at least 1 byte", |b| b.max_size(0)).await;
}

#[tokio::test]
async fn headers_that_are_no_headers() {
    for name in ["", "a b", "a:b", "a\r\nb", "é"] {
        let error = Header::new(name).unwrap_err();
        assert_eq!(
            cloakroom::Error::from(error).kind(),
            ErrorKind::Config,
            "{name}"
        );
    }
}
