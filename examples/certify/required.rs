//! The members that an answer has to have: looked up in the interface's own schemas.

use std::sync::LazyLock;

use money_transfer_retailer::Operation;
use serde_json::Value;

/// The interface definition that the crate itself is held against.
const DEFINITION: &str = include_str!("../../tests/contract/mtri-2.22.openapi.json");

static INTERFACE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(DEFINITION).unwrap_or_default());

/// What the answer to an operation lacks, as `originator.terminalId`.
pub(crate) fn missing(operation: Operation, answer: &Value) -> Vec<String> {
    let mut missing = Vec::new();
    let is_error = answer["errorType"].is_string();
    let (schema, answer) = match is_error {
        true => (named("ErrorDetail"), answer),
        // A rate may come bare or wrapped.
        false => match answer.get("exchangeRate") {
            Some(rate) => (success(operation), rate),
            None => (success(operation), answer),
        },
    };
    collect(schema, answer, "", &mut missing);
    missing
}

/// What the operation answers if all is well.
fn success(operation: Operation) -> &'static Value {
    let method = operation.method().as_str().to_ascii_lowercase();
    let status = operation.success().first().map(u16::to_string);
    let of_operation = &INTERFACE["paths"][operation.path()][method];
    let answer = &of_operation["responses"][status.unwrap_or_default()];
    &answer["content"]["application/json"]["schema"]
}

fn named(schema: &str) -> &'static Value {
    &INTERFACE["components"]["schemas"][schema]
}

fn collect(schema: &'static Value, value: &Value, place: &str, missing: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap_or_default();
        return collect(named(name), value, place, missing);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        collect(part, value, place, missing);
    }
    for item in value.as_array().into_iter().flatten() {
        collect(&schema["items"], item, place, missing);
    }
    if let Some(members) = value.as_object() {
        let at = |name: &str| match place {
            "" => name.to_owned(),
            place => format!("{place}.{name}"),
        };
        let is_there = |name: &str| members.get(name).is_some_and(|member| !member.is_null());
        let required = schema["required"].as_array().into_iter().flatten();
        for name in required.filter_map(Value::as_str) {
            if !is_there(name) && !missing.contains(&at(name)) {
                missing.push(at(name));
            }
        }
        for (name, member) in members {
            collect(&schema["properties"][name], member, &at(name), missing);
        }
    }
}
