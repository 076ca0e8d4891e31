//! cancelOrder: take back an order that nobody has collected.

use super::check::{Check, Rules};
use super::defaults::{Defaults, Fill};
use super::ids::RequestId;
use super::money::Money;
use super::pin::EncryptedPin;
use super::sensitive::Sensitive;
use super::transaction::{TransactionMessage, transaction_message};

transaction_message! {
    /// Asks to cancel an order: cancelOrder, `MoneyTransferOrderCancelRequest` on the wire.
    ///
    /// Takes effect with its answer; there is no confirmation.
    pub struct CancelOrderRequest {
        /// `id`: unique per request; random unless given.
        #[builder(default = RequestId::random())]
        pub id: RequestId,
        /// `orderRedeemRef`: the reference on the sender's receipt; required.
        pub order_redeem_ref: Sensitive,
        /// `orderRedeemRefAlt`: the other reference on the receipt. Documented as required: give it whenever the response
        /// to createOrder gave one.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub order_redeem_ref_alt: Option<Sensitive>,
        /// `pin`: that of the order.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub pin: Option<EncryptedPin>,
        /// `idNumber`: the sender's identity document.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub id_number: Option<Sensitive>,
    }
}

impl Fill for CancelOrderRequest {
    fn fill(&mut self, defaults: &Defaults) {
        self.parties().fill(defaults);
    }
}

impl Check for CancelOrderRequest {
    fn inspect(&self, rules: &mut Rules) {
        self.header().inspect(rules);
        rules.required_text("orderRedeemRef", self.order_redeem_ref.expose(), &[]);
        rules.optional_part("pin", self.pin.as_ref());
    }
}

transaction_message! {
    /// Says that an order is cancelled: cancelOrder, `MoneyTransferOrderCancelResponse` on the wire.
    pub struct CancelOrderResponse {
        /// `id`: that of the request.
        pub id: String,
        /// `amount`: what to pay back to the sender, in minor units.
        pub amount: Money,
        /// `orderRedeemRef`: that of the order; required on the wire.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub order_redeem_ref: Option<Sensitive>,
        /// `orderRedeemRefAlt`: that of the order; required on the wire.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub order_redeem_ref_alt: Option<Sensitive>,
        /// `orderId`: the provider's name for the order; required on the wire.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub order_id: Option<String>,
    }
}
