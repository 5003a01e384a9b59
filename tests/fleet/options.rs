//! The command line: what is wrong is said in one line, and ends with code 2.

use std::net::TcpListener;

use cloakroom_testkit::{Process, RedisServer};

use crate::fleet::support::{Browser, Fleet, LIMIT, NodeSpec, PROGRAM, program};

/// Starts the program with its standard output thrown away.
fn silent(args: &[&str]) -> Process {
    Process::builder("sh")
        .args(["-c", "exec \"$0\" \"$@\" >/dev/null", PROGRAM])
        .args(args)
        .env_remove("REDIS_URL")
        .env_remove("RUST_LOG")
        .start()
}

/// What the program says on standard error, which is one line, before it ends with this code.
async fn refusal(args: &[&str], code: i32) -> String {
    let program = silent(args);
    let status = program.wait(LIMIT).await;
    let output = program.output();
    assert_eq!(status.code(), Some(code), "{args:?}: {output}");
    assert_eq!(output.lines().count(), 1, "{args:?}: {output}");
    output
}

#[tokio::test]
async fn wrong_options_end_with_code_2() {
    let node = ["--node", "--port", "0"];
    let cases: [(&[&str], &str); 14] = [
        (&["--blue"], "--blue"),
        (&["--green", "101"], "101"),
        (&["--green", "-1"], "-1"),
        (&["--green", "half"], "half"),
        (&["--instances", "0"], "--instances"),
        (&["--port", "65536"], "--port"),
        (&["--port"], "--port"),
        (&["--driver", "jedis"], "jedis"),
        (&["--redis", "redis-cluster://a,b/1"], "database 0"),
        (&["--redis", "redis-sentinel://a/main"], "redis-sentinel://"),
        (&["--redis", "mysql://root:hunter2@db"], "redis://"),
        (&["--version", "v1"], "--node"),
        (&["surplus"], "surplus"),
        (&["--redis", "redis://127.0.0.1/x"], "number"),
    ];
    for (args, part) in cases {
        let said = refusal(args, 2).await;
        assert!(said.contains(part), "{args:?}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    for (version, part) in [("v3", "v1, v2"), ("", "v1, v2")] {
        let args: Vec<_> = node.iter().copied().chain(["--version", version]).collect();
        let said = refusal(&args, 2).await;
        assert!(said.contains(part), "{version}: {said}");
    }
    assert!(refusal(&node, 2).await.contains("--version"));
}

#[tokio::test]
async fn a_taken_port_ends_with_code_1() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for args in [
        vec!["--port", &port],
        vec!["--node", "--version", "v2", "--port", &port],
    ] {
        let said = refusal(&args, 1).await;
        assert!(said.contains(&format!("port {port} is taken")), "{said}");
    }
}

#[tokio::test]
async fn help_is_for_standard_output() {
    let help = program().arg("--help").start();
    assert!(help.wait(LIMIT).await.success());
    for option in [
        "--redis",
        "--driver",
        "--instances",
        "--port",
        "--green",
        "--node",
    ] {
        assert!(help.output().contains(option), "{}", help.output());
    }
    let silent = silent(&["--help"]);
    assert!(silent.wait(LIMIT).await.success());
    assert_eq!(silent.output(), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_address_of_redis_may_come_from_the_environment() {
    let redis = RedisServer::start().await;
    let fleet = Fleet::start_from(program().env("REDIS_URL", redis.url())).await;
    let browser = Browser::new(&fleet.url);
    browser.log_in("alice").await;
    assert_eq!(browser.user().await.as_deref(), Some("alice"));
    let state = browser.get("/admin/state").await.is(200).json();
    assert_eq!(state["store"]["kind"], "redis");
    // The session, its user's index, and the deployment's settings.
    assert!(redis.dbsize().await >= 2);
    // Another process sees the same login, by option this time.
    let node = NodeSpec::new("v2", &redis.url()).start().await;
    assert_eq!(browser.at(&node.url).user().await.as_deref(), Some("alice"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_option_wins_over_the_environment() {
    let redis = RedisServer::start().await;
    let node = program()
        .args(["--node", "--port", "0", "--version", "v1"])
        .args(["--redis", &redis.url()])
        .env("REDIS_URL", "redis://127.0.0.1:1")
        .start();
    node.wait_for_line(|line| line.starts_with("listening on "), LIMIT)
        .await;
}

#[tokio::test]
async fn an_empty_environment_variable_is_none() {
    let fleet = Fleet::start_from(program().env("REDIS_URL", "")).await;
    Browser::new(&fleet.url).log_in("alice").await;
}
