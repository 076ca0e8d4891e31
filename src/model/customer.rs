//! Customers of the provider: look up, create, update, and the orders they had.

use serde::{Deserialize, Serialize};

use super::absent;
use super::check::{Check, MERCHANT_ID, Rules, TWO_LETTERS};
use super::codes::OrderStatus;
use super::defaults::{Defaults, Fill, set_absent};
use super::lookup::LookupOrderResponse;
use super::originator::{Institution, Originator};
use super::person::{IdType, PersonalDetails};
use super::query::Pairs;
use super::sensitive::Sensitive;
use super::timestamp::Timestamp;

/// A customer: body of createOrUpdateCustomer, answer to it and to getCustomerInfo, `MoneyTransferAdminMessage` on the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, bon::Builder)]
#[serde(rename_all = "camelCase")]
#[builder(on(String, into))]
#[non_exhaustive]
pub struct AdminMessage {
    /// `originator`: shop, till and cashier; required on the wire, completed from the defaults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub originator: Option<Originator>,
    /// `receiver`: the provider; required on the wire, completed from the defaults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiver: Option<Institution>,
    /// `customerDetails`: who the customer is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_details: Option<PersonalDetails>,
    /// `customerProfileId`: the customer's profile at the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_profile_id: Option<String>,
}

impl Fill for AdminMessage {
    fn fill(&mut self, defaults: &Defaults) {
        set_absent(&mut self.originator, defaults.originator.as_ref());
        set_absent(&mut self.receiver, defaults.receiver.as_ref());
    }
}

impl Check for AdminMessage {
    fn inspect(&self, rules: &mut Rules) {
        rules.required_part("originator", self.originator.as_ref());
        rules.required_part("receiver", self.receiver.as_ref());
        rules.optional_part("customerDetails", self.customer_details.as_ref());
    }
}

/// Asks for a customer by identity document: the parameters of getCustomerInfo.
#[derive(Debug, Clone, PartialEq, Eq, bon::Builder)]
#[builder(on(String, into), on(Sensitive, into))]
#[non_exhaustive]
pub struct CustomerInfoQuery {
    /// `idNumber`: number of the identity document; required.
    pub id_number: Sensitive,
    /// `idType`: kind of the identity document.
    pub id_type: Option<IdType>,
    /// `idCountryCode`: the country that issued it, two letters (ISO 3166-1).
    pub id_country_code: Option<String>,
    /// `merchantId`: 1 to 15 letters, digits and spaces; from the defaults' originator.
    pub merchant_id: Option<String>,
    /// `originatorInstId`: id of the retailer; from the defaults' originator.
    pub originator_inst_id: Option<String>,
    /// `receiverId`: id of the provider, required; from the defaults.
    pub receiver_id: Option<String>,
}

impl CustomerInfoQuery {
    /// Names and values of the parameters, not yet percent-encoded.
    #[must_use]
    pub fn to_query_pairs(&self) -> Vec<(&'static str, Sensitive)> {
        let mut pairs = Pairs::default();
        pairs.secret("idNumber", Some(&self.id_number));
        pairs.text("idType", self.id_type.as_ref());
        pairs.text("idCountryCode", self.id_country_code.as_ref());
        pairs.text("merchantId", self.merchant_id.as_ref());
        pairs.text("originatorInstId", self.originator_inst_id.as_ref());
        pairs.text("receiverId", self.receiver_id.as_ref());
        pairs.done()
    }
}

impl Fill for CustomerInfoQuery {
    fn fill(&mut self, defaults: &Defaults) {
        set_absent(&mut self.merchant_id, defaults.merchant_id());
        set_absent(&mut self.originator_inst_id, defaults.originator_inst_id());
        set_absent(&mut self.receiver_id, defaults.receiver_id());
    }
}

impl Check for CustomerInfoQuery {
    fn inspect(&self, rules: &mut Rules) {
        rules.required_text("idNumber", self.id_number.expose(), &[]);
        rules.optional_text(
            "idCountryCode",
            self.id_country_code.as_deref(),
            &[TWO_LETTERS],
        );
        rules.optional_text("merchantId", self.merchant_id.as_deref(), &[MERCHANT_ID]);
        rules.required_text(
            "receiverId",
            self.receiver_id.as_deref().unwrap_or_default(),
            &[],
        );
    }
}

