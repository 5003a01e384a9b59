//! What a URL names: one server, a master that Sentinels know, or a cluster.

use crate::Endpoint;
use cloakroom_core::{Error, ErrorKind, Result};

/// The servers that a URL names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// One server.
    Single(Endpoint),
    /// The master of this name among those that the Sentinels watch.
    Sentinel(Watched),
    /// A cluster, and where to begin.
    Cluster(Vec<Endpoint>),
}

/// A master that Sentinels watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) sentinels: Vec<Endpoint>,
    /// The name of the master.
    pub(crate) name: String,
    /// How to log in to the master, wherever it is.
    pub(crate) server: Endpoint,
}

impl Place {
    /// Reads a URL.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`], with what is wrong and without the URL, which may hold a password.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        match url.split_once("://") {
            Some(("redis-sentinel", rest)) => sentinel(&Parts::split("redis", rest)?),
            Some(("rediss-sentinel", rest)) => sentinel(&Parts::split("rediss", rest)?),
            Some(("redis-cluster", rest)) => cluster(&Parts::split("redis", rest)?),
            Some(("rediss-cluster", rest)) => cluster(&Parts::split("rediss", rest)?),
            _ => Endpoint::parse(url).map(Self::Single),
        }
    }

    /// Whether all is to go over TLS.
    pub(crate) fn is_secured(&self) -> bool {
        match self {
            Self::Single(endpoint) => endpoint.tls,
            Self::Sentinel(watched) => watched.server.tls,
            Self::Cluster(seeds) => seeds.iter().all(|seed| seed.tls),
        }
    }
}

fn sentinel(parts: &Parts<'_>) -> Result<Place> {
    let parameters = parts.parameters()?;
    let value = |name| parameters.iter().find(|(n, _)| *n == name).map(|(_, v)| v);
    let name = value("master").filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| {
        bad("a Sentinel's URL must name the master, as in redis-sentinel://host:26379/?master=main")
    })?;
    let mut sentinels = parts.endpoints(26379)?;
    for sentinel in &mut sentinels {
        sentinel.username = value("sentinel_username").cloned();
        sentinel.password = value("sentinel_password").cloned();
        sentinel.database = 0;
    }
    Ok(Place::Sentinel(Watched {
        sentinels,
        name: name.clone(),
        // Any address will do: the Sentinels tell the right one.
        server: parts.endpoint(parts.hosts[0], 6379)?,
    }))
}

fn cluster(parts: &Parts<'_>) -> Result<Place> {
    if !parts.query.is_empty() {
        return Err(bad("a cluster's URL takes no parameters"));
    }
    let seeds = parts.endpoints(6379)?;
    match seeds.iter().all(|seed| seed.database == 0) {
        true => Ok(Place::Cluster(seeds)),
        false => Err(bad("a cluster has only database 0")),
    }
}

/// A URL of several hosts, in its parts.
struct Parts<'a> {
    scheme: &'a str,
    /// With the `@`, if there is one.
    login: &'a str,
    hosts: Vec<&'a str>,
    path: &'a str,
    query: &'a str,
}

