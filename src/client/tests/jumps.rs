//! The wall clock may be set to anything at any time.

use super::*;

/// About a year, in milliseconds.
const YEAR: i64 = 365 * 24 * 60 * 60 * 1_000;

#[tokio::test]
async fn a_clock_that_jumps_stalls_nothing_expires_nothing_and_changes_no_message() {
    for years in [50, -50] {
        let shop = Shop::open().await;
        shop.clock.millis.store(56 * YEAR, ORDER);
        let undecided = shop.approved().await.request_id();
        let order = shop.approved().await;
        shop.upstream.troubles.store(6, ORDER);
        order.confirm().await.unwrap();
        while shop.upstream.troubles.load(ORDER) > 3 {
            sleep(Duration::from_millis(1)).await;
        }
        shop.clock.millis.fetch_add(years * YEAR, ORDER);
        shop.drained().await;
        let confirmations = shop.upstream.bodies(Operation::ConfirmPayment);
        assert_eq!(confirmations.len(), 7);
        assert!(confirmations.windows(2).all(|pair| pair[0] == pair[1]));
        // A new process begins at the epoch.
        let shop = shop.reopened().await;
        assert_eq!(shop.standing(undecided), Standing::Undecided);
        shop.till.confirm(undecided).await.unwrap();
        shop.drained().await;
        assert_eq!(shop.upstream.bodies(Operation::ConfirmPayment).len(), 1);
    }
}
