//! What an operator does about an advice that the upstream refused.

use super::{Client, DecisionError, QueuedAdvice};
use crate::model::RequestId;
use crate::saf::{Correction, Event, Remedy, Signature};

/// # Settling what the upstream refused
///
/// [`Advices::rejected`](super::Advices::rejected) lists it, and
/// [`Advices::duplicates`](super::Advices::duplicates) the requests whose ids the upstream knew already.
/// Look the order up before anything is sent again: it may have changed meanwhile. Who decided what, and
/// when, stays in the record ([`AdviceRecord::interventions`](crate::AdviceRecord)) and in the audit trail.
///
/// ```no_run
/// # use money_transfer_retailer::Client;
/// # async fn f(till: Client) -> Result<(), Box<dyn std::error::Error>> {
/// for advice in till.advices().rejected()? {
///     println!("{}: {} ({})", advice.request_id, advice.state, advice.severity());
///     // The provider has restored the order.
///     till.requeue(advice.request_id, "A. Adams").await?;
/// }
/// # Ok(()) }
/// ```
impl Client {
    /// Sends the refused advice of the request `id` again: the same bytes with the same id, until a final
    /// answer. `operator` is who answers for it.
    ///
    /// Returns when that is on the disk.
    ///
    /// # Errors
    /// [`DecisionError::Intervention`] where nobody is named;
    /// [`Conflict::StillPending`](crate::Conflict), [`Conflict::Settled`](crate::Conflict) and
    /// [`Conflict::NotRefused`](crate::Conflict) if the upstream has not refused it; otherwise as for
    /// [`confirm`](Client::confirm).
    pub async fn requeue(
        &self,
        id: RequestId,
        operator: impl Into<String>,
    ) -> Result<QueuedAdvice, DecisionError> {
        self.decide(id, self.remedied(Remedy::Requeue, operator.into())?)
            .await
    }

    /// Sends another advice in the place of the refused one of the request `id`: the same decision, with an
    /// id and a time of its own and with `correction`. It [names](crate::AdviceRecord::replaces) the one
    /// that it replaces, which is never sent again.
    ///
    /// ```no_run
    /// # use money_transfer_retailer::{Client, Correction, RequestId, model::Money};
    /// # async fn f(till: Client, id: RequestId) -> Result<(), Box<dyn std::error::Error>> {
    /// let correction = Correction::builder().amount(Money::zar(50_000)).build();
    /// till.reissue(id, correction, "A. Adams").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As for [`requeue`](Client::requeue); [`Conflict::NotApproved`](crate::Conflict) for more than was
    /// approved, [`Conflict::NoSuchPart`](crate::Conflict) for a confirmation with a reason or a reversal
    /// with an amount.
    pub async fn reissue(
        &self,
        id: RequestId,
        correction: Correction,
        operator: impl Into<String>,
    ) -> Result<QueuedAdvice, DecisionError> {
        let remedy = Remedy::Reissue(self.core.draft(), correction);
        self.decide(id, self.remedied(remedy, operator.into())?)
            .await
    }

    /// Sends the refused advice of the request `id` no more: the matter was settled in another way, which
    /// `reason` tells. Name no customer in it. Abandoning it again changes nothing.
    ///
    /// A [duplicate](super::Advices::duplicates) is abandoned, too, once it is known that the request which
    /// the upstream has is another one.
    ///
    /// # Errors
    /// As for [`requeue`](Client::requeue), and [`DecisionError::Intervention`] without a reason.
    pub async fn abandon(
        &self,
        id: RequestId,
        reason: impl Into<String>,
        operator: impl Into<String>,
    ) -> Result<(), DecisionError> {
        self.check_binding()?;
        let reason = reason.into();
        let event = self.remedied(Remedy::Abandon { reason }, operator.into())?;
        self.core.ledger.apply(id, event).await?;
        Ok(())
    }

    fn remedied(&self, remedy: Remedy, operator: String) -> Result<Event, DecisionError> {
        let at = self.core.clock.now();
        let signature = Signature { at, operator };
        signature.check()?;
        remedy.check()?;
        Ok(Event::Remedied(remedy, signature))
    }
}
