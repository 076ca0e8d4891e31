//! The kept queue: how it is written, and how it is unpacked.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use money_transfer_retailer::model::{Operation, ReversalReason};
use money_transfer_retailer::simulator::{Fault, Rule, Simulator};
use money_transfer_retailer::{Client, RetryPolicy, TillReference};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::support::{PATIENCE, approved, order, till};

/// The format that this version writes.
pub const FORMAT: u32 = 1;

/// What the kept queues are bound to; whatever port a simulator has, it is asked as a proxy.
pub const BASE_URL: &str = "http://upstream.example/moneytransfer/v2";

const EXPECTED: &str = "expected.json";
const QUEUE: &str = "queue";
const AN_HOUR: Duration = Duration::from_secs(3600);

/// The length of a segment, whose zeros are not kept.
const SEGMENT_BYTES: u64 = 4 * 1024 * 1024;

/// What has to come of a kept queue.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Expected {
    /// The bodies of the advices that wait, by the request.
    pub confirmations: BTreeMap<String, String>,
    pub reversals: BTreeMap<String, String>,
    /// Oldest first.
    pub undecided: Vec<String>,
    pub redeem_refs: BTreeMap<String, String>,
    /// How each stands.
    pub settled: BTreeMap<String, String>,
    /// Without an answer when the till was killed.
    pub unanswered: Vec<String>,
}

impl Expected {
    pub fn of(format: &str) -> Expected {
        let text = fs::read(directory().join(format).join(EXPECTED)).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// Asks for the same orders again, so that `upstream` knows them.
    pub async fn make_known_to(&self, upstream: &Simulator) {
        let queue = tempfile::tempdir().unwrap();
        let other = till(&upstream.base_url(), queue.path())
            .open()
            .await
            .unwrap();
        let ids = self.confirmations.keys().chain(self.reversals.keys());
        for id in ids.chain(&self.unanswered) {
            let mut request = order();
            request.id = id.parse().unwrap();
            let _undecided = approved(other.create_order(request).await.unwrap());
        }
        other.shutdown(PATIENCE).await;
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats")
}

/// A copy of the kept queue, with its zeros.
pub fn unpacked(name: &str) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    let kept = directory().join(name).join(QUEUE);
    for file in all_files(&kept) {
        let target = copy.path().join(file.strip_prefix(&kept).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, &target).unwrap();
        if target.extension().is_some_and(|kind| kind == "segment") {
            let segment = fs::File::options().write(true).open(&target).unwrap();
            segment.set_len(SEGMENT_BYTES).unwrap();
        }
    }
    copy
}

/// A file that stands beside the kept queue `name`.
pub fn beside(name: &str, file: &str) -> PathBuf {
    directory().join(name).join(file)
}

/// Every file below `directory`, in order.
pub fn all_files(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(all_files(&path)),
            false => all.push(path),
        }
    }
    all.sort();
    all
}

/// Makes a queue with something of everything in it, and keeps it.
pub async fn write() {
    let target = directory().join(format!("v{FORMAT}"));
    assert!(!target.exists(), "{} is kept as it is", target.display());
    let upstream = Simulator::start().await.unwrap();
    let queue = tempfile::tempdir().unwrap();
    let proxy = format!("http://{}", upstream.address());
    let till = till(BASE_URL, queue.path())
        .allow_plain_http()
        .proxy(proxy)
        .retry_policy(RetryPolicy::default().pauses(AN_HOUR, AN_HOUR));
    let till = till.open().await.unwrap();
    let sale = TillReference::builder().receipt("R-4711").build();
    let expected = fill(&till.with_till_reference(sale), &upstream).await;
    keep(queue.path(), &target.join(QUEUE));
    let text = serde_json::to_string_pretty(&expected).unwrap();
    fs::write(target.join(EXPECTED), text + "\n").unwrap();
    till.shutdown(Duration::ZERO).await;
}

