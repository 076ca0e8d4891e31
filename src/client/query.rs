//! Queries: sent again until a final answer, or until the time given is up.

use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};

use super::{Client, Core, QueryError};
use crate::api::Call;
use crate::api::outcome::{QueryOutcome, of_query};
use crate::model::{Check, Fill, LookupOrderQuery, LookupOrderResponse, Operation};

impl Client {
    /// Looks an order up.
    ///
    /// Sent again with growing pauses while the outcome is unknown, for as long as the client's
    /// timeout; nothing of it is stored. Dropping the future stops it.
    ///
    /// Wire name: `lookupOrder`.
    ///
    /// # Errors
    /// [`QueryError::Invalid`]: nothing was sent. [`QueryError::Failed`] holds what the upstream
    /// says, for example that it knows no such order.
    pub async fn lookup_order(
        &self,
        mut query: LookupOrderQuery,
    ) -> Result<LookupOrderResponse, QueryError> {
        let operation = Operation::LookupOrder;
        query.fill(&self.core.defaults);
        query
            .check()
            .map_err(|source| QueryError::Invalid { operation, source })?;
        self.core.query(operation, query.to_query_pairs()).await
    }
}

impl Core {
    async fn query<R: DeserializeOwned>(
        &self,
        operation: Operation,
        pairs: Vec<(&'static str, String)>,
    ) -> Result<R, QueryError> {
        let deadline = Instant::now() + self.timeout;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let left = deadline.saturating_duration_since(Instant::now());
            let call = Call::with_query(operation, pairs.clone(), left);
            let answer = self.transport.exchange(call).await;
            let error = match of_query(answer, operation) {
                QueryOutcome::Answered(response) => return Ok(response),
                QueryOutcome::NotSupported { status } => {
                    return Err(QueryError::NotSupported { operation, status });
                }
                QueryOutcome::Failed(failure) => {
                    return Err(QueryError::Failed { operation, failure });
                }
                QueryOutcome::NotSent(source) => QueryError::NotSent { operation, source },
                QueryOutcome::Unknown(cause) => QueryError::Unanswered { operation, cause },
            };
            let pause = self.policy.pause_after(attempts);
            if Instant::now() + pause >= deadline {
                return Err(error);
            }
            sleep(pause).await;
        }
    }
}
