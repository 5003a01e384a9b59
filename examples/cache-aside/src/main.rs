//! A product page on four instances, with and without a cache before its database.
//!
//! `cargo run --release -p cache-aside` needs nothing installed. It makes a database in a temporary
//! file, starts four instances in this process, lets clients read products for some seconds without
//! the cache, then with it, and prints both side by side. A few products are read most, and now and
//! then a price changes. With `--serve` it goes on until Ctrl-C instead, and prints addresses.
//!
//! # What is where
//!
//! - `database`: SQLite, as slow as a database that is reached over a network. Knows nothing of caches.
//! - `shop`: what an application writes: one call for a read, one around a change.
//! - `fleet`: the instances, each with its own connection to the store and its own near copies.
//! - `clients`: who reads and changes, and notes how long it took and whether it was stale.
//! - `report`: the table.
//!
//! `--store redis://127.0.0.1:6379` shares the values through Redis; without it the instances share
//! this process's memory.
//!
//! Exit codes: 0 when it has run, or after Ctrl-C; 1 if it could not; 2 for a wrong option.

mod clients;
mod database;
mod failure;
mod fleet;
mod options;
mod report;
mod shop;

use failure::Failure;
use fleet::Fleet;
use options::Options;
use report::Report;
use std::{process::ExitCode, time::Duration};

fn main() -> ExitCode {
    let done = options::parse(std::env::args_os()).and_then(|options| {
        let Some(options) = options else {
            return Ok(());
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|e| Failure::run(format!("can't start a runtime: {e}")))?;
        let done = runtime.block_on(until_interrupted(options));
        // Queries under way need not be waited for.
        runtime.shutdown_timeout(Duration::from_secs(1));
        done
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            failure.exit_code()
        }
    }
}

async fn until_interrupted(options: Options) -> Result<(), Failure> {
    tokio::select! {
        done = async {
            if options.serve {
                serve(&options).await
            } else {
                print!("{}", measure(&options).await?);
                Ok(())
            }
        } => done,
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

/// Starts the instances and prints where they are.
async fn serve(options: &Options) -> Result<(), Failure> {
    let fleet = Fleet::start(options).await?;
    for address in fleet.addresses() {
        println!("http://{address}/products/1");
    }
    let first = fleet.addresses()[0];
    println!("a price: curl -X POST 'http://{first}/products/1/price?cents=250'");
    println!("without: curl -X POST 'http://{first}/cache/off', and on again with /cache/on");
    println!("counts:  curl http://{first}/counts");
    std::future::pending().await
}

/// Lets clients read without the cache, then with it.
async fn measure(options: &Options) -> Result<Report, Failure> {
    let fleet = Fleet::start(options).await?;
    let mut report = Report::new(options);
    fleet.use_cache(false);
    report.without = Some(clients::run(&fleet, options).await?);
    if !options.no_cache {
        fleet.use_cache(true);
        report.with = Some(clients::run(&fleet, options).await?);
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_database_is_asked_far_less_with_the_cache() {
        let line = "cache-aside --seconds 1 --clients 16 --products 50 --latency-ms 5";
        let options = options::parse(line.split(' ').map(Into::into));
        let options = options.unwrap().unwrap();
        let report = measure(&options).await.unwrap();
        let (without, with) = (report.without.unwrap(), report.with.unwrap());
        assert!(with.loads * 5 < without.loads, "{with:?}\n{without:?}");
        assert!(with.requests > 0 && without.loads > 0);
        assert_eq!((with.stale, with.failed), (0, 0), "{with:?}");
        assert_eq!((without.stale, without.failed), (0, 0), "{without:?}");
    }
}
