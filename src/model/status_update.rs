//! updateOrderStatus: tell the receiver of a change that already happened.

use serde::{Deserialize, Serialize};

use super::check::{Check, Rules};
use super::codes::{AccountType, OrderStatus, TransactionType};
use super::defaults::{Defaults, Fill, Parties};
use super::money::Money;
use super::originator::{Institution, Originator};
use super::person::PersonalDetails;
use super::sensitive::Sensitive;
use super::slip::SlipData;
use super::third_party::ThirdPartyIdentifiers;
use super::timestamp::Timestamp;

/// Tells the receiver what has become of an order: updateOrderStatus, `MoneyTransferOrderStatusUpdateRequest` on the wire.
///
/// `order_redeem_ref` or `remittance_ref` says which order. A late repeat is harmless.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, bon::Builder)]
#[serde(rename_all = "camelCase")]
#[builder(on(String, into), on(Sensitive, into))]
#[non_exhaustive]
pub struct UpdateOrderStatusRequest {
    /// `updateTime`: when the status changed at the provider; lets the receiver ignore an older update delivered late.
    pub update_time: Timestamp,
    /// `orderRedeemRef`: the reference that money is collected with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_redeem_ref: Option<Sensitive>,
    /// `remittanceRef`: the provider's reference of the transfer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remittance_ref: Option<Sensitive>,
    /// `status`: the new status; required.
    pub status: OrderStatus,
    /// `statusDescription`: the same in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_description: Option<String>,
    /// `originator`: shop, till and cashier; completed from the defaults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub originator: Option<Originator>,
    /// `client`: who sends the message; completed from the defaults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<Institution>,
    /// `settlementEntity`: who settles with the retailer; completed from the defaults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settlement_entity: Option<Institution>,
    /// `receiver`: the provider the message is for; completed from the defaults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiver: Option<Institution>,
    /// `thirdPartyIdentifiers`: how each party on the way calls the transaction.
    #[serde(default, skip_serializing_if = "ThirdPartyIdentifiers::is_empty")]
    #[builder(default, into)]
    pub third_party_identifiers: ThirdPartyIdentifiers,
    /// `slipData`: what to print for the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slip_data: Option<SlipData>,
    /// `basketRef`: ties together the transactions of one purchase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basket_ref: Option<String>,
    /// `tranType`: the kind of transaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tran_type: Option<TransactionType>,
    /// `srcAccType`: the kind of account the money comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub src_acc_type: Option<AccountType>,
    /// `destAccType`: the kind of account the money goes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dest_acc_type: Option<AccountType>,
    /// `stan`: system trace audit number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stan: Option<String>,
    /// `rrn`: retrieval reference number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rrn: Option<String>,
    /// `amount`: of the order, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// `senderDetails`: who sent the money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_details: Option<PersonalDetails>,
    /// `orderRedeemRefAlt`: the other reference on the receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_redeem_ref_alt: Option<Sensitive>,
    /// `orderId`: the provider's name for the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// `customerProfileId`: the customer's profile at the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_profile_id: Option<String>,
}

impl Fill for UpdateOrderStatusRequest {
    fn fill(&mut self, defaults: &Defaults) {
        let parties = Parties {
            originator: &mut self.originator,
            client: &mut self.client,
            settlement_entity: &mut self.settlement_entity,
            receiver: &mut self.receiver,
        };
        parties.fill(defaults);
    }
}

impl Check for UpdateOrderStatusRequest {
    fn inspect(&self, rules: &mut Rules) {
        let references = [&self.order_redeem_ref, &self.remittance_ref];
        rules.at_least_one(
            "orderRedeemRef",
            &references.map(|reference| reference.as_ref().map(Sensitive::expose)),
            "is required, unless remittanceRef is given",
        );
        rules.required_text("status", self.status.as_str(), &[]);
        rules.optional_part("originator", self.originator.as_ref());
        rules.optional_part("client", self.client.as_ref());
        rules.optional_part("settlementEntity", self.settlement_entity.as_ref());
        rules.optional_part("receiver", self.receiver.as_ref());
        rules.elements(
            "thirdPartyIdentifiers",
            &self.third_party_identifiers.entries(),
        );
        rules.optional_part("slipData", self.slip_data.as_ref());
        rules.optional_part("amount", self.amount.as_ref());
        rules.optional_part("senderDetails", self.sender_details.as_ref());
    }
}
