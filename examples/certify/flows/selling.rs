//! createOrder: sell a money transfer.

use std::rc::Rc;

use money_transfer_retailer::model::{
    AdminMessage, CustomerInfoQuery, ErrorType, FeeQuoteQuery, Money, OrderStatus,
};

use super::super::expectation::Expectation;
use super::super::inventions::{Person, Sale};
use super::super::message::profile_words;
use super::super::seen::Seen;
use super::super::walk::{Stop, Walk, Walked};

/// Above any limit of a customer.
const TOO_MUCH: i64 = 100_000_000;

pub(super) async fn successful(walk: &mut Walk) -> Walked {
    let mut sale = walk.sale();
    quote(walk, sale.amount.minor_units).await?;
    let profile_id = register(walk, &sale.sender).await?;
    find_again(walk, &sale.sender, &profile_id).await?;
    sale.customer_profile_id = Some(profile_id);
    let (approved, order) = walk.approved("createOrder is approved", sale).await?;
    walk.not_yet_confirmed(&order).await?;
    walk.confirm("the customer pays", approved).await?;
    walk.leave(&order, OrderStatus::Unredeemed);
    walk.status(
        "the order can be redeemed",
        &order,
        &[OrderStatus::Unredeemed],
    )
    .await
}

pub(super) async fn declined(walk: &mut Walk) -> Walked {
    let refused = [
        ("the amount is zero", 0, &[ErrorType::InvalidAmount][..]),
        (
            "the amount is above any limit",
            TOO_MUCH,
            &[
                ErrorType::MonthlyLimitExceeded,
                ErrorType::DailyLimitExceeded,
            ],
        ),
    ];
    for (what, minor_units, likely) in refused {
        let mut sale = walk.sale();
        sale.amount = Money::zar(minor_units);
        let expected = Expectation::declined_like(likely);
        walk.step(what, sale.request(), expected).await?;
    }
    let (mut sale, customer) = (walk.sale(), walk.sale().sender);
    sale.customer_profile_id = Some(register(walk, &customer).await?);
    let expected = Expectation::declined(&[ErrorType::CustomerCheckFailed]);
    walk.step(
        "the profile is another customer's",
        sale.request(),
        expected,
    )
    .await?;
    walk.queue_is_empty("nothing is left to decide or to deliver");
    Ok(())
}

pub(super) async fn duplicate(walk: &mut Walk) -> Walked {
    let sale = walk.sale();
    let request = sale.request();
    let approved = walk.approved_as("createOrder is approved", sale, request.clone());
    let (approved, order) = approved.await?;
    walk.not_yet_confirmed(&order).await?;
    let refused = |seen: &Seen<_>| matches!(seen, Seen::KnownRequest);
    let expected = Expectation::seeing("refused by the client", refused);
    walk.step("the same till sends the same id", request.clone(), expected)
        .await?;
    // Only a till that knows nothing of the first request sends its id again.
    walk.at_another_till(async |walk: &mut Walk| {
        let expected = Expectation::declined(&[ErrorType::DuplicateRecord]);
        walk.step("another till sends the same id", request, expected)
            .await?;
        walk.queue_is_empty("the other till does not reverse it");
        Ok(())
    })
    .await?;
    walk.not_yet_confirmed(&order).await?;
    walk.confirm("the first request stands, and is confirmed", approved)
        .await?;
    walk.leave(&order, OrderStatus::Unredeemed);
    walk.still_redeemable(&order).await
}

pub(super) async fn reversed(walk: &mut Walk) -> Walked {
    let sale = walk.sale();
    let (approved, order) = walk.approved("createOrder is approved", sale).await?;
    walk.not_yet_confirmed(&order).await?;
    walk.reverse("the cashier cancels", approved).await?;
    walk.leave(&order, OrderStatus::Cancelled);
    walk.does_not_stand(&order).await?;
    walk.cannot_be_redeemed(&order).await
}

pub(super) async fn timed_out(walk: &mut Walk) -> Walked {
    // Tells how long this server takes for an answer.
    quote(walk, 10_000).await?;
    let world = Rc::clone(&walk.world);
    let request = || Sale::invent(&world.secrets).request();
    walk.time_out("no answer to createOrder in time", request)
        .await?;
    walk.paid().await?;
    Ok(())
}

/// A customer asks what it would cost.
async fn quote(walk: &mut Walk, minor_units: i64) -> Walked {
    let query = FeeQuoteQuery::builder()
        .amount(minor_units)
        .amount_includes_fee(false)
        .build();
    walk.ask("what it would cost", query, "a feeQuote", |quoted| {
        quoted.fee_quote.is_some()
    })
    .await?;
    Ok(())
}

/// A customer is registered, and has a profile from then on.
pub(super) async fn register(walk: &mut Walk, person: &Person) -> Walked<String> {
    let message = AdminMessage::builder()
        .customer_details(person.details.clone())
        .build();
    let registered = walk.ask(
        "a customer is registered",
        message,
        "a customer profile id",
        |registered| registered.customer_profile_id.is_some(),
    );
    registered.await?.customer_profile_id.ok_or(Stop::Flow)
}

/// The customer is known, by that profile and name.
pub(super) async fn find_again(walk: &mut Walk, person: &Person, profile_id: &str) -> Walked {
    let query = CustomerInfoQuery::builder()
        .id_number(person.id_number.clone())
        .build();
    let words = format!("{}, the same name", profile_words(profile_id));
    let expected = |found: &AdminMessage| is_of(found, person, profile_id);
    walk.ask("the customer is looked up", query, words, expected)
        .await?;
    Ok(())
}

/// Whether the record is that of the person; of a name only where the server tells one.
pub(super) fn is_of(record: &AdminMessage, person: &Person, profile_id: &str) -> bool {
    let details = record.customer_details.as_ref();
    let name = details.and_then(|details| details.last_name.as_ref());
    record.customer_profile_id.as_deref() == Some(profile_id)
        && name.is_none_or(|name| Some(name) == person.details.last_name.as_ref())
}
