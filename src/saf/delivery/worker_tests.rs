//! The worker against an upstream of this file, on a clock that moves only when nobody works.

mod backlog;
mod breaker;
mod held;
mod order;
mod stopping;
mod store;
mod waking;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::{future::Future, pin::Pin};

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use super::*;
use crate::api::{Answer, BodyEnd, Credentials, Exchange, InDoubt, NoAnswer};
use crate::model::{RequestId, ReversalReason, Timestamp};
use crate::saf::ledger::Insistence;
use crate::saf::retry_policy::RETRY_AFTER_LIMIT;
use crate::saf::sample::{approved, approved_anew, draft, not_sent, sent};
use crate::saf::{Discipline, Settlement, State};
use crate::store::{Batch, Entry, MemoryStore, Store, StoreError};

const SECOND: Duration = Duration::from_secs(1);
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What the upstream does with a call.
enum Reply {
    Answer(Answer),
    /// Answers when told, with a 202.
    WhenTold(Arc<Notify>),
    AfterSecond,
    /// Takes no connection.
    Closed,
    /// Takes the message, and says nothing for a minute.
    Silent,
    Never,
    Panic,
}

/// A call as the upstream sees it.
#[derive(Debug)]
struct Seen {
    at: Instant,
    operation: Operation,
    body: Option<Bytes>,
}

type Script = Box<dyn Fn(usize, &Call) -> Reply + Send + Sync>;

/// An upstream that does what its script says for each call, counted from 0.
struct Upstream {
    script: Script,
    calls: AtomicUsize,
    seen: mpsc::UnboundedSender<Seen>,
    in_flight: Arc<AtomicUsize>,
    most_in_flight: AtomicUsize,
}

/// Counts a call as in flight for as long as its future lives.
struct InFlight(Arc<AtomicUsize>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Transport for Upstream {
    fn replace_credentials(&self, _: Credentials) -> bool {
        true
    }

    fn exchange(&self, call: Call) -> Exchange<'_> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        let count = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_in_flight.fetch_max(count, Ordering::SeqCst);
        let in_flight = InFlight(Arc::clone(&self.in_flight));
        let reply = (self.script)(number, &call);
        let _ = self.seen.send(Seen {
            at: Instant::now(),
            operation: call.operation,
            body: call.body,
        });
        Box::pin(async move {
            let _in_flight = in_flight;
            reply.come_true().await
        })
    }
}

impl Reply {
    async fn come_true(self) -> Result<Answer, NoAnswer> {
        match self {
            Reply::Answer(answer) => return Ok(answer),
            Reply::WhenTold(told) => told.notified().await,
            Reply::AfterSecond => tokio::time::sleep(SECOND).await,
            Reply::Closed => return Err(NoAnswer::NotSent(not_sent())),
            Reply::Silent => {
                tokio::time::sleep(60 * SECOND).await;
                return Err(NoAnswer::timed_out());
            }
            Reply::Never => std::future::pending().await,
            // As a panic, but without a word on the terminal.
            Reply::Panic => std::panic::resume_unwind(Box::new("the transport panicked")),
        }
        Ok(answer(202, ""))
    }
}

fn answer(status: u16, body: &str) -> Answer {
    Answer {
        status,
        content_type: None,
        retry_after: None,
        body: Bytes::from(body.to_owned()),
        body_end: BodyEnd::Complete,
    }
}

fn accept() -> Reply {
    Reply::Answer(answer(202, ""))
}

fn doubt() -> Reply {
    Reply::Answer(answer(500, ""))
}

