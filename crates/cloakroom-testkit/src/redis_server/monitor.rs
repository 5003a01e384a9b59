//! Capturing what a server executes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::control::{COMMAND_LIMIT, Control};
use crate::poll::until;

/// How a `MONITOR` connection begins.
const GREETING: &[u8] = b"+OK\r\n";

/// The output of `MONITOR`, captured in memory by a thread of its own. Dropping it ends the
/// capture.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let redis = cloakroom_testkit::RedisServer::start().await;
/// let monitor = redis.monitor().await;
/// redis.command(&["SET", "a", "b"]).await;
/// let seen = String::from_utf8(monitor.finish().await).unwrap();
/// assert!(seen.ends_with("\"SET\" \"a\" \"b\"\r\n"), "{seen}");
/// # }
/// ```
#[derive(Debug)]
pub struct Monitor {
    stream: TcpStream,
    capture: Capture,
    control: Arc<Control>,
}

impl Monitor {
    pub(super) async fn start(control: Arc<Control>) -> Self {
        let port = control.port();
        let open = move || -> std::io::Result<TcpStream> {
            let mut stream = Control::connect(port, COMMAND_LIMIT)?;
            stream.write_all(b"MONITOR\r\n")?;
            let mut greeting = [0; GREETING.len()];
            stream.read_exact(&mut greeting)?;
            assert_eq!(greeting, GREETING, "MONITOR is not allowed");
            stream.set_read_timeout(None)?;
            Ok(stream)
        };
        let stream = tokio::task::spawn_blocking(open).await.unwrap();
        let stream = stream.unwrap_or_else(|error| panic!("MONITOR: {error}"));
        control.count("monitor");
        let capture = Capture::default();
        capture.follow(stream.try_clone().expect("a socket can be shared"));
        Self {
            stream,
            capture,
            control,
        }
    }

    /// Everything that was executed until now, as `MONITOR` writes it: one line per command, with
    /// time, database, client and the quoted arguments. If the server has ended, what it wrote
    /// until then.
    ///
    /// # Panics
    ///
    /// If a running server doesn't answer within 5 seconds.
    pub async fn finish(self) -> Vec<u8> {
        static MARKS: AtomicU64 = AtomicU64::new(0);
        let mark = format!("end of capture {}", MARKS.fetch_add(1, Ordering::Relaxed));
        // A server that has ended has closed the capture: its silence is no failure.
        if self.control.send(&["ECHO", &mark]).await.is_ok() {
            self.control.count("echo");
        }
        let complete = || self.capture.is_complete(&mark);
        assert!(until(COMMAND_LIMIT, complete).await, "MONITOR stands still");
        until_mark(&self.capture.bytes(), &mark).to_vec()
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // Ends the thread's read. A connection that the server has closed can't be shut down.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

#[derive(Clone, Debug, Default)]
struct Capture(Arc<Mutex<Captured>>);

#[derive(Debug, Default)]
struct Captured {
    bytes: Vec<u8>,
    ended: bool,
}

impl Capture {
    fn follow(&self, mut stream: TcpStream) {
        let capture = self.clone();
        std::thread::spawn(move || {
            let mut chunk = [0; 16 * 1024];
            while let Ok(length @ 1..) = stream.read(&mut chunk) {
                capture
                    .0
                    .lock()
                    .unwrap()
                    .bytes
                    .extend_from_slice(&chunk[..length]);
            }
            capture.0.lock().unwrap().ended = true;
        });
    }

    fn is_complete(&self, mark: &str) -> bool {
        let captured = self.0.lock().unwrap();
        captured.ended || find(&captured.bytes, mark.as_bytes()).is_some()
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().bytes.clone()
    }
}

/// The lines before the one that bears `mark`; all of them if none does.
fn until_mark<'a>(bytes: &'a [u8], mark: &str) -> &'a [u8] {
    let Some(mark) = find(bytes, mark.as_bytes()) else {
        return bytes;
    };
    let line = bytes[..mark]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    &bytes[..line]
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marked_line_is_cut_off() {
        let bytes = b"+1 \"SET\"\r\n+2 \"ECHO\" \"end\"\r\n+3 \"PING\"\r\n";
        assert_eq!(until_mark(bytes, "end"), b"+1 \"SET\"\r\n");
        assert_eq!(until_mark(bytes, "+1"), b"");
        assert_eq!(until_mark(bytes, "absent"), bytes);
    }
}
