//! updateOrderPin: give an order another PIN.

use super::check::{Check, Rules};
use super::defaults::{Defaults, Fill};
use super::ids::RequestId;
use super::pin::EncryptedPin;
use super::sensitive::Sensitive;
use super::transaction::{TransactionMessage, transaction_message};

transaction_message! {
    /// Gives an order another PIN: updateOrderPin, `MoneyTransferOrderPinUpdateRequest` on the wire.
    ///
    /// At least one of `order_redeem_ref`, `order_redeem_ref_alt`, `remittance_ref` and `order_id` says which order.
    pub struct UpdateOrderPinRequest {
        /// `id`: unique per request; random unless given.
        #[builder(default = RequestId::random())]
        pub id: RequestId,
        /// `pin`: the new one; required.
        pub pin: EncryptedPin,
        /// `orderRedeemRef`: the reference that money is collected with.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub order_redeem_ref: Option<Sensitive>,
        /// `remittanceRef`: the provider's reference of the transfer.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub remittance_ref: Option<Sensitive>,
        /// `orderId`: the provider's name for the order.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub order_id: Option<String>,
        /// `customerProfileId`: the customer's profile at the provider.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub customer_profile_id: Option<String>,
        /// `orderRedeemRefAlt`: the other reference on the receipt.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub order_redeem_ref_alt: Option<Sensitive>,
    }
}

impl Fill for UpdateOrderPinRequest {
    fn fill(&mut self, defaults: &Defaults) {
        self.parties().fill(defaults);
    }
}

impl Check for UpdateOrderPinRequest {
    fn inspect(&self, rules: &mut Rules) {
        self.header().inspect(rules);
        rules.part("pin", &self.pin);
        rules.at_least_one(
            "orderRedeemRef",
            &[
                self.order_redeem_ref.as_ref().map(Sensitive::expose),
                self.order_redeem_ref_alt.as_ref().map(Sensitive::expose),
                self.remittance_ref.as_ref().map(Sensitive::expose),
                self.order_id.as_deref(),
            ],
            "is required, unless orderRedeemRefAlt, remittanceRef or orderId says which order",
        );
    }
}
