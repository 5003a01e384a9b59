//! Headers that concern one connection only.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING,
        UPGRADE,
    },
};
use std::net::IpAddr;

/// The header that tells instances who is asking.
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Headers of a connection, besides those that `Connection` names (RFC 9110, 7.6.1).
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Removes what must not be forwarded.
pub(super) fn strip(headers: &mut HeaderMap) {
    let lines = headers.get_all(CONNECTION).iter();
    let named: Vec<HeaderName> = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
}

/// Says who is asking. What the client claims about it is dropped: this balancer is the first.
pub(super) fn set_peer(headers: &mut HeaderMap, peer: IpAddr) {
    match HeaderValue::try_from(peer.to_string()) {
        Ok(value) => headers.insert(X_FORWARDED_FOR, value),
        Err(_) => headers.remove(X_FORWARDED_FOR),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_end_to_end_headers_stay() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Private"),
            ("x-private", "1"),
            ("transfer-encoding", "chunked"),
            ("keep-alive", "timeout=5"),
            ("cookie", "id=1"),
            ("x-forwarded-for", "6.6.6.6"),
        ] {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        strip(&mut headers);
        set_peer(&mut headers, IpAddr::from([127, 0, 0, 1]));
        let mut left: Vec<_> = headers
            .iter()
            .map(|(n, v)| (n.as_str(), v.to_str().unwrap()))
            .collect();
        left.sort_unstable();
        assert_eq!(left, [("cookie", "id=1"), ("x-forwarded-for", "127.0.0.1")]);
    }
}
