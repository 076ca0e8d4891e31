//! The customers of an account: createOrUpdateCustomer and getCustomerInfo.

use serde_json::{Value, json};

use super::{
    accounts::{Account, Desk, UNKNOWN},
    answer::{Answer, Problem},
    call::{Call, text},
    checks::demand,
    outcome::Outcome,
    shapes::is_id_type,
};

pub(super) const CHECK_FAILED: Problem = Problem::new(
    "CUSTOMER_CHECK_FAILED",
    "The customer's profile and identity do not match",
);

/// A customer: the message that made or last changed the record.
pub(super) struct Customer {
    pub(super) profile_id: String,
    pub(super) record: Value,
}

impl Customer {
    pub(super) fn id_number(&self) -> Option<&str> {
        text(&self.record, "/customerDetails/idNumber")
    }

    fn answer(&self, status: u16) -> Answer {
        let mut body = self.record.clone();
        body["customerProfileId"] = json!(self.profile_id);
        Answer::json(status, body)
    }
}

impl Account {
    pub(super) fn customer(&self, profile_id: &str) -> Option<&Customer> {
        self.customers
            .iter()
            .find(|customer| customer.profile_id == profile_id)
    }

    /// The newest record of this identity number.
    fn customer_by_id_number(&self, id_number: &str) -> Option<usize> {
        let is_it = |customer: &Customer| customer.id_number() == Some(id_number);
        self.customers.iter().rposition(is_it)
    }
}

/// Makes a customer of the person described, and answers the fresh profile id.
pub(super) fn welcome(desk: &mut Desk<'_>, message: &Value, person: &Value) -> String {
    let profile_id = desk.digits(10);
    desk.account.customers.push(Customer {
        profile_id: profile_id.clone(),
        record: json!({
            "originator": message["originator"],
            "receiver": message["receiver"],
            "customerDetails": person,
        }),
    });
    profile_id
}

/// createOrUpdateCustomer: a new identity number makes a customer, a known one must bring its profile id.
pub(super) fn create_or_update(desk: &mut Desk<'_>, call: &Call) -> Outcome {
    let Some(id_number) = call.text("/customerDetails/idNumber") else {
        return Err(Problem::missing("customerDetails.idNumber").into());
    };
    let Some(known) = desk.account.customer_by_id_number(id_number) else {
        let profile_id = desk.digits(10);
        let customer = Customer {
            profile_id,
            record: call.json.clone(),
        };
        let answer = customer.answer(201);
        desk.account.customers.push(customer);
        return Ok(answer);
    };
    let customer = &mut desk.account.customers[known];
    if call.text("/customerProfileId") != Some(&customer.profile_id) {
        return Err(CHECK_FAILED.into());
    }
    customer.record = call.json.clone();
    Ok(customer.answer(200))
}

/// getCustomerInfo: by identity number, and only if all else that is given fits the record too.
pub(super) fn info(desk: &mut Desk<'_>, call: &Call) -> Outcome {
    if call
        .parameter("idType")
        .is_some_and(|given| !is_id_type(given))
    {
        return Err(Answer::html(404).into());
    }
    demand(call, &["idNumber"])?;
    let id_number = call.parameter("idNumber").unwrap_or_default();
    let known = desk
        .account
        .customer_by_id_number(id_number)
        .ok_or(UNKNOWN)?;
    let customer = &desk.account.customers[known];
    let differs = |(name, pointer): &(&str, &str)| {
        let given = call.parameter(name);
        given.is_some() && given != text(&customer.record, pointer)
    };
    if COMPARED.iter().any(differs) {
        return Err(UNKNOWN.into());
    }
    Ok(customer.answer(200))
}

/// The query parameters that must fit the record, and where they stand in it.
const COMPARED: &[(&str, &str)] = &[
    ("receiverId", "/receiver/id"),
    ("idType", "/customerDetails/idType"),
    ("idCountryCode", "/customerDetails/idCountryCode"),
    ("merchantId", "/originator/merchant/merchantId"),
    ("originatorInstId", "/originator/institution/id"),
];
