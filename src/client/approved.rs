//! An approval in the till's hand.

use std::error::Error;
use std::fmt;

use super::{Client, DecisionError};
use crate::model::{
    AdviceId, CancelOrderResponse, CreateOrderResponse, Money, RedeemOrderResponse, RequestId,
    ReversalReason,
};
use crate::saf::Transaction;

/// An approved request that waits for the till's decision.
///
/// Dropping it decides nothing: the request stays undecided, and can be confirmed or reversed by
/// its id, after a restart too.
#[must_use = "confirm it once the customer has paid, or reverse it"]
pub struct Approved<R> {
    client: Client,
    request_id: RequestId,
    response: R,
}

/// A decision that is on the disk, and will be sent until the upstream has taken it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueuedAdvice {
    /// The advice.
    pub advice_id: AdviceId,
    /// The request that it confirms or reverses.
    pub request_id: RequestId,
}

/// A decision that failed, with the approval for another try.
#[non_exhaustive]
pub struct HandedBack<R> {
    /// The approval, still to be decided on.
    pub approved: Approved<R>,
    /// Why the decision failed.
    pub error: DecisionError,
}

impl<R> Approved<R> {
    pub(super) fn new(client: Client, request_id: RequestId, response: R) -> Self {
        Approved {
            client,
            request_id,
            response,
        }
    }

    /// The id of the request.
    pub fn request_id(&self) -> RequestId {
        self.request_id
    }

    /// What the upstream answered: the amount, the redeem reference, the lines for the receipt.
    pub fn response(&self) -> &R {
        &self.response
    }

    /// Marks that tender is being taken, or that money is being paid out. Returns when that is on the
    /// disk: after a restart the mark shows that the customer may have paid, or may have been paid.
    ///
    /// # Errors
    /// As for [`confirm`](Client::confirm).
    pub async fn tender_started(&self) -> Result<(), DecisionError> {
        self.client.tender_started(self.request_id).await
    }

    /// Reverses: the cashier cancelled, or tender failed.
    ///
    /// # Errors
    /// As for [`confirm`](Approved::confirm).
    pub async fn reverse(self, reason: ReversalReason) -> Result<QueuedAdvice, Box<HandedBack<R>>> {
        let decided = self.client.reverse(self.request_id, reason).await;
        self.or_handed_back(decided)
    }

    fn or_handed_back<T>(self, decided: Result<T, DecisionError>) -> Result<T, Box<HandedBack<R>>> {
        decided.map_err(|error| {
            Box::new(HandedBack {
                approved: self,
                error,
            })
        })
    }
}

/// What an approval of a request with a confirmation leg carries: everything but a cancellation.
pub trait Confirmable: private::Sealed {}

impl Confirmable for CreateOrderResponse {}
impl Confirmable for RedeemOrderResponse {}

mod private {
    pub trait Sealed {}
    impl Sealed for crate::model::CreateOrderResponse {}
    impl Sealed for crate::model::RedeemOrderResponse {}
}

impl<R: Confirmable> Approved<R> {
    /// Confirms: the customer has paid, or has been paid.
    ///
    /// Returns when the confirmation is on the disk; from then on it is sent until the upstream
    /// has taken it, whatever happens to the network, the power or the process.
    ///
    /// # Errors
    /// [`HandedBack`] holds the approval and the reason. On [`DecisionError::Store`] it is not
    /// known whether the decision is durable: repeat the same one.
    pub async fn confirm(self) -> Result<QueuedAdvice, Box<HandedBack<R>>> {
        let decided = self.client.confirm(self.request_id).await;
        self.or_handed_back(decided)
    }
}

impl<R: Confirmable> Approved<R> {
    /// Confirms for `amount`: less than was approved, in minor units.
    ///
    /// # Errors
    /// As for [`confirm`](Approved::confirm), and [`Conflict::NotApproved`](crate::Conflict) for more
    /// than was approved.
    pub async fn confirm_amount(self, amount: Money) -> Result<QueuedAdvice, Box<HandedBack<R>>> {
        let decided = self.client.confirm_amount(self.request_id, amount).await;
        self.or_handed_back(decided)
    }
}

impl Approved<CancelOrderResponse> {
    /// Completes the cancellation: the sender has been refunded.
    ///
    /// # Errors
    /// As for [`reverse`](Approved::reverse).
    pub async fn complete(self) -> Result<(), Box<HandedBack<CancelOrderResponse>>> {
        let decided = self.client.complete(self.request_id).await;
        self.or_handed_back(decided)
    }
}

impl QueuedAdvice {
    pub(super) fn of(transaction: &Transaction) -> Option<QueuedAdvice> {
        transaction.advice().map(|advice| QueuedAdvice {
            advice_id: advice.id,
            request_id: transaction.request_id,
        })
    }
}

impl<R> fmt::Debug for Approved<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Approved")
            .field("request_id", &self.request_id)
            .finish_non_exhaustive()
    }
}

impl<R> fmt::Debug for HandedBack<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandedBack")
            .field("approved", &self.approved)
            .field("error", &self.error)
            .finish()
    }
}

impl<R> fmt::Display for HandedBack<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the decision on request {} did not go through",
            self.approved.request_id
        )
    }
}

impl<R> Error for HandedBack<R> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}
