//! How long a decision takes to be durable, against a bare append and `fdatasync` of as many bytes
//! on the same disk in the same run.
//!
//! ```sh
//! cargo bench --bench durability
//! cargo bench --bench durability -- 100000
//! ```
//!
//! 1. The argument is how many advices are pending in the second half; 10,000 unless given.
//! 2. The upstream answers no advice while decisions are measured, so that nothing but the queue is
//!    at work.
//! 3. What is printed are medians and their ratio; only the ratio is worth comparing between
//!    machines. Decisions and bare appends of as many bytes as the journal wrote for a decision take
//!    turns, because a disk is not as fast at one moment as at the next.
//! 4. A task must not wait for a disk itself. What the same append costs a task that has a thread do
//!    it, and waits for that, is measured beside: where the disk is fast, it is most of what a
//!    decision costs beyond the bare append.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]
#![allow(
    clippy::disallowed_methods,
    reason = "a measurement needs the real clock"
)]

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use money_transfer_retailer::model::{
    CreateOrderRequest, CreateOrderResponse, Institution, Merchant, MerchantName, Money,
    Originator, PersonalDetails,
};
use money_transfer_retailer::simulator::{Fault, Operation, Rule, Simulator};
use money_transfer_retailer::{Approved, Client, Credentials, OrderOutcome, RetryPolicy};
use tokio::sync::oneshot;

/// Few enough to be remembered without the store, as is what a till has just been told.
const DECISIONS: usize = 640;

/// Decisions and bare appends take turns so often.
const ROUNDS: usize = 10;

/// How many sales are under way at once while the queue is filled.
const FILLERS: usize = 32;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let pending = std::env::args().find_map(|argument| argument.parse().ok());
    let mut shop = Shop::open(place.path()).await;
    shop.measure(1).await;
    shop.measure(64).await;
    shop.fill(pending.unwrap_or(10_000)).await;
    shop.measure(1).await;
    shop.measure(64).await;
    shop.reopen().await;
}

/// A till, its upstream, and the place of its queue.
struct Shop {
    upstream: Simulator,
    till: Client,
    place: PathBuf,
    pending: usize,
    bytes_of_a_decision: usize,
}

impl Shop {
    async fn open(place: &Path) -> Shop {
        let upstream = Simulator::start().await.unwrap();
        let confirmations = Rule::on(Operation::ConfirmPayment).always();
        upstream.inject(confirmations.fault(Fault::Hang));
        let mut shop = Shop {
            till: till(&upstream.base_url(), &place.join("queue")).await,
            upstream,
            place: place.to_owned(),
            pending: 0,
            bytes_of_a_decision: 0,
        };
        let orders = shop.approved(DECISIONS).await;
        let before = shop.used_bytes();
        confirmations_by(orders, 1).await;
        shop.pending = DECISIONS;
        let written = usize::try_from(shop.used_bytes() - before).unwrap();
        shop.bytes_of_a_decision = written / DECISIONS;
        shop
    }

    /// Measures the decisions of so many callers, and prints what they took.
    async fn measure(&mut self, callers: usize) {
        let pending = self.pending;
        let mut confirms = Vec::new();
        let mut bares = Vec::new();
        let mut threaded = Vec::new();
        for _ in 0..ROUNDS {
            let orders = self.approved(DECISIONS).await;
            self.append_bare(&mut bares);
            confirms.extend(confirmations_by(orders, callers).await);
            self.append_bare(&mut bares);
            threaded.extend(self.append_on_a_thread().await);
            self.pending += DECISIONS;
        }
        let bare = median(&mut bares);
        let times = |measured: &mut [Duration]| {
            let measured = median(measured);
            let ratio = measured.as_secs_f64() / bare.as_secs_f64();
            format!("{measured:?}, {ratio:.2} x")
        };
        println!(
            "{pending} pending, {callers} callers: bare append of {} bytes {bare:?}; confirm() {}; on a thread {}",
            self.bytes_of_a_decision,
            times(&mut confirms),
            times(&mut threaded),
        );
    }

    async fn fill(&mut self, pending: usize) {
        while self.pending < pending {
            let count = DECISIONS.min(pending - self.pending);
            confirmations_by(self.approved(count).await, FILLERS).await;
            self.pending += count;
        }
        let bytes = self.used_bytes() / self.pending as u64;
        println!("{} pending: {bytes} bytes of journal each", self.pending);
    }

    async fn approved(&self, count: usize) -> Vec<Approved<CreateOrderResponse>> {
        let mut sales = tokio::task::JoinSet::new();
        let mut orders = Vec::new();
        for _ in 0..count {
            let till = self.till.clone();
            sales.spawn(async move { till.create_order(order()).await.unwrap() });
            if sales.len() >= FILLERS {
                let outcome = sales.join_next().await.unwrap().unwrap();
                orders.extend(outcome.approved());
            }
        }
        let rest = sales.join_all().await.into_iter();
        orders.extend(rest.filter_map(OrderOutcome::approved));
        assert_eq!(orders.len(), count, "the simulator approves");
        orders
    }

