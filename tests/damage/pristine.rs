//! Queues with something of everything in them, and what has to come of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use money_transfer_retailer::model::{
    CreateOrderRequest, Operation, ReversalReason, ThirdPartyIdentifier, ThirdPartyIdentifiers,
};
use money_transfer_retailer::simulator::{Fault, Rule, Simulator};
use money_transfer_retailer::{Client, RequestId, RetryPolicy};
use tempfile::TempDir;

use crate::readable::Records;
use crate::support::{self, PATIENCE, approved, order};
use crate::till::BASE_URL;

/// How many requests there are of each kind.
const OF_EACH: usize = 4;

/// Long enough for the index to have taken over what was acknowledged before.
const FED: Duration = Duration::from_millis(400);

const AN_HOUR: Duration = Duration::from_secs(3600);

/// What was acknowledged of a request, and so has to become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Confirmed,
    Reversed,
    /// The till was gone before an answer: it is reversed by itself.
    Unanswered,
    Undecided,
    /// Nothing of it is sent any more, once it was settled so.
    Final(Settled),
}

/// How a request was settled before the damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    Confirmed,
    Reversed,
    Declined,
}

/// An advice that reached the upstream.
#[derive(Clone)]
pub struct Heard {
    pub request_id: String,
    pub operation: Operation,
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let length = self.body.len();
        write!(f, "{} {} ({length} bytes)", self.operation, self.request_id)
    }
}

/// The upstream, and what it hears.
pub struct Upstream {
    pub simulator: Simulator,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Upstream {
    pub async fn start() -> Upstream {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ears = Arc::clone(&heard);
        let simulator = Simulator::builder().observe(move |message| {
            let operation = message.operation();
            // Neither the requests nor what is asked about them.
            if !operation.is_confirmation() && !operation.is_reversal() {
                return;
            }
            ears.lock().unwrap().push(Heard {
                request_id: message.request_id().unwrap_or_default().to_owned(),
                operation,
                body: message.body().to_vec(),
            });
        });
        Upstream {
            simulator: simulator.start().await.unwrap(),
            heard,
        }
    }

    /// What was heard since this was last asked.
    pub fn heard(&self) -> Vec<Heard> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }

    pub fn proxy(&self) -> String {
        format!("http://{}", self.simulator.address())
    }
}

/// A queue that nobody has damaged yet.
pub struct Pristine {
    pub name: &'static str,
    pub directory: TempDir,
    pub fates: BTreeMap<String, Fate>,
    /// The bytes of the advices, as an undamaged copy delivers them.
    pub bodies: BTreeMap<String, Vec<u8>>,
    /// The bytes of those that were settled.
    pub settled: BTreeMap<String, Vec<u8>>,
    /// Where its records stand.
    pub records: Records,
}

impl Pristine {
    /// One as a killed till leaves it, and one that was closed. With `retired`, every advice in them is older
    /// than any segment of the journal.
    pub async fn pair(upstream: &Upstream, is_retired: bool) -> [Pristine; 2] {
        let queue = tempfile::tempdir().unwrap();
        let till = patient_till(queue.path(), upstream).await;
        let mut fates = BTreeMap::new();
        let settled = decide(&till, upstream, &mut fates).await;
        if is_retired {
            retire(&till, queue.path(), &mut fates).await;
        }
        leave_unanswered(&till, upstream, &mut fates).await;
        tokio::time::sleep(FED).await;
        // This is what a kill leaves: all that was written, and nothing that was not.
        let killed = copy_of(queue.path());
        till.shutdown(Duration::ZERO).await;
        upstream.simulator.clear_faults();
        let [killed_name, closed_name] = match is_retired {
            true => ["killed after retirements", "closed after retirements"],
            false => ["killed", "closed"],
        };
        let pristine = |name, directory: TempDir| Pristine {
            name,
            records: Records::of(directory.path()),
            directory,
            fates: fates.clone(),
            bodies: BTreeMap::new(),
            settled: settled.clone(),
        };
        [pristine(killed_name, killed), pristine(closed_name, queue)]
    }

    pub fn ids_of(&self, wanted: Fate) -> impl Iterator<Item = &str> {
        let of_kind = self.fates.iter().filter(move |(_, fate)| **fate == wanted);
        of_kind.map(|(id, _)| id.as_str())
    }
}

