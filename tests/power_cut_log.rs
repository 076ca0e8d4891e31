//! A power cut at any write that a till ever made loses no decision: the disk's log is replayed.
//!
//! ```text
//!  load:  open, sell ── kill ── open, sell ── kill ── open, sell      log ▶ ·F··wwwF·wF··wwF·w·
//!         decisions, each with the length of the log behind its Ok           a1   a2      a3
//!  cut:   log up to any point ─▶ image ─▶ mount ─▶ open the queue: what was Ok before is there
//! ```
//!
//! 1. A cut keeps what was flushed before it, and of the rest what chance decides, torn by sectors:
//!    a drive with a cache that it is entitled to. `power_cut.rs` cuts below the page cache, where
//!    the drive keeps all that it was given and a missing flush does not show.
//! 2. A decision is kept if the very advice is in the queue, in its direction. It may be gone only
//!    if the upstream took it, and only once the upstream had begun to take any.
//! 3. What reached the upstream was on the disk before its first byte left: requests and advices
//!    that the upstream heard are looked for like what was acknowledged.
//! 4. Some cuts are delivered for real: what arrives is what was acknowledged.
//! 5. A failed write or flush is no Ok. Until the queue is opened again the opposite decision is
//!    refused, and then everything acknowledged before and after is there, cuts included.
//! 6. Orders are paid out and cancelled too. A completed cancellation is in no list any more: it is kept
//!    if it is neither undecided nor reversed.
//!
//! This can fail: `.ci/mutants sync-file-range` puts `sync_file_range` in the place of `fdatasync`, and
//! the first cut has lost what was acknowledged, three times of three.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "support/blocklog.rs"]
mod blocklog;
#[path = "support/blocklog_audit.rs"]
mod blocklog_audit;
#[path = "support/blocklog_replay.rs"]
mod blocklog_replay;
#[path = "support/blocklog_till.rs"]
mod blocklog_till;
#[path = "support/lane.rs"]
mod lane;
mod support;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use blocklog::{Failing, FileSystem, LoggedDisk};
use blocklog_audit::Audit;
use blocklog_replay::{Log, Replay, entries};
use blocklog_till::{
    CONFIRMED, COUNTED, DAMAGED, DONE, Decision, FAILED, OPENED, OPENING, OPPOSITE, Place,
    TillProcess, Told,
};
use money_transfer_retailer::simulator::{Book, Fault, Message, Operation, Order, Rule, Simulator};
use tokio::time::Instant;

/// How many cuts there are of all file systems together; 20 unless set.
const CUTS: &str = "LOG_CUTS";

/// So many of the cuts are delivered for real: one in so many.
const DELIVERED: usize = 10;

/// The till is killed so often, less one, under load.
const RUNS: u64 = 3;

/// How long a run lasts before the upstream takes advices, and after that.
const BAD_WEATHER: Duration = Duration::from_millis(500);
const GOOD_WEATHER: Duration = Duration::from_millis(300);

/// How many orders there are to pay out and to cancel in a run, and in how many runs.
const STOCK_OF_A_RUN: usize = 40;
const STOCKED_RUNS: usize = 4;

/// What a disk's failure is cut into.
const CUTS_OF_A_FAILURE: usize = 10;

/// How many flushes one decision of one cashier costs, at the most of most.
const FLUSHES_OF_A_DECISION: usize = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "slow, and needs root, a loop device, FUSE, qemu-storage-daemon, e2fsprogs and xfsprogs"]
async fn nothing_acknowledged_is_lost_in_a_cut_at_any_write() {
    let cuts = cuts().div_ceil(FileSystem::ALL.len());
    let mut broken = Vec::new();
    for file_system in FileSystem::ALL {
        let mut town = Town::new(file_system, 20_261_123).await;
        for run in 0..RUNS {
            town.sell(run).unwrap();
        }
        let audit = town.cut(cuts);
        println!("{file_system:?}: {audit}");
        broken.extend(audit.broken);
        assert!(
            audit.checked > 0 && audit.completed > 0,
            "there was nothing to lose"
        );
    }
    assert!(broken.is_empty(), "{}", some_of(&broken));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "slow, and needs root, a loop device, FUSE, qemu-storage-daemon, e2fsprogs and xfsprogs"]
async fn nothing_acknowledged_is_lost_when_the_disk_fails() {
    let mut broken = Vec::new();
    for file_system in FileSystem::ALL {
        for (what, once) in [
            ("flush", true),
            ("flush", false),
            ("write", true),
            ("write", false),
        ] {
            let failing = Failing { what, once };
            let audit = fail_under_load(file_system, failing).await;
            println!("{file_system:?}, {failing:?}: {audit}");
            let audit = audit.broken.into_iter();
            broken.extend(audit.map(|broken| format!("{file_system:?}, {failing:?}: {broken}")));
        }
    }
    assert!(broken.is_empty(), "{}", some_of(&broken));
}

