//! Atomic changes of one attribute.

use axum::Router;
use axum::routing::post;
use cloakroom::{ErrorKind, Key, Session};

use crate::web::support::{Browser, Instance, Op, World, on_both};

on_both!(
    it_begins_with_the_default_and_goes_on_from_what_is_there,
    what_does_not_decode_is_an_error_and_stays,
    what_changes_nothing_writes_nothing,
    it_builds_on_the_request_s_own_changes,
    it_goes_again_when_others_were_faster,
    it_leaves_other_attributes_and_changes_alone,
    a_session_that_ended_or_moved_on_is_an_error,
    it_counts_whatever_the_status,
    a_request_s_own_updates_at_once_all_count,
);

const COUNT: Key<u64> = Key::new("count");

fn app<H, T>(instance: &Instance, handler: H) -> Router
where
    H: axum::handler::Handler<T, ()>,
    T: 'static,
{
    let app = Router::new().route("/", post(handler));
    app.layer(instance.sessions.layer())
}

async fn it_begins_with_the_default_and_goes_on_from_what_is_there(world: World) {
    let [a, b] = world.instances().await;
    let mut browser = Browser::new();
    for n in 1..=3 {
        let count = browser.post(&a.app, "/counter").await.is(200).text;
        assert_eq!(count, (2 * n - 1).to_string());
        let count = browser.post(&b.app, "/counter").await.is(200).text;
        assert_eq!(count, (2 * n).to_string());
    }
}

async fn what_does_not_decode_is_an_error_and_stays(world: World) {
    let a = world.instance().await;
    let mut browser = Browser::new();
    browser
        .put(&a.app, "/attr/count", "not a number")
        .await
        .is(200);
    a.store.calls();
    let answer = browser.post(&a.app, "/counter").await.is(500);
    assert_eq!(answer.kind(), Some(ErrorKind::Decode));
    assert!(!a.store.calls().contains_key(&Op::Commit));
    let held = browser.attr(&a.app, "count").await;
    assert_eq!(held.as_deref(), Some("not a number"));
}

async fn what_changes_nothing_writes_nothing(world: World) {
    let a = world.instance().await;
    let same = app(&a, async |session: Session| {
        let count = session.update(COUNT, |count| *count = 7).await?;
        cloakroom::Result::<_>::Ok(count.to_string())
    });
    let mut browser = Browser::new();
    browser.post(&same, "/").await.is(200);
    a.store.calls();
    let again = browser.post(&same, "/").await.is(200);
    assert_eq!((again.text.as_str(), again.cookies().len()), ("7", 0));
    assert_eq!(
        a.store.calls().into_iter().collect::<Vec<_>>(),
        [(Op::Load, 1)]
    );
}

async fn it_builds_on_the_request_s_own_changes(world: World) {
    let a = world.instance().await;
    let pending = app(&a, async |session: Session| {
        session.insert(COUNT, &10)?;
        let eleven = session.update(COUNT, |count| *count += 1).await?;
        session.remove(COUNT);
        let one = session.update(COUNT, |count| *count += 1).await?;
        session.insert(COUNT, &20)?;
        cloakroom::Result::<_>::Ok(format!("{eleven} {one}"))
    });
    let mut browser = Browser::new();
    for _ in 0..2 {
        assert_eq!(browser.post(&pending, "/").await.is(200).text, "11 1");
        let next = browser.post(&a.app, "/counter").await.is(200).text;
        assert_eq!(next, "21", "what was set last is what the request leaves");
    }
}

/// Another instance writes between this one's load and its write.
async fn it_goes_again_when_others_were_faster(world: World) {
    let [a, b] = world.instances().await;
    let mut browser = Browser::new();
    browser.post(&a.app, "/counter").await.is(200);
    let mut other = browser.clone();
    let gate = a.store.hold(Op::Commit);
    let faster = async {
        gate.reached().await;
        other.post(&b.app, "/counter").await.is(200);
        gate.open();
    };
    let (answer, ()) = tokio::join!(browser.post(&a.app, "/counter"), faster);
    assert_eq!(answer.is(200).text, "3");
    assert_eq!(a.sessions.stats().conflicts, 1);
}

async fn it_leaves_other_attributes_and_changes_alone(world: World) {
    const NAME: Key<String> = Key::new("name");
    let [a, b] = world.instances().await;
    let both = app(&a, async |session: Session| {
        session.insert(NAME, "pending")?;
        session.update(COUNT, |count| *count += 1).await?;
        cloakroom::Result::<_>::Ok(())
    });
    let mut browser = Browser::new();
    browser.put(&b.app, "/attr/other", "other").await.is(200);
    a.store.calls();
    browser.post(&both, "/").await.is(200);
    assert_eq!(
        a.store.calls()[&Op::Commit],
        2,
        "one at once, one at the end"
    );
    assert_eq!(
        browser.attr(&b.app, "other").await.as_deref(),
        Some("other")
    );
    assert_eq!(
        browser.attr(&b.app, "name").await.as_deref(),
        Some("pending")
    );
}

async fn a_session_that_ended_or_moved_on_is_an_error(world: World) {
    let [a, b] = world.instances().await;
    let ways = [
        ("/logout", 401, ErrorKind::Gone),
        ("/rotate", 409, ErrorKind::Superseded),
    ];
    for (way, status, kind) in ways {
        let mut browser = Browser::new();
        browser.post(&a.app, "/counter").await.is(200);
        let mut other = browser.clone();
        let gate = a.store.hold(Op::Commit);
        let end = async {
            gate.reached().await;
            assert!(other.post(&b.app, way).await.status.is_success());
            gate.open();
        };
        let (answer, ()) = tokio::join!(browser.post(&a.app, "/counter"), end);
        let answer = answer.is(status);
        assert_eq!(answer.kind(), Some(kind));
        // The client may have a newer cookie by now, which must stay.
        assert!(answer.cookies().is_empty());
    }
}

async fn it_counts_whatever_the_status(world: World) {
    let a = world.instance().await;
    let fails = app(&a, async |session: Session| {
        session.update(COUNT, |count| *count += 1).await?;
        cloakroom::Result::<_>::Ok(http::StatusCode::INTERNAL_SERVER_ERROR)
    });
    let mut browser = Browser::new();
    browser.post(&fails, "/").await.is(500);
    assert_eq!(world.live().await, 0, "there was no session to update");
    browser.post(&a.app, "/counter").await.is(200);
    let failed = browser.post(&fails, "/").await.is(500);
    assert!(failed.revision_cookie().is_some(), "the client is told");
    assert_eq!(browser.post(&a.app, "/counter").await.is(200).text, "3");
}

async fn a_request_s_own_updates_at_once_all_count(world: World) {
    let a = world.instance().await;
    let many = app(&a, async |session: Session| {
        let updates = (0..10).map(|_| session.update(COUNT, |count| *count += 1));
        let counts = futures_util::future::try_join_all(updates).await?;
        cloakroom::Result::<_>::Ok(counts.into_iter().max().unwrap().to_string())
    });
    let mut browser = Browser::new();
    assert_eq!(browser.post(&many, "/").await.is(200).text, "10");
    assert_eq!(browser.post(&many, "/").await.is(200).text, "20");
    assert_eq!(a.sessions.stats().conflicts, 0, "they take turns");
}
