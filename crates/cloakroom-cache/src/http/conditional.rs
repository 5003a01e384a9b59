//! `If-None-Match` and `If-Modified-Since`.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use std::time::SystemTime;

/// Whether the client has the response already, as far as its conditions and the response's
/// validators tell: RFC 9110, section 13.
pub(crate) fn has_it(request: &HeaderMap, response: &HeaderMap) -> bool {
    let mut tags = request.get_all(header::IF_NONE_MATCH).iter().peekable();
    if tags.peek().is_some() {
        // Where there are tags, dates don't count.
        let Some(ours) = response.get(header::ETAG).map(opaque) else {
            return false;
        };
        return tags.any(|list| names(list, ours));
    }
    let date = |headers: &HeaderMap, name: HeaderName| -> Option<SystemTime> {
        let text = headers.get(name)?.to_str().ok()?;
        httpdate::parse_http_date(text).ok()
    };
    let since = date(request, header::IF_MODIFIED_SINCE);
    let modified = date(response, header::LAST_MODIFIED);
    matches!((since, modified), (Some(since), Some(modified)) if modified <= since)
}

/// Whether a list of tags names this one, weak or not.
fn names(list: &HeaderValue, ours: &[u8]) -> bool {
    let mut rest = list.as_bytes().trim_ascii();
    if rest == b"*" {
        return true;
    }
    while let Some(begin) = rest.iter().position(|byte| *byte == b'"') {
        let Some(length) = rest[begin + 1..].iter().position(|byte| *byte == b'"') else {
            return false;
        };
        let end = begin + length + 2;
        if &rest[begin..end] == ours {
            return true;
        }
        rest = &rest[end..];
    }
    false
}

/// A tag with its quotes, and without the mark that it is weak.
fn opaque(tag: &HeaderValue) -> &[u8] {
    let tag = tag.as_bytes().trim_ascii();
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// Leaves what a 304 says: nothing of a body that it doesn't have.
pub(crate) fn keep_of_304(headers: &mut HeaderMap) {
    let of_body = [
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::CONTENT_ENCODING,
        header::CONTENT_LANGUAGE,
        header::CONTENT_RANGE,
        header::TRANSFER_ENCODING,
    ];
    for name in of_body {
        headers.remove(name);
    }
    if headers.contains_key(header::ETAG) {
        headers.remove(header::LAST_MODIFIED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly() {
        let ours: HeaderMap = [(header::ETAG, HeaderValue::from_static(r#"W/"a,b""#))]
            .into_iter()
            .collect();
        let asked = |list: &'static str| {
            let list = HeaderValue::from_static(list);
            let asked = HeaderMap::from_iter([(header::IF_NONE_MATCH, list)]);
            has_it(&asked, &ours)
        };
        for list in [r#""a,b""#, r#"W/"a,b""#, "*", r#""x", W/"a,b", "y""#] {
            assert!(asked(list), "{list}");
        }
        for list in [r#""a""#, "a,b", "", r#""a,b"#, r#""x,""#, r#""*""#] {
            assert!(!asked(list), "{list}");
        }
    }

    #[test]
    fn dates_count_where_there_are_no_tags() {
        let date = HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT");
        let ours = HeaderMap::from_iter([(header::LAST_MODIFIED, date.clone())]);
        let mut asked = HeaderMap::from_iter([(header::IF_MODIFIED_SINCE, date)]);
        assert!(has_it(&asked, &ours));
        let before = HeaderValue::from_static("Sun, 06 Nov 1994 08:49:36 GMT");
        asked.insert(header::IF_MODIFIED_SINCE, before);
        assert!(!has_it(&asked, &ours));
        let none = HeaderValue::from_static("\"x\"");
        asked.insert(header::IF_NONE_MATCH, none);
        assert!(!has_it(&asked, &ours));
        assert!(!has_it(&HeaderMap::new(), &ours));
    }
}
