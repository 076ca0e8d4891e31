//! What must not be read over somebody's shoulder, even where a server quotes it.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt::Debug;

use money_transfer_retailer::model::Sensitive;

const MASK: &str = "***";

/// Shorter texts are no secrets of ours, and would be found within innocent words.
const SHORTEST: usize = 6;

/// Every secret of a run, to be struck out of whatever is told.
#[derive(Default)]
pub(crate) struct Secrets(RefCell<BTreeSet<String>>);

impl Secrets {
    pub(crate) fn hide(&self, secret: &Sensitive) {
        let text = secret.expose();
        if text.len() >= SHORTEST {
            self.0.borrow_mut().insert(text.to_owned());
        }
    }

    /// The same text with a mask in place of every secret.
    pub(crate) fn strike_out(&self, text: &str) -> String {
        let secrets = self.0.borrow();
        let mut secrets: Vec<&String> = secrets.iter().collect();
        // A secret that begins with another one would lose its beginning only.
        secrets.sort_by_key(|secret| Reverse(secret.len()));
        let masked = |text: String, secret: &String| text.replace(secret.as_str(), MASK);
        secrets.into_iter().fold(text.to_owned(), masked)
    }
}

/// Types around a value that say nothing about it.
const WRAPPERS: [&str; 3] = ["Some(", "RequestId(", "AdviceId("];

/// A message as it may be read: as the crate's `Debug` masks it, without what is absent and without
/// wrappers.
pub(crate) fn shown(message: &(impl Debug + ?Sized)) -> String {
    let whole = format!("{message:#?}");
    let mut lines: Vec<String> = Vec::new();
    // What is open around a line; wrappers leave no trace.
    let mut open = Vec::new();
    let mut begun = String::new();
    for line in whole.lines().map(str::trim_start) {
        if line.ends_with(": None,") || line.ends_with(": [],") {
            continue;
        }
        if line.starts_with([')', '}', ']']) && open.pop() == Some(Opening::Wrapper) {
            continue;
        }
        begun.push_str(line);
        if let Some(name) = WRAPPERS
            .iter()
            .find_map(|wrapper| begun.strip_suffix(wrapper))
        {
            begun = name.to_owned();
            open.push(Opening::Wrapper);
            continue;
        }
        let depth = open
            .iter()
            .filter(|opening| **opening == Opening::Part)
            .count();
        lines.push("    ".repeat(depth) + &std::mem::take(&mut begun));
        if line.ends_with(['(', '{', '[']) {
            open.push(Opening::Part);
        }
    }
    lines.join("\n")
}

#[derive(PartialEq, Eq)]
enum Opening {
    Wrapper,
    Part,
}
