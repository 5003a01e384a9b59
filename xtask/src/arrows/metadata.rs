//! The workspace as `cargo metadata` tells it.

use std::path::PathBuf;

use serde_json::Value;

use crate::Failure;

/// A crate of the workspace.
#[derive(Debug, PartialEq)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) manifest: PathBuf,
    pub(super) dependencies: Vec<Dependency>,
}

/// One line of a crate's dependencies.
#[derive(Debug, PartialEq)]
pub(super) struct Dependency {
    /// The crate's real name, also where it is renamed.
    pub(super) name: String,
    /// Only for tests, examples and benchmarks.
    pub(super) dev: bool,
}

/// Reads the output of `cargo metadata --format-version 1 --no-deps`.
pub(super) fn parse(json: &str) -> Result<Vec<Package>, Failure> {
    let metadata: Value =
        serde_json::from_str(json).map_err(|error| format!("cargo metadata: {error}"))?;
    list(&metadata, "packages")?.iter().map(package).collect()
}

fn package(value: &Value) -> Result<Package, Failure> {
    Ok(Package {
        name: text(value, "name")?,
        manifest: text(value, "manifest_path")?.into(),
        dependencies: list(value, "dependencies")?
            .iter()
            .map(dependency)
            .collect::<Result<_, _>>()?,
    })
}

fn dependency(value: &Value) -> Result<Dependency, Failure> {
    Ok(Dependency {
        name: text(value, "name")?,
        dev: value["kind"] == "dev",
    })
}

fn list<'a>(value: &'a Value, field: &str) -> Result<&'a Vec<Value>, Failure> {
    value[field].as_array().ok_or_else(|| missing(field))
}

fn text(value: &Value, field: &str) -> Result<String, Failure> {
    value[field]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| missing(field))
}

fn missing(field: &str) -> Failure {
    format!("cargo metadata: no `{field}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_read_with_the_kinds_of_their_dependencies() {
        let json = r#"{"packages": [{"name": "a", "manifest_path": "crates/a/Cargo.toml",
            "dependencies": [{"name": "b", "kind": null, "rename": "bee"},
                             {"name": "c", "kind": "dev"}, {"name": "d", "kind": "build"}]}]}"#;
        let packages = parse(json).unwrap();
        let lines = packages[0]
            .dependencies
            .iter()
            .map(|line| (line.name.as_str(), line.dev));
        assert_eq!(
            lines.collect::<Vec<_>>(),
            [("b", false), ("c", true), ("d", false)]
        );
        assert_eq!(packages[0].manifest, PathBuf::from("crates/a/Cargo.toml"));
    }

    #[test]
    fn anything_else_is_refused() {
        for json in ["", "{}", r#"{"packages": [{"name": "a"}]}"#] {
            parse(json).unwrap_err();
        }
    }
}
