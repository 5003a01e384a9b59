//! Writes of one session at once: none is lost.

use http::Method;

use super::{ROUNDS, anonymous};
use crate::web::support::{Instance, World, at_once, call, on_both};

on_both!(
    sixty_four_updates_at_once_give_sixty_four,
    fifty_attributes_at_once_all_survive,
    removals_and_writes_at_once_keep_to_their_attributes,
);

async fn sixty_four_updates_at_once_give_sixty_four(world: World) {
    let instances: [Instance; 4] = world.instances().await;
    for _ in 0..ROUNDS {
        let browser = anonymous(&instances[0]).await;
        let counts = at_once(64, |turn| {
            let (mut browser, app) = (browser.clone(), instances[turn % 4].app.clone());
            async move { browser.post(&app, "/counter").await.is(200).text }
        });
        let counts = counts.await;
        let mut counts: Vec<u64> = counts.iter().map(|count| count.parse().unwrap()).collect();
        counts.sort_unstable();
        assert_eq!(counts, (1..=64).collect::<Vec<_>>());
        let last = browser.clone().post(&instances[1].app, "/counter").await;
        assert_eq!(last.text, "65");
    }
    let stats = instances.iter().map(|instance| instance.sessions.stats());
    let (commits, conflicts) = stats.fold((0, 0), |(a, b), s| (a + s.commits, b + s.conflicts));
    assert_eq!(commits, ROUNDS as u64 * 65);
    println!("{commits} updates, {conflicts} conflicts");
}

async fn fifty_attributes_at_once_all_survive(world: World) {
    let instances: [Instance; 4] = world.instances().await;
    for round in 0..ROUNDS {
        let browser = anonymous(&instances[0]).await;
        let read = if round % 2 == 0 { "attr" } else { "lazy" };
        at_once(50, |turn| {
            let (mut browser, app) = (browser.clone(), instances[turn % 4].app.clone());
            let path = format!("/{read}/key-{turn}");
            async move { browser.put(&app, &path, &path).await.is(200) }
        })
        .await;
        let values = at_once(50, |turn| {
            let (mut browser, app) = (browser.clone(), instances[(turn + 1) % 4].app.clone());
            async move { browser.attr(&app, &format!("key-{turn}")).await }
        });
        for (turn, value) in values.await.into_iter().enumerate() {
            assert_eq!(value, Some(format!("/{read}/key-{turn}")));
        }
        let first = browser.clone().attr(&instances[3].app, "first").await;
        assert_eq!(first.as_deref(), Some("first"));
    }
}

async fn removals_and_writes_at_once_keep_to_their_attributes(world: World) {
    let [a, b] = world.instances().await;
    for _ in 0..ROUNDS {
        let mut browser = anonymous(&a).await;
        for n in 0..8 {
            browser
                .put(&a.app, &format!("/attr/old-{n}"), "old")
                .await
                .is(200);
        }
        at_once(24, |turn| {
            let n = turn % 8;
            let app = if turn % 2 == 0 { &a.app } else { &b.app }.clone();
            let (method, path) = match turn / 8 {
                0 => (Method::DELETE, format!("/attr/old-{n}")),
                1 => (Method::PUT, format!("/attr/new-{n}")),
                _ => (Method::POST, format!("/append/list/{n}")),
            };
            let request = browser.request(method, &path).body("new".into()).unwrap();
            async move { call(&app, request).await.is(200) }
        })
        .await;
        for n in 0..8 {
            assert_eq!(browser.attr(&a.app, &format!("old-{n}")).await, None);
            let new = browser.attr(&b.app, &format!("new-{n}")).await;
            assert_eq!(new.as_deref(), Some("new"));
        }
        let list = browser.post(&b.app, "/append/list/end").await.is(200).text;
        let mut list: Vec<String> = serde_json::from_str(&list).unwrap();
        list.sort_unstable();
        assert_eq!(list, ["0", "1", "2", "3", "4", "5", "6", "7", "end"]);
    }
}