async fn fail_under_load(file_system: FileSystem, failing: Failing) -> Audit {
    let mut town = Town::new(file_system, 4_711).await;
    town.sell(0).unwrap();
    town.suffer(failing);
    town.disk.repair();
    if let Err(not_opened) = town.sell(1) {
        town.broken.push(not_opened);
    }
    let mut audit = town.cut(CUTS_OF_A_FAILURE);
    if !failing.once && audit.refused == 0 {
        audit.broken.push("nothing failed".to_owned());
    }
    audit
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "slow, and needs root, a loop device, FUSE, qemu-storage-daemon, e2fsprogs and xfsprogs"]
async fn a_decision_costs_few_flushes() {
    for file_system in FileSystem::ALL {
        let mut town = Town::new(file_system, 1).await;
        let mut till = town.start("count");
        till.says(DONE).unwrap();
        town.hear(till.killed());
        town.disk.stop();
        let log = Log::read(&town.disk.log());
        let lengths = town.acknowledged.iter().map(|told| told.entries);
        let lengths: Vec<usize> = lengths.collect();
        let between = lengths.windows(2).map(|pair| pair[0]..pair[1]);
        let mut flushes: Vec<usize> = between.map(|part| log.flushes(part)).collect();
        flushes.sort_unstable();
        let (least, most) = (flushes[0], flushes[COUNTED - 2]);
        let median = flushes[COUNTED / 2];
        println!("{file_system:?}: {least} to {most} flushes a decision, mostly {median}");
        assert!((1..=FLUSHES_OF_A_DECISION).contains(&median));
    }
}

/// Not a test: the till's process, which the tests above start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child process of the other tests"]
async fn till_process() {
    blocklog_till::play().await;
}

fn cuts() -> usize {
    std::env::var(CUTS).map_or(20, |cuts| cuts.parse().unwrap())
}

fn some_of(broken: &[String]) -> String {
    format!(
        "{}\n{} in all",
        broken[..broken.len().min(10)].join("\n"),
        broken.len()
    )
}

/// An upstream, a disk, and what the tills on it said.
struct Town {
    upstream: Simulator,
    disk: LoggedDisk,
    random: fastrand::Rng,
    seed: u64,
    acknowledged: Vec<Told>,
    /// What the upstream heard, with the length of the log when the message was over.
    heard: Arc<Mutex<Vec<Told>>>,
    /// The requests that the upstream took an advice on, with the length of the log when it began to
    /// take any, and the advices.
    settled: HashMap<String, (usize, Vec<String>)>,
    /// The lengths of the log when a till began to open, or the disk began to fail.
    turns: Vec<usize>,
    /// The lengths of the log when a completion was begun, by the request: from then on nothing of the
    /// request needs to be listed.
    completing: HashMap<String, usize>,
    /// References of orders that nobody has asked about.
    stock: Vec<String>,
    /// How many decisions got no Ok.
    refused: usize,
    broken: Vec<String>,
}

impl Town {
    async fn new(file_system: FileSystem, seed: u64) -> Town {
        let disk = LoggedDisk::new(file_system);
        let heard = Arc::new(Mutex::new(Vec::new()));
        let upstream = Simulator::builder()
            .seed(seed)
            .observe(write_down(disk.log(), Arc::clone(&heard)));
        let upstream = upstream.start().await.unwrap();
        let stock = lane::stock(&upstream, STOCKED_RUNS * STOCK_OF_A_RUN).await;
        // Those are in no queue on this disk.
        heard.lock().unwrap().clear();
        let town = Town {
            upstream,
            completing: HashMap::new(),
            stock,
            disk,
            random: fastrand::Rng::with_seed(seed),
            seed,
            acknowledged: Vec::new(),
            heard,
            settled: HashMap::new(),
            turns: Vec::new(),
            refused: 0,
            broken: Vec::new(),
        };
        take_no_advice(&town.upstream);
        town
    }

    fn start(&mut self, part: &str) -> TillProcess {
        self.turns.push(self.log_length());
        self.seed += 1;
        let mut place = self.place(self.disk.queue());
        let rest = self.stock.len().saturating_sub(STOCK_OF_A_RUN);
        place.stock = self.stock.split_off(rest);
        TillProcess::start(part, &place, self.seed)
    }

    fn place(&self, queue: PathBuf) -> Place {
        Place {
            url: self.upstream.base_url(),
            queue,
            log: self.disk.log(),
            stock: Vec::new(),
        }
    }

    fn log_length(&self) -> usize {
        usize::try_from(entries(&self.disk.log()).unwrap()).unwrap()
    }

