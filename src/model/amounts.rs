//! The amounts of a transaction beside the one it is about.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::absent;
use super::check::{Check, Rules};
use super::money::Money;

/// Amounts of a transaction or an advice (`Amounts` on the wire).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, bon::Builder)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Amounts {
    /// `requestAmount`: what was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_amount: Option<Money>,
    /// `approvedAmount`: what was approved; in an advice, what finally stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved_amount: Option<Money>,
    /// `feeAmount`: the fee.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fee_amount: Option<Money>,
    /// `balanceAmount`: what is left on the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance_amount: Option<Money>,
    /// `additionalAmounts`: any others, by name.
    #[serde(
        default,
        deserialize_with = "absent::map",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[builder(default)]
    pub additional_amounts: BTreeMap<String, Money>,
}

impl Check for Amounts {
    fn inspect(&self, rules: &mut Rules) {
        rules.optional_part("requestAmount", self.request_amount.as_ref());
        rules.optional_part("approvedAmount", self.approved_amount.as_ref());
        rules.optional_part("feeAmount", self.fee_amount.as_ref());
        rules.optional_part("balanceAmount", self.balance_amount.as_ref());
        rules.within("additionalAmounts", |rules| {
            for (name, amount) in &self.additional_amounts {
                rules.part(name, amount);
            }
        });
    }
}