fn refuse(error_type: &str, id: &str) -> Reply {
    let body = format!(r#"{{"errorType":"{error_type}","errorMessage":"no","id":"{id}"}}"#);
    Reply::Answer(answer(400, &body))
}

/// The id of the advice that `call` carries.
fn id_of(call: &Call) -> String {
    let body = call.body.as_ref().unwrap();
    let advice: serde_json::Value = serde_json::from_slice(body).unwrap();
    advice["id"].as_str().unwrap().to_owned()
}

struct Epoch;

impl Clock for Epoch {
    fn now(&self) -> Timestamp {
        Timestamp::unix_epoch()
    }
}

/// A store whose reads and commits fail when told to.
#[derive(Default)]
struct MoodyStore {
    entries: MemoryStore,
    reads_fail: AtomicBool,
    failed_reads: AtomicUsize,
    /// The disk does not give out what is kept of these.
    unreadable: std::sync::Mutex<Vec<RequestId>>,
    commits_fail: AtomicBool,
    /// While somebody holds it, commits take their time.
    disk: std::sync::Mutex<()>,
    /// What room there is is kept for decisions.
    is_tight: AtomicBool,
    /// A page ends before it is full.
    has_short_pages: AtomicBool,
    /// The receipts are asked for here, where there are none.
    receipts_are_lost: AtomicBool,
    no_receipts: MemoryStore,
}

fn fail_if(flag: &AtomicBool) -> Result<(), StoreError> {
    match flag.load(Ordering::SeqCst) {
        true => Err(StoreError::Failed {
            path: "/queue".into(),
        }),
        false => Ok(()),
    }
}

impl Store for MoodyStore {
    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        fail_if(&self.commits_fail)?;
        let _disk = self.disk.lock().unwrap();
        self.entries.commit(batch)
    }

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let unreadable = self.unreadable.lock().unwrap();
        let is_unreadable = unreadable
            .iter()
            .any(|id| key.ends_with(id.as_uuid().as_bytes()));
        let fails = AtomicBool::new(is_unreadable || self.reads_fail.load(Ordering::SeqCst));
        fail_if(&fails).inspect_err(|_| {
            self.failed_reads.fetch_add(1, Ordering::SeqCst);
        })?;
        self.entries.read(key)
    }

    fn page(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let is_short = self.has_short_pages.load(Ordering::SeqCst);
        let limit = if is_short { limit.div_ceil(2) } else { limit };
        self.entries.page(prefix, after, limit)
    }

    fn last(&self, prefix: &[u8]) -> Result<Option<Entry>, StoreError> {
        self.entries.last(prefix)
    }

    fn vault(&self) -> &dyn crate::store::Vault {
        match self.receipts_are_lost.load(Ordering::SeqCst) {
            true => self.no_receipts.vault(),
            false => self.entries.vault(),
        }
    }

    fn check_room(&self) -> Result<(), StoreError> {
        fail_if(&self.is_tight)
    }
}

/// Counts how often a future is woken.
struct Counted<F> {
    inner: Pin<Box<F>>,
    polls: Arc<AtomicUsize>,
}

impl<F: Future> Future for Counted<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.polls.fetch_add(1, Ordering::SeqCst);
        self.inner.as_mut().poll(context)
    }
}

/// A worker with all that it works on.
struct Shop {
    store: Arc<MoodyStore>,
    ledger: Arc<Ledger>,
    schedule: Arc<Schedule>,
    upstream: Arc<Upstream>,
    seen: mpsc::UnboundedReceiver<Seen>,
    policy: RetryPolicy,
    link: Arc<Link>,
    control: Arc<Control>,
    polls: Arc<AtomicUsize>,
}

impl Shop {
    fn new(script: impl Fn(usize, &Call) -> Reply + Send + Sync + 'static) -> Shop {
        Shop::with_store(Arc::default(), script)
    }

    fn with_store(
        store: Arc<MoodyStore>,
        script: impl Fn(usize, &Call) -> Reply + Send + Sync + 'static,
    ) -> Shop {
        Shop::with(store, Discipline::OldestFirst, script)
    }

