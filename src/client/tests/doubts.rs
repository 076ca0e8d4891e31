//! Where damage may have taken the newest states, nothing is decided without being asked.

use super::*;

#[tokio::test]
async fn after_unknown_losses_what_waits_is_in_doubt_counted_and_not_reversed() {
    let shop = Shop::open().await;
    let approved = shop.approved().await.request_id();
    shop.store.fail_after(1, Failure::Failed { applies: false });
    let request = order();
    let unanswered = request.id;
    shop.till.create_order(request).await.unwrap_err();
    let mut shop = shop.reopened_after(vec![Finding::LostUnknown]).await;
    // At the next open nothing is out of order any more, and the doubt remains.
    for _ in 0..2 {
        let report = shop.till.recovery();
        assert_eq!((report.undecided, report.reversed), (2, 0), "{report:?}");
        let undecided = shop.till.advices().undecided().unwrap();
        let listed: Vec<_> = undecided.iter().map(|one| one.request_id).collect();
        assert_eq!(listed, [approved, unanswered]);
        assert!(undecided.iter().all(|one| one.in_doubt));
        assert!(shop.upstream.bodies(Operation::ReversePayment).is_empty());
        shop = shop.reopened().await;
    }
}
