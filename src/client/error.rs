//! One error for each thing a till does.

use std::path::PathBuf;

use super::Limit;
use crate::api::{Declined, HttpSetupError, NotSent, Unanswered};
use crate::model::{Operation, RequestId, Violations};
use crate::saf::{Conflict, InterventionError, LedgerError, RetryPolicyError};
use crate::store::{LockError, StoreError};

/// Why a client could not be opened. Nothing was sent, and what the queue holds is still in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A setting that has no default was left out.
    #[error("{setting} is missing: call {setting}() on the builder")]
    Missing {
        /// The builder's method.
        setting: &'static str,
    },
    /// The way to the upstream cannot be set up.
    #[error("the upstream cannot be set up")]
    Upstream(#[from] HttpSetupError),
    /// The retry policy cannot be followed.
    #[error("the retry policy cannot be followed")]
    RetryPolicy(#[from] RetryPolicyError),
    /// A default would make every message invalid.
    #[error("the defaults for originator, client, receiver and settlement entity are invalid")]
    Defaults(#[from] Violations),
    /// A time or a size of zero would give up before it began.
    #[error("{setting} is zero: nothing could ever succeed")]
    Zero {
        /// The builder's method.
        setting: &'static str,
    },
    /// A connection that is given up only with the whole exchange leaves it unknown whether anything
    /// was sent.
    #[error(
        "connect_timeout is longer than timeout: every connection that is not made in time would have to be reversed"
    )]
    ConnectTimeout,
    /// Another client owns the directory.
    #[error(
        "the queue in {path} is in use by {holder}: one queue has one owner; shut that one down, or use another directory"
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// Who owns it.
        holder: String,
    },
    /// The directory cannot be created, read or written.
    #[error(
        "the queue directory {path} cannot be used: give a directory on a local disk that this process may create and write"
    )]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The queue cannot be opened.
    #[error("the queue cannot be opened")]
    Store(#[from] StoreError),
    /// There is no runtime for the worker to run on.
    #[error("there is no tokio runtime: open the client from within one")]
    NoRuntime,
}

impl OpenError {
    /// Opening was broken off by a panic, or with its runtime.
    pub(super) fn broken_off(error: tokio::task::JoinError) -> OpenError {
        OpenError::Store(StoreError::Thread {
            reason: error.to_string(),
        })
    }
}

impl From<LockError> for OpenError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Held { path, holder } => OpenError::InUse { path, holder },
            LockError::Io { path, source } => OpenError::Directory { path, source },
        }
    }
}

/// Why a financial request has no outcome.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The request breaks the interface's rules. Nothing was sent or stored.
    #[error("{operation} {request_id} is invalid, and was not sent")]
    Invalid {
        /// The operation.
        operation: Operation,
        /// The request.
        request_id: RequestId,
        /// Every rule that it breaks.
        source: Violations,
    },
    /// The request cannot be written as JSON. Nothing was sent or stored.
    #[error("{operation} {request_id} cannot be written as JSON, and was not sent")]
    Unwritable {
        /// The operation.
        operation: Operation,
        /// The request.
        request_id: RequestId,
        /// What the JSON library says.
        source: serde_json::Error,
    },
    /// A request of another kind, for another amount or for another order has this id. Nothing was
    /// sent: use a fresh id for a new request.
    #[error("{operation} {request_id} has the id of a different request, and was not sent")]
    KnownRequest {
        /// The operation.
        operation: Operation,
        /// The request.
        request_id: RequestId,
    },
    /// A part of the till reference is too long to be stored. Nothing was sent.
    #[error(
        "{operation} {request_id} was not sent: its till reference has a {part} of more than 256 bytes"
    )]
    TillReference {
        /// The operation.
        operation: Operation,
        /// The request.
        request_id: RequestId,
        /// The part.
        part: &'static str,
    },
    /// An earlier request for this order is being reversed, and the upstream has not yet answered that: a
    /// late reversal could reopen what this request pays out. Nothing was sent. Wait for it, or insist
    /// by [`Client::despite_earlier_reversal`](crate::Client::despite_earlier_reversal).
    #[error(
        "{operation} {request_id} was not sent: the reversal of {reversed} for the same order is not settled"
    )]
    EarlierReversalPending {
        /// The operation.
        operation: Operation,
        /// The request.
        request_id: RequestId,
        /// The earlier request, whose reversal is not settled.
        reversed: RequestId,
    },
    /// What is pending has come to one of the [`limits`](crate::ClientBuilder::limits). Nothing was sent.
    #[error("{operation} {request_id} was not sent: {limit}")]
    LimitReached {
        /// The operation.
        operation: Operation,
        /// The request.
        request_id: RequestId,
        /// The limit.
        limit: Limit,
    },
    /// The queue belongs to another upstream, user or till. Nothing was sent: open the right queue, or
    /// [`adopt`](crate::Client::adopt) this one.
    #[error("{operation} {request_id} was not sent: the queue is quarantined")]
    Quarantined {
        /// The operation.
        operation: Operation,
        /// The request.
        request_id: RequestId,
    },
    /// The request could not be journaled. Nothing was sent.
    #[error("{operation} {request_id} could not be journaled, and was not sent")]
    NotJournaled {
        /// The operation.
        operation: Operation,
        /// The request.
        request_id: RequestId,
        /// What the store says.
        source: StoreError,
    },
    /// The request was sent, but its outcome could not be made durable. Take no tender: it is
    /// reversed as soon as a full disk has room again; after any other failure it is reversed, or
    /// listed as undecided, when the queue is opened again.
    #[error("the outcome of {operation} {request_id} could not be stored: take no tender")]
    OutcomeNotStored {
        /// The operation.
        operation: Operation,
        /// The request.
        request_id: RequestId,
        /// What the store says.
        source: StoreError,
    },
    /// The exchange was broken off, by a shutdown or with its runtime. Take no tender: the request is
    /// reversed, at the next open at the latest.
    #[error("{operation} {request_id} was broken off: take no tender")]
    Interrupted {
        /// The operation.
        operation: Operation,
        /// The request.
        request_id: RequestId,
    },
    /// The client was shut down. A request under way is reversed when the queue is opened again.
    #[error("the client is shut down: take no tender for {operation} {request_id}")]
    Closed {
        /// The operation.
        operation: Operation,
        /// The request.
        request_id: RequestId,
    },
}

