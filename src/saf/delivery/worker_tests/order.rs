//! Who may overtake whom.

use super::*;
use crate::api::Trouble;

/// The calls that reached the upstream, by the place of their advice among `ids`.
fn places(shop: &mut Shop, ids: &[RequestId]) -> Vec<usize> {
    let bodies: Vec<String> = ids.iter().map(|id| shop.advice(*id).body).collect();
    let mut places = Vec::new();
    while let Ok(seen) = shop.seen.try_recv() {
        let body = seen.body.unwrap();
        places.push(bodies.iter().position(|one| *one == body).unwrap());
    }
    places
}

async fn confirmed(shop: &Shop, count: usize) -> Vec<RequestId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(shop.confirm().await);
    }
    ids
}

fn in_order(script: impl Fn(usize, &Call) -> Reply + Send + Sync + 'static) -> Shop {
    Shop::with(Arc::default(), Discipline::InOrder, script)
}

#[tokio::test(start_paused = true)]
async fn in_order_nothing_overtakes_the_head_and_everything_goes_once_it_is_taken() {
    let mut shop = in_order(|number, _| if number < 7 { doubt() } else { accept() });
    let ids = confirmed(&shop, 5).await;
    let (_orders, _worker) = shop.open();
    shop.schedule.emptied().await;
    let expected = [vec![0; 8], vec![1, 2, 3, 4]].concat();
    assert_eq!(places(&mut shop, &ids), expected);
    assert_eq!(shop.upstream.most_in_flight.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn in_order_a_head_that_is_refused_lets_the_next_one_go() {
    let mut shop = in_order(|number, call| match number {
        0 => refuse("TRANSACTION_DECLINED", &id_of(call)),
        _ => accept(),
    });
    let ids = confirmed(&shop, 3).await;
    assert_eq!(shop.schedule.blocking(), Some(ids[0]));
    let (_orders, _worker) = shop.open();
    shop.schedule.emptied().await;
    assert_eq!(places(&mut shop, &ids), [0, 1, 2]);
    assert_eq!(shop.settlement(ids[0]), Some(Settlement::Rejected));
    assert_eq!(shop.schedule.blocking(), None);
}

#[tokio::test(start_paused = true)]
async fn in_order_holds_beyond_the_window_and_over_a_restart() {
    let earlier = Shop::new(|_, _| accept());
    let ids = confirmed(&earlier, 1_500).await;
    let store = Arc::clone(&earlier.store);
    let mut shop = Shop::with(store, Discipline::InOrder, |number, _| match number % 100 {
        99 => doubt(),
        _ => accept(),
    });
    let (_orders, _worker) = shop.open();
    shop.schedule.emptied().await;
    let mut went = places(&mut shop, &ids);
    went.dedup();
    assert!(went.into_iter().eq(0..1_500));
}

#[tokio::test(start_paused = true)]
async fn advices_of_one_order_go_one_after_the_other_and_others_overtake_them() {
    let stuck = 4;
    let mut shop = Shop::new(move |number, _| match number < stuck {
        true => Reply::Answer(answer(500, "")),
        false => accept(),
    })
    // Doubts enough to close the way are another test's business.
    .policy(|policy| policy.parallel(8));
    // The first two are about one order.
    let first = confirm(&shop.ledger, approved()).await;
    let second = confirm(&shop.ledger, approved()).await;
    let (_orders, _worker) = shop.open();
    shop.call().await;
    settle_down().await;
    assert_eq!(shop.calls(), 1, "the second one waits for the first");
    let other = shop.confirm().await;
    shop.until_later(|shop| shop.settlement(other).is_some())
        .await;
    shop.schedule.emptied().await;
    let places = places(&mut shop, &[first, second, other]);
    let of_the_order: Vec<_> = places.iter().filter(|place| **place < 2).collect();
    let last_of_first = of_the_order.iter().rposition(|place| **place == 0);
    let first_of_second = of_the_order.iter().position(|place| **place == 1);
    assert!(last_of_first < first_of_second, "{places:?}");
}

#[tokio::test(start_paused = true)]
async fn an_order_keeps_its_order_over_a_restart() {
    let earlier = Shop::new(|_, _| accept());
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(confirm(&earlier.ledger, approved()).await);
    }
    let store = Arc::clone(&earlier.store);
    let mut shop = Shop::with_store(store, |number, _| match number % 3 {
        0 => Reply::Closed,
        _ => Reply::AfterSecond,
    });
    let (_orders, _worker) = shop.open();
    shop.schedule.emptied().await;
    let places = places(&mut shop, &ids);
    assert!(places.is_sorted(), "{places:?}");
    assert_eq!(shop.upstream.most_in_flight.load(Ordering::SeqCst), 1);
}

/// Nobody can tell which order it is, and the end of its reference has to do.
#[tokio::test(start_paused = true)]
async fn an_order_keeps_its_order_where_the_receipts_are_lost() {
    let earlier = Shop::new(|_, _| accept());
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(confirm(&earlier.ledger, approved()).await);
    }
    let mut shop = Shop::with_store(Arc::clone(&earlier.store), |_, _| Reply::AfterSecond);
    shop.store.receipts_are_lost.store(true, Ordering::SeqCst);
    let (_orders, _worker) = shop.open();
    shop.schedule.emptied().await;
    let places = places(&mut shop, &ids);
    assert!(places.is_sorted(), "{places:?}");
    assert_eq!(shop.upstream.most_in_flight.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_hesitates_changes_no_order() {
    for hesitant in 0..4 {
        for is_down in [false, true] {
            let earlier = Shop::new(|_, _| accept());
            let mut ids = Vec::new();
            for _ in 0..4 {
                ids.push(confirm(&earlier.ledger, approved()).await);
            }
            let mut shop = Shop::with_store(Arc::clone(&earlier.store), |_, _| accept());
            shop.store.unreadable.lock().unwrap().push(ids[hesitant]);
            for _ in 0..if is_down { 16 } else { 0 } {
                let trouble = Word::Trouble(Trouble::Unreachable, None);
                shop.link
                    .hear(trouble, Ear::Worker, Timestamp::unix_epoch());
            }
            assert_eq!(shop.link.is_down(), is_down);
            let (_orders, _worker) = shop.open();
            shop.until_later(|shop| shop.store.failed_reads.load(Ordering::SeqCst) > 0)
                .await;
            tokio::time::sleep(SECOND / 10).await;
            shop.store.unreadable.lock().unwrap().clear();
            shop.schedule.emptied().await;
            let places = places(&mut shop, &ids);
            assert!(places.is_sorted(), "{hesitant} {is_down}: {places:?}");
        }
    }
}
