//! What the simulator promises of the faults of the provider's test server: it has them only if asked to.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "simulator/till.rs"]
mod till;

use money_transfer_retailer::simulator::Simulator;
use serde_json::json;
use till::{Answer, Till};

fn assert_page(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.content_type.starts_with("text/html"), "{answer:?}");
    assert!(answer.text.contains("<html>"), "{answer:?}");
}

#[tokio::test]
async fn the_providers_server_breaks_where_fields_are_missing_only_if_asked_to() {
    let till = Till::at(Simulator::builder().provider_quirks(true)).await;
    let plain = Till::open().await;
    for field in ["newCustomer", "settlementEntity", "receiver"] {
        let mut order = till.order(1);
        order.as_object_mut().unwrap().remove(field);
        let broken = till.post("/orders", &order).await;
        assert_page(&broken, 500);
        assert_eq!(broken.headers["connection"], "close");
        let refused = plain.post("/orders", &order).await;
        assert_eq!(refused.error(), (400, "FORMAT_ERROR"));
        assert_eq!(
            refused.json["detailMessage"],
            json!([format!("{field} may not be null")])
        );
    }
    let mut nobody = till.order(1);
    nobody["senderDetails"] = json!({});
    assert_page(&till.post("/orders", &nobody).await, 500);
    assert_eq!(
        plain.post("/orders", &nobody).await.error(),
        (400, "FORMAT_ERROR")
    );
    let mut stranger = till.order(1);
    stranger["newCustomer"] = json!(false);
    stranger["customerProfileId"] = json!("0000000000");
    assert_page(&till.post("/orders", &stranger).await, 500);
    assert_eq!(
        plain.post("/orders", &stranger).await.error(),
        (400, "FORMAT_ERROR")
    );
    assert_eq!(till.simulator.book().orders().count(), 0);
}

#[tokio::test]
async fn the_providers_server_wants_a_short_number_for_a_client_only_if_asked_to() {
    let quirky = Till::at(Simulator::builder().provider_quirks(true)).await;
    let plain = Till::open().await;
    for (till, user, expected) in [
        (&quirky, "12345678901", 201),
        (&quirky, "123456789012", 400),
        (&quirky, "till-1", 400),
        (&plain, "till-1", 201),
    ] {
        let mut order = till.order(1);
        order["client"]["id"] = json!(user);
        let url = format!("{}/orders", till.simulator.base_url());
        let request = till.client.post(url).basic_auth(user, Some("secret"));
        let request = request.header("content-type", "application/json");
        let answer = request.body(order.to_string()).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), expected, "{user}");
    }
}

#[tokio::test]
async fn the_providers_server_breaks_on_a_redemption_without_amount_or_pin_only_if_asked_to() {
    let till = Till::at(Simulator::builder().provider_quirks(true)).await;
    let plain = Till::open().await;
    for field in ["amount", "pin"] {
        for (till, quirks) in [(&till, true), (&plain, false)] {
            let (_, reference) = till.sold(100).await;
            let mut redemption = till.redemption(&reference, 100);
            redemption.as_object_mut().unwrap().remove(field);
            let refused = till.post("/orders/redemptions", &redemption).await;
            match quirks {
                true => assert_page(&refused, 500),
                false => assert_eq!(refused.error(), (400, "FORMAT_ERROR")),
            }
        }
    }
}

#[tokio::test]
async fn the_providers_server_does_not_know_what_came_after_its_version() {
    let till = Till::at(Simulator::builder().provider_quirks(true)).await;
    assert_page(
        &till.post("/orders/cancel", &till.cancellation("1")).await,
        404,
    );
    assert_page(
        &till.post("/orders/cancel/reversals", &json!({})).await,
        404,
    );
    assert_page(
        &till
            .get("/admin/exchangerate?fromCurrency=710&toCurrency=840")
            .await,
        404,
    );
    assert_page(
        &till
            .get("/admin/customers/orders?customerProfileId=1")
            .await,
        404,
    );
    assert_page(&till.post("/admin/fees", &json!({})).await, 405);
    for path in ["/orders/pin", "/orders/status"] {
        let unknown = till.put(path, &json!({})).await;
        assert_eq!((unknown.status, unknown.text.as_str()), (404, ""));
    }
    assert_eq!(
        till.get("/orders?remittanceRef=1").await.error(),
        (400, "FORMAT_ERROR")
    );
}
