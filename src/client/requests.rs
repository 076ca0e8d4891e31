//! The financial requests: create, redeem and cancel an order.

use super::financial::FinancialRequest;
use super::{Client, OrderOutcome, RequestError};
use crate::api::outcome::ApprovalMessage;
use crate::model::{
    CancelOrderRequest, CancelOrderResponse, CreateOrderRequest, CreateOrderResponse, Money,
    Operation, RedeemOrderRequest, RedeemOrderResponse, RequestId, Sensitive,
};

/// The outcome of [`Client::create_order`].
pub type CreateOrderOutcome = OrderOutcome<CreateOrderResponse>;

/// The outcome of [`Client::redeem_order`].
pub type RedeemOrderOutcome = OrderOutcome<RedeemOrderResponse>;

/// The outcome of [`Client::cancel_order`].
pub type CancelOrderOutcome = OrderOutcome<CancelOrderResponse>;

impl Client {
    /// Asks the upstream to create an order: sells a money transfer.
    ///
    /// What the request leaves out of originator, client, receiver, settlement entity and time is
    /// filled in first. The request is on the disk before it leaves. If this future is dropped,
    /// the exchange goes on by itself, and an approval that nobody received is reversed.
    ///
    /// Wire name: `createOrder`.
    ///
    /// # Errors
    /// [`RequestError::Invalid`], [`RequestError::Unwritable`], [`RequestError::KnownRequest`] and
    /// [`RequestError::NotJournaled`]: nothing was sent. On any other error take no tender.
    pub async fn create_order(
        &self,
        request: CreateOrderRequest,
    ) -> Result<CreateOrderOutcome, RequestError> {
        self.request(request).await
    }

    /// Asks the upstream whether an order may be paid out. Pay the recipient once it is approved,
    /// then confirm.
    ///
    /// Everything that is said of [`create_order`](Client::create_order) holds here, too. After an
    /// unknown outcome, ask again for the same reference only once its reversal is settled, neither
    /// [pending](super::Advices::pending) nor [rejected](super::Advices::rejected): a late reversal could
    /// reopen an order that was paid out.
    ///
    /// Wire name: `redeemOrder`.
    ///
    /// # Errors
    /// As for [`create_order`](Client::create_order); on any error pay nothing out.
    pub async fn redeem_order(
        &self,
        request: RedeemOrderRequest,
    ) -> Result<RedeemOrderOutcome, RequestError> {
        self.request(request).await
    }

    /// Asks the upstream to cancel an order that has not been redeemed.
    ///
    /// A cancellation takes effect with its answer: refund the sender, then
    /// [`complete`](super::Approved::complete) it; or reverse it. After an unknown outcome, ask again
    /// for the same reference only once its reversal is settled.
    ///
    /// Wire name: `cancelOrder`.
    ///
    /// # Errors
    /// As for [`create_order`](Client::create_order); on any error refund nothing.
    pub async fn cancel_order(
        &self,
        request: CancelOrderRequest,
    ) -> Result<CancelOrderOutcome, RequestError> {
        self.request(request).await
    }
}

impl FinancialRequest for CreateOrderRequest {
    const OPERATION: Operation = Operation::CreateOrder;
    type Response = CreateOrderResponse;

    fn id(&self) -> RequestId {
        self.id
    }

    fn amount(&self) -> Option<Money> {
        Some(self.amount.clone())
    }

    fn redeem_ref(&self) -> Option<Sensitive> {
        None
    }
}

impl FinancialRequest for RedeemOrderRequest {
    const OPERATION: Operation = Operation::RedeemOrder;
    type Response = RedeemOrderResponse;

    fn id(&self) -> RequestId {
        self.id
    }

    fn amount(&self) -> Option<Money> {
        self.amount.clone()
    }

    fn redeem_ref(&self) -> Option<Sensitive> {
        Some(self.order_redeem_ref.clone())
    }
}

impl FinancialRequest for CancelOrderRequest {
    const OPERATION: Operation = Operation::CancelOrder;
    type Response = CancelOrderResponse;

    fn id(&self) -> RequestId {
        self.id
    }

    fn amount(&self) -> Option<Money> {
        None
    }

    fn redeem_ref(&self) -> Option<Sensitive> {
        Some(self.order_redeem_ref.clone())
    }
}

impl ApprovalMessage for CreateOrderResponse {
    fn amount(&self) -> &Money {
        &self.amount
    }

    fn redeem_ref(&self) -> Option<&Sensitive> {
        self.order_redeem_ref.as_ref()
    }

    fn redeem_ref_alt(&self) -> Option<&Sensitive> {
        self.order_redeem_ref_alt.as_ref()
    }
}

impl ApprovalMessage for RedeemOrderResponse {
    fn amount(&self) -> &Money {
        &self.amount
    }

    fn redeem_ref(&self) -> Option<&Sensitive> {
        None
    }
}

impl ApprovalMessage for CancelOrderResponse {
    fn amount(&self) -> &Money {
        &self.amount
    }

    fn redeem_ref(&self) -> Option<&Sensitive> {
        self.order_redeem_ref.as_ref()
    }
}