impl<'a> Parts<'a> {
    /// Takes apart what follows the scheme.
    fn split(scheme: &'a str, rest: &'a str) -> Result<Self> {
        if rest.contains('#') {
            return Err(bad(
                "the store's URL is malformed: # must be written as %23",
            ));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (login, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let hosts: Vec<_> = hosts.split(',').collect();
        if hosts.iter().any(|host| host.is_empty()) {
            return Err(bad("the store's URL names no host, or an empty one"));
        }
        Ok(Self {
            scheme,
            login,
            hosts,
            path,
            query,
        })
    }

    fn endpoints(&self, port: u16) -> Result<Vec<Endpoint>> {
        let endpoints = self.hosts.iter().map(|host| self.endpoint(host, port));
        endpoints.collect()
    }

    fn endpoint(&self, host: &str, port: u16) -> Result<Endpoint> {
        let Self {
            scheme,
            login,
            path,
            ..
        } = self;
        Endpoint::parse_with_port(&format!("{scheme}://{login}{host}{path}"), port)
    }

    fn parameters(&self) -> Result<Vec<(&'a str, String)>> {
        let known = ["master", "sentinel_username", "sentinel_password"];
        let mut found: Vec<(&str, String)> = Vec::new();
        for parameter in self.query.split('&').filter(|p| !p.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            if !known.contains(&name) || found.iter().any(|(other, _)| *other == name) {
                // Not its name: what looks like one may be half of a password.
                return Err(bad(
                    "a Sentinel's URL takes only master, sentinel_username and sentinel_password, each once",
                ));
            }
            let value = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
            found.push((name, value.into_owned()));
        }
        Ok(found)
    }
}

fn bad(what: &'static str) -> Error {
    Error::new(ErrorKind::Config, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(endpoints: &[Endpoint]) -> Vec<String> {
        endpoints.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_cluster_is_its_seeds() {
        let Place::Cluster(seeds) =
            Place::parse("rediss-cluster://app:s%40cret@a:7000,b,[::1]:7002/").unwrap()
        else {
            panic!("it is a cluster");
        };
        assert_eq!(
            addresses(&seeds),
            [
                "rediss://a:7000/0",
                "rediss://b:6379/0",
                "rediss://::1:7002/0"
            ]
        );
        let login = |e: &Endpoint| {
            (e.username.as_deref(), e.password.as_deref()) == (Some("app"), Some("s@cret"))
        };
        assert!(seeds.iter().all(login));
    }

    #[test]
    fn sentinels_have_credentials_of_their_own() {
        let url = "redis-sentinel://app:secret@a,b:26380/2?master=main&sentinel_password=h%2Bush";
        let Place::Sentinel(watched) = Place::parse(url).unwrap() else {
            panic!("they are Sentinels");
        };
        assert_eq!(
            addresses(&watched.sentinels),
            ["redis://a:26379/0", "redis://b:26380/0"]
        );
        let sentinel = &watched.sentinels[0];
        assert_eq!(
            (&sentinel.username, sentinel.password.as_deref()),
            (&None, Some("h+ush"))
        );
        assert_eq!((&*watched.name, watched.server.database), ("main", 2));
        assert_eq!(watched.server.password.as_deref(), Some("secret"));
        let shown = format!("{watched:?}");
        assert!(
            !shown.contains("secret") && !shown.contains("h+ush"),
            "{shown}"
        );
    }

    #[test]
    fn one_server_is_as_before() {
        let place = Place::parse("redis://h/3?ignored").unwrap();
        assert!(matches!(place, Place::Single(e) if e.database == 3));
    }

    #[test]
    fn says_what_is_wrong_and_shows_no_secret() {
        for (url, part) in [
            ("redis-cluster://", "no host"),
            ("redis-cluster://u:hush@", "no host"),
            ("redis-cluster://u:hush@a,,b", "empty"),
            ("redis-cluster://u:hush@a,", "empty"),
            ("redis-cluster://u:hush@a/1", "database 0"),
            ("redis-cluster://u:hush@a/x", "number"),
            ("redis-cluster://u:hush@a:port", "malformed"),
            ("redis-cluster://u:hush@a:70000", "malformed"),
            ("redis-cluster://u:hush@a b", "malformed"),
            ("redis-cluster://u:hu#sh@a", "%23"),
            ("redis-cluster://u:/hush@a", "number"),
            ("redis-cluster://a?master=hush", "no parameters"),
            ("redis-cluster:a", "redis://"),
            ("redis-sentinel://u:hush@a", "master"),
            ("redis-sentinel://u:hush@a/hush", "master"),
            ("redis-sentinel://u:hush@a/?master=", "master"),
            ("redis-sentinel://a/x?master=m", "number"),
            ("redis-sentinel://a?master=m&hush=1", "only master"),
            ("redis-sentinel://a?master=m&master=n", "each once"),
            ("redis-sentinel://u:1?hush@a/?master=m", "only master"),
            ("redis+cluster://u:hush@a", "redis://"),
            ("redis-cluster+x://u:hush@a", "redis://"),
        ] {
            let error = Place::parse(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            let said = format!("{error} {error:?}");
            assert!(
                said.contains(part) && !said.contains("hush"),
                "{url}: {said}"
            );
        }
    }
}
