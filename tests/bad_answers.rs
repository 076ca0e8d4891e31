//! The promise: whatever comes back, the till reads it the safe way. Every kind of answer, what a request, a confirmation, a
//! reversal, a query and an update make of it, and what happens next, over real sockets.
//!
//! `cargo test --test bad_answers -- --nocapture` prints the table.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "http/door.rs"]
mod door;
#[path = "http/mod.rs"]
mod raw;
#[path = "http/rows.rs"]
mod rows;
mod support;

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use door::Door;
use money_transfer_retailer::model::{
    CreateOrderResponse, OrderStatus, ReversalReason, UpdateOrderStatusRequest,
};
use money_transfer_retailer::{
    Approved, Client, ClientBuilder, OrderOutcome, QueryError, QueuedAdvice, RequestId,
};
use raw::answers::good;
use raw::desk::{Desk, SHORT, in_time, quote_of};
use raw::server::{Connection, Received, Upstream};
use rows::{Bad, Meets, ROWS, Row};
use support::{PATIENCE, approved, impatient, order};

const LIMIT_BYTES: usize = 4_000;

/// What is sent, in the order of the columns.
const OPERATIONS: [&str; 5] = [
    "createOrder",
    "confirmPayment",
    "reversePayment",
    "getFeeQuote",
    "updateOrderStatus",
];

/// What the upstream says to the next message of one path; to everything else it says what a service in good health says.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<Option<(&'static str, &'static Row)>>>);

impl Script {
    fn next(&self, path: &'static str, row: &'static Row) {
        *self.0.lock().unwrap() = Some((path, row));
    }

    fn take(&self, request: &Received) -> Option<&'static Row> {
        let mut next = self.0.lock().unwrap();
        let for_this = next.is_some_and(|(path, _)| path == request.path());
        next.take_if(|_| for_this).map(|(_, row)| row)
    }

    async fn serve(self, mut connection: Connection) {
        while let Some(request) = connection.request().await {
            let said = match self.take(&request).map(|row| &row.meets) {
                Some(Meets::Answer(says) | Meets::Silence(says)) => says(&request),
                Some(Meets::Nobody) | None => Bad::Says(good(&request)),
            };
            match said {
                Bad::Says(answer) => connection.say(answer).await,
                Bad::SaysAndCloses(answer) => {
                    connection.say(answer).await;
                    return;
                }
                Bad::SaysAndHangs(part) => {
                    connection.say(part).await;
                    return connection.until_closed().await;
                }
            };
        }
    }
}

struct Bench {
    upstream: Upstream,
    script: Script,
    door: Door,
    patient: Desk,
    /// For answers that never come.
    hasty: Desk,
}

/// What the till decides about an approved order.
#[derive(Clone, Copy)]
enum Decision {
    Confirm,
    Reverse,
}

impl Decision {
    fn path(self) -> &'static str {
        match self {
            Decision::Confirm => "/orders/confirmations",
            Decision::Reverse => "/orders/reversals",
        }
    }
}

/// Sells an order that the till may decide on.
async fn sell(till: &Client) -> Approved<CreateOrderResponse> {
    approved(in_time(till.create_order(order())).await.unwrap())
}

async fn decide(order: Approved<CreateOrderResponse>, decision: Decision) -> QueuedAdvice {
    let queued = match decision {
        Decision::Confirm => in_time(order.confirm()).await,
        Decision::Reverse => in_time(order.reverse(ReversalReason::Cancelled)).await,
    };
    queued.unwrap()
}

impl Bench {
    async fn open() -> Bench {
        let script = Script::default();
        let upstream = Upstream::start({
            let script = script.clone();
            move |connection| script.clone().serve(connection)
        })
        .await;
        let base_url = upstream.base_url();
        let patient = Desk::open_with(&base_url, |till| {
            till.retry_policy(impatient()).body_limit(LIMIT_BYTES)
        });
        let hasty = Desk::open_with(&base_url, |till| {
            till.retry_policy(impatient()).timeout(2 * SHORT)
        });
        Bench {
            patient: patient.await,
            hasty: hasty.await,
            door: Door::to(upstream.address()),
            upstream,
            script,
        }
    }

