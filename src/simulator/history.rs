//! getCustomerOrderHistory: the orders of one customer, narrowed by whatever the query gives.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    accounts::{Desk, StoredOrder, UNKNOWN},
    answer::{Answer, Problem},
    call::{Call, text},
    checks::demand,
    outcome::{Outcome, Refusal},
    shapes::is_status,
    time,
};

/// getCustomerOrderHistory.
pub(super) fn history(desk: &mut Desk<'_>, call: &Call) -> Outcome {
    let filter = Filter::read(call)?;
    let profile_id = call.parameter("customerProfileId").unwrap_or_default();
    let customer = desk
        .account
        .customers
        .by_profile(profile_id)
        .ok_or(UNKNOWN)?;
    let (originator, receiver) = (
        customer.record["originator"].clone(),
        customer.record["receiver"].clone(),
    );
    let entries: Vec<Value> = listed(desk, profile_id, &filter)
        .into_iter()
        .map(|order| entry(desk, order))
        .collect();
    Ok(Answer::json(
        200,
        json!({ "originator": originator, "receiver": receiver, "orders": entries }),
    ))
}

/// The customer's orders that the query asks for.
fn listed(desk: &Desk<'_>, profile_id: &str, filter: &Filter<'_>) -> Vec<usize> {
    let orders = desk.account.orders.iter().enumerate();
    let of_customer = orders
        .filter(|(_, order)| order.customer_profile_id.as_deref() == Some(profile_id))
        .filter(|(_, order)| filter.lets_through(order));
    of_customer.map(|(index, _)| index).collect()
}

/// What the query asks of an order.
struct Filter<'a> {
    /// Members of the request with the text they must have.
    texts: Vec<(&'static str, &'a str)>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    status: Option<&'a str>,
    payment: Option<Payment<'a>>,
}

/// How the recipient is paid: the kind of account, and one of its members with its value.
struct Payment<'a> {
    kind: &'a str,
    name: &'a str,
    value: &'a str,
}

/// The parameters that the interface requires.
const REQUIRED: &[&str] = &["customerProfileId", "receiverId"];

const TEXTS: &[(&str, &str)] = &[
    ("receiverId", "/receiver/id"),
    ("merchantId", "/originator/merchant/merchantId"),
    ("originatorInstId", "/originator/institution/id"),
];

impl<'a> Filter<'a> {
    fn read(call: &'a Call) -> Result<Self, Refusal> {
        let status = call.parameter("status");
        if status.is_some_and(|status| !is_status(status)) {
            return Err(Answer::html(404).into());
        }
        let (from, to) = (
            moment(call.parameter("fromDateTime"))?,
            moment(call.parameter("toDateTime"))?,
        );
        demand(call, REQUIRED)?;
        let given =
            |(name, pointer): &(&str, &'static str)| Some((*pointer, call.parameter(name)?));
        Ok(Filter {
            texts: TEXTS.iter().filter_map(given).collect(),
            from,
            to,
            status,
            payment: Payment::read(call)?,
        })
    }

    /// The first moment is included, the last is not.
    fn lets_through(&self, order: &StoredOrder) -> bool {
        let fits = |(pointer, wanted): &(&str, &str)| text(&order.request, pointer) == Some(wanted);
        self.texts.iter().all(fits)
            && self.from.is_none_or(|from| order.time >= Some(from))
            && self.to.is_none_or(|to| order.time < Some(to))
            && self.status.is_none_or(|status| order.status() == status)
            && self
                .payment
                .as_ref()
                .is_none_or(|payment| payment.fits(order))
    }
}

impl<'a> Payment<'a> {
    /// The name and the value are required with the kind.
    fn read(call: &'a Call) -> Result<Option<Self>, Problem> {
        let Some(kind) = call.parameter("paymentType") else {
            return Ok(None);
        };
        let (name, value) = ("paymentIdentifierName", "paymentIdentifierValue");
        demand(call, &[name, value])?;
        Ok(Some(Payment {
            kind,
            name: call.parameter(name).unwrap_or_default(),
            value: call.parameter(value).unwrap_or_default(),
        }))
    }

    fn fits(&self, order: &StoredOrder) -> bool {
        let account = &order.request["recipientDetails"]["accountDetails"];
        let has =
            |name: &str, value: &str| account.get(name).and_then(Value::as_str) == Some(value);
        has("type", self.kind) && has(self.name, self.value)
    }
}

/// A time in a query that is none leads to a page that does not exist.
fn moment(given: Option<&str>) -> Result<Option<DateTime<Utc>>, Refusal> {
    match given.map(time::read) {
        Some(None) => Err(Answer::html(404).into()),
        Some(moment) => Ok(moment),
        None => Ok(None),
    }
}

fn entry(desk: &mut Desk<'_>, order: usize) -> Value {
    let alternative = desk.tell_alternative(order);
    let order = &desk.account.orders[order];
    json!({
        "amount": order.request["amount"],
        "status": order.status(),
        "statusDescription": order.told.as_ref().and_then(|told| told.description.clone()),
        "originator": order.request["originator"],
        "receiver": order.request["receiver"],
        "settlementEntity": order.request["settlementEntity"],
        "orderRedeemRef": order.shown.redeem_ref,
        "orderRedeemRefAlt": alternative,
        "orderId": order.shown.leg.request_id,
    })
}
