//! What should come of a message, and whether it did.

use money_transfer_retailer::Declined;
use money_transfer_retailer::model::{ErrorType, Money};
use serde_json::Value;

use super::evidence::Verdict;
use super::seen::Seen;

type Test<'a, A> = Box<dyn Fn(&Seen<A>) -> bool + 'a>;

/// What should come of a message whose answer is an `A`: in words, and as a test.
pub(crate) struct Expectation<'a, A> {
    pub(crate) words: String,
    accepts: Test<'a, A>,
    /// Whether the server may take a moment until it is so.
    pub(crate) takes_time: bool,
}

impl<'a, A: 'a> Expectation<'a, A> {
    /// An answer that passes a test.
    pub(crate) fn answer(words: impl Into<String>, test: impl Fn(&A) -> bool + 'a) -> Self {
        Expectation::seeing(words, move |seen| match seen {
            Seen::Answered(answer) => test(answer),
            _ => false,
        })
    }

    /// The server's no, for one of these reasons.
    pub(crate) fn declined(reasons: &'a [ErrorType]) -> Self {
        let words = format!("declined: {}", alternatives(reasons));
        Expectation::seeing(words, move |seen| {
            let error_type = seen.error_type();
            error_type.is_some_and(|error_type| reasons.contains(error_type))
        })
    }

    /// The server's no, for any reason that is about the message; `likely` is what it probably says.
    pub(crate) fn declined_like(likely: &'a [ErrorType]) -> Self {
        let words = format!("declined, such as {}", alternatives(likely));
        Expectation::seeing(words, |seen| match seen {
            Seen::Declined(declined) => is_refused(declined),
            _ => false,
        })
    }

    /// Anything that passes a test.
    pub(crate) fn seeing(words: impl Into<String>, test: impl Fn(&Seen<A>) -> bool + 'a) -> Self {
        Expectation {
            words: words.into(),
            accepts: Box::new(test),
            takes_time: false,
        }
    }

    /// Either this or that.
    pub(crate) fn or(self, other: Expectation<'a, A>) -> Self {
        let words = format!("{}, or {}", self.words, other.words);
        Expectation::seeing(words, move |seen| {
            (self.accepts)(seen) || (other.accepts)(seen)
        })
    }

    /// The same, with time for the server to process what it was told: for queries.
    pub(crate) fn in_time(mut self) -> Self {
        self.takes_time = true;
        self
    }

    pub(crate) fn accepts(&self, seen: &Seen<A>) -> bool {
        (self.accepts)(seen)
    }

    /// Of an operation that may be missing that is no failure.
    pub(crate) fn verdict(&self, may_be_missing: bool, seen: &Seen<A>) -> Verdict {
        match seen {
            seen if self.accepts(seen) => Verdict::Pass,
            Seen::NotSupported { .. } if may_be_missing => Verdict::NotSupported,
            _ => Verdict::Fail,
        }
    }
}

/// Whether the server's no is about the message.
pub(crate) fn is_refused(declined: &Declined) -> bool {
    match declined.error_type() {
        Some(error_type) => is_about_the_message(error_type),
        // The interface allows an empty one.
        None => declined.status == 400,
    }
}

/// A server in trouble, or one that does not know the till, has said nothing about the message.
pub(crate) fn is_about_the_message(error_type: &ErrorType) -> bool {
    use ErrorType as E;
    !matches!(
        error_type,
        E::AuthenticationError
            | E::RoutingError
            | E::SystemError
            | E::ProviderSystemError
            | E::UpstreamUnavailable
            | E::DuplicateRecord
    )
}

pub(crate) fn alternatives<T: ToString>(texts: &[T]) -> String {
    texts
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" or ")
}

/// The same amount, whether it is said to be a debit, a credit or neither.
pub(crate) fn same(one: &Money, other: &Money) -> bool {
    one.minor_units == other.minor_units && one.currency == other.currency
}

/// Whether an answer carries this id as its own.
pub(crate) fn names(answer: &Value, id: &str) -> bool {
    let named = answer["id"].as_str();
    named.is_some_and(|named| named.eq_ignore_ascii_case(id))
}
