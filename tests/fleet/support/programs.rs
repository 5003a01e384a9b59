//! The demo as processes.

use cloakroom_testkit::{Process, ProcessBuilder};

use super::LIMIT;

/// The demo's program.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_fleet-under-test");

/// The demo, without what the environment of the tests might tell it.
pub(crate) fn program() -> ProcessBuilder {
    Process::builder(PROGRAM)
        .env_remove("REDIS_URL")
        .env_remove("RUST_LOG")
}

/// The main job: a balancer and its instances, on memory.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) process: Process,
    pub(crate) url: String,
}

impl Fleet {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub(crate) async fn start_with(args: &[&str]) -> Self {
        Self::start_from(program().args(args)).await
    }

    /// Starts a program that is prepared already, on any free port.
    pub(crate) async fn start_from(program: ProcessBuilder) -> Self {
        let process = program.args(["--port", "0"]).start();
        let line = process
            .wait_for_line(|line| line.starts_with("fleet: http://"), LIMIT)
            .await;
        let url = address(&line);
        Self { process, url }
    }
}

/// How to start a node.
#[derive(Clone, Debug)]
pub(crate) struct NodeSpec {
    pub(crate) version: &'static str,
    pub(crate) redis: String,
    pub(crate) port: u16,
    pub(crate) log: Option<&'static str>,
    pub(crate) drain_ms: Option<u32>,
    pub(crate) driver: Option<&'static str>,
}

impl NodeSpec {
    /// On any free port, with the logs that it has by default.
    pub(crate) fn new(version: &'static str, redis: &str) -> Self {
        Self {
            version,
            redis: redis.to_owned(),
            port: 0,
            log: None,
            drain_ms: None,
            driver: None,
        }
    }

    /// Starts it, and waits until it says that it listens.
    pub(crate) async fn start(&self) -> Node {
        let node = self.launch();
        let line = node
            .wait_for_line(|line| line.starts_with("listening on "), LIMIT)
            .await;
        let url = address(&line);
        Node { process: node, url }
    }

    /// Starts it and waits for nothing.
    pub(crate) fn launch(&self) -> Process {
        let port = self.port.to_string();
        let mut node = program()
            .args(["--node", "--port", &port, "--version", self.version])
            .args(["--redis", &self.redis]);
        if let Some(log) = self.log {
            node = node.env("RUST_LOG", log);
        }
        if let Some(driver) = self.driver {
            node = node.args(["--driver", driver]);
        }
        if let Some(drain) = self.drain_ms {
            node = node.arg("--drain-ms").arg(drain.to_string());
        }
        node.start()
    }
}

/// One instance as a process of its own.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) process: Process,
    pub(crate) url: String,
}

/// The address in a line, without the slash at its end.
fn address(line: &str) -> String {
    let start = line.find("http://").unwrap();
    line[start..].trim_end_matches('/').to_owned()
}
