//! The customers of an account: createOrUpdateCustomer and getCustomerInfo.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{
    accounts::{Desk, UNKNOWN},
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

/// The customers of one account, and where each of them is found: every order asks.
#[derive(Default)]
pub(super) struct CustomerFile {
    all: Vec<Customer>,
    by_profile: HashMap<String, usize>,
    /// The newest record of each identity number. An update leaves the number what it was.
    by_id_number: HashMap<String, usize>,
}

impl CustomerFile {
    pub(super) fn by_profile(&self, profile_id: &str) -> Option<&Customer> {
        self.all.get(*self.by_profile.get(profile_id)?)
    }

    fn by_id_number(&self, id_number: &str) -> Option<&Customer> {
        self.all.get(*self.by_id_number.get(id_number)?)
    }

    fn by_id_number_mut(&mut self, id_number: &str) -> Option<&mut Customer> {
        self.all.get_mut(*self.by_id_number.get(id_number)?)
    }

    fn add(&mut self, customer: Customer) {
        let place = self.all.len();
        self.by_profile.insert(customer.profile_id.clone(), place);
        if let Some(id_number) = customer.id_number() {
            self.by_id_number.insert(id_number.to_owned(), place);
        }
        self.all.push(customer);
    }
}

/// 10 digits that no other customer of the account has.
fn fresh_profile(desk: &mut Desk<'_>) -> String {
    loop {
        let profile_id = desk.digits(10);
        if desk.account.customers.by_profile(&profile_id).is_none() {
            return profile_id;
        }
    }
}

/// Makes a customer of the person described, and answers the fresh profile id.
pub(super) fn welcome(desk: &mut Desk<'_>, message: &Value, person: &Value) -> String {
    let profile_id = fresh_profile(desk);
    desk.account.customers.add(Customer {
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
    let Some(customer) = desk.account.customers.by_id_number_mut(id_number) else {
        let profile_id = fresh_profile(desk);
        let customer = Customer {
            profile_id,
            record: call.json.clone(),
        };
        let answer = customer.answer(201);
        desk.account.customers.add(customer);
        return Ok(answer);
    };
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
    let customer = desk.account.customers.by_id_number(id_number);
    let customer = customer.ok_or(UNKNOWN)?;
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