async fn fill(till: &Client, upstream: &Simulator) -> Expected {
    let mut expected = Expected::default();
    for standing in ["Confirmed", "Reversed"] {
        let settled = approved(till.create_order(order()).await.unwrap());
        let id = settled.request_id();
        match standing {
            "Confirmed" => drop(settled.confirm().await.unwrap()),
            _ => drop(settled.reverse(ReversalReason::Cancelled).await.unwrap()),
        }
        expected.settled.insert(id.to_string(), standing.to_owned());
    }
    till.advices().wait_empty(PATIENCE).await.unwrap();
    for advice in [Operation::ConfirmPayment, Operation::ReversePayment] {
        upstream.inject(Rule::on(advice).always().fault(Fault::status(503)));
    }
    for _ in 0..3 {
        let confirmed = approved(till.create_order(order()).await.unwrap());
        let id = confirmed.request_id().to_string();
        confirmed.confirm().await.unwrap();
        expected.confirmations.insert(id, String::new());
        let reversed = approved(till.create_order(order()).await.unwrap());
        let id = reversed.request_id().to_string();
        reversed.reverse(ReversalReason::Cancelled).await.unwrap();
        expected.reversals.insert(id, String::new());
        let undecided = approved(till.create_order(order()).await.unwrap());
        let id = undecided.request_id();
        till.tender_started(id).await.unwrap();
        let reference = undecided
            .response()
            .order_redeem_ref
            .as_ref()
            .unwrap()
            .expose()
            .to_owned();
        expected.redeem_refs.insert(id.to_string(), reference);
        expected.undecided.push(id.to_string());
    }
    leave_unanswered(till, upstream, &mut expected).await;
    note_bodies(till, upstream, &mut expected).await;
    expected
}

async fn leave_unanswered(till: &Client, upstream: &Simulator, expected: &mut Expected) {
    upstream.inject(Rule::on(Operation::CreateOrder).always().fault(Fault::Hang));
    let patient = till.with_timeout(AN_HOUR);
    let request = order();
    let id = request.id;
    tokio::spawn(async move { patient.create_order(request).await });
    while till.transaction(id).unwrap().is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    expected.unanswered.push(id.to_string());
}

/// Every advice is tried once, in vain.
async fn note_bodies(till: &Client, upstream: &Simulator, expected: &mut Expected) {
    while till
        .advices()
        .pending()
        .unwrap()
        .iter()
        .any(|advice| advice.attempts == 0)
    {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let book = upstream.book();
    let text = |body: &[u8]| String::from_utf8(body.to_vec()).unwrap();
    for (id, body) in &mut expected.confirmations {
        *body = text(book.confirmations_of(id).messages()[0].body());
    }
    for (id, body) in &mut expected.reversals {
        *body = text(book.reversals_of(id).messages()[0].body());
    }
}

/// Copies what a kill would leave, apart from the zeros of segments, the index and the lock.
fn keep(queue: &Path, target: &Path) {
    keep_what(queue, target, |inside| !inside.starts_with("index"));
}

/// The same of what `is_wanted` of all but the lock.
pub fn keep_what(queue: &Path, target: &Path, is_wanted: impl Fn(&Path) -> bool) {
    for file in all_files(queue) {
        let inside = file.strip_prefix(queue).unwrap();
        let mut bytes = fs::read(&file).unwrap();
        if !inside.starts_with("index") {
            let last = bytes.iter().rposition(|byte| *byte != 0);
            let used = last.map_or(0, |last| last + 1);
            bytes.truncate(used.next_multiple_of(512));
        }
        let is_lock = inside.to_str().unwrap().starts_with("queue.");
        if bytes.is_empty() || is_lock || !is_wanted(inside) {
            continue;
        }
        let kept = target.join(inside);
        fs::create_dir_all(kept.parent().unwrap()).unwrap();
        fs::write(kept, bytes).unwrap();
    }
}
