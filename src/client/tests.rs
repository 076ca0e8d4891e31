//! A client on a store that fails when it is told to, and an upstream that approves everything.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::*;
use crate::api::{Answer, BodyEnd, Call, Credentials, Exchange, InDoubt};
use crate::model::{
    CreateOrderRequest, CreateOrderResponse, Institution, Merchant, MerchantName, Operation,
    Originator, PersonalDetails, Timestamp,
};
use crate::saf::clock::Clock;
use crate::saf::{Conflict, Finding, Standing};
use crate::store::{Batch, Entry, MemoryStore, Store, StoreError, Vault};

/// Long enough for every machine; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

const ORDER: Ordering = Ordering::SeqCst;

/// How a commit fails.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Failure {
    /// Nothing is written, and the next commit may succeed.
    Full,
    /// Nobody knows what is durable: this says what is.
    Failed { applies: bool },
}

/// A store in memory whose commits fail once as many have succeeded as it was told.
#[derive(Default)]
struct FragileStore {
    entries: MemoryStore,
    failure: Mutex<Option<(usize, Failure)>>,
    has_failed: AtomicBool,
    /// Tells of each commit that found no room.
    refused: Notify,
}

impl FragileStore {
    fn fail_after(&self, commits: usize, failure: Failure) {
        *self.failure.lock().unwrap() = Some((commits, failure));
    }

    /// As a new process finds it.
    fn recover(&self) {
        *self.failure.lock().unwrap() = None;
        self.has_failed.store(false, ORDER);
    }
}

impl Store for FragileStore {
    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        let path = std::path::PathBuf::from("/queue");
        if self.has_failed.load(ORDER) {
            return Err(StoreError::Failed { path });
        }
        let mut failure = self.failure.lock().unwrap();
        match &mut *failure {
            None => self.entries.commit(batch),
            Some((0, Failure::Full)) => {
                self.refused.notify_one();
                Err(StoreError::Full { path })
            }
            Some((0, Failure::Failed { applies })) => {
                self.has_failed.store(true, ORDER);
                if *applies {
                    self.entries.commit(batch)?;
                }
                Err(StoreError::Failed { path })
            }
            Some((left, _)) => {
                *left -= 1;
                self.entries.commit(batch)
            }
        }
    }

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.entries.read(key)
    }

    fn page(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.entries.page(prefix, after, limit)
    }

    fn last(&self, prefix: &[u8]) -> Result<Option<Entry>, StoreError> {
        self.entries.last(prefix)
    }

    fn vault(&self) -> &dyn Vault {
        self.entries.vault()
    }
}

/// A clock that is set by whoever likes to.
#[derive(Default)]
struct WallClock {
    millis: AtomicI64,
}

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.millis.load(ORDER)).unwrap()
    }
}

/// Approves every request and takes every advice, and writes down what came in.
#[derive(Default)]
struct Upstream {
    seen: Mutex<Vec<(Operation, Value)>>,
    /// Requests wait here until told, where there is somebody to tell them.
    gate: Option<Notify>,
    arrived: Notify,
    /// How many advices it still answers with a 500.
    troubles: AtomicUsize,
}

impl Upstream {
    fn bodies(&self, operation: Operation) -> Vec<Value> {
        let seen = self.seen.lock().unwrap();
        let wanted = seen.iter().filter(|(seen, _)| *seen == operation);
        wanted.map(|(_, body)| body.clone()).collect()
    }
}

impl Transport for Upstream {
    fn replace_credentials(&self, _: Credentials) -> bool {
        true
    }

    fn exchange(&self, call: Call) -> Exchange<'_> {
        let body: Value = serde_json::from_slice(&call.body.unwrap_or_default()).unwrap();
        self.seen
            .lock()
            .unwrap()
            .push((call.operation, body.clone()));
        Box::pin(async move {
            self.arrived.notify_one();
            let less = |left: usize| left.checked_sub(1);
            let is_advice = call.operation != Operation::CreateOrder;
            if is_advice && self.troubles.fetch_update(ORDER, ORDER, less).is_ok() {
                return Ok(answer(500, json!({})));
            }
            if is_advice {
                return Ok(answer(202, json!({ "id": body["id"] })));
            }
            if let Some(gate) = &self.gate {
                gate.notified().await;
            }
            let mut approval = body;
            approval["orderRedeemRef"] = json!("12345678901234567890");
            Ok(answer(201, approval))
        })
    }
}

fn answer(status: u16, body: Value) -> Answer {
    Answer {
        status,
        content_type: Some("application/json".to_owned()),
        retry_after: None,
        body: Bytes::from(body.to_string()),
        body_end: BodyEnd::Complete,
    }
}

