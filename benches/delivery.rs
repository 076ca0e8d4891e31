//! How fast a backlog goes out, each advice durably settled, against a bare loop of HTTP requests with
//! as many in flight, to the same server in the same run.
//!
//! ```sh
//! cargo bench --bench delivery
//! cargo bench --bench delivery -- 100000
//! ```
//!
//! 1. The argument is how many advices the second backlog has; 10,000 unless given.
//! 2. The same bodies go to the same server: the bare loop posts what the simulator received.
//! 3. Against an upstream that takes its time, as all real ones do, what is measured is whether the
//!    places in flight are kept busy. Against one that answers at once, in the same process, it is the
//!    processor time of an advice that is read, sent, settled and made durable, over that of a
//!    request that is only sent.
//! 4. Only the ratio is worth comparing between machines; more is better, and 1.00 is a client that
//!    costs nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]
#![allow(
    clippy::disallowed_methods,
    reason = "a measurement needs the real clock"
)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use money_transfer_retailer::model::{
    CreateOrderRequest, Institution, Merchant, MerchantName, Money, Originator, PersonalDetails,
};
use money_transfer_retailer::simulator::{Fault, Operation, Rule, Simulator};
use money_transfer_retailer::{Client, Credentials, OrderOutcome, RetryPolicy};
use tokio::task::JoinSet;

/// How many advices are on their way at once.
const IN_FLIGHT: usize = 16;

/// How many sales are under way at once while the backlog grows.
const FILLERS: usize = 32;

/// Longer than any backlog of this benchmark takes.
const PATIENCE: Duration = Duration::from_secs(60 * 60);

/// How long the upstreams take to answer.
const ANSWER_TIMES: [Duration; 2] = [Duration::from_millis(10), Duration::ZERO];

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let backlog = std::env::args().find_map(|argument| argument.parse().ok());
    for answer_time in ANSWER_TIMES {
        for backlog in [1_000, backlog.unwrap_or(10_000)] {
            measure(backlog, answer_time).await;
        }
    }
}

async fn measure(backlog: usize, answer_time: Duration) {
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let upstream = Simulator::start().await.unwrap();
    let confirmations = Rule::on(Operation::ConfirmPayment).always();
    upstream.inject(confirmations.fault(match answer_time.is_zero() {
        true => Fault::status(202),
        false => Fault::SlowHeaders(answer_time),
    }));
    let till = till(&upstream.base_url(), place.path()).await;
    till.pause();
    fill(&till, backlog).await;
    let drained = drain(&till).await;
    let bodies = bodies_of(&upstream);
    assert_eq!(bodies.len(), backlog);
    let bare = bare_loop(&upstream.base_url(), bodies).await;
    println!(
        "{backlog} pending, {IN_FLIGHT} in flight, answered after {answer_time:?}: {:.0} advices/s, a bare loop \
         {:.0}/s: {:.2} x",
        backlog as f64 / drained.as_secs_f64(),
        backlog as f64 / bare.as_secs_f64(),
        bare.as_secs_f64() / drained.as_secs_f64(),
    );
    till.shutdown(Duration::from_secs(5)).await;
}

/// What the upstream received.
fn bodies_of(upstream: &Simulator) -> Vec<Bytes> {
    let book = upstream.book();
    let advices = book.messages_of(Operation::ConfirmPayment);
    let bodies = advices.map(|advice| Bytes::copy_from_slice(advice.body()));
    bodies.collect()
}

/// Confirms so many orders.
async fn fill(till: &Client, backlog: usize) {
    let mut sales = JoinSet::new();
    for _ in 0..backlog {
        let till = till.clone();
        sales.spawn(async move {
            let outcome = till.create_order(order()).await.unwrap();
            let OrderOutcome::Approved(approved) = outcome else {
                panic!("the simulator approves");
            };
            approved.confirm().await.unwrap();
        });
        if sales.len() >= FILLERS {
            sales.join_next().await.unwrap().unwrap();
        }
    }
    sales.join_all().await;
    assert_eq!(till.advices().pending_count(), backlog);
}

async fn drain(till: &Client) -> Duration {
    let start = Instant::now();
    till.resume().await.unwrap();
    till.advices().wait_empty(PATIENCE).await.unwrap();
    start.elapsed()
}

async fn bare_loop(base_url: &str, bodies: Vec<Bytes>) -> Duration {
    let client = reqwest::Client::builder().http1_only().build().unwrap();
    let url: Arc<str> = format!("{base_url}/orders/confirmations").into();
    let (bodies, next) = (Arc::new(bodies), Arc::new(AtomicUsize::new(0)));
    let start = Instant::now();
    let mut lanes = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (client, url) = (client.clone(), Arc::clone(&url));
        let (bodies, next) = (Arc::clone(&bodies), Arc::clone(&next));
        lanes.spawn(async move {
            while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                let request = client.post(&*url).basic_auth("1234567", Some("password"));
                let request = request.header("content-type", "application/json");
                let answer = request.body(body.clone()).send().await.unwrap();
                // It has them by now, and says so with a 400.
                assert!([202, 400].contains(&answer.status().as_u16()));
                answer.bytes().await.unwrap();
            }
        });
    }
    lanes.join_all().await;
    start.elapsed()
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
    Client::builder()
        .base_url(base_url)
        .credentials(Credentials::new("1234567", "password"))
        .queue_dir(queue)
        .originator(originator)
        .receiver(Institution::new("627821", "Provider"))
        .settlement_entity(Institution::new("777000", "Settler"))
        .retry_policy(
            RetryPolicy::default()
                .parallel(IN_FLIGHT)
                .rate(f64::INFINITY),
        )
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
