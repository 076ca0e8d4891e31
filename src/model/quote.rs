//! getFeeQuote: what a transfer would cost.

use serde::{Deserialize, Serialize};

use super::check::{Check, MERCHANT_ID, Rules};
use super::defaults::{Defaults, Fill, set_absent};
use super::money::Money;
use super::originator::{Institution, Originator};
use super::person::PersonalDetails;
use super::query::Pairs;
use super::sensitive::Sensitive;
use super::timestamp::Timestamp;

/// Asks what a transfer would cost, by query: the parameters of getFeeQuote.
#[derive(Debug, Clone, PartialEq, Eq, bon::Builder)]
#[builder(on(String, into), on(Sensitive, into))]
#[non_exhaustive]
pub struct FeeQuoteQuery {
    /// `amount`: in minor units of the currency agreed with the provider; not negative.
    pub amount: i64,
    /// `amountIncludesFee`: whether the fee is part of the amount.
    pub amount_includes_fee: bool,
    /// `idNumber`: number of the sender's identity document.
    pub id_number: Option<Sensitive>,
    /// `merchantId`: 1 to 15 letters, digits and spaces; from the defaults' originator.
    pub merchant_id: Option<String>,
    /// `originatorInstId`: id of the retailer, required; from the defaults' originator.
    pub originator_inst_id: Option<String>,
    /// `receiverId`: id of the provider, required; from the defaults.
    pub receiver_id: Option<String>,
    /// `senderCell`: the sender's mobile number.
    pub sender_cell: Option<Sensitive>,
    /// `recipientCell`: the recipient's mobile number.
    pub recipient_cell: Option<Sensitive>,
}

impl FeeQuoteQuery {
    /// Names and values of the parameters, not yet percent-encoded.
    #[must_use]
    pub fn to_query_pairs(&self) -> Vec<(&'static str, Sensitive)> {
        let mut pairs = Pairs::default();
        pairs.text("amount", Some(&self.amount));
        pairs.text("amountIncludesFee", Some(&self.amount_includes_fee));
        pairs.secret("idNumber", self.id_number.as_ref());
        pairs.text("merchantId", self.merchant_id.as_ref());
        pairs.text("originatorInstId", self.originator_inst_id.as_ref());
        pairs.text("receiverId", self.receiver_id.as_ref());
        pairs.secret("senderCell", self.sender_cell.as_ref());
        pairs.secret("recipientCell", self.recipient_cell.as_ref());
        pairs.done()
    }
}

impl Fill for FeeQuoteQuery {
    fn fill(&mut self, defaults: &Defaults) {
        set_absent(&mut self.merchant_id, defaults.merchant_id());
        set_absent(&mut self.originator_inst_id, defaults.originator_inst_id());
        set_absent(&mut self.receiver_id, defaults.receiver_id());
    }
}

impl Check for FeeQuoteQuery {
    fn inspect(&self, rules: &mut Rules) {
        if self.amount < 0 {
            rules.broken("amount", "must not be negative");
        }
        rules.optional_text("merchantId", self.merchant_id.as_deref(), &[MERCHANT_ID]);
        rules.required_text(
            "originatorInstId",
            self.originator_inst_id.as_deref().unwrap_or_default(),
            &[],
        );
        rules.required_text(
            "receiverId",
            self.receiver_id.as_deref().unwrap_or_default(),
            &[],
        );
    }
}

/// Asks what a transfer would cost, by body: getFeeQuote by POST, `MoneyTransferQuoteRequest` on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bon::Builder)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct FeeQuoteRequest {
    /// `originator`: shop, till and cashier; required on the wire, completed from the defaults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub originator: Option<Originator>,
    /// `receiver`: the provider; required on the wire, completed from the defaults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiver: Option<Institution>,
    /// `settlementEntity`: who settles with the retailer; completed from the defaults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settlement_entity: Option<Institution>,
    /// `senderDetails`: who would send the money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_details: Option<PersonalDetails>,
    /// `recipientDetails`: who would receive it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient_details: Option<PersonalDetails>,
    /// `amount`: in minor units.
    pub amount: Money,
    /// `amountIncludesFees`: the interface documents `false` as what the sender pays and `true` as what the recipient gets,
    /// which reads the other way round than the name: confirm with the provider.
    pub amount_includes_fees: bool,
}

impl Fill for FeeQuoteRequest {
    fn fill(&mut self, defaults: &Defaults) {
        set_absent(&mut self.originator, defaults.originator.as_ref());
        set_absent(&mut self.receiver, defaults.receiver.as_ref());
        set_absent(
            &mut self.settlement_entity,
            defaults.settlement_entity.as_ref(),
        );
    }
}

impl Check for FeeQuoteRequest {
    fn inspect(&self, rules: &mut Rules) {
        rules.required_part("originator", self.originator.as_ref());
        rules.required_part("receiver", self.receiver.as_ref());
        rules.optional_part("settlementEntity", self.settlement_entity.as_ref());
        rules.optional_part("senderDetails", self.sender_details.as_ref());
        rules.optional_part("recipientDetails", self.recipient_details.as_ref());
        rules.part("amount", &self.amount);
    }
}

/// What a transfer would cost: getFeeQuote, `MoneyTransferFeeQuote` on the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, bon::Builder)]
#[serde(rename_all = "camelCase")]
#[builder(on(String, into))]
#[non_exhaustive]
pub struct FeeQuoteResponse {
    /// `originator`: shop, till and cashier; required on the wire.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub originator: Option<Originator>,
    /// `receiver`: the provider; required on the wire.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiver: Option<Institution>,
    /// `settlementEntity`: who settles with the retailer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settlement_entity: Option<Institution>,
    /// `feeQuote`: the amounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fee_quote: Option<FeeQuote>,
    /// `senderDetails`: who would send the money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_details: Option<PersonalDetails>,
    /// `recipientDetails`: who would receive it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient_details: Option<PersonalDetails>,
    /// `quoteId`: to be given in createOrder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote_id: Option<String>,
    /// `expiryDateTime`: until when the quote holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiry_date_time: Option<Timestamp>,
}

/// The amounts of a fee quote (`FeeQuote` on the wire), in minor units.
///
/// All three or none: a price of which a part is unreadable is no price. Such a quote is left out of the response and named
/// in [`Reading::skipped`](super::Reading), and the response around it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bon::Builder)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct FeeQuote {
    /// `feeAmount`: what the service costs.
    pub fee_amount: Money,
    /// `transferAmount`: what the recipient gets.
    pub transfer_amount: Money,
    /// `totalAmount`: what the sender pays.
    pub total_amount: Money,
}
