//! Forwarding: one request to one instance, streamed both ways.

use super::{
    Balancer, headers, held,
    lend::Lender,
    recent::Entry,
    slot::{Slot, Ticket},
    split::Placement,
};
use crate::{refusal::Refusal, shop::page};
use axum::{
    body::Body,
    extract::{ConnectInfo, Request, State},
    response::{IntoResponse, Response},
};
use http::{
    StatusCode, Uri,
    header::{CONTENT_LENGTH, SET_COOKIE},
    request::Parts,
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper_util::client::legacy;
use std::{
    error::Error,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// How long an instance may take until its response begins.
const RESPONSE_LIMIT: Duration = Duration::from_secs(15);

/// The longest body of a request, in bytes.
const LONGEST_BODY: usize = 1024 * 1024;

/// How much of a body that is too long is still read, and for how long.
const LONGEST_LINGER_BYTES: usize = 16 * LONGEST_BODY;
const LONGEST_LINGER: Duration = Duration::from_secs(2);

/// Why nobody answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// No instance takes requests.
    Nobody,
    /// The instance's response did not begin in time.
    Late,
    /// The client's body is too long.
    TooLong,
    /// The connection to the instance broke: it may have done what was asked.
    Broken,
}

/// The handler of everything that is not the balancer's own.
pub(super) async fn forward(
    State(balancer): State<Arc<Balancer>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Result<Response, Refusal> {
    let started = Instant::now();
    let entry = Entry::begin(request.method(), request.uri());
    let placement = balancer.place(request.headers())?;
    let page = page::at(request.uri().path());
    let (slot, mut response) = match balancer.send(request, peer, &placement).await {
        Ok((slot, response)) => (Some(slot), response),
        Err((slot, trouble)) => (slot, trouble.answer(page)),
    };
    let by = slot.map(|slot| (slot.name(), slot.version()));
    let took = started.elapsed();
    balancer.recent.push(entry.end(by, response.status(), took));
    if let Some(cookie) = placement.newcomer.and_then(|client| client.set_cookie()) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

impl Balancer {
    /// Tries the instances in order. Goes on to the next only when the last one surely did not
    /// see the request: its port refused the connection.
    async fn send(
        &self,
        request: Request,
        peer: SocketAddr,
        placement: &Placement,
    ) -> Result<(&Slot, Response), (Option<&Slot>, Trouble)> {
        let (mut parts, body) = request.into_parts();
        if is_too_long(&parts) {
            linger(body).await;
            return Err((None, Trouble::TooLong));
        }
        let body = Lender::new(Body::new(Limited::new(body, LONGEST_BODY)));
        headers::strip(&mut parts.headers);
        headers::set_peer(&mut parts.headers, peer.ip());
        for index in self.turns.order(&self.slots, placement.version) {
            let Some(slot) = self.slots.get(index) else {
                continue;
            };
            let Some(ticket) = slot.admit() else { continue };
            match self.attempt(&parts, &body, ticket).await {
                Ok(response) => {
                    slot.answered();
                    return Ok((slot, response));
                }
                Err(Trouble::Nobody) => slot.judge(false, None),
                Err(trouble) => return Err((Some(slot), trouble)),
            }
        }
        Err((None, Trouble::Nobody))
    }

    /// Asks one instance. [`Trouble::Nobody`] means that it can't have seen the request.
    async fn attempt(
        &self,
        parts: &Parts,
        body: &Lender,
        ticket: Ticket,
    ) -> Result<Response, Trouble> {
        let request = upstream(parts, body.lend(), ticket.port).ok_or(Trouble::Broken)?;
        let asked = timeout(RESPONSE_LIMIT, self.client.request(request)).await;
        let response = asked
            .map_err(|_| Trouble::Late)?
            .map_err(|error| Trouble::of(&error, body))?;
        let mut response = response.map(|body| held::until_sent(Body::new(body), ticket));
        headers::strip(response.headers_mut());
        Ok(response)
    }
}

/// Whether the body's announced length is beyond the limit.
fn is_too_long(parts: &Parts) -> bool {
    let announced = parts
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok());
    let announced = announced.and_then(|length| length.parse::<usize>().ok());
    announced.is_some_and(|length| length > LONGEST_BODY)
}

/// Reads on for a moment, and forgets it: a client that is still sending when the connection ends
/// never sees the answer.
async fn linger(body: Body) {
    let mut rest = Limited::new(body, LONGEST_LINGER_BYTES);
    let read_on = async { while let Some(Ok(_)) = rest.frame().await {} };
    let _ = timeout(LONGEST_LINGER, read_on).await;
}

/// The request as the instance gets it: the same, addressed to its port.
fn upstream(parts: &Parts, body: Body, port: u16) -> Option<Request> {
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let uri: Uri = format!("http://127.0.0.1:{port}{path}").parse().ok()?;
    let mut request = Request::new(body);
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = uri;
    *request.headers_mut() = parts.headers.clone();
    Some(request)
}

impl Trouble {
    /// What an error of the client means.
    fn of(error: &legacy::Error, body: &Lender) -> Self {
        if error.is_connect() && body.is_whole() {
            return Self::Nobody;
        }
        let mut cause = error.source();
        while let Some(error) = cause {
            if error.is::<LengthLimitError>() {
                return Self::TooLong;
            }
            cause = error.source();
        }
        tracing::warn!(%error, "an instance broke off");
        Self::Broken
    }

    /// The response in place of an instance's. Without instances the page still comes: it is
    /// where a person starts one.
    fn answer(self, page: Option<Response>) -> Response {
        match (self, page) {
            (Self::Nobody, Some(page)) => page,
            (trouble, _) => trouble.into_response(),
        }
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::Nobody => (
                StatusCode::SERVICE_UNAVAILABLE,
                "no instance takes requests; start one",
            ),
            Self::Late => (
                StatusCode::GATEWAY_TIMEOUT,
                "the instance did not answer within 15 s",
            ),
            Self::TooLong => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "a request's body has at most 1 MiB",
            ),
            Self::Broken => (StatusCode::BAD_GATEWAY, "the instance broke off"),
        };
        Refusal::new(status, text).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(uri: &str, length: &str) -> Parts {
        let request = Request::builder().uri(uri).header(CONTENT_LENGTH, length);
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_request_keeps_its_path_and_query() {
        let parts = parts("http://elsewhere/attr/a%20b?x=1", "0");
        let request = upstream(&parts, Body::empty(), 4001).unwrap();
        assert_eq!(request.uri(), "http://127.0.0.1:4001/attr/a%20b?x=1");
    }

    #[test]
    fn a_body_beyond_the_limit_is_refused_by_its_length() {
        assert!(!is_too_long(&parts("/", "1048576")));
        assert!(is_too_long(&parts("/", "1048577")));
    }
}
