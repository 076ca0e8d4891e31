//! A queue that cannot be read, or cannot be written.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_queue_that_cannot_be_read_pauses_the_delivery_and_does_not_end_it() {
    let earlier = Shop::new(|_, _| accept());
    let id = earlier.confirm().await;
    let shop = Shop::with_store(Arc::clone(&earlier.store), |_, _| accept());
    shop.store.reads_fail.store(true, Ordering::SeqCst);
    let started_at = Instant::now();
    let (_orders, _worker) = shop.open();
    tokio::time::sleep(100 * SECOND).await;
    assert_eq!(shop.calls(), 0);
    let reads = shop.store.failed_reads.load(Ordering::SeqCst);
    assert!(
        (2..=8).contains(&reads),
        "a failing queue is not hammered: {reads}"
    );
    assert_eq!(shop.schedule.unreadable(), (0, 1));
    shop.store.reads_fail.store(false, Ordering::SeqCst);
    shop.schedule.emptied().await;
    // Half a second for a backlog, then pauses of 1, 2, 4 … 64 seconds.
    let waited = Instant::now() - started_at;
    assert_eq!(waited, SECOND / 2 + 127 * SECOND);
    assert_eq!(shop.settlement(id), Some(Settlement::Accepted));
    assert_eq!(shop.schedule.unreadable(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_gives_out_nothing_is_asked_ever_less_often_whatever_the_backlog() {
    let earlier = Shop::new(|_, _| accept());
    earlier.confirm_many(500).await;
    let shop = Shop::with_store(Arc::clone(&earlier.store), |_, _| accept());
    shop.store.reads_fail.store(true, Ordering::SeqCst);
    let (_orders, _worker) = shop.open();
    tokio::time::sleep(600 * SECOND).await;
    let reads = shop.store.failed_reads.load(Ordering::SeqCst);
    // Two each time, after 1, 2, 4 … 256 seconds.
    assert!((4..=24).contains(&reads), "{reads}");
    assert!(shop.control.store_error().is_some());
    shop.store.reads_fail.store(false, Ordering::SeqCst);
    shop.schedule.emptied().await;
    assert_eq!(shop.control.store_error(), None);
    assert_eq!(shop.schedule.unreadable(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_the_disk_does_not_give_out_holds_up_no_other_for_long() {
    let earlier = Shop::new(|_, _| accept());
    let oldest = earlier.confirm().await;
    earlier.confirm_many(100).await;
    let mut shop = Shop::with_store(Arc::clone(&earlier.store), |_, _| accept());
    shop.store.unreadable.lock().unwrap().push(oldest);
    let (_orders, _worker) = shop.open();
    let opened_at = Instant::now();
    let waited = shop.call().await.at - opened_at;
    // Half a second for a backlog, and pauses of 1, 2, 4, 8 and 16.
    assert!(waited <= 32 * SECOND, "{waited:?}");
    shop.until_later(|shop| shop.schedule.len() == 1).await;
    assert_eq!(shop.control.store_error(), None);
    assert_eq!(shop.schedule.unreadable(), (0, 1));
    // Tried ever less often, it is no burden on those that come.
    tokio::time::sleep(3_600 * SECOND).await;
    let reads = shop.store.failed_reads.load(Ordering::SeqCst);
    assert!((8..=24).contains(&reads), "{reads}");
    let newcomer = shop.confirm().await;
    shop.until(|shop| shop.settlement(newcomer).is_some()).await;
    shop.store.unreadable.lock().unwrap().clear();
    shop.schedule.emptied().await;
    assert_eq!(shop.settlement(oldest), Some(Settlement::Accepted));
}

#[tokio::test(start_paused = true)]
async fn without_room_to_record_attempts_the_pauses_grow_all_the_same() {
    let mut shop = Shop::new(|_, call| refuse("AUTHENTICATION_ERROR", &id_of(call)));
    shop.confirm().await;
    shop.store.is_tight.store(true, Ordering::SeqCst);
    let (_orders, _worker) = shop.open();
    let first = shop.call().await;
    for repeat in 1..=8 {
        let seen = shop.call().await;
        assert_eq!(seen.at - first.at, ((1 << repeat) - 1) * SECOND);
        // Only the advice's own pause counts here, not that of the link.
        shop.link
            .hear(Word::Service, Ear::Till, Timestamp::unix_epoch());
    }
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_cannot_be_written_leads_to_a_repeat_of_the_same_bytes() {
    let mut shop = Shop::new(|_, _| accept());
    let id = shop.confirm().await;
    shop.store.commits_fail.store(true, Ordering::SeqCst);
    let (_orders, _worker) = shop.open();
    let first = shop.call().await;
    for repeat in 1..=3 {
        let seen = shop.call().await;
        assert_eq!(seen.body, first.body);
        // As after any other doubt: 1, 2, 4 seconds.
        assert_eq!(seen.at - first.at, ((1 << repeat) - 1) * SECOND);
    }
    assert!(shop.settlement(id).is_none());
}

#[tokio::test(start_paused = true)]
async fn while_outcomes_cannot_be_written_a_backlog_is_not_sent_in_vain() {
    let shop = Shop::new(|_, _| accept());
    shop.confirm_many(500).await;
    shop.store.commits_fail.store(true, Ordering::SeqCst);
    let (_orders, _worker) = shop.open();
    for _ in 0..100 {
        settle_down().await;
        tokio::time::sleep(6 * SECOND).await;
    }
    // What left before anybody knew, and then one after 1, 2, 4 … seconds.
    assert!(
        shop.calls() <= shop.policy.parallel + RECORDINGS + 10,
        "{}",
        shop.calls()
    );
    assert!(shop.control.store_error().is_some());
    assert_eq!(shop.schedule.len(), 500);
}

#[tokio::test(start_paused = true)]
#[expect(clippy::await_holding_lock, reason = "a disk that takes its time")]
async fn while_an_outcome_is_on_its_way_to_the_disk_the_next_advice_is_sent() {
    let mut shop = Shop::new(|_, _| accept()).policy(|policy| policy.parallel(1));
    let ids = [shop.confirm().await, shop.confirm().await];
    let store = Arc::clone(&shop.store);
    let disk = store.disk.lock().unwrap();
    let (_orders, _worker) = shop.open();
    shop.call().await;
    shop.call().await;
    assert_eq!(shop.schedule.len(), 2);
    drop(disk);
    shop.schedule.emptied().await;
    assert_eq!(shop.calls(), 2);
    for id in ids {
        assert_eq!(shop.settlement(id), Some(Settlement::Accepted));
    }
}

#[tokio::test(start_paused = true)]
#[expect(clippy::await_holding_lock, reason = "a disk that takes its time")]
async fn with_a_strict_queue_nothing_is_sent_before_the_outcome_of_the_oldest_is_on_the_disk() {
    let mut shop = Shop::with(Arc::default(), Discipline::InOrder, |_, _| accept());
    for _ in 0..2 {
        shop.confirm().await;
    }
    let store = Arc::clone(&shop.store);
    let disk = store.disk.lock().unwrap();
    let (_orders, _worker) = shop.open();
    shop.call().await;
    settle_down().await;
    tokio::time::sleep(600 * SECOND).await;
    assert_eq!(shop.calls(), 1);
    drop(disk);
    shop.schedule.emptied().await;
    assert_eq!(shop.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_may_have_arrived_though_there_was_no_room_to_record_it_is_no_rejection() {
    let shop = Shop::new(|number, call| match number {
        0 => doubt(),
        _ => refuse("DUPLICATE_RECORD", &id_of(call)),
    });
    let id = shop.begin().await;
    let event = Event::Unknown(draft(), ReversalReason::Timeout);
    shop.ledger.apply(id, event).await.unwrap();
    shop.store.is_tight.store(true, Ordering::SeqCst);
    let (_orders, _worker) = shop.open();
    shop.schedule.emptied().await;
    assert_eq!(shop.settlement(id), Some(Settlement::ArrivedEarlier));
}
