//! The life of a transaction: one function says what may follow what, live and after a crash.
//!
//! ```text
//!  Sent ──approved──▶ Approved ──confirm──▶ Confirming ─┐
//!   │ │                  └──────reverse───▶ Reversing ──┤  the advice: pending ─▶ settled
//!   │ ├─declined─▶ Declined                    ▲        │
//!   │ ├─not sent─▶ NotSent                     │        │
//!   │ ├─duplicate▶ Duplicate ────reverse──────▶┤        │
//!   └────────────unknown───────────────────────┘        ┘
//!
//!  A cancellation has no confirmation: Approved ──complete──▶ Completed.
//!  What the upstream refused waits for a person: requeue, reissue ──▶ pending again; abandon ──▶ settled.
//! ```
//!
//! 1. The function is total: every pair of state and event is a next state, "nothing changes", or
//!    a [`Conflict`].
//! 2. A transaction is confirmed or reversed, never both. The same decision twice is one advice.
//! 3. A settled advice stays as it ended.
//! 4. What the customer's money can be collected with is forgotten once it is final.
//! 5. What the upstream refused stays until a person decides on it, which is recorded.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Advice, Attempt, Draft, Intervention, Receipt, Remedy, Settlement, Signature, TillReference,
};
use crate::model::{
    Currency, Money, Operation, RequestId, ReversalReason, ThirdPartyIdentifiers, Timestamp,
};
use crate::store::Kept;

/// A financial request and everything that became of it: the record that is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Transaction {
    pub(crate) request_id: RequestId,
    pub(crate) operation: Operation,
    /// Its place in the order in which transactions began.
    pub(crate) sequence: u64,
    /// How often it changed; a later version replaces an earlier one.
    pub(crate) version: u64,
    pub(crate) requested_at: Timestamp,
    /// How long its answer was awaited.
    pub(crate) timeout: Duration,
    pub(crate) amount: Option<Money>,
    /// The institution that a lookup has to name.
    pub(crate) receiver_id: Option<String>,
    /// Those of the response, unaltered; those of the request as long as there is none.
    pub(crate) identifiers: ThirdPartyIdentifiers,
    /// What the upstream approved, if it did.
    pub(crate) approval: Option<Approval>,
    /// Kept only until the transaction is settled, and not in the journal: a till may have to print
    /// it, a lookup may need it.
    #[serde(skip)]
    pub(crate) receipt: Receipt,
    /// Where it lies.
    #[serde(default)]
    pub(crate) receipt_at: Option<Kept>,
    /// What is left of the redeem reference.
    #[serde(default)]
    pub(crate) masked_redeem_ref: Option<String>,
    /// What the till calls it.
    #[serde(default)]
    pub(crate) till_reference: TillReference,
    /// Whether the till began to take tender, or to pay out.
    #[serde(default)]
    pub(crate) tender_started: bool,
    /// Whether a later state may be lost: nothing is decided on it without being asked.
    #[serde(default)]
    pub(crate) in_doubt: bool,
    /// Since when it has been in its state, in milliseconds of the queue's running time: a wall clock
    /// that jumps makes nothing older.
    #[serde(default)]
    pub(crate) stands_since: Option<u64>,
    /// The place of its advice in the order of decisions; `None` until the ledger has given it one.
    #[serde(default)]
    pub(crate) advice_number: Option<u64>,
    /// What persons decided about what the upstream refused, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) interventions: Vec<Intervention>,
    pub(crate) state: State,
}

/// What the upstream approved.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Approval {
    pub(crate) amount: Money,
}

/// Where a transaction stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Journaled, and possibly on its way.
    Sent,
    /// It never left. Final.
    NotSent,
    /// The upstream said no. Final.
    Declined,
    /// The upstream knows the id from an earlier request, which may have been a copy of this one: it
    /// waits for a person.
    Duplicate,
    /// The upstream said yes, and waits for a decision.
    Approved,
    /// A cancellation, and the till has refunded the sender. Final.
    Completed,
    /// The decision is to confirm.
    Confirming(Advice),
    /// The decision is to reverse.
    Reversing(Advice),
}

