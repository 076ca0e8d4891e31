//! What the interface demands of a server beyond the content of its answers: which operations there
//! have to be, with which status they succeed, and what an answer is labelled.

use money_transfer_retailer::Operation;
use serde_json::Value;

use super::echoes::{self, OrderIds};
use super::required;
use super::wire::{Exchange, Head};

/// When a server fails for what it does not offer.
pub(crate) const RULE: &str = "The operations of version 2.5 are the least that a server has to offer: createOrder, \
redeemOrder, confirmPayment, reversePayment, confirmRedeem, reverseRedeem, lookupOrder, getCustomerInfo, \
createOrUpdateCustomer and getFeeQuote. One of these that is missing is a fail, and so is a run of all flows \
in which no step of it passed. An operation that came later may be missing: \"not supported\", which a server says \
with 501, or with 404 or 405 without an ErrorDetail. One that works once must not be missing at another time, and a \
server that takes cancelOrder has to take its reversal. Any other error is about the message, and a fail where a \
success was expected.";

/// The most characters that an ErrorDetail has for its errorMessage.
const LONGEST_ERROR_MESSAGE: usize = 80;

/// Whether the operation came after version 2.5, which servers still stand at: such a one may be
/// missing. Every other one is the least that a server has to offer.
pub(crate) fn came_later(operation: Operation) -> bool {
    use Operation as O;
    matches!(
        operation,
        O::CancelOrder
            | O::CancelOrderReversal
            | O::UpdateOrderStatus
            | O::UpdateOrderPin
            | O::GetFeeQuoteByPost
            | O::GetExchangeRate
            | O::GetCustomerOrderHistory
    )
}

/// The operations that every server has to offer.
pub(crate) fn minimum() -> impl Iterator<Item = Operation> {
    Operation::ALL
        .into_iter()
        .filter(|operation| !came_later(*operation))
}

/// Why an operation that is missing is a failure.
pub(crate) fn missing_words(status: u16, operation: Operation) -> String {
    let why = match came_later(operation) {
        false => "this operation is part of every version since 2.5: a server has to offer it",
        true => "this server has answered it before: an operation is offered every time, or never",
    };
    format!("not offered (HTTP {status}), but {why}")
}

/// What is wrong with the answer as HTTP, whatever is in it.
pub(crate) fn faults(exchange: &Exchange) -> Vec<String> {
    let (Some(operation), Some(head)) = (exchange.operation(), &exchange.head) else {
        return Vec::new();
    };
    if !exchange.is_whole() || !(200..300).contains(&head.status) {
        return Vec::new();
    }
    let mut faults = Vec::new();
    let demanded = success(operation, exchange);
    if !demanded.contains(&head.status) {
        let demanded = demanded.iter().map(u16::to_string);
        let demanded = demanded.collect::<Vec<_>>().join(" or ");
        let status = head.status;
        faults.push(format!(
            "HTTP {status} where the interface has {demanded} for {operation}"
        ));
    }
    if let (Some(label), false) = (&head.content_type, exchange.received.is_empty())
        && !is_json(label)
    {
        faults.push(format!("a JSON body that is labelled {label}"));
    }
    faults
}

/// What is worth a look, and no failure: the interface does not demand it.
pub(crate) fn remarks(exchange: &Exchange, order_ids: &OrderIds) -> Vec<String> {
    let (Some(head), true) = (&exchange.head, exchange.is_whole()) else {
        return Vec::new();
    };
    let mut remarks = about_the_head(exchange, head);
    let response = exchange.response();
    let is_error = response["errorType"].is_string();
    let is_success = (200..300).contains(&head.status) && !is_error;
    let is_too_long = |text: &str| text.chars().count() > LONGEST_ERROR_MESSAGE;
    if is_error && response["errorMessage"].as_str().is_some_and(is_too_long) {
        remarks.push(format!(
            "an errorMessage of more than {LONGEST_ERROR_MESSAGE} characters"
        ));
    }
    if let (Some(operation), true) = (exchange.operation(), is_error || is_success) {
        let missing = required::missing(operation, &response);
        if !missing.is_empty() {
            remarks.push(format!("without the required {}", missing.join(", ")));
        }
    }
    if is_success {
        remarks.extend(echoes::others(exchange, order_ids));
    }
    remarks
}

/// The same of what is not in the body.
fn about_the_head(exchange: &Exchange, head: &Head) -> Vec<String> {
    let mut remarks = Vec::new();
    let is_error = exchange.response()["errorType"].is_string();
    match &head.content_type {
        None if !exchange.received.is_empty() => remarks.push("no Content-Type".to_owned()),
        Some(label) if is_error && !is_json(label) => {
            remarks.push(format!("an ErrorDetail that is labelled {label}"));
        }
        _ => {}
    }
    let creates = exchange.operation() == Some(Operation::CreateOrder);
    if creates && head.status == 201 && head.location.is_none() {
        remarks.push("no Location of the new order".to_owned());
    }
    remarks
}

/// The statuses with which the operation may succeed.
pub(crate) fn successes(operation: Operation) -> &'static [u16] {
    match operation {
        // Nothing is created where the customer is known already.
        Operation::CreateOrUpdateCustomer => &[201, 200],
        _ => operation.success(),
    }
}

/// The same, for this message.
fn success(operation: Operation, exchange: &Exchange) -> &'static [u16] {
    match exchange.request()["customerProfileId"] {
        Value::Null => operation.success(),
        _ => successes(operation),
    }
}

/// `application/json`, with parameters or without, or a type that is JSON with a meaning of its own.
fn is_json(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default();
    let media_type = media_type.trim().to_ascii_lowercase();
    media_type == "application/json"
        || media_type.starts_with("application/") && media_type.ends_with("+json")
}
