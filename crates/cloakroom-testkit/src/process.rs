//! Any program as a child of the test.

use std::ffi::OsStr;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::child::OwnedChild;
use crate::lines::Lines;
use crate::poll::until;

/// How long a program may take to end after it was asked to.
const TERMINATE_LIMIT: Duration = Duration::from_secs(10);

/// How long the last lines of a program that has ended may take to arrive.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// A running program whose output is kept in memory. Dropping it kills it.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use cloakroom_testkit::Process;
/// use std::time::Duration;
///
/// let program = Process::builder("sh").args(["-c", "echo ready; exec sleep 60"]).start();
/// let line = program.wait_for_line(|line| line == "ready", Duration::from_secs(5)).await;
/// assert_eq!(line, "ready");
/// assert!(!program.terminate().await.success(), "a signal ended it");
/// # }
/// ```
#[derive(Debug)]
pub struct Process {
    name: String,
    lines: Lines,
    child: OwnedChild,
}

/// A program to start. Made by [`Process::builder`].
#[derive(Debug)]
pub struct ProcessBuilder(Command);

impl ProcessBuilder {
    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.0.arg(arg);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.0.args(args);
        self
    }

    /// Sets a variable of the program's environment, which otherwise is the test's own.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// Removes a variable from the program's environment.
    #[must_use]
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.0.env_remove(name);
        self
    }

    /// Starts the program, with nothing on its standard input.
    ///
    /// # Panics
    ///
    /// If it can't be started.
    #[must_use]
    pub fn start(mut self) -> Process {
        let name = self.0.get_program().to_string_lossy().into_owned();
        self.0
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = OwnedChild::spawn(&name, &mut self.0)
            .unwrap_or_else(|error| panic!("{name} can't be started: {error}"));
        let lines = Lines::default();
        let (stdout, stderr) = child.with(|child| (child.stdout.take(), child.stderr.take()));
        lines.follow(stdout.expect("standard output is piped"));
        lines.follow(stderr.expect("standard error is piped"));
        Process { name, lines, child }
    }
}

impl Process {
    /// A program to start: a path, or a name that is on the `PATH`.
    #[must_use]
    pub fn builder(program: impl AsRef<OsStr>) -> ProcessBuilder {
        ProcessBuilder(Command::new(program))
    }

    /// Waits for a line on standard output or error that `wanted` accepts, and answers the first
    /// one. Lines that came before the call count.
    ///
    /// # Panics
    ///
    /// With the output so far, if no such line came within `limit` or before the output ended.
    pub async fn wait_for_line(
        &self,
        mut wanted: impl FnMut(&str) -> bool,
        limit: Duration,
    ) -> String {
        let mut found = None;
        let _ = until(limit, || {
            // Asked for first: what was written before the end is there to be found after it.
            let ended = self.lines.ended();
            found = self.lines.find(&mut wanted);
            found.is_some() || ended
        })
        .await;
        found.unwrap_or_else(|| self.fail("did not print the line that was waited for", limit))
    }

    /// Asks the program to end (SIGTERM), also if it is paused, and waits up to 10 seconds for it.
    ///
    /// # Panics
    ///
    /// With the output so far, if it is still running then.
    pub async fn terminate(&self) -> ExitStatus {
        let status = self.child.terminate(TERMINATE_LIMIT).await;
        self.drained(status.unwrap_or_else(|| self.fail("did not end", TERMINATE_LIMIT)))
            .await
    }

    /// Asks the program to end as Ctrl-C does (SIGINT) and waits up to 10 seconds for it.
    ///
    /// # Panics
    ///
    /// With the output so far, if it is still running then.
    pub async fn interrupt(&self) -> ExitStatus {
        let status = self.child.interrupt(TERMINATE_LIMIT).await;
        self.drained(status.unwrap_or_else(|| self.fail("did not end", TERMINATE_LIMIT)))
            .await
    }

    /// Waits for the program to end by itself.
    ///
    /// # Panics
    ///
    /// With the output so far, if it is still running after `limit`.
    pub async fn wait(&self, limit: Duration) -> ExitStatus {
        let status = self.child.wait(limit).await;
        self.drained(status.unwrap_or_else(|| self.fail("did not end", limit)))
            .await
    }

    /// Kills the program (SIGKILL); it has ended when this returns. Does nothing if it had ended.
    pub fn kill(&self) {
        self.child.kill();
    }

    /// Stops the program where it is (SIGSTOP); it stands still when this returns.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn pause(&self) {
        self.child.pause();
    }

    /// Lets a paused program go on (SIGCONT).
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn resume(&self) {
        self.child.resume();
    }

    /// Whether the program is running or paused.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.child.exited().is_none()
    }

    /// What it has printed so far on standard output and error, line by line as it arrived.
    #[must_use]
    pub fn output(&self) -> String {
        self.lines.text()
    }

    /// Lets the last lines arrive.
    async fn drained(&self, status: ExitStatus) -> ExitStatus {
        let _ = until(DRAIN_LIMIT, || self.lines.ended()).await;
        status
    }

    fn fail(&self, what: &str, limit: Duration) -> ! {
        let (name, output) = (&self.name, self.output());
        let state = self
            .child
            .exited()
            .map_or("running".to_owned(), |status| status.to_string());
        panic!("{name} {what} within {limit:?} ({state}); it printed:\n{output}")
    }
}
