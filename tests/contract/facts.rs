//! The facts, and examples made from them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

pub(crate) static FACTS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("mtri-2.22.openapi.json")).unwrap());

/// All schemas by name.
pub(crate) fn schemas() -> &'static Map<String, Value> {
    FACTS["components"]["schemas"].as_object().unwrap()
}

/// Whatever `$ref` and a lone `allOf` stand for.
pub(crate) fn resolve(schema: &Value) -> &Value {
    if let Some(reference) = schema["$ref"].as_str() {
        return resolve(&schemas()[reference.rsplit('/').next().unwrap()]);
    }
    match schema["allOf"].as_array().map(Vec::as_slice) {
        Some([only]) => resolve(only),
        _ => schema,
    }
}

/// The properties of an object, inherited ones included.
pub(crate) fn properties(schema: &Value) -> BTreeMap<&str, &Value> {
    let schema = resolve(schema);
    let own = schema["properties"].as_object().into_iter().flatten();
    let own = own.map(|(name, property)| (name.as_str(), property));
    bases(schema).flat_map(properties).chain(own).collect()
}

/// The names of required properties, inherited ones included.
pub(crate) fn required(schema: &Value) -> BTreeSet<&str> {
    let schema = resolve(schema);
    let own = schema["required"].as_array().into_iter().flatten();
    let own = own.map(|name| name.as_str().unwrap());
    bases(schema).flat_map(required).chain(own).collect()
}

fn bases(schema: &Value) -> impl Iterator<Item = &Value> {
    schema["allOf"].as_array().into_iter().flatten()
}

/// The values of an enumeration; empty for anything else.
pub(crate) fn enum_values(schema: &Value) -> Vec<&str> {
    let values = resolve(schema)["enum"].as_array().into_iter().flatten();
    values.map(|value| value.as_str().unwrap()).collect()
}

/// A place in a message: its path in words, its JSON pointer, and what is there.
pub(crate) struct Place {
    pub(crate) path: String,
    pub(crate) pointer: String,
    pub(crate) schema: &'static Value,
    /// Whether it has to be there; what only the documentation requires, the provider's server does without.
    #[allow(dead_code, reason = "the tests of the simulator ask")]
    pub(crate) is_required: bool,
}

/// Every place in a message of this schema, as its full example has them.
pub(crate) fn places(schema: &'static Value) -> Vec<Place> {
    let mut found = Vec::new();
    find_places(schema, "", "", &mut found);
    found
}

fn find_places(schema: &'static Value, path: &str, pointer: &str, found: &mut Vec<Place>) {
    let schema = resolve(schema);
    if schema["items"].is_object() {
        let (path, pointer) = (format!("{path}[0]"), format!("{pointer}/0"));
        return find_places(&schema["items"], &path, &pointer, found);
    }
    if schema["additionalProperties"].is_object() {
        let (path, pointer) = (format!("{path}.tip"), format!("{pointer}/tip"));
        return find_places(&schema["additionalProperties"], &path, &pointer, found);
    }
    for (name, property) in properties(schema) {
        let path = format!("{path}.{name}").trim_start_matches('.').to_owned();
        let pointer = format!("{pointer}/{name}");
        find_places(property, &path, &pointer, found);
        found.push(Place {
            path,
            pointer,
            schema: resolve(property),
            is_required: required(schema).contains(name)
                && property["x-required-in-documentation-only"] != true,
        });
    }
}

/// How much of a schema an example populates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Extent {
    Full,
    Minimal,
}

/// An example of a schema by name.
pub(crate) fn example(name: &str, extent: Extent) -> Value {
    example_of(name, &schemas()[name], extent)
}

fn example_of(name: &str, schema: &Value, extent: Extent) -> Value {
    let schema = resolve(schema);
    if let Some(first) = enum_values(schema).first() {
        return json!(first);
    }
    match schema["type"].as_str() {
        Some("string") => json!(text(name, schema)),
        // Neither 32 bits nor a floating-point number hold this one.
        Some("integer") if schema["format"] == "int64" => json!(9_007_199_254_740_993_i64),
        Some("integer") => json!(i32::MAX),
        Some("number") => json!(18.2345),
        Some("boolean") => json!(true),
        Some("array") if extent == Extent::Minimal => json!([]),
        Some("array") => json!([
            example_of(name, &schema["items"], extent),
            example_of(name, &schema["items"], extent)
        ]),
        None if schema["allOf"].is_null() => json!({"any": ["value", 1, null]}),
        _ => object(schema, extent),
    }
}

fn object(schema: &Value, extent: Extent) -> Value {
    let required = required(schema);
    let wanted = properties(schema)
        .into_iter()
        .filter(|(name, _)| extent == Extent::Full || required.contains(name));
    let mut object: Map<_, _> = wanted
        .map(|(name, property)| (name.to_owned(), example_of(name, property, extent)))
        .collect();
    let others = &schema["additionalProperties"];
    if others.is_object() {
        object.insert("tip".to_owned(), example_of("tip", others, extent));
    }
    Value::Object(object)
}

/// A text that obeys the schema. A pattern that is not known here fails the test: teach it the new one.
fn text(name: &str, schema: &Value) -> String {
    if schema["format"] == "date-time" {
        return "2026-01-31T10:30:00.123+02:00".to_owned();
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        return match pattern {
            "^(?:[0-9]{3})$" | "^[0-9]{3}$" => "710",
            "^(?:[0-9]{4})$" => "5411",
            "^(?:[0-9]{12})$" => "123456789012",
            "^(?:[a-fA-F0-9]{16})$" => "0123456789abcDEF",
            "^(?:[A-Z0-9]{1,40})$" => "REF0123",
            "^(?:^\\+?[1-9]\\d{1,14})$" => "+27821234567",
            "^[ A-Za-z0-9]{1,15}$" => "Shop 1",
            "^[A-Za-z]{2}$" => "ZA",
            unknown => panic!("no example for the pattern {unknown} of {name}"),
        }
        .to_owned();
    }
    if name == "id" || name == "requestId" {
        return "0f3b1c8e-9d0a-4b6e-8f8a-3c2d1e0f9a8b".to_owned();
    }
    let shortest = usize::try_from(schema["minLength"].as_u64().unwrap_or(1)).unwrap();
    let longest = usize::try_from(schema["maxLength"].as_u64().unwrap_or(64)).unwrap();
    format!("{name} {}", "x".repeat(shortest))
        .chars()
        .take(longest)
        .collect()
}

/// Checks JSON against a schema by name.
pub(crate) fn validator(name: &str) -> jsonschema::Validator {
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "allOf": [{"$ref": format!("#/components/schemas/{name}")}],
        "components": FACTS["components"],
    });
    jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap()
}
