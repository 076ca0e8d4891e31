//! `null` means absent: how fields that are neither optional nor worth losing a message for are read.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

/// Reads `null` as the type's default: an empty text, an empty list.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads a list, leaving out the elements that are `null`, so that one broken element can be dropped alone.
pub(super) fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let elements: Option<Vec<Option<T>>> = Option::deserialize(deserializer)?;
    Ok(elements.into_iter().flatten().flatten().collect())
}

/// Reads a map, leaving out the entries whose value is `null`.
pub(super) fn map<'de, D, T>(deserializer: D) -> Result<BTreeMap<String, T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let entries: Option<BTreeMap<String, Option<T>>> = Option::deserialize(deserializer)?;
    let present = entries.into_iter().flatten();
    Ok(present
        .filter_map(|(name, value)| Some((name, value?)))
        .collect())
}