    /// What becomes of each message in turn that meets this.
    async fn try_out(&mut self, row: &'static Row) -> [String; 5] {
        if let Meets::Nobody = row.meets {
            return self.meet_nobody().await;
        }
        [
            self.request(row).await,
            self.advice(row, Decision::Confirm).await,
            self.advice(row, Decision::Reverse).await,
            self.query(row).await,
            self.update(row).await,
        ]
    }

    fn desk(&self, row: &Row) -> &Desk {
        match row.meets {
            Meets::Silence(_) => &self.hasty,
            Meets::Answer(_) | Meets::Nobody => &self.patient,
        }
    }

    /// Sells, and tells what came of it and what was sent after it.
    async fn request(&self, row: &'static Row) -> String {
        let desk = self.desk(row);
        let request = order();
        let id = request.id;
        self.script.next("/orders", row);
        let outcome = in_time(desk.till.create_order(request)).await.unwrap();
        let undecided = is_undecided(&desk.till, id);
        desk.drained().await;
        assert_eq!(self.about("/orders", "id", id).len(), 1, "{}", row.name);
        let reversals = self.about("/orders/reversals", "requestId", id);
        assert!(reversals.len() <= 1, "{}", row.name);
        let reason = reversals
            .first()
            .map(|sent| sent.json()["reversalReason"].clone());
        match (outcome, undecided, reason) {
            (OrderOutcome::Approved(_), true, None) => "approved, waits for the till".into(),
            (OrderOutcome::Declined(_), false, None) => "declined, nothing to do".into(),
            (OrderOutcome::Unknown(unknown), false, Some(reason)) => {
                assert_eq!(reversals[0].json()["id"], unknown.reversal_id.to_string());
                format!("unknown, reversed: {}", reason.as_str().unwrap())
            }
            contradiction => panic!("{}: {contradiction:?}", row.name),
        }
    }

    /// Decides on an approved order, and tells what became of the advice.
    async fn advice(&self, row: &'static Row, decision: Decision) -> String {
        let desk = self.desk(row);
        // Only the advice is to meet what the row says.
        let order = sell(&desk.till.with_timeout(PATIENCE)).await;
        self.script.next(decision.path(), row);
        let id = decide(order, decision).await.request_id;
        desk.drained().await;
        // The rows of this table are no row of refusals.
        desk.till.resume().await.unwrap();
        let sent = self.about(decision.path(), "requestId", id);
        assert!(sent.iter().all(|repeat| repeat.body == sent[0].body));
        match (sent.len(), is_rejected(&desk.till, id)) {
            (1, false) => "delivered".into(),
            (1, true) => "rejected, listed for the operator".into(),
            (2, false) => "kept, sent again".into(),
            other => panic!("{}: {other:?}", row.name),
        }
    }

    /// Asks for a quote, and tells what came of it.
    async fn query(&self, row: &'static Row) -> String {
        self.script.next("/admin/fees", row);
        let before = self.count("GET", "/admin/fees");
        let answer = in_time(self.desk(row).till.fee_quote(quote_of(100))).await;
        told(answer, self.count("GET", "/admin/fees") - before)
    }

    /// Tells of an order's new status, and what came of that.
    async fn update(&self, row: &'static Row) -> String {
        self.script.next("/orders/status", row);
        let before = self.count("PUT", "/orders/status");
        let answer = in_time(self.desk(row).till.update_order_status(on_hold())).await;
        told(answer, self.count("PUT", "/orders/status") - before)
    }

    /// What becomes of each message in turn that finds nobody listening.
    async fn meet_nobody(&mut self) -> [String; 5] {
        [
            self.request_to_nobody().await,
            self.advice_to_nobody(Decision::Confirm).await,
            self.advice_to_nobody(Decision::Reverse).await,
            self.query_to_nobody().await,
            self.update_to_nobody().await,
        ]
    }

    /// A till behind the door that has no connection yet, so that it has to make one.
    async fn behind_the_door(&self) -> Desk {
        let quick = |till: ClientBuilder| till.retry_policy(impatient());
        Desk::open_with(&self.door.base_url(), quick).await
    }

    /// The same for one that asks once: a repeat that the deadline cuts off would tell nothing.
    async fn once_behind_the_door(&self) -> Desk {
        let base_url = self.door.base_url();
        Desk::open_with(&base_url, |till| till.deadline(PATIENCE)).await
    }