    /// Lets a till sell, without an upstream that takes advices and then with one, and kills it.
    fn sell(&mut self, run: u64) -> Result<(), String> {
        take_no_advice(&self.upstream);
        let mut till = self.start("sell");
        till.says(OPENED)
            .map_err(|why| format!("run {run} did not open: {why}"))?;
        thread::sleep(BAD_WEATHER);
        let since = self.log_length();
        take_most_advices(&self.upstream);
        thread::sleep(GOOD_WEATHER);
        self.hear(till.killed());
        self.note_settled(since);
        Ok(())
    }

    /// Lets the disk fail while a till sells, and kills the till.
    fn suffer(&mut self, failing: Failing) {
        take_no_advice(&self.upstream);
        let mut till = self.start("sell");
        till.says(OPENED).unwrap();
        // Whoever has nothing to decide on cannot say that a decision failed.
        till.begins(CONFIRMED).unwrap();
        thread::sleep(Duration::from_millis(self.random.u64(100..300)));
        self.turns.push(self.log_length());
        self.disk.fail(failing);
        // A disk that fails for good is noticed, however slow the machine is.
        if !failing.once {
            till.begins(FAILED).unwrap();
        }
        thread::sleep(BAD_WEATHER);
        self.hear(till.killed());
    }

    fn hear(&mut self, heard: Vec<String>) {
        for line in heard {
            if line.starts_with(FAILED) {
                self.refused += 1;
            } else if line.starts_with(OPPOSITE) {
                self.broken.push(line);
            } else if let Some(told) = Told::by(&line) {
                self.note(told);
            }
        }
    }

    fn note(&mut self, told: Told) {
        if told.decision == Decision::Completing {
            self.completing.insert(told.request_id, told.entries);
        } else {
            self.acknowledged.push(told);
        }
    }

    fn note_settled(&mut self, since: usize) {
        for order in self.upstream.book().orders() {
            self.note_taken(
                since,
                order.request_id(),
                [order.confirmations(), order.reversals()],
            );
            for leg in order.redemptions().iter().chain(order.cancellations()) {
                self.note_taken(
                    since,
                    leg.request_id(),
                    [leg.confirmations(), leg.reversals()],
                );
            }
        }
    }

    fn note_taken(&mut self, since: usize, request_id: &str, advices: [&[String]; 2]) {
        let taken = advices.concat();
        if !taken.is_empty() {
            let settled = self.settled.entry(request_id.to_owned());
            settled.or_insert((since, taken));
        }
    }

    fn completed(&self) -> usize {
        let told = self.acknowledged.iter();
        told.filter(|told| told.decision == Decision::Completed)
            .count()
    }

    fn payouts_and_cancellations(&self) -> usize {
        let book = self.upstream.book();
        let of_order = |order: &Order| order.redemptions().len() + order.cancellations().len();
        book.orders().map(of_order).sum()
    }

    /// Cuts the power at so many points of the log, and looks what is left each time.
    fn cut(&mut self, cuts: usize) -> Audit {
        self.disk.stop();
        let log = Log::read(&self.disk.log());
        let mut heard = std::mem::take(&mut *self.heard.lock().unwrap());
        let mut audit = Audit::new(self, heard.len(), &log);
        self.acknowledged.append(&mut heard);
        let mut replay = Replay::new(&log, self.disk.base(), self.seed);
        for (cut, position) in self.positions(&log, cuts).into_iter().enumerate() {
            audit.volatile += replay.cut(position, &self.disk.path("image"));
            audit.cuts += 1;
            match self.look_at_cut(cut, &mut audit.longest_open) {
                Ok(found) => audit.check(self, position, &found),
                Err(why) => audit.unopened(position, &why),
            }
        }
        audit
    }

    /// Where to cut: the end, right behind an Ok, behind a turn, before a flush, anywhere. In order.
    fn positions(&mut self, log: &Log, cuts: usize) -> Vec<usize> {
        let mut positions = vec![log.len()];
        for turn in &self.turns {
            let lengths = first_behind(*turn, &self.acknowledged);
            positions.extend(lengths.first().and_then(|length| log.next_flush(*length)));
            positions.extend(lengths);
        }
        let random = &mut self.random;
        while positions.len() < cuts {
            let position = match random.u32(0..10) {
                0..4 => random.choice(&self.acknowledged).map(|told| told.entries),
                4..6 => log.next_flush(random.usize(0..log.len())),
                6..8 => random
                    .choice(&self.turns)
                    .map(|turn| turn + random.usize(0..200)),
                _ => Some(random.usize(0..=log.len())),
            };
            positions.extend(position.filter(|position| *position <= log.len()));
        }
        positions.sort_unstable();
        positions
    }

