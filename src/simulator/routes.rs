//! Which rule serves which operation.

use crate::model::Operation;

use super::{
    accounts::Desk, advices, answer::Answer, call::Call, cancellations, customers, fees, history,
    orders, outcome::Outcome, rates, redemptions, updates,
};

/// Runs the operation's rule.
pub(super) fn run(desk: &mut Desk<'_>, call: &Call) -> Outcome {
    match call.operation {
        Operation::CreateOrder => orders::create(desk, call),
        Operation::RedeemOrder => redemptions::redeem(desk, call),
        Operation::CancelOrder => cancellations::cancel(desk, call),
        Operation::ConfirmPayment
        | Operation::ReversePayment
        | Operation::ConfirmRedeem
        | Operation::ReverseRedeem
        | Operation::CancelOrderReversal => advices::advise(desk, call),
        Operation::LookupOrder => orders::lookup(desk, call),
        Operation::GetCustomerInfo => customers::info(desk, call),
        Operation::CreateOrUpdateCustomer => customers::create_or_update(desk, call),
        Operation::UpdateOrderStatus => updates::status(desk, call),
        Operation::UpdateOrderPin => updates::pin(desk, call),
        Operation::GetFeeQuote => fees::quote(desk, call),
        Operation::GetFeeQuoteByPost => fees::quote_by_post(desk, call),
        Operation::GetExchangeRate => rates::rate(call),
        Operation::GetCustomerOrderHistory => history::history(desk, call),
    }
}

/// The provider's server is of an earlier version: it has no page for the operations that came later.
pub(super) fn unknown_to_the_provider(operation: Operation) -> Option<Answer> {
    match operation {
        Operation::UpdateOrderStatus | Operation::UpdateOrderPin => Some(Answer::empty(404)),
        Operation::GetFeeQuoteByPost => Some(Answer::html(405).with(http::header::ALLOW, "GET")),
        Operation::CancelOrder
        | Operation::CancelOrderReversal
        | Operation::GetExchangeRate
        | Operation::GetCustomerOrderHistory => Some(Answer::html(404)),
        _ => None,
    }
}
