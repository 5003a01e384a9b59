//! Which crate may depend on which.

use super::metadata::{Dependency, Package};
use super::table::{Allowed, CLIENTS, NOT_IN_CORE, allowed};

/// Everything that is wrong with the dependencies of these packages, which are the workspace.
pub(super) fn check(packages: &[Package]) -> Vec<String> {
    let ours: Vec<&str> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    packages
        .iter()
        .flat_map(|package| [arrows(package, &ours), core(package), clients(package)])
        .flatten()
        .collect()
}

/// Within the workspace. Tests may depend on what they like.
fn arrows(package: &Package, ours: &[&str]) -> Vec<String> {
    let name = &package.name;
    let Some(allowed) = allowed(name) else {
        return vec![format!(
            "`{name}` is not in the table of arrows: add it in xtask/src/arrows/table.rs"
        )];
    };
    normal(package)
        .filter(|other| ours.contains(&other.name.as_str()) && !permits(allowed, &other.name))
        .map(|other| format!("`{name}` must not depend on `{}`", other.name))
        .collect()
}

fn permits(rule: Allowed, other: &str) -> bool {
    match rule {
        Allowed::Only(list) => list.contains(&other),
        Allowed::AllBut(list) => {
            !list.contains(&other) && matches!(allowed(other), Some(Allowed::Only(_)))
        }
        Allowed::Free => true,
    }
}

/// What core must not know of the world.
fn core(package: &Package) -> Vec<String> {
    if package.name != "cloakroom-core" {
        return Vec::new();
    }
    normal(package)
        .filter(|other| NOT_IN_CORE.iter().any(|family| is_of(&other.name, family)))
        .map(|other| format!("`cloakroom-core` must not depend on `{}`", other.name))
        .collect()
}

/// `tokio-util` is of the family `tokio`.
fn is_of(name: &str, family: &str) -> bool {
    name.strip_prefix(family)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// The client libraries, in tests too: our own crates reach a server through a driver, their
/// tests through the testkit.
fn clients(package: &Package) -> Vec<String> {
    if matches!(allowed(&package.name), Some(Allowed::Free)) {
        return Vec::new();
    }
    let name = &package.name;
    CLIENTS
        .iter()
        .filter(|(_, homes)| !homes.contains(&name.as_str()))
        .filter(|(client, _)| {
            package
                .dependencies
                .iter()
                .any(|other| other.name == *client)
        })
        .map(|(client, homes)| {
            format!(
                "`{name}` must not depend on `{client}`: only {} may",
                homes.join(" and ")
            )
        })
        .collect()
}

fn normal(package: &Package) -> impl Iterator<Item = &Dependency> {
    package
        .dependencies
        .iter()
        .filter(|dependency| !dependency.dev)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, normal: &[&str], dev: &[&str]) -> Package {
        let line = |dev| {
            move |name: &&str| Dependency {
                name: (*name).to_owned(),
                dev,
            }
        };
        let dependencies = normal
            .iter()
            .map(line(false))
            .chain(dev.iter().map(line(true)));
        Package {
            name: name.to_owned(),
            manifest: "Cargo.toml".into(),
            dependencies: dependencies.collect(),
        }
    }

    /// What is wrong with one package, in a workspace with all that the table knows.
    fn wrong(name: &str, normal: &[&str], dev: &[&str]) -> Vec<String> {
        let mut packages = vec![package(name, normal, dev)];
        let others = [
            "cloakroom",
            "cloakroom-core",
            "cloakroom-redis",
            "cloakroom-driver-redis",
        ];
        let others = others
            .into_iter()
            .chain(["cloakroom-tower", "cloakroom-testkit", "fleet"]);
        packages.extend(
            others
                .filter(|other| *other != name)
                .map(|name| package(name, &[], &[])),
        );
        check(&packages)
    }

    #[test]
    fn arrows_that_point_down_are_right() {
        let none: Vec<String> = Vec::new();
        assert_eq!(
            wrong("cloakroom-core", &["serde", "time"], &["tokio"]),
            none
        );
        assert_eq!(
            wrong("cloakroom-redis", &["cloakroom-core", "tokio"], &[]),
            none
        );
        assert_eq!(
            wrong("cloakroom-driver-redis", &["cloakroom-redis", "redis"], &[]),
            none
        );
        assert_eq!(
            wrong(
                "cloakroom-tower",
                &["cloakroom-core"],
                &["cloakroom-testkit"]
            ),
            none
        );
        assert_eq!(
            wrong("cloakroom", &["cloakroom-tower", "cloakroom-redis"], &[]),
            none
        );
        assert_eq!(
            wrong("fleet", &["cloakroom", "cloakroom-core", "redis"], &[]),
            none
        );
    }

    #[test]
    fn arrows_that_point_up_or_aside_are_wrong() {
        let up = wrong("cloakroom-core", &["cloakroom-redis"], &[]);
        assert_eq!(
            up,
            ["`cloakroom-core` must not depend on `cloakroom-redis`"]
        );
        let aside = wrong("cloakroom-tower", &["cloakroom-redis"], &[]);
        assert_eq!(
            aside,
            ["`cloakroom-tower` must not depend on `cloakroom-redis`"]
        );
        assert_eq!(
            wrong("cloakroom-redis", &["cloakroom-driver-redis"], &[]).len(),
            1
        );
    }

    #[test]
    fn the_facade_depends_on_libraries_that_are_published() {
        assert_eq!(wrong("cloakroom", &["cloakroom-testkit"], &[]).len(), 1);
        assert_eq!(wrong("cloakroom", &["fleet"], &[]).len(), 1);
        assert_eq!(wrong("cloakroom", &["redis"], &[]).len(), 1);
    }

    #[test]
    fn an_unknown_crate_must_be_put_into_the_table() {
        let wrong = wrong("cloakroom-novelty", &[], &[]);
        assert!(
            wrong[0].contains("add it in xtask/src/arrows/table.rs"),
            "{wrong:?}"
        );
    }

    #[test]
    fn core_knows_nothing_of_the_world() {
        for name in [
            "tokio",
            "tokio-util",
            "http",
            "http-body",
            "tower-service",
            "redis",
        ] {
            assert!(!wrong("cloakroom-core", &[name], &[]).is_empty(), "{name}");
        }
        assert!(wrong("cloakroom-core", &["tracing", "httparse"], &[]).is_empty());
    }

    #[test]
    fn a_client_library_is_for_its_driver_alone() {
        let redis = "`cloakroom-redis` must not depend on `redis`: \
                     only cloakroom-driver-redis and cloakroom-testkit may";
        assert_eq!(wrong("cloakroom-redis", &["redis"], &[]), [redis]);
        assert_eq!(wrong("cloakroom-redis", &[], &["redis"]), [redis]);
        assert_eq!(wrong("cloakroom-driver-redis", &["fred"], &[]).len(), 1);
        assert!(wrong("cloakroom-testkit", &["redis"], &[]).is_empty());
    }
}