    fn with(
        store: Arc<MoodyStore>,
        discipline: Discipline,
        script: impl Fn(usize, &Call) -> Reply + Send + Sync + 'static,
    ) -> Shop {
        let schedule = Arc::new(Schedule::new(discipline));
        let shared = Arc::clone(&store) as Arc<dyn Store>;
        let ledger = Ledger::start(shared, Arc::clone(&schedule)).unwrap();
        let (sender, seen) = mpsc::unbounded_channel();
        // As fast as it goes: how fast it may go is another test's business.
        let policy = RetryPolicy::default().jitter(0.0).rate(f64::INFINITY);
        let upstream = Upstream {
            script: Box::new(script),
            calls: AtomicUsize::new(0),
            seen: sender,
            in_flight: Arc::default(),
            most_in_flight: AtomicUsize::new(0),
        };
        Shop {
            store,
            ledger: Arc::new(ledger),
            schedule,
            upstream: Arc::new(upstream),
            seen,
            policy,
            link: Arc::new(Link::new(policy)),
            control: Arc::default(),
            polls: Arc::default(),
        }
    }

    fn policy(mut self, change: impl FnOnce(RetryPolicy) -> RetryPolicy) -> Shop {
        self.policy = change(self.policy);
        self.link = Arc::new(Link::new(self.policy));
        self
    }

    /// Starts the worker.
    fn open(&self) -> (watch::Sender<Order>, JoinHandle<()>) {
        let (orders, receiver) = watch::channel(Order::Work);
        (orders, self.work_on(receiver))
    }

    fn work_on(&self, orders: watch::Receiver<Order>) -> JoinHandle<()> {
        let delivery = Delivery {
            ledger: Arc::clone(&self.ledger),
            schedule: Arc::clone(&self.schedule),
            link: Arc::clone(&self.link),
            control: Arc::clone(&self.control),
            answers: Arc::new(InDoubt),
            transport: Arc::clone(&self.upstream) as Arc<dyn Transport>,
            clock: Arc::new(Epoch),
            policy: self.policy,
            timeout: Duration::from_secs(60),
        };
        tokio::spawn(Counted {
            inner: Box::pin(Arc::new(delivery).run(orders)),
            polls: Arc::clone(&self.polls),
        })
    }

    async fn begin(&self) -> RequestId {
        begin(&self.ledger).await
    }

    /// An order that was confirmed.
    async fn confirm(&self) -> RequestId {
        confirm(&self.ledger, approved_anew()).await
    }

    /// So many orders that were confirmed.
    async fn confirm_many(&self, count: usize) {
        let mut tills = JoinSet::new();
        for till in 0..64 {
            let ledger = Arc::clone(&self.ledger);
            tills.spawn(async move {
                for _ in (till..count).step_by(64) {
                    confirm(&ledger, approved_anew()).await;
                }
            });
        }
        tills.join_all().await;
    }

    /// The advice of `id`, as it is stored.
    fn advice(&self, id: RequestId) -> Advice {
        let transaction = self.ledger.transaction(id).unwrap().unwrap();
        transaction.advice().unwrap().clone()
    }

    fn settlement(&self, id: RequestId) -> Option<Settlement> {
        self.advice(id).settlement
    }

    /// The next call that reaches the upstream.
    async fn call(&mut self) -> Seen {
        self.seen.recv().await.unwrap()
    }

    fn calls(&self) -> usize {
        self.upstream.calls.load(Ordering::SeqCst)
    }

