//! Queries and updates: each is answered, repeated while in doubt, and stopped at its deadline.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::time::Duration;

use money_transfer_retailer::QueryError;
use money_transfer_retailer::model::{
    AdminMessage, Currency, CustomerInfoQuery, ErrorType, ExchangeRateQuery, FeeQuoteQuery,
    FeeQuoteRequest, LookupOrderQuery, Money, OrderHistoryQuery, OrderStatus, PersonalDetails,
    UpdateOrderStatusRequest,
};
use money_transfer_retailer::simulator::{CannedAnswer, Fault, Operation, Rule};
use support::{PATIENCE, Shop};

const ID_NUMBER: &str = "7001015009087";

#[tokio::test]
async fn a_fee_is_quoted_by_parameters_and_by_body() {
    let shop = Shop::open().await;
    let query = FeeQuoteQuery::builder()
        .amount(1_000)
        .amount_includes_fee(true)
        .build();
    let quoted = shop.till.fee_quote(query).await.unwrap().fee_quote.unwrap();
    assert_eq!(quoted.fee_amount.minor_units, 100);
    assert_eq!(quoted.transfer_amount.minor_units, 900);
    let request = FeeQuoteRequest::builder()
        .amount(Money::zar(15))
        .amount_includes_fees(true)
        .build();
    let quoted = shop
        .till
        .fee_quote_by_post(request)
        .await
        .unwrap()
        .fee_quote
        .unwrap();
    assert_eq!(
        (
            quoted.fee_amount.minor_units,
            quoted.transfer_amount.minor_units
        ),
        (1, 13)
    );
}

#[tokio::test]
async fn a_customer_is_registered_looked_up_and_has_a_history() {
    let shop = Shop::open().await;
    let registered = shop
        .till
        .create_or_update_customer(customer())
        .await
        .unwrap();
    let profile = registered.customer_profile_id.unwrap();
    let query = CustomerInfoQuery::builder().id_number(ID_NUMBER).build();
    let found = shop.till.customer_info(query).await.unwrap();
    assert_eq!(found.customer_profile_id.as_ref(), Some(&profile));
    let query = OrderHistoryQuery::builder()
        .customer_profile_id(profile)
        .build();
    let history = shop.till.order_history(query).await.unwrap();
    assert!(history.orders.is_empty());
}

#[tokio::test]
async fn a_registration_whose_first_answer_was_lost_is_not_reported_as_a_failure() {
    let shop = Shop::open().await;
    let lose = Rule::on(Operation::CreateOrUpdateCustomer)
        .next(1)
        .fault(Fault::LoseAnswer);
    shop.upstream.inject(lose);
    let registered = shop
        .till
        .create_or_update_customer(customer())
        .await
        .unwrap();
    assert!(registered.customer_profile_id.is_some());
    let book = shop.upstream.book();
    assert_eq!(book.count(Operation::CreateOrUpdateCustomer), 2);
    assert_eq!(book.count(Operation::GetCustomerInfo), 1);
}

#[tokio::test]
async fn a_registration_that_arrived_is_recognised_though_the_provider_added_to_the_record() {
    let shop = Shop::open().await;
    let mut recorded = customer();
    let details = recorded.customer_details.as_mut().unwrap();
    details.email = Some("added@example.com".into());
    let first_name = details.first_name.take();
    details.first_name = first_name.map(|name| name.expose().to_uppercase().into());
    let till = &shop.till;
    till.create_or_update_customer(recorded).await.unwrap();
    let gateway = Rule::on(Operation::CreateOrUpdateCustomer).next(1);
    shop.upstream.inject(gateway.fault(Fault::status(503)));
    let registered = till.create_or_update_customer(customer()).await.unwrap();
    assert!(registered.customer_profile_id.is_some());
}

#[tokio::test]
async fn a_refusal_after_a_lost_answer_is_no_success_for_another_record() {
    let shop = Shop::open().await;
    let till = &shop.till;
    let known = till.create_or_update_customer(customer()).await.unwrap();
    let mut changed = customer();
    changed.customer_profile_id = Some("0000000000".to_owned());
    let mut other = customer();
    let details = other.customer_details.as_mut().unwrap();
    details.first_name = Some("Another".into());
    for message in [changed, other] {
        let gateway = Rule::on(Operation::CreateOrUpdateCustomer).next(1);
        shop.upstream.inject(gateway.fault(Fault::status(503)));
        let refused = till.create_or_update_customer(message).await.unwrap_err();
        assert_eq!(error_type(&refused), Some(&ErrorType::CustomerCheckFailed));
    }
    let query = CustomerInfoQuery::builder().id_number(ID_NUMBER).build();
    let found = till.customer_info(query).await.unwrap();
    assert_eq!(found.customer_profile_id, known.customer_profile_id);
}

#[tokio::test]
async fn a_failure_of_a_registration_that_was_sent_once_is_reported() {
    let shop = Shop::open().await;
    shop.till
        .create_or_update_customer(customer())
        .await
        .unwrap();
    let refused = shop
        .till
        .create_or_update_customer(customer())
        .await
        .unwrap_err();
    assert_eq!(error_type(&refused), Some(&ErrorType::CustomerCheckFailed));
}

