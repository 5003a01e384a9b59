//! What a test may do to a link.

use std::time::Duration;

use super::Link;
use super::settings::{Direction, Gate, Rule, Settings};

impl Link {
    /// Lets bytes arrive `delay` after they were sent; zero takes the delay away. What is under
    /// way follows the new delay, and never overtakes.
    pub fn delay(&self, direction: Direction, delay: Duration) {
        self.rules(direction, |rule| rule.delay = delay);
    }

    /// Lets at most so many bytes a second through each connection.
    ///
    /// # Panics
    ///
    /// If it is none: that is [`stall`](Link::stall).
    pub fn throttle(&self, direction: Direction, bytes_per_second: u64) {
        assert_ne!(bytes_per_second, 0, "to let nothing through is to stall");
        self.rules(direction, |rule| rule.rate = Some(bytes_per_second));
    }

    /// Stops reading, so that bytes wait, here and with their senders, until
    /// [`heal`](Link::heal). Connections stay open, new ones are made.
    pub fn stall(&self, direction: Direction) {
        self.rules(direction, |rule| rule.gate = Gate::Stalled);
    }

    /// Reads and drops, in silence, what comes; connections stay open, new ones are made. Nobody
    /// learns of it other than by a missing answer.
    ///
    /// A connection that lost something stays a black hole for good.
    pub fn swallow(&self, direction: Direction) {
        self.rules(direction, |rule| rule.gate = Gate::Swallowing);
    }

    /// Ends the stream towards the receiver for the connections that are there, after what is
    /// under way; the other direction goes on. What the sender says later is dropped.
    pub fn half_close(&self, direction: Direction) {
        self.rules(direction, |rule| rule.half_closes += 1);
    }

    /// Resets every connection and refuses new ones, until [`heal`](Link::heal). When it returns,
    /// it is done.
    pub fn cut(&self) {
        self.set(|settings| settings.up = false);
        self.shared
            .wait_until("go down", |state| !state.listening && state.live.is_empty());
    }

    /// Resets the `count` oldest connections, or all if there are fewer, and answers how many;
    /// new ones are made as before. When it returns, it is done.
    pub fn cut_now(&self, count: usize) -> usize {
        let chosen: Vec<u64> = self.shared.look(|state| {
            let oldest = state.live.iter().take(count);
            let cut = oldest.inspect(|(_, handle)| handle.cut.notify_one());
            cut.map(|(number, _)| *number).collect()
        });
        let gone =
            |number: &u64, live: &std::collections::BTreeMap<u64, _>| !live.contains_key(number);
        self.shared.wait_until("cut connections", |state| {
            chosen.iter().all(|number| gone(number, &state.live))
        });
        chosen.len()
    }

    /// Holds messages to subscribers back while all else passes, or lets go those held and holds
    /// no more. Held are the RESP3 pushes `message`, `smessage` and `pmessage`, whole and in
    /// order; confirmations and other pushes pass, and so does a stream that is no RESP3 (RESP2,
    /// TLS, replication).
    pub fn withhold_pushes(&self, withhold: bool) {
        self.set(|settings| settings.pushes.hold = withhold);
    }

    /// Drops the messages held until now: they are lost in silence. Whether further ones are held
    /// does not change.
    pub fn drop_withheld(&self) {
        self.set(|settings| settings.pushes.drops += 1);
    }

    /// Takes every fault away: what waited arrives, withheld messages too, and new connections are
    /// made. Black holes and half-closed connections stay what they are.
    ///
    /// # Panics
    ///
    /// If somebody took the port of a link that was cut.
    pub fn heal(&self) {
        self.set(Settings::heal);
        self.shared.wait_until("come up", |state| state.listening);
    }

    fn rules(&self, direction: Direction, change: impl Fn(&mut Rule)) {
        self.set(|settings| {
            for way in direction.ways() {
                change(settings.rule_mut(*way));
            }
        });
    }

    fn set(&self, change: impl FnOnce(&mut Settings)) {
        self.shared.settings.send_modify(change);
    }
}
