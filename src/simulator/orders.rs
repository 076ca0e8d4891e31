//! Selling: createOrder, and lookupOrder for what became of it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    accounts::{Desk, Names, StoredOrder, UNKNOWN},
    answer::{Answer, Problem},
    call::{Call, text},
    customers,
    echo::echo,
    outcome::{Outcome, Refusal},
    records::{Leg, Order},
    time,
};

const LARGEST_A_DAY: i64 = 500_000;
const LARGEST_A_MONTH: i64 = 1_000_000;

/// createOrder: approves an order, which is redeemable once it is confirmed.
pub(super) fn create(desk: &mut Desk<'_>, call: &Call) -> Outcome {
    if !desk.provider_quirks {
        given_all(call)?;
    }
    own_client_id(desk, call)?;
    desk.account.fresh(call)?;
    within_limits(amount(&call.json))?;
    let sender = sender(desk, call)?;
    given_institutions(desk, call)?;
    let profile_id = sender.profile_id(desk, call);
    let order = stored(desk, call, profile_id);
    let answer = approval(desk, call, &order);
    desk.account.add_order(order);
    Ok(answer)
}

/// lookupOrder: the state of an order, by its redeem reference or else by its remittance reference.
pub(super) fn lookup(desk: &mut Desk<'_>, call: &Call) -> Outcome {
    let names = Names {
        redeem: call.parameter("orderRedeemRef"),
        remittance: call
            .parameter("remittanceRef")
            .filter(|_| !desk.provider_quirks),
        ..Names::default()
    };
    // The provider's server demands the reference and nothing else, not even the receiver.
    if names.is_none() {
        return Err(Problem::missing("orderRedeemRef").into());
    }
    let order = desk.account.order_named(&names).ok_or(UNKNOWN)?;
    let order = &desk.account.orders[order];
    Ok(Answer::json(
        200,
        json!({
            "amount": order.request["amount"],
            "status": order.status(),
            "statusDescription": order.told.as_ref().and_then(|told| told.description.clone()),
            "originator": order.request["originator"],
            "receiver": order.request["receiver"],
        }),
    ))
}

/// The user name has to be the client's id in what moves money, and with the provider's quirks a short number.
pub(super) fn own_client_id(desk: &Desk<'_>, call: &Call) -> Result<(), Problem> {
    let id = call.text("/client/id").unwrap_or_default();
    if id != call.user() {
        return Err(Problem::new(
            "AUTHENTICATION_ERROR",
            "The user name is not the client's id",
        ));
    }
    let is_short_number = (1..=11).contains(&id.len()) && id.bytes().all(|c| c.is_ascii_digit());
    if desk.provider_quirks && !is_short_number {
        return Err(Problem::format(vec![
            "client.id must be 1 to 11 digits".to_owned(),
        ]));
    }
    Ok(())
}

/// The amount of a message in minor units.
pub(super) fn amount(message: &Value) -> i64 {
    message["amount"]["amount"].as_i64().unwrap_or(i64::MAX)
}

