//! Reads an answer without losing money over a broken decoration.
//!
//! ```text
//! bytes ──▶ small enough, not too deep? ──▶ JSON? ──▶ fits the type? ──yes──▶ Reading
//!                     │ no                    │ no        │ no: where?
//!                     ▼                       ▼           ▼
//!                 Unreadable              Unreadable   put null there, try again ──(again the same place)──▶ put null one
//!                                                                                   level up; at the top: Unreadable
//! ```
//!
//! # Invariants
//! 1. Bytes outside the parts that were left out stay as they are.
//! 2. What a message is nothing without (`id` and `amount` of an approval) is never left out: it is unreadable then.
//! 3. No error quotes what was received: paths, lines and columns only.
//! 4. Nested input never deepens the stack: depth is measured before anything is parsed.

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_path_to_error::Segment;
use zeroize::Zeroizing;

use super::json_span::{Step, replace_with_null};

/// The largest text that is read: 4 MiB. Messages have a few kilobytes.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The deepest nesting that is read. Messages have six levels.
pub const MAX_DEPTH: usize = 64;

/// How many parts of one message are left out before it is given up.
const MAX_SKIPPED: usize = 64;

/// A message as far as it could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reading<T> {
    /// The message.
    pub value: T,
    /// Paths of the parts that were left out because they were malformed, as on the wire: `slipData.messageLines[2]`.
    pub skipped: Vec<String>,
}

/// Why a message could not be read. Never quotes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// The text is larger than [`MAX_BYTES`].
    #[error("the message has {bytes} bytes, more than {MAX_BYTES}")]
    TooLarge {
        /// How large it is.
        bytes: usize,
    },
    /// The text nests deeper than [`MAX_DEPTH`].
    #[error("the message nests deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// The text is no JSON.
    #[error("the message is not JSON (line {line}, column {column})")]
    NotJson {
        /// Where it stops being JSON, from 1; 0 where that cannot be told.
        line: usize,
        /// Where in that line, from 1; 0 where that cannot be told.
        column: usize,
    },
    /// A part that the message is nothing without is missing or malformed.
    #[error("the message has no usable value at {path}")]
    Missing {
        /// The part's place in the message; `.` is the message itself.
        path: String,
    },
}

/// Reads a message, leaving out what is malformed and not required.
///
/// Unknown members are ignored, unknown values of enumerations are kept, and what merely breaks a constraint (a text too
/// long, a country of three letters) is read as it is. A member that occurs twice is ambiguous: what it
/// belongs to is left out, and where that is the message itself, it counts as unreadable.
///
/// ```
/// use money_transfer_retailer::model::{CreateOrderResponse, Money, read};
///
/// let body = br#"{"id":"1","amount":{"amount":79995,"currency":"710"},"stan":123456}"#;
/// let reading = read::<CreateOrderResponse>(body)?;
/// assert_eq!(reading.value.amount, Money::zar(79_995));
/// assert_eq!(reading.skipped, ["stan"]);
/// # Ok::<(), money_transfer_retailer::model::Unreadable>(())
/// ```
///
/// # Errors
/// The message is too large, too deep, no JSON, or lacks what it is nothing without.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<Reading<T>, Unreadable> {
    let json = bounded_json(bytes)?;
    match serde_json::from_str(json) {
        Ok(value) => Ok(Reading {
            value,
            skipped: Vec::new(),
        }),
        Err(_) => read_in_parts(Zeroizing::new(json.to_owned())),
    }
}

