//! The interface's constraints, checked on what is about to be sent.
//!
//! Everything that the interface demands is checked: what is required, how long it may be, how it must look, what goes with
//! what. Whether an amount makes sense is the upstream's decision. So is a value of an enumeration that this version does
//! not know: it may come from a later version of the interface.
//!
//! The rules are small functions in one table rather than a derived validator, because a third of the texts are masked, the
//! paths must be those of the wire, and no value may get into the words.

use std::fmt;

use super::sensitive::Sensitive;

/// A message or a part of one that the interface has rules for.
pub trait Check {
    /// Notes everything that breaks a rule.
    fn inspect(&self, rules: &mut Rules);

    /// Checks the message against the interface's rules.
    ///
    /// # Errors
    /// All violations at once, each with its place in the message.
    fn check(&self) -> Result<(), Violations> {
        let mut rules = Rules::default();
        self.inspect(&mut rules);
        if rules.found.is_empty() {
            Ok(())
        } else {
            Err(Violations(rules.found))
        }
    }
}

/// One broken rule: where and which. Never the value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Violation {
    path: String,
    rule: &'static str,
}

impl Violation {
    /// The place in the message, as on the wire: `senderDetails.contactNumber`, `slipData.messageLines[2].barcode.data`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The rule in words, to be read after the path: `must be at most 40 characters`.
    #[must_use]
    pub fn rule(&self) -> &str {
        self.rule
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path, self.rule)
    }
}

/// All that keeps a message from being sent, in the order of the interface. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// The violations one by one.
    pub fn iter(&self) -> std::slice::Iter<'_, Violation> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Violations {
    type Item = &'a Violation;
    type IntoIter = std::slice::Iter<'a, Violation>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Violations {
    type Item = Violation;
    type IntoIter = std::vec::IntoIter<Violation>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// One line for each violation, below a heading.
impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the message breaks the interface's rules:")?;
        self.0
            .iter()
            .try_for_each(|violation| write!(f, "\n  - {violation}"))
    }
}

impl std::error::Error for Violations {}

/// Collects violations on the way through a message.
#[derive(Debug, Default)]
pub struct Rules {
    path: String,
    found: Vec<Violation>,
}

impl Rules {
    /// Inspects what lies in the field of this name.
    pub(super) fn within(&mut self, name: &str, inspect: impl FnOnce(&mut Self)) {
        let outer = self.path.len();
        if outer > 0 && !name.starts_with('[') {
            self.path.push('.');
        }
        self.path.push_str(name);
        inspect(self);
        self.path.truncate(outer);
    }

    pub(super) fn part(&mut self, name: &str, part: &impl Check) {
        self.within(name, |rules| part.inspect(rules));
    }

    pub(super) fn optional_part(&mut self, name: &str, part: Option<&impl Check>) {
        if let Some(part) = part {
            self.part(name, part);
        }
    }

    pub(super) fn required_part(&mut self, name: &str, part: Option<&impl Check>) {
        self.required(name, part.is_some());
        self.optional_part(name, part);
    }

    /// A part that is empty where it is absent: told as one thing that is missing, not as all the texts in it.
    pub(super) fn filled_part<T: Check + Default + PartialEq>(&mut self, name: &str, part: &T) {
        self.required_part(name, Some(part).filter(|part| **part != T::default()));
    }

    pub(super) fn elements(&mut self, name: &str, elements: &[impl Check]) {
        self.within(name, |rules| {
            for (index, element) in elements.iter().enumerate() {
                rules.part(&format!("[{index}]"), element);
            }
        });
    }

    pub(super) fn required(&mut self, name: &str, present: bool) {
        if !present {
            self.broken(name, "is required");
        }
    }

    pub(super) fn required_text(&mut self, name: &str, text: &str, rules: &[Rule]) {
        if text.is_empty() {
            self.broken(name, "is required and must not be empty");
        } else {
            self.optional_text(name, Some(text), rules);
        }
    }

    pub(super) fn optional_text(&mut self, name: &str, text: Option<&str>, rules: &[Rule]) {
        let Some(text) = text else { return };
        for rule in rules.iter().filter(|rule| !(rule.holds)(text)) {
            self.broken(name, rule.words);
        }
    }

    pub(super) fn optional_secret(&mut self, name: &str, text: Option<&Sensitive>, rules: &[Rule]) {
        self.optional_text(name, text.map(Sensitive::expose), rules);
    }

    /// JSON has no words for what is not finite: it would be written as `null`.
    pub(super) fn finite(&mut self, name: &str, number: Option<f64>) {
        if number.is_some_and(|number| !number.is_finite()) {
            self.broken(name, "must be finite");
        }
    }

