//! A till in a process of its own, which says what it did and how long the disk's log was then.
//!
//! ```text
//!  confirm ──Ok──▶ read the log's length ──▶ "confirmed <request> <advice> <length>"
//! ```
//!
//! The length is read behind the Ok, by the till itself: what was on the disk at the Ok lies before
//! it, however late the line is heard.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use money_transfer_retailer::model::{CreateOrderResponse, RequestId, ReversalReason};
use money_transfer_retailer::{Approved, Client, DecisionError, OrderOutcome, QueuedAdvice};

use tokio::sync::Semaphore;

use super::blocklog_replay::entries;
use super::lane::{Event, Lane, Stopped, Wanted};
use super::support::{impatient, order, till};

const PART: &str = "TILL_PART";
const URL: &str = "TILL_URL";
const QUEUE: &str = "TILL_QUEUE";
const LOG: &str = "TILL_LOG";
const SEED: &str = "TILL_SEED";
const STOCK: &str = "TILL_STOCK";

/// How many cashiers use a till.
const LANES: u64 = 8;

/// A till that says nothing for so long will not say it any more.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What the till says on its standard output, apart from what the test harness says there.
const SAYS: &str = "till:";
pub(crate) const OPENING: &str = "opening";
pub(crate) const OPENED: &str = "opened";
const NOT_OPENED: &str = "cannot open:";
pub(crate) const CONFIRMED: &str = "confirmed";
/// All that it was asked for.
pub(crate) const DONE: &str = "done";
/// A decision that got no Ok.
pub(crate) const FAILED: &str = "failed";
/// A decision that was taken after the opposite one had failed.
pub(crate) const OPPOSITE: &str = "opposite";
pub(crate) const DAMAGED: &str = "damaged";

/// How many decisions the flushes are counted of.
pub(crate) const COUNTED: usize = 64;

/// How long a cashier takes between two sales, at most.
const BETWEEN_SALES_MICROS: u64 = 20_000;

/// How many sales a till makes: of all its runs together the queue lists a thousand at most.
const SALES: usize = 320;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Decision {
    Confirmed,
    Reversed,
    /// About to be completed: not acknowledged, and from here on perhaps so.
    Completing,
    /// A cancellation, for good: there is no advice of it.
    Completed,
    /// Not decided by the till, or not yet: the queue only knows of the request.
    Known,
}

/// A decision that a till told of.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) decision: Decision,
    pub(crate) request_id: String,
    pub(crate) advice_id: String,
    /// The length of the log when it was told.
    pub(crate) entries: usize,
}

impl Told {
    /// What a line of the till says, if it tells of a decision.
    pub(crate) fn by(line: &str) -> Option<Told> {
        let mut words = line.split(' ');
        let decision = match words.next()? {
            CONFIRMED => Decision::Confirmed,
            "reversed" => Decision::Reversed,
            "completing" => Decision::Completing,
            "completed" => Decision::Completed,
            "known" => Decision::Known,
            _ => return None,
        };
        Some(Told {
            decision,
            request_id: words.next()?.to_owned(),
            advice_id: words.next()?.to_owned(),
            entries: words.next()?.parse().ok()?,
        })
    }
}

/// The till's process.
pub(crate) struct TillProcess {
    process: Child,
    /// What it says, read by a thread so that it never waits for us.
    lines: Receiver<String>,
    pub(crate) heard: Vec<String>,
}

/// Where a till finds everything.
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) queue: PathBuf,
    pub(crate) log: PathBuf,
    /// References of orders to pay out and to cancel.
    pub(crate) stock: Vec<String>,
}

