//! Panics of Cloakroom's own, in whatever task: a client crate's task that dies of one is replaced
//! in silence.

use std::panic::{self, PanicHookInfo};
use std::sync::{LazyLock, Mutex, PoisonError};

static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Notes panics from now on, beside what is done about them anyway.
pub(crate) fn watch() {
    static WATCH: LazyLock<()> = LazyLock::new(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            note(info);
            before(info);
        }));
    });
    LazyLock::force(&WATCH);
}

/// Where Cloakroom's crates have panicked so far.
pub(crate) fn seen() -> Vec<String> {
    let seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    seen.clone()
}

/// The test's own panics, and those that other tests provoke in handlers, are not meant.
fn note(info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let ours = [
        "cloakroom-core",
        "cloakroom-near",
        "cloakroom-redis",
        "cloakroom-driver",
    ];
    if ours.iter().any(|name| place.contains(name)) {
        let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(place);
    }
}
