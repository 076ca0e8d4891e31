//! A till's process: opens its queue, takes up what is there, and does its part.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use fastrand::Rng;
use money_transfer_retailer::model::{Institution, ReversalReason, Timestamp};
use money_transfer_retailer::{
    AdviceState, Client, Credentials, DecisionError, Finding, ReceiptKey, RetryPolicy, Standing,
};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::Trouble;
use super::arguments::{Orders, Part};
use super::lane::{self, Lane};
use super::payloads::{Secrets, originator, user_of};
use super::said::Said;

/// How long an answer may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);

/// The first and the longest pause between two attempts.
pub(crate) const PAUSES: (Duration, Duration) =
    (Duration::from_millis(500), Duration::from_secs(4));

/// How many advices are sent at the same time.
pub(crate) const PARALLEL: usize = 4;

/// How many may be in flight: those, and the ones whose outcomes are on their way to the disk.
pub(crate) const IN_FLIGHT: usize = PARALLEL + 64;

/// How long a queue may take to drain in good weather.
pub(crate) const DRAIN: Duration = Duration::from_secs(180);

/// For how long retired parts of the queue are kept, so that a run of minutes sees them go.
const RETENTION: Duration = Duration::from_secs(60);

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1_000;

/// About twenty years.
const FARTHEST_DAYS: i64 = 7_300;

/// How many advices the queue lists at the most.
const LIST_LIMIT: usize = 1_000;

/// How often what is being sent is counted before it is too many.
const LOOKS: usize = 5;

/// A till that is open, as its tasks share it.
pub(crate) struct Open {
    pub(crate) client: Client,
    pub(crate) secrets: Secrets,
    /// Set before the client is shut down: what fails from then on is no trouble.
    pub(crate) is_closing: AtomicBool,
}

impl Open {
    pub(crate) fn trouble(&self, what: impl std::fmt::Display) {
        if !self.is_closing.load(Ordering::SeqCst) {
            Said::Trouble(what.to_string()).say();
        }
    }
}

pub(crate) async fn run(orders: Orders) -> Result<(), Trouble> {
    let mut random = Rng::with_seed(orders.seed ^ orders.start.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let offset_millis = Arc::new(AtomicI64::new(jump(&mut random)));
    let secrets = Secrets::of(orders.seed, orders.till);
    let client = open(&orders, &secrets, Arc::clone(&offset_millis)).await?;
    Said::Opened.say();
    tell_findings(&client);
    let till = Arc::new(Open {
        client,
        secrets,
        is_closing: AtomicBool::new(false),
    });
    match orders.part {
        Part::Traffic => {
            take_up(&till, &mut random).await;
            trade(&till, &orders, random, offset_millis).await;
        }
        Part::DrainOthers => drain(&till, &mut random, 1).await,
        Part::Drain => {
            drain(&till, &mut random, 0).await;
            tell_what_is_left(&till)?;
        }
        Part::Watch => parent_is_done().await,
    }
    till.is_closing.store(true, Ordering::SeqCst);
    till.client.clone().shutdown(TIMEOUT * 2).await;
    Said::Closed.say();
    Ok(())
}

async fn open(
    orders: &Orders,
    secrets: &Secrets,
    offset_millis: Arc<AtomicI64>,
) -> Result<Client, Trouble> {
    let policy = RetryPolicy::default()
        .pauses(PAUSES.0, PAUSES.1)
        .parallel(PARALLEL);
    let mut builder = Client::builder()
        .base_url(&orders.url)
        .credentials(Credentials::new(
            user_of(orders.till),
            secrets.password.as_str(),
        ))
        .queue_dir(&orders.queue)
        .originator(originator())
        .receiver(Institution::new("627821", "Provider"))
        .settlement_entity(Institution::new("777000", "Settler"))
        .receipt_key(ReceiptKey::new([7; 32]))
        .timeout(TIMEOUT)
        .audit_retention(RETENTION)
        .retry_policy(policy)
        .wall_clock(move || now(offset_millis.load(Ordering::SeqCst)));
    // Both ways of meeting an upstream that is down.
    if orders.till % 2 == 1 {
        builder = builder.fail_fast();
    }
    Ok(builder.open().await?)
}

#[allow(
    clippy::disallowed_methods,
    reason = "the clock that jumps has to start somewhere"
)]
fn now(offset_millis: i64) -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let millis = since.unwrap_or_default().as_millis() as i64;
    Timestamp::from_unix_millis(millis + offset_millis).unwrap_or(Timestamp::unix_epoch())
}

/// Where the wall clock goes next, relative to the real one.
fn jump(random: &mut Rng) -> i64 {
    let days = random.i64(-FARTHEST_DAYS..=FARTHEST_DAYS);
    Said::Jumped(days).say();
    days * DAY_MILLIS
}

/// A killed process may leave a torn end and an old index, and nothing worse.
fn tell_findings(client: &Client) {
    let report = client.recovery();
    for finding in &report.findings {
        Said::Found(finding.to_string()).say();
        if !matches!(finding, Finding::TornEnd | Finding::IndexRebuilt { .. }) {
            Said::Trouble(format!("the recovery found: {finding}")).say();
        }
    }
    if report.damaged > 0 || report.quarantined {
        Said::Trouble(format!("the recovery reports {report:?}")).say();
    }
}

