//! What the simulator promises of the wire: syntax, headers, formats, pages.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "simulator/till.rs"]
mod till;

use money_transfer_retailer::{
    model::ErrorType,
    simulator::{Fault, Operation, Rule},
};
use reqwest::Method;
use serde_json::{Value, json};
use till::{Answer, Till, answer, id, with_json};

fn assert_page(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.content_type.starts_with("text/html"), "{answer:?}");
    assert!(answer.text.contains("<html>"), "{answer:?}");
}

#[tokio::test]
async fn an_unknown_path_is_a_page() {
    let till = Till::open().await;
    assert_page(&till.get("/nowhere").await, 404);
    assert_page(&till.get("/").await, 404);
    let outside = format!("http://{}/orders", till.simulator.address());
    assert_page(&answer(till.client.get(outside)).await.unwrap(), 404);
    assert_eq!(till.simulator.book().strays(), 3);
    assert!(till.simulator.book().is_empty());
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_a_405_that_names_the_others() {
    let till = Till::open().await;
    let deleted = answer(till.request(Method::DELETE, "/orders"))
        .await
        .unwrap();
    assert_page(&deleted, 405);
    assert_eq!(deleted.headers["allow"], "POST, GET");
}

#[tokio::test]
async fn a_head_is_answered_like_a_get_without_a_body() {
    let till = Till::open().await;
    let path = "/admin/fees?amount=100&amountIncludesFee=true&originatorInstId=7&receiverId=9";
    let got = till.get(path).await;
    let head = answer(till.request(Method::HEAD, path)).await.unwrap();
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    assert_eq!(head.headers["content-type"], got.headers["content-type"]);
    assert_eq!(
        head.headers["content-length"],
        got.headers["content-length"]
    );
    let posted_only = answer(till.request(Method::HEAD, "/orders/cancel"))
        .await
        .unwrap();
    assert_eq!(posted_only.status, 405);
}

#[tokio::test]
async fn a_trailing_slash_is_the_same_path() {
    let till = Till::open().await;
    assert_eq!(till.post("/orders/", &till.order(1)).await.status, 201);
    assert_eq!(
        till.get("/admin/fees/?amount=1&amountIncludesFee=true&originatorInstId=7&receiverId=9")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn another_content_type_than_json_is_a_415_page() {
    let till = Till::open().await;
    let order = till.order(1).to_string();
    let as_text = till
        .request(Method::POST, "/orders")
        .header("content-type", "text/plain");
    assert_page(&answer(as_text.body(order.clone())).await.unwrap(), 415);
    assert_page(
        &answer(till.request(Method::POST, "/orders").body(order.clone()))
            .await
            .unwrap(),
        415,
    );
    let with_charset = till
        .request(Method::POST, "/orders")
        .header("content-type", "Application/JSON; charset=UTF-8");
    assert_eq!(answer(with_charset.body(order)).await.unwrap().status, 201);
}

#[tokio::test]
async fn missing_or_unreadable_credentials_are_an_authentication_error() {
    let till = Till::open().await;
    let order = till.order(1);
    let url = format!("{}/orders", till.simulator.base_url());
    let post = || with_json(till.client.post(&url), &order);
    for request in [
        post(),
        post().basic_auth("", Some("secret")),
        post().basic_auth(till::USER, Some("")),
        post().header("authorization", "Bearer abc"),
        post().header("authorization", "Basic !!!"),
    ] {
        let refused = answer(request).await.unwrap();
        assert_eq!(refused.error(), (400, "AUTHENTICATION_ERROR"));
        assert_eq!(refused.json["id"], order["id"]);
    }
    assert_eq!(till.simulator.book().orders().count(), 0);
}

#[tokio::test]
async fn a_body_that_is_no_json_is_a_400_in_plain_text() {
    let till = Till::open().await;
    for body in ["{", "", "[]", "\"text\"", "{\"amount\": 7}", "\u{0}"] {
        let request = till
            .request(Method::POST, "/orders")
            .header("content-type", "application/json");
        let refused = answer(request.body(body)).await.unwrap();
        assert_eq!(
            (refused.status, refused.content_type.as_str()),
            (400, "text/plain"),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_member_of_the_wrong_kind_is_a_400_in_plain_text() {
    let till = Till::open().await;
    for (pointer, wrong) in [
        ("/amount/amount", json!("a lot")),
        ("/time", json!("yesterday")),
        ("/newCustomer", json!("perhaps")),
        ("/senderDetails/idType", json!("LIBRARY_CARD")),
        ("/thirdPartyIdentifiers", json!({})),
    ] {
        let mut order = till.order(1);
        *order.pointer_mut(pointer).unwrap() = wrong;
        let refused = till.post("/orders", &order).await;
        assert_eq!(
            (refused.status, refused.content_type.as_str()),
            (400, "text/plain"),
            "{pointer}"
        );
    }
    let mut reversal = till.reversal(&till.order(1));
    reversal["reversalReason"] = json!("WHY_NOT");
    assert_eq!(
        till.post("/orders/reversals", &reversal).await.content_type,
        "text/plain"
    );
}

#[tokio::test]
async fn every_choice_and_every_part_of_a_body_is_looked_at() {
    let till = Till::open().await;
    let unfit = [
        ("tranType", json!("BARTER")),
        ("srcAccType", json!("MATTRESS")),
        ("destAccType", json!("default")),
        ("purposeOfRemittance", json!("FUN")),
        ("recipientRelationship", json!("NEIGHBOUR")),
        ("slipData", json!("slip")),
        ("slipData", json!({ "messageLines": {} })),
        (
            "slipData",
            json!({ "messageLines": [{ "text": "a", "cut": 7 }] }),
        ),
        (
            "slipData",
            json!({ "messageLines": [{ "text": "a", "fontWidthScaleFactor": "wide" }] }),
        ),
        ("stan", json!({})),
        ("rrn", json!([])),
        ("quoteId", json!({})),
        ("senderDetails", json!({ "address": "here" })),
        ("senderDetails", json!({ "firstName": {} })),
        ("senderDetails", json!({ "sourceOfIncome": "LUCK" })),
        ("senderDetails", json!({ "occupation": "KING" })),
        (
            "recipientDetails",
            json!({ "accountDetails": { "accountId": "1", "type": "SOCK" } }),
        ),
        (
            "amount",
            json!({ "amount": 1, "currency": "710", "ledgerIndicator": "MAYBE" }),
        ),
        (
            "amounts",
            json!({ "additionalAmounts": { "tip": { "amount": "much", "currency": "710" } } }),
        ),
        (
            "pin",
            json!({ "pinBlock": "1", "encryptionParameters": { "accountNumber": "1", "pinBlockFormat": "PLAIN" } }),
        ),
    ];
    for (name, wrong) in unfit {
        let mut order = till.order(1);
        order[name] = wrong;
        let refused = till.post("/orders", &order).await;
        assert_eq!(
            (refused.status, refused.content_type.as_str()),
            (400, "text/plain"),
            "{name}: {}",
            order[name]
        );
    }
    let update = json!({ "updateTime": "2024-03-01T10:00:00Z", "status": "LOST", "orderId": "1" });
    let refused = till.put("/orders/status", &update).await;
    assert_eq!(refused.content_type, "text/plain");
}

#[tokio::test]
async fn a_body_with_all_its_parts_is_accepted() {
    let till = Till::open().await;
    let mut order = till.order(1);
    (order["stan"], order["rrn"]) = (json!(123), json!("456"));
    order["basketRef"] = json!(789);
    order["purposeOfRemittance"] = json!("EDUCATION");
    order["recipientRelationship"] = json!("CHILD");
    order["amounts"] = json!({ "additionalAmounts": { "tip": till::zar(1) } });
    order["slipData"] = json!({ "messageLines": [{
        "text": "Thanks", "cut": true, "fontWidthScaleFactor": 1.5,
        "barcode": { "data": "1", "encoding": "CODE_128" },
    }] });
    order["senderDetails"]["occupation"] = json!("PROFESSIONAL");
    order["senderDetails"]["address"] = json!({ "city": "Durban" });
    order["recipientDetails"]["accountDetails"] =
        json!({ "accountId": "1", "type": "SWIFT", "swiftCode": "A" });
    let approved = till.post("/orders", &order).await;
    assert_eq!(approved.status, 201, "{approved:?}");
    assert_eq!(approved.json["slipData"], order["slipData"]);
    assert_eq!(approved.json["senderDetails"], order["senderDetails"]);
    assert_eq!(approved.json["basketRef"], "789");
    let repeats = |name| approved.json.get(name).is_some();
    assert!(!repeats("stan") && !repeats("rrn"), "{approved:?}");
}

#[tokio::test]
async fn a_missing_field_is_a_format_error_with_a_list_and_an_id_of_its_own() {
    let till = Till::open().await;
    let mut order = till.order(1);
    order["amount"] = Value::Null;
    order["originator"]["merchant"]
        .as_object_mut()
        .unwrap()
        .remove("merchantId");
    order["thirdPartyIdentifiers"] = json!([{}]);
    let refused = till.post("/orders", &order).await;
    assert_eq!(refused.error(), (400, "FORMAT_ERROR"));
    let expected = [
        "amount may not be null",
        "originator.merchant.merchantId may not be null",
        "thirdPartyIdentifiers[0].institutionId may not be null",
    ];
    assert_eq!(refused.json["detailMessage"], json!(expected));
    assert_ne!(refused.json["id"], order["id"]);
    assert_eq!(refused.content_type, "application/json");
}

#[tokio::test]
async fn every_operation_with_a_body_names_what_is_missing() {
    let till = Till::open().await;
    for operation in Operation::ALL
        .into_iter()
        .filter(|operation| operation.method() != Method::GET)
    {
        let request = till.request(operation.method(), operation.path());
        let refused = answer(with_json(request, &json!({}))).await.unwrap();
        assert_eq!(refused.error(), (400, "FORMAT_ERROR"), "{operation}");
        assert!(
            !refused.json["detailMessage"].as_array().unwrap().is_empty(),
            "{operation}"
        );
    }
}

#[tokio::test]
async fn scripted_error_details_have_a_short_message_and_the_providers_words() {
    let till = Till::open().await;
    for error_type in ErrorType::ALL {
        till.simulator.inject(
            Rule::on(Operation::CreateOrder)
                .next(1)
                .fault(Fault::error(error_type.as_str())),
        );
        let refused = till.post("/orders", &till.order(1)).await;
        assert_error_detail(&refused, error_type);
    }
}

/// Sends each of these in turn; each is refused by an ErrorDetail of this type.
async fn assert_refused<const N: usize>(till: &Till, refused: [(&str, Value, ErrorType); N]) {
    for (path, message, error_type) in refused {
        assert_error_detail(&till.post(path, &message).await, &error_type);
    }
}

#[tokio::test]
async fn error_details_of_sales_have_a_short_message_and_the_providers_words() {
    use ErrorType as E;
    const SELL: &str = "/orders";
    let till = Till::open().await;
    let (order, _) = till.sold(1).await;
    let advice = till.advice(&order);
    till.post("/orders/confirmations", &advice).await;
    let mut stranger = till.order(1);
    stranger["client"]["id"] = json!("1");
    let reversal = till.reversal(&order);
    let refused = [
        (SELL, till.order(0), E::InvalidAmount),
        (SELL, till.order(600_000), E::DailyLimitExceeded),
        (SELL, till.order(2_000_000), E::MonthlyLimitExceeded),
        (SELL, stranger, E::AuthenticationError),
        (SELL, order, E::DuplicateRecord),
        (SELL, json!({}), E::FormatError),
        ("/orders/confirmations", advice, E::DuplicateRecord),
        ("/orders/reversals", reversal, E::DuplicateRecord),
    ];
    assert_refused(&till, refused).await;
}

/// The redeem reference of an order that nobody has confirmed.
async fn unconfirmed(till: &Till) -> String {
    let approved = till.post("/orders", &till.order(1)).await;
    approved.json["orderRedeemRef"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn error_details_of_cancellations_have_a_short_message_and_the_providers_words() {
    use ErrorType as E;
    const CANCEL: &str = "/orders/cancel";
    let till = Till::open().await;
    let (_, reference) = till.sold(1).await;
    let mut of_another = till.cancellation(&reference);
    of_another["idNumber"] = json!("1");
    let too_early = till.cancellation(&unconfirmed(&till).await);
    let refused = [
        (CANCEL, till.cancellation("1"), E::UnableToLocateRecord),
        (CANCEL, too_early, E::TransactionDeclined),
        (CANCEL, of_another, E::CustomerCheckFailed),
    ];
    assert_refused(&till, refused).await;
}

#[tokio::test]
async fn error_details_of_redemptions_have_a_short_message_and_the_providers_words() {
    use ErrorType as E;
    const REDEEM: &str = "/orders/redemptions";
    let till = Till::open().await;
    let (_, reference) = till.sold(1).await;
    let mut wrong_pin = till.redemption(&reference, 1);
    wrong_pin["pin"] = till::pin("0000000000000009");
    let too_early = till.redemption(&unconfirmed(&till).await, 1);
    let too_much = till.redemption(&reference, 2);
    let refused = [
        (REDEEM, too_early, E::UnableToRedeem),
        (REDEEM, too_much, E::InvalidAmount),
        (REDEEM, wrong_pin.clone(), E::IncorrectPin),
        (REDEEM, wrong_pin.clone(), E::IncorrectPin),
        (REDEEM, wrong_pin.clone(), E::IncorrectPin),
        (REDEEM, wrong_pin, E::PinRetriesExceeded),
    ];
    assert_refused(&till, refused).await;
    let redeemed = till.post(REDEEM, &till.redemption(&reference, 1)).await;
    assert_eq!(redeemed.status, 201, "{redeemed:?}");
    let again = till.redemption(&reference, 1);
    assert_refused(&till, [(REDEEM, again, E::AlreadyRedeemed)]).await;
}

fn assert_error_detail(answer: &Answer, error_type: &ErrorType) {
    assert_eq!(answer.error(), (400, error_type.as_str()), "{answer:?}");
    let message = answer.json["errorMessage"].as_str().unwrap();
    assert!((1..=80).contains(&message.chars().count()), "{message}");
    assert!(answer.json["id"].is_string());
    assert!(answer.json["providerErrorCode"].is_string());
    assert!(answer.json["providerErrorMessage"].is_string());
}

#[tokio::test]
async fn answers_are_compact_and_without_nulls() {
    let till = Till::open().await;
    let mut order = till.order(1);
    order["stan"] = Value::Null;
    order["originator"]["operatorId"] = Value::Null;
    order["basketRef"] = json!("Größe");
    let approved = till.post("/orders", &order).await;
    assert_eq!(approved.status, 201, "{approved:?}");
    assert!(
        !approved.text.contains("null")
            && !approved.text.contains(": ")
            && !approved.text.contains('\n')
    );
    assert!(approved.text.contains("Größe"));
}

#[tokio::test]
async fn times_are_answered_in_utc_with_three_digits() {
    let till = Till::open().await;
    for (given, expected) in [
        ("2024-02-29T10:00:00+02:00", "2024-02-29T08:00:00.000Z"),
        ("2024-02-29T10:00:00.123456789Z", "2024-02-29T10:00:00.123Z"),
        ("2024-02-29T10:00:00.5-0030", "2024-02-29T10:30:00.500Z"),
    ] {
        let mut order = till.order(1);
        order["time"] = json!(given);
        assert_eq!(till.post("/orders", &order).await.json["time"], expected);
        let mut advice = till.advice(&order);
        advice["time"] = json!(given);
        assert_eq!(
            till.post("/orders/confirmations", &advice).await.json["time"],
            expected
        );
    }
}

#[tokio::test]
async fn any_text_is_an_id_and_unknown_members_are_echoed() {
    let till = Till::open().await;
    let mut order = till.order(1);
    order["id"] = json!("Not A UUID / ünïque");
    order["thirdPartyIdentifiers"][0]["extra"] = json!({ "kept": [1, 2] });
    let approved = till.post("/orders", &order).await;
    assert_eq!(approved.json["id"], order["id"]);
    assert_eq!(
        approved.json["thirdPartyIdentifiers"][0],
        order["thirdPartyIdentifiers"][0]
    );
    let advice = till.advice(&order);
    let confirmed = till.post("/orders/confirmations", &advice).await;
    assert_eq!(confirmed.status, 202);
    assert_eq!(
        confirmed.json["thirdPartyIdentifiers"],
        advice["thirdPartyIdentifiers"]
    );
}

#[tokio::test]
async fn a_number_as_an_id_is_the_same_text_in_every_answer_and_in_the_book() {
    let till = Till::open().await;
    let mut order = till.order(1);
    order["id"] = json!(12345);
    let mut advice = till.advice(&till.order(1));
    (advice["id"], advice["requestId"]) = (json!(678), json!(12345));
    let unknown = till.post("/orders/confirmations", &advice).await;
    assert_eq!(unknown.error(), (400, "UNABLE_TO_LOCATE_RECORD"));
    assert_eq!(
        (&unknown.json["id"], &unknown.json["originalId"]),
        (&json!("678"), &json!("12345"))
    );
    assert_eq!(till.post("/orders", &order).await.json["id"], "12345");
    let duplicate = till.post("/orders", &order).await;
    assert_eq!(duplicate.error(), (400, "DUPLICATE_RECORD"));
    assert_eq!(duplicate.json["id"], "12345");
    let book = till.simulator.book();
    assert_eq!(book.requests_of(12345).received(), 2);
    assert_eq!(book.confirmations_of(12345).received(), 1);
    assert_eq!(book.messages().next().unwrap().advice_id(), Some("678"));
}

#[tokio::test]
async fn a_bad_number_flag_or_choice_in_a_query_is_a_404_page() {
    let till = Till::open().await;
    for path in [
        "/admin/fees?amount=ten&amountIncludesFee=true",
        "/admin/fees?amount=10&amountIncludesFee=perhaps",
        "/admin/customers?idNumber=1&idType=LIBRARY_CARD",
        "/admin/customers/orders?customerProfileId=1&status=LOST",
        "/admin/customers/orders?customerProfileId=1&fromDateTime=yesterday",
    ] {
        assert_page(&till.get(path).await, 404);
    }
}

#[tokio::test]
async fn each_user_and_password_sees_its_own_records() {
    let till = Till::open().await;
    let order = till.order(1);
    assert_eq!(till.post("/orders", &order).await.status, 201);
    let advice = till.advice(&order);
    let url = format!("{}/orders/confirmations", till.simulator.base_url());
    let as_other =
        with_json(till.client.post(url), &advice).basic_auth(till::USER, Some("another"));
    let refused = answer(as_other).await.unwrap();
    assert_eq!(refused.error(), (400, "UNABLE_TO_LOCATE_RECORD"));
    assert_eq!(
        till.post("/orders/confirmations", &advice).await.status,
        202
    );
}

#[tokio::test]
async fn a_reset_forgets_everything_of_that_user_and_nothing_else() {
    let till = Till::open().await;
    let order = till.order(1);
    till.post("/orders", &order).await;
    let reset = async |user: &str| {
        let path = format!("/testServerAdmin/reset?clientId={user}");
        answer(till.request(Method::POST, &path))
            .await
            .unwrap()
            .status
    };
    assert_eq!(reset("someone-else").await, 204);
    assert!(till.simulator.book().order(id(&order)).is_some());
    assert_eq!(reset(till::USER).await, 204);
    assert!(till.simulator.book().order(id(&order)).is_none());
    assert_eq!(till.post("/orders", &order).await.status, 201);
}

#[tokio::test]
async fn a_body_beyond_four_megabytes_is_refused() {
    let till = Till::open().await;
    let mut order = till.order(1);
    order["basketRef"] = json!("x".repeat(5 * 1024 * 1024));
    assert_page(&till.post("/orders", &order).await, 413);
    let book = till.simulator.book();
    assert_eq!((book.messages().count(), book.strays()), (0, 1));
}
