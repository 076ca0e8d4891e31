//! What a till builds is what the interface wants: every body, full of everything, against the schema of its operation.

use std::collections::BTreeSet;

use money_transfer_retailer::OrderOutcome;
use money_transfer_retailer::model::*;
use money_transfer_retailer::simulator::{Fault, Rule};
use serde::Serialize;
use serde_json::Value;

use crate::facts::{FACTS, properties, resolve, schemas, validator};
use crate::queries::defaults;
use crate::support::{PATIENCE, Shop, order};

/// A body as it is written, with the schema that it has to obey.
struct Written {
    schema: &'static str,
    body: Value,
}

fn written(schema: &'static str, message: &(impl Serialize + Check)) -> Written {
    assert_eq!(message.check(), Ok(()), "{schema}");
    let body = serde_json::to_vec(message).unwrap();
    let body = serde_json::from_slice(&body).unwrap();
    Written { schema, body }
}

/// The seven bodies of requests, queries and updates, and the three of advices.
fn everything() -> Vec<Written> {
    vec![
        written("MoneyTransferAuthRequest", &sale()),
        written("MoneyTransferRedeemRequest", &payout()),
        written("MoneyTransferOrderCancelRequest", &cancellation()),
        written("MoneyTransferOrderPinUpdateRequest", &new_pin()),
        written("MoneyTransferOrderStatusUpdateRequest", &new_status()),
        written("MoneyTransferAdminMessage", &customer()),
        written("MoneyTransferQuoteRequest", &quote()),
        written("MoneyTransferConfirmation", &confirmation()),
        written("MoneyTransferReversal", &reversal()),
        written("MoneyTransferCancelOrderReversal", &reversal()),
    ]
}

fn now() -> Timestamp {
    "2026-01-31T10:30:00.123+02:00".parse().unwrap()
}

fn identifiers() -> Vec<ThirdPartyIdentifier> {
    vec![ThirdPartyIdentifier::new("627821", "T-1")]
}

fn amounts() -> Amounts {
    Amounts::builder()
        .request_amount(Money::zar(i64::MAX))
        .approved_amount(Money::zar(79_995))
        .fee_amount(Money::zar(5).with_ledger_indicator(LedgerIndicator::Debit))
        .balance_amount(Money::zar(-1))
        .additional_amounts([("tip".to_owned(), Money::zar(1))].into())
        .build()
}

fn pin() -> EncryptedPin {
    let parameters = EncryptionParameters::builder()
        .pin_block_format(PinBlockFormat::ALL[0].clone())
        .account_number("123456789012")
        .key_index(7);
    EncryptedPin::builder()
        .pin_block("0123456789ABCDEF")
        .encryption_parameters(parameters.build())
        .build()
}

fn slip() -> SlipData {
    let barcode = Barcode::builder().data("1").encoding("CODE_128").build();
    let line = SlipLine::builder()
        .text("Thank you")
        .barcode(barcode)
        .font_width_scale_factor(1.5)
        .font_height_scale_factor(2.0)
        .line(true)
        .cut(false);
    SlipData::builder()
        .message_lines(vec![line.build()])
        .slip_width(40)
        .issuer_reference("REF1")
        .build()
}

fn person() -> PersonalDetails {
    let account = Account::builder()
        .account_id("1234567890")
        .kind(AccountKind::Swift)
        .swift_code("ABCDZAJJ");
    let address = Address::builder().city("Durban").country("ZA");
    PersonalDetails::builder()
        .first_name("Thandi")
        .last_name("Nkosi")
        .cultural_name("T")
        .address(address.build())
        .id_number("8001015009087")
        .id_type(IdType::Passport)
        .id_country_code("ZA")
        .nationality("ZA")
        .country_of_birth("LS")
        .date_of_birth("1980-01-01")
        .contact_number("+27821234567")
        .alt_contact_work("+27112345678")
        .alt_contact_home("27821234567")
        .email("thandi@example.org")
        .source_of_income(SourceOfIncome::ALL[0].clone())
        .occupation(Occupation::ALL[0].clone())
        .account_details(account.build())
        .id_issued_date(now())
        .id_expiry_date(now())
        .build()
}

fn sale() -> CreateOrderRequest {
    let mut sale = CreateOrderRequest::builder()
        .time(now())
        .third_party_identifiers(identifiers())
        .slip_data(slip())
        .basket_ref("basket")
        .tran_type(TransactionType::ALL[0].clone())
        .src_acc_type(AccountType::ALL[0].clone())
        .dest_acc_type(AccountType::ALL[0].clone())
        .stan("123456")
        .rrn("123456789012")
        .amount(Money::zar(9_007_199_254_740_993))
        .sender_details(person())
        .recipient_details(person())
        .pin(pin())
        .customer_profile_id("1")
        .new_customer(false)
        .fee(Money::zar(5))
        .quote_id("quote")
        .purpose_of_remittance(PurposeOfRemittance::ALL[0].clone())
        .recipient_relationship(Relationship::ALL[0].clone())
        .amounts(amounts())
        .build();
    sale.fill(&defaults());
    sale
}

fn payout() -> RedeemOrderRequest {
    let mut payout = RedeemOrderRequest::builder()
        .time(now())
        .slip_data(slip())
        .order_redeem_ref("12345678901234567890")
        .amount(Money::zar(79_995))
        .pin(pin())
        .recipient_details(person())
        .customer_profile_id("1")
        .cashier_comment("c".repeat(256))
        .amounts(amounts())
        .build();
    payout.fill(&defaults());
    payout
}

fn cancellation() -> CancelOrderRequest {
    let mut cancellation = CancelOrderRequest::builder()
        .time(now())
        .order_redeem_ref("1234567890")
        .order_redeem_ref_alt("2345678901")
        .pin(pin())
        .id_number("8001015009087")
        .build();
    cancellation.fill(&defaults());
    cancellation
}

