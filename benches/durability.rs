//! How long a decision takes to be durable, against a bare append and `fdatasync` of as many bytes
//! on the same disk in the same run.
//!
//! ```sh
//! cargo bench --bench durability
//! ```
//!
//! The upstream is down while decisions are measured, so that nothing but the queue is at work. What
//! is printed are medians and their ratio; only the ratio is worth comparing between machines.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]
#![allow(
    clippy::disallowed_methods,
    reason = "a measurement needs the real clock"
)]

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use money_transfer_retailer::model::{
    CreateOrderRequest, CreateOrderResponse, Institution, Merchant, MerchantName, Money,
    Originator, PersonalDetails,
};
use money_transfer_retailer::simulator::Simulator;
use money_transfer_retailer::{Approved, Client, Credentials, RetryPolicy};

const DECISIONS: usize = 640;

/// About as long as the record of a confirmed transaction.
const RECORD_BYTES: usize = 1_200;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let baseline = bare_append_and_sync(place.path());
    println!("bare append + fdatasync of {RECORD_BYTES} bytes: median {baseline:?}");
    for callers in [1, 64] {
        let queue = place.path().join(format!("queue-{callers}"));
        let confirm = confirmations(&queue, callers).await;
        let ratio = confirm.as_secs_f64() / baseline.as_secs_f64();
        println!("confirm(), {callers} callers: {confirm:?} each, {ratio:.2} x the bare append");
    }
}

fn bare_append_and_sync(directory: &Path) -> Duration {
    let mut file = File::create(directory.join("baseline")).unwrap();
    let record = vec![b'x'; RECORD_BYTES];
    let mut times: Vec<Duration> = (0..DECISIONS)
        .map(|_| {
            let start = Instant::now();
            file.write_all(&record).unwrap();
            file.sync_data().unwrap();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

/// For one caller the median of its decisions, for many the time per decision of all.
async fn confirmations(queue: &Path, callers: usize) -> Duration {
    let upstream = Simulator::start().await.unwrap();
    let till = till(&upstream.base_url(), queue).await;
    let mut orders = Vec::new();
    for _ in 0..DECISIONS {
        let outcome = till.create_order(order()).await.unwrap();
        orders.push(outcome.approved().expect("the simulator approves"));
    }
    upstream.go_down().await.unwrap();
    let shares = shares_of(orders, callers);
    let start = Instant::now();
    let tasks: Vec<_> = shares
        .into_iter()
        .map(|share| tokio::spawn(decide(share)))
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    let all = start.elapsed();
    times.sort();
    match callers {
        1 => times[times.len() / 2],
        _ => all / u32::try_from(DECISIONS).unwrap(),
    }
}

fn shares_of<T>(mut all: Vec<T>, count: usize) -> Vec<Vec<T>> {
    let size = all.len() / count;
    (0..count).map(|_| all.drain(..size).collect()).collect()
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