    /// Mounts an image, opens the queue on it, and returns what is found there or arrives.
    fn look_at_cut(&mut self, cut: usize, longest: &mut Duration) -> Result<Found, String> {
        let mounted = self.disk.mount_cut(&self.disk.path("image"));
        let is_delivered = cut % DELIVERED == DELIVERED - 1;
        let place = self.place(mounted.queue());
        let found = if is_delivered {
            self.deliver(&place)
        } else {
            self.list(&place, longest)
        };
        mounted.unmount();
        found
    }

    fn list(&self, place: &Place, longest: &mut Duration) -> Result<Found, String> {
        take_no_advice(&self.upstream);
        let mut till = TillProcess::start("list", place, 0);
        till.says(OPENING)?;
        let opening = Instant::now();
        till.says(OPENED)?;
        *longest = opening.elapsed().max(*longest);
        till.says(DONE)?;
        let heard = till.killed();
        if let Some(damaged) = heard.iter().find(|line| line.starts_with(DAMAGED)) {
            return Err(damaged.clone());
        }
        Ok(Found::in_the_queue(
            heard.iter().filter_map(|line| Told::by(line)),
        ))
    }

    fn deliver(&self, place: &Place) -> Result<Found, String> {
        self.upstream.clear_faults();
        let before = self.upstream.book().messages().count();
        let mut till = TillProcess::start("deliver", place, 0);
        till.says(DONE)?;
        let heard = till.killed();
        let mut found = Found::in_the_queue(heard.iter().filter_map(|line| Told::by(line)));
        found.add_arrived(&self.upstream.book(), before);
        Ok(found)
    }
}

/// Requests are approved; advices get no answer.
fn take_no_advice(upstream: &Simulator) {
    upstream.clear_faults();
    for advice in advices() {
        upstream.inject(Rule::on(advice).always().fault(Fault::Hang));
    }
}

fn advices() -> impl Iterator<Item = Operation> {
    let is_advice = |operation: &Operation| operation.is_confirmation() || operation.is_reversal();
    Operation::ALL.iter().copied().filter(is_advice)
}

fn take_most_advices(upstream: &Simulator) {
    upstream.clear_faults();
    for advice in advices() {
        let unseen = Rule::on(advice).probability(0.2);
        upstream.inject(unseen.fault(Fault::Hang));
    }
}

/// The first lengths at which something was told behind a turn: where an Ok would be worth least.
fn first_behind(turn: usize, told: &[Told]) -> Vec<usize> {
    let lengths = told.iter().map(|told| told.entries);
    let mut lengths: Vec<usize> = lengths.filter(|length| *length > turn).collect();
    lengths.sort_unstable();
    lengths.dedup();
    lengths.truncate(2);
    lengths
}

/// Writes down each message with the length of the log at its end: what was on the disk when its
/// first byte left lies before that.
fn write_down(log: PathBuf, heard: Arc<Mutex<Vec<Told>>>) -> impl Fn(&Message) {
    move |message| {
        // The last messages may be over when the disk is gone.
        if let Ok(length) = entries(&log) {
            let length = usize::try_from(length).unwrap();
            heard.lock().unwrap().extend(told_by(message, length));
        }
    }
}

fn told_by(message: &Message, entries: usize) -> Option<Told> {
    // What was declined is final, and in no list: an order that is being paid out is not cancelled.
    let is_declined = message.processed() > 0 && message.accepted() == 0;
    let decision = match message.operation() {
        operation if operation.is_confirmation() => Decision::Confirmed,
        operation if operation.is_reversal() => Decision::Reversed,
        operation if operation.reversed_by().is_some() && !is_declined => Decision::Known,
        _ => return None,
    };
    Some(Told {
        decision,
        request_id: message.request_id()?.to_owned(),
        advice_id: message.advice_id().unwrap_or_default().to_owned(),
        entries,
    })
}

/// What is left after a cut: the decisions by their requests.
#[derive(Default)]
struct Found(HashMap<String, HashSet<(Decision, String)>>);

impl Found {
    fn in_the_queue(told: impl Iterator<Item = Told>) -> Found {
        let mut found = Found::default();
        for told in told {
            found.add(told.request_id, told.decision, told.advice_id);
        }
        found
    }

    fn add_arrived(&mut self, book: &Book, before: usize) {
        for told in book
            .messages()
            .skip(before)
            .filter_map(|message| told_by(message, 0))
        {
            if told.decision != Decision::Known {
                self.add(told.request_id, told.decision, told.advice_id);
            }
        }
    }

    fn add(&mut self, request_id: String, decision: Decision, advice_id: String) {
        let decisions = self.0.entry(request_id).or_default();
        decisions.insert((decision, advice_id));
    }

    /// The decisions on a request: one, unless something is wrong.
    fn on(&self, request_id: &str) -> Vec<&(Decision, String)> {
        self.0.get(request_id).into_iter().flatten().collect()
    }
}
