//! How a case ends before its end, and the checks that end it.

use std::fmt;

use serde_json::Value;

use crate::subject::Entry;

/// Why a case stops.
#[derive(Debug)]
pub(crate) enum Stop {
    /// What was seen is not what is owed.
    Broken(String),
    /// The case can't be tried here.
    NotTried(String),
}

/// What a case comes to.
pub(crate) type Verdict = Result<(), Stop>;

/// Ends a case: this was seen.
pub(crate) fn broken(seen: impl fmt::Display) -> Stop {
    Stop::Broken(seen.to_string())
}

/// There must be no session.
pub(crate) fn absent(found: Option<&Entry>) -> Verdict {
    match found {
        None => Ok(()),
        Some(_) => Err(broken("a session was loaded where there should be none")),
    }
}

/// There must be a session.
pub(crate) fn present(found: Option<&Entry>) -> Result<&Entry, Stop> {
    found.ok_or_else(|| broken("no session was loaded where there should be one"))
}

/// There must be a session with all attributes of `want`, at the same values.
///
/// What else it has may be the store's own. So `want` is never a copy that the store handed out,
/// which may have such attributes too.
pub(crate) fn holds(found: Option<&Entry>, want: &Entry) -> Verdict {
    let found = present(found)?;
    for (name, value) in &want.data {
        match found.data.get(name) {
            None => return Err(broken(format!("attribute {} is missing", short(name)))),
            Some(got) if got != value => {
                let (got, value) = (shown(got), shown(value));
                let name = short(name);
                return Err(broken(format!("attribute {name} is {got}, not {value}")));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// There must be a session, without any attribute of these names.
pub(crate) fn lacks<'a>(
    found: Option<&Entry>,
    names: impl IntoIterator<Item = &'a str>,
) -> Verdict {
    let found = present(found)?;
    match names
        .into_iter()
        .find(|name| found.data.contains_key(*name))
    {
        None => Ok(()),
        Some(name) => {
            let name = short(name);
            Err(broken(format!("attribute {name} should not be there")))
        }
    }
}

fn shown(value: &Value) -> String {
    cut(&value.to_string())
}

fn short(name: &str) -> String {
    cut(&format!("{name:?}"))
}

/// What a report has room for.
fn cut(text: &str) -> String {
    const ROOM: usize = 60;
    if text.chars().count() <= ROOM {
        return text.to_owned();
    }
    let beginning: String = text.chars().take(ROOM).collect();
    format!("{beginning}… ({} bytes)", text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(verdict: Verdict) -> String {
        match verdict.unwrap_err() {
            Stop::Broken(seen) => seen,
            Stop::NotTried(why) => panic!("{why}"),
        }
    }

    #[test]
    fn what_differs_is_named() {
        let found = Entry::fresh().with("a", 1);
        assert!(holds(Some(&found), &found).is_ok());
        let want = Entry::fresh().with("a", 2);
        assert_eq!(
            seen(holds(Some(&found), &want)),
            "attribute \"a\" is 1, not 2"
        );
        let want = Entry::fresh().with("b", 2);
        assert_eq!(
            seen(holds(Some(&found), &want)),
            "attribute \"b\" is missing"
        );
        assert!(seen(lacks(Some(&found), ["b", "a"])).starts_with("attribute \"a\""));
        assert!(lacks(Some(&found), ["b"]).is_ok());
    }

    #[test]
    fn what_a_store_adds_is_its_own() {
        let found = Entry::fresh().with("a", 1).with("\0base", 7);
        assert!(holds(Some(&found), &Entry::fresh().with("a", 1)).is_ok());
    }

    #[test]
    fn nothing_is_never_something() {
        assert!(holds(None, &Entry::fresh()).is_err());
        assert!(lacks(None, []).is_err());
        assert!(absent(None).is_ok());
        assert!(absent(Some(&Entry::fresh())).is_err());
    }

    #[test]
    fn long_values_are_cut() {
        let found = Entry::fresh().with("a", "é".repeat(70_000));
        let said = seen(holds(Some(&found), &Entry::fresh().with("a", 1)));
        assert!(said.len() < 300, "{said}");
    }
}
