//! What a child prints, kept in memory line by line.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex};

/// The lines of a child's output and error streams, in the order in which they arrived.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    lines: Vec<String>,
    open: usize,
}

impl Lines {
    /// Keeps what `stream` yields, on a thread of its own, until the stream ends.
    pub(crate) fn follow(&self, stream: impl Read + Send + 'static) {
        self.0.lock().unwrap().open += 1;
        let lines = self.clone();
        std::thread::spawn(move || {
            lines.read(BufReader::new(stream));
            lines.0.lock().unwrap().open -= 1;
        });
    }

    /// Whether every stream that was followed has ended.
    pub(crate) fn ended(&self) -> bool {
        self.0.lock().unwrap().open == 0
    }

    /// The first line that `wanted` accepts.
    pub(crate) fn find(&self, mut wanted: impl FnMut(&str) -> bool) -> Option<String> {
        self.0
            .lock()
            .unwrap()
            .lines
            .iter()
            .find(|line| wanted(line))
            .cloned()
    }

    /// Everything so far.
    pub(crate) fn text(&self) -> String {
        self.0
            .lock()
            .unwrap()
            .lines
            .iter()
            .flat_map(|line| [line, "\n"])
            .collect()
    }

    fn read(&self, mut stream: impl BufRead) {
        let mut line = Vec::new();
        while matches!(stream.read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(&line)
                .trim_end_matches(['\n', '\r'])
                .to_owned();
            self.0.lock().unwrap().lines.push(text);
            line.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_and_kept_in_order() {
        let lines = Lines::default();
        lines.read(&b"one\r\ntwo\n\nthree \xff"[..]);
        assert_eq!(lines.text(), "one\ntwo\n\nthree \u{fffd}\n");
        assert_eq!(
            lines.find(|line| line.starts_with('t')).as_deref(),
            Some("two")
        );
        assert_eq!(lines.find(|line| line == "four"), None);
    }
}