/// What happens to a transaction.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// The upstream said yes.
    Approved {
        approval: Approval,
        receipt: Receipt,
        /// Those of the response, where it carried some.
        identifiers: Option<ThirdPartyIdentifiers>,
    },
    /// The upstream said no.
    Declined,
    /// The upstream said that it knows the id already.
    Duplicate,
    /// The request never left.
    NotSent,
    /// The outcome of the request is unknown: reverse it.
    Unknown(Draft, ReversalReason),
    /// The till decided to confirm, for less than was approved where an amount is given.
    Confirm(Draft, Option<Money>),
    /// The till takes tender, or pays out, from now on.
    TenderStarted,
    /// Somebody asks how it stands, what is being written just now included. Changes nothing.
    Asked,
    /// Damage may have taken a later state.
    Doubted,
    /// The till is done with a request that has no confirmation.
    Complete,
    /// The till decided to reverse.
    Reverse(Draft, ReversalReason),
    /// Nobody decided for too long: reverse it, if nobody can have taken or paid out money for it.
    Expired(Draft),
    /// The advice was sent, without a final answer.
    Attempted(Attempt),
    /// The advice was sent, and that settled it.
    Settled(Attempt, Settlement),
    /// A person does something about what the upstream refused.
    Remedied(Remedy, Signature),
}

/// Why an event cannot follow: nothing was changed, and nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Conflict {
    /// The answer to the request is still awaited.
    #[error("the answer to the request is still awaited")]
    StillUnderWay,
    /// The upstream declined the request: there is nothing to confirm or to reverse.
    #[error("the request was declined: there is nothing to confirm or to reverse")]
    Declined,
    /// The request never left: there is nothing to confirm or to reverse.
    #[error("the request was never sent: there is nothing to confirm or to reverse")]
    NotSent,
    /// The upstream approved the request and waits for a decision.
    #[error("the request is approved, and waits for a decision")]
    Undecided,
    /// The decision to confirm stands.
    #[error("the decision to confirm stands: it cannot be reversed any more")]
    Confirmed,
    /// The cancellation is completed.
    #[error("the cancellation is completed: it cannot be reversed any more")]
    Completed,
    /// The decision to reverse stands.
    #[error("the decision to reverse stands: it cannot be confirmed any more")]
    Reversed,
    /// The decision to confirm stands, for another amount.
    #[error("the decision to confirm stands, for another amount")]
    ConfirmedAmount,
    /// The amount is more than was approved, negative, or of another currency.
    #[error("the amount is not within what was approved")]
    NotApproved,
    /// The advice is settled, and stays as it ended.
    #[error("the advice is settled, and stays as it ended")]
    Settled,
    /// The interface has no such advice for this operation.
    #[error("the interface has no such advice for this operation")]
    NoSuchAdvice,
    /// The advice cannot be written as JSON.
    #[error("the advice cannot be written")]
    Unwritable,
    /// The advice is still to be sent: the upstream has not refused it.
    #[error("the advice is still to be sent: the upstream has not refused it")]
    StillPending,
    /// The upstream refused nothing of this request that could be sent again or given up.
    #[error("the upstream refused nothing of this request that could be sent again or given up")]
    NotRefused,
    /// The advice has no such part: a confirmation has no reason, and a reversal no amount.
    #[error("a confirmation has no reason, and a reversal no amount")]
    NoSuchPart,
}

impl Transaction {
    /// Its advice, once there is a decision.
    pub(crate) fn advice(&self) -> Option<&Advice> {
        match &self.state {
            State::Confirming(advice) | State::Reversing(advice) => Some(advice),
            State::Sent
            | State::NotSent
            | State::Declined
            | State::Duplicate
            | State::Approved
            | State::Completed => None,
        }
    }

    /// Its advice, if that is still to be sent.
    pub(crate) fn pending_advice(&self) -> Option<&Advice> {
        self.advice().filter(|advice| advice.is_pending())
    }

    /// Whether nothing is left to do or to look after. A rejected advice is: it needs a person.
    pub(crate) fn is_final(&self) -> bool {
        match &self.state {
            State::NotSent | State::Declined | State::Completed => true,
            State::Sent | State::Duplicate | State::Approved => false,
            State::Confirming(advice) | State::Reversing(advice) => {
                advice.settlement.is_some_and(|end| !end.is_refusal())
            }
        }
    }

    /// Whether somebody has to decide on it.
    pub(crate) fn awaits_decision(&self) -> bool {
        match self.state {
            State::Approved => true,
            State::Sent => self.in_doubt,
            _ => false,
        }
    }

