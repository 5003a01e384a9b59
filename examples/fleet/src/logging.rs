//! Logs, to standard error.

use tracing_subscriber::EnvFilter;

/// What is logged unless `RUST_LOG` says otherwise.
const DEFAULT: &str = "warn,fleet=info,cloakroom_redis=info";

/// Starts logging. Called when the store is open: a failed start prints its one line and no more.
pub(crate) fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if let Err(error) = subscriber.try_init() {
        eprintln!("fleet: logging is set up already: {error}");
    }
}
