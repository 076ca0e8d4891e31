//! What an answer means for the advice that it answers.
//!
//! | answer | the advice is |
//! |---|---|
//! | taken by the service | settled: accepted |
//! | not sent, unknown, `AUTHENTICATION_ERROR` | repeated |
//! | `UNABLE_TO_LOCATE_RECORD` to the reversal of a request that never got an approval | settled: nothing to reverse, once the request cannot be on its way any more; repeated until then |
//! | `DUPLICATE_RECORD` with the advice's own id, which may have been sent before | settled: arrived earlier, after a look at the order where that is possible; rejected once that has spoken against it 16 times in a row and for half an hour |
//! | every other 501 | settled: not offered, which a person has to look after |
//! | every other refusal | rejected |

use crate::api::outcome::{AdviceOutcome, QueryOutcome};
use crate::api::{AdviceMeaning, AnswerPolicy, AnsweredAdvice};
use crate::model::{ErrorType, LookupOrderResponse, Operation, OrderStatus, Timestamp};

use super::advice::{Finding, Stalemate};
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

/// Whether this is the reversal of a request that never got a successful answer. Damage may have taken that
/// answer.
fn never_approved(transaction: &Transaction) -> bool {
    let is_reversal = matches!(transaction.state, State::Reversing(_));
    is_reversal && transaction.approval.is_none() && !transaction.in_doubt
}

fn can_be_looked_up(transaction: &Transaction) -> bool {
    transaction.receiver_id.is_some()
        && transaction.approval.is_some()
        && transaction.receipt.order_redeem_ref.is_some()
}

/// How often in a row, and for how long, looks at the order may settle nothing until they are believed.
const STALEMATE_TIMES: u32 = 16;
const STALEMATE_MILLIS: i64 = 30 * 60 * 1000;

/// What came of a look at the order.
#[derive(Clone, Debug)]
pub(crate) struct LookedUp {
    pub(crate) verdict: Verdict,
    /// What it found, where that settled nothing by itself.
    pub(crate) finding: Option<Finding>,
}

impl LookedUp {
    fn at_once(verdict: Verdict) -> LookedUp {
        LookedUp {
            verdict,
            finding: None,
        }
    }
}

/// Judges what the lookup of an order says about an advice that may have arrived earlier.
///
/// The upstream gives the same error to an advice that contradicts an earlier one. Only the
/// order's own state tells the two apart. Where it tells neither, the advice is repeated for a while: what
/// the upstream accepted it may still have to process.
pub(crate) fn judge_lookup(
    transaction: &Transaction,
    outcome: &QueryOutcome<LookupOrderResponse>,
    now: Timestamp,
) -> LookedUp {
    let repeat = LookedUp::at_once(Verdict::Repeat);
    let finding = match outcome {
        QueryOutcome::NotSent(_) | QueryOutcome::Unknown(_) => return repeat,
        // As likely a gateway's word as that of a server that knows no lookup.
        QueryOutcome::NotSupported { status } if *status != 501 => return repeat,
        QueryOutcome::NotSupported { .. } => Err(Settlement::ArrivedEarlier),
        QueryOutcome::Failed(refusal) => match refusal.error_type() {
            // What turned the sender away says nothing about the order.
            Some(ErrorType::AuthenticationError) | None => return repeat,
            Some(error_type) => of_failed_lookup(error_type),
        },
        QueryOutcome::Answered(order) => of_order(transaction, order.status.as_ref()),
    };
    match finding {
        Ok(finding) => LookedUp {
            verdict: not_yet(transaction, finding, now),
            finding: Some(finding),
        },
        Err(settlement) => LookedUp::at_once(Verdict::Settle(settlement)),
    }
}

/// What `status` of the order says about the advice, or how it settles it.
fn of_order(
    transaction: &Transaction,
    status: Option<&OrderStatus>,
) -> Result<Finding, Settlement> {
    match (&transaction.state, transaction.operation) {
        (State::Confirming(_), operation) => of_confirmed(operation, status),
        (_, Operation::CreateOrder) => of_reversed_creation(status),
        // A reversed redemption or cancellation leaves an order that may live on.
        _ => Err(Settlement::ArrivedEarlier),
    }
}

fn of_confirmed(operation: Operation, status: Option<&OrderStatus>) -> Result<Finding, Settlement> {
    let is_payout = operation == Operation::RedeemOrder;
    match status {
        // Nobody has taken the payout of an order that is still to be collected, or it was reversed there.
        Some(OrderStatus::Unredeemed) if is_payout => Ok(Finding::SpeaksAgainstIt),
        Some(OrderStatus::Cancelled) => Err(Settlement::Rejected),
        Some(OrderStatus::Unconfirmed) => Ok(Finding::SpeaksAgainstIt),
        _ => Err(Settlement::ArrivedEarlier),
    }
}

fn of_reversed_creation(status: Option<&OrderStatus>) -> Result<Finding, Settlement> {
    match status {
        Some(OrderStatus::Cancelled) => Err(Settlement::ArrivedEarlier),
        Some(OrderStatus::Redeemed) => Err(Settlement::Rejected),
        Some(_) => Ok(Finding::SpeaksAgainstIt),
        None => Ok(Finding::SaysNothing),
    }
}

/// An upstream that knows no such order did not take the advice either.
fn of_failed_lookup(error_type: &ErrorType) -> Result<Finding, Settlement> {
    match error_type {
        ErrorType::UnableToLocateRecord => Err(Settlement::Rejected),
        _ => Ok(Finding::SaysNothing),
    }
}

/// What the upstream has still to process changes before long. An order that speaks against the advice
/// time after time is for a person to see; one about which nothing is ever said is like one that cannot be
/// looked up.
fn not_yet(transaction: &Transaction, finding: Finding, now: Timestamp) -> Verdict {
    let before = transaction.advice().and_then(|advice| advice.stalemate);
    let stalemate = Stalemate::after(before, finding, now);
    match stalemate.has_lasted(STALEMATE_TIMES, STALEMATE_MILLIS, now) {
        false => Verdict::Repeat,
        true => Verdict::Settle(match finding {
            Finding::SpeaksAgainstIt => Settlement::Rejected,
            Finding::SaysNothing => Settlement::ArrivedEarlier,
        }),
    }
}

/// What a lookup came to, in words that quote nobody.
pub(crate) fn what_it_said(outcome: &QueryOutcome<LookupOrderResponse>) -> String {
    match outcome {
        QueryOutcome::Answered(order) => match &order.status {
            Some(OrderStatus::Other(_)) => "the order has a status that is unknown here".to_owned(),
            Some(status) => format!("the order is {status}"),
            None => "the order has no status".to_owned(),
        },
        QueryOutcome::NotSupported { status } => format!("the order cannot be looked up: {status}"),
        QueryOutcome::Failed(refusal) => format!("the order's lookup was refused: {refusal}"),
        QueryOutcome::NotSent(not_sent) => format!("the order's lookup was not sent: {not_sent}"),
        QueryOutcome::Unknown(unanswered) => format!("the order's lookup failed: {unanswered}"),
    }
}

#[cfg(test)]
mod tests;
