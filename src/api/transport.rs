//! What goes out, what comes back, and the seam between the two.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;

use super::{Credentials, Problem, Unanswered};
use crate::model::{Operation, RequestId, Sensitive, Timestamp};

/// A message on its way to the upstream.
pub(crate) struct Call {
    pub(crate) operation: Operation,
    /// Query parameters by their wire names. They may hold identity numbers: never shown, wiped when dropped.
    pub(crate) query: Vec<(&'static str, Sensitive)>,
    /// The JSON body. It may hold a PIN block: never shown.
    pub(crate) body: Option<Bytes>,
    /// How long the whole exchange may take.
    pub(crate) timeout: Duration,
    /// The financial request that this is. Its answer is listened for a while longer, and logged.
    pub(crate) request_id: Option<RequestId>,
}

impl Call {
    /// A message with a body.
    pub(crate) fn with_body(operation: Operation, body: Bytes, timeout: Duration) -> Call {
        Call {
            operation,
            query: Vec::new(),
            body: Some(body),
            timeout,
            request_id: None,
        }
    }

    /// A financial request.
    pub(crate) fn financial(
        operation: Operation,
        body: Bytes,
        timeout: Duration,
        request_id: RequestId,
    ) -> Call {
        Call {
            request_id: Some(request_id),
            ..Call::with_body(operation, body, timeout)
        }
    }

    /// A message that is all in its query parameters.
    pub(crate) fn with_query(
        operation: Operation,
        query: Vec<(&'static str, Sensitive)>,
        timeout: Duration,
    ) -> Call {
        Call {
            operation,
            query,
            body: None,
            timeout,
            request_id: None,
        }
    }
}

/// What the other side answered, whoever the other side really was.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: Option<String>,
    /// How long the other side asked to be left alone.
    pub(crate) retry_after: Option<Duration>,
    /// As much of the body as was read.
    pub(crate) body: Bytes,
    pub(crate) body_end: BodyEnd,
}

/// How the body of an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyEnd {
    /// It was read to its end.
    Complete,
    /// The connection or the time ran out first.
    CutOff,
    /// It was longer than the limit, and was read no further.
    TooLarge,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    /// No connection was made, which proves that the message never left.
    NotSent(super::NotSent),
    /// The time was up, or the connection broke; the message may have been processed.
    Unanswered(Unanswered),
}

impl NoAnswer {
    /// The time was up.
    pub(crate) fn timed_out() -> NoAnswer {
        NoAnswer::Unanswered(Unanswered::new(Problem::TimedOut))
    }

    /// The connection broke.
    pub(crate) fn connection_lost() -> NoAnswer {
        NoAnswer::Unanswered(Unanswered::new(Problem::ConnectionLost))
    }
}

/// Tells the time of day, which no room below the queue reads by itself.
pub(crate) type Now = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// The future of one exchange.
pub(crate) type Exchange<'a> = Pin<Box<dyn Future<Output = Result<Answer, NoAnswer>> + Send + 'a>>;

/// Carries one message to the upstream and brings one answer back: no repeats, no memory.
pub(crate) trait Transport: Send + Sync {
    /// Sends `call` once.
    fn exchange(&self, call: Call) -> Exchange<'_>;

    /// Uses other credentials of the same user from now on. Says whether they are of the same user.
    fn replace_credentials(&self, credentials: Credentials) -> bool;
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("operation", &self.operation)
            .field("body_bytes", &self.body.as_ref().map(Bytes::len))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("content_type", &self.content_type)
            .field("body_bytes", &self.body.len())
            .field("body_end", &self.body_end)
            .finish_non_exhaustive()
    }
}