    /// Whether it may be reversed for its age. What was paid out, or refunded, is never reversed unasked,
    /// and the till's mark says that tender is being taken.
    pub(crate) fn may_expire(&self) -> bool {
        matches!(self.state, State::Approved)
            && self.operation == Operation::CreateOrder
            && !self.tender_started
            && !self.in_doubt
    }

    /// What the transaction becomes by `event`; `None` where nothing changes.
    pub(crate) fn after(&self, event: Event) -> Result<Option<Transaction>, Conflict> {
        let Some(mut next) = self.next(event)? else {
            return Ok(None);
        };
        next.version += 1;
        if next.is_final() {
            next.forget_receipt();
        }
        Ok(Some(next))
    }

    fn next(&self, event: Event) -> Result<Option<Transaction>, Conflict> {
        use {Event as E, State as S};
        match (&self.state, event) {
            (
                S::Sent,
                E::Approved {
                    approval,
                    receipt,
                    identifiers,
                },
            ) => Ok(Some(self.approved(approval, receipt, identifiers))),
            (S::Sent, E::Declined) => Ok(Some(self.with(S::Declined))),
            (S::Sent, E::Duplicate) => Ok(Some(self.with(S::Duplicate))),
            (S::Sent, E::NotSent) => Ok(Some(self.with(S::NotSent))),
            (S::Sent, E::Unknown(draft, reason)) => self.reversing(draft, reason).map(Some),
            (S::Approved, E::Confirm(draft, amount)) => self.confirming(draft, amount).map(Some),
            (S::Approved, E::Reverse(draft, reason)) => self.reversing(draft, reason).map(Some),
            (S::Approved, E::Complete) if self.operation.confirmed_by().is_none() => {
                Ok(Some(self.with(S::Completed)))
            }
            (S::Approved, E::Complete) => Err(Conflict::NoSuchAdvice),
            (S::Approved, E::Expired(draft)) if self.may_expire() => {
                self.reversing(draft, ReversalReason::Cancelled).map(Some)
            }
            (_, E::Asked | E::Expired(_)) => Ok(None),
            (_, E::Remedied(remedy, signature)) => self.remedied(&remedy, signature),
            (S::Approved, E::TenderStarted) => Ok(self.marked(true, self.in_doubt)),
            // Its answer may have been durable, and lost, with a decision on it, too: it waits for a person.
            (S::Sent, E::Reverse(draft, reason)) if self.in_doubt => {
                self.reversing(draft, reason).map(Some)
            }
            (S::Sent, E::Confirm(draft, None)) if self.in_doubt => {
                self.confirming(draft, None).map(Some)
            }
            (S::Sent, E::Complete) if self.in_doubt && self.operation.confirmed_by().is_none() => {
                Ok(Some(self.with(S::Completed)))
            }
            // Only somebody who has looked knows that it was a copy, and not somebody else's request.
            (S::Duplicate, E::Reverse(draft, reason)) => self.reversing(draft, reason).map(Some),
            (S::Sent | S::Approved, E::Doubted) => Ok(self.marked(self.tender_started, true)),
            // Whatever became of it later, it is repeated, or was final before.
            (_, E::Doubted) => Ok(None),

            (S::Confirming(advice), E::Confirm(_, amount)) => {
                let is_same = self.stands(advice.amount.as_ref()) == self.stands(amount.as_ref());
                is_same.then_some(None).ok_or(Conflict::ConfirmedAmount)
            }
            (S::Reversing(_), E::Reverse(..) | E::Unknown(..)) | (S::Completed, E::Complete) => {
                Ok(None)
            }

            (S::Confirming(advice), E::Attempted(attempt)) if advice.is_pending() => Ok(Some(
                self.with(S::Confirming(attempted(advice, attempt, None))),
            )),
            (S::Reversing(advice), E::Attempted(attempt)) if advice.is_pending() => Ok(Some(
                self.with(S::Reversing(attempted(advice, attempt, None))),
            )),
            (S::Confirming(advice), E::Settled(attempt, end)) if advice.is_pending() => Ok(Some(
                self.with(S::Confirming(attempted(advice, attempt, Some(end)))),
            )),
            (S::Reversing(advice), E::Settled(attempt, end)) if advice.is_pending() => Ok(Some(
                self.with(S::Reversing(attempted(advice, attempt, Some(end)))),
            )),

            (S::Confirming(_) | S::Reversing(_), E::Attempted(_) | E::Settled(..)) => {
                Err(Conflict::Settled)
            }
            (S::Sent, _) => Err(Conflict::StillUnderWay),
            (S::Approved, _) => Err(Conflict::Undecided),
            (S::Declined | S::Duplicate, _) => Err(Conflict::Declined),
            (S::NotSent, _) => Err(Conflict::NotSent),
            (S::Completed, _) => Err(Conflict::Completed),
            (S::Confirming(_), _) => Err(Conflict::Confirmed),
            (S::Reversing(_), _) => Err(Conflict::Reversed),
        }
    }

