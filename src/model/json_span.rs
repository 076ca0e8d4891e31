//! Cuts one value out of a JSON text and leaves every other byte alone.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// One step into a JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Member(String),
    Element(usize),
}

/// The same text with `null` where the value at the path was; `None` where there is no such value.
///
/// Works on the text because everything else must keep its bytes: a tree of values would round the numbers in
/// identifiers that have to be sent back unaltered.
pub(super) fn replace_with_null(json: &str, path: &[Step]) -> Option<String> {
    let span = span_of(json, path)?;
    let (before, after) = (json.get(..span.start)?, json.get(span.end..)?);
    Some(format!("{before}null{after}"))
}

/// Walks down one level after the other, without recursion, each level as unparsed text.
fn span_of(json: &str, path: &[Step]) -> Option<Range<usize>> {
    let whole: &RawValue = serde_json::from_str(json).ok()?;
    let target = path.iter().try_fold(whole, |value, step| match step {
        Step::Member(name) => member(value, name),
        Step::Element(index) => element(value, *index),
    })?;
    // Unparsed values are borrowed from the text, so that the distance of their addresses is the place in it.
    let start = (target.get().as_ptr() as usize).checked_sub(json.as_ptr() as usize)?;
    Some(start..start + target.get().len())
}

fn element(array: &RawValue, index: usize) -> Option<&RawValue> {
    let elements: Vec<&RawValue> = serde_json::from_str(array.get()).ok()?;
    elements.get(index).copied()
}

fn member<'a>(object: &'a RawValue, name: &str) -> Option<&'a RawValue> {
    serde_json::Deserializer::from_str(object.get())
        .deserialize_map(Find { name })
        .ok()?
}

/// Finds the member of a name that is not `null` already.
struct Find<'n> {
    name: &'n str,
}

impl<'de> Visitor<'de> for Find<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = members.next_key::<String>()? {
            if found.is_none() && name == self.name {
                found = Some(members.next_value()?);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}
