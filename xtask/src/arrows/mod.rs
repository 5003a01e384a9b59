//! The dependency arrows and what goes with them.
//!
//! Each check is a pure function from what it reads to a list of sentences, one for each thing
//! that is wrong; only this file reads the tree.

mod dependencies;
mod manifest;
mod metadata;
mod paths;
mod sources;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use crate::Failure;
use crate::command::{cargo, output, root};
use metadata::Package;

/// Checks the workspace. All that is wrong is in the failure, one sentence a line.
pub(crate) fn check_workspace() -> Result<(), Failure> {
    let json = output(&mut cargo(&[
        "metadata",
        "--format-version",
        "1",
        "--no-deps",
    ]))?;
    let packages = metadata::parse(&json)?;
    let mut wrong = dependencies::check(&packages);
    for package in packages.iter().filter(|package| is_library(package)) {
        wrong.extend(manifest::check(&package.name, &read(&package.manifest)?));
        wrong.extend(check_sources(package)?);
    }
    match read(&root().join("ARCHITECTURE.md")) {
        Ok(map) => wrong.extend(paths::check(&map, |path| root().join(path).exists())),
        Err(unreadable) => wrong.push(unreadable),
    }
    if wrong.is_empty() {
        println!(
            "the arrows of {} crates point where they should",
            packages.len()
        );
        return Ok(());
    }
    Err(format!("{} wrong:\n  {}", wrong.len(), wrong.join("\n  ")))
}

fn is_library(package: &Package) -> bool {
    package.manifest.starts_with(root().join("crates"))
}

fn check_sources(package: &Package) -> Result<Vec<String>, Failure> {
    let foreign = table::foreign_paths(&package.name);
    let mut wrong = Vec::new();
    for file in rust_files(&package.manifest.with_file_name("src"))? {
        let shown = file
            .strip_prefix(root())
            .unwrap_or(&file)
            .display()
            .to_string();
        wrong.extend(sources::check(&shown, &read(&file)?, foreign));
    }
    Ok(wrong)
}

/// The Rust files in a folder and in those below it, in order.
fn rust_files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    let entries = fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    for entry in entries {
        let path = entry.map_err(|error| unreadable(folder, &error))?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let path = path.strip_prefix(root()).unwrap_or(path);
    format!("{} can't be read: {error}", path.display())
}
