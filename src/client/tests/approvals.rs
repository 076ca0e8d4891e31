//! An approval is durable before the till sees it, and nobody is left with one that nobody has.

use super::*;

const WAYS_TO_FAIL: [Failure; 3] = [
    Failure::Full,
    Failure::Failed { applies: false },
    Failure::Failed { applies: true },
];

/// The request is journaled by one commit, and its approval by the next.
const JOURNALED: usize = 1;

#[tokio::test]
async fn an_approval_that_cannot_be_stored_is_never_shown() {
    for failure in WAYS_TO_FAIL {
        let shop = Shop::open().await;
        shop.store.fail_after(JOURNALED, failure);
        let outcome = shop.till.create_order(order()).await;
        assert!(
            matches!(outcome, Err(RequestError::OutcomeNotStored { .. })),
            "{failure:?}: {outcome:?}"
        );
        let text = outcome.unwrap_err().to_string();
        assert!(text.contains("take no tender"), "{text}");
        assert_eq!(shop.upstream.bodies(Operation::CreateOrder).len(), 1);
        assert!(shop.upstream.bodies(Operation::ConfirmPayment).is_empty());
    }
}

#[tokio::test]
async fn an_approval_that_found_no_room_is_reversed_once_there_is_some() {
    let shop = Shop::open().await;
    shop.store.fail_after(JOURNALED, Failure::Full);
    let request = order();
    let id = request.id;
    shop.till.create_order(request).await.unwrap_err();
    shop.refused(3).await;
    assert_eq!(shop.standing(id), Standing::UnderWay);
    let kept = shop.store.entries.vault().all();
    assert!(kept.is_empty(), "a receipt that nobody refers to: {kept:?}");
    shop.store.recover();
    shop.becomes(id, Standing::Reversed).await;
    shop.drained().await;
    let reversals = shop.upstream.bodies(Operation::ReversePayment);
    assert_eq!(reversals.len(), 1);
    assert_eq!(reversals[0]["requestId"], id.to_string());
    assert_eq!(reversals[0]["reversalReason"], "TIMEOUT");
}

#[tokio::test]
async fn an_approval_that_was_not_stored_is_reversed_at_the_next_open() {
    for failure in [Failure::Full, Failure::Failed { applies: false }] {
        let shop = Shop::open().await;
        shop.store.fail_after(JOURNALED, failure);
        let request = order();
        let id = request.id;
        shop.till.create_order(request).await.unwrap_err();
        let shop = shop.reopened().await;
        assert_eq!(shop.till.recovery().reversed, 1, "{failure:?}");
        shop.drained().await;
        assert_eq!(shop.standing(id), Standing::Reversed);
        assert_eq!(shop.upstream.bodies(Operation::ReversePayment).len(), 1);
    }
}

/// The one case in which the till was told nothing, and the queue knows an approval.
#[tokio::test]
async fn an_approval_that_turns_out_to_be_stored_is_listed_at_the_next_open() {
    let shop = Shop::open().await;
    shop.store
        .fail_after(JOURNALED, Failure::Failed { applies: true });
    let request = order();
    let id = request.id;
    shop.till.create_order(request).await.unwrap_err();
    let shop = shop.reopened().await;
    assert_eq!(shop.till.recovery().undecided, 1);
    let undecided = shop.till.advices().undecided().unwrap();
    assert_eq!(undecided[0].request_id, id);
    assert!(!undecided[0].tender_started);
}

#[tokio::test]
async fn a_known_request_is_told_though_the_disk_is_full() {
    let shop = Shop::open().await;
    let request = order();
    drop(shop.till.create_order(request.clone()).await.unwrap());
    shop.store.fail_after(0, Failure::Full);
    let again = shop.till.create_order(request).await.unwrap();
    assert!(matches!(again, OrderOutcome::Earlier(_)), "{again:?}");
    let refused = shop.till.create_order(order()).await.unwrap_err();
    assert!(
        matches!(refused, RequestError::NotJournaled { .. }),
        "{refused}"
    );
    assert_eq!(shop.upstream.bodies(Operation::CreateOrder).len(), 1);
}

#[tokio::test]
async fn a_request_that_nobody_waits_for_goes_on_and_its_approval_is_reversed() {
    let upstream = Upstream {
        gate: Some(Notify::new()),
        ..Upstream::default()
    };
    let shop = Shop::on(Arc::default(), upstream).await;
    let request = order();
    let id = request.id;
    let mut asked = Box::pin(shop.till.create_order(request));
    tokio::select! {
        outcome = &mut asked => panic!("{outcome:?}"),
        () = shop.upstream.arrived.notified() => {}
    }
    drop(asked);
    assert_eq!(shop.standing(id), Standing::UnderWay);
    shop.upstream.gate.as_ref().unwrap().notify_one();
    shop.becomes(id, Standing::Reversed).await;
    shop.drained().await;
    let reversals = shop.upstream.bodies(Operation::ReversePayment);
    assert_eq!(reversals.len(), 1);
    assert_eq!(reversals[0]["reversalReason"], "CANCELLED");
}
