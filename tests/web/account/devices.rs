//! Listing and ending an account's sessions.

use cloakroom::{ErrorKind, Handle};
use time::Duration;

use crate::web::support::{Browser, Instance, World, on_both};

on_both!(
    a_list_shows_every_device_on_every_instance,
    one_device_is_revoked_from_another,
    a_handle_of_another_user_is_nobody_s,
    all_others_are_revoked_and_this_one_stays,
    all_are_revoked,
    revoking_others_needs_a_login,
    what_expired_is_not_listed,
);

/// Logs in from these devices.
async fn devices<const N: usize>(
    instance: &Instance,
    user: &str,
    names: [&str; N],
) -> [Browser; N] {
    let mut browsers = names.map(|_| Browser::new());
    for (browser, name) in browsers.iter_mut().zip(names) {
        let path = format!("/login/{user}?device={name}");
        browser.post(&instance.app, &path).await.is(200);
    }
    browsers
}

async fn handle(instance: &Instance, browser: &mut Browser) -> Handle {
    let info = browser.info(&instance.app).await;
    info["handle"].as_str().unwrap().parse().unwrap()
}

async fn a_list_shows_every_device_on_every_instance(world: World) {
    let [a, b] = world.instances().await;
    let mut browsers = devices(&a, "alice", ["phone", "laptop", "tv"]).await;
    devices(&a, "bob", ["phone"]).await;
    let listed = b.sessions.list("alice").await.unwrap();
    let names: Vec<_> = listed
        .iter()
        .map(|device| device.device.as_deref().unwrap())
        .collect();
    assert_eq!(names, ["phone", "laptop", "tv"], "by time of login");
    for (browser, device) in browsers.iter_mut().zip(&listed) {
        let info = browser.info(&b.app).await;
        assert_eq!(info["handle"], device.handle.to_string());
        let created = device.created_at.unix_timestamp_nanos() / 1_000_000;
        assert_eq!(info["created_at"].as_i64().unwrap(), created as i64);
        assert_eq!(device.authenticated_at, device.created_at);
        assert!(device.last_seen >= device.created_at && !device.remembered);
        assert!(!format!("{device:?}").contains(browser.id().unwrap()));
    }
    assert_eq!(b.sessions.list("nobody").await.unwrap(), []);
}

async fn one_device_is_revoked_from_another(world: World) {
    let [a, b] = world.instances().await;
    let [mut phone, mut laptop] = devices(&a, "alice", ["phone", "laptop"]).await;
    let gone = handle(&a, &mut phone).await;
    assert!(b.sessions.revoke("alice", &gone).await.unwrap());
    for instance in [&a, &b] {
        assert_eq!(phone.user(&instance.app).await, None);
        assert_eq!(laptop.user(&instance.app).await.as_deref(), Some("alice"));
    }
    assert!(
        !b.sessions.revoke("alice", &gone).await.unwrap(),
        "it has ended already"
    );
    assert_eq!(a.sessions.list("alice").await.unwrap().len(), 1);
    assert_eq!(b.sessions.stats().revoked, 1);
}

async fn a_handle_of_another_user_is_nobody_s(world: World) {
    let [a, b] = world.instances().await;
    let [mut alice] = devices(&a, "alice", ["phone"]).await;
    let [mut bob] = devices(&a, "bob", ["phone"]).await;
    let handle = handle(&a, &mut alice).await;
    for user in ["bob", "mallory"] {
        assert!(!b.sessions.revoke(user, &handle).await.unwrap());
    }
    assert_eq!(alice.user(&a.app).await.as_deref(), Some("alice"));
    assert_eq!(bob.user(&a.app).await.as_deref(), Some("bob"));
    let error = b.sessions.revoke("", &handle).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

async fn all_others_are_revoked_and_this_one_stays(world: World) {
    let [a, b] = world.instances().await;
    let [mut phone, mut laptop, mut tv] = devices(&a, "alice", ["phone", "laptop", "tv"]).await;
    let [mut bob] = devices(&a, "bob", ["phone"]).await;
    // It is still this one after its id was rotated.
    laptop.post(&b.app, "/rotate").await.is(200);
    assert_eq!(laptop.post(&b.app, "/others").await.is(200).text, "2");
    assert_eq!(laptop.post(&a.app, "/others").await.is(200).text, "0");
    for gone in [&mut phone, &mut tv] {
        assert_eq!(gone.user(&a.app).await, None);
    }
    assert_eq!(laptop.user(&a.app).await.as_deref(), Some("alice"));
    assert_eq!(bob.user(&a.app).await.as_deref(), Some("bob"));
}

async fn all_are_revoked(world: World) {
    let [a, b] = world.instances().await;
    let mut all = devices(&a, "alice", ["phone", "laptop", "tv"]).await;
    let [mut bob] = devices(&a, "bob", ["phone"]).await;
    assert_eq!(b.sessions.revoke_user("alice").await.unwrap(), 3);
    assert_eq!(b.sessions.revoke_user("alice").await.unwrap(), 0);
    for browser in &mut all {
        assert_eq!(browser.user(&a.app).await, None);
    }
    assert_eq!(bob.user(&a.app).await.as_deref(), Some("bob"));
    // Whoever logs in later is not touched.
    let [mut again] = devices(&a, "alice", ["phone"]).await;
    assert_eq!(again.user(&b.app).await.as_deref(), Some("alice"));
    assert_eq!(world.live().await, 2);
}

async fn revoking_others_needs_a_login(world: World) {
    let a = world.instance().await;
    let mut browser = Browser::new();
    let nobody = browser.post(&a.app, "/others").await.is(401);
    assert_eq!(nobody.kind(), Some(ErrorKind::Gone));
    browser.put(&a.app, "/attr/k", "v").await.is(200);
    let anonymous = browser.post(&a.app, "/others").await.is(400);
    assert_eq!(anonymous.kind(), Some(ErrorKind::Invalid));
}

async fn what_expired_is_not_listed(world: World) {
    let a = world.instance().await;
    let [_phone, mut laptop] = devices(&a, "alice", ["phone", "laptop"]).await;
    world.pass(Duration::minutes(20)).await;
    laptop.put(&a.app, "/attr/k", "used").await.is(200);
    world.pass(Duration::minutes(20)).await;
    let listed = a.sessions.list("alice").await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].device.as_deref(), Some("laptop"));
    world.pass(Duration::minutes(20)).await;
    assert_eq!(a.sessions.list("alice").await.unwrap(), []);
}
