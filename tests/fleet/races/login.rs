//! Requests with the old cookie around a login, and many logins at once.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::Value;

use super::rounds;
use crate::fleet::support::{Answer, Browser, Nodes, fetch};

/// An anonymous session logs in on one node while others are asked with its old cookie.
struct Round<'a> {
    fleet: &'a Nodes,
    browser: &'a Browser,
    number: usize,
    old: String,
}

impl<'a> Round<'a> {
    async fn begin(fleet: &'a Nodes, browser: &'a Browser, number: usize) -> Self {
        let first = browser.at(fleet.url(number)).request(Method::POST, "/cart");
        let first = fetch(first.form(&[("item", "first")])).await.is(200);
        Self {
            fleet,
            browser,
            number,
            old: first.new_id().unwrap().to_owned(),
        }
    }

    async fn ask(&self, turn: usize, id: &str, method: Method, path: &str) -> Answer {
        let browser = self.browser.at(self.fleet.url(self.number + turn));
        fetch(browser.with_id(method, path, id)).await
    }

    async fn add(&self, turn: usize, item: &str) -> Option<String> {
        let browser = self.browser.at(self.fleet.url(self.number + turn));
        let request = browser.with_id(Method::POST, "/cart", &self.old);
        let answer = fetch(request.form(&[("item", item)])).await;
        self.leaves_the_cookie_alone(&answer);
        (answer.status == 200).then(|| item.to_owned())
    }

    async fn log_in(&self) -> String {
        let browser = self.browser.at(self.fleet.url(self.number));
        let login = browser.with_id(Method::POST, "/login", &self.old);
        let user = format!("user-{}", self.number);
        let login = fetch(login.form(&[("user", &user)])).await.is(200);
        login.new_id().unwrap().to_owned()
    }

    /// Whenever this answer arrives, the browser may hold the new cookie already.
    fn leaves_the_cookie_alone(&self, answer: &Answer) {
        assert!(answer.status < 500, "round {}: {answer:?}", self.number);
        assert_eq!(answer.new_id(), None, "round {}: {answer:?}", self.number);
    }

    /// All at once; returns the new id, and the items that were acknowledged.
    async fn overlap(&self) -> (String, Vec<String>) {
        let old = self.old.as_str();
        let items = join_all((0..4).map(async |n| self.add(n, &format!("item {n}")).await));
        let (new, items, cart, count, put, slow) = tokio::join!(
            self.log_in(),
            items,
            self.ask(1, old, Method::GET, "/cart"),
            self.ask(2, old, Method::POST, "/counter"),
            self.ask(1, old, Method::PUT, "/attr/k"),
            self.ask(2, old, Method::POST, "/slow?ms=10&key=late&value=write"),
        );
        for answer in [cart, count, put, slow] {
            self.leaves_the_cookie_alone(&answer);
        }
        (new, items.into_iter().flatten().collect())
    }

    /// Returns how many of the overlapping writes were acknowledged.
    async fn run(self) -> usize {
        let (new, items) = self.overlap().await;
        assert_ne!(new, self.old);
        for turn in 0..3 {
            let late = self.ask(turn, &self.old, Method::GET, "/me").await;
            assert_eq!(late.status, 401, "the old id is logged in: {late:?}");
            self.leaves_the_cookie_alone(&late);
            assert_eq!(
                self.add(turn, "too late").await,
                None,
                "nobody sees it again"
            );
            let me = self.ask(turn, &new, Method::GET, "/me").await.is(200);
            assert_eq!(me.json()["user"], format!("user-{}", self.number));
        }
        let cart = self.ask(1, &new, Method::GET, "/cart").await.is(200).json();
        let cart: Vec<_> = cart["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(Value::as_str)
            .collect();
        assert!(cart.contains(&Some("first")), "{cart:?}");
        for item in &items {
            assert!(
                cart.contains(&Some(item)),
                "{item} of {items:?} is lost: {cart:?}"
            );
        }
        items.len()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_old_cookie_harms_nobody_around_a_login() {
    let fleet = Nodes::three().await;
    let browser = Browser::without_jar("");
    let kept = rounds(4, async |number| {
        Round::begin(&fleet, &browser, number).await.run().await
    });
    let kept: Vec<_> = kept.await;
    println!(
        "{} logins with 8 requests around each: {} of {} overlapping appends acknowledged, all kept",
        kept.len(),
        kept.iter().sum::<usize>(),
        kept.len() * 4
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_logins_at_once_leave_five() {
    let fleet = Nodes::three().await;
    let browser = Browser::without_jar("");
    let ids = join_all((0..200).map(async |turn| {
        let login = browser.at(fleet.url(turn)).request(Method::POST, "/login");
        let login = fetch(login.form(&[("user", "alice")])).await.is(200);
        login.new_id().unwrap().to_owned()
    }))
    .await;
    for node in &fleet.nodes {
        let browser = browser.at(&node.url);
        let alive = join_all(ids.iter().map(async |id| {
            let me = fetch(browser.with_id(Method::GET, "/me", id)).await;
            assert!([200, 401].contains(&me.status), "{me:?}");
            usize::from(me.status == 200)
        }));
        assert_eq!(alive.await.iter().sum::<usize>(), 5, "{}", node.url);
    }
}
