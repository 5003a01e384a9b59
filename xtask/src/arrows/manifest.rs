//! What every library's `Cargo.toml` must say.

/// The workspace's lints must hold.
pub(super) fn check(package: &str, manifest: &str) -> Option<String> {
    let wrong = format!("`{package}` must have `[lints] workspace = true` in its Cargo.toml");
    (!has_workspace_lints(manifest)).then_some(wrong)
}

fn has_workspace_lints(manifest: &str) -> bool {
    let mut section = "";
    manifest
        .lines()
        .map(|line| line.split('#').next().unwrap_or("").trim())
        .any(|line| {
            if line.starts_with('[') {
                section = line;
            }
            let setting: String = line.split_whitespace().collect();
            match section {
                "[lints]" => setting == "workspace=true",
                "" => setting == "lints.workspace=true",
                _ => false,
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workspace_lints_are_seen() {
        assert_eq!(
            check(
                "a",
                "[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n"
            ),
            None
        );
        assert_eq!(check("a", "[lints] # all of them\nworkspace=true"), None);
        assert_eq!(check("a", "lints.workspace = true\n[package]\n"), None);
    }

    #[test]
    fn absent_lints_are_wrong() {
        for manifest in [
            "[package]\nname = \"a\"\n",
            "[lints]\nworkspace = false\n",
            "[lints]\n# workspace = true\n",
            "[lints]\n[dependencies]\nworkspace = true\n",
            "[package]\nversion.workspace = true\n",
        ] {
            assert!(
                check("a", manifest).unwrap().starts_with("`a` must have"),
                "{manifest}"
            );
        }
    }
}