impl TillProcess {
    pub(crate) fn start(part: &str, place: &Place, seed: u64) -> TillProcess {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "till_process", "--ignored", "--nocapture"])
            .env(PART, part)
            .env(URL, &place.url)
            .env(QUEUE, &place.queue)
            .env(LOG, &place.log)
            .env(SEED, seed.to_string())
            .env(STOCK, place.stock.join(" "))
            .stdout(Stdio::piped())
            // What fails is told of on the standard output.
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = process.stdout.take().unwrap();
        let (sender, lines) = channel();
        thread::spawn(move || pass_on(stdout, &sender));
        TillProcess {
            process,
            lines,
            heard: Vec::new(),
        }
    }

    /// Waits until the till has said `line`; the error is what it said last instead.
    pub(crate) fn says(&mut self, line: &str) -> Result<(), String> {
        self.says_what(|said| said == line)
    }

    /// Waits until the till has said something that begins like this.
    pub(crate) fn begins(&mut self, line: &str) -> Result<(), String> {
        self.says_what(|said| said.starts_with(line))
    }

    fn says_what(&mut self, is_it: impl Fn(&str) -> bool) -> Result<(), String> {
        loop {
            let Ok(said) = self.lines.recv_timeout(PATIENCE) else {
                let last = self.heard.last();
                return Err(format!("ended, or stuck, after {last:?}"));
            };
            self.heard.push(said.clone());
            if said.starts_with(NOT_OPENED) {
                return Err(said);
            }
            if is_it(&said) {
                return Ok(());
            }
        }
    }

    /// Kills the till, and returns all that it had said.
    pub(crate) fn killed(mut self) -> Vec<String> {
        let _ = self.process.kill();
        self.process.wait().unwrap();
        let mut heard = std::mem::take(&mut self.heard);
        heard.extend(self.lines.iter());
        heard
    }
}

