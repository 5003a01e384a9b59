//! Where a request bears its token: in one `Authorization` header, nowhere else.

use crate::Refusal;
use http::{HeaderMap, Uri, header};

/// Takes the token from a request.
///
/// Tokens in a query are never used: they end up in logs and histories. One that is there beside
/// the header makes the request malformed, as RFC 6750 demands.
pub(crate) fn token<'a>(headers: &'a HeaderMap, uri: &Uri) -> Result<&'a str, Refusal> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let Some(first) = all.next() else {
        return Err(Refusal::Missing);
    };
    if all.next().is_some() {
        return Err(Refusal::Request);
    }
    // Other schemes may hold other bytes; they are not ours.
    let text = first.as_bytes();
    let (scheme, rest) = match text.iter().position(|b| *b == b' ') {
        Some(at) => text.split_at(at),
        None => (text, &text[text.len()..]),
    };
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Err(Refusal::Missing);
    }
    if in_query(uri) {
        return Err(Refusal::Request);
    }
    let token = rest.trim_ascii_start();
    let fits = !token.is_empty() && token.iter().all(|b| is_token_byte(*b));
    let token = fits.then(|| std::str::from_utf8(token).ok()).flatten();
    token.ok_or(Refusal::Request)
}

/// The `b64token` of RFC 6750.
fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b)
}

fn in_query(uri: &Uri) -> bool {
    let mut pairs = uri.query().unwrap_or_default().split('&');
    pairs.any(|pair| pair.split('=').next() == Some("access_token"))
}

#[cfg(test)]
mod tests {
    use super::{Refusal, token};
    use http::{HeaderMap, HeaderValue, Uri, header::AUTHORIZATION};

    fn read(uri: &'static str, lines: &[&'static [u8]]) -> Result<String, Refusal> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(line).unwrap());
        }
        token(&headers, &Uri::from_static(uri)).map(str::to_owned)
    }

    #[test]
    fn a_token_is_taken_from_one_header_whatever_the_case_of_its_scheme() {
        for line in [&b"Bearer a.b.c"[..], b"bearer a.b.c", b"BEARER  a.b.c"] {
            assert_eq!(read("/", &[line]).unwrap(), "a.b.c");
        }
    }

    #[test]
    fn another_scheme_or_none_is_no_token() {
        for lines in [
            &[][..],
            &[&b"Basic YTpi"[..]],
            &[b"Bearerx"],
            &[b""],
            &[b"\xff x"],
        ] {
            assert!(matches!(read("/", lines), Err(Refusal::Missing)));
        }
        assert!(matches!(
            read("/?access_token=a", &[]),
            Err(Refusal::Missing)
        ));
    }

    #[test]
    fn a_malformed_or_ambiguous_request_is_told_so() {
        for (uri, lines) in [
            ("/", &[&b"Bearer"[..]][..]),
            ("/", &[b"Bearer "]),
            ("/", &[b"Bearer a b"]),
            ("/", &[b"Bearer a,b"]),
            ("/", &[b"Bearer \xff"]),
            ("/", &[b"Bearer a", b"Bearer a"]),
            ("/", &[b"Bearer a", b"Basic YTpi"]),
            ("/?x=1&access_token=a", &[b"Bearer a"]),
        ] {
            assert!(matches!(read(uri, lines), Err(Refusal::Request)));
        }
    }
}
