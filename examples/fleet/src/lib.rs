//! A small shop on several instances behind one balancer, all sharing their sessions.
//!
//! `cargo run -p fleet` starts a balancer and four instances of the shop in one process: two of
//! version `v1` (*blue*) and two of `v2` (*green*). A login made on one is known by all; ending
//! it on one ends it on all, whichever version answers.
//!
//! # The way of a request
//!
//! 1. `balancer` takes it, chooses an instance (`pick`), and forwards it (`forward`).
//! 2. `instance` holds it while paused, counts it, and hands it to the shop.
//! 3. `shop` answers; Cloakroom's layer around it carries the session.
//!
//! With `--node` there is only the instance, so that any other balancer can stand in front.

mod balancer;
mod failure;
mod fleet;
mod instance;
mod logging;
mod net;
mod node;
mod options;
mod refusal;
mod shop;
mod signals;
mod store;
mod version;

use failure::Failure;
use options::Asked;
use std::process::ExitCode;

/// Runs the program with the arguments of this process.
///
/// Exit codes: 0 after Ctrl-C or SIGTERM, 1 if it could not start, 2 for a wrong option.
pub fn main() -> ExitCode {
    let done = options::parse(std::env::args_os()).and_then(run);
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            failure.exit_code()
        }
    }
}

/// Does what was asked, until a signal ends it.
fn run(asked: Asked) -> Result<(), Failure> {
    let task = async {
        match asked {
            Asked::Help(text) => net::say(&text),
            Asked::Fleet(options) => fleet::run(options).await?,
            Asked::Node(options) => node::run(options).await?,
        }
        Ok(())
    };
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::start(format!("can't start a runtime: {error}")))?
        .block_on(task)
}
