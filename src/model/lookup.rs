//! lookupOrder: what has become of an order.

use serde::{Deserialize, Serialize};

use super::check::{Check, MERCHANT_ID, Rules};
use super::codes::OrderStatus;
use super::defaults::{Defaults, Fill, set_absent};
use super::money::Money;
use super::originator::{Institution, Originator};
use super::query::Pairs;
use super::sensitive::Sensitive;

/// Asks what has become of an order: the parameters of lookupOrder.
///
/// Give at least one reference. Where both are given, `order_redeem_ref` wins. Some servers demand it.
#[derive(Debug, Clone, Default, PartialEq, Eq, bon::Builder)]
#[builder(on(String, into), on(Sensitive, into))]
#[non_exhaustive]
pub struct LookupOrderQuery {
    /// `orderRedeemRef`: the reference that money is collected with.
    pub order_redeem_ref: Option<Sensitive>,
    /// `remittanceRef`: the provider's reference of the transfer.
    pub remittance_ref: Option<Sensitive>,
    /// `merchantId`: 1 to 15 letters, digits and spaces; from the defaults' originator.
    pub merchant_id: Option<String>,
    /// `originatorInstId`: id of the retailer; from the defaults' originator.
    pub originator_inst_id: Option<String>,
    /// `receiverId`: id of the provider, required; from the defaults.
    pub receiver_id: Option<String>,
    /// `settlementEntityId` (so called here only); from the defaults.
    pub settlement_entity_id: Option<String>,
}

impl LookupOrderQuery {
    /// Names and values of the parameters, not yet percent-encoded.
    #[must_use]
    pub fn to_query_pairs(&self) -> Vec<(&'static str, Sensitive)> {
        let mut pairs = Pairs::default();
        pairs.secret("orderRedeemRef", self.order_redeem_ref.as_ref());
        pairs.secret("remittanceRef", self.remittance_ref.as_ref());
        pairs.text("merchantId", self.merchant_id.as_ref());
        pairs.text("originatorInstId", self.originator_inst_id.as_ref());
        pairs.text("receiverId", self.receiver_id.as_ref());
        pairs.text("settlementEntityId", self.settlement_entity_id.as_ref());
        pairs.done()
    }
}

impl Fill for LookupOrderQuery {
    fn fill(&mut self, defaults: &Defaults) {
        set_absent(&mut self.merchant_id, defaults.merchant_id());
        set_absent(&mut self.originator_inst_id, defaults.originator_inst_id());
        set_absent(&mut self.receiver_id, defaults.receiver_id());
        set_absent(
            &mut self.settlement_entity_id,
            defaults.settlement_entity_id(),
        );
    }
}

impl Check for LookupOrderQuery {
    fn inspect(&self, rules: &mut Rules) {
        let references = [&self.order_redeem_ref, &self.remittance_ref];
        rules.at_least_one(
            "orderRedeemRef",
            &references.map(|reference| reference.as_ref().map(Sensitive::expose)),
            "is required, unless remittanceRef is given",
        );
        rules.optional_text("merchantId", self.merchant_id.as_deref(), &[MERCHANT_ID]);
        rules.required_text(
            "receiverId",
            self.receiver_id.as_deref().unwrap_or_default(),
            &[],
        );
    }
}

/// What has become of an order: lookupOrder, `MoneyTransferLookupResponse` on the wire; also one entry of a customer's
/// order history.
///
/// Readable when it holds an amount or a status: an answer without either says nothing of the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bon::Builder)]
#[serde(rename_all = "camelCase", try_from = "Found")]
#[builder(on(String, into), on(Sensitive, into))]
#[non_exhaustive]
pub struct LookupOrderResponse {
    /// `amount`: what the recipient gets or got, in minor units; required on the wire, but the status counts without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// `status`: what has become of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<OrderStatus>,
    /// `statusDescription`: the same in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_description: Option<String>,
    /// `originator`: where it was sold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub originator: Option<Originator>,
    /// `receiver`: the provider; required on the wire.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiver: Option<Institution>,
    /// `settlementEntity`: who settles with the retailer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settlement_entity: Option<Institution>,
    /// `orderRedeemRef`: the reference that money is collected with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_redeem_ref: Option<Sensitive>,
    /// `orderRedeemRefAlt`: the other reference on the receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_redeem_ref_alt: Option<Sensitive>,
    /// `orderId`: the provider's name for the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
}

/// What an answer holds, before anybody looked whether it says anything.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    amount: Option<Money>,
    status: Option<OrderStatus>,
    status_description: Option<String>,
    originator: Option<Originator>,
    receiver: Option<Institution>,
    settlement_entity: Option<Institution>,
    order_redeem_ref: Option<Sensitive>,
    order_redeem_ref_alt: Option<Sensitive>,
    order_id: Option<String>,
}

/// Worded like the error for a missing field, so that [`read()`](super::read()) can name the place.
#[derive(Debug, thiserror::Error)]
#[error("missing field `amount`, and `status` too")]
struct NothingSaid;

impl TryFrom<Found> for LookupOrderResponse {
    type Error = NothingSaid;

    fn try_from(found: Found) -> Result<Self, Self::Error> {
        if found.amount.is_none() && found.status.is_none() {
            return Err(NothingSaid);
        }
        Ok(Self {
            amount: found.amount,
            status: found.status,
            status_description: found.status_description,
            originator: found.originator,
            receiver: found.receiver,
            settlement_entity: found.settlement_entity,
            order_redeem_ref: found.order_redeem_ref,
            order_redeem_ref_alt: found.order_redeem_ref_alt,
            order_id: found.order_id,
        })
    }
}
