//! What comes in the place of a success: a no, no connection, or no final answer.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Answer;
use super::outcome::{error_detail, excerpt};
use crate::model::{self, ErrorDetail, ErrorType, Operation, RequestId, ReversalReason, Sensitive};

/// The upstream said no: final, and nothing exists there.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Declined {
    /// What was asked.
    pub operation: Operation,
    /// The id of the message, where it is one that has the id of a request.
    pub request_id: Option<RequestId>,
    /// The HTTP status.
    pub status: u16,
    /// What the service says about it, where it says something.
    pub detail: Option<ErrorDetail>,
    /// How long the other side asked to be left alone (`Retry-After`, in seconds or as a date). What
    /// it says is not bounded here.
    pub retry_after: Option<Duration>,
    /// The first bytes of a body that is no `ErrorDetail`. Masked, as a proxy's page may quote the
    /// message or its URL.
    pub excerpt: Option<Sensitive>,
}

impl Declined {
    /// The kind of error, where the service names one.
    pub fn error_type(&self) -> Option<&ErrorType> {
        self.detail.as_ref().map(|detail| &detail.error_type)
    }

    /// Whether the upstream does not offer the operation at all (501).
    ///
    /// A server of an earlier version answers what it does not know with 404 or 405 and a page. So
    /// does any server at a wrong address, which is why that says nothing about a financial request.
    pub fn is_not_supported(&self) -> bool {
        self.status == 501
    }

    pub(super) fn of(
        answer: &Answer,
        operation: Operation,
        request_id: Option<RequestId>,
    ) -> Declined {
        let detail = error_detail(answer);
        Declined {
            operation,
            request_id,
            status: answer.status,
            retry_after: answer.retry_after,
            excerpt: match detail {
                Some(_) => None,
                None => excerpt(answer),
            },
            detail,
        }
    }
}

impl fmt::Display for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP status {}", self.status)?;
        match &self.detail {
            Some(detail) => write!(f, ", {detail}"),
            None => Ok(()),
        }
    }
}

/// No connection was made: the message never left, and there is nothing to reverse.
#[derive(Debug, thiserror::Error)]
#[error("not sent: {reason}")]
#[non_exhaustive]
pub struct NotSent {
    /// What was to be asked.
    pub operation: Operation,
    /// The id of the message, where it is one that has the id of a request.
    pub request_id: Option<RequestId>,
    /// What stood in the way.
    pub reason: NotSentReason,
    /// What the HTTP library says about it.
    pub source: Box<dyn Error + Send + Sync>,
}

impl NotSent {
    /// Nobody tried.
    pub(crate) fn held(operation: Operation, request_id: RequestId) -> NotSent {
        NotSent {
            operation,
            request_id: Some(request_id),
            reason: NotSentReason::Held,
            source: "nobody has heard from it since it went down".into(),
        }
    }
}

/// What stood between the till and a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotSentReason {
    /// The upstream's name could not be resolved.
    #[error("the upstream's name could not be resolved")]
    Dns,
    /// The connection was refused or the network is unreachable.
    #[error("the upstream could not be reached")]
    Connect,
    /// The connection was not made in time.
    #[error("the upstream did not take the connection in time")]
    ConnectTimeout,
    /// The TLS handshake failed.
    #[error("the TLS handshake failed")]
    Tls,
    /// The message could not be put together on this machine.
    #[error("the message could not be put together")]
    Local,
    /// The upstream is known to be down, and the client was asked to
    /// [fail fast](crate::ClientBuilder::fail_fast) then.
    #[error("the upstream is known to be down")]
    Held,
}

/// The message was sent, or may have been, and no final answer came.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{problem}")]
#[non_exhaustive]
pub struct Unanswered {
    /// What came instead.
    pub problem: Problem,
    /// How long the other side asked to be left alone (`Retry-After`, in seconds or as a date). What
    /// it says is not bounded here.
    pub retry_after: Option<Duration>,
    /// The first bytes of the body; never of a success. Masked, as a proxy's page may quote the
    /// message or its URL.
    pub excerpt: Option<Sensitive>,
    /// What the HTTP library says, where there was no answer.
    pub source: Option<Arc<dyn Error + Send + Sync>>,
}

/// What came instead of a final answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// No answer within the timeout.
    #[error("no answer within the timeout")]
    TimedOut,
    /// The connection broke before an answer.
    #[error("the connection broke before an answer")]
    ConnectionLost,
    /// 500 or 504: the service itself does not know.
    #[error("HTTP status {status}: the service does not know the outcome")]
    ServerFault {
        /// The HTTP status.
        status: u16,
    },
    /// The answer is not the service's own word.
    #[error("HTTP status {status}, which is not the service's own word")]
    NotTheService {
        /// The HTTP status.
        status: u16,
    },
    /// A success that cannot be used.
    #[error("HTTP status {status} with a body of {length_bytes} bytes ({content_type}) that {why}")]
    Unusable {
        /// The HTTP status.
        status: u16,
        /// The length of what was read of the body.
        length_bytes: usize,
        /// The content type, or `no content type`.
        content_type: String,
        /// What is wrong with it.
        why: Unusable,
    },
}

/// What is wrong with the body of a success.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unusable {
    /// The connection or the time ran out before its end.
    #[error("was cut off")]
    CutOff,
    /// It is longer than the limit.
    #[error("is longer than the limit")]
    TooLarge,
    /// It is not the JSON that the operation answers with.
    #[error("cannot be read: {0}")]
    Unreadable(model::Unreadable),
    /// It is JSON, but has no member of the answer that was asked for.
    #[error("has no member of this operation's answer")]
    AnotherMessage,
    /// It answers another message.
    #[error("carries another id than the message that it answers")]
    AnotherId,
    /// It does not say which message it answers, with a status that is not the documented one.
    #[error("does not carry the id of the message that it answers")]
    NoId,
    /// It names an error, which contradicts the status.
    #[error("is an error, which contradicts the status")]
    ContradictsStatus,
    /// It is neither empty nor JSON.
    #[error("is neither empty nor JSON")]
    NotJson,
    /// It carries more third-party identifiers than an advice can take along.
    #[error("carries third-party identifiers beyond the limit")]
    IdentifiersTooLarge,
    /// It carries a redeem reference or an amount that is longer than any real one.
    #[error("carries a redeem reference or an amount beyond the limit")]
    TextTooLong,
}

impl Unanswered {
    pub(crate) fn new(problem: Problem) -> Unanswered {
        Unanswered {
            problem,
            retry_after: None,
            excerpt: None,
            source: None,
        }
    }

    /// For the reason that the HTTP library gives.
    pub(super) fn because(self, source: impl Error + Send + Sync + 'static) -> Unanswered {
        Unanswered {
            source: Some(Arc::new(source)),
            ..self
        }
    }

    pub(super) fn of(answer: &Answer, problem: Problem) -> Unanswered {
        Unanswered {
            problem,
            retry_after: answer.retry_after,
            excerpt: excerpt(answer),
            source: None,
        }
    }

    /// Why a request with this outcome is reversed.
    pub(crate) fn reversal_reason(&self) -> ReversalReason {
        match self.problem {
            Problem::TimedOut | Problem::ConnectionLost => ReversalReason::Timeout,
            _ => ReversalReason::ResponseNotFinal,
        }
    }

    /// The HTTP status, where there was an answer at all.
    pub fn status(&self) -> Option<u16> {
        match self.problem {
            Problem::TimedOut | Problem::ConnectionLost => None,
            Problem::ServerFault { status }
            | Problem::NotTheService { status }
            | Problem::Unusable { status, .. } => Some(status),
        }
    }
}
