//! A key that nobody has, and a whole fleet wants.

use super::{
    fleet::{Fleet, Job},
    instance::{LIMIT, asked},
};
use cloakroom_testkit::RedisServer;

const PROCESSES: usize = 5;
const TASKS: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_processes_of_200_tasks_load_a_cold_key_once() {
    let server = RedisServer::start().await;
    let fleet = Fleet::new(server.url());
    let mut workers = Vec::new();
    for _ in 0..PROCESSES {
        workers.push(fleet.worker(Job::Stampede { tasks: TASKS }).await);
    }
    server.reset_stats().await;
    fleet.go();
    let (mut waits, mut loads) = (Vec::new(), 0);
    for worker in &workers {
        let line = worker.wait_for_line(|line| line.starts_with("waits"), LIMIT);
        let micros = line.await;
        let micros = micros.split(' ').skip(1);
        waits.extend(micros.map(|wait| wait.parse::<u64>().unwrap()));
        loads += worker.output().matches("loading").count();
    }
    let all = server.command_stats().await;
    waits.sort_unstable();
    let of = |part: usize| waits[(waits.len() - 1) * part / 100] as f64 / 1000.0;
    println!(
        "{PROCESSES} processes x {TASKS} tasks: {loads} load; waits p50 {:.1} ms, p99 {:.1} ms, \
         max {:.1} ms; {} scripts: {all:?}",
        of(50),
        of(99),
        of(100),
        asked(&all)
    );
    assert_eq!(loads, 1);
    assert_eq!(waits.len(), PROCESSES * TASKS);
    // Each instance asks, the others ask again when they are told, and the value is put once. A wait
    // that outlasts a third of the lease would be one more.
    assert!(asked(&all) <= 2 * PROCESSES as u64 + 2, "{all:?}");
    for worker in workers {
        assert!(worker.wait(LIMIT).await.success());
    }
}
