//! Large backlogs, and what is damaged in them.

use super::breaker::assert_rate;
use super::*;
use crate::store::Batch;

/// A store in which an earlier process left so many advices.
async fn left(count: usize) -> Arc<MoodyStore> {
    let earlier = Shop::new(|_, _| accept());
    earlier.confirm_many(count).await;
    Arc::clone(&earlier.store)
}

/// Damages the record of `id` behind the ledger's back.
fn damage(store: &MoodyStore, id: RequestId) {
    let mut batch = Batch::default();
    let key = [b"t", &id.as_uuid().as_bytes()[..]].concat();
    batch.put(key, vec![1; 40]);
    store.entries.commit(&batch).unwrap();
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_a_backlog_is_no_burst() {
    let mut shop =
        Shop::with_store(left(500).await, |_, _| accept()).policy(|policy| policy.rate(50.0));
    let opened_at = Instant::now();
    let (_orders, _worker) = shop.open();
    let mut calls = Vec::new();
    for _ in 0..500 {
        calls.push(shop.call().await.at);
    }
    assert_eq!(calls[0] - opened_at, SECOND / 2, "the opening pause");
    assert_rate(&calls, 50, shop.policy.parallel);
    let took = calls[499] - calls[0];
    assert!((9 * SECOND..12 * SECOND).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn opening_pauses_differ_from_till_to_till() {
    let policy = RetryPolicy::default();
    let pauses: Vec<_> = (0..100).map(|_| policy.opening_pause()).collect();
    assert!(pauses.iter().all(|pause| *pause <= policy.initial));
    let early = pauses.iter().filter(|pause| **pause < policy.initial / 2);
    assert!((20..80).contains(&early.count()));
    // As random as it gets is random enough, and no pause at all is no pause.
    for jitter in [0.5, 0.75, 1.0] {
        let wild = policy.jitter(jitter);
        let pauses: Vec<_> = (0..1_000).map(|_| wild.opening_pause()).collect();
        assert!(pauses.iter().all(|pause| *pause <= wild.initial));
        let shortest = pauses.iter().filter(|pause| **pause < wild.initial / 20);
        assert!(shortest.count() < 100, "of jitter {jitter}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_twenty_thousand_only_a_window_is_in_memory_and_all_are_delivered() {
    let fails = Arc::new(AtomicBool::new(true));
    let failing = Arc::clone(&fails);
    let shop = Shop::with_store(left(20_000).await, move |number, _| {
        // Each first try of many is in vain, so that nothing leaves the window at once.
        match failing.load(Ordering::SeqCst) && number % 2 == 0 {
            true => doubt(),
            false => accept(),
        }
    });
    let (_orders, _worker) = shop.open();
    let mut largest = 0;
    while shop.schedule.len() > 0 {
        largest = largest.max(shop.schedule.window());
        if shop.schedule.len() < 5_000 {
            fails.store(false, Ordering::SeqCst);
        }
        tokio::task::yield_now().await;
        if shop.upstream.in_flight.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(SECOND / 10).await;
        }
    }
    assert!(largest <= 1_024 + PAGE, "{largest}");
    assert!(shop.calls() >= 20_000);
    let ended = shop.ledger.pending_from(0, 1).await.unwrap();
    assert!(ended.is_empty());
}

#[tokio::test(start_paused = true)]
async fn damaged_records_stop_nothing_and_are_not_pending_for_ever() {
    for discipline in [Discipline::OldestFirst, Discipline::InOrder] {
        let earlier = Shop::new(|_, _| accept());
        let mut ids = Vec::new();
        for _ in 0..10 {
            ids.push(earlier.confirm().await);
        }
        let store = Arc::clone(&earlier.store);
        for broken in [0, 4, 5, 9] {
            damage(&store, ids[broken]);
        }
        let mut shop = Shop::with(store, discipline, |_, _| accept());
        assert_eq!(shop.schedule.len(), 10);
        let (_orders, _worker) = shop.open();
        shop.until_later(|shop| shop.schedule.len() == 0).await;
        assert_eq!(shop.calls(), 6);
        let polls = shop.polls.load(Ordering::SeqCst);
        tokio::time::sleep(YEAR).await;
        assert_eq!(shop.polls.load(Ordering::SeqCst), polls, "it is left alone");
        // What comes later is counted as ever.
        shop.confirm().await;
        shop.call().await;
        shop.schedule.emptied().await;
        assert_eq!(shop.calls(), 7);
    }
}

#[tokio::test(start_paused = true)]
async fn a_damaged_record_is_counted_out_once_however_often_it_is_met() {
    let earlier = Shop::new(|_, _| accept());
    let broken = earlier.confirm().await;
    earlier.confirm_many(3_000).await;
    damage(&earlier.store, broken);
    let store = Arc::clone(&earlier.store);
    let shop = Shop::with_store(store, |_, _| Reply::Closed)
        .policy(|policy| policy.pauses(SECOND, SECOND));
    let (_orders, _worker) = shop.open();
    for _ in 0..5 {
        tokio::time::sleep(600 * SECOND).await;
        // Everything that was left out of the window is looked at again.
        shop.schedule.hurry();
    }
    settle_down().await;
    assert_eq!(shop.schedule.len(), 3_000);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_comes_back_short_is_not_the_last_one() {
    let shop = Shop::with_store(left(1_500).await, |_, _| accept());
    shop.store.has_short_pages.store(true, Ordering::SeqCst);
    let (_orders, _worker) = shop.open();
    shop.schedule.emptied().await;
    assert_eq!(shop.calls(), 1_500);
}
