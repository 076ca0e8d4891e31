//! How an answer is read: in doubt repeat and in doubt reverse, or to the letter of the interface.
//!
//! A policy is asked about answers alone. Whatever it says, an advice without any answer is repeated, a
//! request without any answer is reversed, and a success that cannot be used approves nothing.

use crate::model::{AdviceId, ErrorDetail, ErrorType, Operation};

/// An answer to an advice, with what is known of that.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AnsweredAdvice<'a> {
    /// The advice.
    pub operation: Operation,
    /// Its id.
    pub advice_id: AdviceId,
    /// The HTTP status.
    pub status: u16,
    /// What the service says about an error, where it says something.
    pub detail: Option<&'a ErrorDetail>,
    /// Whether this is a success that the service itself gave: documented, and with nothing in its body
    /// that speaks against it.
    pub is_acknowledged: bool,
    /// Whether this is recognisably the service itself, and not something on the way.
    pub is_service_word: bool,
    /// Whether the advice may have reached the upstream before this attempt.
    pub possibly_sent_before: bool,
    /// Whether it reverses a request that never got an approval.
    pub reverses_unapproved: bool,
    /// Whether that request would have arrived by now, had it been on its way.
    pub request_has_landed: bool,
    /// Whether the order can be looked up.
    pub can_be_looked_up: bool,
}

/// What an answer means for the advice that it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdviceMeaning {
    /// The upstream took it.
    Accepted,
    /// The request never arrived, so that there is nothing to reverse.
    NothingToReverse,
    /// The order has to be looked up to tell.
    LookUp,
    /// An earlier attempt had arrived, and its answer was lost.
    ArrivedEarlier,
    /// The upstream does not offer such advices. Not sent again by itself.
    NotOffered,
    /// The upstream refused it. Not sent again by itself.
    Rejected,
    /// It says nothing final: send the same message again.
    Repeat,
}

/// An answer to a financial request that does not approve it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AnsweredRequest<'a> {
    /// The request.
    pub operation: Operation,
    /// The HTTP status; never one of a success.
    pub status: u16,
    /// What the service says about an error, where it says something.
    pub detail: Option<&'a ErrorDetail>,
    /// Whether this is recognisably the service itself, and not something on the way.
    pub is_service_word: bool,
}

/// What an answer means for the financial request that it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestMeaning {
    /// Nothing exists upstream.
    Declined,
    /// Nobody knows: it is reversed.
    Unknown,
}

/// Reads answers. [`InDoubt`] unless something else is [set](crate::ClientBuilder::answer_policy).
///
/// ```
/// use money_transfer_retailer::policy::{
///     AdviceMeaning, AnswerPolicy, AnsweredAdvice, AnsweredRequest, InDoubt, RequestMeaning,
/// };
///
/// /// An upstream whose load balancer says 503 with a page while it is being restarted, and 410 for
/// /// advices that were taken by the instance before.
/// struct OurUpstream;
///
/// impl AnswerPolicy for OurUpstream {
///     fn advice(&self, answer: &AnsweredAdvice<'_>) -> AdviceMeaning {
///         match answer.status {
///             410 if answer.possibly_sent_before => AdviceMeaning::ArrivedEarlier,
///             _ => InDoubt.advice(answer),
///         }
///     }
///
///     fn request(&self, answer: &AnsweredRequest<'_>) -> RequestMeaning {
///         InDoubt.request(answer)
///     }
/// }
/// ```
pub trait AnswerPolicy: Send + Sync {
    /// What `answer` means for an advice.
    fn advice(&self, answer: &AnsweredAdvice<'_>) -> AdviceMeaning;

    /// What `answer` means for a financial request.
    fn request(&self, answer: &AnsweredRequest<'_>) -> RequestMeaning;
}

/// Only the service's own word settles an advice, and what does not plainly decline a request may have
/// approved it: one repeat or one reversal too many is harmless, one too few costs money.
#[derive(Clone, Copy, Debug, Default)]
pub struct InDoubt;

impl AnswerPolicy for InDoubt {
    fn advice(&self, answer: &AnsweredAdvice<'_>) -> AdviceMeaning {
        if answer.is_acknowledged {
            return AdviceMeaning::Accepted;
        }
        if !answer.is_service_word {
            return AdviceMeaning::Repeat;
        }
        match answer.detail.map(|detail| &detail.error_type) {
            // About the sender, not about the advice.
            Some(ErrorType::AuthenticationError) => AdviceMeaning::Repeat,
            Some(ErrorType::UnableToLocateRecord) if answer.reverses_unapproved => {
                match answer.request_has_landed {
                    true => AdviceMeaning::NothingToReverse,
                    // It may still be on its way, and would be taken after all.
                    false => AdviceMeaning::Repeat,
                }
            }
            Some(ErrorType::DuplicateRecord) if is_echo_of_itself(answer) => {
                match answer.can_be_looked_up {
                    true => AdviceMeaning::LookUp,
                    false => AdviceMeaning::ArrivedEarlier,
                }
            }
            _ if answer.status == 501 => AdviceMeaning::NotOffered,
            _ => AdviceMeaning::Rejected,
        }
    }

    fn request(&self, answer: &AnsweredRequest<'_>) -> RequestMeaning {
        match answer.status {
            500 | 504 => RequestMeaning::Unknown,
            _ if answer.is_service_word => RequestMeaning::Declined,
            // The status itself asks for the same request again.
            408 | 425 | 429 => RequestMeaning::Unknown,
            // A gateway that turns a request away like this did not pass it on.
            400..=499 => RequestMeaning::Declined,
            _ => RequestMeaning::Unknown,
        }
    }
}

/// Whether the advice seems to have met itself.
fn is_echo_of_itself(answer: &AnsweredAdvice<'_>) -> bool {
    let own = answer.advice_id.to_string();
    let named = answer.detail.map(|detail| detail.id.as_str());
    answer.possibly_sent_before && named.is_some_and(|named| named.eq_ignore_ascii_case(&own))
}

/// The interface's own table, to the letter: 200, 201 and 202 are successful, 500 and 504 are unknown,
/// and everything else is failed, whoever said it.
///
/// For certification runs that ask for it. Between a till and a service there are proxies and gateways
/// that answer, too, and this takes their word for the service's.
#[derive(Clone, Copy, Debug, Default)]
pub struct InterfaceTable;

impl AnswerPolicy for InterfaceTable {
    fn advice(&self, answer: &AnsweredAdvice<'_>) -> AdviceMeaning {
        match answer.status {
            200..=202 => AdviceMeaning::Accepted,
            500 | 504 => AdviceMeaning::Repeat,
            // "Successful in some contexts": what was never there is as good as reversed.
            404 if answer.reverses_unapproved => AdviceMeaning::NothingToReverse,
            501 => AdviceMeaning::NotOffered,
            _ => AdviceMeaning::Rejected,
        }
    }

    fn request(&self, answer: &AnsweredRequest<'_>) -> RequestMeaning {
        match answer.status {
            500 | 504 => RequestMeaning::Unknown,
            _ => RequestMeaning::Declined,
        }
    }
}
