//! The sale that a request belongs to: the till's own names for it, the mark that tender began, and what is
//! there to finish the sale with after a restart.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use money_transfer_retailer::model::{
    CreateOrderRequest, Money, ReversalReason, SlipData, SlipLine,
};
use money_transfer_retailer::{
    Conflict, DecisionError, RequestError, Standing, TillReference, TransactionRecord,
};
use support::{Shop, approved, order};

#[tokio::test]
async fn a_sale_is_found_by_what_the_till_calls_it_and_after_a_restart_too() {
    let shop = Shop::open().await;
    let ended = sell(&shop, "R-1", "3").await;
    shop.till.confirm(ended).await.unwrap();
    let open = sell(&shop, "R-2", "3").await;
    let elsewhere = sell(&shop, "R-3", "4").await;
    shop.drained().await;
    let lane = TillReference::builder().lane("3").build();
    let receipt = TillReference::builder().receipt("R-3").build();
    let nobody = TillReference::builder().receipt("R-1").lane("4").build();
    assert_eq!(found(&shop, &lane), [open, ended]);
    let shop = shop.reopen().await;
    assert_eq!(
        found(&shop, &lane),
        [open, ended],
        "what is open comes first"
    );
    assert_eq!(found(&shop, &receipt), [elsewhere]);
    assert!(found(&shop, &nobody).is_empty());
}

#[tokio::test]
async fn nothing_of_a_till_reference_is_sent() {
    let shop = Shop::open().await;
    let id = sell(&shop, "RECEIPT-4711", "LANE-3").await;
    shop.till.confirm(id).await.unwrap();
    shop.drained().await;
    assert_eq!(shop.upstream.book().messages().count(), 2);
    for message in shop.upstream.book().messages() {
        let body = String::from_utf8_lossy(message.body());
        for word in ["RECEIPT-4711", "BASKET-9", "LANE-3", "OPERATOR-5"] {
            assert!(!body.contains(word), "{word} was sent");
        }
    }
}

#[tokio::test]
async fn a_till_reference_that_is_too_long_is_refused_before_anything_is_sent() {
    let shop = Shop::open().await;
    let long = TillReference::builder().basket("b".repeat(257)).build();
    let till = shop.till.with_till_reference(long);
    let refused = till.create_order(order()).await.unwrap_err();
    assert!(
        matches!(refused, RequestError::TillReference { part: "basket", .. }),
        "{refused}"
    );
    assert!(shop.upstream.book().is_empty());
}

#[tokio::test]
async fn the_mark_that_tender_began_is_durable_and_listed() {
    let shop = Shop::open().await;
    let marked = shop.approved().await;
    let unmarked = shop.approved().await.request_id();
    marked.tender_started().await.unwrap();
    marked.tender_started().await.unwrap();
    let marked = marked.request_id();
    let marks = |shop: &Shop| -> Vec<_> {
        let undecided = shop.till.advices().undecided().unwrap().into_iter();
        undecided
            .map(|record| (record.request_id, record.tender_started))
            .collect()
    };
    assert_eq!(marks(&shop), [(marked, true), (unmarked, false)]);
    let shop = shop.reopen().await;
    assert_eq!(marks(&shop), [(marked, true), (unmarked, false)]);
}

#[tokio::test]
async fn tender_for_a_request_that_is_decided_on_cannot_begin() {
    let shop = Shop::open().await;
    let id = shop.approved().await.request_id();
    shop.till
        .reverse(id, ReversalReason::Cancelled)
        .await
        .unwrap();
    let refused = shop.till.tender_started(id).await.unwrap_err();
    assert!(
        matches!(refused, DecisionError::Conflict(Conflict::Reversed)),
        "{refused}"
    );
}

#[tokio::test]
async fn after_a_restart_an_undecided_sale_has_all_that_finishes_it() {
    let shop = Shop::open().await;
    let till = shop.till.with_till_reference(sale("R-4711", "3"));
    let approval = approved(till.create_order(with_slip()).await.unwrap());
    approval.tender_started().await.unwrap();
    let (id, response) = (approval.request_id(), approval.response().clone());
    drop((approval, till));
    let sent_at = shop.upstream.book().messages().next().unwrap().json()["time"].clone();
    let shop = shop.reopen().await;

    assert_eq!(shop.till.recovery().undecided, 1);
    let undecided = shop.till.advices().undecided().unwrap();
    let [record] = &undecided[..] else {
        panic!("{undecided:?}");
    };
    assert_eq!(record.request_id, id);
    assert_eq!(record.operation.name(), "createOrder");
    assert_eq!(record.amount, Some(Money::zar(79_995)));
    assert_eq!(serde_json::to_value(record.requested_at).unwrap(), sent_at);
    assert_eq!(record.till_reference, sale("R-4711", "3"));
    assert_eq!(record.standing, Standing::Undecided);
    assert!(record.tender_started && !record.in_doubt);
    assert!(response.order_redeem_ref.is_some());
    assert_eq!(record.receipt.order_redeem_ref, response.order_redeem_ref);
    assert_eq!(
        record.receipt.order_redeem_ref_alt,
        response.order_redeem_ref_alt
    );
    assert_eq!(record.receipt.slip_data, with_slip().slip_data);
}

#[tokio::test]
async fn after_a_restart_undecided_sales_are_decided_by_their_ids() {
    let shop = Shop::open().await;
    let kept = shop.approved().await.request_id();
    let cancelled = shop.approved().await.request_id();
    let shop = shop.reopen().await;
    shop.till.confirm(kept).await.unwrap();
    let reason = ReversalReason::Cancelled;
    shop.till.reverse(cancelled, reason).await.unwrap();
    assert!(shop.till.advices().undecided().unwrap().is_empty());
    shop.drained().await;
    let book = shop.upstream.book();
    assert_eq!(book.confirmations_of(kept).accepted(), 1);
    assert_eq!(book.reversals_of(kept).received(), 0);
    assert_eq!(book.reversals_of(cancelled).accepted(), 1);
    assert_eq!(book.confirmations_of(cancelled).received(), 0);
}

async fn sell(shop: &Shop, receipt: &str, lane: &str) -> money_transfer_retailer::RequestId {
    let till = shop.till.with_till_reference(sale(receipt, lane));
    approved(till.create_order(order()).await.unwrap()).request_id()
}

fn sale(receipt: &str, lane: &str) -> TillReference {
    TillReference::builder()
        .receipt(receipt)
        .basket("BASKET-9")
        .lane(lane)
        .operator("OPERATOR-5")
        .build()
}

fn with_slip() -> CreateOrderRequest {
    let line = SlipLine::builder().text("KEEP THIS SLIP").build();
    let slip = SlipData::builder().message_lines(vec![line]).build();
    let mut request = order();
    // The simulator gives it back.
    request.slip_data = Some(slip);
    request
}

fn found(shop: &Shop, wanted: &TillReference) -> Vec<money_transfer_retailer::RequestId> {
    let found: Vec<TransactionRecord> = shop.till.find(wanted).unwrap();
    found.into_iter().map(|record| record.request_id).collect()
}
