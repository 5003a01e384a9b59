//! Prints what issuing and verifying cost here, and how long tokens are:
//! `cargo run --release -p cloakroom-jwt --example measure`.

use cloakroom_jwt::{Grant, KeyRing, SigningKey, Tokens};
use std::{hint::black_box, time::Instant};

const TIMES: u32 = 20_000;

fn measure(what: &str, mut run: impl FnMut()) {
    for _ in 0..TIMES / 10 {
        run();
    }
    let start = Instant::now();
    for _ in 0..TIMES {
        run();
    }
    let each = start.elapsed().as_nanos() / u128::from(TIMES);
    println!("{what:<44} {each:>8} ns");
}

fn main() -> cloakroom_core::Result<()> {
    let ring = KeyRing::new(SigningKey::generate()?);
    let tokens = Tokens::builder(ring, "https://login.example")
        .audience("shop")
        .build()?;
    let verifier = tokens.verifier();
    let small = Grant::new("alice");
    let full = Grant::new("alice")
        .client_id("mobile-app")
        .scope("orders:read orders:write".parse()?)
        .session("rZ1mJ8Qn4x0B")
        .epoch("7")
        .app(&serde_json::json!({ "name": "Alice", "seats": 5 }))?;
    for (name, grant) in [("subject only", &small), ("with all claims", &full)] {
        let token = tokens.issue(grant)?;
        println!("{name}: {} bytes", token.token().len());
        measure("  issue", || {
            _ = black_box(tokens.issue(black_box(grant)));
        });
        measure("  verify", || {
            _ = black_box(verifier.verify_ignoring_revocation(black_box(token.token())));
        });
        let forged = format!("{}A", &token.token()[..token.token().len() - 1]);
        measure("  refuse, wrong signature", || {
            _ = black_box(verifier.verify_ignoring_revocation(black_box(&forged)));
        });
    }
    let long = ".".repeat(8 << 20);
    measure("refuse, 8 MB", || {
        _ = black_box(verifier.verify_ignoring_revocation(black_box(&long)));
    });
    Ok(())
}
