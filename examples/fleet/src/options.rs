//! The command line.

use crate::{
    balancer::Split,
    failure::Failure,
    store::{Driver, StoreUrl},
    version::Version,
};
use clap::{Parser, error::ErrorKind};
use std::{ffi::OsString, time::Duration};

/// The port of the balancer and of a single node, unless another is asked for.
const PORT: u16 = 3000;

/// How long a node that was told to end still serves, so that balancers notice.
const DRAIN: Duration = Duration::from_secs(1);

/// A small shop on several instances behind one balancer, all sharing their sessions.
#[derive(Debug, Parser)]
#[command(name = "fleet", disable_version_flag = true)]
struct Args {
    /// Keep sessions in this Redis or Valkey: redis://HOST:PORT; without it they are in memory
    #[arg(long, value_name = "URL", env = "REDIS_URL", hide_env_values = true)]
    redis: Option<String>,
    /// The client library that talks to Redis
    #[arg(long, value_enum, default_value_t = Driver::Redis)]
    driver: Driver,
    /// How many instances: the first half of version v1, the rest of v2 [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=32), conflicts_with = "node")]
    instances: Option<u16>,
    /// The port on 127.0.0.1; 0 picks a free one
    #[arg(long, default_value_t = PORT)]
    port: u16,
    /// Send this share of the clients to v2 and the rest to v1, 0 to 100; without it requests
    /// go round all instances
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100), conflicts_with = "node")]
    green: Option<u8>,
    /// Run a single instance, to stand behind any balancer; needs --version
    #[arg(long, requires = "version")]
    node: bool,
    /// The single instance's version
    #[arg(long, value_enum, requires = "node")]
    version: Option<Version>,
    /// How long the single instance still serves after SIGTERM, before it stops accepting
    /// [default: 1000]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(0..=60_000), requires = "node")]
    drain_ms: Option<u64>,
}

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Asked {
    /// Print this text.
    Help(String),
    /// A balancer and its instances.
    Fleet(FleetOptions),
    /// One instance.
    Node(NodeOptions),
}

/// How to run the balancer and its instances.
#[derive(Debug)]
pub(crate) struct FleetOptions {
    pub(crate) store: StoreUrl,
    pub(crate) port: u16,
    pub(crate) instances: usize,
    pub(crate) split: Option<Split>,
}

/// How to run one instance.
#[derive(Debug)]
pub(crate) struct NodeOptions {
    pub(crate) store: StoreUrl,
    pub(crate) port: u16,
    pub(crate) version: Version,
    pub(crate) drain: Duration,
}

/// Reads the command line, the program's name first.
///
/// # Errors
///
/// A usage [`Failure`] that says in one line what is wrong.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Asked, Failure> {
    match Args::try_parse_from(args) {
        Ok(args) => args.check(),
        Err(error) if error.kind() == ErrorKind::DisplayHelp => Ok(Asked::Help(
            error.render().to_string().trim_end().to_owned(),
        )),
        Err(error) => Err(Failure::usage(complaint(&error.render().to_string()))),
    }
}

/// What is wrong, without the tips and the usage that clap adds.
fn complaint(rendered: &str) -> String {
    let first = rendered.split("\n\n").next().unwrap_or(rendered);
    let what = first.trim_start_matches("error: ");
    format!("{what} (--help shows the options)")
}

impl Args {
    /// Turns arguments that are well formed one by one into options that make sense together.
    fn check(self) -> Result<Asked, Failure> {
        let url = self.redis.as_deref().unwrap_or_default();
        let store = StoreUrl::parse(url, self.driver)?;
        Ok(match self.version {
            Some(version) => Asked::Node(NodeOptions {
                store,
                port: self.port,
                version,
                drain: self.drain_ms.map_or(DRAIN, Duration::from_millis),
            }),
            None => Asked::Fleet(FleetOptions {
                store,
                port: self.port,
                instances: self.instances.unwrap_or(4).into(),
                split: self.green.and_then(Split::new),
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Result<Asked, Failure> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn refused(line: &str) -> String {
        let failure = asked(line).unwrap_err();
        assert_eq!(
            format!("{:?}", failure.exit_code()),
            format!("{:?}", std::process::ExitCode::from(2))
        );
        failure.to_string()
    }

    #[test]
    fn without_options_four_instances_share_memory() {
        let Asked::Fleet(options) = asked("fleet").unwrap() else {
            panic!("not a fleet")
        };
        assert_eq!(
            (options.instances, options.port, options.split),
            (4, 3000, None)
        );
    }

    #[test]
    fn a_node_has_a_version_and_a_drain() {
        let line = "fleet --node --port 0 --version v2 --redis redis://127.0.0.1 --drain-ms 5";
        let Asked::Node(options) = asked(line).unwrap() else {
            panic!("not a node")
        };
        assert_eq!((options.version, options.port), (Version::V2, 0));
        assert_eq!(options.drain, Duration::from_millis(5));
    }

    #[test]
    fn wrong_options_get_one_line_that_names_them() {
        for (line, part) in [
            ("fleet --green 101", "101 is not in 0..=100"),
            ("fleet --instances 0", "0 is not in 1..=32"),
            ("fleet --port 70000", "'--port <PORT>'"),
            ("fleet --blue", "unexpected argument '--blue'"),
            ("fleet --node", "--version"),
            ("fleet --version v1", "--node"),
            ("fleet --node --version v3", "[possible values: v1, v2]"),
            ("fleet --node --version v1 --green 3", "cannot be used with"),
            ("fleet --redis http://user:secret@a", "redis://"),
        ] {
            let said = refused(line);
            assert!(said.contains(part), "{line}: {said}");
            assert!(
                !said.contains('\n') && !said.contains("secret"),
                "{line}: {said}"
            );
        }
    }

    #[test]
    fn help_is_no_failure() {
        assert!(matches!(asked("fleet --help"), Ok(Asked::Help(text)) if text.contains("--green")));
    }
}
