//! What the facts would refuse is not sent.

use money_transfer_retailer::model::{
    Check, CreateOrderRequest, Fill, Money, PersonalDetails, Timestamp,
};
use serde_json::{Value, json};

use crate::facts::{Extent, example, properties, required, resolve, schemas, validator};
use crate::queries::defaults;
use crate::types::{Inspect, SENT};

#[test]
fn a_message_that_obeys_the_interface_passes_the_check() {
    for (name, inspect) in SENT {
        let checked = inspect(&example(name, Extent::Full)).unwrap();
        assert_eq!(checked.violations, Vec::<String>::new(), "{name}");
    }
}

#[test]
fn a_request_with_the_least_a_till_says_is_valid_once_defaults_and_time_are_filled_in() {
    let mut request = CreateOrderRequest::builder()
        .amount(Money::zar(79_995))
        .sender_details(PersonalDetails::default())
        .build();
    assert!(request.check().is_err());
    request.fill(&defaults());
    request.time = Timestamp::from_unix_millis(1_767_225_600_000);
    assert_eq!(request.check(), Ok(()));
    let written = serde_json::to_value(&request).unwrap();
    assert!(
        validator("MoneyTransferAuthRequest").is_valid(&written),
        "{written}"
    );
}

#[test]
fn a_message_with_only_what_is_required_passes_but_for_a_reference() {
    for (name, inspect) in SENT {
        let checked = inspect(&example(name, Extent::Minimal)).unwrap();
        let by_either_or = [
            "MoneyTransferOrderPinUpdateRequest",
            "MoneyTransferOrderStatusUpdateRequest",
        ];
        let expected: &[&str] = if by_either_or.contains(name) {
            &["orderRedeemRef"]
        } else {
            &[]
        };
        assert_eq!(checked.violations, expected, "{name}");
    }
}

#[test]
fn every_constraint_of_the_interface_is_checked_and_told_with_its_path() {
    let mut told = 0;
    for (name, inspect) in SENT {
        for (path, broken) in breakages(name) {
            told += usize::from(is_told(name, *inspect, &path, &broken));
        }
    }
    println!("{told} broken messages were told from good ones");
    assert!(
        told > 300,
        "only {told}: the breakages are no breakages any more"
    );
}

#[test]
fn a_required_text_must_not_be_empty() {
    let mut told = 0;
    for (name, inspect) in SENT {
        for (path, broken) in required_texts_emptied(name) {
            // Our types cannot hold an empty id or time.
            let Some(checked) = inspect(&broken) else {
                continue;
            };
            // An empty line on a slip is a line; an advice sends back the upstream's identifiers, whatever they are.
            if path.ends_with("].text") || is_identifier_of_advice(name, &path) {
                continue;
            }
            assert!(
                checked.violations.contains(&path),
                "{name}: {path} is empty, told {:?}",
                checked.violations
            );
            told += 1;
        }
    }
    assert!(told > 100, "only {told}");
}

fn is_identifier_of_advice(name: &str, path: &str) -> bool {
    (name.ends_with("Confirmation") || name.ends_with("Reversal"))
        && path.starts_with("thirdPartyIdentifiers")
}

/// The full example, with one required text after the other emptied.
fn required_texts_emptied(name: &str) -> Vec<(String, Value)> {
    let full = example(name, Extent::Full);
    let mut places = Vec::new();
    collect(&schemas()[name], "", "", &mut places);
    let required = places.into_iter().filter(|(_, pointer, wrong)| {
        wrong.is_none() && full.pointer(pointer).is_some_and(Value::is_string)
    });
    let emptied = required.map(|(path, pointer, _)| {
        let mut message = full.clone();
        replace(&mut message, &pointer, Some(json!("")));
        (path, message)
    });
    emptied.collect()
}

/// Whether the check had to say something, having made sure that it did.
fn is_told(name: &str, inspect: Inspect, path: &str, broken: &Value) -> bool {
    // Where our types cannot hold the broken message, the compiler has checked.
    let Some(checked) = inspect(broken) else {
        return false;
    };
    if validator(name).is_valid(&checked.written) || is_identifier_of_advice(name, path) {
        return false;
    }
    assert!(
        checked.violations.iter().any(|told| told == path),
        "{name}: {path} is wrong, told {:?}",
        checked.violations
    );
    true
}

/// The full example, broken in one place at a time.
fn breakages(name: &str) -> Vec<(String, Value)> {
    let mut places = Vec::new();
    collect(&schemas()[name], "", "", &mut places);
    let full = example(name, Extent::Full);
    let broken = places.into_iter().map(|(path, pointer, wrong)| {
        let mut message = full.clone();
        replace(&mut message, &pointer, wrong);
        (path, message)
    });
    broken.collect()
}

type Place = (String, String, Option<Value>);

/// Path in words, JSON pointer, and what is wrong to put there (nothing: leave it out).
fn collect(schema: &Value, path: &str, pointer: &str, places: &mut Vec<Place>) {
    let schema = resolve(schema);
    if schema["type"] == "array" {
        return collect(
            &schema["items"],
            &format!("{path}[0]"),
            &format!("{pointer}/0"),
            places,
        );
    }
    if schema["additionalProperties"].is_object() {
        return collect(
            &schema["additionalProperties"],
            &format!("{path}.tip"),
            &format!("{pointer}/tip"),
            places,
        );
    }
    places.extend(
        wrong_texts(schema)
            .into_iter()
            .map(|wrong| (path.to_owned(), pointer.to_owned(), Some(wrong))),
    );
    for (name, property) in properties(schema) {
        let inner = if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        };
        let inner_pointer = format!("{pointer}/{name}");
        if required(schema).contains(name) {
            places.push((inner.clone(), inner_pointer.clone(), None));
        }
        collect(property, &inner, &inner_pointer, places);
    }
}

fn wrong_texts(schema: &Value) -> Vec<Value> {
    let mut wrong = Vec::new();
    if schema["pattern"].is_string() {
        wrong.extend(
            [
                "",
                "+",
                "0",
                "12",
                "a\u{e9}*",
                "zzzz",
                "01234567890123456789012345678901234567890",
            ]
            .map(|text| json!(text)),
        );
    }
    if let Some(longest) = schema["maxLength"].as_u64() {
        wrong.push(json!(
            "\u{e9}".repeat(usize::try_from(longest).unwrap() + 1)
        ));
    }
    if let Some(shortest) = schema["minLength"].as_u64() {
        wrong.push(json!("x".repeat(usize::try_from(shortest).unwrap() - 1)));
    }
    wrong
}

fn replace(message: &mut Value, pointer: &str, wrong: Option<Value>) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = message.pointer_mut(parent).unwrap();
    match (wrong, parent) {
        (Some(wrong), parent) => parent[name] = wrong,
        (None, Value::Object(parent)) => drop(parent.remove(name)),
        (None, other) => panic!("{pointer} is in {other}"),
    }
}
