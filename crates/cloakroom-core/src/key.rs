//! Typed attribute names.

use crate::{Error, ErrorKind, Result};
use std::{borrow::Cow, fmt, marker::PhantomData};

/// The longest name of an attribute, in bytes.
const LONGEST: usize = 128;

/// The name of a session attribute, with the type of its value.
///
/// Constants of it make attributes safe to use: one place names each, and no caller can read a
/// cart as a theme. Names are 1 to 128 bytes long, of any characters.
///
/// ```
/// use cloakroom_core::Key;
///
/// const CART: Key<Vec<String>> = Key::new("cart");
/// assert_eq!(CART.name(), "cart");
/// assert!(Key::<String>::named("").is_err());
/// ```
pub struct Key<T> {
    name: Cow<'static, str>,
    value: PhantomData<fn() -> T>,
}

impl<T> Key<T> {
    /// Names an attribute whose name is known when compiling.
    ///
    /// # Panics
    ///
    /// If the name is empty or longer than 128 bytes; in a constant, compiling fails.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        assert!(
            !name.is_empty() && name.len() <= LONGEST,
            "an attribute's name has 1 to 128 bytes"
        );
        Self {
            name: Cow::Borrowed(name),
            value: PhantomData,
        }
    }

    /// Names an attribute whose name is known only when running.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] if the name is empty or longer than 128 bytes.
    pub fn named(name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        if name.is_empty() || name.len() > LONGEST {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!(
                    "an attribute's name has 1 to {LONGEST} bytes, not {}",
                    name.len()
                ),
            ));
        }
        Ok(Self {
            name: Cow::Owned(name),
            value: PhantomData,
        })
    }

    /// The attribute's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            value: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", self.name)
    }
}
