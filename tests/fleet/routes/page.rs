//! The page, and what operators read.

use reqwest::Method;

use crate::fleet::support::{Browser, Fleet, fetch, samples};

#[tokio::test]
async fn the_page_is_html_that_runs_nothing_foreign() {
    let fleet = Fleet::start().await;
    let browser = Browser::new(&fleet.url);
    let page = browser.get("/").await.is(200);
    assert!(
        page.header("content-type")
            .unwrap()
            .starts_with("text/html")
    );
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let text = page.text();
    for inline in [
        "<style", "style=", "onclick", "<script>", "http://", "https://",
    ] {
        assert!(!text.contains(inline), "{inline} in the page");
    }
}

#[tokio::test]
async fn what_the_page_refers_to_is_there() {
    let fleet = Fleet::start().await;
    let browser = Browser::new(&fleet.url);
    let page = browser.get("/").await.is(200);
    let references: Vec<_> = ["src=\"", "href=\""]
        .iter()
        .flat_map(|attribute| page.text().split(attribute).skip(1))
        .filter_map(|rest| rest.split('"').next())
        .filter(|path| !path.starts_with('#'))
        .collect();
    assert!(references.len() >= 2, "{references:?}");
    for path in references {
        let path = format!("/{}", path.trim_start_matches(['.', '/']));
        browser.get(&path).await.is(200);
    }
}

#[tokio::test]
async fn healthz_tells_of_readiness_and_of_the_store() {
    let fleet = Fleet::start().await;
    let health = Browser::new(&fleet.url).get("/healthz").await.is(200);
    let health = health.object(&["ready", "store", "instance", "version"]);
    assert_eq!(
        (&health["ready"], &health["store"]),
        (&true.into(), &"up".into())
    );
}

#[tokio::test]
async fn metrics_are_prometheus_text() {
    let fleet = Fleet::start_with(&["--instances", "1"]).await;
    let browser = Browser::new(&fleet.url);
    browser.log_in("alice").await;
    browser.get("/me").await.is(200);
    browser.get("/no-such-route").await.is(404);
    let metrics = browser.get("/metrics").await.is(200);
    let kind = metrics.header("content-type").unwrap();
    assert!(kind.starts_with("application/openmetrics-text") || kind.starts_with("text/plain"));
    let samples = samples(metrics.text());
    // Health checks are requests too.
    assert!(samples["fleet_requests_total"] >= 3.0, "{samples:?}");
    assert_eq!(samples["cloakroom_created_total"], 1.0, "{samples:?}");
    assert_eq!(samples["cloakroom_store_errors_total"], 0.0, "{samples:?}");
}

#[tokio::test]
async fn an_unknown_route_and_a_wrong_method_are_told_so() {
    let fleet = Fleet::start().await;
    let browser = Browser::new(&fleet.url);
    browser
        .get("/nothing")
        .await
        .is(404)
        .complains("no such route");
    let wrong = fetch(browser.request(Method::DELETE, "/me")).await.is(405);
    wrong.complains("another method");
}
