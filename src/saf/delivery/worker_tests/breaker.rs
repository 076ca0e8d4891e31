//! An upstream that is down is probed, whatever the backlog, and only its own word opens the way.

use std::collections::HashSet;

use super::*;
use crate::api::{Trouble, Word};
use crate::saf::LinkState;
use crate::saf::link::Ear;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// When an upstream that takes no connection is tried within `hours`, with so many pending.
async fn tries_of(pending: usize, hours: u32) -> Vec<Duration> {
    let mut shop = Shop::new(|_, _| Reply::Closed);
    shop.confirm_many(pending).await;
    let started_at = Instant::now();
    let (_orders, _worker) = shop.open();
    let mut tries = Vec::new();
    loop {
        let after = shop.call().await.at - started_at;
        if after > hours * HOUR {
            assert_eq!(shop.schedule.len(), pending, "nothing is given up");
            return tries;
        }
        tries.push(after);
    }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_pending_cause_no_more_traffic_than_one() {
    let one = tries_of(1, 6).await;
    // Seconds 0, 1, 3, 7 … 255, and then every five minutes.
    assert_eq!(one.len(), 9 + (6 * 3_600 - 255) / 300);
    let many = tries_of(10_000, 6).await;
    let parallel = RetryPolicy::default().parallel;
    assert!(many.len() < one.len() + parallel, "{}", many.len());
    let at_once = many.iter().filter(|after| after.is_zero()).count();
    assert!(at_once <= parallel, "what left before anybody knew");
}

#[tokio::test(start_paused = true)]
async fn probes_go_one_at_a_time() {
    let shop = Shop::new(|number, _| match number {
        0 => Reply::Closed,
        _ => Reply::Silent,
    });
    shop.confirm_many(50).await;
    shop.link.hear(
        Word::Trouble(Trouble::Unreachable, None),
        Ear::Worker,
        Timestamp::unix_epoch(),
    );
    let (_orders, _worker) = shop.open();
    shop.until_later(|shop| shop.calls() == 7).await;
    assert_eq!(shop.upstream.most_in_flight.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn no_gateway_opens_the_way_and_the_services_own_word_does_although_it_is_a_no() {
    let mut shop = Shop::new(|number, call| match number {
        0 => Reply::Closed,
        1..=5 => Reply::Answer(answer(200, "<html>welcome to the guest network</html>")),
        6 => refuse("TRANSACTION_DECLINED", &id_of(call)),
        _ => accept(),
    })
    .policy(|policy| policy.parallel(1));
    shop.confirm_many(20).await;
    let (_orders, _worker) = shop.open();
    for seconds in [1, 2, 4, 8, 16, 32] {
        let before = shop.call().await.at;
        shop.until(|shop| shop.link.is_down()).await;
        assert_eq!(shop.schedule.len(), 20);
        let LinkState::Down { next_probe_in, .. } = shop.link.public_state() else {
            panic!("it is up");
        };
        assert_eq!(before + next_probe_in, Instant::now() + seconds * SECOND);
    }
    let probe = shop.call().await;
    shop.schedule.emptied().await;
    assert_eq!(shop.link.public_state(), LinkState::Up);
    // The worker need not wait for any pause of the breaker's.
    let waited = Instant::now() - probe.at;
    assert!(waited < 64 * SECOND, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn the_word_of_a_till_opens_the_way_at_once() {
    let mut shop = Shop::new(|number, _| match number {
        0..=8 => Reply::Closed,
        _ => accept(),
    })
    .policy(|policy| policy.parallel(1));
    shop.confirm_many(100).await;
    let (_orders, _worker) = shop.open();
    for _ in 0..=8 {
        shop.call().await;
    }
    shop.until(|shop| shop.schedule.next_due().is_some() && shop.link.is_down())
        .await;
    assert!(
        shop.link
            .hear(Word::Service, Ear::Till, Timestamp::unix_epoch())
    );
    shop.schedule.nudge();
    let heard_at = Instant::now();
    // Those that have not been tried in vain yet are due.
    shop.until(|shop| shop.schedule.len() <= 9).await;
    assert_eq!(Instant::now(), heard_at);
}

#[tokio::test(start_paused = true)]
async fn a_backlog_goes_out_at_the_rate_once_the_way_is_open() {
    let mut shop = Shop::new(|number, _| match number {
        0..=3 => Reply::Closed,
        _ => accept(),
    })
    .policy(|policy| policy.rate(20.0));
    shop.confirm_many(1_000).await;
    let (_orders, _worker) = shop.open();
    let mut calls = Vec::new();
    for _ in 0..1_004 {
        calls.push(shop.call().await.at);
    }
    shop.schedule.emptied().await;
    assert_rate(&calls[4..], 20, 4);
}

/// That no second saw more than `rate` calls, but for `at_once` after a rest.
pub(super) fn assert_rate(calls: &[Instant], rate: usize, at_once: usize) {
    for (first, from) in calls.iter().enumerate() {
        let within = |at: &&Instant| **at < *from + SECOND;
        let count = calls[first..].iter().take_while(within).count();
        assert!(count < rate + at_once, "{count} in a second");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_asks_to_be_left_alone_is_left_alone_by_the_whole_backlog() {
    let mut shop = Shop::new(|number, _| {
        let mut busy = answer(503, "<html>busy</html>");
        busy.retry_after = Some(600 * SECOND);
        match number {
            0 => Reply::Answer(busy),
            _ => accept(),
        }
    })
    .policy(|policy| policy.parallel(1));
    shop.confirm_many(100).await;
    let (_orders, _worker) = shop.open();
    let first = shop.call().await;
    let second = shop.call().await;
    assert_eq!(second.at - first.at, 600 * SECOND);
    assert_ne!(
        second.body, first.body,
        "another one had been due for longer"
    );
    shop.schedule.emptied().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_nobody_ever_answers_does_not_close_the_way_for_the_others() {
    let stuck = Arc::new(std::sync::OnceLock::<String>::new());
    let known = Arc::clone(&stuck);
    let mut shop = Shop::new(move |_, call| match known.get() {
        Some(stuck) if *stuck == id_of(call) => Reply::Silent,
        _ => accept(),
    })
    .policy(|policy| policy.parallel(1));
    let id = shop.confirm().await;
    stuck.set(shop.advice(id).id.to_string()).unwrap();
    shop.confirm_many(20).await;
    let opened_at = Instant::now();
    let (_orders, _worker) = shop.open();
    let mut tried = HashSet::new();
    let mut took = Duration::ZERO;
    while tried.len() < 21 {
        let seen = shop.call().await;
        if tried.insert(seen.body) {
            took = seen.at - opened_at;
        }
    }
    assert!(took < 200 * SECOND, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_reject_nothing_and_are_tried_as_one_probe_until_they_are_replaced() {
    for (status, word) in [
        (
            401,
            r#"{"errorType":"AUTHENTICATION_ERROR","errorMessage":"no","id":"x"}"#,
        ),
        (400, r#"{"errorType":"AUTHENTICATION_ERROR"}"#),
        (401, "<html>who are you?</html>"),
    ] {
        let are_good = Arc::new(AtomicBool::new(false));
        let good = Arc::clone(&are_good);
        let mut shop = Shop::new(move |_, _| match good.load(Ordering::SeqCst) {
            true => accept(),
            false => Reply::Answer(answer(status, word)),
        });
        shop.confirm_many(100).await;
        let (_orders, _worker) = shop.open();
        for _ in 0..20 {
            shop.call().await;
        }
        // The next probe is minutes away.
        tokio::time::sleep(SECOND).await;
        assert_eq!(shop.link.trouble(), Some(Trouble::Credentials));
        assert_eq!(shop.schedule.len(), 100);
        assert_eq!(shop.control.suspension(), None);
        // As `Client::replace_credentials` does.
        are_good.store(true, Ordering::SeqCst);
        let replaced_at = Instant::now();
        shop.link.hurry();
        shop.schedule.hurry();
        shop.schedule.emptied().await;
        let waited = Instant::now() - replaced_at;
        assert!(waited < 5 * SECOND, "no pause of minutes: {waited:?}");
        assert_eq!(shop.link.trouble(), None);
        let rejected = shop.ledger.page(crate::saf::List::Refused, None, 10);
        assert!(rejected.unwrap().transactions.is_empty());
    }
}
