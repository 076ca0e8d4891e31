//! What may follow where the upstream refused: what a person decides, and nothing else.

use super::{Conflict, State, Transaction};
use crate::saf::{Advice, Correction, Draft, Intervention, Remedy, Settlement, Signature};

impl Transaction {
    /// What it becomes by `remedy`; `None` where that was decided before.
    pub(super) fn remedied(
        &self,
        remedy: &Remedy,
        signature: Signature,
    ) -> Result<Option<Transaction>, Conflict> {
        let state = match (&self.state, remedy) {
            // Somebody has looked: the request that the upstream knows is another one.
            (State::Duplicate, Remedy::Abandon { .. }) => State::Declined,
            (State::Confirming(advice), remedy) => match self.remedied_advice(advice, remedy)? {
                Some(advice) => State::Confirming(advice),
                None => return Ok(None),
            },
            (State::Reversing(advice), remedy) => match self.remedied_advice(advice, remedy)? {
                Some(advice) => State::Reversing(advice),
                None => return Ok(None),
            },
            _ => return Err(Conflict::NotRefused),
        };
        let mut next = self.with(state);
        if let Remedy::Reissue(_, correction) = remedy
            && let Some(identifiers) = &correction.third_party_identifiers
        {
            // What is corrected once stays so.
            next.identifiers.clone_from(identifiers);
        }
        if next.pending_advice().is_some() {
            // It takes its place among the decisions anew.
            next.advice_number = None;
        }
        Intervention::new(self, remedy, signature).remember(&mut next.interventions);
        Ok(Some(next))
    }

    fn remedied_advice(
        &self,
        advice: &Advice,
        remedy: &Remedy,
    ) -> Result<Option<Advice>, Conflict> {
        match (advice.settlement, remedy) {
            (None, _) => Err(Conflict::StillPending),
            (Some(Settlement::Abandoned), Remedy::Abandon { .. }) => Ok(None),
            (Some(end), _) if !end.is_refusal() => Err(Conflict::Settled),
            (Some(_), Remedy::Requeue) => Ok(Some(advice.anew())),
            (Some(_), Remedy::Abandon { .. }) => {
                Ok(Some(advice.ended_by(Some(Settlement::Abandoned))))
            }
            (Some(_), Remedy::Reissue(draft, correction)) => {
                self.reissued(advice, *draft, correction).map(Some)
            }
        }
    }

    /// The same decision in another message.
    fn reissued(
        &self,
        refused: &Advice,
        draft: Draft,
        correction: &Correction,
    ) -> Result<Advice, Conflict> {
        let mut corrected = self.clone();
        if let Some(identifiers) = &correction.third_party_identifiers {
            corrected.identifiers.clone_from(identifiers);
        }
        let is_confirmation = refused.reason.is_none();
        let advice = match (is_confirmation, &correction.amount, &correction.reason) {
            (true, amount, None) => {
                let amount = amount.as_ref().or(refused.amount.as_ref());
                corrected.confirmation(draft, amount.cloned())
            }
            (false, None, reason) => {
                let reason = reason.as_ref().or(refused.reason.as_ref());
                corrected.reversal(draft, reason.cloned().ok_or(Conflict::NoSuchAdvice)?)
            }
            _ => Err(Conflict::NoSuchPart),
        };
        Ok(Advice {
            replaces: Some(refused.id),
            ..advice?
        })
    }
}