/// Why a decision did not go through.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecisionError {
    /// The decision contradicts what stands. Nothing was changed.
    #[error(transparent)]
    Conflict(Conflict),
    /// The queue knows no request with this id.
    #[error("the queue knows no request with this id")]
    UnknownRequest,
    /// It is not known whether the decision is durable. Repeat the same one, after opening the
    /// queue again where the store asks for it.
    #[error("it is not known whether the decision is stored: open the queue again, and repeat it")]
    Store(#[source] StoreError),
    /// The disk is full, and nothing was written. Make room and repeat the decision.
    #[error("the decision is not stored: the disk is full; make room, and repeat it")]
    Full(#[source] StoreError),
    /// The queue cannot be extended for now, and nothing was written. Look after the disk, and repeat the
    /// decision.
    #[error("the decision is not stored: the queue cannot be extended; repeat it")]
    NotExtended(#[source] StoreError),
    /// The decision is longer than the queue takes, and is not stored.
    #[error("the decision is not stored: it is longer than the queue takes")]
    TooLarge(#[source] StoreError),
    /// The queue belongs to another upstream, user or till. Nothing was changed.
    #[error("the queue is quarantined: open the right one, or adopt it")]
    Quarantined,
    /// The interface knows no such reason. Nothing was changed.
    #[error("the interface knows no such reason for a reversal")]
    UnknownReason,
    /// Somebody has to answer for it, with a reason where one is asked for. Nothing was changed.
    #[error(transparent)]
    Intervention(#[from] InterventionError),
    /// The client was shut down. Open the queue again and repeat the decision.
    #[error("the client is shut down: open the queue again and repeat the decision")]
    Closed,
}

impl From<LedgerError> for DecisionError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Conflict(conflict) => DecisionError::Conflict(conflict),
            LedgerError::Store(source @ StoreError::Full { .. }) => DecisionError::Full(source),
            LedgerError::Store(source @ StoreError::NotExtended { .. }) => {
                DecisionError::NotExtended(source)
            }
            LedgerError::Store(source @ StoreError::TooLarge { .. }) => {
                DecisionError::TooLarge(source)
            }
            LedgerError::Store(source) => DecisionError::Store(source),
            LedgerError::Closed => DecisionError::Closed,
            LedgerError::UnknownRequest
            | LedgerError::KnownRequest
            | LedgerError::EarlierReversalPending { .. } => DecisionError::UnknownRequest,
        }
    }
}

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The query breaks the interface's rules. Nothing was sent.
    #[error("{operation} is invalid, and was not sent")]
    Invalid {
        /// The operation.
        operation: Operation,
        /// The id of the message, where it is one that has the id of a request.
        request_id: Option<RequestId>,
        /// Every rule that it breaks.
        source: Violations,
    },
    /// The query cannot be written as JSON. Nothing was sent.
    #[error("{operation} cannot be written as JSON, and was not sent")]
    Unwritable {
        /// The operation.
        operation: Operation,
        /// The id of the message, where it is one that has the id of a request.
        request_id: Option<RequestId>,
        /// What the JSON library says.
        source: serde_json::Error,
    },
    /// The upstream does not offer the operation.
    #[error("the upstream does not offer {operation} (HTTP status {status})")]
    NotSupported {
        /// The operation.
        operation: Operation,
        /// The id of the message, where it is one that has the id of a request.
        request_id: Option<RequestId>,
        /// The HTTP status.
        status: u16,
    },
    /// The upstream said no.
    #[error("{operation} failed: {failure}")]
    Failed {
        /// The operation.
        operation: Operation,
        /// The id of the message, where it is one that has the id of a request.
        request_id: Option<RequestId>,
        /// What the upstream says.
        failure: Box<Declined>,
    },
    /// No connection was made within the time given.
    #[error("{operation} was not sent")]
    NotSent {
        /// The operation.
        operation: Operation,
        /// The id of the message, where it is one that has the id of a request.
        request_id: Option<RequestId>,
        /// What stood in the way, the last time.
        source: NotSent,
    },
    /// No final answer came within the time given.
    #[error("{operation} has no final answer")]
    Unanswered {
        /// The operation.
        operation: Operation,
        /// The id of the message, where it is one that has the id of a request.
        request_id: Option<RequestId>,
        /// What came instead, the last time.
        #[source]
        cause: Box<Unanswered>,
    },
}
