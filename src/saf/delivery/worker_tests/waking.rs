//! When the worker wakes, and how much it does at a time.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_idle_worker_is_not_woken_in_a_year() {
    let shop = Shop::new(|_, _| accept());
    let (_orders, _worker) = shop.open();
    tokio::time::sleep(YEAR).await;
    assert_eq!(shop.polls.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_advice_wakes_the_worker_for_its_repeats_alone() {
    let pause = Duration::from_secs(300);
    let mut shop = Shop::new(|_, _| doubt()).policy(|policy| policy.pauses(pause, pause));
    let id = shop.confirm().await;
    let (_orders, _worker) = shop.open();
    let first = shop.call().await;
    for repeat in 1..=20 {
        let seen = shop.call().await;
        assert_eq!(seen.at - first.at, pause * repeat);
        assert_eq!(seen.body, first.body, "a repeat is the same bytes");
    }
    // When it is due, when it has its answer, and when that is recorded.
    let polls = shop.polls.load(Ordering::SeqCst);
    assert!(polls <= 3 * 21 + 1, "{polls}");
    assert!(shop.settlement(id).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_new_advice_is_sent_at_once() {
    let mut shop = Shop::new(|_, _| accept());
    let (_orders, _worker) = shop.open();
    tokio::time::sleep(YEAR).await;
    let decided_at = Instant::now();
    let id = shop.confirm().await;
    let seen = shop.call().await;
    assert_eq!(seen.operation, Operation::ConfirmPayment);
    assert_eq!(seen.at, decided_at);
    shop.schedule.emptied().await;
    assert_eq!(shop.settlement(id), Some(Settlement::Accepted));
}

#[tokio::test(start_paused = true)]
async fn no_more_are_in_flight_than_the_policy_allows() {
    for parallel in [1, 3, 8] {
        let shop = Shop::new(|_, _| Reply::AfterSecond).policy(|policy| policy.parallel(parallel));
        for _ in 0..20 {
            shop.confirm().await;
        }
        let (_orders, _worker) = shop.open();
        shop.schedule.emptied().await;
        let most = shop.upstream.most_in_flight.load(Ordering::SeqCst);
        assert_eq!(most, parallel);
        assert_eq!(shop.calls(), 20);
    }
}

#[tokio::test(start_paused = true)]
async fn with_all_places_taken_more_work_wakes_nobody() {
    let shop = Shop::new(|_, _| Reply::Never).policy(|policy| policy.parallel(2));
    for _ in 0..2 {
        shop.confirm().await;
    }
    let (_orders, _worker) = shop.open();
    shop.until(|shop| shop.calls() == 2).await;
    settle_down().await;
    let before = shop.polls.load(Ordering::SeqCst);
    for _ in 0..50 {
        shop.confirm().await;
    }
    settle_down().await;
    assert_eq!(shop.polls.load(Ordering::SeqCst), before);
    assert_eq!(shop.calls(), 2);
}
