//! The promise: whatever comes back, the till reads it the safe way. Every kind of answer, what a request, an advice and a
//! query make of it, and what happens next, over real sockets.
//!
//! `cargo test --test bad_answers -- --nocapture` prints the table.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "http/mod.rs"]
mod raw;
#[path = "http/rows.rs"]
mod rows;
mod support;

use std::sync::{Arc, Mutex};

use money_transfer_retailer::{Client, OrderOutcome, QueryError, RequestId};
use raw::answers::good;
use raw::desk::{Desk, SHORT, in_time, quote_of};
use raw::server::{Connection, Received, Upstream};
use rows::{Bad, ROWS, Row};
use support::{impatient, order};

const LIMIT_BYTES: usize = 4_000;

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
            let said = match self.take(&request) {
                Some(row) => (row.says)(&request),
                None => Bad::Says(good(&request)),
            };
            match said {
                Bad::Says(answer) => connection.say(answer).await,
                Bad::SaysAndCloses(answer) => {
                    connection.say(answer).await;
                    return;
                }
                Bad::Hangs => return connection.until_closed().await,
            };
        }
    }
}

struct Bench {
    upstream: Upstream,
    script: Script,
    patient: Desk,
    /// For answers that never come.
    hasty: Desk,
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
            till.retry_policy(impatient()).timeout(SHORT)
        });
        Bench {
            patient: patient.await,
            hasty: hasty.await,
            upstream,
            script,
        }
    }

    fn desk(&self, row: &Row) -> &Desk {
        if row.hangs {
            &self.hasty
        } else {
            &self.patient
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
            (OrderOutcome::NotSent(_), false, None) => "not sent, nothing to do".into(),
            (OrderOutcome::Unknown(unknown), false, Some(reason)) => {
                assert_eq!(reversals[0].json()["id"], unknown.reversal_id.to_string());
                format!("unknown, reversed: {}", reason.as_str().unwrap())
            }
            contradiction => panic!("{}: {contradiction:?}", row.name),
        }
    }

    /// Confirms, and tells what became of the confirmation.
    async fn advice(&self, row: &'static Row) -> String {
        let desk = self.desk(row);
        let order = desk.till.create_order(order()).await.unwrap().approved();
        self.script.next("/orders/confirmations", row);
        let id = in_time(order.unwrap().confirm()).await.unwrap().request_id;
        desk.drained().await;
        // The rows of this table are no row of refusals.
        desk.till.resume().await.unwrap();
        let sent = self.about("/orders/confirmations", "requestId", id);
        assert!(sent.iter().all(|repeat| repeat.body == sent[0].body));
        let rejected = desk.till.advices().rejected().unwrap();
        let rejected = rejected.iter().any(|advice| advice.request_id == id);
        match (sent.len(), rejected) {
            (1, false) => "delivered".into(),
            (1, true) => "rejected, listed for the operator".into(),
            (2, false) => "kept, sent again".into(),
            other => panic!("{}: {other:?}", row.name),
        }
    }

    /// Asks for a quote, and tells what came of it.
    async fn query(&self, row: &'static Row) -> String {
        let before = self.upstream.received_at("GET", "/admin/fees").len();
        self.script.next("/admin/fees", row);
        let answer = in_time(self.desk(row).till.fee_quote(quote_of(100))).await;
        let asked = self.upstream.received_at("GET", "/admin/fees").len() - before;
        match (answer, asked) {
            (Ok(_), 1) => "answered".into(),
            (Ok(_), 2) => "asked again".into(),
            (Err(QueryError::Failed { .. }), 1) => "failed".into(),
            (Err(QueryError::NotSupported { .. }), 1) => "not supported".into(),
            other => panic!("{}: {other:?}", row.name),
        }
    }

    /// The messages to this path that name this request.
    fn about(&self, path: &str, member: &str, id: RequestId) -> Vec<Received> {
        let mut messages = self.upstream.received_at("POST", path);
        messages.retain(|message| message.json()[member] == id.to_string());
        messages
    }
}

fn is_undecided(till: &Client, id: RequestId) -> bool {
    let undecided = till.advices().undecided().unwrap();
    undecided.iter().any(|request| request.request_id == id)
}

#[tokio::test]
async fn every_kind_of_answer_is_read_the_safe_way() {
    let bench = Bench::open().await;
    let mut wrong = Vec::new();
    println!("| answer | createOrder | confirmPayment | getFeeQuote |\n|---|---|---|---|");
    for row in ROWS {
        let seen = [
            bench.request(row).await,
            bench.advice(row).await,
            bench.query(row).await,
        ];
        println!("| {} | {} | {} | {} |", row.name, seen[0], seen[1], seen[2]);
        if seen != row.expected() {
            wrong.push(format!("{}: {seen:?}, not {:?}", row.name, row.expected()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
