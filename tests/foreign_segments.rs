//! The files of another till, copied into a queue by mistake: none of its advices is sent, and none of
//! this till's is lost.
//!
//! Seen failing: where the other queue was ahead, all of this one's segments were moved to the audit
//! trail, its confirmation was never sent, and the other till's were.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use money_transfer_retailer::simulator::{Fault, Operation, Rule, Simulator};
use money_transfer_retailer::{Client, Finding, OpenError, RequestId, StoreError};
use support::{PATIENCE, approved, order, till};

/// What the disk writes whole, and how long a segment's header is.
const SECTOR: usize = 512;

/// Two tills of one upstream that were closed with a confirmation pending each, and the segments of the
/// busier one among those of the other.
struct Merged {
    upstream: Simulator,
    queue: tempfile::TempDir,
    ours: RequestId,
    theirs: RequestId,
    /// The names of the other till's segments.
    foreign: Vec<String>,
    other: tempfile::TempDir,
}

impl Merged {
    async fn new() -> Merged {
        let upstream = Simulator::start().await.unwrap();
        let advices = Rule::on(Operation::ConfirmPayment).always();
        upstream.inject(advices.fault(Fault::Hang));
        let (queue, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let ours = sell(&upstream, queue.path(), 1).await;
        let theirs = sell(&upstream, other.path(), 8).await;
        carry_forward(&upstream, other.path()).await;
        upstream.clear_faults();
        let mut foreign = Vec::new();
        // The blank ones, too: their names are those of an open of the other till.
        for file in fs::read_dir(other.path().join("journal")).unwrap() {
            let file = file.unwrap();
            let name = file.file_name().to_str().unwrap().to_owned();
            fs::copy(file.path(), queue.path().join("journal").join(&name)).unwrap();
            foreign.push(name);
        }
        Merged {
            upstream,
            queue,
            ours,
            theirs,
            foreign,
            other,
        }
    }

    async fn open(&self) -> Result<Client, OpenError> {
        open(&self.upstream, self.queue.path()).await
    }

    fn remove_index(&self) {
        fs::remove_dir_all(self.queue.path().join("index")).unwrap();
    }

    fn own_segments(&self) -> Vec<PathBuf> {
        let mut used = used_segments(self.queue.path());
        used.retain(|path| !self.foreign.iter().any(|name| path.ends_with(name)));
        used
    }

    /// That an open says why it refuses, twice, and changes no file of the journal.
    async fn assert_refused(&self) {
        let before = files_of(self.queue.path());
        for _ in 0..2 {
            let refused = self.open().await.unwrap_err();
            let OpenError::Store(StoreError::Mixed { path }) = refused else {
                panic!("{refused}")
            };
            assert_eq!(path, self.queue.path().join("journal"));
        }
        assert!(
            files_of(self.queue.path()) == before,
            "something is changed"
        );
        self.assert_nothing_of_theirs_is_sent();
    }

    fn assert_nothing_of_theirs_is_sent(&self) {
        let book = self.upstream.book();
        assert_eq!(book.confirmations_of(self.theirs).accepted(), 0);
    }

    /// That the client confirms what this till sold, and nothing else.
    async fn assert_delivers(&self, till: Client) {
        till.advices().wait_empty(PATIENCE).await.unwrap();
        till.shutdown(PATIENCE).await;
        let book = self.upstream.book();
        assert_eq!(book.confirmations_of(self.ours).accepted(), 1);
        self.assert_nothing_of_theirs_is_sent();
    }
}

async fn open(upstream: &Simulator, queue: &Path) -> Result<Client, OpenError> {
    till(&upstream.base_url(), queue).open().await
}

/// Confirms `count` orders, of which no confirmation arrives; the last of them.
async fn sell(upstream: &Simulator, queue: &Path, count: usize) -> RequestId {
    let till = open(upstream, queue).await.unwrap();
    let mut last = None;
    for _ in 0..count {
        let approved = approved(till.create_order(order()).await.unwrap());
        last = Some(approved.confirm().await.unwrap().request_id);
    }
    till.shutdown(Duration::ZERO).await;
    last.unwrap()
}

/// Damages a frame, so that the next open copies all that counts to a segment of its own: from then on
/// nothing counts that has as small a number as the other queue's.
async fn carry_forward(upstream: &Simulator, queue: &Path) {
    let first = used_segments(queue).remove(0);
    let mut bytes = fs::read(&first).unwrap();
    // The first one holds nothing.
    bytes[2 * SECTOR + 60] ^= 1;
    fs::write(&first, bytes).unwrap();
    let till = open(upstream, queue).await.unwrap();
    till.shutdown(Duration::ZERO).await;
    assert!(!first.exists(), "it still counts");
}

/// Those that are not blank, in order.
fn used_segments(queue: &Path) -> Vec<PathBuf> {
    let segments = fs::read_dir(queue.join("journal")).unwrap();
    let segments = segments.map(|entry| entry.unwrap().path());
    let is_used = |path: &PathBuf| fs::read(path).unwrap().iter().any(|byte| *byte != 0);
    let mut used: Vec<PathBuf> = segments.filter(is_used).collect();
    used.sort();
    used
}

/// What lies in the journal, in the audit trail, and in the vault.
fn files_of(queue: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let directories = [queue.join("journal"), queue.join("audit")].into_iter();
    let files = directories.flat_map(|directory| fs::read_dir(directory).unwrap());
    let files = files.map(|entry| entry.unwrap().path());
    let files = files.chain([queue.join("vault")]);
    let read = |path: PathBuf| (path.clone(), fs::read(path).unwrap());
    files.map(read).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_segments_of_another_till_are_reported_and_left_alone() {
    let merged = Merged::new().await;
    let till = merged.open().await.unwrap();
    let found = till.recovery().findings.clone();
    merged.assert_delivers(till).await;
    for name in &merged.foreign {
        let is_told = found.iter().any(|finding| {
            matches!(finding, Finding::File { name: of, what } if of == name && what.contains("another queue"))
        });
        assert!(is_told, "{name}: {found:?}");
    }
    let till = merged.open().await.unwrap();
    let findings = &till.recovery().findings;
    assert_eq!(findings.len(), merged.foreign.len(), "{findings:?}");
    merged.assert_delivers(till).await;
    let left = files_of(merged.queue.path());
    let journal = merged.queue.path().join("journal");
    let is_left = |name: &&String| left.contains_key(&journal.join(name));
    assert_eq!(
        merged.foreign.iter().filter(is_left).count(),
        merged.foreign.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_index_a_mixed_queue_is_refused_until_the_other_till_s_segments_are_moved_away()
{
    let merged = Merged::new().await;
    merged.remove_index();
    merged.assert_refused().await;
    for name in &merged.foreign {
        fs::remove_file(merged.queue.path().join("journal").join(name)).unwrap();
    }
    let till = merged.open().await.unwrap();
    merged.assert_delivers(till).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_index_of_the_other_till_beside_our_own_decides_nothing() {
    let merged = Merged::new().await;
    let theirs = merged.other.path().join("index");
    for generation in fs::read_dir(theirs).unwrap() {
        let generation = generation.unwrap();
        let copy = merged
            .queue
            .path()
            .join("index")
            .join(generation.file_name());
        fs::create_dir_all(&copy).unwrap();
        for file in fs::read_dir(generation.path()).unwrap() {
            let file = file.unwrap();
            if file.file_type().unwrap().is_file() {
                fs::copy(file.path(), copy.join(file.file_name())).unwrap();
            }
        }
    }
    merged.assert_refused().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_our_own_headers_are_damaged_the_journal_is_not_taken_for_the_other_till_s() {
    let merged = Merged::new().await;
    for own in merged.own_segments() {
        let mut bytes = fs::read(&own).unwrap();
        bytes[..SECTOR].fill(0);
        fs::write(&own, bytes).unwrap();
    }
    merged.assert_refused().await;
}