    async fn reopen(self) {
        self.till.shutdown(Duration::ZERO).await;
        let start = Instant::now();
        let till = till(&self.upstream.base_url(), &self.place.join("queue")).await;
        println!(
            "{} pending: reopened in {:?}",
            self.pending,
            start.elapsed()
        );
        drop(till);
    }

    /// How much of the journal's segments is not zero any more.
    fn used_bytes(&self) -> u64 {
        let segments = fs::read_dir(self.place.join("queue/journal")).unwrap();
        let used = segments.map(|segment| {
            let bytes = fs::read(segment.unwrap().path()).unwrap();
            let last = bytes.iter().rposition(|byte| *byte != 0);
            last.map_or(0, |last| last as u64 + 1)
        });
        used.sum()
    }

    fn append_bare(&self, times: &mut Vec<Duration>) {
        let mut append = self.bare();
        for _ in 0..DECISIONS / 2 {
            let start = Instant::now();
            append();
            times.push(start.elapsed());
        }
    }

    /// The same for a task that does not wait for the disk itself.
    async fn append_on_a_thread(&self) -> Vec<Duration> {
        let (jobs, waiting) = mpsc::channel::<oneshot::Sender<()>>();
        let mut append = self.bare();
        std::thread::spawn(move || {
            for job in waiting {
                append();
                job.send(()).unwrap();
            }
        });
        let task = async move {
            let mut times = Vec::new();
            for _ in 0..DECISIONS {
                let start = Instant::now();
                let (job, done) = oneshot::channel();
                jobs.send(job).unwrap();
                done.await.unwrap();
                times.push(start.elapsed());
            }
            times
        };
        tokio::spawn(task).await.unwrap()
    }

    /// Appends to a file, and syncs it.
    fn bare(&self) -> impl FnMut() + Send + 'static {
        let mut file = File::create(self.place.join("bare")).unwrap();
        let bytes = vec![b'x'; self.bytes_of_a_decision];
        move || {
            file.write_all(&bytes).unwrap();
            file.sync_data().unwrap();
        }
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// For one caller what each decision took, for many the time per decision of all.
async fn confirmations_by(
    orders: Vec<Approved<CreateOrderResponse>>,
    callers: usize,
) -> Vec<Duration> {
    let count = u32::try_from(orders.len()).unwrap();
    let start = Instant::now();
    let tasks: Vec<_> = shares_of(orders, callers)
        .into_iter()
        .map(|share| tokio::spawn(decide(share)))
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    match callers {
        1 => times,
        _ => vec![start.elapsed() / count],
    }
}

/// All of `all`, in `count` shares that differ by one at the most.
fn shares_of<T>(all: Vec<T>, count: usize) -> Vec<Vec<T>> {
    let mut shares: Vec<Vec<T>> = (0..count).map(|_| Vec::new()).collect();
    for (index, one) in all.into_iter().enumerate() {
        shares[index % count].push(one);
    }
    shares
}

async fn decide(orders: Vec<Approved<CreateOrderResponse>>) -> Vec<Duration> {
    let mut times = Vec::new();
    for order in orders {
        let start = Instant::now();
        order.confirm().await.unwrap();
        times.push(start.elapsed());
    }
    times
}

async fn till(base_url: &str, queue: &Path) -> Client {
    let shop = MerchantName::builder()
        .name("Corner Shop")
        .city("Cape Town")
        .region("WC")
        .country("ZA")
        .build();
    let merchant = Merchant::builder()
        .merchant_type("5411")
        .merchant_id("100000000012345")
        .merchant_name(shop)
        .build();
    let originator = Originator::builder()
        .institution(Institution::new("588892", "Retailer"))
        .terminal_id("TILL0007")
        .merchant(merchant)
        .build();
    let an_hour = Duration::from_secs(60 * 60);
    Client::builder()
        .base_url(base_url)
        .credentials(Credentials::new("1234567", "password"))
        .queue_dir(queue)
        .originator(originator)
        .receiver(Institution::new("627821", "Provider"))
        .settlement_entity(Institution::new("777000", "Settler"))
        .retry_policy(RetryPolicy::default().pauses(an_hour, an_hour))
        .open()
        .await
        .unwrap()
}

fn order() -> CreateOrderRequest {
    CreateOrderRequest::builder()
        .amount(Money::zar(79_995))
        .sender_details(
            PersonalDetails::builder()
                .id_number("8001015009087")
                .build(),
        )
        .new_customer(true)
        .build()
}
