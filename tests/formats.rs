//! A queue of an earlier release is read by every later one, and a queue of a later release is refused as
//! it is.
//!
//! `tests/formats/v1/` is a queue as this format's first release left it when it was killed: advices that
//! wait, undecided approvals, settled requests, and receipts. The zeros at the end of its files are cut
//! off, and the index is left out. `tests/formats/v1-operated/` is one with its index, in which money was paid
//! out and refunded, and advices were refused, requeued and abandoned. Neither is ever written again: for a new
//! format, `cargo test --test formats -- --ignored write_the` makes directories beside them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub
)]

#[path = "formats/fixture.rs"]
mod fixture;
#[path = "formats/later.rs"]
mod later;
#[path = "formats/operated.rs"]
mod operated;
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use fixture::{BASE_URL, Expected, FORMAT};
use money_transfer_retailer::simulator::Simulator;
use money_transfer_retailer::{Client, OpenError, StoreError};
use support::{PATIENCE, order, till};
use tempfile::TempDir;

/// Opens `queue` as the till that it belongs to, with `upstream` in the place of its own.
async fn open(queue: &Path, upstream: &Simulator) -> Result<Client, OpenError> {
    let proxy = format!("http://{}", upstream.address());
    let till = till(BASE_URL, queue).allow_plain_http().proxy(proxy);
    till.open().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_of_format_1_gives_everything_back() {
    let upstream = Simulator::start().await.unwrap();
    let (queue, expected) = (fixture::unpacked("v1"), Expected::of("v1"));
    expected.make_known_to(&upstream).await;
    let till = open(queue.path(), &upstream).await.unwrap();

    assert!(!till.is_quarantined(), "its binding is not understood");
    let damage: Vec<_> = till.recovery().findings.iter().collect();
    assert_eq!(damage, Vec::<&money_transfer_retailer::Finding>::new());
    let undecided = till.advices().undecided().unwrap();
    let of_undecided: Vec<String> = undecided
        .iter()
        .map(|one| one.request_id.to_string())
        .collect();
    assert_eq!(of_undecided, expected.undecided);
    for one in &undecided {
        let reference = one.receipt.order_redeem_ref.as_ref().unwrap().expose();
        assert_eq!(
            Some(reference),
            expected
                .redeem_refs
                .get(&one.request_id.to_string())
                .map(String::as_str)
        );
        assert_eq!(one.till_reference.receipt.as_deref(), Some("R-4711"));
        assert!(one.tender_started);
    }
    for (id, standing) in &expected.settled {
        let record = till.transaction(id.parse().unwrap()).unwrap().unwrap();
        assert_eq!(format!("{:?}", record.standing), *standing);
    }
    till.advices().wait_empty(PATIENCE).await.unwrap();
    assert!(till.advices().rejected().unwrap().is_empty());
    assert!(till.advices().damaged().unwrap().is_empty());
    till.shutdown(PATIENCE).await;

    let book = upstream.book();
    for (id, body) in &expected.confirmations {
        assert_eq!(
            book.confirmations_of(id).messages()[0].body(),
            body.as_bytes()
        );
        assert_eq!(book.confirmations_of(id).accepted(), 1);
    }
    for (id, body) in &expected.reversals {
        assert_eq!(book.reversals_of(id).messages()[0].body(), body.as_bytes());
        assert_eq!(book.reversals_of(id).accepted(), 1);
    }
    for id in &expected.unanswered {
        assert_eq!(book.reversals_of(id).accepted(), 1, "{id} is not reversed");
    }
    for id in expected.settled.keys().chain(&expected.undecided) {
        let sent = book.confirmations_of(id).received() + book.reversals_of(id).received();
        assert_eq!(sent, 0, "{id} is sent again");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_operator_did_in_format_1_is_told_and_its_index_is_believed() {
    let upstream = Simulator::start().await.unwrap();
    let queue = fixture::unpacked(operated::NAME);
    let index = indexes(queue.path());
    let till = operated::open(queue.path(), &upstream).await;
    let recovery = till.recovery();
    assert!(
        !recovery.quarantined && recovery.findings.is_empty(),
        "{recovery:?}"
    );
    for (id, kept) in operated::kept() {
        let found = operated::Record::of(&till, id.parse().unwrap());
        assert_eq!(found, kept, "{id}");
    }
    till.shutdown(PATIENCE).await;
    assert_eq!(indexes(queue.path()), index, "it was made anew");
}

/// The generations of the index.
fn indexes(queue: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(queue.join("index")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_part_of_a_queue_a_later_release_wrote_it_is_named_and_left_as_it_is() {
    let upstream = Simulator::start().await.unwrap();
    for part in later::PARTS {
        let queue = queue_with_everything(&upstream).await;
        let wanted = part.rewrite(queue.path());
        let before = contents_of(queue.path());
        let refused = open(queue.path(), &upstream).await.unwrap_err();
        let OpenError::Store(StoreError::NewerFormat {
            part: named,
            path,
            found,
            known,
            ..
        }) = &refused
        else {
            panic!("{part:?}: {refused:?}");
        };
        assert_eq!((*named, path), (part.name(), &wanted), "{part:?}");
        assert_eq!((*found, *known), (FORMAT + 1, FORMAT), "{part:?}");
        let after = contents_of(queue.path());
        let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&after), names(&before), "{part:?}");
        for (path, bytes) in &before {
            assert!(
                after[path] == *bytes,
                "{part:?}: {} changed",
                path.display()
            );
        }
    }
}

/// One that was closed, with an undecided order in it.
async fn queue_with_everything(upstream: &Simulator) -> TempDir {
    let queue = tempfile::tempdir().unwrap();
    let till = open(queue.path(), upstream).await.unwrap();
    let _undecided = support::approved(till.create_order(order()).await.unwrap());
    till.shutdown(PATIENCE).await;
    queue
}

/// All files of `queue`, but for the note that says who opened it last.
fn contents_of(queue: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = fixture::all_files(queue).into_iter();
    files
        .filter(|path| !path.ends_with("queue.holder"))
        .map(|path| (path.clone(), fs::read(&path).unwrap()))
        .collect()
}

/// Not a test: writes the fixture of the format that this version writes, where there is none yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "writes into the source tree"]
async fn write_the_fixture() {
    fixture::write().await;
}

/// The same of the one with an operator.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "writes into the source tree"]
async fn write_the_operated_fixture() {
    operated::write().await;
}
