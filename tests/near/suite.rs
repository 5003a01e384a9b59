//! The runs that must find nothing.

use std::fmt::Write as _;

use futures_util::{StreamExt, stream};

use super::deployment::Topology;
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
    let only = std::env::var("CLOAKROOM_FAULT").ok();
    let wanted = |plan: &Plan| {
        only.as_ref()
            .is_none_or(|only| plan.strike.fault.to_string() == *only)
    };
    let runs = plans().into_iter().filter(wanted).map(|plan| async move {
        let verdict = plan.clone().run(Obeyed::ALL).await;
        println!("{plan}: {verdict}");
        (plan, verdict)
    });
    let mut runs = stream::iter(runs).buffer_unordered(AT_ONCE);
    let (mut table, mut broken) = (Table::default(), String::new());
    while let Some((plan, verdict)) = runs.next().await {
        table.add(&plan, &verdict);
        if !verdict.violations.is_empty() {
            writeln!(broken, "{plan}: {verdict}").unwrap();
        }
    }
    println!("\n{table}");
    assert!(broken.is_empty(), "{broken}");
    assert_eq!(panics::seen(), [""; 0], "Cloakroom panicked");
}

/// What the environment says; otherwise each fault on one server through each driver, and on the
/// others those that mean something else there.
fn plans() -> Vec<Plan> {
    let only = topology();
    let (seed, runs) = (
        number("CLOAKROOM_FAULT_SEED"),
        number("CLOAKROOM_FAULT_RUNS"),
    );
    if seed.is_none() && runs.is_none() {
        let all = Topology::ALL.into_iter();
        let wanted = all.filter(|topology| only.is_none_or(|only| only == *topology));
        return wanted.flat_map(telling).collect();
    }
    let (first, count) = (seed.unwrap_or(0), runs.unwrap_or(1));
    let on = |topology, count| (first..first + count).map(move |seed| Plan::of(topology, seed));
    match only.or(seed.map(|_| Topology::Single)) {
        Some(topology) => on(topology, count).collect(),
        // Half of them on one server, which is made in no time.
        None => {
            let (other, all) = (count / 4, Topology::ALL);
            let shares = all.into_iter().zip([count - 2 * other, other, other]);
            shares
                .flat_map(|(topology, count)| on(topology, count))
                .collect()
        }
    }
}

/// The servers that the environment asks for.
fn topology() -> Option<Topology> {
    let wanted = std::env::var("CLOAKROOM_FAULT_TOPOLOGY").ok()?;
    let all = Topology::ALL.into_iter();
    let named = |t: &Topology| t.to_string().eq_ignore_ascii_case(&wanted);
    Some(
        all.into_iter()
            .find(named)
            .expect("single, sentinel or cluster"),
    )
}

/// The runs of every day.
fn telling(topology: Topology) -> Vec<Plan> {
    let some = [
        Fault::Cut,
        Fault::KillSubscribers,
        Fault::Unsubscribe,
        Fault::KillAndLose,
        Fault::FailOver,
        Fault::LoseLast,
        Fault::CutOff,
        Fault::StandStill,
        Fault::Move,
    ];
    let faults = Fault::on(topology);
    if topology == Topology::Single {
        return (0..2 * faults.len() as u64)
            .map(|seed| Plan::of(topology, seed))
            .collect();
    }
    let some = some.into_iter().filter(|fault| faults.contains(fault));
    let plan = |(turn, fault)| Plan::with(topology, 2000 + turn, fault, turn);
    (0..).zip(some).map(plan).collect()
}
