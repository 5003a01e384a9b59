//! The runs that must find nothing.

use futures_util::{StreamExt, stream};

use super::fault::Fault;
use super::panics;
use super::run::{Plan, number};
use super::table::Table;
use super::world::Obeyed;

/// Runs at once. They wait more than they work.
const AT_ONCE: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_read_is_staler_than_the_bound_whatever_breaks() {
    panics::watch();
    let runs = seeds().map(|seed| async move {
        let plan = Plan::of(seed);
        let verdict = plan.clone().run(Obeyed::ALL).await;
        println!("{plan}: {verdict}");
        (plan, verdict)
    });
    let mut runs = stream::iter(runs).buffer_unordered(AT_ONCE);
    let (mut table, mut broken) = (Table::default(), Vec::new());
    while let Some((plan, verdict)) = runs.next().await {
        table.add(&plan, &verdict);
        if !verdict.violations.is_empty() {
            broken.push(format!("{plan}: {verdict}"));
        }
    }
    println!("\n{table}");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert_eq!(panics::seen(), [""; 0], "Cloakroom panicked");
}

/// Each fault through each driver, unless the environment says otherwise.
fn seeds() -> std::ops::Range<u64> {
    if let Some(seed) = number("CLOAKROOM_FAULT_SEED") {
        return seed..seed + 1;
    }
    0..number("CLOAKROOM_FAULT_RUNS").unwrap_or(2 * Fault::ALL.len() as u64)
}
