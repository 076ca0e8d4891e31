//! Texts and numbers at the very edge of what the interface allows pass, and one step beyond does not.

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::facts::{Extent, Place, example, places, schemas, validator};
use crate::types::{Checked, Cover, Inspect, SENT, cover};

/// The shortest and the longest text that a constraint allows, and those one character off.
pub(crate) struct Edges {
    pub(crate) allowed: Vec<String>,
    pub(crate) refused: Vec<String>,
}

/// `None` where a schema does not say how long its text is.
pub(crate) fn edges(schema: &Value) -> Option<Edges> {
    match schema["pattern"].as_str() {
        Some(pattern) => Some(edges_of_pattern(pattern)),
        None => edges_of_length(schema),
    }
}

/// A pattern that is not known here fails the test: teach it the new one.
fn edges_of_pattern(pattern: &str) -> Edges {
    let (allowed, refused): (&[&str], &[&str]) = match pattern {
        "^(?:[0-9]{3})$" | "^[0-9]{3}$" => (&["710"], &["71", "7100", "71O"]),
        "^(?:[0-9]{4})$" => (&["0000", "9999"], &["541", "54110", "541A"]),
        "^(?:[0-9]{12})$" => (&["000000000000"], &["12345678901", "1234567890123"]),
        "^(?:[a-fA-F0-9]{16})$" => (
            &["0123456789abcdef", "FFFFFFFFFFFFFFFF"],
            &["0123456789abcde", "0123456789abcdef0", "0123456789abcdeg"],
        ),
        "^(?:[A-Z0-9]{1,40})$" => (
            &["A", "0123456789ABCDEFGHIJ0123456789ABCDEFGHIJ"],
            &["", "a", "0123456789ABCDEFGHIJ0123456789ABCDEFGHIJ0"],
        ),
        "^(?:^\\+?[1-9]\\d{1,14})$" => (
            &["10", "+10", "999999999999999", "+999999999999999"],
            &[
                "",
                "1",
                "+1",
                "01",
                "1000000000000000",
                "+1000000000000000",
                "++10",
                "27 82",
            ],
        ),
        "^[ A-Za-z0-9]{1,15}$" => (
            &["0", " ", "Shop 1234567890"],
            &["", "Shop 12345678901", "Shop-1", "Sh\u{f6}p"],
        ),
        "^[A-Za-z]{2}$" => (&["ZA", "za"], &["", "Z", "ZAF", "Z1"]),
        unknown => panic!("no edges for the pattern {unknown}"),
    };
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Edges {
        allowed: owned(allowed),
        refused: owned(refused),
    }
}

/// Characters are counted, not bytes, and not halves of them.
fn edges_of_length(schema: &Value) -> Option<Edges> {
    let length = |name: &str| {
        schema[name]
            .as_u64()
            .map(|length| usize::try_from(length).unwrap())
    };
    let longest = length("maxLength")?;
    let shortest = length("minLength").unwrap_or(1);
    let of = |length| ["x", "\u{e9}", "\u{1f4b6}"].map(|character| character.repeat(length));
    let mut refused = of(longest + 1).to_vec();
    if shortest > 1 {
        refused.extend(of(shortest - 1));
    }
    Some(Edges {
        allowed: [of(shortest), of(longest)].concat(),
        refused,
    })
}

/// A message of which one place is tried with one text after the other.
struct Trial {
    name: &'static str,
    full: Value,
    valid: Validator,
    inspect: Inspect,
}

impl Trial {
    fn of(name: &'static str, inspect: Inspect) -> Trial {
        Trial {
            name,
            full: example(name, Extent::Full),
            valid: validator(name),
            inspect,
        }
    }

    /// The full example with this text at that place, and what our types say to it.
    fn with(&self, place: &Place, text: &str) -> (Value, Checked) {
        let mut message = self.full.clone();
        *message.pointer_mut(&place.pointer).unwrap() = json!(text);
        let checked = (self.inspect)(&message);
        let held = checked.unwrap_or_else(|| panic!("{}: {} {text}", self.name, place.path));
        (message, held)
    }

    fn assert_passes(&self, place: &Place, text: &str) {
        let (message, checked) = self.with(place, text);
        let told = format!("{}: {} {text}", self.name, place.path);
        assert!(self.valid.is_valid(&message), "{told}");
        assert_eq!(checked.violations, Vec::<String>::new(), "{told}");
        assert_eq!(checked.written, message, "{told}");
    }

    fn assert_refused(&self, place: &Place, text: &str) {
        let (message, checked) = self.with(place, text);
        let told = format!("{}: {} {text}", self.name, place.path);
        assert!(!self.valid.is_valid(&message), "{told}");
        assert_eq!(checked.violations, [place.path.as_str()], "{told}");
    }
}

#[test]
fn texts_as_long_and_as_short_as_may_be_pass_and_one_character_more_or_less_does_not() {
    let mut count = 0;
    for (name, inspect) in SENT {
        let trial = Trial::of(name, *inspect);
        for place in places(&schemas()[*name]) {
            let Some(Edges { allowed, refused }) = edges(place.schema) else {
                continue;
            };
            count += allowed.len() + refused.len();
            allowed
                .iter()
                .for_each(|text| trial.assert_passes(&place, text));
            refused
                .iter()
                .for_each(|text| trial.assert_refused(&place, text));
        }
    }
    println!("{count} texts at and beyond an edge");
    assert!(count > 1_000, "only {count}");
}

#[test]
fn numbers_of_64_bits_survive_to_the_last_digit_and_longer_ones_are_not_cut() {
    let mut count = 0;
    for name in schemas().keys() {
        let Cover::Type(speak) = cover(name) else {
            continue;
        };
        let is_long = |place: &Place| place.schema["format"] == "int64";
        for place in places(&schemas()[name]).into_iter().filter(is_long) {
            let mut message = example(name, Extent::Full);
            for number in [i64::MIN, -1, 0, 9_007_199_254_740_993, i64::MAX] {
                *message.pointer_mut(&place.pointer).unwrap() = json!(number);
                let spoken = speak(&message).unwrap();
                assert_eq!(spoken.written, message, "{name}: {} {number}", place.path);
                count += 1;
            }
            let beyond = u64::try_from(i64::MAX).unwrap() + 1;
            *message.pointer_mut(&place.pointer).unwrap() = json!(beyond);
            let is_cut = speak(&message).is_ok_and(|spoken| spoken.skipped.is_empty());
            assert!(!is_cut, "{name}: {} holds {beyond}", place.path);
        }
    }
    println!("{count} numbers of 64 bits");
    assert!(count > 100, "only {count}");
}
