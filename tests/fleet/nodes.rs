//! Separate processes over one Redis.

use crate::fleet::support::{Browser, Events, Nodes};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_on_one_is_a_login_on_all_until_any_ends_it() {
    let fleet = Nodes::three().await;
    let alice = Browser::new("");
    alice.at(fleet.url(0)).log_in("alice").await;
    let me = alice.at(fleet.url(1)).get("/me").await.is(200).json();
    assert_eq!(me["user"], "alice");
    fleet.all_say(&alice, "alice").await;
    let id = alice.at(fleet.url(0)).id().unwrap();
    alice.at(fleet.url(2)).post("/logout", &[]).await.is(204);
    fleet.all_say_nobody(&alice).await;
    println!(
        "node 1 /login 200, node 2 /me 200 {}, node 3 /logout 204",
        me["user"]
    );
    for node in &fleet.nodes {
        // The cookie is gone from the jar: a copy of it must not work either.
        let thief = Browser::without_jar(&node.url);
        let me = thief.with_id(reqwest::Method::GET, "/me", &id);
        let status = crate::fleet::support::fetch(me).await.status;
        println!("{} /me {status}", node.url);
        assert_eq!(status, 401);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_oldest_of_six_devices_is_out_on_all() {
    let fleet = Nodes::three().await;
    let devices: Vec<_> = (0..6).map(|_| Browser::new(fleet.url(0))).collect();
    for device in &devices {
        device.log_in("alice").await;
    }
    fleet.all_say_nobody(&devices[0]).await;
    for device in &devices[1..] {
        fleet.all_say(device, "alice").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_is_revoked_by_its_handle_from_another_node() {
    let fleet = Nodes::three().await;
    let (phone, laptop) = (Browser::new(fleet.url(0)), Browser::new(fleet.url(1)));
    phone.log_in("alice").await;
    laptop.log_in("alice").await;
    let list = phone.at(fleet.url(2)).get("/devices").await.is(200).json();
    let other = list.as_array().unwrap().iter();
    let handle = other
        .filter(|row| row["current"] == false)
        .find_map(|row| row["handle"].as_str());
    let path = format!("/devices/{}", handle.unwrap());
    phone.at(fleet.url(1)).delete(&path).await.is(204);
    fleet.all_say_nobody(&laptop).await;
    fleet.all_say(&phone, "alice").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logging_out_everywhere_is_everywhere() {
    let fleet = Nodes::three().await;
    let devices: Vec<_> = (0..3).map(|i| Browser::new(fleet.url(i))).collect();
    for device in &devices {
        device.log_in("alice").await;
    }
    let ended = devices[0]
        .at(fleet.url(1))
        .post("/logout-everywhere", &[])
        .await;
    assert_eq!(ended.is(200).json()["revoked"], 3);
    for device in &devices {
        fleet.all_say_nobody(device).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_stream_ends_when_any_node_ends_its_session() {
    let fleet = Nodes::three().await;
    let (first, second) = (Browser::new(fleet.url(0)), Browser::new(fleet.url(1)));
    first.log_in("alice").await;
    second.log_in("alice").await;
    let (mut by_revoke, mut by_limit) = (Events::open(&second).await, Events::open(&first).await);
    for events in [&mut by_revoke, &mut by_limit] {
        assert_eq!(events.next().await.unwrap().0, "session");
    }
    // From another node than its own; the session of the same browser goes on.
    let others = first.at(fleet.url(2)).post("/logout-others", &[]).await;
    assert_eq!(others.is(200).json()["revoked"], 1);
    assert_eq!(by_revoke.next().await.unwrap().0, "revoked");
    assert_eq!(by_revoke.next().await, None);
    // Five more devices: the oldest session has to go, though nobody named it.
    for device in 0..5 {
        Browser::new(fleet.url(device)).log_in("alice").await;
    }
    assert_eq!(by_limit.next().await.unwrap().0, "revoked");
    assert_eq!(by_limit.next().await, None);
}