#[tokio::test]
async fn a_rate_is_exact() {
    let shop = Shop::open().await;
    let query = ExchangeRateQuery::builder()
        .from_currency(Currency::ZAR)
        .to_currency("USD".parse().unwrap())
        .build();
    let exact = "18.23450000000000000001";
    for (before, after) in [("", ""), (r#"{"exchangeRate":"#, "}")] {
        let body =
            format!(r#"{before}{{"fromCurrency":"710","toCurrency":"840","rate":{exact}}}{after}"#);
        let answer = CannedAnswer::status(200).body("application/json", body);
        let rule = Rule::on(Operation::GetExchangeRate).next(1);
        shop.upstream.inject(rule.fault(Fault::Answer(answer)));
        let rate = shop.till.exchange_rate(query.clone()).await.unwrap();
        assert_eq!(rate.rate.as_str(), exact);
    }
}

#[tokio::test]
async fn a_status_update_is_taken() {
    let shop = Shop::open().await;
    let order = shop.approved().await;
    let reference = order.response().order_redeem_ref.clone().unwrap();
    order.confirm().await.unwrap();
    shop.drained().await;
    let update = UpdateOrderStatusRequest::builder()
        .update_time("2026-01-31T08:30:00Z".parse().unwrap())
        .order_redeem_ref(reference)
        .status(OrderStatus::OnHold)
        .build();
    shop.till.update_order_status(update).await.unwrap();
    assert_eq!(shop.upstream.book().count(Operation::UpdateOrderStatus), 1);
}

#[tokio::test]
async fn a_query_in_doubt_is_repeated_until_it_is_answered() {
    let shop = Shop::open().await;
    for (call, fault) in (1..).zip([Fault::LoseAnswer, Fault::status(500), Fault::Garbage]) {
        shop.upstream
            .inject(Rule::on(Operation::GetFeeQuote).nth(call).fault(fault));
    }
    let till = shop.till.with_deadline(PATIENCE);
    till.fee_quote(quote()).await.unwrap();
    assert_eq!(shop.upstream.book().count(Operation::GetFeeQuote), 4);
}

#[tokio::test]
async fn a_query_ends_at_its_deadline() {
    let shop = Shop::open().await;
    shop.upstream
        .inject(Rule::on(Operation::GetFeeQuote).fault(Fault::Hang));
    let till = shop
        .till
        .with_timeout(Duration::from_millis(50))
        .with_deadline(Duration::from_millis(300));
    let ended = tokio::time::timeout(PATIENCE, till.fee_quote(quote()))
        .await
        .unwrap();
    assert!(
        matches!(ended, Err(QueryError::Unanswered { .. })),
        "{ended:?}"
    );
    assert!(shop.upstream.book().count(Operation::GetFeeQuote) > 1);
}

#[tokio::test]
async fn a_dropped_query_is_not_repeated() {
    let shop = Shop::open().await;
    shop.upstream
        .inject(Rule::on(Operation::GetFeeQuote).fault(Fault::status(500)));
    let till = shop.till.with_deadline(PATIENCE);
    let dropped = tokio::time::timeout(Duration::from_millis(100), till.fee_quote(quote())).await;
    assert!(dropped.is_err());
    let sent = shop.upstream.book().count(Operation::GetFeeQuote);
    // A full pause of the policy, and more: a repeat would have come by now.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(shop.upstream.book().count(Operation::GetFeeQuote), sent);
}

#[tokio::test]
async fn an_operation_that_the_upstream_does_not_know_is_not_supported() {
    let shop = Shop::open().await;
    for (call, status) in (1..).zip([501, 404, 405]) {
        let unknown = CannedAnswer::status(status).body("text/html", "<html></html>");
        shop.upstream
            .inject(Rule::on(Operation::GetFeeQuote).nth(call).fault(unknown));
    }
    for expected in [501, 404, 405] {
        let refused = shop.till.fee_quote(quote()).await.unwrap_err();
        let QueryError::NotSupported { status, .. } = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(status, expected);
    }
}

#[tokio::test]
async fn an_invalid_query_is_not_sent() {
    let shop = Shop::open().await;
    let refused = shop
        .till
        .lookup_order(LookupOrderQuery::builder().build())
        .await
        .unwrap_err();
    let QueryError::Invalid { source, .. } = &refused else {
        panic!("{refused:?}");
    };
    assert!(source.to_string().contains("orderRedeemRef"), "{source}");
    assert!(shop.upstream.book().is_empty());
}

fn quote() -> FeeQuoteQuery {
    FeeQuoteQuery::builder()
        .amount(1_000)
        .amount_includes_fee(false)
        .build()
}

fn customer() -> AdminMessage {
    let details = PersonalDetails::builder()
        .id_number(ID_NUMBER)
        .first_name("Thandi")
        .build();
    AdminMessage::builder().customer_details(details).build()
}

fn error_type(error: &QueryError) -> Option<&ErrorType> {
    match error {
        QueryError::Failed { failure, .. } => failure.error_type(),
        _ => None,
    }
}