    fn with(&self, state: State) -> Transaction {
        Transaction {
            state,
            ..self.clone()
        }
    }

    fn approved(
        &self,
        approval: Approval,
        receipt: Receipt,
        identifiers: Option<ThirdPartyIdentifiers>,
    ) -> Transaction {
        let mut next = self.with(State::Approved);
        next.approval = Some(approval);
        if receipt != self.receipt {
            next.set_receipt(receipt);
        }
        if let Some(identifiers) = identifiers {
            next.identifiers = identifiers;
        }
        next
    }

    fn confirming(&self, draft: Draft, amount: Option<Money>) -> Result<Transaction, Conflict> {
        Ok(self.with(State::Confirming(self.confirmation(draft, amount)?)))
    }

    fn confirmation(&self, draft: Draft, amount: Option<Money>) -> Result<Advice, Conflict> {
        let approved = self.approval.as_ref().map(|approval| &approval.amount);
        if !amount
            .as_ref()
            .is_none_or(|part| is_part_of(part, approved))
        {
            return Err(Conflict::NotApproved);
        }
        let advice = Advice::confirmation(self, draft, amount).map_err(|_| Conflict::Unwritable)?;
        advice.ok_or(Conflict::NoSuchAdvice)
    }

    /// What finally stands by a confirmation for `amount`: all of what was approved where it names none.
    fn stands<'a>(&'a self, amount: Option<&'a Money>) -> Option<(i64, &'a Currency)> {
        let approved = self.approval.as_ref().map(|approval| &approval.amount);
        let money = amount.or(approved)?;
        Some((money.minor_units, &money.currency))
    }

    fn reversing(&self, draft: Draft, reason: ReversalReason) -> Result<Transaction, Conflict> {
        Ok(self.with(State::Reversing(self.reversal(draft, reason)?)))
    }

    fn reversal(&self, draft: Draft, reason: ReversalReason) -> Result<Advice, Conflict> {
        let advice = Advice::reversal(self, draft, reason).map_err(|_| Conflict::Unwritable)?;
        advice.ok_or(Conflict::NoSuchAdvice)
    }

    /// Whether it has a receipt that cannot be read.
    pub(crate) fn lacks_receipt(&self) -> bool {
        self.receipt_at.is_some() && self.receipt.is_empty()
    }

    /// Gives it a receipt that is yet to be put away.
    pub(crate) fn set_receipt(&mut self, receipt: Receipt) {
        self.masked_redeem_ref = receipt.masked_redeem_ref();
        self.receipt = receipt;
        self.receipt_at = None;
    }

    fn forget_receipt(&mut self) {
        self.receipt = Receipt::default();
        self.receipt_at = None;
    }

    /// With these marks; `None` where it has them.
    fn marked(&self, tender_started: bool, in_doubt: bool) -> Option<Transaction> {
        let is_known = (self.tender_started, self.in_doubt) == (tender_started, in_doubt);
        (!is_known).then(|| Transaction {
            tender_started,
            in_doubt,
            ..self.clone()
        })
    }
}

/// Whether `part` is some of what was approved, or all of it.
fn is_part_of(part: &Money, approved: Option<&Money>) -> bool {
    approved.is_some_and(|approved| {
        part.currency == approved.currency && (0..=approved.minor_units).contains(&part.minor_units)
    })
}

fn attempted(advice: &Advice, attempt: Attempt, settlement: Option<Settlement>) -> Advice {
    let mut advice = advice.ended_by(settlement);
    advice.record(attempt);
    advice
}

mod refused;
#[cfg(test)]
mod tests;
