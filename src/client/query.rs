//! Queries and updates: sent again until a final answer, or until the deadline.
//!
//! 1. Nothing of them is stored. Dropping the future stops them.
//! 2. Each repeat is the same message.
//! 3. The pauses between repeats grow as those of the advices do, and are as long as the upstream asks.
//! 4. What would have to wait beyond the deadline is given up at once.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::{Client, QueryError};
use crate::api::outcome::{QueryMessage, QueryOutcome, of_query};
use crate::api::{Call, json_body};
use crate::model::{Check, Fill, Operation, RequestId, Sensitive};

/// What repeating has to know of a query or an update.
pub(super) trait Query: Fill + Check {
    const OPERATION: Operation;
    type Answer: QueryMessage;

    /// The id of the message, where it is one that has the id of a request.
    fn request_id(&self) -> Option<RequestId> {
        None
    }

    /// The message as it is sent.
    fn content(&self) -> Result<Content, serde_json::Error>;
}

/// What a query or an update sends.
#[derive(Clone)]
pub(super) enum Content {
    Parameters(Vec<(&'static str, Sensitive)>),
    Body(Bytes),
}

impl Content {
    /// The content of a message that is sent as its body.
    pub(super) fn body(message: &impl Serialize) -> Result<Content, serde_json::Error> {
        Ok(Content::Body(json_body(message)?))
    }
}

/// An answer, and whether an earlier sending may have been processed without our seeing its answer.
pub(super) struct Answered<T> {
    pub(super) result: Result<T, QueryError>,
    pub(super) possibly_repeated: bool,
}

impl Client {
    pub(super) async fn ask<Q: Query>(&self, query: Q) -> Result<Q::Answer, QueryError> {
        self.ask_noting_repeats(query).await.result
    }

    pub(super) async fn ask_noting_repeats<Q: Query>(&self, mut query: Q) -> Answered<Q::Answer> {
        query.fill(&self.core.defaults);
        let content = checked_content(&query);
        let mut possibly_repeated = false;
        let result = match content {
            Ok(content) => {
                let id = query.request_id();
                self.repeat::<Q>(id, content, &mut possibly_repeated).await
            }
            Err(error) => Err(error),
        };
        Answered {
            result,
            possibly_repeated,
        }
    }

    async fn repeat<Q: Query>(
        &self,
        request_id: Option<RequestId>,
        content: Content,
        possibly_repeated: &mut bool,
    ) -> Result<Q::Answer, QueryError> {
        let operation = Q::OPERATION;
        let began_at = Instant::now();
        let time_left = || self.deadline.saturating_sub(began_at.elapsed());
        let mut attempts = 0;
        loop {
            let call = self.call(operation, content.clone(), time_left());
            let answer = self.core.transport.exchange(call).await;
            let outcome = of_query(answer, operation, request_id);
            self.core.hear(outcome.word());
            let error = match outcome {
                QueryOutcome::Answered(response) => return Ok(response),
                QueryOutcome::NotSupported { status } => {
                    return Err(QueryError::NotSupported {
                        operation,
                        request_id,
                        status,
                    });
                }
                QueryOutcome::Failed(failure) => {
                    let failure = Box::new(failure);
                    return Err(QueryError::Failed {
                        operation,
                        request_id,
                        failure,
                    });
                }
                QueryOutcome::NotSent(source) => QueryError::NotSent {
                    operation,
                    request_id,
                    source,
                },
                QueryOutcome::Unknown(cause) => {
                    *possibly_repeated = true;
                    QueryError::Unanswered {
                        operation,
                        request_id,
                        cause: Box::new(cause),
                    }
                }
            };
            attempts += 1;
            let pause = self
                .core
                .policy
                .pause_as_asked(attempts, asked_pause(&error));
            if pause >= time_left() {
                return Err(error);
            }
            sleep(pause).await;
        }
    }

    fn call(&self, operation: Operation, content: Content, time_left: Duration) -> Call {
        let timeout = self.timeout.min(time_left);
        match content {
            Content::Parameters(pairs) => Call::with_query(operation, pairs, timeout),
            Content::Body(body) => Call::with_body(operation, body, timeout),
        }
    }
}

/// How long the upstream asked to be left alone.
fn asked_pause(error: &QueryError) -> Option<Duration> {
    match error {
        QueryError::Unanswered { cause, .. } => cause.retry_after,
        _ => None,
    }
}

fn checked_content<Q: Query>(query: &Q) -> Result<Content, QueryError> {
    let (operation, request_id) = (Q::OPERATION, query.request_id());
    query.check().map_err(|source| QueryError::Invalid {
        operation,
        request_id,
        source,
    })?;
    query.content().map_err(|source| QueryError::Unwritable {
        operation,
        request_id,
        source,
    })
}
