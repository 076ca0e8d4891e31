//! What the simulator promises of orders, over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "simulator/till.rs"]
mod till;

use money_transfer_retailer::simulator::OrderState;
use till::Till;

#[tokio::test]
async fn an_order_is_approved_confirmed_and_found() {
    let till = Till::open().await;
    let request = till.order(100);
    let approved = till.post("/orders", &request).await;
    assert_eq!(approved.status, 201);
    let confirmed = till
        .post("/orders/confirmations", &till.advice(&request))
        .await;
    assert_eq!(confirmed.status, 202);
    let book = till.simulator.book();
    let order = book.order(till::id(&request)).unwrap();
    assert_eq!(order.state(), OrderState::Confirmed);
    assert_eq!(book.confirmations_of(till::id(&request)).accepted(), 1);
    let reference = approved.json["orderRedeemRef"].as_str().unwrap();
    let found = till
        .get(&format!("/orders?orderRedeemRef={reference}&receiverId=r"))
        .await;
    assert_eq!(
        (found.status, found.json["status"].as_str().unwrap()),
        (200, "UNREDEEMED")
    );
}
