//! Each fault of the simulator's list meets each advice, over real sockets: what the upstream has processed, how often
//! it was asked, and how the advice ended are exactly as the table says.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::time::Duration;

use money_transfer_retailer::model::ReversalReason;
use money_transfer_retailer::simulator::{CannedAnswer, Copy, Fault, Operation, Rule};
use money_transfer_retailer::{AdviceRecord, AdviceState, RequestId};
use support::{PATIENCE, Shop, approved, cancellation, redemption};
use tokio::task::JoinSet;

const ADVICES: [Operation; 5] = [
    Operation::ConfirmPayment,
    Operation::ReversePayment,
    Operation::ConfirmRedeem,
    Operation::ReverseRedeem,
    Operation::CancelOrderReversal,
];

/// How an advice ends whose first sending meets a fault.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// Taken, after so many sendings.
    Taken(usize),
    /// The first sending was processed, and the second one found that out.
    ArrivedEarlier,
    /// Refused by the service's own word, by the first sending.
    Rejected,
    NotOffered,
}

/// Many shops are open at once, and none of them may take a busy machine for a silent upstream.
const TIMEOUT: Duration = Duration::from_secs(3);

const LATE: Duration = Duration::from_secs(5);

fn page(status: u16) -> Fault {
    CannedAnswer::status(status)
        .body("text/html", "<html>gateway</html>")
        .into()
}

fn own(status: u16, error_type: &str) -> Fault {
    Fault::Error {
        status,
        error_type: error_type.to_owned(),
    }
}

fn table() -> Vec<(Fault, End)> {
    use End as E;
    let mut table = vec![
        (Fault::Refuse, E::Taken(2)),
        (Fault::Hang, E::Taken(2)),
        (Fault::CloseBefore, E::Taken(2)),
        (Fault::TlsFailure, E::Taken(2)),
        (Fault::SlowHeaders(Duration::from_millis(20)), E::Taken(1)),
        (Fault::SlowBody(Duration::from_millis(20)), E::Taken(1)),
        (Fault::SlowHeaders(LATE), E::ArrivedEarlier),
        (Fault::CloseAfter, E::Taken(1)),
        (Fault::LoseAnswer, E::ArrivedEarlier),
        (Fault::ProcessAndHang, E::ArrivedEarlier),
        (Fault::ProcessTwice(Copy::First), E::Taken(1)),
        // The answer to the second copy is all that the till ever hears.
        (Fault::ProcessTwice(Copy::Second), E::Rejected),
        (Fault::ProcessLate(TIMEOUT / 30), E::ArrivedEarlier),
        (Fault::CloseDuring, E::ArrivedEarlier),
        (Fault::WrongId, E::ArrivedEarlier),
        (Fault::HugeBody(100_000), E::Taken(1)),
        (Fault::HugeBody(2_000_000), E::ArrivedEarlier),
        (Fault::Garbage, E::ArrivedEarlier),
        (own(400, "FORMAT_ERROR"), E::Rejected),
        (own(400, "TRANSACTION_DECLINED"), E::Rejected),
        (own(503, "UPSTREAM_UNAVAILABLE"), E::Rejected),
        (own(401, "AUTHENTICATION_ERROR"), E::Taken(2)),
        (own(500, "SYSTEM_ERROR"), E::Taken(2)),
        (own(504, "SYSTEM_ERROR"), E::Taken(2)),
        (own(501, "TRANSACTION_NOT_SUPPORTED"), E::NotOffered),
        (Fault::status(400), E::Rejected),
        (Fault::status(501), E::NotOffered),
        (Fault::status(202), E::Taken(1)),
        (Fault::status(204), E::Taken(2)),
    ];
    let strangers = [
        200, 202, 301, 401, 403, 404, 405, 407, 408, 413, 425, 429, 500, 502, 503, 504,
    ];
    table.extend(strangers.map(|status| (page(status), E::Taken(2))));
    table
}

/// One advice of `operation`, decided on where the next one of its kind meets `fault`.
async fn decided(shop: &Shop, operation: Operation, fault: Fault) -> RequestId {
    let cancelled = ReversalReason::Cancelled;
    let id = match operation {
        Operation::ConfirmPayment | Operation::ReversePayment => shop.approved().await.request_id(),
        Operation::ConfirmRedeem | Operation::ReverseRedeem => {
            let reference = shop.sold().await;
            let redeemed = shop.till.redeem_order(redemption(&reference)).await;
            approved(redeemed.unwrap()).request_id()
        }
        _ => {
            let reference = shop.sold().await;
            let cancelled = shop.till.cancel_order(cancellation(&reference)).await;
            approved(cancelled.unwrap()).request_id()
        }
    };
    shop.upstream
        .inject(Rule::on(operation).next(1).fault(fault));
    match operation {
        Operation::ConfirmPayment | Operation::ConfirmRedeem => shop.till.confirm(id).await,
        _ => shop.till.reverse(id, cancelled).await,
    }
    .unwrap();
    id
}

async fn ended(shop: &Shop, id: RequestId) -> AdviceRecord {
    let advice = shop.till.transaction(id).unwrap().unwrap().advice.unwrap();
    let ended = shop.till.advices().wait(advice.advice_id, PATIENCE).await;
    ended.unwrap().unwrap()
}

async fn check(operation: Operation, fault: Fault, expected: End) {
    let shop = Shop::open_with(|till| till.timeout(TIMEOUT)).await;
    let id = decided(&shop, operation, fault.clone()).await;
    let advice = ended(&shop, id).await;
    let what = format!("{fault:?} to {operation}: {advice:?}");
    let book = shop.upstream.book();
    let tally = match advice.reason {
        Some(_) => book.reversals_of(id),
        None => book.confirmations_of(id),
    };
    let (state, received) = match expected {
        End::Taken(received) => (AdviceState::Accepted, received),
        End::ArrivedEarlier => (AdviceState::ArrivedEarlier, 2),
        End::Rejected => (AdviceState::Rejected, 1),
        End::NotOffered => (AdviceState::NotOffered, 1),
    };
    assert_eq!(
        (advice.state, tally.received()),
        (state, received),
        "{what}"
    );
    assert_eq!(advice.attempts as usize, received, "{what}");
    assert_eq!(tally.distinct_bodies(), 1, "{what}");
    let is_made_up = matches!(fault, Fault::Answer(_)) && expected == End::Taken(1);
    let is_refused = matches!(expected, End::Rejected | End::NotOffered);
    let is_taken = !is_made_up && !is_refused || matches!(fault, Fault::ProcessTwice(_));
    assert_eq!(tally.accepted(), usize::from(is_taken), "{what}");
    let inferred = shop.till.advices().inferred().unwrap().len();
    assert_eq!(
        inferred,
        usize::from(expected == End::ArrivedEarlier),
        "{what}"
    );
    shop.till.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_ends_each_advice_as_the_table_says() {
    let mut checks = JoinSet::new();
    for (fault, expected) in table() {
        for operation in ADVICES {
            if checks.len() >= 24 {
                checks.join_next().await.unwrap().unwrap();
            }
            checks.spawn(check(operation, fault.clone(), expected));
        }
    }
    while let Some(checked) = checks.join_next().await {
        checked.unwrap();
    }
}
