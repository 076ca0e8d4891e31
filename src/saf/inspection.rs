//! What is in the queue, for people and programs to look at.

use std::fmt;
use std::time::Duration;

use super::control::Control;
use super::schedule::Position;
use super::{
    Advice, Attempt, Intervention, Receipt, Schedule, Settlement, State, TillReference, Transaction,
};
use crate::model::{AdviceId, Money, Operation, RequestId, ReversalReason, Timestamp};

/// A confirmation or a reversal in the queue.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AdviceRecord {
    /// Its own id, the same on every repeat.
    pub advice_id: AdviceId,
    /// The request that it confirms or reverses.
    pub request_id: RequestId,
    /// What it is, for example [`Operation::ConfirmPayment`].
    pub operation: Operation,
    /// Why the request is reversed; `None` for a confirmation.
    pub reason: Option<ReversalReason>,
    /// What finally stands: what the till confirmed, else what the upstream approved, else what was
    /// asked for, in minor units.
    pub amount: Option<Money>,
    /// When the decision was taken.
    pub created_at: Timestamp,
    /// How often it was sent so far.
    pub attempts: u32,
    /// The newest attempts, oldest first; at most 16 are remembered.
    pub last_attempts: Vec<Attempt>,
    /// Where it stands.
    pub state: AdviceState,
    /// The refused advice in whose place it was [issued](crate::Client::reissue).
    pub replaces: Option<AdviceId>,
    /// What persons decided about what the upstream refused, oldest first; at most 8 are remembered.
    pub interventions: Vec<Intervention>,
}

/// Where an advice in the queue stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdviceState {
    /// The upstream has not yet taken it; it is being sent right now.
    InFlight,
    /// The upstream has not yet taken it; it is due in so long. It is sent then, unless the upstream is down or
    /// the disk fails: [`health`](crate::Client::health) says so. With more than a thousand pending, one that
    /// has not been looked at yet counts as due.
    Waiting(Duration),
    /// The upstream has not yet taken it, and nothing is sent: the delivery is
    /// [paused](crate::Client::pause) or suspended until it is [resumed](crate::Client::resume), or the queue is
    /// quarantined until it is [adopted](crate::Client::adopt).
    Held,
    /// The upstream refused it. It is not sent again by itself, and stays until an operator
    /// [requeues](crate::Client::requeue), [reissues](crate::Client::reissue) or
    /// [abandons](crate::Client::abandon) it.
    Rejected,
    /// The upstream does not offer this advice at all (501). It stays like a rejected one: whether the
    /// request stands is for the provider to say.
    NotOffered,
    /// The upstream took it.
    Accepted,
    /// Inferred: the request never arrived, so that there was nothing to reverse.
    NothingToReverse,
    /// Inferred: an earlier attempt had arrived, and its answer was lost.
    ArrivedEarlier,
    /// The upstream refused it, and an operator settled the matter in another way.
    Abandoned,
}

/// How much it matters that an advice is where it is; the worst is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// It is being sent, or the upstream has it.
    Normal,
    /// A refused reversal: what was to be undone may stand upstream.
    Attention,
    /// A refused confirmation of an order: the customer paid for what may not stand.
    CustomerPaid,
    /// A refused confirmation of a redemption: money was paid out that the upstream does not count as
    /// paid. A financial exception, which only a person can settle, and never a reversal.
    FinancialException,
}

