//! What a check costs in the process, without sockets.

use crate::{Table, median};
use axum::{Json, Router, body::Body, http::Request, response::Response, routing::get};
use cloakroom::jwt::{KeyRing, RevocationCheck, SigningKey, Standing};
use http_body_util::BodyExt as _;
use jwt_shop::{Answer, Failure, open, sessions, tokens};
use std::time::Instant;
use tower::ServiceExt as _;

const ROUNDS: usize = 41;
const TIMES: usize = 300;

pub(crate) async fn measure(url: &str, table: &mut Table) -> Result<(), Failure> {
    let own = sessions::sessions(open(url).await?).await?;
    let ring = KeyRing::new(SigningKey::generate()?);
    let service = tokens::service(open(url).await?, &ring).await?;
    // Until their channels are proven.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let bare = Router::new().route("/me", get(async || Json("{\"user\":\"alice\"}")));
    let apps = [
        bare,
        sessions::router(&own),
        tokens::router(service.clone()),
    ];
    let mut headers = vec![String::from("x: y")];
    headers.push(log_in(&apps[1]).await?.cookie());
    let login = log_in(&apps[2]).await?.authorization();
    let token = login
        .trim_start_matches("authorization: Bearer ")
        .to_owned();
    headers.push(login);
    let verifier = service.verifier();
    let verified = verifier.verify(&token).await.map_err(|r| r.to_string())?;
    let (claims, revoked): (_, &dyn RevocationCheck) = (verified.registered(), service.revoked());
    let mut costs: [Vec<f64>; 5] = Default::default();
    for _ in 0..ROUNDS {
        for (n, app) in apps.iter().enumerate() {
            let begun = Instant::now();
            for _ in 0..TIMES {
                read(app, &headers[n]).await?;
            }
            costs[n].push(each(begun));
        }
        let begun = Instant::now();
        for _ in 0..TIMES {
            let verified = verifier.verify_ignoring_revocation(&token);
            verified.map_err(|refusal| refusal.to_string())?;
        }
        costs[3].push(each(begun));
        let begun = Instant::now();
        for _ in 0..TIMES {
            if revoked.known(claims) != Some(Standing::Good) {
                return Err("what was revoked is not known here".into());
            }
        }
        costs[4].push(each(begun));
    }
    tell(costs.each_mut().map(|costs| median(costs)), table);
    Ok(())
}

/// The cost of a request to a route that checks nothing, by either way, and of the parts of a token.
fn tell([bare, sessions, tokens, signature, question]: [f64; 5], table: &mut Table) {
    let more = |cost: f64| format!("{:.0} ns", cost - bare);
    let what = "CPU per check: a near session, a verified token";
    table.row(what, [more(sessions), more(tokens)]);
    let parts = format!("{signature:.0} ns, {question:.0} ns");
    let what = "of which signature and claims, and whether it is revoked";
    table.row(what, ["–".into(), parts]);
}

/// Nanoseconds for each.
fn each(begun: Instant) -> f64 {
    begun.elapsed().as_nanos() as f64 / TIMES as f64
}

async fn read(app: &Router, header: &str) -> Result<(), Failure> {
    let (name, value) = header.split_once(": ").ok_or("a header has a value")?;
    let request = Request::get("/me")
        .header(name, value)
        .body(Body::empty())?;
    let response = app.clone().oneshot(request).await?;
    if !response.status().is_success() {
        return Err(format!("a read was answered {}", response.status()).into());
    }
    Ok(())
}

async fn log_in(app: &Router) -> Result<Answer, Failure> {
    let form = "application/x-www-form-urlencoded";
    let request = Request::post("/login")
        .header("content-type", form)
        .body(Body::from("user=alice"))?;
    let response: Response = app.clone().oneshot(request).await?;
    let mut answer = Answer::default();
    for cookie in response.headers().get_all("set-cookie") {
        answer
            .cookies
            .extend(cookie.to_str()?.split(';').next().map(str::to_owned));
    }
    let body = response.into_body().collect().await?.to_bytes();
    answer.body = String::from_utf8(body.to_vec())?;
    Ok(answer)
}
