//! No library shows a client library's types: not even by naming them.

/// The lines of `text` that name a path in one of the `foreign` crates. Comments may.
pub(super) fn check(file: &str, text: &str, foreign: &[&str]) -> Vec<String> {
    let code = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"));
    code.flat_map(|(number, line)| {
        foreign
            .iter()
            .filter(|name| names(line, name))
            .map(move |name| {
                format!(
                    "{file}:{}: `{name}::` belongs in a driver (a module of this crate's own is \
                 `crate::{name}::` or `self::{name}::`)",
                    number + 1
                )
            })
    })
    .collect()
}

/// Whether `line` has a path that starts with `name::`.
fn names(line: &str, name: &str) -> bool {
    let path = format!("{name}::");
    line.match_indices(&path).any(|(at, _)| {
        let before = &line[..at];
        // `::redis::` starts a path, `crate::redis::` goes on with one.
        let before = before.strip_suffix("::").unwrap_or(before);
        !before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> usize {
        check("lib.rs", text, &["redis", "fred"]).len()
    }

    #[test]
    fn a_foreign_path_is_wrong_wherever_it_starts() {
        assert_eq!(count("use redis::Client;"), 1);
        assert_eq!(count("use ::redis::{Client, Cmd};"), 1);
        assert_eq!(count("fn f(value: &redis::Value) -> fred::Value {"), 2);
        assert_eq!(count("    let x = vec![redis::cmd(\"GET\")];"), 1);
        let wrong = check("src/a.rs", "\n\nuse fred::prelude::*;\n", &["fred"]);
        assert!(wrong[0].starts_with("src/a.rs:3: `fred::`"), "{wrong:?}");
    }

    #[test]
    fn our_own_paths_are_right() {
        assert_eq!(count("use cloakroom_redis::Store;"), 0);
        assert_eq!(count("use cloakroom_driver_redis::connect;"), 0);
        assert_eq!(count("use crate::redis::Store; use self::redis::Url;"), 0);
        assert_eq!(count("const URL: &str = \"redis://127.0.0.1\";"), 0);
        assert_eq!(count("//! Like `redis::Client`.\n    // redis::cmd"), 0);
    }
}
