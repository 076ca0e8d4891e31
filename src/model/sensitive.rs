//! Text that must not be read over somebody's shoulder, nor out of a log or a memory dump.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

const MASK: &str = "***";

/// A text that neither `Debug` nor `Display` shows, and that is overwritten in memory when dropped.
///
/// Used for everything the interface marks as sensitive and for every reference that money can be collected with. On the
/// wire it is a plain string.
///
/// ```
/// use money_transfer_retailer::model::Sensitive;
///
/// let reference = Sensitive::from("12345678901234567890");
/// assert_eq!(format!("{reference} {reference:?}"), "*** ***");
/// assert_eq!(reference.expose(), "12345678901234567890");
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub struct Sensitive(String);

impl Sensitive {
    /// The text itself. Whoever calls this answers for where it goes.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is no text at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Sensitive {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Sensitive {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// Shows a mask whose length says nothing about the text.
impl fmt::Debug for Sensitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// Shows a mask whose length says nothing about the text.
impl fmt::Display for Sensitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// Masks any other value in a hand-written `Debug`; whether there is one still shows.
pub(super) fn masked<T>(value: Option<&T>) -> Option<Sensitive> {
    value.map(|_| Sensitive::default())
}
