//! What the simulator promises of customers, fees, rates and histories.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "simulator/till.rs"]
mod till;

use serde_json::{Value, json};
use till::{Till, fresh_number, id, originator};

const CUSTOMERS: &str = "/admin/customers";

fn customer(id_number: &str) -> Value {
    json!({
        "originator": originator(),
        "receiver": { "id": "9", "name": "Provider" },
        "customerDetails": { "firstName": "Thandi", "idNumber": id_number, "idType": "PASSPORT", "idCountryCode": "ZA" },
    })
}

#[tokio::test]
async fn a_new_identity_number_makes_a_customer() {
    let till = Till::open().await;
    let message = customer(&fresh_number());
    let made = till.post(CUSTOMERS, &message).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.json["customerProfileId"].as_str().unwrap().len(), 10);
    assert_eq!(made.json["customerDetails"], message["customerDetails"]);
}

#[tokio::test]
async fn a_known_identity_number_must_bring_its_profile() {
    let till = Till::open().await;
    let mut message = customer(&fresh_number());
    let made = till.post(CUSTOMERS, &message).await;
    assert_eq!(
        till.post(CUSTOMERS, &message).await.error(),
        (400, "CUSTOMER_CHECK_FAILED")
    );
    message["customerProfileId"] = json!("1");
    assert_eq!(
        till.post(CUSTOMERS, &message).await.error(),
        (400, "CUSTOMER_CHECK_FAILED")
    );
    message["customerProfileId"] = made.json["customerProfileId"].clone();
    message["customerDetails"]["firstName"] = json!("Thandiwe");
    let updated = till.post(CUSTOMERS, &message).await;
    assert_eq!((updated.status, updated.json), (200, message));
}

#[tokio::test]
async fn a_customer_without_an_identity_number_is_a_format_error() {
    let till = Till::open().await;
    let mut message = customer("1");
    message["customerDetails"] = json!({ "firstName": "Thandi" });
    let refused = till.post(CUSTOMERS, &message).await;
    assert_eq!(
        refused.json["detailMessage"],
        json!(["customerDetails.idNumber may not be null"])
    );
}

#[tokio::test]
async fn a_customer_is_found_only_if_all_that_is_given_fits() {
    let till = Till::open().await;
    till.post(CUSTOMERS, &customer("42")).await;
    let found = till
        .get("/admin/customers?idNumber=42&receiverId=9&idType=PASSPORT&idCountryCode=ZA&merchantId=MERCHANT0000001&originatorInstId=7")
        .await;
    assert_eq!(
        (found.status, &found.json["customerDetails"]["firstName"]),
        (200, &json!("Thandi"))
    );
    for wrong in [
        "receiverId=8",
        "idType=NATIONAL_ID",
        "idCountryCode=ZW",
        "merchantId=M",
        "originatorInstId=8",
    ] {
        let refused = till
            .get(&format!("/admin/customers?idNumber=42&{wrong}"))
            .await;
        assert_eq!(refused.error(), (400, "UNABLE_TO_LOCATE_RECORD"), "{wrong}");
    }
    assert_eq!(
        till.get("/admin/customers?idNumber=43").await.error(),
        (400, "UNABLE_TO_LOCATE_RECORD")
    );
    assert_eq!(
        till.get("/admin/customers?receiverId=9").await.error(),
        (400, "FORMAT_ERROR")
    );
}

#[tokio::test]
async fn the_sender_of_an_order_for_a_new_customer_is_a_customer() {
    let till = Till::open().await;
    let order = till.order(1);
    let approved = till.post("/orders", &order).await;
    let number = order["senderDetails"]["idNumber"].as_str().unwrap();
    let found = till
        .get(&format!("/admin/customers?idNumber={number}&receiverId=9"))
        .await;
    assert_eq!(
        found.json["customerProfileId"],
        approved.json["customerProfileId"]
    );
}

fn parts(quote: &Value) -> (i64, i64, i64) {
    let part = |name: &str| quote["feeQuote"][name]["amount"].as_i64().unwrap();
    (
        part("feeAmount"),
        part("transferAmount"),
        part("totalAmount"),
    )
}

#[tokio::test]
async fn a_fee_that_is_included_is_a_tenth_cut_to_whole_cents() {
    let till = Till::open().await;
    for (amount, fee, transfer) in [(15, 1, 13), (100, 10, 90), (1, 0, 0), (19, 1, 17)] {
        let path = format!(
            "/admin/fees?amount={amount}&amountIncludesFee=true&originatorInstId=7&receiverId=9"
        );
        assert_eq!(parts(&till.get(&path).await.json), (fee, transfer, amount));
    }
}

