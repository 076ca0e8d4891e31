//! Everything in the facts can be read and is written back the same.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::facts::{Extent, FACTS, enum_values, example, properties, schemas, validator};
use crate::types::{Cover, Speak, cover};

#[test]
fn every_field_of_every_schema_survives_reading_and_writing() {
    let mut fields = 0;
    for name in schemas().keys() {
        match cover(name) {
            Cover::Type(speak) => assert_round_trip(name, speak, Extent::Full),
            Cover::BaseOf(heirs) => assert_inherited(name, heirs),
            Cover::Values(..) => {}
        }
        fields += schemas()[name]["properties"]
            .as_object()
            .map_or(0, |own| own.len());
        fields += schemas()[name]["allOf"][1]["properties"]
            .as_object()
            .map_or(0, |own| own.len());
    }
    println!(
        "{} schemas with {fields} fields of their own",
        schemas().len()
    );
    assert_eq!(schemas().len(), 57);
}

#[test]
fn what_is_optional_on_the_wire_may_be_missing_and_is_not_written() {
    for name in schemas().keys() {
        if let Cover::Type(speak) = cover(name) {
            assert_round_trip(name, speak, Extent::Minimal);
        }
    }
}

#[test]
fn a_null_is_the_same_as_a_missing_field() {
    for name in schemas().keys() {
        let Cover::Type(speak) = cover(name) else {
            continue;
        };
        let minimal = example(name, Extent::Minimal);
        let mut with_nulls = minimal.clone();
        for property in properties(&schemas()[name]).into_keys() {
            with_nulls
                .as_object_mut()
                .unwrap()
                .entry(property)
                .or_insert(Value::Null);
        }
        let spoken = speak(&with_nulls).unwrap();
        assert_eq!(
            (spoken.written, spoken.skipped),
            (minimal, vec![]),
            "{name}"
        );
    }
}

#[test]
fn unknown_members_are_ignored() {
    for name in schemas().keys() {
        let Cover::Type(speak) = cover(name) else {
            continue;
        };
        let full = example(name, Extent::Full);
        let mut extended = full.clone();
        extended["addedByALaterVersion"] = json!({"deep": [1, {"deeper": null}]});
        assert_eq!(speak(&extended).unwrap().written, full, "{name}");
    }
}

#[test]
fn every_value_of_every_enumeration_is_known_by_name() {
    let mut count = 0;
    for (name, schema) in schemas() {
        let expected: BTreeSet<_> = enum_values(schema).into_iter().collect();
        count += expected.len();
        match cover(name) {
            Cover::Values(speak, known) => {
                let known: BTreeSet<_> = known.iter().map(String::as_str).collect();
                assert_eq!(known, expected, "{name}");
                expected.iter().for_each(|value| {
                    assert_eq!(speak(&json!(value)).unwrap().written, json!(value))
                });
            }
            _ => assert!(expected.is_empty(), "{name} is an enumeration"),
        }
    }
    println!("{count} values of enumerations");
}

#[test]
fn a_value_added_to_an_enumeration_later_survives() {
    for name in schemas().keys() {
        if let Cover::Values(speak, _) = cover(name) {
            assert_eq!(
                speak(&json!("ADDED_LATER")).unwrap().written,
                json!("ADDED_LATER"),
                "{name}"
            );
        }
    }
}

#[test]
fn every_schema_that_an_operation_speaks_has_a_type() {
    let operations = FACTS["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|path| path.as_object().unwrap().values());
    let mut count = 0;
    for operation in operations {
        count += 1;
        for schema in spoken_by(operation) {
            assert!(matches!(cover(&schema), Cover::Type(_)), "{schema}");
        }
    }
    println!("{count} operations");
    assert_eq!(count, 17);
}

fn spoken_by(operation: &Value) -> Vec<String> {
    let answers = operation["responses"].as_object().unwrap().values();
    let bodies = answers.chain([&operation["requestBody"]]);
    let references =
        bodies.filter_map(|body| body["content"]["application/json"]["schema"]["$ref"].as_str());
    references
        .map(|reference| reference.rsplit('/').next().unwrap().to_owned())
        .collect()
}

fn assert_round_trip(name: &str, speak: Speak, extent: Extent) {
    let validator = validator(name);
    let given = example(name, extent);
    assert!(
        validator.is_valid(&given),
        "the example of {name} is not valid: {given}"
    );
    let spoken = speak(&given).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(spoken.skipped, Vec::<String>::new(), "{name}");
    assert_eq!(spoken.written, given, "{name}");
    assert!(validator.is_valid(&spoken.written), "{name}");
}

fn assert_inherited(base: &str, heirs: &[&str]) {
    let expected: BTreeSet<_> = properties(&schemas()[base]).into_keys().collect();
    for heir in heirs {
        let inherited: BTreeSet<_> = properties(&schemas()[*heir]).into_keys().collect();
        assert!(inherited.is_superset(&expected), "{heir} is no {base}");
    }
}
