//! Which of a resource's responses is meant.

use http::{HeaderMap, HeaderName, header};

/// The headers that a response varies by, in order; `None` if it varies by everything, or by what
/// can't be read.
pub(crate) fn names(headers: &HeaderMap) -> Option<Vec<HeaderName>> {
    let mut names = Vec::new();
    for value in headers.get_all(header::VARY) {
        for name in value.to_str().ok()?.split(',').map(str::trim) {
            match name {
                "" => {}
                "*" => return None,
                name => names.push(name.parse().ok()?),
            }
        }
    }
    names.sort_unstable_by(|a: &HeaderName, b| a.as_str().cmp(b.as_str()));
    names.dedup();
    Some(names)
}

/// What a request says in these headers: for each, whether it is there and a hash of its values. They
/// may be secrets, and are stored.
pub(crate) fn values(names: &[HeaderName], request: &HeaderMap) -> Vec<Option<Vec<u8>>> {
    let value = |name| {
        let mut all = request.get_all(name).into_iter().peekable();
        all.peek()?;
        let trimmed: Vec<_> = all.map(|value| value.as_bytes().trim_ascii()).collect();
        let said = trimmed.join(&b", "[..]);
        Some(blake3::derive_key("cloakroom 2026-11 varying header v1", &said).to_vec())
    };
    names.iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        };
        all.iter().map(pair).collect()
    }

    #[test]
    fn all_lines_count_in_any_order() {
        let one = headers(&[("vary", "Accept, X-A"), ("vary", "accept")]);
        let other = headers(&[("vary", " x-a,accept,")]);
        assert_eq!(names(&one), names(&other));
        assert_eq!(names(&headers(&[])), Some(vec![]));
        assert_eq!(names(&headers(&[("vary", "accept"), ("vary", "*")])), None);
        assert_eq!(names(&headers(&[("vary", "a b")])), None);
    }

    #[test]
    fn an_empty_header_is_not_an_absent_one() {
        let by = [HeaderName::from_static("x-a")];
        let (empty, absent) = (headers(&[("x-a", "")]), headers(&[]));
        assert_ne!(values(&by, &empty), values(&by, &absent));
        let lines = headers(&[("x-a", "1"), ("x-a", "2 ")]);
        assert_eq!(
            values(&by, &lines),
            values(&by, &headers(&[("x-a", "1, 2")]))
        );
    }
}