impl Drop for TillProcess {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn pass_on(stdout: ChildStdout, lines: &Sender<String>) {
    for line in BufReader::new(stdout).lines() {
        // The harness may have begun the line.
        if let Some((_, said)) = line.unwrap().split_once(SAYS) {
            let _ = lines.send(said.trim().to_owned());
        }
    }
}

/// Plays the part that the parent asked for; nothing where there is no parent.
pub(crate) async fn play() {
    let Ok(part) = std::env::var(PART) else {
        return;
    };
    let (url, queue) = (std::env::var(URL).unwrap(), std::env::var(QUEUE).unwrap());
    let mut builder = till(&url, Path::new(&queue)).retry_policy(impatient().parallel(16));
    if part == "count" {
        // No attempt is to end, and be written down, between two decisions.
        builder = builder.timeout(PATIENCE);
    }
    say(OPENING);
    let till = match builder.open().await {
        Ok(till) => till,
        Err(error) => return say(format_args!("{NOT_OPENED} {error:?}")),
    };
    say(OPENED);
    match part.as_str() {
        "sell" => sell(&till),
        "list" => list(&till),
        "deliver" => deliver(&till).await,
        "count" => count(&till).await,
        other => panic!("unknown part {other}"),
    }
    std::future::pending::<()>().await;
}

fn say(what: impl std::fmt::Display) {
    println!("{SAYS} {what}");
}

/// Says a decision, with the length that the log has by now.
fn tell(decision: &str, queued: &QueuedAdvice) {
    let advice_id = queued.advice_id.to_string();
    tell_of(decision, queued.request_id, &advice_id);
}

fn tell_of(decision: &str, request_id: RequestId, advice_id: &str) {
    let log = std::env::var_os(LOG).unwrap();
    let entries = entries(Path::new(&log)).unwrap();
    say(format_args!(
        "{decision} {request_id} {advice_id} {entries}"
    ));
}

fn sell(till: &Client) {
    let seed: u64 = std::env::var(SEED).unwrap().parse().unwrap();
    let sales = Arc::new(Semaphore::new(SALES));
    let stock = std::env::var(STOCK).unwrap();
    let stock: Vec<String> = stock.split_whitespace().map(str::to_owned).collect();
    for lane in 0..LANES {
        let (till, sales) = (till.clone(), Arc::clone(&sales));
        let lane = Lane::new(&till, seed * LANES + lane, tell_event).with_stock(&stock);
        tokio::spawn(work_in_lane(till, sales, lane));
    }
}

fn tell_event(event: Event<'_>) {
    match event {
        Event::Requested(_) => {}
        Event::Confirmed(queued) => tell(CONFIRMED, queued),
        Event::Reversed(queued) => tell("reversed", queued),
        Event::Completing(id) => tell_of("completing", id, "-"),
        Event::Completed(id) => tell_of("completed", id, "-"),
    }
}

async fn work_in_lane(till: Client, sales: Arc<Semaphore>, mut lane: Lane) {
    // A sale in hand, for when the disk takes no other.
    let first = till.create_order(order()).await.ok();
    let mut in_hand = first.and_then(OrderOutcome::approved);
    while let Ok(sale) = sales.try_acquire() {
        sale.forget();
        let before = lane.approved;
        let mut step = lane.step().await;
        if step.is_ok() && lane.approved == before {
            // Declined: nothing of it is listed, and it does not count.
            sales.add_permits(1);
        }
        if let Err(Stopped::Request) = step {
            let Some(order) = in_hand.take() else { return };
            step = lane.decide(order).await.map(|_| ());
        }
        if let Err(Stopped::Decision(id, wanted)) = step {
            stand_by_it(&till, id, wanted).await;
        }
        let pause = Duration::from_micros(lane.random.u64(0..BETWEEN_SALES_MICROS));
        tokio::time::sleep(pause).await;
    }
}

/// Tries the opposite of a decision that failed, and then the same again.
async fn stand_by_it(till: &Client, id: RequestId, wanted: Wanted) {
    say(format_args!("{FAILED} {id}"));
    let cancelled = ReversalReason::Cancelled;
    let is_opposite = match wanted {
        Wanted::Confirmation | Wanted::Completion => {
            till.reverse(id, cancelled.clone()).await.is_ok()
        }
        Wanted::Reversal => till.confirm(id).await.is_ok(),
    };
    if is_opposite {
        say(format_args!("{OPPOSITE} {id}"));
    }
    match wanted {
        Wanted::Confirmation => told_if_ok(CONFIRMED, till.confirm(id).await),
        Wanted::Reversal => told_if_ok("reversed", till.reverse(id, cancelled).await),
        Wanted::Completion => {
            if till.complete(id).await.is_ok() {
                tell_of("completed", id, "-");
            }
        }
    }
}

fn told_if_ok(decision: &str, queued: Result<QueuedAdvice, DecisionError>) {
    if let Ok(queued) = queued {
        tell(decision, &queued);
    }
}

/// Says every request that is in the queue, with the decision.
fn list(till: &Client) {
    let advices = till.advices();
    let (pending, rejected) = (advices.pending().unwrap(), advices.rejected().unwrap());
    let listed = pending.len();
    assert_eq!(listed, till.advices().pending_count(), "too many to list");
    for advice in pending.iter().chain(&rejected) {
        let decision = match advice.operation.is_confirmation() {
            true => CONFIRMED,
            false => "reversed",
        };
        let (request_id, advice_id) = (advice.request_id, advice.advice_id);
        say(format_args!("{decision} {request_id} {advice_id} 0"));
    }
    list_undecided(till);
    for damaged in advices.damaged().unwrap() {
        say(format_args!("{DAMAGED} {damaged:?}"));
    }
    say(DONE);
}

fn list_undecided(till: &Client) {
    for undecided in till.advices().undecided().unwrap() {
        say(format_args!("known {} - 0", undecided.request_id));
    }
}

async fn deliver(till: &Client) {
    list_undecided(till);
    till.advices().wait_empty(PATIENCE).await.unwrap();
    say(DONE);
}

/// Confirms one order after the other, with nothing else going on.
async fn count(till: &Client) {
    let mut orders: Vec<Approved<CreateOrderResponse>> = Vec::new();
    while orders.len() < COUNTED {
        if let OrderOutcome::Approved(order) = till.create_order(order()).await.unwrap() {
            orders.push(order);
        }
    }
    for order in orders {
        tell(CONFIRMED, &order.confirm().await.unwrap());
    }
    say(DONE);
}
