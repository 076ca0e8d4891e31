//! A record that is damaged beyond repair is named, and nothing is done in its place.
//!
//! Only the journal has it here: the index, which restores most of what a journal loses, is taken
//! away, too.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use money_transfer_retailer::simulator::{Fault, Operation, Rule, Simulator};
use money_transfer_retailer::{Client, Finding, RequestId};
use support::{PATIENCE, approved, order, till};

/// What a disk gives back, or not, as a whole.
const SECTOR: usize = 512;

/// A queue that was closed with two confirmations pending and one order undecided.
struct Closed {
    upstream: Simulator,
    queue: tempfile::TempDir,
    first: RequestId,
    second: RequestId,
    undecided: RequestId,
}

impl Closed {
    async fn new() -> Closed {
        let upstream = Simulator::start().await.unwrap();
        let advices = Rule::on(Operation::ConfirmPayment).always();
        upstream.inject(advices.fault(Fault::Hang));
        let queue = tempfile::tempdir().unwrap();
        let till = open(&upstream, queue.path()).await;
        let undecided = approved(till.create_order(order()).await.unwrap()).request_id();
        let first = confirmed(&till).await;
        let second = confirmed(&till).await;
        till.shutdown(std::time::Duration::ZERO).await;
        upstream.clear_faults();
        fs::remove_dir_all(queue.path().join("index")).unwrap();
        Closed {
            upstream,
            queue,
            first,
            second,
            undecided,
        }
    }

    /// Takes away all that says what was decided on `id`.
    fn lose_the_decision_on(&self, id: RequestId) {
        self.wound(id, |bytes, place| {
            // The frame of the decision, beginning with what says whose it is.
            let begin = place / SECTOR * SECTOR;
            bytes[begin - SECTOR..begin + 2 * SECTOR].fill(0);
        });
    }

    /// Has `wound` change the segment that holds the newest record of `id`, given where that is.
    fn wound(&self, id: RequestId, wound: impl FnOnce(&mut Vec<u8>, usize)) {
        let text = id.to_string();
        let segments = fs::read_dir(self.queue.path().join("journal")).unwrap();
        let mut segments: Vec<PathBuf> = segments.map(|entry| entry.unwrap().path()).collect();
        segments.sort();
        let newest = segments.iter().rev().find_map(|path| {
            let bytes = fs::read(path).unwrap();
            let mut places = (0..bytes.len() - text.len()).rev();
            let place = places.find(|place| bytes[*place..].starts_with(text.as_bytes()))?;
            Some((path, bytes, place))
        });
        let (path, mut bytes, place) = newest.unwrap();
        wound(&mut bytes, place);
        fs::write(path, bytes).unwrap();
    }
}

async fn open(upstream: &Simulator, queue: &Path) -> Client {
    let builder = till(&upstream.base_url(), queue);
    builder.open().await.unwrap()
}

async fn confirmed(till: &Client) -> RequestId {
    let order = approved(till.create_order(order()).await.unwrap());
    order.confirm().await.unwrap().request_id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_request_whose_record_is_lost_is_named_and_all_others_are_delivered() {
    let closed = Closed::new().await;
    closed.wound(closed.first, |bytes, place| bytes[place] ^= 1);
    let till = open(&closed.upstream, closed.queue.path()).await;
    let lost = Finding::Lost {
        request_id: closed.first,
    };
    let findings = &till.recovery().findings;
    assert!(findings.contains(&lost), "{findings:?}");
    let damaged = till.advices().damaged().unwrap();
    assert_eq!(damaged.len(), 1);
    assert_eq!(damaged[0].request_id, closed.first);
    let undecided = till.advices().undecided().unwrap();
    assert_eq!(undecided.len(), 1);
    assert_eq!(undecided[0].request_id, closed.undecided);
    // Without an index nobody can rule out that more is gone.
    assert!(undecided[0].in_doubt);
    arrives(&closed, closed.second).await;
    assert_nothing_was_heard_of(&closed, closed.first);
    assert!(
        till.confirm(closed.first).await.is_err(),
        "nobody knows what it was"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_can_tell_whose_records_are_lost_nothing_is_decided_by_itself() {
    let closed = Closed::new().await;
    closed.lose_the_decision_on(closed.first);
    let till = open(&closed.upstream, closed.queue.path()).await;
    let findings = &till.recovery().findings;
    assert!(findings.contains(&Finding::LostUnknown), "{findings:?}");
    let undecided = till.advices().undecided().unwrap();
    let in_doubt: Vec<RequestId> = undecided.iter().map(|one| one.request_id).collect();
    assert_eq!(in_doubt, [closed.undecided, closed.first]);
    assert!(undecided.iter().all(|one| one.in_doubt));
    arrives(&closed, closed.second).await;
    assert_nothing_was_heard_of(&closed, closed.first);
    // A person who has asked the upstream may repeat the decision.
    till.confirm(closed.first).await.unwrap();
    arrives(&closed, closed.first).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loss_that_somebody_else_met_first_stays_known_until_the_queue_is_adopted() {
    let closed = Closed::new().await;
    closed.lose_the_decision_on(closed.first);
    let another = || till(&closed.upstream.base_url(), closed.queue.path()).instance("another");
    for _ in 0..2 {
        let till = another().open().await.unwrap();
        assert!(till.is_quarantined());
        let findings = &till.recovery().findings;
        assert!(findings.contains(&Finding::LostUnknown), "{findings:?}");
        till.shutdown(PATIENCE).await;
    }
    let till = another().open().await.unwrap();
    let report = till.adopt().await.unwrap();
    assert_eq!(report.reversed, 0, "{report:?}");
    let doubted = till.transaction(closed.first).unwrap().unwrap();
    assert!(doubted.in_doubt && doubted.advice.is_none(), "{doubted:?}");
    arrives(&closed, closed.second).await;
    assert_nothing_was_heard_of(&closed, closed.first);
    till.shutdown(PATIENCE).await;
    let till = another().open().await.unwrap();
    let findings = &till.recovery().findings;
    assert!(!findings.contains(&Finding::LostUnknown), "{findings:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_lost_whose_it_is_belongs_to_nobody_until_it_is_adopted() {
    let closed = Closed::new().await;
    let journal = closed.queue.path().join("journal");
    let segments = fs::read_dir(&journal).unwrap();
    let oldest = segments.map(|entry| entry.unwrap().path()).min().unwrap();
    let mut bytes = fs::read(&oldest).unwrap();
    bytes[..4 * SECTOR].fill(0);
    fs::write(oldest, bytes).unwrap();
    let till = open(&closed.upstream, closed.queue.path()).await;
    assert!(till.is_quarantined(), "{:?}", till.recovery());
    assert_nothing_was_heard_of(&closed, closed.first);
    till.adopt().await.unwrap();
    arrives(&closed, closed.second).await;
}

async fn arrives(closed: &Closed, id: RequestId) {
    let arrives = async {
        while closed.upstream.book().confirmations_of(id).accepted() == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, arrives).await.unwrap();
}

fn assert_nothing_was_heard_of(closed: &Closed, id: RequestId) {
    let book = closed.upstream.book();
    let heard = book.reversals_of(id).received();
    assert_eq!(
        heard, 0,
        "nothing is reversed in the place of a lost decision"
    );
}
