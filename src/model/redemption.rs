//! redeemOrder: pay out a money transfer.

use super::amounts::Amounts;
use super::check::{AT_MOST_256, Check, Rules};
use super::defaults::{Defaults, Fill};
use super::ids::RequestId;
use super::money::Money;
use super::person::PersonalDetails;
use super::pin::EncryptedPin;
use super::sensitive::Sensitive;
use super::transaction::{TransactionMessage, transaction_message};

transaction_message! {
    /// Asks to pay out an order: redeemOrder, `MoneyTransferRedeemRequest` on the wire.
    ///
    /// Takes effect only once confirmed.
    pub struct RedeemOrderRequest {
        /// `id`: unique per request; random unless given.
        #[builder(default = RequestId::random())]
        pub id: RequestId,
        /// `amount`: what the recipient expects, in minor units. Some servers demand it.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub amount: Option<Money>,
        /// `pin`: the recipient's. Some servers demand it.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub pin: Option<EncryptedPin>,
        /// `orderRedeemRef`: the reference that the recipient brings; required.
        pub order_redeem_ref: Sensitive,
        /// `recipientDetails`: who collects the money.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub recipient_details: Option<PersonalDetails>,
        /// `customerProfileId`: the recipient's profile at the provider.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub customer_profile_id: Option<String>,
        /// `cashierComment`: at most 256 characters. Masked, as nobody knows what a cashier writes.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub cashier_comment: Option<Sensitive>,
        /// `amounts`: any other amounts.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub amounts: Option<Amounts>,
    }
}

impl Fill for RedeemOrderRequest {
    fn fill(&mut self, defaults: &Defaults) {
        self.parties().fill(defaults);
    }
}

impl Check for RedeemOrderRequest {
    fn inspect(&self, rules: &mut Rules) {
        self.header().inspect(rules);
        rules.optional_part("amount", self.amount.as_ref());
        rules.optional_part("pin", self.pin.as_ref());
        rules.required_text("orderRedeemRef", self.order_redeem_ref.expose(), &[]);
        rules.optional_part("recipientDetails", self.recipient_details.as_ref());
        rules.optional_secret(
            "cashierComment",
            self.cashier_comment.as_ref(),
            &[AT_MOST_256],
        );
        rules.optional_part("amounts", self.amounts.as_ref());
    }
}

transaction_message! {
    /// Approves paying out: redeemOrder, `MoneyTransferRedeemResponse` on the wire.
    pub struct RedeemOrderResponse {
        /// `id`: that of the request.
        pub id: String,
        /// `amount`: what to pay out, in minor units.
        pub amount: Money,
        /// `orderId`: the provider's name for the order; required on the wire.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub order_id: Option<String>,
        /// `customerProfileId`: the recipient's profile at the provider.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub customer_profile_id: Option<String>,
        /// `amounts`: any other amounts.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub amounts: Option<Amounts>,
    }
}
