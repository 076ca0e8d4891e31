//! A delivery that is held, by hand or by what the upstream says, and what lets it go.

use super::*;
use crate::saf::List;
use crate::saf::control::Suspension;
use crate::saf::ledger::Note;

/// Resumes as [`Client::resume`](crate::Client::resume) does.
async fn resume(shop: &Shop) {
    shop.control.resume(&shop.ledger).await.unwrap();
    shop.schedule.nudge();
}

fn refused(shop: &Shop) -> usize {
    let page = shop.ledger.page(List::Refused, None, 100).unwrap();
    page.transactions.len()
}

#[tokio::test(start_paused = true)]
async fn three_equal_refusals_that_are_about_no_advice_suspend_the_delivery_and_keep_the_backlog() {
    for (status, body) in [
        (
            400,
            r#"{"errorType":"FORMAT_ERROR","errorMessage":"no","id":"x"}"#,
        ),
        (
            503,
            r#"{"errorType":"ROUTING_ERROR","errorMessage":"no","id":"x"}"#,
        ),
        (400, ""),
        (501, "<html>no such thing</html>"),
    ] {
        let is_mended = Arc::new(AtomicBool::new(false));
        let mended = Arc::clone(&is_mended);
        let shop = Shop::new(move |_, _| match mended.load(Ordering::SeqCst) {
            true => accept(),
            false => Reply::Answer(answer(status, body)),
        });
        shop.confirm_many(50).await;
        let (_orders, _worker) = shop.open();
        shop.until(|shop| shop.control.suspension().is_some()).await;
        // The committer is a thread of its own, which no paused clock waits for.
        let is_noted = |shop: &Shop| shop.ledger.note(Note::Suspension).unwrap().is_some();
        shop.until_later(|shop| shop.schedule.len() == 48 && is_noted(shop))
            .await;
        tokio::time::sleep(YEAR).await;
        assert_eq!(refused(&shop), 2, "{status} {body}");
        assert_eq!(shop.schedule.len(), 48);
        // Those that were in flight with the third are kept, too.
        assert!(shop.calls() <= 2 + shop.policy.parallel);
        let suspension = shop.control.suspension().unwrap();
        assert_eq!(suspension.status, status);
        let note = shop.ledger.note(Note::Suspension).unwrap().unwrap();
        let noted: Suspension = serde_json::from_slice(&note).unwrap();
        assert_eq!(noted, suspension);

        is_mended.store(true, Ordering::SeqCst);
        resume(&shop).await;
        shop.schedule.emptied().await;
        assert_eq!(refused(&shop), 2);
        assert_eq!(shop.ledger.note(Note::Suspension).unwrap(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_that_are_about_the_advice_never_suspend() {
    for business in [
        "TRANSACTION_DECLINED",
        "UNABLE_TO_LOCATE_RECORD",
        "INVALID_AMOUNT",
        "DUPLICATE_RECORD",
        "ALREADY_REDEEMED",
        "TRANSACTION_LIMIT_EXCEEDED",
    ] {
        if matches!(
            crate::model::ErrorType::from(business),
            crate::model::ErrorType::Other(_)
        ) {
            panic!("{business} is none of the interface's");
        }
        let shop = Shop::new(move |_, call| refuse(business, &id_of(call)));
        shop.confirm_many(20).await;
        let (_orders, _worker) = shop.open();
        shop.schedule.emptied().await;
        assert_eq!(refused(&shop), 20, "{business}");
        assert_eq!(shop.control.suspension(), None, "{business}");
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_have_to_be_equal_and_in_a_row_to_suspend() {
    let shop = Shop::new(|number, call| match number % 6 {
        0 | 1 => refuse("FORMAT_ERROR", &id_of(call)),
        2 => refuse("ROUTING_ERROR", &id_of(call)),
        3 => refuse("TRANSACTION_DECLINED", &id_of(call)),
        4 => refuse("ROUTING_ERROR", &id_of(call)),
        _ => accept(),
    })
    .policy(|policy| policy.parallel(1));
    shop.confirm_many(60).await;
    let (_orders, _worker) = shop.open();
    shop.schedule.emptied().await;
    assert_eq!(refused(&shop), 50);
}

#[tokio::test(start_paused = true)]
async fn paused_it_finishes_what_is_in_flight_and_starts_nothing() {
    let told = Arc::new(Notify::new());
    let reply = Arc::clone(&told);
    let mut shop = Shop::new(move |number, _| match number {
        0 => Reply::WhenTold(Arc::clone(&reply)),
        _ => accept(),
    });
    let in_flight = shop.confirm().await;
    let (_orders, _worker) = shop.open();
    shop.call().await;
    shop.control.pause();
    shop.confirm_many(10).await;
    told.notify_waiters();
    shop.until(|shop| shop.settlement(in_flight).is_some())
        .await;
    // Not even by hand: whoever pauses means it.
    shop.link.hurry();
    shop.schedule.hurry();
    let polls = shop.polls.load(Ordering::SeqCst);
    tokio::time::sleep(YEAR).await;
    assert_eq!((shop.calls(), shop.schedule.len()), (1, 10));
    // The end of the sending, the hurry, and nothing in a year.
    assert!(shop.polls.load(Ordering::SeqCst) <= polls + 3);
    resume(&shop).await;
    shop.schedule.emptied().await;
    assert_eq!(shop.calls(), 11);
}

#[tokio::test(start_paused = true)]
async fn somebody_in_a_hurry_waits_for_no_pause() {
    let mut shop = Shop::new(|number, _| if number < 12 { doubt() } else { accept() });
    shop.confirm().await;
    let (_orders, _worker) = shop.open();
    for _ in 0..12 {
        shop.call().await;
    }
    shop.until(|shop| shop.schedule.next_due().is_some()).await;
    let asked_at = Instant::now();
    shop.link.hurry();
    shop.schedule.hurry();
    shop.schedule.emptied().await;
    assert_eq!(Instant::now(), asked_at);
}

#[tokio::test(start_paused = true)]
async fn somebody_in_a_hurry_means_what_is_in_flight_too() {
    let pause = 300 * SECOND;
    let mut shop = Shop::new(|number, _| match number {
        0 => Reply::Silent,
        _ => accept(),
    })
    .policy(|policy| policy.pauses(pause, pause));
    shop.confirm().await;
    let (_orders, _worker) = shop.open();
    let first = shop.call().await;
    // As `Client::replace_credentials` does, while the old password is on its way.
    shop.link.hurry();
    shop.schedule.hurry();
    let second = shop.call().await;
    assert_eq!(second.at - first.at, 60 * SECOND);
}