/// A financial request, and what became of it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TransactionRecord {
    /// The request, to be confirmed or reversed by this id.
    pub request_id: RequestId,
    /// What was asked for, for example [`Operation::CreateOrder`].
    pub operation: Operation,
    /// The time of the request.
    pub requested_at: Timestamp,
    /// What the upstream approved, else what was asked for, in minor units.
    pub amount: Option<Money>,
    /// What the till calls it.
    pub till_reference: TillReference,
    /// Where it stands.
    pub standing: Standing,
    /// What to print for the customer, for as long as the transaction is unsettled.
    pub receipt: Receipt,
    /// The end of the redeem reference, which stays when the receipt is erased.
    pub masked_redeem_ref: Option<String>,
    /// Whether the till had begun to take tender, or to pay out.
    pub tender_started: bool,
    /// Whether damage to the queue may have taken a later state. Ask the upstream before deciding.
    pub in_doubt: bool,
    /// Its confirmation or reversal, once there is a decision.
    pub advice: Option<AdviceRecord>,
    /// What persons decided about what the upstream refused, oldest first; at most 8 are remembered.
    pub interventions: Vec<Intervention>,
}

/// Where a financial request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// Its answer is awaited.
    UnderWay,
    /// It never left.
    NotSent,
    /// The upstream said no.
    Declined,
    /// The upstream said no, as it knows the id from an earlier request, which may have been a copy of
    /// this one that was sent on the way: look the order up.
    Duplicate,
    /// The upstream said yes, and waits for a decision.
    Undecided,
    /// A cancellation, and the sender was refunded.
    Completed,
    /// The decision is to confirm.
    Confirmed,
    /// The decision is to reverse.
    Reversed,
}

/// What has to be asked to know where a pending advice stands.
#[derive(Clone, Copy)]
pub(crate) struct Whereabouts<'a> {
    pub(crate) schedule: &'a Schedule,
    pub(crate) control: &'a Control,
}

impl Whereabouts<'_> {
    fn position(self, request_id: RequestId) -> Option<Position> {
        match self.schedule.position(request_id) {
            Some(Position::InFlight) => Some(Position::InFlight),
            _ if self.control.is_held() => Some(Position::Held),
            position => position,
        }
    }
}

impl TransactionRecord {
    pub(crate) fn new(transaction: Transaction, whereabouts: Whereabouts<'_>) -> Self {
        let advice = transaction.advice();
        TransactionRecord {
            standing: Standing::of(&transaction),
            amount: amount(&transaction),
            advice: advice.map(|advice| AdviceRecord::any(&transaction, advice, whereabouts)),
            request_id: transaction.request_id,
            operation: transaction.operation,
            requested_at: transaction.requested_at,
            till_reference: transaction.till_reference,
            receipt: transaction.receipt,
            masked_redeem_ref: transaction.masked_redeem_ref,
            tender_started: transaction.tender_started,
            in_doubt: transaction.in_doubt,
            interventions: transaction.interventions,
        }
    }
}

impl Standing {
    fn of(transaction: &Transaction) -> Standing {
        match transaction.state {
            State::Sent => Standing::UnderWay,
            State::NotSent => Standing::NotSent,
            State::Declined => Standing::Declined,
            State::Duplicate => Standing::Duplicate,
            State::Approved => Standing::Undecided,
            State::Completed => Standing::Completed,
            State::Confirming(_) => Standing::Confirmed,
            State::Reversing(_) => Standing::Reversed,
        }
    }
}

/// What the upstream approved, else what was asked for.
fn amount(transaction: &Transaction) -> Option<Money> {
    let approved = transaction.approval.as_ref();
    let approved = approved.map(|approval| &approval.amount);
    approved.or(transaction.amount.as_ref()).cloned()
}

impl AdviceRecord {
    /// The advice of `transaction`, if it is still to be sent.
    pub(crate) fn pending(transaction: &Transaction, whereabouts: Whereabouts<'_>) -> Option<Self> {
        let advice = transaction.pending_advice()?;
        Some(Self::any(transaction, advice, whereabouts))
    }

    /// The advice of `transaction`, if there is a decision.
    pub(crate) fn of(transaction: &Transaction, whereabouts: Whereabouts<'_>) -> Option<Self> {
        let advice = transaction.advice()?;
        Some(Self::any(transaction, advice, whereabouts))
    }

