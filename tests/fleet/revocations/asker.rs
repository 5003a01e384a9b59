//! A connection to one instance, and one question at a time.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::fleet::support::LIMIT;

/// A connection to one instance, which stays open. It does as little as can be done for an answer:
/// what it takes is measured too.
#[derive(Debug)]
pub(super) struct Asker {
    stream: TcpStream,
    answer: Vec<u8>,
}

/// When one instance came to refuse, counted from the revocation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal {
    /// When the last question was begun that it still accepted, if it did.
    pub(super) accepted: Option<Duration>,
    /// When it had answered that it refuses, to all that was asked.
    pub(super) refused: Duration,
}

/// Who the bearer of this id is.
pub(super) fn question(id: &str) -> Vec<u8> {
    format!("GET /me HTTP/1.1\r\nhost: fleet\r\ncookie: id={id}\r\n\r\n").into()
}

impl Asker {
    pub(super) async fn connect(url: &str) -> Self {
        let address = url.trim_start_matches("http://");
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            answer: Vec::new(),
        }
    }

    /// Asks each question once; all are accepted.
    pub(super) async fn ask_all(&mut self, questions: &[Vec<u8>]) {
        for question in questions {
            assert_eq!(self.ask(question).await, 200);
        }
    }

    /// Asks each question until it is refused.
    pub(super) async fn ask_until_refused(
        &mut self,
        questions: &[Vec<u8>],
        revoked: Instant,
    ) -> Refusal {
        let mut accepted = None;
        for question in questions {
            loop {
                let begun = revoked.elapsed();
                match self.ask(question).await {
                    200 => accepted = Some(begun),
                    401 => break,
                    status => panic!("neither accepted nor refused: {status}"),
                }
                assert!(begun < LIMIT, "it is never refused");
            }
        }
        Refusal {
            accepted,
            refused: revoked.elapsed(),
        }
    }

    /// Sends a request and reads the answer to its end; the answer's status.
    async fn ask(&mut self, question: &[u8]) -> u16 {
        let answered = timeout(LIMIT, self.exchange(question)).await;
        answered.expect("the instance answers").unwrap()
    }

    async fn exchange(&mut self, question: &[u8]) -> std::io::Result<u16> {
        self.answer.clear();
        self.stream.write_all(question).await?;
        loop {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if let Some((status, length)) = read(&self.answer)
                && self.answer.len() >= length
            {
                return Ok(status);
            }
        }
    }
}

/// The status of an answer and how long all of it is, once its head is there.
fn read(answer: &[u8]) -> Option<(u16, usize)> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).unwrap();
    let body = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .expect("the demo tells how long its answers are");
    let status = head.split(' ').nth(1).unwrap();
    Some((
        status.parse().unwrap(),
        end + 4 + body.parse::<usize>().unwrap(),
    ))
}
