//! One small shop twice, side by side: once with sessions, once with tokens.
//!
//! `cargo run -p jwt-shop` starts four instances of each in one process, two blue and two green, walks
//! through both ways of logging in and prints what the client sees, and serves until Ctrl-C. Nothing
//! has to be installed; with `--redis URL` what they share is kept there.
//!
//! | route | with sessions | with tokens |
//! |---|---|---|
//! | `POST /login`, `user=alice` | a cookie | an access token in the body, a refresh token in a cookie |
//! | `GET /me` | the user, from the session | the user, from the token |
//! | `POST /cart` | adds one to a counter in the session | none: a token can't hold what changes |
//! | `POST /refresh` | none: using a session prolongs it | the next two tokens, once for each refresh token |
//! | `POST /logout` | the session has ended | the login has ended, and its access tokens with it |
//! | `GET /.well-known/jwks.json` | none | the public keys of the instance's colour |
//!
//! # Where the refresh token is
//!
//! In a cookie that scripts can't read and that goes to `/refresh` and `/logout` alone. In a body the
//! page's script would have to keep it, and whatever runs in the page could take it away: for weeks,
//! where an access token is good for minutes. A program that is no browser keeps it where it keeps
//! secrets, and for it the body is the place.
//!
//! # Whose keys
//!
//! Blue and green have signing keys of their own, and read each other's document by HTTP. So a token
//! of one is good on the other, and each rotates when it likes.
//!
//! `cargo run --release -p cloakroom-bench --bin jwt-comparison` measures what each way costs.

mod client;
mod deployment;
mod instance;
mod options;
pub mod sessions;
pub mod tokens;
mod tour;

pub use client::{Answer, Client, request};
pub use deployment::Deployment;
pub use instance::{Failure, Instance, open};

use options::Options;
use std::process::ExitCode;

/// Runs the program with the arguments of this process.
///
/// Exit codes: 0 after Ctrl-C, 1 if something failed, 2 for a wrong option.
#[must_use]
pub fn main() -> ExitCode {
    let options = match options::parse(std::env::args_os()) {
        Ok(options) => options,
        Err(said) => return said.tell(),
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("jwt: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let deployment = Deployment::start(&options.redis, 4, options.port).await?;
        for line in deployment.addresses() {
            println!("{line}");
        }
        tour::walk(&deployment).await?;
        if options.once {
            return Ok(());
        }
        println!("\nserving until Ctrl-C");
        Ok(tokio::signal::ctrl_c().await?)
    })
}