/// The identifiers that came with the request, and one more for each institution that had a part in the answer.
pub(super) fn identifiers(desk: &mut Desk<'_>, call: &Call, institutions: &[&Value]) -> Value {
    let mut all = call.json["thirdPartyIdentifiers"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    for id in institutions
        .iter()
        .filter_map(|institution| text(institution, "/id"))
    {
        let transaction = desk.uuid();
        all.push(json!({ "institutionId": id, "transactionIdentifier": transaction }));
    }
    Value::Array(all)
}

/// What the provider's server falls over, all at once.
fn given_all(call: &Call) -> Result<(), Problem> {
    let is_missing = |name: &&str| call.json.get(*name).is_none();
    let names = ["newCustomer", "receiver", "settlementEntity"];
    let mut missing: Vec<&str> = names.into_iter().filter(is_missing).collect();
    if call.json["newCustomer"] == true && call.text("/senderDetails/idNumber").is_none() {
        missing.push("senderDetails.idNumber");
    }
    Problem::if_missing(&missing)
}

fn given_institutions(desk: &Desk<'_>, call: &Call) -> Result<(), Refusal> {
    for name in ["settlementEntity", "receiver"] {
        if call.json.get(name).is_none() {
            return Err(desk.missing(name));
        }
    }
    Ok(())
}

fn within_limits(amount: i64) -> Result<(), Problem> {
    if amount <= 0 {
        Err(Problem::new(
            "INVALID_AMOUNT",
            "The amount is not above zero",
        ))
    } else if amount > LARGEST_A_MONTH {
        Err(Problem::new(
            "MONTHLY_LIMIT_EXCEEDED",
            "Above the limit of a month",
        ))
    } else if amount > LARGEST_A_DAY {
        Err(Problem::new(
            "DAILY_LIMIT_EXCEEDED",
            "Above the limit of a day",
        ))
    } else {
        Ok(())
    }
}

/// What the sender is to the provider.
enum Sender {
    /// Becomes a customer with this order, and not before it is approved.
    New,
    Customer(String),
    /// Neither new nor with a profile: nothing to check, nothing to remember.
    Unregistered,
}

impl Sender {
    fn profile_id(self, desk: &mut Desk<'_>, call: &Call) -> Option<String> {
        match self {
            Sender::New => Some(customers::welcome(
                desk,
                &call.json,
                &call.json["senderDetails"],
            )),
            Sender::Customer(profile_id) => Some(profile_id),
            Sender::Unregistered => None,
        }
    }
}

/// Finds the customer the sender says to be, if one at all.
fn sender(desk: &Desk<'_>, call: &Call) -> Result<Sender, Refusal> {
    let Some(new_customer) = call.json["newCustomer"].as_bool() else {
        return Err(desk.missing("newCustomer"));
    };
    let id_number = call.text("/senderDetails/idNumber");
    if new_customer {
        if id_number.is_none() {
            return Err(desk.missing("senderDetails.idNumber"));
        }
        return Ok(Sender::New);
    }
    let Some(profile_id) = call.text("/customerProfileId") else {
        return Ok(Sender::Unregistered);
    };
    known_sender(desk, profile_id, id_number)?;
    Ok(Sender::Customer(profile_id.to_owned()))
}

fn known_sender(desk: &Desk<'_>, profile_id: &str, id_number: Option<&str>) -> Result<(), Refusal> {
    match desk.account.customers.by_profile(profile_id) {
        Some(customer) if customer.id_number() == id_number => Ok(()),
        Some(_) => Err(customers::CHECK_FAILED.into()),
        None if desk.provider_quirks => Err(Answer::internal_fault().into()),
        None => Err(Problem::format(vec!["customerProfileId is unknown".to_owned()]).into()),
    }
}

fn stored(desk: &mut Desk<'_>, call: &Call, profile_id: Option<String>) -> StoredOrder {
    *desk.orders_made += 1;
    let shown = Order {
        number: *desk.orders_made,
        user: call.user().to_owned(),
        leg: Leg::new(call.id().unwrap_or_default()),
        redeem_ref: fresh_reference(desk),
        amount: amount(&call.json),
        currency: call.text("/amount/currency").unwrap_or_default().to_owned(),
        redemptions: Vec::new(),
        cancellations: Vec::new(),
    };
    StoredOrder {
        shown: Arc::new(shown),
        time: call.text("/time").and_then(time::read),
        redeem_ref_alt: None,
        remittance_ref: None,
        pin_block: call.text("/pin/pinBlock").map(str::to_owned),
        wrong_pins: 0,
        customer_profile_id: profile_id,
        told: None,
        request: call.json.clone(),
    }
}

/// 20 digits that no other order of the account has.
fn fresh_reference(desk: &mut Desk<'_>) -> String {
    loop {
        let reference = desk.digits(20);
        if desk.account.order_by_reference(&reference).is_none() {
            return reference;
        }
    }
}

fn approval(desk: &mut Desk<'_>, call: &Call, order: &StoredOrder) -> Answer {
    let id = &order.shown.leg.request_id;
    let mut body = echo(call);
    body["thirdPartyIdentifiers"] = identifiers(
        desk,
        call,
        &[&call.json["receiver"], &call.json["settlementEntity"]],
    );
    body["orderId"] = json!(id);
    body["orderRedeemRef"] = json!(order.shown.redeem_ref);
    body["customerProfileId"] = json!(order.customer_profile_id);
    Answer::json(201, body).with(http::header::LOCATION, location(call, id))
}

/// Where the order is from now on. Any text is an id, and only some texts can stand in a URL.
fn location(call: &Call, id: &str) -> String {
    let orders = format!("http://{}{}/orders", call.host, super::BASE_PATH);
    let Ok(mut url) = orders.parse::<url::Url>() else {
        // The client calls this server something that is no name: it will not follow anyway.
        return orders;
    };
    if let Ok(mut path) = url.path_segments_mut() {
        path.push(id);
    }
    url.into()
}