/// One that tries once, and then not again as long as the test runs.
async fn patient_till(queue: &Path, upstream: &Upstream) -> Client {
    let till = support::till(BASE_URL, queue)
        .allow_plain_http()
        .proxy(upstream.proxy())
        .retry_policy(RetryPolicy::default().pauses(AN_HOUR, AN_HOUR))
        .timeout(Duration::from_secs(10));
    till.open().await.unwrap()
}

/// Returns the bytes of what is settled.
async fn decide(
    till: &Client,
    upstream: &Upstream,
    fates: &mut BTreeMap<String, Fate>,
) -> BTreeMap<String, Vec<u8>> {
    upstream.heard();
    for _ in 0..OF_EACH {
        let settled = approved(till.create_order(order()).await.unwrap());
        let fate = Fate::Final(Settled::Confirmed);
        fates.insert(settled.request_id().to_string(), fate);
        settled.confirm().await.unwrap();
        let settled = approved(till.create_order(order()).await.unwrap());
        let fate = Fate::Final(Settled::Reversed);
        fates.insert(settled.request_id().to_string(), fate);
        settled.reverse(ReversalReason::Cancelled).await.unwrap();
    }
    till.advices().wait_empty(PATIENCE).await.unwrap();
    let settled = upstream.heard().into_iter();
    let settled = settled
        .map(|heard| (heard.request_id, heard.body))
        .collect();
    let busy = Rule::on(Operation::ConfirmPayment).always();
    upstream.simulator.inject(busy.fault(Fault::status(503)));
    let busy = Rule::on(Operation::ReversePayment).always();
    upstream.simulator.inject(busy.fault(Fault::status(503)));
    for _ in 0..OF_EACH {
        let confirmed = approved(till.create_order(order()).await.unwrap());
        fates.insert(confirmed.request_id().to_string(), Fate::Confirmed);
        confirmed.confirm().await.unwrap();
        let reversed = approved(till.create_order(order()).await.unwrap());
        fates.insert(reversed.request_id().to_string(), Fate::Reversed);
        reversed.reverse(ReversalReason::Cancelled).await.unwrap();
        let undecided = approved(till.create_order(order()).await.unwrap());
        fates.insert(undecided.request_id().to_string(), Fate::Undecided);
    }
    settled
}

/// Sells so much, in long records, that every segment that there was is retired.
async fn retire(till: &Client, queue: &Path, fates: &mut BTreeMap<String, Fate>) {
    let journal = queue.join("journal");
    let before = files_in(&journal);
    for _ in 0..2_000 {
        let request = long_order();
        fates.insert(request.id.to_string(), Fate::Final(Settled::Declined));
        drop(till.create_order(request).await.unwrap());
        if !files_in(&journal).iter().any(|file| before.contains(file)) {
            return;
        }
    }
    panic!("no segment was retired: {:?}", files_in(&journal));
}

/// One that the upstream declines; its record is long.
fn long_order() -> CreateOrderRequest {
    let long = ThirdPartyIdentifier::new("588892", "x".repeat(12_000));
    let mut request = support::order_of(10_000_000_000);
    request.third_party_identifiers = ThirdPartyIdentifiers::from(vec![long]);
    request
}

async fn leave_unanswered(till: &Client, upstream: &Upstream, fates: &mut BTreeMap<String, Fate>) {
    upstream.simulator.inject(
        Rule::on(Operation::CreateOrder)
            .always()
            .fault(Fault::ProcessAndHang),
    );
    let under_way: Vec<RequestId> = (0..OF_EACH)
        .map(|_| {
            let request = order();
            let (id, till) = (request.id, till.clone());
            tokio::spawn(async move { till.create_order(request).await });
            id
        })
        .collect();
    for id in under_way {
        fates.insert(id.to_string(), Fate::Unanswered);
        while till.transaction(id).unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn files_in(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// A copy of `directory` and all below it.
pub fn copy_of(directory: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_tree(directory, copy.path());
    copy
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for path in files_in(from) {
        let target = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy_tree(&path, &target),
            false => {
                fs::copy(&path, &target).unwrap();
            }
        }
    }
}

/// Every file below `directory`, in order.
pub fn all_files(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for path in files_in(directory) {
        match path.is_dir() {
            true => all.extend(all_files(&path)),
            false => all.push(path),
        }
    }
    all.sort();
    all
}
