//! What an answer means for the advice that it answers.
//!
//! | answer | the advice is |
//! |---|---|
//! | taken by the service | settled: accepted |
//! | not sent, unknown, `AUTHENTICATION_ERROR` | repeated |
//! | `UNABLE_TO_LOCATE_RECORD` to the reversal of a request that never got an approval | settled: nothing to reverse, once the request cannot be on its way any more; repeated until then |
//! | `DUPLICATE_RECORD` with the advice's own id, which may have been sent before | settled: arrived earlier, after a look at the order where that is possible |
//! | every other 501 | settled: not offered, which a person has to look after |
//! | every other refusal | rejected |

use crate::api::Declined;
use crate::api::outcome::{AdviceOutcome, QueryOutcome};
use crate::model::{ErrorType, LookupOrderResponse, Operation, OrderStatus};

use super::{Advice, Settlement, State, Transaction};

/// What is to happen to an advice after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Settle(Settlement),
    /// Settle it by what a lookup of the order says.
    LookUp,
    Repeat,
}

/// What the worker knows beyond the record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    /// Whether this advice may have reached the upstream before this attempt.
    pub(crate) possibly_sent_before: bool,
    /// Whether the request would have arrived by now, had it been on its way.
    pub(crate) request_has_landed: bool,
}

/// Judges the answer to one sending of the advice of `transaction`.
pub(crate) fn judge(
    transaction: &Transaction,
    advice: &Advice,
    outcome: &AdviceOutcome,
    circumstances: Circumstances,
) -> Verdict {
    match outcome {
        AdviceOutcome::Accepted { .. } => Verdict::Settle(Settlement::Accepted),
        AdviceOutcome::NotSent(_) | AdviceOutcome::Unknown(_) => Verdict::Repeat,
        AdviceOutcome::Refused(refusal) => {
            judge_refusal(transaction, advice, refusal, circumstances)
        }
    }
}

fn judge_refusal(
    transaction: &Transaction,
    advice: &Advice,
    refusal: &Declined,
    circumstances: Circumstances,
) -> Verdict {
    match refusal.error_type() {
        // About the sender, not about the advice.
        Some(ErrorType::AuthenticationError) => Verdict::Repeat,
        Some(ErrorType::UnableToLocateRecord) if never_approved(transaction) => {
            if circumstances.request_has_landed {
                Verdict::Settle(Settlement::NothingToReverse)
            } else {
                Verdict::Repeat
            }
        }
        Some(ErrorType::DuplicateRecord)
            if circumstances.possibly_sent_before && names_itself(advice, refusal) =>
        {
            if can_be_looked_up(transaction) {
                Verdict::LookUp
            } else {
                Verdict::Settle(Settlement::ArrivedEarlier)
            }
        }
        _ if refusal.is_not_supported() => Verdict::Settle(Settlement::NotOffered),
        _ => Verdict::Settle(Settlement::Rejected),
    }
}

/// Whether this is the reversal of a request that never got a successful answer.
fn never_approved(transaction: &Transaction) -> bool {
    matches!(transaction.state, State::Reversing(_)) && transaction.approval.is_none()
}

fn names_itself(advice: &Advice, refusal: &Declined) -> bool {
    let own = advice.id.to_string();
    let named = refusal.detail.as_ref().map(|detail| detail.id.as_str());
    named.is_some_and(|named| named.eq_ignore_ascii_case(&own))
}

fn can_be_looked_up(transaction: &Transaction) -> bool {
    transaction.receiver_id.is_some()
        && transaction.approval.is_some()
        && transaction.receipt.order_redeem_ref.is_some()
}

/// Judges what the lookup of an order says about an advice that may have arrived earlier.
///
/// The upstream gives the same error to an advice that contradicts an earlier one. Only the
/// order's own state tells the two apart. Where it tells neither, the advice is repeated: what the
/// upstream accepted it may still have to process.
pub(crate) fn judge_lookup(
    transaction: &Transaction,
    outcome: &QueryOutcome<LookupOrderResponse>,
) -> Verdict {
    let order = match outcome {
        QueryOutcome::NotSent(_) | QueryOutcome::Unknown(_) => return Verdict::Repeat,
        QueryOutcome::Failed(refusal) => return judge_failed_lookup(refusal),
        QueryOutcome::NotSupported { status: 501 } => {
            return Verdict::Settle(Settlement::ArrivedEarlier);
        }
        // As likely a gateway's word as that of a server that knows no lookup.
        QueryOutcome::NotSupported { .. } => return Verdict::Repeat,
        QueryOutcome::Answered(order) => order,
    };
    match (&transaction.state, transaction.operation) {
        (State::Confirming(_), _) => judge_confirmation(order.status.as_ref()),
        (_, Operation::CreateOrder) => judge_reversed_creation(order.status.as_ref()),
        // A reversed redemption or cancellation leaves an order that may live on.
        _ => Verdict::Settle(Settlement::ArrivedEarlier),
    }
}

fn judge_confirmation(status: Option<&OrderStatus>) -> Verdict {
    match status {
        Some(OrderStatus::Cancelled) => Verdict::Settle(Settlement::Rejected),
        Some(OrderStatus::Unconfirmed) => Verdict::Repeat,
        _ => Verdict::Settle(Settlement::ArrivedEarlier),
    }
}

fn judge_reversed_creation(status: Option<&OrderStatus>) -> Verdict {
    match status {
        Some(OrderStatus::Cancelled) => Verdict::Settle(Settlement::ArrivedEarlier),
        Some(OrderStatus::Redeemed) => Verdict::Settle(Settlement::Rejected),
        _ => Verdict::Repeat,
    }
}

/// An upstream that knows no such order did not take the advice either. Whatever else kept it from
/// looking says nothing about the order.
fn judge_failed_lookup(refusal: &Declined) -> Verdict {
    match refusal.error_type() {
        Some(ErrorType::UnableToLocateRecord) => Verdict::Settle(Settlement::Rejected),
        _ => Verdict::Repeat,
    }
}

#[cfg(test)]
mod tests;
