//! An order that nobody decides on is reversed for its age only where that was asked for, and only if no money can have
//! changed hands for it.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::time::Duration;

use money_transfer_retailer::{Conflict, DecisionError, RequestId, Standing};
use support::{PATIENCE, Shop, approved, cancellation, redemption};

const AGE: Duration = Duration::from_secs(1);

fn standing_of(shop: &Shop, id: RequestId) -> Standing {
    shop.till.transaction(id).unwrap().unwrap().standing
}

/// Waits until `id` has been reversed for its age.
async fn reversed(shop: &Shop, id: RequestId) {
    let is_reversed = async {
        while standing_of(shop, id) != Standing::Reversed {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, is_reversed).await.unwrap();
}

#[tokio::test]
async fn an_order_that_nobody_decides_on_is_reversed_for_its_age() {
    let shop = Shop::open_with(|till| till.reverse_undecided_after(AGE)).await;
    let forgotten = shop.approved().await;
    let id = forgotten.request_id();
    reversed(&shop, id).await;
    shop.drained().await;
    let sent = shop.upstream.book().reversals_of(id).messages()[0].json();
    assert_eq!(sent["reversalReason"], "CANCELLED");
    let late = forgotten.confirm().await.unwrap_err();
    assert!(
        matches!(late.error, DecisionError::Conflict(Conflict::Reversed)),
        "{late:?}"
    );
}

#[tokio::test]
async fn what_money_may_have_changed_hands_for_is_never_reversed_for_its_age() {
    let shop = Shop::open_with(|till| till.reverse_undecided_after(AGE)).await;
    let marked = shop.approved().await;
    marked.tender_started().await.unwrap();
    let (sold, called_off) = (shop.sold().await, shop.sold().await);
    let redeemed = shop.till.redeem_order(redemption(&sold)).await.unwrap();
    let redeemed = approved(redeemed).request_id();
    let cancelled = shop.till.cancel_order(cancellation(&called_off)).await;
    let cancelled = approved(cancelled.unwrap()).request_id();
    // The one that is forgotten last shows that the others have had their time.
    let forgotten = shop.approved().await;
    reversed(&shop, forgotten.request_id()).await;
    for id in [marked.request_id(), redeemed, cancelled] {
        assert_eq!(standing_of(&shop, id), Standing::Undecided);
    }
    marked.confirm().await.unwrap();
}

#[tokio::test]
async fn the_age_goes_on_over_a_restart_and_stands_still_without_the_option() {
    let shop = Shop::open().await;
    let id = shop.approved().await.request_id();
    tokio::time::sleep(2 * AGE).await;
    assert_eq!(standing_of(&shop, id), Standing::Undecided);
    let shop = shop
        .reopen_with(|till| till.reverse_undecided_after(AGE))
        .await;
    reversed(&shop, id).await;
}

#[tokio::test]
async fn what_was_decided_is_left_alone() {
    let shop = Shop::open_with(|till| till.reverse_undecided_after(AGE)).await;
    let confirmed = shop.approved().await.confirm().await.unwrap().request_id;
    let forgotten = shop.approved().await;
    reversed(&shop, forgotten.request_id()).await;
    assert_eq!(standing_of(&shop, confirmed), Standing::Confirmed);
    shop.drained().await;
    assert_eq!(shop.upstream.book().reversals_of(confirmed).received(), 0);
}
