//! What must not be read over somebody's shoulder, even where a server quotes it.

use std::cell::RefCell;
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
        let masked = |text: String, secret: &String| text.replace(secret.as_str(), MASK);
        secrets.iter().fold(text.to_owned(), masked)
    }
}

/// A message as it may be read: the crate's `Debug` masks it; what is absent is left out.
pub(crate) fn shown(message: &(impl Debug + ?Sized)) -> String {
    let whole = format!("{message:#?}");
    let present = whole
        .lines()
        .filter(|line| !line.ends_with(": None,") && !line.ends_with(": [],"));
    present.collect::<Vec<_>>().join("\n")
}
