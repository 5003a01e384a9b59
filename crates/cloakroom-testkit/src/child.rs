//! A child process that can be signalled, waited for, and that never outlives its owner.

use std::io;
use std::process::{Child, Command, ExitStatus};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitIdOptions, kill_process, waitid};

use crate::poll::{STEP, until};

/// How long the kernel may take to end or to stop a process.
const KERNEL_LIMIT: Duration = Duration::from_secs(5);

/// Owns a child process. Dropping it kills the child.
#[derive(Debug)]
pub(crate) struct OwnedChild {
    name: String,
    child: Mutex<Child>,
}

impl OwnedChild {
    /// Starts `command`; `name` is what panics call it.
    pub(crate) fn spawn(name: impl Into<String>, command: &mut Command) -> io::Result<Self> {
        let child = Mutex::new(command.spawn()?);
        Ok(Self {
            name: name.into(),
            child,
        })
    }

    /// What `look` gets from the child itself.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut Child) -> T) -> T {
        look(&mut self.child.lock().unwrap())
    }

    /// How it ended, if it has.
    pub(crate) fn exited(&self) -> Option<ExitStatus> {
        self.with(|child| child.try_wait().expect("a child can be waited for"))
    }

    /// Sends SIGKILL and waits for the end. Does nothing if it has ended already.
    pub(crate) fn kill(&self) {
        if self.exited().is_none() {
            self.with(Child::kill)
                .expect("a running child can be killed");
            self.settle("was killed but did not end", || self.exited().is_some());
        }
    }

    /// Sends SIGSTOP and waits until the process stands still.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub(crate) fn pause(&self) {
        self.signal_running(Signal::STOP);
        self.settle("was stopped but went on", || self.stands_still());
    }

    /// Sends SIGCONT.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub(crate) fn resume(&self) {
        self.signal_running(Signal::CONT);
    }

    /// Asks the process to end (SIGTERM, and SIGCONT should it be paused) and waits for it, for
    /// at most `limit`. `None` if it is still running then.
    pub(crate) async fn terminate(&self, limit: Duration) -> Option<ExitStatus> {
        let _ = self.signal(&[Signal::TERM, Signal::CONT]);
        self.wait(limit).await
    }

    /// Asks the process to end as Ctrl-C does (SIGINT) and waits for it, for at most `limit`.
    /// `None` if it is still running then.
    pub(crate) async fn interrupt(&self, limit: Duration) -> Option<ExitStatus> {
        let _ = self.signal(&[Signal::INT]);
        self.wait(limit).await
    }

    /// Waits for the end, for at most `limit`. `None` if it is still running then.
    pub(crate) async fn wait(&self, limit: Duration) -> Option<ExitStatus> {
        let _ = until(limit, || self.exited().is_some()).await;
        self.exited()
    }

    /// Sends the signals, unless it has ended: then the answer is how.
    fn signal(&self, signals: &[Signal]) -> Result<(), ExitStatus> {
        // The lock is held over both steps: a child that nobody has waited for keeps its id.
        self.with(
            |child| match child.try_wait().expect("a child can be waited for") {
                Some(status) => Err(status),
                None => {
                    let pid = Pid::from_child(child);
                    let send = |signal: &Signal| kill_process(pid, *signal);
                    signals
                        .iter()
                        .try_for_each(send)
                        .expect("a running child can be signalled");
                    Ok(())
                }
            },
        )
    }

    /// For signals that make no sense after the end.
    fn signal_running(&self, signal: Signal) {
        if let Err(status) = self.signal(&[signal]) {
            panic!(
                "{} has ended ({status}): {signal:?} can't reach it",
                self.name
            );
        }
    }

    /// Whether a signal has stopped it. Only for one that has not ended.
    pub(crate) fn stands_still(&self) -> bool {
        let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.with(|child| {
            let status = waitid(
                rustix::process::WaitId::Pid(Pid::from_child(child)),
                options,
            );
            status.expect("a child can be waited for").is_some()
        })
    }

    /// Waits for what the kernel does at once. It blocks, for milliseconds.
    fn settle(&self, failure: &str, done: impl Fn() -> bool) {
        let deadline = Instant::now() + KERNEL_LIMIT;
        while !done() {
            assert!(
                Instant::now() < deadline,
                "{} {failure} for {KERNEL_LIMIT:?}",
                self.name
            );
            std::thread::sleep(STEP / 5);
        }
    }
}

impl Drop for OwnedChild {
    fn drop(&mut self) {
        // Also while a test is failing: so without a panic of its own.
        let child = self
            .child
            .get_mut()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let _ = child.kill();
        let deadline = Instant::now() + KERNEL_LIMIT;
        while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(STEP / 5);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> OwnedChild {
        OwnedChild::spawn("sleep", Command::new("sleep").arg("60")).unwrap()
    }

    #[test]
    fn a_killed_child_has_ended_when_kill_returns() {
        let child = sleeper();
        assert!(child.exited().is_none());
        child.kill();
        assert!(child.exited().is_some());
        child.kill();
    }

    #[test]
    fn a_paused_child_can_be_killed() {
        let child = sleeper();
        child.pause();
        child.kill();
        assert!(child.exited().is_some());
    }

    #[test]
    fn a_child_can_be_paused_twice() {
        let child = sleeper();
        child.pause();
        child.resume();
        child.pause();
        assert!(child.exited().is_none());
    }

    #[tokio::test]
    async fn a_paused_child_can_be_terminated() {
        let child = sleeper();
        child.pause();
        assert!(child.terminate(Duration::from_secs(5)).await.is_some());
    }

    #[tokio::test]
    async fn a_child_that_ends_at_once_can_be_terminated() {
        for _ in 0..50 {
            let child = OwnedChild::spawn("true", &mut Command::new("true")).unwrap();
            assert!(child.terminate(Duration::from_secs(5)).await.is_some());
        }
    }

    #[tokio::test]
    async fn waiting_ends_at_the_limit() {
        assert!(sleeper().wait(Duration::from_millis(20)).await.is_none());
    }

    #[test]
    #[should_panic(expected = "has ended")]
    fn a_child_that_has_ended_can_not_be_paused() {
        let child = sleeper();
        child.kill();
        child.pause();
    }
}
