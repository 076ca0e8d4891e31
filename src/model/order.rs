//! createOrder: sell a money transfer.

use super::amounts::Amounts;
use super::check::{Check, Rules};
use super::codes::{PurposeOfRemittance, Relationship};
use super::defaults::{Defaults, Fill};
use super::ids::RequestId;
use super::money::Money;
use super::person::PersonalDetails;
use super::pin::EncryptedPin;
use super::sensitive::Sensitive;
use super::transaction::{TransactionMessage, transaction_message};

transaction_message! {
    /// Asks to create an order: createOrder, `MoneyTransferAuthRequest` on the wire.
    ///
    /// Takes effect only once confirmed.
    pub struct CreateOrderRequest {
        /// `id`: unique per request; random unless given.
        #[builder(default = RequestId::random())]
        pub id: RequestId,
        /// `amount`: what is sent, in minor units.
        pub amount: Money,
        /// `senderDetails`: who sends the money.
        pub sender_details: PersonalDetails,
        /// `recipientDetails`: who is to receive the money.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub recipient_details: Option<PersonalDetails>,
        /// `pin`: with which the recipient collects, where the sender chooses one.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub pin: Option<EncryptedPin>,
        /// `customerProfileId`: the sender's profile at the provider.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub customer_profile_id: Option<String>,
        /// `newCustomer`: whether the sender is to become a customer. Some servers demand it.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub new_customer: Option<bool>,
        /// `fee`: what the sender pays for the service, in minor units.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub fee: Option<Money>,
        /// `quoteId`: the fee quote that the sender accepted.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub quote_id: Option<String>,
        /// `purposeOfRemittance`: why the money is sent.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub purpose_of_remittance: Option<PurposeOfRemittance>,
        /// `recipientRelationship`: what the recipient is to the sender.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub recipient_relationship: Option<Relationship>,
        /// `amounts`: any other amounts.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub amounts: Option<Amounts>,
    }
}

impl Fill for CreateOrderRequest {
    fn fill(&mut self, defaults: &Defaults) {
        self.parties().fill(defaults);
    }
}

impl Check for CreateOrderRequest {
    fn inspect(&self, rules: &mut Rules) {
        self.header().inspect(rules);
        rules.part("amount", &self.amount);
        rules.part("senderDetails", &self.sender_details);
        rules.optional_part("recipientDetails", self.recipient_details.as_ref());
        rules.optional_part("pin", self.pin.as_ref());
        rules.optional_part("fee", self.fee.as_ref());
        rules.optional_part("amounts", self.amounts.as_ref());
    }
}

transaction_message! {
    /// Approves an order: createOrder, `MoneyTransferAuthResponse` on the wire.
    pub struct CreateOrderResponse {
        /// `id`: that of the request.
        pub id: String,
        /// `amount`: what was approved, in minor units.
        pub amount: Money,
        /// `senderDetails`: who sends the money; required on the wire.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub sender_details: Option<PersonalDetails>,
        /// `orderRedeemRef`: print it on the receipt, the recipient collects the money with it.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub order_redeem_ref: Option<Sensitive>,
        /// `orderRedeemRefAlt`: print it on the receipt.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub order_redeem_ref_alt: Option<Sensitive>,
        /// `orderId`: the provider's name for the order.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub order_id: Option<String>,
        /// `customerProfileId`: the sender's profile at the provider.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub customer_profile_id: Option<String>,
        /// `amounts`: any other amounts.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub amounts: Option<Amounts>,
    }
}
