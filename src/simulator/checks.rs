//! Holds a message to its shape before any rule sees it, and writes its times the provider's way.

use serde_json::{Map, Value};

use super::{
    answer::{Answer, Problem, without_nulls},
    call::{Call, write_as_text},
    outcome::Refusal,
    shapes::{self, Field, Kind},
    time,
};

/// The message as the rules read it: of the right shape, without nulls, times in UTC.
pub(super) fn checked(call: &Call) -> Result<Call, Refusal> {
    let fields = shapes::of(call.operation);
    let mut call = call.clone();
    if fields.is_empty() {
        return Ok(call);
    }
    let Value::Object(members) = without_nulls(std::mem::take(&mut call.json)) else {
        return Err(unparsable("the body is no JSON object"));
    };
    call.json = Value::Object(with_shape(members, fields)?);
    Ok(call)
}

/// Refuses a query without the parameters that the interface requires, as a body without its members is refused.
///
/// Two queries ask for less than the interface does, because the provider's server is content with less: lookupOrder with a
/// reference, getCustomerInfo with an identity number. Neither misses the receiver.
pub(super) fn demand(call: &Call, names: &[&str]) -> Result<(), Problem> {
    let is_missing = |name: &&str| call.parameter(name).is_none();
    let missing: Vec<&str> = names.iter().copied().filter(is_missing).collect();
    Problem::if_missing(&missing)
}

fn with_shape(
    mut members: Map<String, Value>,
    parts: &[&[Field]],
) -> Result<Map<String, Value>, Refusal> {
    let mut missing = Vec::new();
    for part in parts {
        walk(&mut members, part, "", &mut missing)?;
    }
    if missing.is_empty() {
        return Ok(members);
    }
    missing.sort_unstable();
    Err(Problem::format(missing).into())
}

fn walk(
    members: &mut Map<String, Value>,
    fields: &[Field],
    path: &str,
    missing: &mut Vec<String>,
) -> Result<(), Refusal> {
    for Field(name, kind, required) in fields {
        let path = format!("{path}{name}");
        match members.get_mut(*name) {
            Some(member) => shape(member, kind, &path, missing)?,
            None if *required => missing.push(format!("{path} may not be null")),
            None => {}
        }
    }
    Ok(())
}

fn shape(
    member: &mut Value,
    kind: &Kind,
    path: &str,
    missing: &mut Vec<String>,
) -> Result<(), Refusal> {
    let fits = match kind {
        Kind::Text => write_as_text(member),
        Kind::Integer => member.is_i64(),
        Kind::Number => member.is_number(),
        Kind::Flag => member.is_boolean(),
        Kind::Time => write_in_utc(member),
        Kind::Choice(knows) => member.as_str().is_some_and(knows),
        Kind::Object(fields) => return object(member, fields, path, missing),
        Kind::Named(fields) => return named(member, fields, path, missing),
        Kind::List(fields) => return list(member, fields, path, missing),
    };
    fits.then_some(()).ok_or_else(|| unfit(path))
}

fn object(
    member: &mut Value,
    fields: &[Field],
    path: &str,
    missing: &mut Vec<String>,
) -> Result<(), Refusal> {
    let members = member.as_object_mut().ok_or_else(|| unfit(path))?;
    walk(members, fields, &format!("{path}."), missing)
}

fn named(
    member: &mut Value,
    fields: &[Field],
    path: &str,
    missing: &mut Vec<String>,
) -> Result<(), Refusal> {
    let members = member.as_object_mut().ok_or_else(|| unfit(path))?;
    for (name, each) in members {
        object(each, fields, &format!("{path}.{name}"), missing)?;
    }
    Ok(())
}

fn list(
    member: &mut Value,
    fields: &[Field],
    path: &str,
    missing: &mut Vec<String>,
) -> Result<(), Refusal> {
    let items = member.as_array_mut().ok_or_else(|| unfit(path))?;
    for (place, item) in items.iter_mut().enumerate() {
        object(item, fields, &format!("{path}[{place}]"), missing)?;
    }
    Ok(())
}

fn write_in_utc(member: &mut Value) -> bool {
    let Some(time) = member.as_str().and_then(time::read) else {
        return false;
    };
    *member = Value::String(time::written(time));
    true
}

fn unfit(path: &str) -> Refusal {
    unparsable(&format!("{path} cannot be read"))
}

fn unparsable(reason: &str) -> Refusal {
    Refusal::Answer(Box::new(Answer::unparsable(reason)))
}