/// Decides on what an earlier process left undecided.
async fn take_up(till: &Open, random: &mut Rng) {
    let undecided = match till.client.advices().undecided() {
        Ok(undecided) => undecided,
        Err(error) => return till.trouble(error),
    };
    for one in undecided {
        let id = one.request_id;
        if one.operation == money_transfer_retailer::Operation::CancelOrder {
            lane::complete(till, id).await;
        } else if one.tender_started || random.bool() {
            lane::confirm(till, id).await;
        } else {
            lane::reverse(till, id).await;
        }
    }
}

/// Sells, pays out and cancels until the parent has had enough.
async fn trade(till: &Arc<Open>, orders: &Orders, mut random: Rng, offset_millis: Arc<AtomicI64>) {
    if let Ok(None) = till.client.transaction(orders.stuck) {
        lane::sell_for_certain(till, orders.stuck).await;
    }
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..lane::COUNT {
        let lane = Lane::new(Arc::clone(till), random.fork());
        tasks.spawn(lane.run(orders.rate));
    }
    tasks.spawn(watch(Arc::clone(till)));
    tasks.spawn(jump_about(random.fork(), offset_millis));
    tokio::select! {
        () = parent_is_done() => {}
        // No task ends by itself: one that does has panicked.
        _ = tasks.join_next() => till.trouble("a task of the till ended"),
    }
    till.is_closing.store(true, Ordering::SeqCst);
    // The lanes live on for the moment, so that the shutdown finds requests under way.
    tasks.detach_all();
}

/// The parent closes the standard input, or is gone.
async fn parent_is_done() {
    let ended = || std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    // An error is the end of the input as well.
    let _ended = tokio::task::spawn_blocking(ended).await;
}

/// Looks at the queue, and ends a suspension as an operator would.
async fn watch(till: Arc<Open>) {
    let mut pace = interval(Duration::from_secs(1));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pace.tick().await;
        sample(&till);
        let health = till.client.health();
        if let Some(error) = health.store_error {
            till.trouble(format!("the store fails: {error}"));
        }
        if health.suspension.is_some() {
            match till.client.resume().await {
                Ok(()) => Said::Resumed.say(),
                Err(error) => till.trouble(error),
            }
        }
    }
}

fn sample(till: &Open) {
    match being_sent(till) {
        Ok(in_flight) => Said::Sample {
            pending: till.client.advices().pending_count(),
            in_flight,
        }
        .say(),
        Err(error) => till.trouble(error),
    }
}

/// How many advices are being sent. While the list is read one may end and the next one begin, so what
/// seems too many is counted again.
fn being_sent(till: &Open) -> Result<usize, DecisionError> {
    let mut fewest = usize::MAX;
    for _ in 0..LOOKS {
        let listed = till.client.advices().pending()?;
        let in_flight = listed.iter().filter(|one| is_being_sent(one)).count();
        fewest = fewest.min(in_flight);
        if fewest <= IN_FLIGHT {
            break;
        }
    }
    Ok(fewest)
}

fn is_being_sent(advice: &money_transfer_retailer::AdviceRecord) -> bool {
    advice.state == AdviceState::InFlight
}

async fn jump_about(mut random: Rng, offset_millis: Arc<AtomicI64>) {
    loop {
        sleep(Duration::from_millis(random.u64(2_000..8_000))).await;
        offset_millis.store(jump(&mut random), Ordering::SeqCst);
    }
}

/// Decides on everything, and waits until no more than `but` advices are pending.
async fn drain(till: &Open, random: &mut Rng, but: usize) {
    take_up(till, random).await;
    reverse_duplicates(till).await;
    let drained = timeout(DRAIN, async {
        loop {
            if till.client.health().suspension.is_some() {
                let _tried_again_next_time = till.client.resume().await;
            }
            if till.client.advices().pending_count() <= but {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
    });
    let is_in_time = drained.await.is_ok();
    let pending = till.client.advices().pending_count();
    if !is_in_time {
        till.trouble(format!("{pending} advices did not get through"));
    }
    Said::Drained { pending }.say();
}

/// What an operator does about requests that arrived twice, where nobody took tender.
async fn reverse_duplicates(till: &Open) {
    match till.client.advices().duplicates() {
        Ok(duplicates) => {
            for one in duplicates {
                lane::reverse(till, one.request_id).await;
            }
        }
        Err(error) => till.trouble(error),
    }
}

fn tell_what_is_left(till: &Open) -> Result<(), DecisionError> {
    let advices = till.client.advices();
    let rejected = advices.rejected()?;
    for advice in &rejected {
        Said::Rejected(advice.request_id).say();
    }
    if rejected.len() >= LIST_LIMIT {
        till.trouble("more advices were rejected than are listed");
    }
    let is_open = |standing| matches!(standing, Standing::Undecided | Standing::UnderWay);
    let undecided = advices.undecided()?;
    for one in undecided.iter().filter(|one| is_open(one.standing)) {
        till.trouble(format!("request {} is still undecided", one.request_id));
    }
    for one in advices.damaged()? {
        till.trouble(format!("the record of {} is damaged", one.request_id));
    }
    Ok(())
}

/// The reason that every reversal here gives.
pub(crate) const REASON: ReversalReason = ReversalReason::Cancelled;
