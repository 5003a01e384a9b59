//! Contestants that take turns, and the ratios of their medians.
//!
//! A machine that does other things too is slower at one time than at another, by more than what is to
//! be measured. So all contestants run in each round, one after the other, and what is compared is
//! how long each took in the same rounds.
//!
//! `cargo bench -p cloakroom-bench` prints what a hit costs in Cloakroom's near copies and in other
//! caches of one process. The others keep values in this process alone, and nobody tells them when
//! they are wrong: the comparison says what that costs, not which is better.

use std::{
    fmt::Write as _,
    sync::Barrier,
    time::{Duration, Instant},
};
use tokio::runtime::{Builder, Runtime};

/// How many keys there are.
pub const KEYS: usize = 10_000;
/// How many reads a contestant makes in a round, in each thread: so few that it is seldom interrupted
/// in between.
pub const READS: usize = 4_000;
/// How many rounds are made.
pub const ROUNDS: usize = 301;

/// A cache that holds all keys.
pub trait Contestant: Sync {
    /// What it is called.
    fn name(&self) -> &str;

    /// Reads these keys, by their numbers, all of which are there.
    fn read(&self, runtime: &Runtime, order: &[usize]) -> u64;
}

/// The numbers of the keys to read, a few of them often: the first about 1,000 times as often as the
/// thousandth. The same for the same seed.
#[must_use]
pub fn skewed(seed: u64) -> Vec<usize> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut places: Vec<usize> = (0..KEYS).collect();
    // Which keys are the frequent ones must not depend on when they were put in.
    fastrand::Rng::with_seed(1).shuffle(&mut places);
    let mut sum = 0.0;
    let sums: Vec<f64> = (1..=KEYS)
        .map(|rank| {
            sum += 1.0 / rank as f64;
            sum
        })
        .collect();
    let draw = |_| {
        let drawn = random.f64() * sum;
        places[sums.partition_point(|s| *s < drawn).min(KEYS - 1)]
    };
    (0..READS).map(draw).collect()
}

/// Lets all contestants read in turns, in so many threads at once, and says the median cost of a read
/// and its ratio to that of the first; then the same of the quickest tenth, in which the machine did
/// least beside.
///
/// # Panics
///
/// If a runtime can't be made.
pub fn compare(title: &str, threads: u64, contestants: &[&dyn Contestant]) -> String {
    let mut took = vec![Vec::with_capacity(ROUNDS); contestants.len()];
    let orders: Vec<_> = (0..threads).map(|thread| skewed(thread + 7)).collect();
    for round in 0..ROUNDS {
        for turn in 0..contestants.len() {
            // Each round begins with another, so that none always comes after the same.
            let which = (turn + round) % contestants.len();
            took[which].push(run(contestants[which], &orders));
        }
    }
    for took in &mut took {
        took.sort_by(f64::total_cmp);
    }
    let mut lines = format!("{title}\n");
    let first = &took[0];
    let parts = [ROUNDS / 2, ROUNDS / 10];
    for (contestant, took) in contestants.iter().zip(&took) {
        let _ = write!(lines, "  {:<34}", contestant.name());
        for (part, first) in parts.map(|part| (took[part], first[part])) {
            let _ = write!(lines, " {part:>8.1} ns {:>6.2}", part / first);
        }
        lines.push('\n');
    }
    lines
}

/// Nanoseconds for a read, in the mean of the threads: one for each order.
fn run(contestant: &dyn Contestant, orders: &[Vec<usize>]) -> f64 {
    let barrier = &Barrier::new(orders.len());
    let took: Duration = std::thread::scope(|scope| {
        let all: Vec<_> = orders
            .iter()
            .map(|order| scope.spawn(move || one_thread(contestant, order, barrier)))
            .collect();
        all.into_iter()
            .map(|thread| thread.join().unwrap_or_default())
            .sum()
    });
    took.as_secs_f64() * 1e9 / (READS * orders.len()) as f64
}

fn one_thread(contestant: &dyn Contestant, order: &[usize], barrier: &Barrier) -> Duration {
    let runtime = runtime();
    barrier.wait();
    let began = Instant::now();
    std::hint::black_box(contestant.read(&runtime, order));
    began.elapsed()
}

/// A runtime for one thread.
///
/// # Panics
///
/// If it can't be made.
#[must_use]
#[allow(clippy::expect_used, reason = "a benchmark without a runtime is none")]
pub fn runtime() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime")
}
