//! How fast a backlog goes out, each advice durably settled, against a bare loop of HTTP requests with
//! as many in flight, to the same server in the same run.
//!
//! ```sh
//! cargo bench --bench delivery
//! cargo bench --bench delivery -- 100000
//! ```
//!
//! 1. The argument is how many advices the second backlog has; 10,000 unless given.
//! 2. The server answers every advice at once, so that the client is what is measured, and not the
//!    server.
//! 3. Only the ratio is worth comparing between machines; more is better, and 1.00 is a client that
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

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let backlog = std::env::args().find_map(|argument| argument.parse().ok());
    for backlog in [1_000, backlog.unwrap_or(10_000)] {
        let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let upstream = Simulator::start().await.unwrap();
        let confirmations = Rule::on(Operation::ConfirmPayment).always();
        upstream.inject(confirmations.fault(Fault::status(202)));
        let till = till(&upstream.base_url(), place.path()).await;
        till.pause();
        let body = fill(&till, backlog).await;
        let before = bare_loop(&upstream.base_url(), &body, backlog).await;
        let drained = drain(&till).await;
        let bare = (before + bare_loop(&upstream.base_url(), &body, backlog).await) / 2;
        println!(
            "{backlog} pending, {IN_FLIGHT} in flight: {:.0} advices/s, a bare loop {:.0}/s: {:.2} x",
            backlog as f64 / drained.as_secs_f64(),
            backlog as f64 / bare.as_secs_f64(),
            bare.as_secs_f64() / drained.as_secs_f64(),
        );
        till.shutdown(Duration::from_secs(5)).await;
    }
}

/// Confirms so many orders, and returns a body as long as that of a confirmation.
async fn fill(till: &Client, backlog: usize) -> String {
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
    "x".repeat(BODY_BYTES)
}

/// About as long as a confirmation.
const BODY_BYTES: usize = 360;

async fn drain(till: &Client) -> Duration {
    let start = Instant::now();
    till.resume().await.unwrap();
    till.advices().wait_empty(PATIENCE).await.unwrap();
    start.elapsed()
}

async fn bare_loop(base_url: &str, body: &str, count: usize) -> Duration {
    let client = reqwest::Client::builder().http1_only().build().unwrap();
    let url: Arc<str> = format!("{base_url}/orders/confirmations").into();
    let (body, left): (Arc<str>, _) = (body.into(), Arc::new(AtomicUsize::new(count)));
    let start = Instant::now();
    let mut lanes = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (client, url) = (client.clone(), Arc::clone(&url));
        let (body, left) = (Arc::clone(&body), Arc::clone(&left));
        lanes.spawn(async move {
            while take_one(&left) {
                let request = client.post(&*url).basic_auth("1234567", Some("password"));
                let request = request.header("content-type", "application/json");
                let answer = request.body(body.to_string()).send().await.unwrap();
                assert_eq!(answer.status(), 202);
                answer.bytes().await.unwrap();
            }
        });
    }
    lanes.join_all().await;
    start.elapsed()
}

fn take_one(left: &AtomicUsize) -> bool {
    let one_less = |left: usize| left.checked_sub(1);
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
        .is_ok()
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
