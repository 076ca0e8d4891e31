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

use crate::api::outcome::{AdviceOutcome, QueryOutcome};
use crate::api::{AdviceMeaning, AnswerPolicy, AnsweredAdvice, Declined};
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
    policy: &dyn AnswerPolicy,
) -> Verdict {
    let (status, refusal) = match outcome {
        AdviceOutcome::Accepted { status } => (Some(*status), None),
        AdviceOutcome::Refused(refusal) => (Some(refusal.status), Some(refusal)),
        AdviceOutcome::Unknown(unanswered) => (unanswered.status(), None),
        AdviceOutcome::NotSent(_) => (None, None),
    };
    // Without any answer there is nothing to read.
    let Some(status) = status else {
        return Verdict::Repeat;
    };
    let is_acknowledged = matches!(outcome, AdviceOutcome::Accepted { .. });
    let answered = AnsweredAdvice {
        operation: advice.operation,
        advice_id: advice.id,
        status,
        detail: refusal.and_then(|refusal| refusal.detail.as_ref()),
        is_acknowledged,
        is_service_word: is_acknowledged || refusal.is_some(),
        possibly_sent_before: circumstances.possibly_sent_before,
        reverses_unapproved: never_approved(transaction),
        request_has_landed: circumstances.request_has_landed,
        can_be_looked_up: can_be_looked_up(transaction),
    };
    Verdict::of(policy.advice(&answered))
}

impl Verdict {
    fn of(meaning: AdviceMeaning) -> Verdict {
        match meaning {
            AdviceMeaning::Accepted => Verdict::Settle(Settlement::Accepted),
            AdviceMeaning::NothingToReverse => Verdict::Settle(Settlement::NothingToReverse),
            AdviceMeaning::LookUp => Verdict::LookUp,
            AdviceMeaning::ArrivedEarlier => Verdict::Settle(Settlement::ArrivedEarlier),
            AdviceMeaning::NotOffered => Verdict::Settle(Settlement::NotOffered),
            AdviceMeaning::Rejected => Verdict::Settle(Settlement::Rejected),
            AdviceMeaning::Repeat => Verdict::Repeat,
        }
    }
}

/// Whether this is the reversal of a request that never got a successful answer.
fn never_approved(transaction: &Transaction) -> bool {
    matches!(transaction.state, State::Reversing(_)) && transaction.approval.is_none()
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
        (State::Confirming(_), operation) => judge_confirmation(operation, order.status.as_ref()),
        (_, Operation::CreateOrder) => judge_reversed_creation(order.status.as_ref()),
        // A reversed redemption or cancellation leaves an order that may live on.
        _ => Verdict::Settle(Settlement::ArrivedEarlier),
    }
}

fn judge_confirmation(operation: Operation, status: Option<&OrderStatus>) -> Verdict {
    match status {
        // Nobody has taken the payout of an order that is still to be collected, or it was reversed there.
        Some(OrderStatus::Unredeemed) if operation == Operation::RedeemOrder => Verdict::Repeat,
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