    /// The advice of `transaction`, if its end was inferred.
    pub(crate) fn inferred(
        transaction: &Transaction,
        whereabouts: Whereabouts<'_>,
    ) -> Option<Self> {
        let advice = transaction.advice()?;
        let is_inferred = advice.settlement.is_some_and(Settlement::is_inferred);
        is_inferred.then(|| Self::any(transaction, advice, whereabouts))
    }

    fn any(transaction: &Transaction, advice: &Advice, whereabouts: Whereabouts<'_>) -> Self {
        let state = match advice.settlement {
            Some(Settlement::Accepted) => AdviceState::Accepted,
            Some(Settlement::NothingToReverse) => AdviceState::NothingToReverse,
            Some(Settlement::ArrivedEarlier) => AdviceState::ArrivedEarlier,
            Some(Settlement::Rejected) => AdviceState::Rejected,
            Some(Settlement::NotOffered) => AdviceState::NotOffered,
            Some(Settlement::Abandoned) => AdviceState::Abandoned,
            None => match whereabouts.position(transaction.request_id) {
                Some(Position::InFlight) => AdviceState::InFlight,
                Some(Position::Held) => AdviceState::Held,
                Some(Position::Waiting(pause)) => AdviceState::Waiting(pause),
                None => AdviceState::Waiting(Duration::ZERO),
            },
        };
        Self::new(transaction, advice, state)
    }

    /// The advice of `transaction`, if the upstream refused it.
    pub(crate) fn rejected(
        transaction: &Transaction,
        whereabouts: Whereabouts<'_>,
    ) -> Option<Self> {
        let advice = transaction.advice()?;
        let is_refused = advice.settlement.is_some_and(Settlement::is_refusal);
        is_refused.then(|| Self::any(transaction, advice, whereabouts))
    }

    /// Whether it is still to be sent.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        matches!(
            self.state,
            AdviceState::InFlight | AdviceState::Waiting(_) | AdviceState::Held
        )
    }

    /// How much it matters that it is where it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self.state {
            AdviceState::Rejected | AdviceState::NotOffered => Severity::of_refused(self.operation),
            _ => Severity::Normal,
        }
    }

    fn new(transaction: &Transaction, advice: &Advice, state: AdviceState) -> Self {
        AdviceRecord {
            advice_id: advice.id,
            request_id: transaction.request_id,
            operation: advice.operation,
            reason: advice.reason.clone(),
            amount: advice.amount.clone().or_else(|| amount(transaction)),
            created_at: advice.created_at,
            attempts: advice.attempts,
            last_attempts: advice.log.clone(),
            state,
            replaces: advice.replaces,
            interventions: transaction.interventions.clone(),
        }
    }
}

impl Severity {
    /// How much it matters that the upstream does not take an advice of this kind.
    pub(crate) fn of_refused(operation: Operation) -> Severity {
        match operation {
            Operation::ConfirmRedeem => Severity::FinancialException,
            Operation::ConfirmPayment => Severity::CustomerPaid,
            _ => Severity::Attention,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Normal => "normal",
            Severity::Attention => "needs attention",
            Severity::CustomerPaid => "the customer paid",
            Severity::FinancialException => "financial exception",
        })
    }
}

impl fmt::Display for AdviceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AdviceState::InFlight => f.write_str("being sent"),
            AdviceState::Held => f.write_str("held: delivery is paused, suspended, or quarantined"),
            AdviceState::Waiting(pause) if pause.is_zero() => f.write_str("next try now"),
            AdviceState::Waiting(pause) => write!(f, "next try in {:.1} s", pause.as_secs_f64()),
            AdviceState::Rejected => f.write_str("rejected"),
            AdviceState::NotOffered => f.write_str("not offered by the upstream"),
            AdviceState::Accepted => f.write_str("accepted"),
            AdviceState::NothingToReverse => f.write_str("nothing to reverse"),
            AdviceState::ArrivedEarlier => f.write_str("arrived earlier"),
            AdviceState::Abandoned => f.write_str("abandoned by an operator"),
        }
    }
}
