//! A killed process loses no decision: what was acknowledged arrives, once, in one direction.
//!
//! The till is a process of its own: this test binary, started again for one ignored test.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "support/lane.rs"]
mod lane;
mod support;

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use lane::{Event, Lane};
use money_transfer_retailer::model::ReversalReason;
use money_transfer_retailer::simulator::{Book, Fault, Operation, Rule, Simulator};
use money_transfer_retailer::{Client, OpenError};
use support::{PATIENCE, order, till};

const URL: &str = "TILL_URL";
const QUEUE: &str = "TILL_QUEUE";
const PART: &str = "TILL_PART";
const SEED: &str = "TILL_SEED";

/// What the child says on its standard output, apart from what the test harness says there.
const SAYS: &str = "till:";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirmation_arrives_though_its_till_is_killed_before_it_could_be_sent() {
    let upstream = Simulator::start().await.unwrap();
    let queue = tempfile::tempdir().unwrap();
    let mut first = TillProcess::start("confirm_one", &upstream, queue.path(), 0);
    let id = first.says("approved");
    upstream.go_down().await.unwrap();
    first.go_on();
    assert_eq!(first.says("confirmed"), id);
    let owner = format!("process {}", first.process.id());
    let second = till(&upstream.base_url(), queue.path()).open().await;
    assert!(
        matches!(&second, Err(OpenError::InUse { holder, .. }) if *holder == owner),
        "{second:?}"
    );
    first.kill();
    assert_eq!(upstream.book().confirmations_of(&id).received(), 0);

    upstream.come_up().await.unwrap();
    TillProcess::start("drain", &upstream, queue.path(), 0).ends_well();
    let book = upstream.book();
    assert_eq!(book.confirmations_of(&id).received(), 1);
    assert_eq!(book.confirmations_of(&id).accepted(), 1);
    assert_eq!(book.reversals_of(&id).received(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_in_five_kills_at_random_moments() {
    Kills::new(5, 20_261_122).await.audit().await;
}

/// Run by the continuous integration; here it would take too long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "slow: 200 rounds"]
async fn nothing_acknowledged_is_lost_in_two_hundred_kills_at_random_moments() {
    let audited = Kills::new(200, 4_711).await.audit().await;
    println!("200 kills: {audited}");
}

/// A queue whose till was killed many times, and what the till had said.
struct Kills {
    upstream: Simulator,
    queue: tempfile::TempDir,
    said: Vec<(String, String)>,
}

impl Kills {
    /// Lets a till do real traffic with faults on, and kills it, for so many rounds.
    async fn new(rounds: u64, seed: u64) -> Kills {
        let upstream = Simulator::builder().seed(seed).start().await.unwrap();
        let queue = tempfile::tempdir().unwrap();
        stormy(&upstream);
        let mut random = fastrand::Rng::with_seed(seed);
        let mut said = Vec::new();
        for round in 0..rounds {
            let mut till = TillProcess::start("traffic", &upstream, queue.path(), seed + round);
            assert_eq!(till.says("opened"), "queue");
            tokio::time::sleep(Duration::from_millis(random.u64(20..300))).await;
            said.extend(till.killed_after_saying());
        }
        Kills {
            upstream,
            queue,
            said,
        }
    }

    /// Lets the queue drain in good weather, and holds the upstream's book against what was said.
    async fn audit(self) -> String {
        self.upstream.clear_faults();
        TillProcess::start("drain", &self.upstream, self.queue.path(), 0).ends_well();
        let book = self.upstream.book();
        let said = |what: &str| -> HashSet<&str> {
            let lines = self.said.iter().filter(|(said, _)| said == what);
            lines.map(|(_, id)| id.as_str()).collect()
        };
        let (confirmed, reversed) = (said("confirmed"), said("reversed"));
        let heard = Heard::from(&book);
        for id in said("requested") {
            check_one_direction(&heard, id);
        }
        for id in &confirmed {
            assert_eq!(
                heard.confirmations(id).accepted,
                1,
                "confirmation of {id} is lost"
            );
        }
        for id in &reversed {
            assert_eq!(heard.reversals(id).accepted, 1, "reversal of {id} is lost");
        }
        let completed = said("completed");
        for id in &completed {
            assert_eq!(heard.reversals(id).received, 0, "{id} was completed");
        }
        check_nothing_is_forgotten(&book, &heard, &said("completing"));
        assert!(
            !confirmed.is_empty() && !reversed.is_empty(),
            "there was no traffic"
        );
        let asked = |operation| book.count(operation);
        format!(
            "{} requests, {} confirmations, {} reversals and {} completions acknowledged, all delivered once; the upstream \
             heard of {} payouts and {} cancellations",
            said("requested").len(),
            confirmed.len(),
            reversed.len(),
            completed.len(),
            asked(Operation::RedeemOrder),
            asked(Operation::CancelOrder),
        )
    }
}

/// What the upstream approved is confirmed or reversed, once; a cancellation may be completed instead.
fn check_nothing_is_forgotten(book: &Book, heard: &Heard<'_>, completing: &HashSet<&str>) {
    let settled = |id: &str| heard.confirmations(id).accepted + heard.reversals(id).accepted;
    for order in book.orders() {
        let id = order.request_id();
        assert_eq!(settled(id), 1, "order {id} is forgotten");
        for payout in order.redemptions() {
            let id = payout.request_id();
            assert_eq!(settled(id), 1, "payout {id} is forgotten");
        }
        for cancellation in order.cancellations() {
            let id = cancellation.request_id();
            match settled(id) {
                // Killed, perhaps, before it could say that it was done.
                0 => assert!(completing.contains(id), "cancellation {id} is forgotten"),
                words => assert_eq!(words, 1, "cancellation {id} was settled twice"),
            }
        }
    }
}

fn stormy(upstream: &Simulator) {
    let storm = [Fault::LoseAnswer, Fault::status(500), Fault::CloseBefore];
    for fault in storm {
        upstream.inject(Rule::any().probability(0.08).fault(fault));
    }
}

/// The advices in the upstream's book, by the request that they are about. The book's own look-ups
/// go through all messages, which is too slow for as many.
#[derive(Default)]
struct Heard<'a> {
    confirmations: HashMap<&'a str, Count<'a>>,
    reversals: HashMap<&'a str, Count<'a>>,
}

/// What was heard in one direction.
#[derive(Clone, Default)]
struct Count<'a> {
    received: u32,
    accepted: u32,
    bodies: HashSet<&'a [u8]>,
}

impl<'a> Heard<'a> {
    fn from(book: &'a Book) -> Heard<'a> {
        let mut heard = Heard::default();
        for message in book.messages() {
            let direction = match message.operation() {
                operation if operation.is_confirmation() => &mut heard.confirmations,
                operation if operation.is_reversal() => &mut heard.reversals,
                _ => continue,
            };
            let count = direction.entry(message.request_id().unwrap()).or_default();
            count.received += 1;
            count.accepted += message.accepted();
            count.bodies.insert(message.body());
        }
        heard
    }

    fn confirmations(&self, id: &str) -> Count<'a> {
        self.confirmations.get(id).cloned().unwrap_or_default()
    }

    fn reversals(&self, id: &str) -> Count<'a> {
        self.reversals.get(id).cloned().unwrap_or_default()
    }
}

