//! Scopes, as RFC 6749 writes them: words, parted by one space each.

/// What a token allows.
///
/// ```
/// use cloakroom_jwt::Scope;
///
/// let scope: Scope = "orders:read orders:write".parse()?;
/// assert!(scope.contains("orders:read"));
/// assert!(!scope.contains("orders"));
/// assert!("tab\tand \"quotes\"".parse::<Scope>().is_err());
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope(Box<str>);

impl Scope {
    /// Whether this word is among them.
    #[must_use]
    pub fn contains(&self, word: &str) -> bool {
        self.words().any(|own| own == word)
    }

    /// The words.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ')
    }

    /// As it stands in the token.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Scope {
    type Err = cloakroom_core::Error;

    /// # Errors
    ///
    /// [`Invalid`](cloakroom_core::ErrorKind::Invalid) for what is no scope by RFC 6749.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || crate::key::invalid("a scope is words of visible ASCII without quotes");
        is_scope(text)
            .then(|| Self(text.into()))
            .ok_or_else(refused)
    }
}

pub(crate) fn is_scope(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_graphic() && b != b'"' && b != b'\\';
    let word = |word: &str| !word.is_empty() && word.bytes().all(fits);
    text.split(' ').all(word)
}
