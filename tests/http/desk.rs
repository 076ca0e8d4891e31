//! Tills at an upstream of the tests' own.

use std::time::Duration;

use money_transfer_retailer::model::{CustomerInfoQuery, FeeQuoteQuery};
use money_transfer_retailer::{Client, ClientBuilder, RetryPolicy};
use tempfile::TempDir;

use crate::support::{PATIENCE, till};

/// A till, and the directory of its queue.
pub struct Desk {
    pub till: Client,
    pub queue: TempDir,
}

impl Desk {
    /// A patient till that says everything once: a query is not repeated, an advice not before the test is over.
    pub async fn open(base_url: &str) -> Desk {
        Desk::open_with(base_url, |builder| builder).await
    }

    pub async fn open_with(
        base_url: &str,
        settings: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Desk {
        let queue = tempfile::tempdir().unwrap();
        let never = 10 * PATIENCE;
        let builder = till(base_url, queue.path())
            .timeout(PATIENCE)
            .deadline(PATIENCE)
            .retry_policy(RetryPolicy::default().pauses(never, never).jitter(0.0));
        let till = settings(builder).open().await.unwrap();
        Desk { till, queue }
    }
}

impl Desk {
    /// Waits until no advice is pending.
    pub async fn drained(&self) {
        self.till.advices().wait_empty(PATIENCE).await.unwrap();
    }
}

/// A query that asks what a transfer of so much would cost.
pub fn quote_of(minor_units: i64) -> FeeQuoteQuery {
    FeeQuoteQuery::builder()
        .amount(minor_units)
        .amount_includes_fee(false)
        .build()
}

/// The fee, which a well-behaved upstream of these tests makes the amount itself.
pub async fn quoted(till: &Client, minor_units: i64) -> i64 {
    let answer = till.fee_quote(quote_of(minor_units)).await.unwrap();
    answer.fee_quote.unwrap().fee_amount.minor_units
}

pub fn customer_of(id_number: &str) -> CustomerInfoQuery {
    CustomerInfoQuery::builder().id_number(id_number).build()
}

/// Bounds what a test waits for, to less than a patient till would wait.
pub async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE / 2, future).await.unwrap()
}

/// Short, where a test has to see a timeout pass.
pub const SHORT: Duration = Duration::from_millis(150);

/// Everything that an error shows: `Display` and `Debug` of itself and of all that it is caused by.
pub fn shown(error: &(dyn std::error::Error + 'static)) -> String {
    let mut shown = format!("{error} {error:?} {error:#?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        shown += &format!("; {error} {error:?}");
        cause = error.source();
    }
    shown
}
