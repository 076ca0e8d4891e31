//! The request as its approval repeats it.

use serde_json::{Map, Value};

use super::{
    call::Call,
    shapes::{self, Field, Kind},
};

/// What an approval repeats, as the provider's server does: neither the trace number nor the retrieval reference, although
/// the interface has room for them in the answer. Everything else is for the provider's eyes only, or for no one's.
const REPEATED: &[&str] = &[
    "id",
    "time",
    "originator",
    "client",
    "settlementEntity",
    "receiver",
    "slipData",
    "basketRef",
    "tranType",
    "srcAccType",
    "destAccType",
    "amount",
    "senderDetails",
];

/// The members that an approval repeats, without what the message's shape does not know.
pub(super) fn echo(call: &Call) -> Value {
    let known = shapes::of(call.operation).iter().copied().flatten();
    let repeated = known.filter(|Field(name, ..)| REPEATED.contains(name));
    Value::Object(known_members(&call.json, repeated))
}

fn known_members<'a>(
    object: &Value,
    fields: impl IntoIterator<Item = &'a Field>,
) -> Map<String, Value> {
    let known = |Field(name, kind, _): &Field| {
        let member = object.get(*name)?;
        Some(((*name).to_owned(), known_parts(member, kind)))
    };
    fields.into_iter().filter_map(known).collect()
}

fn known_parts(member: &Value, kind: &Kind) -> Value {
    match (kind, member) {
        (Kind::Object(fields), _) => Value::Object(known_members(member, *fields)),
        (Kind::List(fields), Value::Array(items)) => {
            let items = items.iter().map(|item| known_members(item, *fields));
            items.map(Value::Object).collect()
        }
        _ => member.clone(),
    }
}