/// Asks for the orders of a customer: the parameters of getCustomerOrderHistory.
///
/// `payment_type` demands `payment_identifier_name` and `payment_identifier_value`.
#[derive(Debug, Clone, PartialEq, Eq, bon::Builder)]
#[builder(on(String, into), on(Sensitive, into))]
#[non_exhaustive]
pub struct OrderHistoryQuery {
    /// `customerProfileId`: the customer's profile at the provider; required.
    pub customer_profile_id: String,
    /// `receiverId`: id of the provider, required; from the defaults.
    pub receiver_id: Option<String>,
    /// `merchantId`: 1 to 15 letters, digits and spaces; from the defaults' originator.
    pub merchant_id: Option<String>,
    /// `originatorInstId`: id of the retailer; from the defaults' originator.
    pub originator_inst_id: Option<String>,
    /// `fromDateTime`: the earliest order, inclusive.
    pub from_date_time: Option<Timestamp>,
    /// `toDateTime`: the latest order, exclusive.
    pub to_date_time: Option<Timestamp>,
    /// `status`: only orders of this status.
    pub status: Option<OrderStatus>,
    /// `paymentType`: only orders paid for in this way.
    pub payment_type: Option<String>,
    /// `paymentIdentifierName`: what identifies the means of payment.
    pub payment_identifier_name: Option<String>,
    /// `paymentIdentifierValue`: which means of payment. Masked, as it may be an account or card number.
    pub payment_identifier_value: Option<Sensitive>,
}

impl OrderHistoryQuery {
    /// Names and values of the parameters, not yet percent-encoded.
    #[must_use]
    pub fn to_query_pairs(&self) -> Vec<(&'static str, Sensitive)> {
        let mut pairs = Pairs::default();
        pairs.text("customerProfileId", Some(&self.customer_profile_id));
        pairs.text("receiverId", self.receiver_id.as_ref());
        pairs.text("merchantId", self.merchant_id.as_ref());
        pairs.text("originatorInstId", self.originator_inst_id.as_ref());
        pairs.text("fromDateTime", self.from_date_time.as_ref());
        pairs.text("toDateTime", self.to_date_time.as_ref());
        pairs.text("status", self.status.as_ref());
        pairs.text("paymentType", self.payment_type.as_ref());
        pairs.text(
            "paymentIdentifierName",
            self.payment_identifier_name.as_ref(),
        );
        pairs.secret(
            "paymentIdentifierValue",
            self.payment_identifier_value.as_ref(),
        );
        pairs.done()
    }
}

impl Fill for OrderHistoryQuery {
    fn fill(&mut self, defaults: &Defaults) {
        set_absent(&mut self.receiver_id, defaults.receiver_id());
        set_absent(&mut self.merchant_id, defaults.merchant_id());
        set_absent(&mut self.originator_inst_id, defaults.originator_inst_id());
    }
}

impl Check for OrderHistoryQuery {
    fn inspect(&self, rules: &mut Rules) {
        rules.required_text("customerProfileId", &self.customer_profile_id, &[]);
        rules.required_text(
            "receiverId",
            self.receiver_id.as_deref().unwrap_or_default(),
            &[],
        );
        rules.optional_text("merchantId", self.merchant_id.as_deref(), &[MERCHANT_ID]);
        if self.payment_type.is_some() {
            let value = self
                .payment_identifier_value
                .as_ref()
                .map(Sensitive::expose);
            let words = "is required with paymentType";
            rules.at_least_one(
                "paymentIdentifierName",
                &[self.payment_identifier_name.as_deref()],
                words,
            );
            rules.at_least_one("paymentIdentifierValue", &[value], words);
        }
    }
}

/// The orders of a customer: getCustomerOrderHistory, `MoneyTransferCustomerOrderHistory` on the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, bon::Builder)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct OrderHistoryResponse {
    /// `receiver`: the provider; required on the wire.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiver: Option<Institution>,
    /// `orders`: the orders found.
    #[serde(
        default,
        deserialize_with = "absent::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[builder(default)]
    pub orders: Vec<LookupOrderResponse>,
    /// `originator`: shop, till and cashier; required on the wire.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub originator: Option<Originator>,
    /// Not on the wire: the paths of what could not be read and was left out. `orders[2]` is an order that the upstream
    /// told of and that is missing above; `orders[0].receiver` is a part of one that is there.
    #[serde(skip)]
    #[builder(default)]
    pub skipped: Vec<String>,
}
