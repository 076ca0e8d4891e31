//! Who takes part: institutions, the shop, the till, the cashier.

use serde::{Deserialize, Serialize};

use super::absent;
use super::check::{
    AT_MOST_2, AT_MOST_13, AT_MOST_23, AT_MOST_30, AT_MOST_40, Check, EXACTLY_8, EXACTLY_15,
    FOUR_DIGITS, Rules,
};

/// A party to the transaction (`Institution` on the wire): client, receiver, settlement entity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, bon::Builder)]
#[builder(on(String, into))]
#[non_exhaustive]
pub struct Institution {
    /// `id`: assigned by the provider; required.
    #[serde(default, deserialize_with = "absent::or_default")]
    pub id: String,
    /// `name`: required, at most 40 characters.
    #[serde(default, deserialize_with = "absent::or_default")]
    pub name: String,
}

impl Institution {
    /// An institution of this id and name.
    #[must_use]
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
        }
    }
}

impl Check for Institution {
    fn inspect(&self, rules: &mut Rules) {
        rules.required_text("id", &self.id, &[]);
        rules.required_text("name", &self.name, &[AT_MOST_40]);
    }
}

/// Where a message comes from (`Originator` on the wire): the shop, the till, the cashier.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, bon::Builder)]
#[serde(rename_all = "camelCase")]
#[builder(on(String, into))]
#[non_exhaustive]
pub struct Originator {
    /// `institution`: the retailer; required. Empty where an answer lacks it.
    #[serde(default, deserialize_with = "absent::or_default")]
    pub institution: Institution,
    /// `terminalId`: the till, exactly 8 characters.
    #[serde(default, deserialize_with = "absent::or_default")]
    pub terminal_id: String,
    /// `merchant`: the shop; required. Empty where an answer lacks it.
    #[serde(default, deserialize_with = "absent::or_default")]
    pub merchant: Merchant,
    /// `operatorId`: the cashier, at most 30 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator_id: Option<String>,
}

impl Check for Originator {
    fn inspect(&self, rules: &mut Rules) {
        rules.filled_part("institution", &self.institution);
        rules.required_text("terminalId", &self.terminal_id, &[EXACTLY_8]);
        rules.filled_part("merchant", &self.merchant);
        rules.optional_text("operatorId", self.operator_id.as_deref(), &[AT_MOST_30]);
    }
}

/// The shop (`Merchant` on the wire).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, bon::Builder)]
#[serde(rename_all = "camelCase")]
#[builder(on(String, into))]
#[non_exhaustive]
pub struct Merchant {
    /// `merchantType`: the merchant category code, four digits.
    #[serde(default, deserialize_with = "absent::or_default")]
    pub merchant_type: String,
    /// `merchantId`: exactly 15 characters.
    #[serde(default, deserialize_with = "absent::or_default")]
    pub merchant_id: String,
    /// `merchantName`: name and place.
    #[serde(default, deserialize_with = "absent::or_default")]
    pub merchant_name: MerchantName,
}

impl Check for Merchant {
    fn inspect(&self, rules: &mut Rules) {
        rules.required_text("merchantType", &self.merchant_type, &[FOUR_DIGITS]);
        rules.required_text("merchantId", &self.merchant_id, &[EXACTLY_15]);
        rules.filled_part("merchantName", &self.merchant_name);
    }
}

/// Name and place of a shop (`MerchantName` on the wire), as it is printed on statements.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, bon::Builder)]
#[builder(on(String, into))]
#[non_exhaustive]
pub struct MerchantName {
    /// `name`: required, at most 23 characters.
    #[serde(default, deserialize_with = "absent::or_default")]
    pub name: String,
    /// `city`: required, at most 13 characters.
    #[serde(default, deserialize_with = "absent::or_default")]
    pub city: String,
    /// `region`: required, at most 2 characters.
    #[serde(default, deserialize_with = "absent::or_default")]
    pub region: String,
    /// `country`: required, at most 2 characters.
    #[serde(default, deserialize_with = "absent::or_default")]
    pub country: String,
}

impl Check for MerchantName {
    fn inspect(&self, rules: &mut Rules) {
        rules.required_text("name", &self.name, &[AT_MOST_23]);
        rules.required_text("city", &self.city, &[AT_MOST_13]);
        rules.required_text("region", &self.region, &[AT_MOST_2]);
        rules.required_text("country", &self.country, &[AT_MOST_2]);
    }
}