    async fn request_to_nobody(&self) -> String {
        let desk = self.behind_the_door().await;
        let request = order();
        let id = request.id;
        let outcome = in_time(desk.till.create_order(request)).await.unwrap();
        assert!(!is_undecided(&desk.till, id));
        assert_eq!(desk.till.advices().pending_count(), 0);
        assert!(self.about("/orders", "id", id).is_empty());
        match outcome {
            OrderOutcome::NotSent(_) => "not sent, nothing to do".into(),
            other => panic!("{other:?}"),
        }
    }

    async fn advice_to_nobody(&mut self, decision: Decision) -> String {
        let desk = self.behind_the_door().await;
        self.door.open();
        let order = sell(&desk.till).await;
        self.door.shut().await;
        let id = decide(order, decision).await.request_id;
        in_time(tried(&desk.till)).await;
        assert!(self.about(decision.path(), "requestId", id).is_empty());
        self.door.open();
        desk.drained().await;
        self.door.shut().await;
        let sent = self.about(decision.path(), "requestId", id);
        match (sent.len(), is_rejected(&desk.till, id)) {
            (1, false) => "kept, sent again".into(),
            other => panic!("{other:?}"),
        }
    }

    async fn query_to_nobody(&self) -> String {
        let before = self.count("GET", "/admin/fees");
        let desk = self.once_behind_the_door().await;
        let answer = in_time(desk.till.fee_quote(quote_of(100))).await;
        told(answer, self.count("GET", "/admin/fees") - before)
    }

    async fn update_to_nobody(&self) -> String {
        let before = self.count("PUT", "/orders/status");
        let desk = self.once_behind_the_door().await;
        let answer = in_time(desk.till.update_order_status(on_hold())).await;
        told(answer, self.count("PUT", "/orders/status") - before)
    }

    fn count(&self, method: &str, path: &str) -> usize {
        self.upstream.received_at(method, path).len()
    }

    /// The messages to this path that name this request.
    fn about(&self, path: &str, member: &str, id: RequestId) -> Vec<Received> {
        let mut messages = self.upstream.received_at("POST", path);
        messages.retain(|message| message.json()[member] == id.to_string());
        messages
    }
}

/// What came of a query or an update that reached the upstream so many times.
fn told<T: Debug>(answer: Result<T, QueryError>, asked: usize) -> String {
    match (answer, asked) {
        (Ok(_), 1) => "answered".into(),
        (Ok(_), 2) => "asked again".into(),
        (Err(QueryError::Failed { .. }), 1) => "failed".into(),
        (Err(QueryError::NotSupported { .. }), 1) => "not supported".into(),
        (Err(QueryError::NotSent { .. }), 0) => "not sent".into(),
        other => panic!("{other:?}"),
    }
}

/// Waits until the only advice in the queue was tried.
async fn tried(till: &Client) {
    while till.advices().pending().unwrap()[0].attempts == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn is_undecided(till: &Client, id: RequestId) -> bool {
    let undecided = till.advices().undecided().unwrap();
    undecided.iter().any(|request| request.request_id == id)
}

fn is_rejected(till: &Client, id: RequestId) -> bool {
    let rejected = till.advices().rejected().unwrap();
    rejected.iter().any(|advice| advice.request_id == id)
}

fn on_hold() -> UpdateOrderStatusRequest {
    UpdateOrderStatusRequest::builder()
        .update_time("2026-01-31T08:30:00Z".parse().unwrap())
        .order_redeem_ref("1234567890")
        .status(OrderStatus::OnHold)
        .build()
}

#[tokio::test]
async fn every_kind_of_answer_is_read_the_safe_way() {
    let mut bench = Bench::open().await;
    let mut wrong = Vec::new();
    println!(
        "| answer | {} |\n|---|---|---|---|---|---|",
        OPERATIONS.join(" | ")
    );
    for row in ROWS {
        let seen = bench.try_out(row).await;
        println!("| {} | {} |", row.name, seen.join(" | "));
        if seen != row.expected() {
            wrong.push(format!("{}: {seen:?}, not {:?}", row.name, row.expected()));
        }
    }
    println!("{} kinds of answers", ROWS.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}
