//! The paths that `ARCHITECTURE.md` names exist.

/// The places whose paths are checked.
const PLACES: [&str; 5] = ["crates/", "examples/", "tests", "xtask", ".ci/"];

/// The paths in backticks in `text` for which `exists` says no.
pub(super) fn check(text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let missing = paths(text).filter(|path| !exists(path));
    missing
        .map(|path| format!("ARCHITECTURE.md names `{path}`, which does not exist"))
        .collect()
}

/// Every path in backticks, outside of code blocks.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let mut in_block = false;
    text.lines()
        .filter(move |line| {
            let fence = line.trim_start().starts_with("```");
            in_block ^= fence;
            !in_block && !fence
        })
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .filter_map(path)
}

/// The path that a span is; `None` for a command, a pattern or anything else.
fn path(span: &str) -> Option<&str> {
    let is_pattern = span.contains(|c: char| c.is_whitespace() || "*?{}<>…".contains(c));
    let in_place = PLACES.iter().any(|place| match place.strip_suffix('/') {
        Some(_) => span.starts_with(place),
        None => span
            .strip_prefix(place)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
    });
    // `src/lib.rs:12` and `src/lib.rs#L12` name a line of the file.
    (in_place && !is_pattern).then(|| span.split([':', '#']).next().unwrap_or(span))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# Map
The layer is `crates/a/src/layer.rs`, run `cargo xtask test`, see `tests` and `.ci/run`.
A line: `crates/a/src/lib.rs:12`. All: `crates/*/Cargo.toml`. Code: `tests_pass()`, `xtask test`.
```
`crates/in/a/block`
```
Then `xtask/src/main.rs` and `examples/fleet/`.
";

    #[test]
    fn paths_are_found_among_other_code() {
        let found: Vec<&str> = paths(TEXT).collect();
        let expected = [
            "crates/a/src/layer.rs",
            "tests",
            ".ci/run",
            "crates/a/src/lib.rs",
        ];
        assert_eq!(found[..4], expected);
        assert_eq!(found[4..], ["xtask/src/main.rs", "examples/fleet/"]);
    }

    #[test]
    fn a_path_that_does_not_exist_is_wrong() {
        assert!(check(TEXT, |_| true).is_empty());
        let wrong = check(TEXT, |path| path != "tests");
        assert_eq!(
            wrong,
            ["ARCHITECTURE.md names `tests`, which does not exist"]
        );
    }
}
