//! The stream that tells a page that it was logged out elsewhere.

use std::time::{Duration, Instant};

use crate::fleet::support::{Browser, Events, Fleet};

#[tokio::test]
async fn events_end_when_the_session_is_revoked_elsewhere() {
    let fleet = Fleet::start().await;
    let (phone, laptop) = (Browser::new(&fleet.url), Browser::new(&fleet.url));
    phone.log_in("alice").await;
    laptop.log_in("alice").await;
    let mut events = Events::open(&phone).await;
    let (name, data) = events.next().await.unwrap();
    assert!(
        name == "session" && data.contains("\"alice\""),
        "{name} {data}"
    );

    let revoked_at = Instant::now();
    laptop.post("/logout-others", &[]).await.is(200);
    let (name, _) = events.next().await.unwrap();
    let took = revoked_at.elapsed();
    assert_eq!(name, "revoked");
    assert_eq!(events.next().await, None, "the stream has ended");
    println!("event: revoked came {took:?} after the revocation");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn nobody_has_no_events() {
    let fleet = Fleet::start().await;
    Browser::new(&fleet.url).get("/events").await.is(401);
}
