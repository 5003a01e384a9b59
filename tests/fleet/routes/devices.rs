//! Where a user is logged in.

use serde_json::Value;

use crate::fleet::support::{Browser, Fleet, check_members};

async fn log_in(fleet: &Fleet, user: &str, device: &str) -> Browser {
    let browser = Browser::new(&fleet.url);
    let form = [("user", user), ("device", device)];
    browser.post("/login", &form).await.is(200);
    browser
}

async fn list(browser: &Browser) -> Vec<Value> {
    let list = browser.get("/devices").await.is(200).json();
    list.as_array().unwrap().clone()
}

fn handle<'a>(list: &'a [Value], device: &str) -> &'a str {
    let row = list.iter().find(|row| row["device"] == device).unwrap();
    row["handle"].as_str().unwrap()
}

#[tokio::test]
async fn devices_lists_the_users_live_sessions() {
    let fleet = Fleet::start().await;
    let phone = log_in(&fleet, "alice", "phone").await;
    let _laptop = log_in(&fleet, "alice", "laptop").await;
    let _other = log_in(&fleet, "bob", "tablet").await;
    let devices = list(&phone).await;
    let members = ["handle", "device", "created_at", "last_seen", "current"];
    for row in &devices {
        check_members(row, &members);
        let id = phone.id().unwrap();
        assert!(
            !id.contains(row["handle"].as_str().unwrap()),
            "no part of the secret"
        );
    }
    let mut seen: Vec<_> = devices
        .iter()
        .map(|row| {
            (
                row["device"].as_str().unwrap(),
                row["current"].as_bool().unwrap(),
            )
        })
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, [("laptop", false), ("phone", true)]);
    Browser::new(&fleet.url).get("/devices").await.is(401);
}

#[tokio::test]
async fn a_device_is_revoked_by_its_handle() {
    let fleet = Fleet::start().await;
    let phone = log_in(&fleet, "alice", "phone").await;
    let laptop = log_in(&fleet, "alice", "laptop").await;
    let devices = list(&phone).await;
    let path = format!("/devices/{}", handle(&devices, "laptop"));
    phone.delete(&path).await.is(204);
    assert_eq!(laptop.user().await, None);
    assert_eq!(phone.user().await.as_deref(), Some("alice"));
    phone.delete(&path).await.is(404);
    assert_eq!(list(&phone).await.len(), 1);
}

#[tokio::test]
async fn ones_own_device_can_be_revoked_and_takes_its_cookie_along() {
    let fleet = Fleet::start().await;
    let phone = log_in(&fleet, "alice", "phone").await;
    let path = format!("/devices/{}", handle(&list(&phone).await, "phone"));
    let answer = phone.delete(&path).await.is(204);
    assert_eq!(answer.new_id(), Some(""));
    assert_eq!(phone.user().await, None);
}

#[tokio::test]
async fn another_users_handle_is_not_found() {
    let fleet = Fleet::start().await;
    let alice = log_in(&fleet, "alice", "phone").await;
    let bob = log_in(&fleet, "bob", "tablet").await;
    let path = format!("/devices/{}", handle(&list(&alice).await, "phone"));
    bob.delete(&path).await.is(404).complains("no such device");
    assert_eq!(alice.user().await.as_deref(), Some("alice"));
    bob.delete("/devices/nonsense").await.is(404);
    bob.delete(&format!("/devices/{}", "A".repeat(300)))
        .await
        .is(404);
    Browser::new(&fleet.url).delete(&path).await.is(401);
}
