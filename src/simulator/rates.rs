//! getExchangeRate, from a table that never changes.

use serde_json::json;

use super::{
    answer::{Answer, Problem},
    call::Call,
    outcome::Outcome,
};

/// What one unit of a currency (its number in ISO 4217) is worth in rand.
const IN_RAND: &[(&str, f64)] = &[
    ("710", 1.0),   // South African rand
    ("426", 1.0),   // Lesotho loti
    ("516", 1.0),   // Namibian dollar
    ("748", 1.0),   // Eswatini lilangeni
    ("072", 1.25),  // Botswana pula
    ("454", 0.01),  // Malawi kwacha
    ("943", 0.25),  // Mozambique metical
    ("967", 0.75),  // Zambian kwacha
    ("404", 0.125), // Kenyan shilling
    ("840", 18.0),  // US dollar
    ("978", 20.0),  // euro
    ("826", 24.0),  // pound sterling
    ("356", 0.2),   // Indian rupee
];

/// getExchangeRate: how many units of one currency a unit of the other is.
pub(super) fn rate(call: &Call) -> Outcome {
    let (from, to) = (call.parameter("fromCurrency"), call.parameter("toCurrency"));
    let named = [("fromCurrency", from), ("toCurrency", to)];
    let wrong: Vec<String> = named
        .iter()
        .filter_map(|(name, value)| complaint(name, *value))
        .collect();
    if !wrong.is_empty() {
        return Err(Problem::format(wrong).into());
    }
    let (Some(from_worth), Some(to_worth)) = (worth(from), worth(to)) else {
        return Err(
            Problem::new("TRANSACTION_NOT_SUPPORTED", "No rate for these currencies").into(),
        );
    };
    // Six digits, so that 1/18 reads as a rate and not as a fraction's whole tail.
    let rate = (from_worth / to_worth * 1e6).round() / 1e6;
    Ok(Answer::json(
        200,
        json!({ "rate": rate, "fromCurrency": from, "toCurrency": to }),
    ))
}

fn complaint(name: &str, value: Option<&str>) -> Option<String> {
    match value {
        None => Some(format!("{name} may not be null")),
        Some(value) if value.len() == 3 && value.bytes().all(|byte| byte.is_ascii_digit()) => None,
        Some(_) => Some(format!("{name} must match \"[0-9]{{3}}\"")),
    }
}

fn worth(currency: Option<&str>) -> Option<f64> {
    let found = IN_RAND.iter().find(|(number, _)| Some(*number) == currency);
    found.map(|(_, worth)| *worth)
}
