//! A store over TLS, as the operator of the demo gets it: by its URL, and a file of authorities that
//! the environment names.

use std::fs;
use std::path::{Path, PathBuf};

use cloakroom_testkit::{Authority, ProcessBuilder, RedisServer};

use crate::fleet::support::{Browser, LIMIT, program};

/// A file that ends with the test.
struct File(PathBuf);

impl File {
    fn with(text: &str, name: &str) -> Self {
        let name = format!("{name}-{}.pem", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // A file that stays is no reason to fail; it holds no secret.
        let _ = fs::remove_file(&self.0);
    }
}

fn node(redis: &RedisServer, driver: &str, trusted: &File) -> ProcessBuilder {
    let node = program().args(["--node", "--port", "0", "--version", "v1"]);
    let node = node.args(["--redis", &redis.url(), "--driver", driver]);
    node.env("SSL_CERT_FILE", &trusted.0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_that_the_environment_names_is_trusted_and_no_other() {
    let authority = Authority::new();
    let certificate = authority.certify(&["127.0.0.1"]);
    let redis = RedisServer::builder().tls(certificate).start().await;
    let right = File::with(&authority.pem(), "trusted");
    let wrong = File::with(&Authority::new().pem(), "stranger");
    for driver in ["redis", "fred"] {
        let process = node(&redis, driver, &right).start();
        let listens = |line: &str| line.starts_with("listening on ");
        let line = process.wait_for_line(listens, LIMIT).await;
        let browser = Browser::new(line.trim_start_matches("listening on "));
        browser.log_in("alice").await;
        assert_eq!(browser.user().await.as_deref(), Some("alice"));

        let process = node(&redis, driver, &wrong).start();
        let status = process.wait(LIMIT).await;
        let said = process.output();
        assert_eq!(status.code(), Some(2), "{said}");
        assert!(said.contains("SSL_CERT_FILE"), "{said}");
    }
}