fn check_one_direction(heard: &Heard<'_>, id: &str) {
    let (confirmations, reversals) = (heard.confirmations(id), heard.reversals(id));
    assert!(
        confirmations.received == 0 || reversals.received == 0,
        "{id} went both ways"
    );
    assert!(
        confirmations.bodies.len() <= 1,
        "{id} was confirmed with different bytes"
    );
    assert!(
        reversals.bodies.len() <= 1,
        "{id} was reversed with different bytes"
    );
    assert!(
        confirmations.accepted + reversals.accepted <= 1,
        "{id} was settled twice"
    );
}

/// The till's process.
struct TillProcess {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl TillProcess {
    fn start(part: &str, upstream: &Simulator, queue: &Path, seed: u64) -> TillProcess {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "till_process", "--ignored", "--nocapture"])
            .env(PART, part)
            .env(URL, upstream.base_url())
            .env(QUEUE, queue)
            .env(SEED, seed.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = process.stdout.take().unwrap();
        let lines = BufReader::new(stdout).lines();
        TillProcess { process, lines }
    }

    /// Waits until the till says `what`, and returns the id that it names.
    fn says(&mut self, what: &str) -> String {
        let (said, id) = self.next_said().expect("the till ended early");
        assert_eq!(said, what);
        id
    }

