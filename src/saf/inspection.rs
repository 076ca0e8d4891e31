//! What is in the queue, for people and programs to look at.

use std::fmt;
use std::time::Duration;

use super::schedule::Position;
use super::{Advice, Attempt, Schedule, Settlement, Transaction};
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
    /// What the upstream approved, else what was asked for.
    pub amount: Option<Money>,
    /// When the decision was taken.
    pub created_at: Timestamp,
    /// How often it was sent so far.
    pub attempts: u32,
    /// The newest attempts, oldest first; at most 16 are remembered.
    pub last_attempts: Vec<Attempt>,
    /// Where it stands.
    pub state: AdviceState,
}

/// Where an advice in the queue stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdviceState {
    /// The upstream has not yet taken it; it is being sent right now.
    InFlight,
    /// The upstream has not yet taken it; it will be sent next in so long.
    Waiting(Duration),
    /// The upstream refused it. It is not sent again by itself, and stays for an operator to see.
    Rejected,
}

impl AdviceRecord {
    /// The advice of `transaction`, if it is still to be sent.
    pub(crate) fn pending(transaction: &Transaction, schedule: &Schedule) -> Option<Self> {
        let advice = transaction.pending_advice()?;
        let state = match schedule.position(transaction.request_id) {
            Some(Position::InFlight) => AdviceState::InFlight,
            Some(Position::Waiting(pause)) => AdviceState::Waiting(pause),
            None => AdviceState::Waiting(Duration::ZERO),
        };
        Some(Self::new(transaction, advice, state))
    }

    /// The advice of `transaction`, if the upstream refused it.
    pub(crate) fn rejected(transaction: &Transaction) -> Option<Self> {
        let advice = transaction.advice()?;
        let rejected = advice.settlement == Some(Settlement::Rejected);
        rejected.then(|| Self::new(transaction, advice, AdviceState::Rejected))
    }

    fn new(transaction: &Transaction, advice: &Advice, state: AdviceState) -> Self {
        let approved = transaction
            .approval
            .as_ref()
            .map(|approval| &approval.amount);
        AdviceRecord {
            advice_id: advice.id,
            request_id: transaction.request_id,
            operation: advice.operation,
            reason: advice.reason.clone(),
            amount: approved.or(transaction.amount.as_ref()).cloned(),
            created_at: advice.created_at,
            attempts: advice.attempts,
            last_attempts: advice.log.clone(),
            state,
        }
    }
}

impl fmt::Display for AdviceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AdviceState::InFlight => f.write_str("being sent"),
            AdviceState::Waiting(pause) if pause.is_zero() => f.write_str("next try now"),
            AdviceState::Waiting(pause) => write!(f, "next try in {:.1} s", pause.as_secs_f64()),
            AdviceState::Rejected => f.write_str("rejected"),
        }
    }
}
