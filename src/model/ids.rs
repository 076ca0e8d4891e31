//! The two kinds of UUID that messages carry, which must never be mistaken for each other.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A text that was expected to be a UUID is none. The text is not quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a UUID")]
pub struct ParseIdError;

/// The id of a request: `id` in createOrder, redeemOrder, cancelOrder and updateOrderPin, `requestId` in an advice.
///
/// Shown and written hyphenated in lower case.
///
/// ```
/// use money_transfer_retailer::model::RequestId;
///
/// let id: RequestId = "0F3B1C8E-9D0A-4B6E-8F8A-3C2D1E0F9A8B".parse()?;
/// assert_eq!(id.to_string(), "0f3b1c8e-9d0a-4b6e-8f8a-3c2d1e0f9a8b");
/// # Ok::<(), money_transfer_retailer::model::ParseIdError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(Uuid);

impl RequestId {
    /// A fresh random id (UUID version 4).
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Takes an id that the point of sale made itself. The interface asks for UUID version 4.
    #[must_use]
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The UUID.
    #[must_use]
    pub const fn as_uuid(&self) -> &Uuid {
        &self.0
    }
}

impl From<RequestId> for Uuid {
    fn from(id: RequestId) -> Self {
        id.0
    }
}

impl FromStr for RequestId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self).map_err(|_| ParseIdError)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// The id of an advice itself: `id` in a confirmation or a reversal, the same on every repeat.
///
/// Shown and written hyphenated in lower case. It cannot take the place of a [`RequestId`]:
///
/// ```compile_fail,E0308
/// use money_transfer_retailer::model::{AdviceId, RequestId};
///
/// let request: RequestId = AdviceId::random();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AdviceId(Uuid);

impl AdviceId {
    /// A fresh random id (UUID version 4).
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Takes an id made elsewhere. The interface asks for UUID version 4.
    #[must_use]
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The UUID.
    #[must_use]
    pub const fn as_uuid(&self) -> &Uuid {
        &self.0
    }
}

impl From<AdviceId> for Uuid {
    fn from(id: AdviceId) -> Self {
        id.0
    }
}

impl FromStr for AdviceId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self).map_err(|_| ParseIdError)
    }
}

impl fmt::Display for AdviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}
