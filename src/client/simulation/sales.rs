//! What the till knows of its requests: by what it was told, not by what is stored.

use std::collections::BTreeMap;

use super::message::{number_of, redeem_ref};
use super::operator::Way;
use super::upstream::{LegState, Upstream};
use crate::client::{DecisionError, OrderOutcome, QueuedAdvice, RequestError};
use crate::model::{AdviceId, Operation};
use crate::saf::{AdviceState, Conflict, Standing, TransactionRecord};

/// What the till was told of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Told {
    /// Nothing: it crashed, or did not wait.
    Nothing,
    Approved,
    Declined,
    NotSent,
    Unknown(AdviceId),
    /// That nothing was sent, and why.
    NotJournaled,
    /// That the outcome could not be stored.
    NotStored,
}

/// What the till may decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Decision {
    Confirm,
    Reverse,
    Complete,
}

#[derive(Clone, Debug)]
pub(super) struct Sale {
    pub(super) operation: Operation,
    /// The order that it is about.
    pub(super) order: String,
    pub(super) amount: i64,
    pub(super) told: Told,
    /// The decision that the till was told is stored, with its advice where it has one.
    acknowledged: Option<(Decision, Option<AdviceId>)>,
    /// What it tried to decide, whatever came of that.
    tried: Vec<Decision>,
    /// Whether the service takes its advice, whatever it did before.
    pub(super) is_cured: bool,
    /// Whether a person tried to have another advice sent in the place of a refused one.
    is_reissued: bool,
    is_abandoned: bool,
}

#[derive(Default)]
pub(super) struct Sales {
    all: BTreeMap<u32, Sale>,
}

type Decided = Result<Option<QueuedAdvice>, DecisionError>;

impl Sale {
    pub(super) fn new(operation: Operation, number: u32, amount: i64) -> Sale {
        Sale {
            operation,
            order: redeem_ref(number),
            amount,
            told: Told::Nothing,
            acknowledged: None,
            tried: Vec::new(),
            is_cured: false,
            is_reissued: false,
            is_abandoned: false,
        }
    }

    /// A later request for the same order.
    pub(super) fn about(operation: Operation, of: &Sale) -> Sale {
        Sale {
            order: of.order.clone(),
            ..Sale::new(operation, 0, of.amount)
        }
    }

    pub(super) fn is_confirmed(&self) -> bool {
        matches!(self.acknowledged, Some((Decision::Confirm, _)))
    }

    pub(super) fn was_told(&self) -> bool {
        self.told != Told::Nothing
    }

    fn has_tried(&self, decision: Decision) -> bool {
        self.tried.contains(&decision)
    }
}

impl Sales {
    pub(super) fn add(&mut self, sale: impl FnOnce(u32) -> Sale) -> u32 {
        let number = self.all.len() as u32 + 1;
        self.all.insert(number, sale(number));
        number
    }

    pub(super) fn get(&self, number: u32) -> Option<&Sale> {
        self.all.get(&number)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Sale)> {
        self.all.iter().map(|(number, sale)| (*number, sale))
    }

    fn sale(&mut self, number: u32) -> Result<&mut Sale, String> {
        let unheard_of = || format!("{number} is a request that nobody made");
        self.all.get_mut(&number).ok_or_else(unheard_of)
    }
}

/// # What the till is told
impl Sales {
    pub(super) fn told<R>(
        &mut self,
        number: u32,
        outcome: &Result<OrderOutcome<R>, RequestError>,
    ) -> Result<(), String> {
        use RequestError as E;
        let told = match outcome {
            Ok(OrderOutcome::Approved(_)) => Told::Approved,
            Ok(OrderOutcome::Declined(_)) => Told::Declined,
            Ok(OrderOutcome::NotSent(_)) => Told::NotSent,
            Ok(OrderOutcome::Unknown(unknown)) => Told::Unknown(unknown.reversal_id),
            Err(E::NotJournaled { .. } | E::EarlierReversalPending { .. }) => Told::NotJournaled,
            Err(E::OutcomeNotStored { .. } | E::Interrupted { .. } | E::Closed { .. }) => {
                Told::NotStored
            }
            Ok(OrderOutcome::Earlier(_)) => return Err(format!("{number} is no earlier request")),
            Err(error) => return Err(format!("{number}: {error:?}")),
        };
        self.sale(number)?.told = told;
        Ok(())
    }

    /// The service takes from now on what it refused of this sale.
    pub(super) fn cure(&mut self, number: u32) {
        if let Some(sale) = self.all.get_mut(&number) {
            sale.is_cured = true;
        }
    }

    /// A person has its refused advice sent again, or given up.
    pub(super) fn ask(&mut self, number: u32, way: Way) {
        if let Some(sale) = self.all.get_mut(&number) {
            sale.is_reissued |= way == Way::Reissue;
            sale.is_abandoned |= way == Way::Abandon;
        }
    }

    pub(super) fn tries(&mut self, number: u32, decision: Decision) {
        if let Some(sale) = self.all.get_mut(&number) {
            sale.tried.push(decision);
        }
    }

