//! What a response does with its request's changes: every row of the table, through the layer.

use std::collections::BTreeMap;

use axum::Router;
use axum::routing::post;
use cloakroom::{Key, OnUnavailable, Session};
use http::{Method, StatusCode};

use crate::web::support::{Browser, Instance, Op, World, call, on_both};

on_both!(
    every_row_of_the_table_is_what_happens,
    what_others_ended_meanwhile_takes_no_changes,
);

/// Where the request's session stands, in the words of the table.
const STANDINGS: [&str; 4] = ["none", "known", "superseded", "unreachable"];

const STATUSES: [u16; 7] = [200, 204, 302, 404, 422, 500, 503];

/// What the store is asked at the end of the request.
fn expected(standing: &str, changed: &str, status: u16) -> &'static [Op] {
    match (standing, changed, status) {
        (_, "nothing", _) | (_, _, 500..) => &[],
        ("none", "set", _) => &[Op::Create],
        ("known", ..) => &[Op::Commit],
        _ => &[],
    }
}

/// A browser whose id leads to where the row says.
async fn standing(a: &Instance, what: &str) -> Browser {
    let mut browser = Browser::new();
    if what == "none" {
        return browser;
    }
    browser.put(&a.app, "/answer/200", "there").await.is(200);
    let old = browser.clone();
    if what == "superseded" {
        browser.post(&a.app, "/rotate").await.is(200);
    }
    old
}

async fn every_row_of_the_table_is_what_happens(world: World) {
    let a = world
        .configured(|b| b.on_unavailable(OnUnavailable::Anonymous))
        .await;
    for standing_ in STANDINGS {
        for (method, changed) in [
            (Method::PUT, "set"),
            (Method::DELETE, "removed"),
            (Method::GET, "nothing"),
        ] {
            for status in STATUSES {
                let browser = standing(&a, standing_).await;
                let path = match changed {
                    "removed" => format!("/unanswer/{status}"),
                    "set" => format!("/answer/{status}"),
                    _ => format!("/nothing/{status}"),
                };
                a.store.calls();
                if standing_ == "unreachable" {
                    a.store.refuse(Op::Load);
                }
                let request = browser.request(method.clone(), &path).body("new".into());
                let refused = standing_ == "superseded" && changed != "nothing" && status < 500;
                let status = if refused { 409 } else { status };
                let answer = call(&a.app, request.unwrap()).await.is(status);
                assert_eq!(answer.kind().is_some(), refused, "{answer:?}");
                let mut asked = a.store.calls();
                asked.remove(&Op::Load);
                let plan = expected(standing_, changed, status);
                let plan: BTreeMap<_, _> = plan.iter().map(|op| (*op, 1)).collect();
                assert_eq!(asked, plan, "{standing_}, {changed}, {status}");
                assert_eq!(answer.cookies().is_empty(), plan.is_empty());
                let issued = answer.new_id().is_some();
                assert_eq!(issued, plan.contains_key(&Op::Create));
            }
        }
    }
}

/// The row of a session that this request knew, and that others ended since.
async fn what_others_ended_meanwhile_takes_no_changes(world: World) {
    const ANSWER: Key<String> = Key::new("answer");
    let a = world.instance().await;
    for (changed, status) in ["set", "removed"]
        .iter()
        .flat_map(|c| STATUSES.map(|s| (c, s)))
    {
        let sessions = a.sessions.clone();
        let handler = async move |session: Session| {
            sessions.revoke_user("alice").await.unwrap();
            assert!(!session.reload().await.unwrap());
            match *changed {
                "set" => session.insert(ANSWER, "new").unwrap(),
                _ => session.remove(ANSWER),
            }
            StatusCode::from_u16(status).unwrap()
        };
        let app = Router::new().route("/", post(handler));
        let app = app.layer(a.sessions.layer());
        let mut alice = Browser::new();
        alice.log_in(&a.app, "alice").await;
        a.store.calls();
        let answer = alice.post(&app, "/").await.is(status);
        let asked: Vec<_> = a.store.calls().into_iter().collect();
        assert_eq!(
            asked,
            [(Op::Load, 2), (Op::Revoke, 1)],
            "{changed}, {status}"
        );
        assert_eq!(answer.new_id(), None);
        assert_eq!(world.live().await, 0);
    }
}

/// The cells of the tables in these docs that begin with this head.
fn tables(source: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut inside = false;
    for line in source.lines() {
        let line = line.trim_start_matches("//!").trim();
        inside = line.starts_with('|') && (inside || line.contains("the request's session |"));
        if inside {
            let cells = line
                .trim_matches('|')
                .split('|')
                .map(|cell| cell.trim().to_owned());
            rows.push(cells.collect());
        }
    }
    rows
}

/// The table stands twice: where users read it, and where it is decided, with the reasons.
#[test]
fn both_tables_say_the_same() {
    let decided = tables(include_str!("../../crates/cloakroom-tower/src/decide.rs"));
    let told = tables(include_str!("../../crates/cloakroom-tower/src/lib.rs"));
    let by_standing = |rows: &[Vec<String>]| {
        let mut plans = BTreeMap::new();
        for row in &rows[2..] {
            let plan = row[3].split(':').next().unwrap().to_owned();
            for standing in row[0].split(" or ") {
                plans.insert(
                    (standing.to_owned(), row[1].clone(), row[2].clone()),
                    plan.clone(),
                );
            }
        }
        plans
    };
    let (decided, told) = (by_standing(&decided), by_standing(&told));
    assert_eq!(decided.len(), 8, "{decided:?}");
    assert_eq!(decided, told);
    for standing in STANDINGS.into_iter().chain(["ended"]) {
        assert!(
            decided.keys().any(|(s, ..)| s == standing),
            "{standing} has no row"
        );
    }
}
