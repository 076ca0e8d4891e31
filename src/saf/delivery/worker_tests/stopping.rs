//! The word to stop, and nobody left to give it.

use super::*;

#[tokio::test(start_paused = true)]
async fn told_to_finish_the_worker_finishes_what_is_in_flight_and_starts_nothing() {
    let told = Arc::new(Notify::new());
    let reply = Arc::clone(&told);
    let mut shop = Shop::new(move |_, _| Reply::WhenTold(Arc::clone(&reply)))
        .policy(|policy| policy.parallel(2));
    let in_flight = shop.confirm().await;
    let (orders, worker) = shop.open();
    shop.call().await;
    orders.send_replace(Order::Finish);
    let late = shop.confirm().await;
    settle_down().await;
    assert!(!worker.is_finished(), "a sending is under way");
    told.notify_waiters();
    worker.await.unwrap();
    assert_eq!(shop.settlement(in_flight), Some(Settlement::Accepted));
    assert_eq!(shop.settlement(late), None);
    assert_eq!(shop.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn told_to_finish_before_it_began_the_worker_starts_nothing() {
    let shop = Shop::new(|_, _| accept());
    shop.confirm().await;
    let (orders, worker) = shop.open();
    orders.send_replace(Order::Finish);
    worker.await.unwrap();
    assert_eq!(shop.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn work_that_comes_together_with_the_end_is_not_started() {
    let endings: [fn(watch::Sender<Order>); 2] = [
        |orders| {
            orders.send_replace(Order::Finish);
        },
        drop,
    ];
    for end in endings {
        // Which of two wakes is looked at first must not be left to chance.
        for _ in 0..50 {
            let shop = Shop::new(|_, _| accept());
            shop.confirm().await;
            let scheduled = shop.schedule.take_due().unwrap();
            let (orders, worker) = shop.open();
            settle_down().await;
            shop.schedule.again(scheduled, Duration::ZERO);
            shop.schedule.nudge();
            end(orders);
            worker.await.unwrap();
            settle_down().await;
            assert_eq!(shop.calls(), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_nobody_can_reach_any_more_stops_at_once() {
    let mut shop = Shop::new(|_, _| Reply::Never);
    let id = shop.confirm().await;
    let (orders, worker) = shop.open();
    shop.call().await;
    drop(orders);
    let before = Instant::now();
    worker.await.unwrap();
    assert_eq!(Instant::now(), before);
    let in_flight = Arc::clone(&shop.upstream.in_flight);
    shop.until(|_| in_flight.load(Ordering::SeqCst) == 0).await;
    assert!(
        shop.settlement(id).is_none(),
        "it is sent after the next open"
    );
    assert!(shop.schedule.next_due().is_some(), "it is not in flight");
}