    pub(super) fn decided(
        &mut self,
        number: u32,
        decision: Decision,
        decided: &Decided,
    ) -> Result<(), String> {
        let sale = self.sale(number)?;
        match decided {
            Ok(queued) => sale.acknowledge(decision, queued.map(|one| one.advice_id)),
            Err(DecisionError::Conflict(conflict)) => sale.check_conflict(decision, *conflict),
            Err(DecisionError::UnknownRequest) => match sale.told {
                Told::Nothing | Told::NotSent | Told::NotJournaled | Told::NotStored => Ok(()),
                told => Err(format!("forgotten, though the till was told {told:?}")),
            },
            // It may stand, or not.
            Err(
                DecisionError::Store(_)
                | DecisionError::Full(_)
                | DecisionError::NotExtended(_)
                | DecisionError::Closed,
            ) => Ok(()),
            Err(error) => Err(format!("{error:?}")),
        }
        .map_err(|violation| format!("{decision:?} of {number}: {violation}"))
    }
}

impl Sale {
    fn acknowledge(&mut self, decision: Decision, advice: Option<AdviceId>) -> Result<(), String> {
        match self.acknowledged {
            Some((earlier, _)) if earlier != decision => Err(format!("{earlier:?} stands")),
            Some((_, id)) if id != advice && !self.is_reissued => {
                Err("one decision, two advices".to_owned())
            }
            _ if self.told == Told::Declined && decision != Decision::Reverse => {
                Err("it was declined".to_owned())
            }
            _ => {
                self.acknowledged = Some((decision, advice));
                Ok(())
            }
        }
    }

    /// That something stands in the way of the decision.
    fn check_conflict(&self, decision: Decision, conflict: Conflict) -> Result<(), String> {
        if self
            .acknowledged
            .is_some_and(|(stands, _)| stands == decision)
        {
            return Err(format!("it stands already, and is refused: {conflict:?}"));
        }
        let is_first = self.tried.iter().all(|tried| *tried == decision);
        match self.told == Told::Approved && is_first && self.offers(decision) {
            true => Err(format!("nobody decided otherwise, and {conflict:?}")),
            false => Ok(()),
        }
    }

    fn offers(&self, decision: Decision) -> bool {
        let is_cancellation = self.operation == Operation::CancelOrder;
        match decision {
            Decision::Confirm => !is_cancellation,
            Decision::Complete => is_cancellation,
            Decision::Reverse => true,
        }
    }
}

/// # What stands in the end
impl Sale {
    /// Everything is delivered: what the queue says is what the till was told, and what the service says.
    pub(super) fn check(
        &self,
        number: u32,
        record: Option<&TransactionRecord>,
        was_requested: bool,
        upstream: &Upstream,
    ) -> Result<(), String> {
        let standing = record.map(|record| record.standing);
        let fail = |why: &str| {
            Err(format!(
                "{number} is {standing:?} in the end: {why}: {self:?}"
            ))
        };
        if !self.may_be(standing, was_requested) {
            return fail("the till was told otherwise");
        }
        if let Some((_, Some(told))) = self.acknowledged
            && !self.is_reissued
            && record
                .and_then(|record| record.advice.as_ref())
                .map(|one| one.advice_id)
                != Some(told)
        {
            return fail("its advice is another one");
        }
        match self.agrees(number, record, upstream) {
            true => Ok(()),
            false => fail(&format!("the service says {:?}", upstream.state_of(number))),
        }
    }

    fn may_be(&self, standing: Option<Standing>, was_requested: bool) -> bool {
        use {Decision as D, Standing as S, Told as T};
        let unheard = matches!(self.told, T::Nothing | T::NotStored);
        let decision = self.acknowledged.map(|(decision, _)| decision);
        let stands = |of: D| decision.is_none_or(|one| one == of);
        match standing {
            None => {
                !was_requested && !matches!(self.told, T::Approved | T::Declined | T::Unknown(_))
            }
            Some(S::NotSent) => unheard || self.told == T::NotSent,
            Some(S::Declined) => unheard || self.told == T::Declined,
            Some(S::Undecided) => (unheard || self.told == T::Approved) && decision.is_none(),
            Some(S::Completed) => self.has_tried(D::Complete) && stands(D::Complete),
            Some(S::Confirmed) => self.has_tried(D::Confirm) && stands(D::Confirm),
            Some(S::Reversed) => {
                let is_told = !matches!(self.told, T::Approved | T::Declined | T::NotSent);
                stands(D::Reverse) && (is_told || self.has_tried(D::Reverse))
            }
            _ => false,
        }
    }

    fn agrees(&self, number: u32, record: Option<&TransactionRecord>, upstream: &Upstream) -> bool {
        let there = upstream.state_of(number);
        let Some(record) = record else {
            return there.is_none();
        };
        let Some(advice) = &record.advice else {
            return match record.standing {
                Standing::Undecided | Standing::Completed => there == Some(LegState::Approved),
                _ => there.is_none(),
            };
        };
        let decided = match record.standing {
            Standing::Confirmed => LegState::Confirmed,
            _ => LegState::Reversed,
        };
        match advice.state {
            AdviceState::Accepted | AdviceState::ArrivedEarlier => there == Some(decided),
            AdviceState::NothingToReverse => there.is_none(),
            AdviceState::Rejected => upstream.has_refused_advice_of(number),
            AdviceState::Abandoned => self.is_abandoned && upstream.has_refused_advice_of(number),
            _ => false,
        }
    }
}

/// The numbers of the requests in a list.
pub(super) fn numbers(records: &[TransactionRecord]) -> Vec<u32> {
    records
        .iter()
        .map(|record| number_of(record.request_id))
        .collect()
}
