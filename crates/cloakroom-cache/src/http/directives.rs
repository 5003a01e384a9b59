//! What `Cache-Control` says.

use http::{HeaderMap, HeaderValue, header};
use time::Duration;

/// More seconds than this are as good as for ever: RFC 9111, section 1.2.2.
const MOST_SECONDS: u64 = 1 << 31;

/// The directives of a request or a response, in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Directives(Vec<(String, Option<String>)>);

impl Directives {
    /// What cannot be read counts as `no-store`.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut all = Vec::new();
        for value in headers.get_all(header::CACHE_CONTROL) {
            match value.to_str() {
                Ok(text) if is_plain(text) => all.extend(parts(text).filter_map(directive)),
                _ => all.push(("no-store".to_owned(), None)),
            }
        }
        Self(all)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(other, _)| other == name)
    }

    pub(crate) fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.has(name))
    }

    /// So many seconds; what is no number is zero.
    pub(crate) fn seconds(&self, name: &str) -> Option<Duration> {
        let (_, value) = self.0.iter().find(|(other, _)| other == name)?;
        let seconds = number(value.as_deref().unwrap_or_default());
        Some(Duration::seconds(seconds.cast_signed()))
    }

    /// For a reader that knows neither upper case nor commas in quotes. With this many seconds as
    /// `max-age`, if that is given.
    pub(crate) fn plain(&self, max_age: Option<u64>) -> Option<HeaderValue> {
        let each = self.0.iter().map(|(name, value)| match value {
            Some(value) if is_timed(name) => format!("{name}={}", number(value)),
            None if is_timed(name) && name != "max-stale" => format!("{name}=0"),
            _ => name.clone(),
        });
        let assumed = max_age.map(|seconds| format!("max-age={seconds}"));
        let all: Vec<_> = each.chain(assumed).collect();
        HeaderValue::try_from(all.join(", ")).ok()
    }
}

fn is_timed(name: &str) -> bool {
    let timed = ["max-age", "s-maxage", "min-fresh", "max-stale"];
    timed.contains(&name)
}

fn number(text: &str) -> u64 {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match digits {
        // More digits than a number holds are too many seconds.
        true => text.parse().unwrap_or(MOST_SECONDS).min(MOST_SECONDS),
        false => 0,
    }
}

/// Whether it is clear where its quotes end: in those that don't, a directive might hide.
fn is_plain(text: &str) -> bool {
    let quotes = text.bytes().filter(|byte| *byte == b'"').count();
    quotes % 2 == 0 && !text.contains('\\')
}

/// The parts between commas that are not in quotes.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |character| {
        quoted ^= character == '"';
        character == ',' && !quoted
    })
}

fn directive(part: &str) -> Option<(String, Option<String>)> {
    let (name, value) = match part.split_once('=') {
        Some((name, value)) => (name, Some(value.trim().trim_matches('"').to_owned())),
        None => (part, None),
    };
    let name = name.trim().to_ascii_lowercase();
    (!name.is_empty()).then_some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &'static str) -> Directives {
        let value = HeaderValue::from_static(value);
        Directives::of(&HeaderMap::from_iter([(header::CACHE_CONTROL, value)]))
    }

    #[test]
    fn case_quotes_and_numbers() {
        let all = of(r#"No-Store, Max-Age="60" ,private="a, b",, x="#);
        assert!(all.has("no-store") && all.has("private") && all.has("x"));
        assert!(!all.has("b\"") && !all.has("public"));
        assert_eq!(all.seconds("max-age"), Some(Duration::MINUTE));
        let plain = all.plain(None).unwrap();
        assert_eq!(plain, "no-store, max-age=60, private, x");
        let none = of("max-age=soon");
        assert_eq!(none.seconds("max-age"), Some(Duration::ZERO));
        let ever = of("max-age=99999999999999999999999");
        assert_eq!(ever.plain(None).unwrap(), "max-age=2147483648");
        assert_eq!(of("public").plain(Some(5)).unwrap(), "public, max-age=5");
    }

    #[test]
    fn what_cannot_be_read_is_not_stored() {
        let value = HeaderValue::from_bytes(b"max-age=60\xff").unwrap();
        let headers = HeaderMap::from_iter([(header::CACHE_CONTROL, value)]);
        assert!(Directives::of(&headers).has("no-store"));
        assert!(of("max-age=60, x=\"a, private").has("no-store"));
        assert!(of(r#"x="a\"", private, y=""#).has("no-store"));
    }
}
