//! What the simulator promises of redemptions and PINs.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "simulator/till.rs"]
mod till;

use money_transfer_retailer::simulator::{LegState, OrderState};
use serde_json::{Value, json};
use till::{Till, id, pin, transaction};

const REDEEM: &str = "/orders/redemptions";

async fn status_of(till: &Till, reference: &str) -> String {
    let found = till
        .get(&format!("/orders?orderRedeemRef={reference}"))
        .await;
    found.json["status"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_redemption_answers_amount_order_and_the_receivers_identifier() {
    let till = Till::open().await;
    let (order, reference) = till.sold(77).await;
    let redemption = till.redemption(&reference, 77);
    let approved = till.post(REDEEM, &redemption).await;
    assert_eq!(approved.status, 201);
    assert_eq!(
        (&approved.json["id"], &approved.json["orderId"]),
        (&redemption["id"], &order["id"])
    );
    assert_eq!(approved.json["amount"], order["amount"]);
    let identifiers = approved.json["thirdPartyIdentifiers"].as_array().unwrap();
    assert_eq!(
        (identifiers.len(), &identifiers[1]["institutionId"]),
        (2, &json!("9"))
    );
    assert!(approved.json.get("pin").is_none());
}

#[tokio::test]
async fn a_confirmed_redemption_redeems_the_order_for_good() {
    let till = Till::open().await;
    let (order, reference) = till.sold(1).await;
    let redemption = till.redemption(&reference, 1);
    till.post(REDEEM, &redemption).await;
    assert_eq!(status_of(&till, &reference).await, "UNREDEEMED");
    assert_eq!(
        till.post(
            "/orders/redemptions/confirmations",
            &till.advice(&redemption)
        )
        .await
        .status,
        202
    );
    assert_eq!(
        till.post(
            "/orders/redemptions/confirmations",
            &till.advice(&redemption)
        )
        .await
        .status,
        202
    );
    assert_eq!(status_of(&till, &reference).await, "REDEEMED");
    let refused = till
        .post("/orders/redemptions/reversals", &till.reversal(&redemption))
        .await;
    assert_eq!(refused.error(), (400, "ALREADY_REDEEMED"));
    assert_eq!(
        till.post(REDEEM, &till.redemption(&reference, 1))
            .await
            .error(),
        (400, "ALREADY_REDEEMED")
    );
    let book = till.simulator.book();
    assert_eq!(
        book.order(id(&order)).unwrap().state(),
        OrderState::Redeemed
    );
    assert_eq!(
        book.redemption(id(&redemption))
            .unwrap()
            .confirmations()
            .len(),
        2
    );
}

#[tokio::test]
async fn a_reversed_redemption_leaves_the_order_unredeemed() {
    let till = Till::open().await;
    let (_, reference) = till.sold(1).await;
    let redemption = till.redemption(&reference, 1);
    till.post(REDEEM, &redemption).await;
    assert_eq!(
        till.post(REDEEM, &till.redemption(&reference, 1))
            .await
            .error(),
        (400, "ALREADY_REDEEMED")
    );
    let reversal = till.reversal(&redemption);
    assert_eq!(
        till.post("/orders/redemptions/reversals", &reversal)
            .await
            .status,
        202
    );
    assert_eq!(
        till.post("/orders/redemptions/reversals", &reversal)
            .await
            .error(),
        (400, "DUPLICATE_RECORD")
    );
    assert_eq!(status_of(&till, &reference).await, "UNREDEEMED");
    let refused = till
        .post(
            "/orders/redemptions/confirmations",
            &till.advice(&redemption),
        )
        .await;
    assert_eq!(refused.error(), (400, "UNABLE_TO_REDEEM"));
    assert_eq!(
        till.simulator
            .book()
            .redemption(id(&redemption))
            .unwrap()
            .state(),
        LegState::Reversed
    );
    assert_eq!(
        till.post(REDEEM, &till.redemption(&reference, 1))
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn redemptions_are_refused_in_the_providers_order() {
    let till = Till::open().await;
    let unconfirmed = till.order(50);
    let approved = till.post("/orders", &unconfirmed).await;
    let reference = approved.json["orderRedeemRef"].as_str().unwrap();
    let mut redemption = till.redemption("unknown", 49);
    redemption["id"] = unconfirmed["id"].clone();
    redemption["client"]["id"] = json!("someone else");
    redemption["pin"] = pin("00000000000000FF");
    assert_eq!(
        till.post(REDEEM, &redemption).await.error(),
        (400, "AUTHENTICATION_ERROR")
    );
    redemption["client"]["id"] = json!(till::USER);
    assert_eq!(
        till.post(REDEEM, &redemption).await.error(),
        (400, "DUPLICATE_RECORD")
    );
    redemption["id"] = json!(till::fresh_id());
    assert_eq!(
        till.post(REDEEM, &redemption).await.error(),
        (400, "UNABLE_TO_LOCATE_RECORD")
    );
    redemption["orderRedeemRef"] = json!(reference);
    assert_eq!(
        till.post(REDEEM, &redemption).await.error(),
        (400, "UNABLE_TO_REDEEM")
    );
    till.post("/orders/confirmations", &till.advice(&unconfirmed))
        .await;
    for amount in [49, 51] {
        redemption["amount"]["amount"] = json!(amount);
        assert_eq!(
            till.post(REDEEM, &redemption).await.error(),
            (400, "INVALID_AMOUNT")
        );
    }
    redemption["amount"]["amount"] = json!(50);
    assert_eq!(
        till.post(REDEEM, &redemption).await.error(),
        (400, "INCORRECT_PIN")
    );
    redemption["pin"] = pin("0000000000000001");
    assert_eq!(till.post(REDEEM, &redemption).await.status, 201);
}

#[tokio::test]
async fn from_the_fourth_wrong_pin_on_the_retries_are_exceeded() {
    let till = Till::open().await;
    let (_, reference) = till.sold(1).await;
    for expected in [
        "INCORRECT_PIN",
        "INCORRECT_PIN",
        "INCORRECT_PIN",
        "PIN_RETRIES_EXCEEDED",
        "PIN_RETRIES_EXCEEDED",
    ] {
        let mut redemption = till.redemption(&reference, 1);
        redemption["pin"] = pin("0000000000000009");
        assert_eq!(
            till.post(REDEEM, &redemption).await.error(),
            (400, expected)
        );
    }
}

#[tokio::test]
async fn a_new_pin_takes_effect_at_the_next_redemption() {
    let till = Till::open().await;
    let (order, reference) = till.sold(1).await;
    let mut update = transaction();
    update["pin"] = pin("00000000000000AB");
    update["orderRedeemRef"] = json!(reference);
    assert_eq!(till.put("/orders/pin", &update).await.status, 204);
    assert_eq!(
        till.put("/orders/pin", &update).await.status,
        204,
        "an update may come again"
    );
    let mut redemption = till.redemption(&reference, 1);
    assert_eq!(
        till.post(REDEEM, &redemption).await.error(),
        (400, "INCORRECT_PIN")
    );
    redemption["pin"] = pin("00000000000000ab");
    assert_eq!(till.post(REDEEM, &redemption).await.status, 201);
    assert_eq!(
        till.put("/orders/pin", &update).await.error(),
        (400, "ALREADY_REDEEMED")
    );
    let mut by_id = update.clone();
    by_id.as_object_mut().unwrap().remove("orderRedeemRef");
    assert_eq!(
        till.put("/orders/pin", &by_id).await.error(),
        (400, "FORMAT_ERROR")
    );
    by_id["orderId"] = order["id"].clone();
    assert_eq!(
        till.put("/orders/pin", &by_id).await.error(),
        (400, "ALREADY_REDEEMED")
    );
}

#[tokio::test]
async fn a_pin_update_of_another_customer_is_refused() {
    let till = Till::open().await;
    let (_, reference) = till.sold(1).await;
    let mut update = transaction();
    update["pin"] = pin("00000000000000AB");
    update["orderRedeemRef"] = json!(reference);
    update["customerProfileId"] = json!("1");
    assert_eq!(
        till.put("/orders/pin", &update).await.error(),
        (400, "CUSTOMER_CHECK_FAILED")
    );
    update["orderRedeemRef"] = json!("1");
    assert_eq!(
        till.put("/orders/pin", &update).await.error(),
        (400, "UNABLE_TO_LOCATE_RECORD")
    );
}

/// The order's alternative reference, as the customer's history tells it.
async fn alternative(till: &Till, order: &Value) -> String {
    let id_number = order["senderDetails"]["idNumber"].as_str().unwrap();
    let customer = till
        .get(&format!("/admin/customers?idNumber={id_number}"))
        .await;
    let profile = customer.json["customerProfileId"].as_str().unwrap();
    let history = till
        .get(&format!(
            "/admin/customers/orders?receiverId=9&customerProfileId={profile}"
        ))
        .await;
    history.json["orders"][0]["orderRedeemRefAlt"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn a_pin_is_updated_by_the_alternative_reference_alone() {
    let till = Till::open().await;
    let (order, reference) = till.sold(1).await;
    let mut update = transaction();
    update["pin"] = pin("00000000000000AB");
    update["orderRedeemRefAlt"] = json!("unknown");
    assert_eq!(
        till.put("/orders/pin", &update).await.error(),
        (400, "UNABLE_TO_LOCATE_RECORD")
    );
    update["orderRedeemRefAlt"] = json!(alternative(&till, &order).await);
    assert_eq!(till.put("/orders/pin", &update).await.status, 204);
    let mut redemption = till.redemption(&reference, 1);
    redemption["pin"] = pin("00000000000000AB");
    assert_eq!(till.post(REDEEM, &redemption).await.status, 201);
}

#[tokio::test]
async fn the_alternative_reference_does_not_stand_in_for_the_redeem_reference() {
    const UNKNOWN: (u16, &str) = (400, "UNABLE_TO_LOCATE_RECORD");
    let till = Till::open().await;
    let (order, _) = till.sold(1).await;
    let alternative = alternative(&till, &order).await;
    let found = till
        .get(&format!("/orders?orderRedeemRef={alternative}"))
        .await;
    assert_eq!(found.error(), UNKNOWN);
    let redeemed = till.post(REDEEM, &till.redemption(&alternative, 1)).await;
    assert_eq!(redeemed.error(), UNKNOWN);
    let cancelled = till
        .post("/orders/cancel", &till.cancellation(&alternative))
        .await;
    assert_eq!(cancelled.error(), UNKNOWN);
}

/// A cancellation that names the alternative reference, too.
fn cancellation_with(till: &Till, reference: &str, alternative: &str) -> Value {
    let mut cancellation = till.cancellation(reference);
    cancellation["orderRedeemRefAlt"] = json!(alternative);
    cancellation
}

#[tokio::test]
async fn a_cancellation_may_name_any_alternative_reference_as_long_as_none_was_told() {
    let till = Till::open().await;
    let (_, reference) = till.sold(1).await;
    for _ in 0..2 {
        let cancellation = cancellation_with(&till, &reference, "whatever");
        let cancelled = till.post("/orders/cancel", &cancellation).await;
        assert_eq!(cancelled.status, 200, "{cancelled:?}");
        assert_eq!(cancelled.json["orderRedeemRefAlt"], "whatever");
        let reversal = till.reversal(&cancellation);
        let reversed = till.post("/orders/cancel/reversals", &reversal).await;
        assert_eq!(reversed.status, 202);
    }
}

#[tokio::test]
async fn a_cancellation_with_another_alternative_reference_than_the_one_told_is_refused() {
    let till = Till::open().await;
    let (order, reference) = till.sold(1).await;
    let told = alternative(&till, &order).await;
    let refused = cancellation_with(&till, &reference, "1");
    let refused = till.post("/orders/cancel", &refused).await;
    assert_eq!(refused.error(), (400, "UNABLE_TO_LOCATE_RECORD"));
    let cancellation = cancellation_with(&till, &reference, &told);
    assert_eq!(till.post("/orders/cancel", &cancellation).await.status, 200);
}

#[tokio::test]
async fn an_alternative_reference_stays_what_it_was() {
    let till = Till::open().await;
    let (order, reference) = till.sold(1).await;
    let cancelled = till
        .post("/orders/cancel", &till.cancellation(&reference))
        .await;
    let told = alternative(&till, &order).await;
    assert_eq!(cancelled.json["orderRedeemRefAlt"], json!(told));
    assert_eq!(alternative(&till, &order).await, told);
}
