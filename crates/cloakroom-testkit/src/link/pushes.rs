//! Holding back what a server pushes, while its replies pass.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::frames::{End, Frames};

/// What a link may do with pushed messages.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct PushRule {
    /// Whether they are held back.
    pub(super) hold: bool,
    /// How often all that were held have been dropped.
    pub(super) drops: u64,
}

/// Splits the stream from a server into messages and the rest.
///
/// Only frames that begin while the rule says so are held, and only whole ones: what is let go
/// later stands between two other frames. A stream that is no RESP3 passes as it is.
#[derive(Debug)]
pub(super) struct PushFilter {
    frames: Frames,
    current: Current,
    held: Vec<Vec<u8>>,
    count: Arc<AtomicUsize>,
    rule: PushRule,
    raw: bool,
}

/// Where the frame that is arriving goes.
#[derive(Debug)]
enum Current {
    /// Not known yet: its first bytes.
    Head(Vec<u8>),
    Passing,
    Holding(Vec<u8>),
}

impl PushFilter {
    /// A filter that keeps `count` at the number of messages that it holds.
    pub(super) fn new(rule: PushRule, count: Arc<AtomicUsize>) -> Self {
        Self {
            frames: Frames::default(),
            current: Current::Head(Vec::new()),
            held: Vec::new(),
            count,
            rule,
            raw: false,
        }
    }

    /// Follows a changed rule; answers what may pass now.
    pub(super) fn follow(&mut self, rule: PushRule) -> Vec<u8> {
        if rule.drops != self.rule.drops {
            self.held.clear();
        }
        self.rule = rule;
        let mut out = Vec::new();
        if matches!(&self.current, Current::Head(head) if head.is_empty()) {
            self.release(&mut out);
        }
        self.publish_count();
        out
    }

    /// Takes what arrived; answers what may pass.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        while !bytes.is_empty() && !self.raw {
            if let Ok((taken, end)) = self.frames.advance(bytes) {
                self.place(&bytes[..taken], end, &mut out);
                bytes = &bytes[taken..];
            } else {
                self.raw = true;
                self.give_up(&mut out);
            }
        }
        out.extend_from_slice(bytes);
        self.publish_count();
        out
    }

    fn place(&mut self, part: &[u8], end: End, out: &mut Vec<u8>) {
        match &mut self.current {
            Current::Passing => out.extend_from_slice(part),
            Current::Holding(frame) => frame.extend_from_slice(part),
            Current::Head(head) => {
                head.extend_from_slice(part);
                if end != End::Inside || head[0] != b'>' {
                    self.decide(out);
                }
            }
        }
        if end == End::Frame {
            self.end_frame(out);
        }
    }

    fn decide(&mut self, out: &mut Vec<u8>) {
        if let Current::Head(head) = &mut self.current {
            if self.rule.hold && is_message(head) {
                self.current = Current::Holding(std::mem::take(head));
            } else {
                out.append(head);
                self.current = Current::Passing;
            }
        }
    }

    fn end_frame(&mut self, out: &mut Vec<u8>) {
        let ended = std::mem::replace(&mut self.current, Current::Head(Vec::new()));
        if let Current::Holding(frame) = ended {
            self.held.push(frame);
        }
        self.release(out);
    }

    /// Between two frames, lets go what is no longer to be held.
    fn release(&mut self, out: &mut Vec<u8>) {
        if !self.rule.hold {
            out.extend(self.held.drain(..).flatten());
        }
    }

    fn give_up(&mut self, out: &mut Vec<u8>) {
        out.extend(self.held.drain(..).flatten());
        match std::mem::replace(&mut self.current, Current::Passing) {
            Current::Head(bytes) | Current::Holding(bytes) => out.extend(bytes),
            Current::Passing => {}
        }
    }

    fn publish_count(&self) {
        self.count.store(self.held.len(), Ordering::SeqCst);
    }
}

/// Whether a frame that begins so is a message to a subscriber.
fn is_message(head: &[u8]) -> bool {
    let line = head.strip_suffix(b"\r\n").unwrap_or(head);
    let start = line.iter().rposition(|byte| *byte == b'\n');
    let first = &line[start.map_or(0, |at| at + 1)..];
    let first = first.strip_prefix(b"+").unwrap_or(first);
    head.starts_with(b">") && [&b"message"[..], b"smessage", b"pmessage"].contains(&first)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &[u8] = b">3\r\n$8\r\nsmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n";
    const SUBSCRIBED: &[u8] = b">3\r\n$10\r\nssubscribe\r\n$1\r\nc\r\n:1\r\n";
    const REPLY: &[u8] = b"*2\r\n$7\r\nmessage\r\n+PONG\r\n";
    const HOLD: PushRule = PushRule {
        hold: true,
        drops: 0,
    };

    fn filter(rule: PushRule) -> PushFilter {
        PushFilter::new(rule, Arc::default())
    }

    #[test]
    fn messages_are_held_and_all_else_passes_however_it_is_cut() {
        let stream = [REPLY, MESSAGE, SUBSCRIBED, MESSAGE, REPLY].concat();
        for size in 1..=stream.len() {
            let mut filter = filter(HOLD);
            let passed: Vec<u8> = stream.chunks(size).flat_map(|p| filter.feed(p)).collect();
            assert_eq!(
                passed,
                [REPLY, SUBSCRIBED, REPLY].concat(),
                "pieces of {size}"
            );
            assert_eq!(filter.count.load(Ordering::SeqCst), 2);
            assert_eq!(filter.follow(PushRule::default()), MESSAGE.repeat(2));
            assert_eq!(filter.count.load(Ordering::SeqCst), 0);
        }
    }

    #[test]
    fn what_is_let_go_stands_between_two_frames() {
        let mut filter = filter(HOLD);
        assert_eq!(filter.feed(MESSAGE), b"");
        let (start, rest) = REPLY.split_at(9);
        assert_eq!(filter.feed(start), start);
        assert_eq!(filter.follow(PushRule::default()), b"");
        assert_eq!(filter.feed(rest), [rest, MESSAGE].concat());
    }

    #[test]
    fn a_message_that_began_held_joins_those_before_it() {
        let mut filter = filter(HOLD);
        let (start, rest) = MESSAGE.split_at(25);
        assert_eq!(filter.feed(&[MESSAGE, start].concat()), b"");
        assert_eq!(filter.follow(PushRule::default()), b"");
        assert_eq!(filter.feed(rest), MESSAGE.repeat(2));
    }

    #[test]
    fn what_was_dropped_never_comes() {
        let mut filter = filter(HOLD);
        assert_eq!(filter.feed(MESSAGE), b"");
        let dropped = PushRule {
            hold: false,
            drops: 1,
        };
        assert_eq!(filter.follow(dropped), b"");
        assert_eq!(filter.feed(MESSAGE), MESSAGE);
    }

    #[test]
    fn another_protocol_passes() {
        let mut filter = filter(HOLD);
        assert_eq!(
            filter.feed(b"HTTP/1.1 200 OK\r\n\r\n>3\r\n"),
            b"HTTP/1.1 200 OK\r\n\r\n>3\r\n"
        );
        assert_eq!(filter.feed(MESSAGE), MESSAGE);
    }
}
