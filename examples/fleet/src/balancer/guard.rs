//! Keeps other sites' pages away from the admin routes.

use crate::refusal::Refusal;
use axum::{extract::Request, middleware::Next, response::Response};
use http::{
    HeaderMap, HeaderName, Method, StatusCode,
    header::{HOST, ORIGIN},
    uri::Authority,
};

/// Where a browser says that a request comes from.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The middleware: refuses what a page of another site could have sent.
pub(super) async fn guard(request: Request, next: Next) -> Result<Response, Refusal> {
    match objection(request.method(), request.headers()) {
        None => Ok(next.run(request).await),
        Some(why) => Err(Refusal::new(StatusCode::FORBIDDEN, why)),
    }
}

/// Why a request is refused, or `None`.
///
/// | request | answer |
/// |---|---|
/// | `Host` is no name of this machine (a foreign name that resolves to it) | refused |
/// | safe method | passes |
/// | `Sec-Fetch-Site: same-origin` or `none` | passes |
/// | any other `Sec-Fetch-Site` | refused |
/// | no `Sec-Fetch-Site`, `Origin` of another host (an older browser) | refused |
/// | neither (no browser) | passes |
fn objection(method: &Method, headers: &HeaderMap) -> Option<&'static str> {
    let text = |name| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    let host: Option<Authority> = text(HOST).and_then(|host| host.parse().ok());
    if !host.as_ref().is_some_and(is_this_machine) {
        return Some("the admin routes answer on localhost and 127.0.0.1 only");
    }
    if method.is_safe() {
        return None;
    }
    let own = match (text(SEC_FETCH_SITE), text(ORIGIN)) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => host.is_some_and(|host| origin == format!("http://{host}")),
        (None, None) => true,
    };
    (!own).then_some("the admin routes take requests of their own page only, not of other sites")
}

fn is_this_machine(host: &Authority) -> bool {
    matches!(host.host(), "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(method: &Method, headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        objection(method, &headers.collect()).is_none()
    }

    #[test]
    fn the_table_holds() {
        let host = ("host", "127.0.0.1:3000");
        for (expected, headers) in [
            (true, &[host][..]),
            (true, &[("host", "localhost:3000")]),
            (false, &[("host", "evil.example:3000")]),
            (false, &[("host", "localhost.evil.example")]),
            (false, &[]),
            (true, &[host, ("sec-fetch-site", "same-origin")]),
            (true, &[host, ("sec-fetch-site", "none")]),
            (false, &[host, ("sec-fetch-site", "cross-site")]),
            (false, &[host, ("sec-fetch-site", "same-site")]),
            (true, &[host, ("origin", "http://127.0.0.1:3000")]),
            (false, &[host, ("origin", "http://127.0.0.1:3001")]),
            (false, &[host, ("origin", "null")]),
        ] {
            assert_eq!(passes(&Method::POST, headers), expected, "{headers:?}");
        }
        assert!(passes(
            &Method::GET,
            &[host, ("sec-fetch-site", "cross-site")]
        ));
        assert!(!passes(&Method::GET, &[("host", "evil.example")]));
    }
}
