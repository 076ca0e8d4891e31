//! What a crash leaves behind is taken up at the next open, and the report says what that was.
//!
//! The crash is the end of the till's runtime, with everything on it, in the middle of its work.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::path::Path;
use std::sync::Arc;

use money_transfer_retailer::model::ReversalReason;
use money_transfer_retailer::simulator::{Fault, Operation, Rule, Simulator};
use money_transfer_retailer::{Finding, RecoveryReport, RequestId, Standing};
use support::{PATIENCE, Shop, approved, order, order_of, till};

#[tokio::test]
async fn a_new_queue_has_nothing_to_report() {
    let shop = Shop::open().await;
    assert_eq!(*shop.till.recovery(), RecoveryReport::default());
    let shop = shop.reopen().await;
    assert_eq!(*shop.till.recovery(), RecoveryReport::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_crash_left_is_counted_and_taken_up() {
    let upstream = Arc::new(Simulator::start().await.unwrap());
    let queue = tempfile::tempdir().unwrap();
    let left = crash(&upstream, queue.path()).await;
    upstream.clear_faults();
    let next = till(&upstream.base_url(), queue.path())
        .open()
        .await
        .unwrap();
    let report = next.recovery().clone();
    assert_eq!(report.undecided, 1, "{report:?}");
    // A confirmation, a reversal, and that of the request that nobody had answered.
    assert_eq!(report.pending, 3, "{report:?}");
    assert_eq!((report.damaged, report.quarantined), (0, false));
    let standing = |id| next.transaction(id).unwrap().unwrap().standing;
    assert_eq!(standing(left.unanswered), Standing::Reversed);
    assert_eq!(standing(left.undecided), Standing::Undecided);

    next.advices().wait_empty(PATIENCE).await.unwrap();
    let book = upstream.book();
    assert_eq!(book.confirmations_of(left.confirmed).accepted(), 1);
    assert_eq!(book.reversals_of(left.reversed).accepted(), 1);
    assert_eq!(book.reversals_of(left.unanswered).accepted(), 1);
    assert_eq!(book.confirmations_of(left.unanswered).received(), 0);
    assert_eq!(book.reversals_of(left.undecided).received(), 0);
    next.shutdown(PATIENCE).await;
    let third = till(&upstream.base_url(), queue.path())
        .open()
        .await
        .unwrap();
    let expected = RecoveryReport::default();
    assert_eq!(third.recovery().pending, expected.pending);
    assert_eq!(third.recovery().reversed, expected.reversed);
    assert_eq!(third.recovery().undecided, 1);
}

#[tokio::test]
async fn an_index_that_was_spoilt_is_reported_and_loses_nothing() {
    let shop = Shop::open().await;
    let id = shop.approved().await.request_id();
    shop.till.clone().shutdown(PATIENCE).await;
    spoil(&shop.queue.path().join("index"));
    let shop = shop.reopen().await;
    let findings = &shop.till.recovery().findings;
    let rebuilt = |finding: &Finding| matches!(finding, Finding::IndexRebuilt { .. });
    assert!(findings.iter().any(rebuilt), "{findings:?}");
    assert_eq!(shop.till.recovery().undecided, 1);
    shop.till.confirm(id).await.unwrap();
    shop.drained().await;
}

/// Fills every file below `directory` with what nobody wrote.
fn spoil(directory: &Path) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => spoil(&path),
            false => std::fs::write(&path, [0x5a; 4096]).unwrap(),
        }
    }
}

/// What was going on when the till crashed.
struct Left {
    undecided: RequestId,
    confirmed: RequestId,
    reversed: RequestId,
    unanswered: RequestId,
}

/// Lets a till work on a runtime of its own, and ends that under it.
async fn crash(upstream: &Arc<Simulator>, queue: &Path) -> Left {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let work = work(Arc::clone(upstream), queue.to_owned());
    let left = runtime.spawn(work).await.unwrap();
    runtime.shutdown_background();
    left
}

async fn work(upstream: Arc<Simulator>, queue: std::path::PathBuf) -> Left {
    let shop_till = till(&upstream.base_url(), &queue).timeout(PATIENCE);
    let till = shop_till.open().await.unwrap();
    let mut ids = Vec::new();
    for amount in [10_000, 20_000, 30_000] {
        let sale = approved(till.create_order(order_of(amount)).await.unwrap());
        ids.push(sale.request_id());
    }
    for advice in [Operation::ConfirmPayment, Operation::ReversePayment] {
        upstream.inject(Rule::on(advice).fault(Fault::Hang));
    }
    till.confirm(ids[1]).await.unwrap();
    till.reverse(ids[2], ReversalReason::Cancelled)
        .await
        .unwrap();
    let keep_back = Rule::on(Operation::CreateOrder).fault(Fault::ProcessAndHang);
    upstream.inject(keep_back);
    let request = order();
    let unanswered = request.id;
    tokio::spawn(async move { till.create_order(request).await.map(drop) });
    let received = upstream.wait_until(|book| book.requests_of(unanswered).received() == 1);
    tokio::time::timeout(PATIENCE, received).await.unwrap();
    Left {
        undecided: ids[0],
        confirmed: ids[1],
        reversed: ids[2],
        unanswered,
    }
}
