//! The rules that make copies safe, each of which a test can break to see that it is needed.

/// Which rules hold: all, outside tests of tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each rule holds or not, by itself"
)]
pub struct Rules {
    /// A copy is used only for as long as it is known to be true.
    pub trust: bool,
    /// What the channel proves counts only in its own term.
    pub terms: bool,
    /// What is announced keeps older values out.
    pub fence: bool,
    /// Nobody joins a load that began too early.
    pub late_joining: bool,
}

impl Rules {
    /// As they should be.
    pub const ALL: Self = Self {
        trust: true,
        terms: true,
        fence: true,
        late_joining: true,
    };
}
