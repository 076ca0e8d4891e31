//! What the simulator promises of orders and their advices.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "simulator/till.rs"]
mod till;

use money_transfer_retailer::simulator::{LegState, OrderState, Simulator};
use serde_json::{Value, json};
use till::{Till, fresh_id, id, pin};

async fn status_of(till: &Till, reference: &str) -> String {
    let found = till
        .get(&format!("/orders?orderRedeemRef={reference}&receiverId=9"))
        .await;
    assert_eq!(found.status, 200, "{found:?}");
    found.json["status"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_approval_echoes_the_request_and_says_where_the_order_is() {
    let till = Till::open().await;
    let order = till.order(12_345);
    let approved = till.post("/orders", &order).await;
    assert_eq!(
        (approved.status, approved.content_type.as_str()),
        (201, "application/json")
    );
    for name in [
        "id",
        "originator",
        "client",
        "settlementEntity",
        "receiver",
        "slipData",
        "basketRef",
        "tranType",
        "srcAccType",
        "destAccType",
        "amount",
        "senderDetails",
    ] {
        assert_eq!(approved.json[name], order[name], "{name}");
    }
    let location = format!("{}/orders/{}", till.simulator.base_url(), id(&order));
    assert_eq!(approved.headers["location"], location);
    assert_eq!(approved.json["orderId"], order["id"]);
    assert!(approved.json.get("pin").is_none() && approved.json.get("recipientDetails").is_none());
}

#[tokio::test]
async fn a_redeem_reference_has_twenty_digits_and_is_new_each_time() {
    let till = Till::open().await;
    let (_, first) = till.sold(1).await;
    let (_, second) = till.sold(1).await;
    assert_eq!(first.len(), 20);
    assert!(first.bytes().all(|byte| byte.is_ascii_digit()));
    assert_ne!(first, second);
}

#[tokio::test]
async fn receiver_and_settlement_entity_each_add_their_identifier() {
    let till = Till::open().await;
    let order = till.order(1);
    let approved = till.post("/orders", &order).await;
    let identifiers = approved.json["thirdPartyIdentifiers"].as_array().unwrap();
    assert_eq!(identifiers[0], order["thirdPartyIdentifiers"][0]);
    let institutions: Vec<&Value> = identifiers
        .iter()
        .map(|identifier| &identifier["institutionId"])
        .collect();
    assert_eq!(institutions, ["1", "9", "8"]);
    assert!(identifiers[1]["transactionIdentifier"].is_string());
}

#[tokio::test]
async fn orders_are_refused_in_the_providers_order() {
    let till = Till::open().await;
    let mut order = till.order(5_000_000);
    till.post("/orders", &order).await;
    let used = till.order(100);
    assert_eq!(till.post("/orders", &used).await.status, 201);
    order["id"] = used["id"].clone();
    order["client"]["id"] = json!("someone else");
    assert_eq!(
        till.post("/orders", &order).await.error(),
        (400, "AUTHENTICATION_ERROR")
    );
    order["client"]["id"] = json!(till::USER);
    let duplicate = till.post("/orders", &order).await;
    assert_eq!(duplicate.error(), (400, "DUPLICATE_RECORD"));
    assert_eq!(duplicate.json["id"], used["id"]);
    order["id"] = json!(fresh_id());
    order["newCustomer"] = json!(false);
    order["customerProfileId"] = json!("unknown");
    for (amount, error) in [
        (-1, "INVALID_AMOUNT"),
        (0, "INVALID_AMOUNT"),
        (1_000_001, "MONTHLY_LIMIT_EXCEEDED"),
        (1_000_000, "DAILY_LIMIT_EXCEEDED"),
        (500_001, "DAILY_LIMIT_EXCEEDED"),
        (500_000, "FORMAT_ERROR"),
    ] {
        order["amount"]["amount"] = json!(amount);
        assert_eq!(
            till.post("/orders", &order).await.error(),
            (400, error),
            "{amount}"
        );
    }
    assert_eq!(till.simulator.book().orders().count(), 1);
}

#[tokio::test]
async fn a_new_customer_gets_a_profile_that_the_next_order_can_name() {
    let till = Till::open().await;
    let first = till.order(1);
    let approved = till.post("/orders", &first).await;
    let profile = approved.json["customerProfileId"].as_str().unwrap();
    assert_eq!(profile.len(), 10);
    let mut second = till.order(1);
    second["newCustomer"] = json!(false);
    second["customerProfileId"] = json!(profile);
    assert_eq!(
        till.post("/orders", &second).await.error(),
        (400, "CUSTOMER_CHECK_FAILED")
    );
    second["senderDetails"] = first["senderDetails"].clone();
    assert_eq!(till.post("/orders", &second).await.status, 201);
}

#[tokio::test]
async fn a_refused_order_leaves_nothing_and_its_id_stays_free() {
    let till = Till::open().await;
    let mut order = till.order(0);
    assert_eq!(till.post("/orders", &order).await.status, 400);
    assert_eq!(
        till.post("/orders/reversals", &till.reversal(&order))
            .await
            .error(),
        (400, "UNABLE_TO_LOCATE_RECORD")
    );
    order["amount"]["amount"] = json!(1);
    assert_eq!(till.post("/orders", &order).await.status, 201);
}

#[tokio::test]
async fn an_advice_is_answered_with_itself() {
    let till = Till::open().await;
    let order = till.order(1);
    till.post("/orders", &order).await;
    let mut advice = till.advice(&order);
    advice["amounts"] = json!({ "approvedAmount": till::zar(1), "unknown": "kept" });
    let confirmed = till.post("/orders/confirmations", &advice).await;
    advice["time"] = json!("2024-02-29T08:00:01.500Z");
    assert_eq!((confirmed.status, confirmed.json), (202, advice));
}

#[tokio::test]
async fn an_advice_for_an_unknown_request_names_both_ids() {
    let till = Till::open().await;
    let order = till.order(1);
    for (path, advice) in [
        ("/orders/confirmations", till.advice(&order)),
        ("/orders/reversals", till.reversal(&order)),
        ("/orders/redemptions/confirmations", till.advice(&order)),
        ("/orders/redemptions/reversals", till.reversal(&order)),
        ("/orders/cancel/reversals", till.reversal(&order)),
    ] {
        let refused = till.post(path, &advice).await;
        assert_eq!(refused.error(), (400, "UNABLE_TO_LOCATE_RECORD"), "{path}");
        assert_eq!(refused.json["id"], advice["id"]);
        assert_eq!(refused.json["originalId"], order["id"]);
    }
}

#[tokio::test]
async fn the_same_advice_id_again_is_a_duplicate_and_another_one_is_accepted() {
    let till = Till::open().await;
    let order = till.order(1);
    till.post("/orders", &order).await;
    let advice = till.advice(&order);
    assert_eq!(
        till.post("/orders/confirmations", &advice).await.status,
        202
    );
    let duplicate = till.post("/orders/confirmations", &advice).await;
    assert_eq!(duplicate.error(), (400, "DUPLICATE_RECORD"));
    assert_eq!(
        (&duplicate.json["id"], &duplicate.json["originalId"]),
        (&advice["id"], &order["id"])
    );
    assert_eq!(
        till.post("/orders/confirmations", &till.advice(&order))
            .await
            .status,
        202
    );
    let book = till.simulator.book();
    let confirmations = book.confirmations_of(id(&order));
    assert_eq!(
        (
            confirmations.received(),
            confirmations.accepted(),
            confirmations.distinct_bodies()
        ),
        (3, 2, 2)
    );
    assert_eq!(book.order(id(&order)).unwrap().confirmations().len(), 2);
}

#[tokio::test]
async fn a_reversed_order_is_cancelled_and_cannot_be_confirmed() {
    let till = Till::open().await;
    let order = till.order(1);
    let approved = till.post("/orders", &order).await;
    let reference = approved.json["orderRedeemRef"].as_str().unwrap();
    assert_eq!(status_of(&till, reference).await, "UNREDEEMED");
    assert_eq!(
        till.post("/orders/reversals", &till.reversal(&order))
            .await
            .status,
        202
    );
    assert_eq!(
        till.post("/orders/reversals", &till.reversal(&order))
            .await
            .status,
        202
    );
    assert_eq!(status_of(&till, reference).await, "CANCELLED");
    let advice = till.advice(&order);
    let refused = till.post("/orders/confirmations", &advice).await;
    assert_eq!(refused.error(), (400, "DUPLICATE_RECORD"));
    assert_eq!(refused.json["id"], advice["id"]);
    assert_eq!(
        till.simulator.book().order(id(&order)).unwrap().state(),
        OrderState::Reversed
    );
}

#[tokio::test]
async fn a_confirmed_order_cannot_be_reversed() {
    let till = Till::open().await;
    let (order, reference) = till.sold(1).await;
    assert_eq!(
        till.post("/orders/reversals", &till.reversal(&order))
            .await
            .error(),
        (400, "DUPLICATE_RECORD")
    );
    assert_eq!(status_of(&till, &reference).await, "UNREDEEMED");
    assert_eq!(till.simulator.book().reversals_of(id(&order)).accepted(), 0);
}

#[tokio::test]
async fn a_reversal_says_why() {
    let till = Till::open().await;
    let (order, _) = till.sold(1).await;
    let refused = till.post("/orders/reversals", &till.advice(&order)).await;
    assert_eq!(
        refused.json["detailMessage"],
        json!(["reversalReason may not be null"])
    );
}

#[tokio::test]
async fn a_lookup_holds_amount_status_originator_and_receiver() {
    let till = Till::open().await;
    let (order, reference) = till.sold(321).await;
    let found = till
        .get(&format!(
            "/orders?orderRedeemRef={reference}&remittanceRef=nonsense"
        ))
        .await;
    let expected = json!({
        "amount": order["amount"],
        "status": "UNREDEEMED",
        "originator": order["originator"],
        "receiver": order["receiver"],
    });
    assert_eq!((found.status, found.json), (200, expected));
    assert_eq!(
        till.get("/orders?orderRedeemRef=1").await.error(),
        (400, "UNABLE_TO_LOCATE_RECORD")
    );
    assert_eq!(till.get("/orders").await.error(), (400, "FORMAT_ERROR"));
    assert_eq!(
        till.get(&format!("/orders?remittanceRef={}", id(&order)))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_cancellation_takes_effect_with_its_answer() {
    let till = Till::open().await;
    let (order, reference) = till.sold(55).await;
    let cancelled = till
        .post("/orders/cancel", &till.cancellation(&reference))
        .await;
    assert_eq!(cancelled.status, 200);
    assert_eq!(
        (&cancelled.json["amount"], &cancelled.json["orderId"]),
        (&order["amount"], &order["id"])
    );
    assert_eq!(cancelled.json["orderRedeemRef"], json!(reference));
    assert!(cancelled.json["orderRedeemRefAlt"].is_string());
    assert_eq!(status_of(&till, &reference).await, "CANCELLED");
    let redeemed = till
        .post("/orders/redemptions", &till.redemption(&reference, 55))
        .await;
    assert_eq!(redeemed.error(), (400, "UNABLE_TO_REDEEM"));
    let again = till
        .post("/orders/cancel", &till.cancellation(&reference))
        .await;
    assert_eq!(again.error(), (400, "TRANSACTION_DECLINED"));
}

#[tokio::test]
async fn a_reversed_cancellation_reopens_the_order() {
    let till = Till::open().await;
    let (order, reference) = till.sold(55).await;
    let cancellation = till.cancellation(&reference);
    till.post("/orders/cancel", &cancellation).await;
    let reversal = till.reversal(&cancellation);
    assert_eq!(
        till.post("/orders/cancel/reversals", &reversal)
            .await
            .status,
        202
    );
    assert_eq!(
        till.post("/orders/cancel/reversals", &reversal)
            .await
            .error(),
        (400, "DUPLICATE_RECORD")
    );
    assert_eq!(status_of(&till, &reference).await, "UNREDEEMED");
    let book = till.simulator.book();
    assert_eq!(
        book.order(id(&order)).unwrap().cancellations()[0].state(),
        LegState::Reversed
    );
    assert_eq!(
        till.post("/orders/redemptions", &till.redemption(&reference, 55))
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn a_late_reversal_of_an_earlier_cancellation_leaves_the_later_one_in_force() {
    let till = Till::open().await;
    let (_, reference) = till.sold(55).await;
    let first = till.cancellation(&reference);
    till.post("/orders/cancel", &first).await;
    till.post("/orders/cancel/reversals", &till.reversal(&first))
        .await;
    assert_eq!(
        till.post("/orders/cancel", &till.cancellation(&reference))
            .await
            .status,
        200
    );
    assert_eq!(
        till.post("/orders/cancel/reversals", &till.reversal(&first))
            .await
            .status,
        202
    );
    assert_eq!(status_of(&till, &reference).await, "CANCELLED");
}

#[tokio::test]
async fn only_a_confirmed_unredeemed_order_of_the_same_person_is_cancelled() {
    let till = Till::open().await;
    let unconfirmed = till.post("/orders", &till.order(1)).await;
    let reference = unconfirmed.json["orderRedeemRef"].as_str().unwrap();
    let refused = till
        .post("/orders/cancel", &till.cancellation(reference))
        .await;
    assert_eq!(refused.error(), (400, "TRANSACTION_DECLINED"));
    assert_eq!(
        till.post("/orders/cancel", &till.cancellation("1"))
            .await
            .error(),
        (400, "UNABLE_TO_LOCATE_RECORD")
    );
    let (_, reference) = till.sold(1).await;
    let mut stranger = till.cancellation(&reference);
    stranger["idNumber"] = json!("1");
    assert_eq!(
        till.post("/orders/cancel", &stranger).await.error(),
        (400, "CUSTOMER_CHECK_FAILED")
    );
    let mut wrong_pin = till.cancellation(&reference);
    wrong_pin["pin"] = pin("0000000000000009");
    assert_eq!(
        till.post("/orders/cancel", &wrong_pin).await.error(),
        (400, "INCORRECT_PIN")
    );
    till.post("/orders/redemptions", &till.redemption(&reference, 1))
        .await;
    let redeemed = till
        .post("/orders/cancel", &till.cancellation(&reference))
        .await;
    assert_eq!(redeemed.error(), (400, "ALREADY_REDEEMED"));
}

#[tokio::test]
async fn a_status_update_is_told_by_the_next_lookup_and_older_news_are_none() {
    let till = Till::open().await;
    let (_, reference) = till.sold(1).await;
    let update = |time: &str, status: &str| json!({ "updateTime": time, "status": status, "orderRedeemRef": reference, "remittanceRef": "R-1" });
    let told = till
        .put("/orders/status", &update("2024-03-01T10:00:00Z", "ON_HOLD"))
        .await;
    assert_eq!((told.status, told.text.as_str()), (204, ""));
    assert_eq!(
        till.put("/orders/status", &update("2024-02-01T10:00:00Z", "EXPIRED"))
            .await
            .status,
        204
    );
    assert_eq!(status_of(&till, &reference).await, "ON_HOLD");
    let refused = till
        .post("/orders/redemptions", &till.redemption(&reference, 1))
        .await;
    assert_eq!(refused.error(), (400, "UNABLE_TO_REDEEM"));
    assert_eq!(
        till.get("/orders?remittanceRef=R-1").await.json["status"],
        "ON_HOLD"
    );
    assert_eq!(
        till.put(
            "/orders/status",
            &update("2024-03-02T10:00:00Z", "UNREDEEMED")
        )
        .await
        .status,
        204
    );
    assert_eq!(
        till.post("/orders/redemptions", &till.redemption(&reference, 1))
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn a_status_update_names_an_order_that_exists() {
    let till = Till::open().await;
    let mut update = json!({ "updateTime": "2024-03-01T10:00:00Z", "status": "EXPIRED" });
    assert_eq!(
        till.put("/orders/status", &update).await.error(),
        (400, "FORMAT_ERROR")
    );
    update["orderRedeemRef"] = json!("1");
    assert_eq!(
        till.put("/orders/status", &update).await.error(),
        (400, "UNABLE_TO_LOCATE_RECORD")
    );
}

#[tokio::test]
async fn a_cancellation_goes_by_what_a_status_update_told() {
    let till = Till::open().await;
    for (status, expected) in [
        ("REDEEMED", "ALREADY_REDEEMED"),
        ("CANCELLED", "TRANSACTION_DECLINED"),
        ("EXPIRED", "TRANSACTION_DECLINED"),
        ("ON_HOLD", "TRANSACTION_DECLINED"),
        ("UNCONFIRMED", "TRANSACTION_DECLINED"),
        ("UNREDEEMED", "none"),
    ] {
        let (_, reference) = till.sold(1).await;
        let update = json!({ "updateTime": "2024-03-01T10:00:00Z", "status": status, "orderRedeemRef": reference });
        assert_eq!(till.put("/orders/status", &update).await.status, 204);
        let answer = till
            .post("/orders/cancel", &till.cancellation(&reference))
            .await;
        assert_eq!(answer.error().1, expected, "{status}");
    }
}

#[tokio::test]
async fn an_order_of_no_new_customer_needs_no_profile() {
    for quirks in [false, true] {
        let till = Till::at(Simulator::builder().provider_quirks(quirks)).await;
        let mut order = till.order(1);
        order["newCustomer"] = json!(false);
        order["senderDetails"] = json!({ "firstName": "Thandi" });
        let approved = till.post("/orders", &order).await;
        assert_eq!(approved.status, 201, "{approved:?}");
        assert!(approved.json.get("customerProfileId").is_none());
    }
}

#[tokio::test]
async fn an_order_that_breaks_the_server_leaves_no_customer() {
    let till = Till::at(Simulator::builder().provider_quirks(true)).await;
    for field in ["settlementEntity", "receiver"] {
        let mut order = till.order(1);
        order.as_object_mut().unwrap().remove(field);
        assert_eq!(till.post("/orders", &order).await.status, 500);
        let id_number = order["senderDetails"]["idNumber"].as_str().unwrap();
        let customer = till
            .get(&format!("/admin/customers?idNumber={id_number}"))
            .await;
        assert_eq!(customer.error(), (400, "UNABLE_TO_LOCATE_RECORD"));
    }
}

/// The names of the members, sorted.
fn names(json: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = json
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn an_approval_repeats_what_the_interface_names_and_nothing_else() {
    let till = Till::open().await;
    let mut order = till.order(7);
    order["surprise"] = json!(1);
    order["originator"]["surprise"] = json!(1);
    order["slipData"]["messageLines"] = json!([{ "text": "Thanks", "surprise": 1 }]);
    order["senderDetails"]["surprise"] = json!(1);
    order["thirdPartyIdentifiers"][0]["surprise"] = json!(1);
    order["amounts"] = json!({ "approvedAmount": till::zar(7) });
    let sold = till.post("/orders", &order).await;
    let common = [
        "amount",
        "basketRef",
        "client",
        "destAccType",
        "id",
        "orderId",
        "originator",
        "receiver",
        "settlementEntity",
        "slipData",
        "srcAccType",
        "thirdPartyIdentifiers",
        "time",
        "tranType",
    ];
    let with = |own: &[&'static str]| {
        let mut all = [&common, own].concat();
        all.sort_unstable();
        all
    };
    let own = ["customerProfileId", "orderRedeemRef", "senderDetails"];
    assert_eq!(names(&sold.json), with(&own));
    assert_eq!(sold.text.matches("surprise").count(), 1);
    assert_eq!(sold.json["thirdPartyIdentifiers"][0]["surprise"], 1);
    assert_eq!(
        sold.json["slipData"]["messageLines"],
        json!([{ "text": "Thanks" }])
    );

    till.post("/orders/confirmations", &till.advice(&order))
        .await;
    let reference = sold.json["orderRedeemRef"].as_str().unwrap();
    let mut redemption = till.redemption(reference, 7);
    (redemption["surprise"], redemption["senderDetails"]) = (json!(1), json!({}));
    let redeemed = till.post("/orders/redemptions", &redemption).await;
    assert_eq!(names(&redeemed.json), with(&[]));
    till.post("/orders/redemptions/reversals", &till.reversal(&redemption))
        .await;
    let mut cancellation = till.cancellation(reference);
    cancellation["surprise"] = json!(1);
    let cancelled = till.post("/orders/cancel", &cancellation).await;
    assert_eq!(
        names(&cancelled.json),
        with(&["orderRedeemRef", "orderRedeemRefAlt"])
    );
}
