//! Queries, and the customers of the provider.

use money_transfer_retailer::model::{
    AdminMessage, Currency, CustomerInfoQuery, ErrorType, ExchangeRate, ExchangeRateQuery,
    FeeQuoteQuery, FeeQuoteRequest, FeeQuoteResponse, LookupOrderResponse, Money,
    OrderHistoryQuery, OrderStatus, Sensitive,
};

use super::super::expectation::{Expectation, same};
use super::super::inventions::{self, Order, Person, digits};
use super::super::message::profile_words;
use super::super::walk::{LeftOrder, Stop, Walk, Walked};
use super::order_steps::lookup;
use super::selling::{find_again, is_of, register};

/// What quotes are asked for, in cents.
const QUOTED: i64 = 20_000;

pub(super) async fn unknown_order(walk: &mut Walk) -> Walked {
    let query = lookup(&inventions::redeem_ref(&walk.world.secrets));
    let reasons = [ErrorType::UnableToLocateRecord, ErrorType::InvalidRedeemRef];
    walk.step(
        "the reference is unknown",
        query,
        Expectation::declined(&reasons),
    )
    .await?;
    Ok(())
}

pub(super) async fn customers(walk: &mut Walk) -> Walked {
    let secrets = &walk.world.secrets;
    let (mut person, stranger) = (inventions::person(secrets), inventions::person(secrets));
    let new_name = inventions::new_last_name(secrets);
    let profile_id = register(walk, &person).await?;
    find_again(walk, &person, &profile_id).await?;
    person.details.last_name = Some(new_name);
    walk.ask(
        "the customer's record is changed",
        record(&person, &profile_id),
        format!("{}, the new name", profile_words(&profile_id)),
        |updated| is_of(updated, &person, &profile_id),
    )
    .await?;
    find_again(walk, &person, &profile_id).await?;
    let expected = Expectation::declined(&[ErrorType::CustomerCheckFailed]);
    let other_profile = record(&person, &digits(10));
    walk.step("the profile is another one", other_profile, expected)
        .await?;
    let query = CustomerInfoQuery::builder()
        .id_number(stranger.id_number)
        .build();
    let expected = Expectation::declined(&[ErrorType::UnableToLocateRecord]);
    walk.step("the customer is unknown", query, expected)
        .await?;
    Ok(())
}

fn record(person: &Person, profile_id: &str) -> AdminMessage {
    AdminMessage::builder()
        .customer_details(person.details.clone())
        .customer_profile_id(profile_id)
        .build()
}

pub(super) async fn fee_quote(walk: &mut Walk) -> Walked {
    let query = |amount, includes_fee| {
        FeeQuoteQuery::builder()
            .amount(amount)
            .amount_includes_fee(includes_fee)
            .build()
    };
    for (what, includes_fee) in [WITH_FEE, WITHOUT_FEE] {
        walk.ask(
            what,
            query(QUOTED, includes_fee),
            QUOTE,
            is_about_the_amount,
        )
        .await?;
    }
    let expected = Expectation::declined_like(&[ErrorType::InvalidAmount]);
    walk.step("the amount is zero", query(0, true), expected)
        .await?;
    Ok(())
}

pub(super) async fn fee_quote_by_post(walk: &mut Walk) -> Walked {
    let request = |amount, includes_fees| {
        FeeQuoteRequest::builder()
            .amount(Money::zar(amount))
            .amount_includes_fees(includes_fees)
            .build()
    };
    for (what, includes_fees) in [WITH_FEE, WITHOUT_FEE] {
        walk.ask(
            what,
            request(QUOTED, includes_fees),
            QUOTE,
            is_about_the_amount,
        )
        .await?;
    }
    let expected = Expectation::declined_like(&[ErrorType::InvalidAmount]);
    walk.step("the amount is zero", request(0, true), expected)
        .await?;
    Ok(())
}

const WITH_FEE: (&str, bool) = ("the amount includes the fee", true);
const WITHOUT_FEE: (&str, bool) = ("the amount does not include the fee", false);
const QUOTE: &str = "a fee; transfer or total is the amount";

/// Which of the two the amount is, the interface describes the other way round than it names it.
fn is_about_the_amount(quoted: &FeeQuoteResponse) -> bool {
    let amount = Money::zar(QUOTED);
    quoted.fee_quote.as_ref().is_some_and(|quote| {
        quote.fee_amount.minor_units >= 0
            && (same(&quote.transfer_amount, &amount) || same(&quote.total_amount, &amount))
    })
}

pub(super) async fn exchange_rate(walk: &mut Walk) -> Walked {
    let dollar = "USD".parse::<Currency>().map_err(|_| Stop::Flow)?;
    let query = ExchangeRateQuery::builder()
        .from_currency(Currency::ZAR)
        .to_currency(dollar.clone())
        .build();
    let rate = "a rate above 0, of these currencies";
    let rate = Expectation::answer(rate, |rate: &ExchangeRate| {
        let number: f64 = rate.rate.as_str().parse().unwrap_or_default();
        number > 0.0 && rate.from_currency == Currency::ZAR && rate.to_currency == dollar
    });
    // Which currencies there are rates for, the interface leaves to the provider.
    let no_rate = Expectation::declined(&[ErrorType::TransactionNotSupported]);
    walk.step("rand to dollars", query, rate.or(no_rate))
        .await?;
    Ok(())
}

pub(super) async fn order_history(walk: &mut Walk) -> Walked {
    let mut sale = walk.sale();
    let profile_id = register(walk, &sale.sender).await?;
    sale.customer_profile_id = Some(profile_id.clone());
    let order = walk.paid_for(sale).await?;
    let query = OrderHistoryQuery::builder()
        .customer_profile_id(profile_id)
        .build();
    let words = format!("1 found: UNREDEEMED, {}", order.sale.amount);
    walk.ask(
        "the orders of the customer",
        query,
        words,
        |history| matches!(&history.orders[..], [found] if is_it(found, &order)),
    )
    .await?;
    Ok(())
}

fn is_it(found: &LookupOrderResponse, order: &Order) -> bool {
    let same_ref = |other: &Sensitive| *other == order.redeem_ref;
    let same_amount = |other: &Money| same(other, &order.sale.amount);
    found.order_redeem_ref.as_ref().is_none_or(same_ref)
        && found.status == Some(OrderStatus::Unredeemed)
        && found.amount.as_ref().is_some_and(same_amount)
}

pub(super) async fn orders_as_left(walk: &mut Walk) -> Walked {
    let left = walk.world.left.borrow().clone();
    for LeftOrder {
        flow,
        order,
        status,
    } in left
    {
        walk.status(&format!("the order of {flow}"), &order, &[status])
            .await?;
    }
    Ok(())
}
