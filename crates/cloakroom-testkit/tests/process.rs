//! A program as a child: what it prints, how it ends.

use std::time::{Duration, Instant};

use cloakroom_testkit::Process;

const LIMIT: Duration = Duration::from_secs(10);

fn shell(script: &str) -> Process {
    Process::builder("sh").args(["-c", script]).start()
}

#[tokio::test]
async fn both_streams_and_the_environment_are_seen() {
    let program = Process::builder("sh")
        .args(["-c", "echo out $COLOUR; echo err >&2; exit 3"])
        .env("COLOUR", "green")
        .start();
    assert_eq!(program.wait(LIMIT).await.code(), Some(3));
    let output = program.output();
    assert!(
        output.contains("out green\n") && output.contains("err\n"),
        "{output}"
    );
}

#[tokio::test]
async fn a_line_is_found_before_and_after_it_came() {
    let program = shell("echo one; echo two; exec sleep 60");
    program.wait_for_line(|line| line == "two", LIMIT).await;
    assert_eq!(
        program
            .wait_for_line(|line| line.starts_with('o'), LIMIT)
            .await,
        "one"
    );
}

#[tokio::test]
#[should_panic(expected = "sh did not print the line that was waited for")]
async fn a_line_that_never_comes_fails_as_soon_as_the_program_ends() {
    shell("echo one")
        .wait_for_line(|line| line == "two", Duration::from_secs(3600))
        .await;
}

#[tokio::test]
#[should_panic(expected = "it printed:\none\n")]
async fn a_line_that_never_comes_fails_at_the_limit() {
    let program = shell("echo one; exec sleep 60");
    program.wait_for_line(|line| line == "one", LIMIT).await;
    program
        .wait_for_line(|line| line == "two", Duration::from_millis(50))
        .await;
}

#[tokio::test]
async fn a_program_that_handles_the_signal_ends_with_its_own_code() {
    let program = shell("trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.01; done");
    program.wait_for_line(|line| line == "ready", LIMIT).await;
    assert_eq!(program.terminate().await.code(), Some(7));
    assert!(program.output().ends_with("bye\n"));
}

#[tokio::test]
async fn a_paused_program_is_silent_and_goes_on() {
    let program = shell("while :; do echo tick; sleep 0.01; done");
    program.wait_for_line(|line| line == "tick", LIMIT).await;
    program.pause();
    assert!(program.is_alive());
    program.resume();
    let ticks = program.output().lines().count();
    let more = || async { program.output().lines().count() > ticks + 1 };
    assert!(cloakroom_testkit::eventually(LIMIT, more).await);
    program.kill();
    assert!(!program.is_alive());
}

#[tokio::test]
async fn dropping_ends_it_at_once() {
    let start = Instant::now();
    let program = shell("exec sleep 60");
    program.pause();
    drop(program);
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
#[should_panic(expected = "no-such-program can't be started")]
fn a_missing_program_fails() {
    let _ = Process::builder("no-such-program").start();
}

#[tokio::test]
async fn an_interrupt_is_what_ctrl_c_sends() {
    // A shell can't trap what its parent ignores, as one in the background ignores this; a server
    // can.
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("socket");
    let directory = dir.path().display().to_string();
    let program = Process::builder("redis-server")
        .args(["--port", "0", "--save", "", "--dir", &directory])
        .args(["--unixsocket", &socket.display().to_string()])
        .start();
    // Redis 7.0 says it within a sentence, later ones at the start of one.
    let ready = |line: &str| line.contains("eady to accept connections");
    program.wait_for_line(ready, LIMIT).await;
    assert_eq!(program.interrupt().await.code(), Some(0));
    assert!(program.output().contains("Received SIGINT"));
}