    fn next_said(&mut self) -> Option<(String, String)> {
        self.lines.by_ref().map(Result::unwrap).find_map(|line| {
            // The harness may have begun the line.
            let (_, said) = line.split_once(SAYS)?;
            let (what, id) = said.trim().split_once(' ')?;
            Some((what.to_owned(), id.to_owned()))
        })
    }

    fn go_on(&mut self) {
        use std::io::Write;
        self.process
            .stdin
            .as_mut()
            .unwrap()
            .write_all(b"\n")
            .unwrap();
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        let status = self.process.wait().unwrap();
        assert!(!status.success(), "the till ended by itself");
    }

    /// Kills the till, and returns all that it had said.
    fn killed_after_saying(mut self) -> Vec<(String, String)> {
        self.kill();
        std::iter::from_fn(|| self.next_said()).collect()
    }

    fn ends_well(mut self) {
        let said: HashMap<String, String> = std::iter::from_fn(|| self.next_said()).collect();
        let status = self.process.wait().unwrap();
        assert!(status.success(), "the till failed, having said {said:?}");
    }
}

/// Not a test: the till's process, which the tests above start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child process of the other tests"]
async fn till_process() {
    let Ok(part) = std::env::var(PART) else {
        return;
    };
    let (url, queue) = (std::env::var(URL).unwrap(), std::env::var(QUEUE).unwrap());
    let till = till(&url, Path::new(&queue)).open().await.unwrap();
    match part.as_str() {
        "confirm_one" => confirm_one(till).await,
        "traffic" => traffic(till).await,
        "drain" => drain(till).await,
        other => panic!("unknown part {other}"),
    }
}

fn say(what: &str, id: impl std::fmt::Display) {
    println!("{SAYS} {what} {id}");
}

async fn confirm_one(till: Client) {
    let order = support::approved(till.create_order(order()).await.unwrap());
    say("approved", order.request_id());
    std::io::stdin().read_line(&mut String::new()).unwrap();
    let queued = order.confirm().await.unwrap();
    say("confirmed", queued.request_id);
    std::future::pending::<()>().await;
}

async fn traffic(till: Client) {
    let seed: u64 = std::env::var(SEED).unwrap().parse().unwrap();
    say("opened", "queue");
    let mut lanes = tokio::task::JoinSet::new();
    for lane in 0..8 {
        let mut lane = Lane::new(&till, seed * 100 + lane, tell);
        lanes.spawn(async move {
            loop {
                lane.step().await.unwrap();
            }
        });
    }
    // No lane ends by itself: one that does has failed, and the process with it.
    let ended: Result<(), _> = lanes.join_next().await.unwrap();
    ended.unwrap();
}

fn tell(event: Event<'_>) {
    match event {
        Event::Requested(id) => say("requested", id),
        Event::Confirmed(queued) => say("confirmed", queued.request_id),
        Event::Reversed(queued) => say("reversed", queued.request_id),
        Event::Completing(id) => say("completing", id),
        Event::Completed(id) => say("completed", id),
    }
}

/// Reverses what is undecided, and waits until everything is delivered.
async fn drain(till: Client) {
    for undecided in till.advices().undecided().unwrap() {
        let id = undecided.request_id;
        till.reverse(id, ReversalReason::Cancelled).await.unwrap();
    }
    // Many kills leave a large backlog.
    till.advices().wait_empty(10 * PATIENCE).await.unwrap();
    let rejected = till.advices().rejected().unwrap();
    assert!(rejected.is_empty(), "{rejected:?}");
    till.shutdown(PATIENCE).await;
}