/// A client with what it stands on.
struct Shop {
    store: Arc<FragileStore>,
    upstream: Arc<Upstream>,
    clock: Arc<WallClock>,
    till: Client,
}

impl Shop {
    async fn open() -> Shop {
        Shop::on(Arc::default(), Upstream::default()).await
    }

    async fn on(store: Arc<FragileStore>, upstream: Upstream) -> Shop {
        Shop::of(store, upstream, Vec::new()).await
    }

    /// One that was told what was out of order.
    async fn of(store: Arc<FragileStore>, upstream: Upstream, findings: Vec<Finding>) -> Shop {
        let (upstream, clock) = (Arc::new(upstream), Arc::<WallClock>::default());
        let transport = Arc::clone(&upstream);
        let till = client(Arc::clone(&store), transport, Arc::clone(&clock), findings);
        Shop {
            till: till.await,
            store,
            upstream,
            clock,
        }
    }

    /// The next process, on a store that works again.
    async fn reopened(self) -> Shop {
        self.reopened_after(Vec::new()).await
    }

    /// The next process, told what was out of order.
    async fn reopened_after(self, findings: Vec<Finding>) -> Shop {
        self.till.shutdown(PATIENCE).await;
        self.store.recover();
        Shop::of(self.store, Upstream::default(), findings).await
    }

    async fn approved(&self) -> Approved<CreateOrderResponse> {
        let outcome = self.till.create_order(order()).await.unwrap();
        outcome.approved().unwrap()
    }

    async fn drained(&self) {
        self.till.advices().wait_empty(PATIENCE).await.unwrap();
    }

    /// Waits for so many commits that find no room.
    async fn refused(&self, times: usize) {
        for _ in 0..times {
            timeout(PATIENCE, self.store.refused.notified())
                .await
                .unwrap();
        }
    }

    async fn becomes(&self, id: RequestId, standing: Standing) {
        let becomes = async {
            while self.standing(id) != standing {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(PATIENCE, becomes).await.unwrap();
    }

    fn standing(&self, id: RequestId) -> Standing {
        self.till.transaction(id).unwrap().unwrap().standing
    }
}

async fn client(
    store: Arc<FragileStore>,
    upstream: Arc<Upstream>,
    clock: Arc<WallClock>,
    findings: Vec<Finding>,
) -> Client {
    let (short, long) = (Duration::from_millis(5), Duration::from_millis(20));
    let policy = RetryPolicy::default().pauses(short, long);
    let schedule = Arc::new(Schedule::default());
    let (worker_orders, orders) = watch::channel(WorkerOrder::Work);
    let (ended, worker_ended) = watch::channel(false);
    let mut core = Core {
        ledger: Arc::new(Ledger::start(store, Arc::clone(&schedule)).unwrap()),
        schedule,
        transport: upstream,
        clock,
        defaults: defaults(),
        policy,
        binding: Binding::new("https://host/v2", "1234567", None),
        link: Arc::new(Link::new(policy)),
        control: Arc::default(),
        answers: Arc::new(InDoubt),
        fail_fast: false,
        limits: Limits::default(),
        expiry: Expiry::new(None),
        report: RecoveryReport {
            findings,
            ..RecoveryReport::default()
        },
        runtime: Handle::current(),
        worker_orders,
        worker_ended,
        exchanges: watch::Sender::new(0),
    };
    core.begin().await.unwrap();
    core.start_worker(PATIENCE, orders, ended);
    Client {
        core: Arc::new(core),
        timeout: PATIENCE,
        deadline: PATIENCE,
        till_reference: TillReference::default(),
        insistence: Insistence::Wait,
    }
}

pub(super) fn defaults() -> Defaults {
    let name = MerchantName::builder()
        .name("Corner Shop")
        .city("Cape Town")
        .region("WC")
        .country("ZA")
        .build();
    let merchant = Merchant::builder()
        .merchant_type("5411")
        .merchant_id("100000000012345")
        .merchant_name(name)
        .build();
    let originator = Originator::builder()
        .institution(Institution::new("588892", "Retailer"))
        .terminal_id("TILL0007")
        .merchant(merchant)
        .build();
    Defaults {
        originator: Some(originator),
        client: Some(Institution::new("1234567", "Retailer")),
        receiver: Some(Institution::new("627821", "Provider")),
        settlement_entity: Some(Institution::new("777000", "Settler")),
    }
}

pub(super) fn order() -> CreateOrderRequest {
    let sender = PersonalDetails::builder()
        .first_name("Thandi")
        .last_name("Nkosi")
        .id_number("8001015009087")
        .contact_number("+27821234567")
        .build();
    CreateOrderRequest::builder()
        .amount(Money::zar(79_995))
        .new_customer(true)
        .sender_details(sender)
        .build()
}

mod approvals;
mod decisions;
mod doubts;
mod jumps;