    /// Either-or rules: one of the texts must be there and not empty. Told of the field of this name.
    pub(super) fn at_least_one(&mut self, name: &str, texts: &[Option<&str>], words: &'static str) {
        if texts.iter().flatten().all(|text| text.is_empty()) {
            self.broken(name, words);
        }
    }

    pub(super) fn broken(&mut self, name: &str, rule: &'static str) {
        self.within(name, |rules| {
            let path = rules.path.clone();
            rules.found.push(Violation { path, rule });
        });
    }
}

/// A rule for a text: in words, and as a test.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    words: &'static str,
    holds: fn(&str) -> bool,
}

pub(super) const AT_MOST_2: Rule = Rule {
    words: "must be at most 2 characters",
    holds: at_most::<2>,
};
pub(super) const AT_MOST_13: Rule = Rule {
    words: "must be at most 13 characters",
    holds: at_most::<13>,
};
pub(super) const AT_MOST_23: Rule = Rule {
    words: "must be at most 23 characters",
    holds: at_most::<23>,
};
pub(super) const AT_MOST_30: Rule = Rule {
    words: "must be at most 30 characters",
    holds: at_most::<30>,
};
pub(super) const AT_MOST_40: Rule = Rule {
    words: "must be at most 40 characters",
    holds: at_most::<40>,
};
pub(super) const AT_MOST_80: Rule = Rule {
    words: "must be at most 80 characters",
    holds: at_most::<80>,
};
pub(super) const AT_MOST_256: Rule = Rule {
    words: "must be at most 256 characters",
    holds: at_most::<256>,
};
pub(super) const EXACTLY_2: Rule = Rule {
    words: "must be exactly 2 characters",
    holds: exactly::<2>,
};
pub(super) const EXACTLY_8: Rule = Rule {
    words: "must be exactly 8 characters",
    holds: exactly::<8>,
};
pub(super) const EXACTLY_15: Rule = Rule {
    words: "must be exactly 15 characters",
    holds: exactly::<15>,
};
pub(super) const THREE_DIGITS: Rule = Rule {
    words: "must be three digits (ISO 4217)",
    holds: digits::<3>,
};
pub(super) const FOUR_DIGITS: Rule = Rule {
    words: "must be four digits",
    holds: digits::<4>,
};
pub(super) const TWELVE_DIGITS: Rule = Rule {
    words: "must be twelve digits",
    holds: digits::<12>,
};
pub(super) const TWO_LETTERS: Rule = Rule {
    words: "must be two letters",
    holds: |text| exactly::<2>(text) && all(text, |c| c.is_ascii_alphabetic()),
};
pub(super) const UUID_V4: Rule = Rule {
    words: "must be a random UUID (version 4)",
    holds: |text| {
        let id = uuid::Uuid::try_parse(text);
        id.is_ok_and(|id| id.get_version_num() == 4 && id.get_variant() == uuid::Variant::RFC4122)
    },
};
pub(super) const SIXTEEN_HEX_DIGITS: Rule = Rule {
    words: "must be 16 hexadecimal digits",
    holds: |text| exactly::<16>(text) && all(text, |c| c.is_ascii_hexdigit()),
};
pub(super) const MERCHANT_ID: Rule = Rule {
    words: "must be 1 to 15 letters, digits and spaces",
    holds: |text| {
        !text.is_empty()
            && at_most::<15>(text)
            && all(text, |c| c == ' ' || c.is_ascii_alphanumeric())
    },
};
pub(super) const ISSUER_REFERENCE: Rule = Rule {
    words: "must be 1 to 40 capital letters and digits",
    holds: |text| {
        !text.is_empty()
            && at_most::<40>(text)
            && all(text, |c| c.is_ascii_uppercase() || c.is_ascii_digit())
    },
};
pub(super) const INTERNATIONAL_NUMBER: Rule = Rule {
    words: "must be an international telephone number: an optional +, then 2 to 15 digits that do not start with 0",
    holds: |text| {
        let number = text.strip_prefix('+').unwrap_or(text);
        (2..=15).contains(&number.len())
            && !number.starts_with('0')
            && all(number, |c| c.is_ascii_digit())
    },
};

fn at_most<const MAX: usize>(text: &str) -> bool {
    text.chars().count() <= MAX
}

fn exactly<const COUNT: usize>(text: &str) -> bool {
    text.chars().count() == COUNT
}

fn digits<const COUNT: usize>(text: &str) -> bool {
    exactly::<COUNT>(text) && all(text, |c| c.is_ascii_digit())
}

fn all(text: &str, allowed: fn(char) -> bool) -> bool {
    text.chars().all(allowed)
}
