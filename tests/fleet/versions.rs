//! Two versions of the shop write one session: what each adds survives the other's writes.

use serde_json::{Value, json};

use crate::fleet::support::{Browser, Nodes};

async fn profile(browser: &Browser, url: &str) -> Value {
    browser.at(url).get("/profile").await.is(200).json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_v2_adds_survives_the_writes_of_v1() {
    let fleet = Nodes::start(&["v1", "v2"]).await;
    let (v1, v2) = (fleet.url(0), fleet.url(1));
    let alice = Browser::new(v2);
    alice.log_in("alice").await;
    let recommended = profile(&alice, v2).await["recommended"].clone();
    assert!(recommended.as_array().is_some_and(|list| !list.is_empty()));
    for round in 0..10 {
        let (url, version) = if round % 2 == 0 {
            (v1, "v1")
        } else {
            (v2, "v2")
        };
        let name = format!("alice {round}");
        let renamed = alice.at(url).post("/profile", &[("name", &name)]).await;
        assert_eq!(renamed.is(200).json()["version"], version);
        // The old version shows the field that it doesn't know: so it is in the store.
        let old = profile(&alice, v1).await;
        assert_eq!(old["profile"]["theme"], "sea", "{old}");
        assert_eq!(old["profile"]["name"], name);
        let new = profile(&alice, v2).await;
        assert_eq!(new["profile"]["name"], name);
        assert_eq!(new["profile"]["theme"], "sea");
        assert_eq!(new["recommended"], recommended, "{new}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_versions_write_attributes_of_one_session() {
    let fleet = Nodes::start(&["v1", "v2"]).await;
    let alice = Browser::new(fleet.url(0));
    alice.log_in("alice").await;
    assert_eq!(
        profile(&alice, fleet.url(0)).await["profile"]["theme"],
        Value::Null
    );
    for n in 1..=10 {
        let counted = alice.at(fleet.url(n)).post("/counter", &[]).await.is(200);
        assert_eq!(counted.json()["n"], n);
        let item = n.to_string();
        alice
            .at(fleet.url(n))
            .post("/cart", &[("item", &item)])
            .await
            .is(200);
        alice
            .at(fleet.url(n))
            .put(&format!("/attr/{n}"), &item)
            .await
            .is(204);
    }
    let items: Vec<_> = (1..=10).map(|n| n.to_string()).collect();
    for url in [fleet.url(0), fleet.url(1)] {
        let alice = alice.at(url);
        assert_eq!(alice.get("/cart").await.json()["items"], json!(items));
        for n in &items {
            assert_eq!(alice.get(&format!("/attr/{n}")).await.is(200).text(), n);
        }
    }
    // The login counts on whichever version it happens.
    alice.at(fleet.url(1)).log_in("alice").await;
    let shown = profile(&alice, fleet.url(0)).await;
    assert_eq!(shown["profile"]["logins"], 2, "{shown}");
    assert_eq!(shown["profile"]["theme"], "sea", "{shown}");
}
