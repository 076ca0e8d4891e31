//! The model: the fates that a request may have met, by what the till was told of it.

use money_transfer_retailer::model::RequestId;
use money_transfer_retailer::simulator::{Book, OrderState};
use money_transfer_retailer::{
    AdviceId, Client, Conflict, CreateOrderOutcome, DecisionError, OrderOutcome, QueuedAdvice,
    RequestError, Standing,
};

use super::steps::Decision;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fate {
    /// The queue never heard of it.
    Unborn,
    NotSent,
    Declined,
    Undecided,
    Confirmed,
    Reversed,
}

use Fate::{Confirmed, Declined, NotSent, Reversed, Unborn, Undecided};

/// The fates that are possible.
pub(super) type Fates = &'static [Fate];

/// Of a request whose till crashed before it was told anything.
const UNHEARD: Fates = &[Unborn, NotSent, Declined, Undecided, Reversed];

/// Of a request whose till stopped waiting: an approval that nobody received is reversed.
const ABANDONED: Fates = &[Unborn, NotSent, Declined, Reversed];

/// What a till may believe that was told this.
pub(super) fn of_outcome(outcome: &Result<CreateOrderOutcome, RequestError>) -> Fates {
    match outcome {
        Ok(OrderOutcome::Approved(_)) => &[Undecided],
        Ok(OrderOutcome::Declined(_)) => &[Declined],
        Ok(OrderOutcome::NotSent(_)) => &[NotSent],
        Ok(OrderOutcome::Unknown(_)) => &[Reversed],
        other => panic!("{other:?}"),
    }
}

/// What the model knows of one request.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) id: RequestId,
    fates: Vec<Fate>,
    /// Whether its exchange may be going on without the till.
    is_abandoned: bool,
    /// The advice that the till was told of.
    advice: Option<AdviceId>,
}

impl Known {
    pub(super) fn unheard(id: RequestId) -> Known {
        Known {
            id,
            fates: UNHEARD.to_vec(),
            is_abandoned: false,
            advice: None,
        }
    }

    pub(super) fn told(self, fates: Fates) -> Known {
        Known {
            fates: fates.to_vec(),
            ..self
        }
    }

    pub(super) fn abandoned(self) -> Known {
        Known {
            is_abandoned: true,
            ..self.told(ABANDONED)
        }
    }

    /// The till crashed.
    pub(super) fn crashed(&mut self) {
        if std::mem::take(&mut self.is_abandoned) && self.advice.is_none() {
            self.fates = UNHEARD.to_vec();
        }
    }

    /// The till crashed before it was told whether its decision stands.
    pub(super) fn may_be_decided(&mut self, decision: Decision) {
        if self.may_be_undecided() {
            self.fates.push(fate_of(decision));
        }
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.is_abandoned
    }

    pub(super) fn may_be_undecided(&self) -> bool {
        self.fates.contains(&Undecided)
    }

    /// The till was told this of its decision.
    pub(super) fn decided(
        &mut self,
        decision: Decision,
        told: Result<QueuedAdvice, DecisionError>,
    ) {
        let fate = match told {
            Ok(queued) => {
                let known = *self.advice.get_or_insert(queued.advice_id);
                assert_eq!(known, queued.advice_id, "one decision, one advice");
                let fate = fate_of(decision);
                // A till may decide after all, before the approval that it did not wait for is reversed.
                let is_open = self.may_be_undecided() || self.is_abandoned;
                let is_possible = self.fates.contains(&fate) || is_open;
                assert!(is_possible, "{decision:?} of {self:?}");
                self.fates = vec![fate];
                return;
            }
            // The exchange goes on without the till.
            Err(DecisionError::Conflict(Conflict::StillUnderWay)) if self.is_abandoned => return,
            // It had not even been journaled, or had when the till was stopped.
            Err(DecisionError::UnknownRequest) if self.is_abandoned => return,
            Err(DecisionError::UnknownRequest) => Unborn,
            Err(DecisionError::Conflict(Conflict::NotSent)) => NotSent,
            Err(DecisionError::Conflict(Conflict::Declined)) => Declined,
            Err(DecisionError::Conflict(Conflict::Reversed)) => Reversed,
            Err(DecisionError::Conflict(Conflict::Confirmed | Conflict::ConfirmedAmount)) => {
                Confirmed
            }
            Err(error) => panic!("{decision:?} of {self:?}: {error:?}"),
        };
        assert!(self.fates.contains(&fate), "{fate:?} of {self:?}");
        self.fates = vec![fate];
    }

    /// Everything is delivered: the queue and the book say the same.
    pub(super) fn check(&self, till: &Client, book: &Book) {
        let record = till.transaction(self.id).unwrap();
        let standing = record.as_ref().map(|record| record.standing);
        let fate = fate_that_stands(standing);
        assert!(self.fates.contains(&fate), "{fate:?} of {self:?}");
        let undecided = till.advices().undecided().unwrap();
        let is_listed = undecided.iter().any(|listed| listed.request_id == self.id);
        assert_eq!(is_listed, fate == Undecided, "{self:?}");
        if let Some(told) = self.advice {
            let advice = record.unwrap().advice.unwrap();
            assert_eq!(advice.advice_id, told);
        }
        self.check_book(fate, book);
    }

    fn check_book(&self, fate: Fate, book: &Book) {
        let confirmations = book.confirmations_of(self.id);
        let reversals = book.reversals_of(self.id);
        let order = book.order(self.id).map(|order| order.state());
        let heard = (confirmations.received() > 0, reversals.received() > 0);
        let (expected, orders): (_, &[Option<OrderState>]) = match fate {
            Confirmed => ((true, false), &[Some(OrderState::Confirmed)]),
            // The request itself may never have arrived.
            Reversed => ((false, true), &[None, Some(OrderState::Reversed)]),
            Undecided => ((false, false), &[Some(OrderState::Created)]),
            Unborn | NotSent | Declined => ((false, false), &[None]),
        };
        assert_eq!(heard, expected, "{fate:?} of {self:?}");
        assert!(orders.contains(&order), "{order:?}: {fate:?} of {self:?}");
        for advices in [confirmations, reversals] {
            assert!(advices.distinct_bodies() <= 1, "{self:?}");
            assert!(advices.accepted() <= 1, "{self:?}");
        }
    }
}

fn fate_of(decision: Decision) -> Fate {
    match decision {
        Decision::Confirm | Decision::ConfirmPart => Confirmed,
        Decision::Reverse => Reversed,
    }
}

fn fate_that_stands(standing: Option<Standing>) -> Fate {
    match standing {
        None => Unborn,
        Some(Standing::NotSent) => NotSent,
        Some(Standing::Declined) => Declined,
        Some(Standing::Undecided) => Undecided,
        Some(Standing::Confirmed) => Confirmed,
        Some(Standing::Reversed) => Reversed,
        Some(other) => panic!("{other:?} in the end"),
    }
}
