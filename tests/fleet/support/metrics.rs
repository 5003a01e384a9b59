//! Prometheus' text format, read as strictly as these tests need.

use std::collections::BTreeMap;

/// All samples by name, with their labels summed up.
///
/// # Panics
///
/// If a line is neither a comment of a known kind nor a sample.
#[track_caller]
pub(crate) fn samples(text: &str) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    for line in text.lines() {
        match line.strip_prefix("# ") {
            Some(comment) => check_comment(comment),
            None => {
                let (name, value) = sample(line).unwrap_or_else(|| panic!("no sample: {line:?}"));
                *samples.entry(name).or_default() += value;
            }
        }
    }
    samples
}

#[track_caller]
fn check_comment(comment: &str) {
    let mut words = comment.split(' ');
    match words.next() {
        Some("EOF") => assert_eq!(words.next(), None, "{comment}"),
        Some("HELP" | "TYPE" | "UNIT") => {
            assert!(words.next().is_some_and(is_name), "{comment}");
        }
        _ => panic!("unknown comment: {comment}"),
    }
}

fn sample(line: &str) -> Option<(String, f64)> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}')?),
        None => (series, ""),
    };
    let good = is_name(name) && labels.split(',').filter(|l| !l.is_empty()).all(is_label);
    good.then_some((name.to_owned(), value.parse().ok()?))
}

fn is_label(label: &str) -> bool {
    let quoted = |value: &str| value.len() >= 2 && value.starts_with('"') && value.ends_with('"');
    label
        .split_once('=')
        .is_some_and(|(name, value)| is_name(name) && quoted(value))
}

fn is_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    !name.is_empty() && name.chars().all(inner) && !name.starts_with(|c: char| c.is_ascii_digit())
}
