//! The far end of one direction: when, and whether, what arrived goes out.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::Shutdown;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::intake::{Item, What};
use super::settings::{Gate, Rule, Settings, Way};

/// Into how many pieces a second is divided where bytes are counted.
const PIECES_PER_SECOND: u64 = 50;

/// Writes to one socket what was queued for it, in order.
#[derive(Debug)]
pub(super) struct Outlet {
    pub(super) way: Way,
    pub(super) to: Arc<TcpStream>,
    pub(super) settings: watch::Receiver<Settings>,
    pub(super) queue: mpsc::Receiver<Item>,
    /// Whether something was swallowed: from then on, everything is.
    pub(super) lost: bool,
    /// When the next bytes may go, where they are counted.
    pub(super) free_at: Instant,
}

impl Outlet {
    /// Writes until nothing more comes.
    ///
    /// # Errors
    ///
    /// If the connection broke, at either end.
    pub(super) async fn run(mut self) -> io::Result<()> {
        while let Some(Item { at, what }) = self.queue.recv().await {
            match what {
                What::Bytes(bytes) => self.write(at, &bytes).await?,
                last => return self.end(at, matches!(last, What::Reset)).await,
            }
        }
        Ok(())
    }

    async fn end(&mut self, at: Instant, reset: bool) -> io::Result<()> {
        if !self.may_go(at).await {
            return Ok(());
        }
        if reset {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        // A receiver that has gone needs no goodbye.
        let _ = rustix::net::shutdown(&*self.to, Shutdown::Write);
        Ok(())
    }

    async fn write(&mut self, at: Instant, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() && self.may_go(at).await {
            let rate = self.rule().rate;
            let (piece, rest) = bytes.split_at(piece_of(bytes.len(), rate));
            if let Err(error) = write_all(&self.to, piece).await {
                self.news_can_travel_back().await;
                return Err(error);
            }
            let cost = rate.map_or(Duration::ZERO, |rate| time_for(piece.len(), rate));
            self.free_at = Instant::now() + cost;
            bytes = rest;
        }
        Ok(())
    }

    /// Waits until what arrived at `at` may go out. `false` if it is swallowed.
    async fn may_go(&mut self, at: Instant) -> bool {
        loop {
            let rule = self.rule();
            self.lost |= rule.gate == Gate::Swallowing;
            if self.lost {
                return false;
            }
            let due = match rule.rate {
                Some(_) => self.free_at.max(at + rule.delay),
                None => at + rule.delay,
            };
            let stalled = rule.gate == Gate::Stalled;
            if !stalled && due <= Instant::now() {
                return true;
            }
            tokio::select! {
                _ = self.settings.changed() => {}
                () = tokio::time::sleep_until(due), if !stalled => {}
            }
        }
    }

    /// That a receiver is gone is news in the other direction: it travels only where bytes do.
    async fn news_can_travel_back(&mut self) {
        let back = self.way.back();
        let open = |settings: &Settings| settings.rule(back).gate == Gate::Open;
        let _ = self.settings.wait_for(open).await;
    }

    fn rule(&mut self) -> Rule {
        *self.settings.borrow_and_update().rule(self.way)
    }
}

fn piece_of(length: usize, rate: Option<u64>) -> usize {
    let Some(rate) = rate else { return length };
    let piece = (rate / PIECES_PER_SECOND).max(1);
    length.min(usize::try_from(piece).unwrap_or(usize::MAX))
}

fn time_for(bytes: usize, rate: u64) -> Duration {
    Duration::from_secs_f64(bytes as f64 / rate as f64)
}

async fn write_all(to: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        to.writable().await?;
        match to.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_a_fiftieth_of_a_second_and_never_nothing() {
        assert_eq!(piece_of(1000, None), 1000);
        assert_eq!(piece_of(1000, Some(5_000)), 100);
        assert_eq!(piece_of(1000, Some(1)), 1);
        assert_eq!(piece_of(10, Some(1_000_000)), 10);
        assert_eq!(time_for(100, 5_000), Duration::from_millis(20));
    }
}
