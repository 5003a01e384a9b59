//! The table.

/// Rows of what was measured: sessions, then tokens.
#[derive(Debug)]
pub(crate) struct Table(Vec<[String; 3]>);

impl Table {
    pub(crate) fn new() -> Self {
        Self(vec![["".into(), "sessions".into(), "tokens".into()]])
    }

    pub(crate) fn row(&mut self, what: &str, [sessions, tokens]: [String; 2]) {
        self.0.push([what.to_owned(), sessions, tokens]);
    }

    /// What no measuring finds out.
    pub(crate) fn cannot(&mut self) {
        let row = [
            "can't",
            "be checked without the store",
            "hold what changes; end early for a service without the store",
        ];
        self.0.push(row.map(str::to_owned));
    }

    /// Prints it as Markdown.
    pub(crate) fn print(&self) {
        for (n, row) in self.0.iter().enumerate() {
            println!("| {} |", row.join(" | "));
            if n == 0 {
                println!("|---|--:|--:|");
            }
        }
    }
}