#[tokio::test]
async fn a_fee_that_is_not_included_is_below_ten_and_the_same_for_the_same_seed() {
    let mut seen = Vec::new();
    for _ in 0..2 {
        let till = Till::open().await;
        let mut fees = Vec::new();
        for _ in 0..20 {
            let (fee, transfer, total) = parts(
                &till
                    .get("/admin/fees?amount=50&amountIncludesFee=false&originatorInstId=7&receiverId=9")
                    .await
                    .json,
            );
            assert!((0..=9).contains(&fee));
            assert_eq!((transfer, total), (50, 50));
            fees.push(fee);
        }
        seen.push(fees);
    }
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn a_quote_answers_the_ids_as_they_were_given() {
    let till = Till::open().await;
    let path = "/admin/fees?amount=50&amountIncludesFee=true&merchantId=M-1&originatorInstId=7&receiverId=9";
    let quote = till.get(path).await.json;
    assert_eq!(quote["originator"]["merchant"]["merchantId"], "M-1");
    assert_eq!(quote["originator"]["institution"]["id"], "7");
    assert_eq!(quote["receiver"]["id"], "9");
}

#[tokio::test]
async fn a_quote_by_body_goes_by_the_same_rules_and_names_the_parties() {
    let till = Till::open().await;
    let mut request = customer("1");
    request["amount"] = till::zar(15);
    request["amountIncludesFees"] = json!(true);
    let quote = till.post("/admin/fees", &request).await;
    assert_eq!((quote.status, parts(&quote.json)), (200, (1, 13, 15)));
    assert_eq!(
        (&quote.json["originator"], &quote.json["receiver"]),
        (&request["originator"], &request["receiver"])
    );
    assert!(quote.json["quoteId"].is_string());
}

#[tokio::test]
async fn a_quote_needs_an_amount_above_zero() {
    let till = Till::open().await;
    let mut request = customer("1");
    for amount in [0, -1] {
        let path = format!(
            "/admin/fees?amount={amount}&amountIncludesFee=true&originatorInstId=7&receiverId=9"
        );
        assert_eq!(till.get(&path).await.error(), (400, "INVALID_AMOUNT"));
        request["amount"] = till::zar(amount);
        assert_eq!(
            till.post("/admin/fees", &request).await.error(),
            (400, "INVALID_AMOUNT")
        );
    }
}

#[tokio::test]
async fn exchange_rates_are_those_of_a_table() {
    let till = Till::open().await;
    let rate = till
        .get("/admin/exchangerate?fromCurrency=840&toCurrency=710&settlementEntity=8")
        .await;
    let expected = json!({ "rate": 18.0, "fromCurrency": "840", "toCurrency": "710" });
    assert_eq!((rate.status, rate.json), (200, expected));
    let back = till
        .get("/admin/exchangerate?fromCurrency=710&toCurrency=840")
        .await;
    assert_eq!(back.json["rate"], json!(0.055556));
    let unknown = till
        .get("/admin/exchangerate?fromCurrency=710&toCurrency=000")
        .await;
    assert_eq!(unknown.error(), (400, "TRANSACTION_NOT_SUPPORTED"));
    let letters = till.get("/admin/exchangerate?fromCurrency=ZAR").await;
    assert_eq!(letters.error(), (400, "FORMAT_ERROR"));
}

#[tokio::test]
async fn a_history_is_narrowed_by_every_filter() {
    let till = Till::open().await;
    let mut first = till.order(1);
    first["recipientDetails"]["accountDetails"] = json!({ "type": "IBAN", "accountId": "A-1" });
    first["time"] = json!("2024-01-01T00:00:00Z");
    let approved = till.post("/orders", &first).await;
    let profile = approved.json["customerProfileId"].as_str().unwrap();
    let mut second = till.order(2);
    second["newCustomer"] = json!(false);
    second["customerProfileId"] = json!(profile);
    second["senderDetails"] = first["senderDetails"].clone();
    second["time"] = json!("2024-02-01T00:00:00Z");
    assert_eq!(till.post("/orders", &second).await.status, 201);
    till.post("/orders/reversals", &till.reversal(&second))
        .await;
    till.post("/orders", &till.order(3)).await;
    let (first, second) = (id(&first), id(&second));
    for (filter, expected) in [
        ("", vec![first, second]),
        (
            "&merchantId=MERCHANT0000001&originatorInstId=7",
            vec![first, second],
        ),
        ("&merchantId=M", vec![]),
        ("&originatorInstId=8", vec![]),
        ("&fromDateTime=2024-02-01T00:00:00Z", vec![second]),
        ("&toDateTime=2024-02-01T00:00:00Z", vec![first]),
        ("&status=CANCELLED", vec![second]),
        ("&status=REDEEMED", vec![]),
        (
            "&paymentType=IBAN&paymentIdentifierName=accountId&paymentIdentifierValue=A-1",
            vec![first],
        ),
        (
            "&paymentType=IBAN&paymentIdentifierName=accountId&paymentIdentifierValue=A-2",
            vec![],
        ),
    ] {
        let history = till
            .get(&format!(
                "/admin/customers/orders?receiverId=9&customerProfileId={profile}{filter}"
            ))
            .await;
        assert_eq!(history.status, 200, "{filter}");
        let orders = history.json["orders"].as_array().unwrap().iter();
        let ids: Vec<&str> = orders
            .map(|order| order["orderId"].as_str().unwrap())
            .collect();
        assert_eq!(ids, expected, "{filter}");
    }
    let half = till
        .get(&format!(
            "/admin/customers/orders?receiverId=9&customerProfileId={profile}&paymentType=IBAN"
        ))
        .await;
    assert_eq!(half.error(), (400, "FORMAT_ERROR"));
    let unknown = till
        .get("/admin/customers/orders?customerProfileId=1&receiverId=9")
        .await;
    assert_eq!(unknown.error(), (400, "UNABLE_TO_LOCATE_RECORD"));
    let elsewhere = till
        .get(&format!(
            "/admin/customers/orders?customerProfileId={profile}&receiverId=8"
        ))
        .await;
    assert_eq!(
        (elsewhere.status, &elsewhere.json["orders"]),
        (200, &json!([]))
    );
}
