//! How the parties on the way call a transaction.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::absent;
use super::check::{Check, Rules};

/// How one party calls the transaction (`ThirdPartyIdentifier` on the wire).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, bon::Builder)]
#[serde(rename_all = "camelCase")]
#[builder(on(String, into))]
#[non_exhaustive]
pub struct ThirdPartyIdentifier {
    /// `institutionId`: the party; required.
    #[serde(default, deserialize_with = "absent::or_default")]
    pub institution_id: String,
    /// `transactionIdentifier`: its name for the transaction; required.
    #[serde(default, deserialize_with = "absent::or_default")]
    pub transaction_identifier: String,
}

impl ThirdPartyIdentifier {
    /// The identifier that an institution gave.
    #[must_use]
    pub fn new(
        institution_id: impl Into<String>,
        transaction_identifier: impl Into<String>,
    ) -> Self {
        Self {
            institution_id: institution_id.into(),
            transaction_identifier: transaction_identifier.into(),
        }
    }
}

impl Check for ThirdPartyIdentifier {
    fn inspect(&self, rules: &mut Rules) {
        rules.required_text("institutionId", &self.institution_id, &[]);
        rules.required_text("transactionIdentifier", &self.transaction_identifier, &[]);
    }
}

/// The identifiers of a transaction, in the very text they were received in (`thirdPartyIdentifiers` on the wire).
///
/// An advice must carry the identifiers of the response unaltered: members that this version does not know, numbers of any
/// size, `null`s and spacing included. So the text is kept, and looked into only on demand. Reads and writes JSON only.
///
/// ```
/// use money_transfer_retailer::model::{ThirdPartyIdentifier, ThirdPartyIdentifiers};
///
/// let received = r#"[{"institutionId":"1","transactionIdentifier":"a","later":1e400}]"#;
/// let identifiers: ThirdPartyIdentifiers = serde_json::from_str(received)?;
/// assert_eq!(identifiers.entries(), [ThirdPartyIdentifier::new("1", "a")]);
/// assert_eq!(serde_json::to_string(&identifiers)?, received);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct ThirdPartyIdentifiers(
    /// `None` is the empty list.
    Option<Box<RawValue>>,
);

/// Those of a till's own making. What an upstream gave is sent back as it is.
impl Check for ThirdPartyIdentifiers {
    fn inspect(&self, rules: &mut Rules) {
        rules.elements("thirdPartyIdentifiers", &self.entries());
    }
}

impl ThirdPartyIdentifiers {
    /// The JSON array as received.
    #[must_use]
    pub fn as_json(&self) -> &str {
        self.0.as_deref().map_or("[]", RawValue::get)
    }

    /// What can be understood of the identifiers; elements that are none are left out.
    #[must_use]
    pub fn entries(&self) -> Vec<ThirdPartyIdentifier> {
        let readable = |element: &&RawValue| serde_json::from_str(element.get()).ok();
        self.elements().iter().filter_map(readable).collect()
    }

    /// Whether the list has no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.elements().is_empty()
    }

    fn elements(&self) -> Vec<&RawValue> {
        serde_json::from_str(self.as_json()).unwrap_or_default()
    }
}

impl From<Vec<ThirdPartyIdentifier>> for ThirdPartyIdentifiers {
    fn from(identifiers: Vec<ThirdPartyIdentifier>) -> Self {
        // Pairs of strings can always be written as JSON.
        Self(to_raw_value(&identifiers).ok())
    }
}

/// Equal when the texts are.
impl PartialEq for ThirdPartyIdentifiers {
    fn eq(&self, other: &Self) -> bool {
        self.as_json() == other.as_json()
    }
}

impl Eq for ThirdPartyIdentifiers {}

/// Shows what is understood, not the text: nobody knows what unknown members hold.
impl fmt::Debug for ThirdPartyIdentifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries()).finish()
    }
}

impl Serialize for ThirdPartyIdentifiers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(raw) => raw.serialize(serializer),
            None => serializer.collect_seq(std::iter::empty::<()>()),
        }
    }
}

impl<'de> Deserialize<'de> for ThirdPartyIdentifiers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        match raw.get() {
            "null" => Ok(Self(None)),
            text if text.starts_with('[') => Ok(Self(Some(raw))),
            _ => Err(serde::de::Error::custom("expected an array")),
        }
    }
}