/// Wipes its copies of the text: they may hold what is masked elsewhere.
fn read_in_parts<T: DeserializeOwned>(
    mut json: Zeroizing<String>,
) -> Result<Reading<T>, Unreadable> {
    let mut left_out: Vec<LeftOut> = Vec::new();
    loop {
        let culprit = match parse(&json) {
            Ok(value) => {
                let skipped = left_out
                    .iter()
                    .map(|left_out| in_words(&left_out.part))
                    .collect();
                return Ok(Reading { value, skipped });
            }
            Err(culprit) => culprit,
        };
        let rest =
            leave_out(&json, &culprit, &mut left_out).filter(|_| left_out.len() <= MAX_SKIPPED);
        let Some(rest) = rest else {
            let origin = left_out.iter().find(|left_out| left_out.part == culprit);
            let path = in_words(origin.map_or(&culprit, |left_out| &left_out.origin));
            return Err(Unreadable::Missing { path });
        };
        json = Zeroizing::new(rest);
    }
}

/// A part that was left out, and the place in it where it was found to be malformed first.
struct LeftOut {
    part: Vec<Step>,
    origin: Vec<Step>,
}

/// Parses, or says where it does not fit.
fn parse<T: DeserializeOwned>(json: &str) -> Result<T, Vec<Step>> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let mut culprit = steps(error.path());
        culprit.extend(named_field(&error.inner().to_string()).map(Step::Member));
        culprit
    })
}

fn steps(path: &serde_path_to_error::Path) -> Vec<Step> {
    let known = path.iter().map_while(|segment| match segment {
        Segment::Map { key } => Some(Step::Member(key.clone())),
        Segment::Seq { index } => Some(Step::Element(*index)),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    known.collect()
}

/// A field that is missing or there twice is not in the path, which ends at what it belongs to; only the words name it.
/// They are serde's own, and the name is one of ours.
fn named_field(words: &str) -> Option<String> {
    let named = words
        .strip_prefix("missing field `")
        .or_else(|| words.strip_prefix("duplicate field `"))?;
    named.split_once('`').map(|(name, _)| name.to_owned())
}

/// Leaves out the part at the path, or the smallest part around it that has not been left out yet.
///
/// `None` where that would be the whole message. What was left out inside the part before is forgotten.
fn leave_out(json: &str, culprit: &[Step], left_out: &mut Vec<LeftOut>) -> Option<String> {
    for length in (1..=culprit.len()).rev() {
        let part = &culprit[..length];
        if left_out.iter().any(|earlier| earlier.part == part) {
            continue;
        }
        if let Some(rest) = replace_with_null(json, part) {
            let inner = left_out
                .iter()
                .find(|earlier| culprit.starts_with(&earlier.part));
            let origin = inner.map_or(culprit, |inner| &inner.origin).to_vec();
            left_out.retain(|earlier| !earlier.part.starts_with(part));
            left_out.push(LeftOut {
                part: part.to_vec(),
                origin,
            });
            return Some(rest);
        }
    }
    None
}

fn in_words(path: &[Step]) -> String {
    let mut words = String::new();
    for step in path {
        match step {
            // The names of additional amounts are the upstream's: no line breaks may get into a log.
            Step::Member(name) => {
                words.push_str(if words.is_empty() { "" } else { "." });
                words.extend(name.escape_debug());
            }
            Step::Element(index) => words.push_str(&format!("[{index}]")),
        }
    }
    if words.is_empty() {
        ".".to_owned()
    } else {
        words
    }
}

/// Makes sure that the bytes are one JSON text of bounded size and depth.
fn bounded_json(bytes: &[u8]) -> Result<&str, Unreadable> {
    if bytes.len() > MAX_BYTES {
        return Err(Unreadable::TooLarge { bytes: bytes.len() });
    }
    if depth(bytes) > MAX_DEPTH {
        return Err(Unreadable::TooDeep);
    }
    let json =
        std::str::from_utf8(bytes).map_err(|_| Unreadable::NotJson { line: 0, column: 0 })?;
    match serde_json::from_str::<&RawValue>(json) {
        Ok(_) => Ok(json),
        Err(error) => Err(Unreadable::NotJson {
            line: error.line(),
            column: error.column(),
        }),
    }
}

/// How deep the brackets nest, those in texts aside.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let (mut in_text, mut escaped) = (false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
