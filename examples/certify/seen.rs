//! What came of a message, in one shape for all operations.

use money_transfer_retailer::model::{AdviceId, ErrorType, ReversalReason};
use money_transfer_retailer::{
    Approved, Declined, OrderOutcome, Problem, QueryError, RequestError, Unanswered, Unusable,
};

use super::expectation::is_refused;
use super::message::Answer;
use super::told;

/// What came of a message.
pub(crate) enum Seen<A> {
    /// The answer that was asked for.
    Answered(A),
    /// The server's no.
    Declined(Box<Declined>),
    /// The server does not know the operation.
    NotSupported { status: u16 },
    /// The client itself refused: a request with this id was sent before.
    KnownRequest,
    /// No connection was made.
    NotSent(String),
    /// No final answer; a financial request is being reversed.
    Unknown {
        cause: Unanswered,
        reversal: Option<AdviceId>,
    },
    /// The client could not do its part.
    Trouble(String),
}

impl<A: Answer> Seen<A> {
    /// In a line.
    pub(crate) fn words(&self) -> String {
        match self {
            Seen::Answered(answer) => answer.summary(),
            Seen::Declined(declined) => declined_words(declined),
            Seen::NotSupported { status } => format!("not offered (HTTP {status})"),
            Seen::KnownRequest => "refused by the client: this id was sent before".to_owned(),
            Seen::NotSent(why) => format!("not sent: {why}"),
            Seen::Unknown { cause, .. } => format!("unknown: {}", cause.problem),
            Seen::Trouble(why) => why.clone(),
        }
    }
}

impl<A> Seen<A> {
    /// Why the server said no.
    pub(crate) fn error_type(&self) -> Option<&ErrorType> {
        match self {
            Seen::Declined(declined) => declined.error_type(),
            _ => None,
        }
    }

    /// Whether only a server that knows the operation answers so: a gateway says no, too.
    pub(crate) fn shows_the_operation(&self) -> bool {
        match self {
            Seen::Answered(_) => true,
            Seen::Declined(declined) => is_refused(declined),
            _ => false,
        }
    }

    /// Whether the answer did not come in time, or not to its end: nothing, or a success whose body the
    /// time or the connection cut off.
    pub(crate) fn is_late(&self) -> bool {
        let Seen::Unknown { cause, .. } = self else {
            return false;
        };
        matches!(
            cause.problem,
            Problem::TimedOut
                | Problem::ConnectionLost
                | Problem::Unusable {
                    why: Unusable::CutOff,
                    ..
                }
        )
    }

    /// The reversal of a request whose outcome nobody knows.
    pub(crate) fn reversal(&self) -> Option<AdviceId> {
        match self {
            Seen::Unknown { reversal, .. } => *reversal,
            _ => None,
        }
    }

    /// Why the interface has such a request reversed: without any answer it is a timeout; an answer that
    /// began, and cannot be used, is one that is not final.
    pub(crate) fn reversal_reason(&self) -> ReversalReason {
        match self {
            Seen::Unknown { cause, .. } if cause.status().is_some() => {
                ReversalReason::ResponseNotFinal
            }
            _ => ReversalReason::Timeout,
        }
    }

    /// An ErrorDetail with another status than 501 is about the message, whatever it calls itself: a server
    /// that names TRANSACTION_NOT_SUPPORTED with it knows the operation.
    fn declined(declined: Declined) -> Self {
        let not_supported = match declined.status {
            501 => true,
            404 | 405 => declined.detail.is_none(),
            _ => false,
        };
        match not_supported {
            true => Seen::NotSupported {
                status: declined.status,
            },
            false => Seen::Declined(Box::new(declined)),
        }
    }
}

impl<R> Seen<Approved<R>> {
    /// What came of a financial request.
    pub(crate) fn of_request(outcome: Result<OrderOutcome<R>, RequestError>) -> Self {
        match outcome {
            Ok(OrderOutcome::Approved(approved)) => Seen::Answered(approved),
            Ok(OrderOutcome::Declined(declined)) => Seen::declined(declined),
            Ok(OrderOutcome::NotSent(not_sent)) => Seen::NotSent(not_sent.reason.to_string()),
            Ok(OrderOutcome::Unknown(unknown)) => Seen::Unknown {
                cause: unknown.cause,
                reversal: Some(unknown.reversal_id),
            },
            Ok(OrderOutcome::Earlier(_)) | Err(RequestError::KnownRequest { .. }) => {
                Seen::KnownRequest
            }
            Err(error) => Seen::Trouble(told(&error)),
        }
    }
}

impl<A> Seen<A> {
    /// What came of a query or an update.
    pub(crate) fn of_query(result: Result<A, QueryError>) -> Self {
        match result {
            Ok(answer) => Seen::Answered(answer),
            Err(QueryError::NotSupported { status, .. }) => Seen::NotSupported { status },
            Err(QueryError::Failed { failure, .. }) => Seen::declined(*failure),
            Err(QueryError::NotSent { source, .. }) => Seen::NotSent(source.reason.to_string()),
            Err(QueryError::Unanswered { cause, .. }) => Seen::Unknown {
                cause: *cause,
                reversal: None,
            },
            Err(error) => Seen::Trouble(told(&error)),
        }
    }
}

/// A body that is no ErrorDetail is not quoted: nobody knows what is in it.
fn declined_words(declined: &Declined) -> String {
    let status = declined.status;
    match declined.error_type() {
        Some(error_type) => format!("declined: {error_type} (HTTP {status})"),
        None => format!("declined without ErrorDetail (HTTP {status})"),
    }
}