    /// Returns once `what` holds; the clock may not move meanwhile.
    async fn until(&self, what: impl Fn(&Shop) -> bool) {
        for _ in 0..10_000_000 {
            if what(self) {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("it never came to that");
    }

    /// Returns once `what` holds, however long that takes by the clock.
    async fn until_later(&self, what: impl Fn(&Shop) -> bool) {
        for _ in 0..10_000 {
            settle_down().await;
            if what(self) {
                return;
            }
            tokio::time::sleep(SECOND / 10).await;
        }
        panic!("it never came to that");
    }
}

async fn begin(ledger: &Ledger) -> RequestId {
    let transaction = sent(Operation::CreateOrder);
    let id = transaction.request_id;
    let begun = ledger.begin(transaction, Insistence::Wait).await;
    begun.unwrap();
    id
}

async fn confirm(ledger: &Ledger, approved: Event) -> RequestId {
    let id = begin(ledger).await;
    ledger.apply(id, approved).await.unwrap();
    let event = Event::Confirm(draft(), None);
    ledger.apply(id, event).await.unwrap();
    id
}

/// Lets every task do what it can do without the clock.
async fn settle_down() {
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_advice_that_nobody_answers_holds_up_no_other() {
    let shop = Shop::new(|number, _| if number == 0 { Reply::Never } else { accept() })
        .policy(|policy| policy.parallel(2));
    let stuck = shop.confirm().await;
    for _ in 0..5 {
        shop.confirm().await;
    }
    let (_orders, _worker) = shop.open();
    shop.until(|shop| shop.schedule.len() == 1).await;
    assert!(shop.settlement(stuck).is_none());
}

#[tokio::test(start_paused = true)]
async fn an_advice_whose_sending_panics_is_sent_again() {
    let mut shop = Shop::new(|number, _| if number < 2 { Reply::Panic } else { accept() })
        .policy(|policy| policy.parallel(1));
    let id = shop.confirm().await;
    let (_orders, _worker) = shop.open();
    let first = shop.call().await;
    let second = shop.call().await;
    assert_eq!(second.at - first.at, SECOND);
    assert_eq!(second.body, first.body);
    let third = shop.call().await;
    assert_eq!(third.at - second.at, 2 * SECOND);
    shop.schedule.emptied().await;
    assert_eq!(shop.settlement(id), Some(Settlement::Accepted));
}

#[tokio::test(start_paused = true)]
async fn what_may_have_arrived_before_a_panic_is_no_rejection() {
    let shop = Shop::new(|number, call| match number {
        0 => Reply::Panic,
        _ => refuse("DUPLICATE_RECORD", &id_of(call)),
    });
    let id = shop.begin().await;
    let event = Event::Unknown(draft(), ReversalReason::Timeout);
    shop.ledger.apply(id, event).await.unwrap();
    let (_orders, _worker) = shop.open();
    shop.schedule.emptied().await;
    assert_eq!(shop.settlement(id), Some(Settlement::ArrivedEarlier));
}

#[tokio::test(start_paused = true)]
async fn what_may_have_arrived_although_it_could_not_be_recorded_is_no_rejection() {
    let store = Arc::<MoodyStore>::default();
    let moody = Arc::clone(&store);
    let mut shop = Shop::with_store(store, move |number, call| match number {
        0 => {
            moody.reads_fail.store(true, Ordering::SeqCst);
            doubt()
        }
        _ => refuse("DUPLICATE_RECORD", &id_of(call)),
    });
    let id = shop.begin().await;
    let event = Event::Unknown(draft(), ReversalReason::Timeout);
    shop.ledger.apply(id, event).await.unwrap();
    let (_orders, _worker) = shop.open();
    shop.call().await;
    shop.until(|shop| shop.schedule.next_due().is_some()).await;
    shop.store.reads_fail.store(false, Ordering::SeqCst);
    shop.schedule.emptied().await;
    assert_eq!(shop.settlement(id), Some(Settlement::ArrivedEarlier));
}

/// The service's own word, about the sender and not about the advice.
const AUTHENTICATION_ERROR: &str =
    r#"{"errorType":"AUTHENTICATION_ERROR","errorMessage":"no","id":"7"}"#;

/// How long the worker waits after an answer that asks for `retry_after`.
async fn pause_after_being_asked_for(retry_after: Duration, status: u16, body: &str) -> Duration {
    let body = body.to_owned();
    let mut shop = Shop::new(move |_, _| {
        let mut busy = answer(status, &body);
        busy.retry_after = Some(retry_after);
        Reply::Answer(busy)
    })
    .policy(|policy| policy.pauses(10 * SECOND, 10 * SECOND));
    shop.confirm().await;
    let (_orders, _worker) = shop.open();
    let first = shop.call().await;
    let second = shop.call().await;
    second.at - first.at
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_asks_to_be_left_alone_is_up_to_an_hour() {
    for (asked, waited) in [(0, 10), (1, 10), (10, 10), (120, 120), (3_600, 3_600)] {
        let asked = Duration::from_secs(asked);
        for (status, body) in [(503, "<html>"), (400, AUTHENTICATION_ERROR)] {
            let paused = pause_after_being_asked_for(asked, status, body).await;
            assert_eq!(paused, Duration::from_secs(waited), "{status} {asked:?}");
        }
    }
    for endless in [2 * RETRY_AFTER_LIMIT, Duration::from_secs(u64::MAX)] {
        let paused = pause_after_being_asked_for(endless, 503, "").await;
        assert_eq!(paused, RETRY_AFTER_LIMIT);
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_with_an_endless_pause_does_not_break_the_worker() {
    let endless = RetryPolicy::default().pauses(SECOND, Duration::MAX);
    assert_eq!(endless.check(), Ok(()));
    for attempts in [1, 5, 40, u32::MAX] {
        assert!(endless.pause_after(attempts) >= SECOND / 2);
    }
    let mut shop = Shop::new(|number, _| match number {
        0 => Reply::Panic,
        _ => accept(),
    })
    .policy(|_| endless);
    shop.confirm().await;
    let (_orders, _worker) = shop.open();
    shop.call().await;
    shop.until(|shop| shop.schedule.next_due().is_some()).await;
    let other = shop.confirm().await;
    shop.until(|shop| shop.settlement(other).is_some()).await;
}

#[tokio::test(start_paused = true)]
async fn a_reversal_finds_nothing_to_reverse_only_after_twice_the_timeout_of_its_request() {
    let pause = 10 * SECOND;
    let mut shop = Shop::new(|_, call| refuse("UNABLE_TO_LOCATE_RECORD", &id_of(call)))
        .policy(|policy| policy.pauses(pause, pause));
    let mut transaction = sent(Operation::CreateOrder);
    transaction.timeout = 90 * SECOND;
    let id = transaction.request_id;
    shop.ledger
        .begin(transaction, Insistence::Wait)
        .await
        .unwrap();
    let event = Event::Unknown(draft(), ReversalReason::Timeout);
    shop.ledger.apply(id, event).await.unwrap();
    let (_orders, _worker) = shop.open();
    let first = shop.call().await;
    shop.schedule.emptied().await;
    assert_eq!(Instant::now() - first.at, 180 * SECOND);
    assert_eq!(shop.settlement(id), Some(Settlement::NothingToReverse));
    assert_eq!(shop.calls(), 19);
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_is_looked_up_and_what_the_order_says_settles_it() {
    for (status, settlement) in [
        ("UNREDEEMED", Settlement::ArrivedEarlier),
        ("CANCELLED", Settlement::Rejected),
    ] {
        let mut shop = Shop::new(move |number, call| match (number, call.operation) {
            (0, _) => doubt(),
            (_, Operation::LookupOrder) => Reply::Answer(answer(
                200,
                &format!(r#"{{"amount":{{"amount":79995,"currency":"710"}},"status":"{status}"}}"#),
            )),
            _ => refuse("DUPLICATE_RECORD", &id_of(call)),
        });
        let id = shop.confirm().await;
        let (_orders, _worker) = shop.open();
        shop.schedule.emptied().await;
        assert_eq!(shop.settlement(id), Some(settlement), "{status}");
        let mut operations = Vec::new();
        while let Ok(seen) = shop.seen.try_recv() {
            operations.push(seen.operation);
        }
        use Operation::{ConfirmPayment, LookupOrder};
        assert_eq!(operations, [ConfirmPayment, ConfirmPayment, LookupOrder]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_settled_advice_is_never_sent_again() {
    let mut shop = Shop::new(|_, call| refuse("FORMAT_ERROR", &id_of(call)));
    let id = shop.confirm().await;
    let (_orders, _worker) = shop.open();
    shop.call().await;
    shop.schedule.emptied().await;
    tokio::time::sleep(YEAR).await;
    assert_eq!(shop.calls(), 1);
    assert_eq!(shop.settlement(id), Some(Settlement::Rejected));
    let transaction = shop.ledger.transaction(id).unwrap().unwrap();
    assert!(matches!(transaction.state, State::Confirming(_)));
}
