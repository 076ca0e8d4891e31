//! A decision that failed binds the till, and hands back what it was about.

use super::*;

const CANCELLED: ReversalReason = ReversalReason::Cancelled;

#[tokio::test]
async fn a_confirmation_that_failed_is_bound_to_its_direction_until_the_next_open() {
    for applies in [false, true] {
        let shop = Shop::open().await;
        let order = shop.approved().await;
        let id = order.request_id();
        shop.store.fail_after(0, Failure::Failed { applies });
        assert!(shop.till.health().is_well());
        let handed_back = order.confirm().await.unwrap_err();
        assert!(shop.till.health().store_error.is_some());
        assert!(
            matches!(handed_back.error, DecisionError::Store(_)),
            "{handed_back:?}"
        );
        let handed_back = handed_back.approved.reverse(CANCELLED).await.unwrap_err();
        assert_eq!(handed_back.approved.request_id(), id);
        assert!(shop.upstream.bodies(Operation::ReversePayment).is_empty());
        assert!(shop.upstream.bodies(Operation::ConfirmPayment).is_empty());

        let shop = shop.reopened().await;
        shop.till.confirm(id).await.unwrap();
        let refused = shop.till.reverse(id, CANCELLED).await.unwrap_err();
        assert!(matches!(
            refused,
            DecisionError::Conflict(Conflict::Confirmed)
        ));
        shop.drained().await;
        assert_eq!(shop.upstream.bodies(Operation::ConfirmPayment).len(), 1);
    }
}

#[tokio::test]
async fn a_decision_that_found_no_room_was_not_taken_and_can_be_taken_with_room() {
    let shop = Shop::open().await;
    let order = shop.approved().await;
    shop.store.fail_after(0, Failure::Full);
    let handed_back = order.confirm().await.unwrap_err();
    assert!(
        matches!(handed_back.error, DecisionError::Full(_)),
        "{handed_back:?}"
    );
    shop.store.recover();
    handed_back.approved.confirm().await.unwrap();
    shop.drained().await;
    assert_eq!(shop.upstream.bodies(Operation::ConfirmPayment).len(), 1);
}
