//! A queue in which an operator had a hand, with its index: what it holds, and how it was written.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use money_transfer_retailer::model::{Operation, RequestId, Sensitive};
use money_transfer_retailer::simulator::{Fault, Rule, Simulator};
use money_transfer_retailer::{AdviceState, Client, RetryPolicy};
use serde::{Deserialize, Serialize};

use crate::fixture::{BASE_URL, beside, keep_what};
use crate::support::{PATIENCE, approved, cancellation, order, pin, redemption, till};

pub const NAME: &str = "v1-operated";

const RECORDS: &str = "records.json";
const OPERATOR: &str = "A. Adams";
const AN_HOUR: Duration = Duration::from_secs(3600);

/// What has to be told of a transaction, by the request.
pub type Records = BTreeMap<String, Record>;

/// In words, as no release changes what they are called.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    operation: String,
    standing: String,
    minor_units: Option<i64>,
    masked_redeem_ref: Option<String>,
    advice_id: Option<String>,
    /// `pending` for one that waits.
    advice: Option<String>,
    attempts: Option<u32>,
    interventions: Vec<String>,
}

impl Record {
    pub fn of(till: &Client, id: RequestId) -> Record {
        let found = till.transaction(id).unwrap().unwrap();
        let advice = found.advice.as_ref();
        Record {
            operation: found.operation.to_string(),
            standing: format!("{:?}", found.standing),
            minor_units: found.amount.map(|amount| amount.minor_units),
            masked_redeem_ref: found.masked_redeem_ref.clone(),
            advice_id: advice.map(|advice| advice.advice_id.to_string()),
            advice: advice.map(|advice| match advice.state {
                AdviceState::InFlight | AdviceState::Waiting(_) => "pending".to_owned(),
                state => format!("{state:?}"),
            }),
            attempts: advice.map(|advice| advice.attempts),
            interventions: found
                .interventions
                .iter()
                .map(|one| format!("{:?} by {}", one.measure, one.operator))
                .collect(),
        }
    }
}

pub fn kept() -> Records {
    let text = fs::read(beside(NAME, RECORDS)).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// What waits is tried once, and then left alone.
pub async fn open(queue: &Path, upstream: &Simulator) -> Client {
    let till = till(BASE_URL, queue)
        .allow_plain_http()
        .proxy(format!("http://{}", upstream.address()))
        .retry_policy(RetryPolicy::default().pauses(AN_HOUR, AN_HOUR));
    till.open().await.unwrap()
}

pub async fn write() {
    let target = beside(NAME, "queue");
    assert!(!target.exists(), "{} is kept as it is", target.display());
    let upstream = Simulator::start().await.unwrap();
    let queue = tempfile::tempdir().unwrap();
    let till = open(queue.path(), &upstream).await;
    let ids = fill(&till, &upstream).await;
    let records: Records = ids
        .into_iter()
        .map(|id| (id.to_string(), Record::of(&till, id)))
        .collect();
    // Whoever closes a queue lets its index take all in; a kill leaves the same a moment later.
    till.shutdown(PATIENCE).await;
    keep_what(queue.path(), &target, |_| true);
    let text = serde_json::to_string_pretty(&records).unwrap();
    fs::write(beside(NAME, RECORDS), text + "\n").unwrap();
}

/// One of everything that the other queue has not got.
async fn fill(till: &Client, upstream: &Simulator) -> Vec<RequestId> {
    let (paid_out, paid_out_ref) = sell(till).await;
    let (cancelled, cancelled_ref) = sell(till).await;
    till.advices().wait_empty(PATIENCE).await.unwrap();
    let redeemed = approved(till.redeem_order(redemption(&paid_out_ref)).await.unwrap());
    let payout = redeemed.request_id();
    redeemed.confirm().await.unwrap();
    let cancellation = till.cancel_order(cancellation(&cancelled_ref)).await;
    let refund = approved(cancellation.unwrap());
    let refunded = refund.request_id();
    refund.complete().await.unwrap();
    till.advices().wait_empty(PATIENCE).await.unwrap();

    let mut refused = Vec::new();
    // Three that are equal would suspend the delivery.
    for error_type in ["FORMAT_ERROR", "TRANSACTION_DECLINED", "GENERAL_ERROR"] {
        let refusal = Fault::Error {
            status: 400,
            error_type: error_type.to_owned(),
        };
        upstream.inject(Rule::on(Operation::ConfirmPayment).next(1).fault(refusal));
        refused.push(sell(till).await.0);
        till.advices().wait_empty(PATIENCE).await.unwrap();
    }
    upstream.inject(
        Rule::on(Operation::ConfirmPayment)
            .always()
            .fault(Fault::status(503)),
    );
    till.requeue(refused[1], OPERATOR).await.unwrap();
    till.abandon(refused[2], "paid back", OPERATOR)
        .await
        .unwrap();
    while Record::of(till, refused[1]).attempts != Some(2) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    [vec![paid_out, cancelled, payout, refunded], refused].concat()
}

async fn sell(till: &Client) -> (RequestId, Sensitive) {
    let mut request = order();
    request.pin = Some(pin("0123456789ABCDEF"));
    let sold = approved(till.create_order(request).await.unwrap());
    let reference = sold.response().order_redeem_ref.clone().unwrap();
    let id = sold.request_id();
    sold.confirm().await.unwrap();
    (id, reference)
}
