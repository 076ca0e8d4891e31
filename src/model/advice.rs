//! Advices: what the point of sale decided about an approved or unknown request. They hold no PIN and no personal data.

use serde::{Deserialize, Serialize};

use super::amounts::Amounts;
use super::check::{Check, Rules, UUID_V4};
use super::ids::{AdviceId, RequestId};
use super::third_party::ThirdPartyIdentifiers;
use super::timestamp::Timestamp;
use super::wire_enum::wire_enum;

/// Says that the customer paid or was paid: confirmPayment and confirmRedeem, `MoneyTransferConfirmation` (and its base
/// `BasicAdvice`) on the wire.
///
/// A repeat is the same message to the byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bon::Builder)]
#[serde(rename_all = "camelCase")]
#[builder(on(String, into))]
#[non_exhaustive]
pub struct Confirmation {
    /// `id`: the advice's own, the same on every repeat; random unless given.
    #[builder(default = AdviceId::random())]
    pub id: AdviceId,
    /// `requestId`: `id` of the request that is confirmed.
    pub request_id: RequestId,
    /// `time`: when the decision was taken, the same on every repeat.
    pub time: Timestamp,
    /// `thirdPartyIdentifiers`: exactly those of the response; those of the request where the response carried none.
    #[serde(default)]
    #[builder(default, into)]
    pub third_party_identifiers: ThirdPartyIdentifiers,
    /// `stan`: system trace audit number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stan: Option<String>,
    /// `rrn`: retrieval reference number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rrn: Option<String>,
    /// `amounts`: `approved_amount` is what finally stands; absent means all that was approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amounts: Option<Amounts>,
}

impl Check for Confirmation {
    /// The identifiers are the upstream's own words: they are sent back as they are, not checked.
    fn inspect(&self, rules: &mut Rules) {
        rules.optional_text("id", Some(&self.id.to_string()), &[UUID_V4]);
        rules.optional_part("amounts", self.amounts.as_ref());
    }
}

/// Takes back a request: reversePayment and reverseRedeem (`MoneyTransferReversal` on the wire, base `BasicReversal`) and
/// cancelOrderReversal (`MoneyTransferCancelOrderReversal`, the same shape).
///
/// A repeat is the same message to the byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bon::Builder)]
#[serde(rename_all = "camelCase")]
#[builder(on(String, into))]
#[non_exhaustive]
pub struct Reversal {
    /// `id`: the advice's own, the same on every repeat; random unless given.
    #[builder(default = AdviceId::random())]
    pub id: AdviceId,
    /// `requestId`: `id` of the request that is reversed.
    pub request_id: RequestId,
    /// `time`: when the decision was taken, the same on every repeat.
    pub time: Timestamp,
    /// `thirdPartyIdentifiers`: exactly those of the response; those of the request where there was no response or it
    /// carried none.
    #[serde(default)]
    #[builder(default, into)]
    pub third_party_identifiers: ThirdPartyIdentifiers,
    /// `stan`: system trace audit number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stan: Option<String>,
    /// `rrn`: retrieval reference number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rrn: Option<String>,
    /// `amounts`: `approved_amount` is what finally stands; absent means nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amounts: Option<Amounts>,
    /// `reversalReason`: why.
    pub reversal_reason: ReversalReason,
}

impl Check for Reversal {
    /// The identifiers are the upstream's own words: they are sent back as they are, not checked.
    fn inspect(&self, rules: &mut Rules) {
        rules.optional_text("id", Some(&self.id.to_string()), &[UUID_V4]);
        rules.optional_part("amounts", self.amounts.as_ref());
        rules.required_text("reversalReason", self.reversal_reason.as_str(), &[]);
    }
}

wire_enum! {
    /// Why a request is reversed (`BasicReversal_ReversalReason` on the wire).
    pub enum ReversalReason {
        /// There was no response in time.
        Timeout = "TIMEOUT",
        /// The cashier cancelled, or tender failed.
        Cancelled = "CANCELLED",
        /// There was an answer, but one that leaves the outcome unknown.
        ResponseNotFinal = "RESPONSE_NOT_FINAL",
    }
}