fn new_pin() -> UpdateOrderPinRequest {
    let mut new_pin = UpdateOrderPinRequest::builder()
        .time(now())
        .pin(pin())
        .order_redeem_ref("1")
        .order_redeem_ref_alt("2")
        .remittance_ref("3")
        .order_id("4")
        .customer_profile_id("5")
        .build();
    new_pin.fill(&defaults());
    new_pin
}

fn new_status() -> UpdateOrderStatusRequest {
    let mut new_status = UpdateOrderStatusRequest::builder()
        .update_time(now())
        .status(OrderStatus::OnHold)
        .status_description("on hold")
        .third_party_identifiers(identifiers())
        .slip_data(slip())
        .amount(Money::zar(1))
        .sender_details(person())
        .order_redeem_ref("1")
        .order_redeem_ref_alt("2")
        .remittance_ref("3")
        .order_id("4")
        .customer_profile_id("5")
        .build();
    new_status.fill(&defaults());
    new_status
}

fn customer() -> AdminMessage {
    let mut customer = AdminMessage::builder()
        .customer_details(person())
        .customer_profile_id("1")
        .build();
    customer.fill(&defaults());
    customer
}

fn quote() -> FeeQuoteRequest {
    let mut quote = FeeQuoteRequest::builder()
        .sender_details(person())
        .recipient_details(person())
        .amount(Money::zar(i64::MAX))
        .amount_includes_fees(true)
        .build();
    quote.fill(&defaults());
    quote
}

fn confirmation() -> Confirmation {
    Confirmation::builder()
        .request_id(RequestId::random())
        .time(now())
        .third_party_identifiers(identifiers())
        .stan("123456")
        .rrn("123456789012")
        .amounts(amounts())
        .build()
}

fn reversal() -> Reversal {
    Reversal::builder()
        .request_id(RequestId::random())
        .time(now())
        .third_party_identifiers(identifiers())
        .reversal_reason(ReversalReason::ResponseNotFinal)
        .build()
}

#[test]
fn every_body_that_a_till_builds_obeys_the_schema_of_its_operation() {
    let all = everything();
    let sent: BTreeSet<_> = all.iter().map(|written| written.schema).collect();
    assert_eq!(sent, schemas_of_bodies());
    for Written { schema, body } in &all {
        let errors: Vec<_> = validator(schema)
            .iter_errors(body)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{schema}: {errors:?}");
    }
    println!("{} bodies as a till builds them", all.len());
}

fn schemas_of_bodies() -> BTreeSet<&'static str> {
    let paths = FACTS["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|path| path.as_object().unwrap().values());
    let reference = |operation: &'static Value| {
        let content = &operation["requestBody"]["content"];
        content["application/json"]["schema"]["$ref"].as_str()
    };
    operations
        .filter_map(reference)
        .map(|reference| reference.rsplit('/').next().unwrap())
        .collect()
}

/// The schemas allow members that they do not know, so that a misspelt one would obey them.
#[test]
fn no_body_that_a_till_builds_has_a_member_that_the_interface_does_not_know() {
    let mut members = 0;
    for Written { schema, body } in everything() {
        members += count_known(schema, &schemas()[schema], &body);
    }
    println!("{members} members in the bodies that a till builds");
    assert!(members > 400, "only {members}");
}

fn count_known(path: &str, schema: &'static Value, value: &Value) -> usize {
    let schema = resolve(schema);
    match value {
        Value::Array(items) => items
            .iter()
            .map(|item| count_known(path, &schema["items"], item))
            .sum(),
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| {
                let path = format!("{path}.{name}");
                1 + count_known(&path, member_schema(&path, schema, name), member)
            })
            .sum(),
        _ => 0,
    }
}

fn member_schema(path: &str, schema: &'static Value, name: &str) -> &'static Value {
    let others = &schema["additionalProperties"];
    match properties(schema).remove(name) {
        Some(known) => known,
        // The subtypes of an account are told apart by `type`, and all have one place.
        None if name == "swiftCode" => &schemas()["SwiftAccount"]["allOf"][1]["properties"][name],
        None if others.is_object() => others,
        None => panic!("{path} is unknown to the interface"),
    }
}

/// Where the facts ask for a UUID v4: in every request, and in every advice.
#[tokio::test]
async fn every_id_that_has_to_be_a_random_uuid_is_one_on_the_wire() {
    let shop = Shop::open().await;
    shop.approved().await.confirm().await.unwrap();
    let not_sold = shop.approved().await;
    not_sold.reverse(ReversalReason::Cancelled).await.unwrap();
    let lost = Rule::on(Operation::CreateOrder).next(1);
    shop.upstream.inject(lost.fault(Fault::LoseAnswer));
    let outcome = shop.till.create_order(order()).await.unwrap();
    assert!(matches!(outcome, OrderOutcome::Unknown(_)), "{outcome:?}");
    shop.till.advices().wait_empty(PATIENCE).await.unwrap();
    let book = shop.upstream.book();
    assert_eq!(book.messages().count(), 6);
    for message in book.messages() {
        let message = message.json();
        for name in ["id", "requestId"] {
            let Some(id) = message.get(name) else {
                continue;
            };
            let id: uuid::Uuid = id.as_str().unwrap().parse().unwrap();
            assert_eq!(id.get_version_num(), 4, "{name} {id}");
            assert_eq!(id.get_variant(), uuid::Variant::RFC4122, "{name} {id}");
        }
    }
    for schema in ["Transaction", "BasicAdvice"] {
        let fact = &schemas()[schema]["properties"]["id"]["description"];
        assert!(fact.as_str().unwrap().starts_with("UUID v4"), "{schema}");
    }
}
