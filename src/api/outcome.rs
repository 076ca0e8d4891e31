//! What an answer means: in doubt repeat, in doubt reverse.
//!
//! | answer | a financial request is | an advice is |
//! |---|---|---|
//! | 200, 201, 202 with a usable body | approved | delivered |
//! | 2xx with anything else, and 204 | unknown | repeated |
//! | 500, 504, no answer | unknown | repeated |
//! | 400, 501 | declined | refused; repeated if the body was cut off |
//! | another status with an `ErrorDetail` | declined | refused |
//! | 408, 425, 429 without one | unknown | repeated |
//! | another 4xx without one | declined | repeated |
//! | another status without one | unknown | repeated |
//! | no connection was made | not sent | repeated |
//!
//! 1. An advice is settled by the service's own word alone. Proxies, gateways and load balancers
//!    answer too; obeying them loses money, while one repeat too many is harmless.
//! 2. A request that is not plainly declined is unknown, and one reversal too many is harmless.
//! 3. A body that contradicts its status (a 2xx with an `ErrorDetail`) is a doubt.
//! 4. The body of a success is never quoted: it may echo personal data.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::excerpt::excerpt;
use super::{Answer, BodyEnd, NoAnswer};
use crate::model::{
    self, AdviceId, ErrorDetail, ErrorType, Money, Operation, ReversalReason, Sensitive,
    TransactionMessage,
};

/// The largest `thirdPartyIdentifiers` that an advice can carry, in bytes of JSON.
pub(crate) const IDENTIFIERS_LIMIT_BYTES: usize = 32 * 1024;

/// The upstream said no: final, and nothing exists there.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Declined {
    /// The HTTP status.
    pub status: u16,
    /// What the service says about it, where it says something.
    pub detail: Option<ErrorDetail>,
    /// The first bytes of a body that is no `ErrorDetail`; URLs and long numbers in it are masked.
    pub excerpt: Option<String>,
}

impl Declined {
    /// The kind of error, where the service names one.
    pub fn error_type(&self) -> Option<&ErrorType> {
        self.detail.as_ref().map(|detail| &detail.error_type)
    }

    /// Whether the upstream does not offer the operation at all (501).
    pub fn is_not_supported(&self) -> bool {
        self.status == 501
    }

    fn of(answer: &Answer) -> Declined {
        let detail = ErrorDetail::recognise(&answer.body);
        Declined {
            status: answer.status,
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
        match (&self.detail, &self.excerpt) {
            (Some(detail), _) => write!(f, ", {}: {}", detail.error_type, detail.error_message),
            (None, Some(excerpt)) => write!(f, ", {excerpt:?}"),
            (None, None) => Ok(()),
        }
    }
}

/// No connection was made: the message never left, and there is nothing to reverse.
#[derive(Debug, thiserror::Error)]
#[error("not sent: {reason}")]
#[non_exhaustive]
pub struct NotSent {
    /// What stood in the way.
    pub reason: NotSentReason,
    /// What the HTTP library says about it.
    pub source: Box<dyn Error + Send + Sync>,
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
}

/// The message was sent, or may have been, and no final answer came.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Unanswered {
    /// What came instead.
    pub problem: Problem,
    /// How long the other side asked to be left alone.
    pub retry_after: Option<Duration>,
    /// The first bytes of the body, never of a success; URLs and long numbers in it are masked.
    pub excerpt: Option<String>,
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
    /// An answer whose body cannot be used.
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

/// What is wrong with the body of an answer.
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
    /// It answers another message.
    #[error("carries another id than the message that it answers")]
    AnotherId,
    /// It is an `ErrorDetail`, which contradicts the status.
    #[error("is an error, which contradicts the status")]
    ContradictsStatus,
    /// It is neither empty nor JSON.
    #[error("is neither empty nor JSON")]
    NotJson,
    /// It carries more third-party identifiers than an advice can take along.
    #[error("carries third-party identifiers beyond the limit")]
    IdentifiersTooLarge,
}

impl Unanswered {
    fn new(problem: Problem) -> Unanswered {
        Unanswered {
            problem,
            retry_after: None,
            excerpt: None,
        }
    }

    fn of(answer: &Answer, problem: Problem) -> Unanswered {
        Unanswered {
            problem,
            retry_after: answer.retry_after,
            excerpt: excerpt(answer),
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

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.problem)?;
        match &self.excerpt {
            Some(excerpt) => write!(f, " ({excerpt:?})"),
            None => Ok(()),
        }
    }
}

/// What a financial request came to.
#[derive(Debug)]
pub(crate) enum RequestOutcome<R> {
    Approved(R),
    Declined(Declined),
    NotSent(NotSent),
    Unknown(Unanswered),
}

/// What one sending of an advice came to.
#[derive(Debug)]
pub(crate) enum AdviceOutcome {
    /// The service took it.
    Accepted { status: u16 },
    /// The service's own word: no.
    Refused(Declined),
    /// It never left.
    NotSent(NotSent),
    /// No final answer.
    Unknown(Unanswered),
}

/// What one sending of a query or an update came to.
#[derive(Debug)]
pub(crate) enum QueryOutcome<R> {
    Answered(R),
    NotSupported { status: u16 },
    Failed(Declined),
    NotSent(NotSent),
    Unknown(Unanswered),
}

/// The answer that approves a financial request.
pub(crate) trait ApprovalMessage: DeserializeOwned + TransactionMessage {
    /// What is approved.
    fn amount(&self) -> &Money;

    /// The redeem reference that it gives.
    fn redeem_ref(&self) -> Option<&Sensitive>;
}

/// Reads the outcome of a financial request whose id is `id`.
pub(crate) fn of_request<R: ApprovalMessage>(
    result: Result<Answer, NoAnswer>,
    id: &str,
) -> RequestOutcome<R> {
    let answer = match result {
        Ok(answer) => answer,
        Err(NoAnswer::NotSent(not_sent)) => return RequestOutcome::NotSent(not_sent),
        Err(NoAnswer::TimedOut) => return unknown(Problem::TimedOut),
        Err(NoAnswer::ConnectionLost) => return unknown(Problem::ConnectionLost),
    };
    match standing_of(&answer) {
        Standing::Success => match approval::<R>(&answer, id) {
            Ok(response) => RequestOutcome::Approved(response),
            Err(why) => RequestOutcome::Unknown(unusable(&answer, why)),
        },
        Standing::OwnRefusal => RequestOutcome::Declined(Declined::of(&answer)),
        Standing::OwnDoubt => RequestOutcome::Unknown(server_fault(&answer)),
        // A gateway that turns a request away with a 4xx did not pass it on, except where the
        // status itself asks for the same request again.
        Standing::Stranger => match answer.status {
            408 | 425 | 429 => RequestOutcome::Unknown(not_the_service(&answer)),
            400..=499 => RequestOutcome::Declined(Declined::of(&answer)),
            _ => RequestOutcome::Unknown(not_the_service(&answer)),
        },
    }
}

fn unknown<R>(problem: Problem) -> RequestOutcome<R> {
    RequestOutcome::Unknown(Unanswered::new(problem))
}

/// Reads the outcome of one sending of the advice `id`.
pub(crate) fn of_advice(result: Result<Answer, NoAnswer>, id: AdviceId) -> AdviceOutcome {
    let answer = match result {
        Ok(answer) => answer,
        Err(NoAnswer::NotSent(not_sent)) => return AdviceOutcome::NotSent(not_sent),
        Err(NoAnswer::TimedOut) => {
            return AdviceOutcome::Unknown(Unanswered::new(Problem::TimedOut));
        }
        Err(NoAnswer::ConnectionLost) => {
            return AdviceOutcome::Unknown(Unanswered::new(Problem::ConnectionLost));
        }
    };
    match standing_of(&answer) {
        // The interface has no such answer to an advice; something on the way may have one to everything.
        Standing::Success if answer.status == 204 => {
            AdviceOutcome::Unknown(not_the_service(&answer))
        }
        Standing::Success => match acknowledgement(&answer, &id.to_string()) {
            Ok(()) => AdviceOutcome::Accepted {
                status: answer.status,
            },
            Err(why) => AdviceOutcome::Unknown(unusable(&answer, why)),
        },
        // The part that is missing may say that it is not the advice that is refused.
        Standing::OwnRefusal if answer.body_end == BodyEnd::CutOff => {
            AdviceOutcome::Unknown(unusable(&answer, Unusable::CutOff))
        }
        Standing::OwnRefusal => AdviceOutcome::Refused(Declined::of(&answer)),
        Standing::OwnDoubt => AdviceOutcome::Unknown(server_fault(&answer)),
        Standing::Stranger => AdviceOutcome::Unknown(not_the_service(&answer)),
    }
}

/// Reads the outcome of one sending of a query or an update.
pub(crate) fn of_query<R: DeserializeOwned>(
    result: Result<Answer, NoAnswer>,
    operation: Operation,
) -> QueryOutcome<R> {
    let answer = match result {
        Ok(answer) => answer,
        Err(NoAnswer::NotSent(not_sent)) => return QueryOutcome::NotSent(not_sent),
        Err(NoAnswer::TimedOut) => {
            return QueryOutcome::Unknown(Unanswered::new(Problem::TimedOut));
        }
        Err(NoAnswer::ConnectionLost) => {
            return QueryOutcome::Unknown(Unanswered::new(Problem::ConnectionLost));
        }
    };
    match standing_of(&answer) {
        Standing::Success => match query_answer(&answer, operation) {
            Ok(response) => QueryOutcome::Answered(response),
            Err(why) => QueryOutcome::Unknown(unusable(&answer, why)),
        },
        Standing::OwnRefusal if answer.status == 501 => QueryOutcome::NotSupported { status: 501 },
        Standing::OwnRefusal => QueryOutcome::Failed(Declined::of(&answer)),
        Standing::OwnDoubt => QueryOutcome::Unknown(server_fault(&answer)),
        // Servers of an earlier version answer what they do not know like this.
        Standing::Stranger => match answer.status {
            status @ (404 | 405) => QueryOutcome::NotSupported { status },
            408 | 425 | 429 => QueryOutcome::Unknown(not_the_service(&answer)),
            400..=499 => QueryOutcome::Failed(Declined::of(&answer)),
            _ => QueryOutcome::Unknown(not_the_service(&answer)),
        },
    }
}

/// Who speaks, and what the status says.
enum Standing {
    /// A 2xx that the interface documents; the body has yet to bear it out.
    Success,
    /// The service's own no.
    OwnRefusal,
    /// The service's own "I do not know".
    OwnDoubt,
    /// Not recognisably the service.
    Stranger,
}

fn standing_of(answer: &Answer) -> Standing {
    match answer.status {
        200 | 201 | 202 | 204 => Standing::Success,
        500 | 504 => Standing::OwnDoubt,
        400 | 501 => Standing::OwnRefusal,
        300..=599 if ErrorDetail::recognise(&answer.body).is_some() => Standing::OwnRefusal,
        _ => Standing::Stranger,
    }
}

fn approval<R: ApprovalMessage>(answer: &Answer, id: &str) -> Result<R, Unusable> {
    let response: R = body_of(answer)?;
    if !response.message_id().eq_ignore_ascii_case(id) {
        return Err(Unusable::AnotherId);
    }
    if response.header().third_party_identifiers.as_json().len() > IDENTIFIERS_LIMIT_BYTES {
        return Err(Unusable::IdentifiersTooLarge);
    }
    Ok(response)
}

/// An advice is acknowledged by an empty body, or by JSON that carries no other id than its own.
fn acknowledgement(answer: &Answer, id: &str) -> Result<(), Unusable> {
    let body = empty_or_json(answer)?;
    match body.get("id") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(echoed)) if echoed.eq_ignore_ascii_case(id) => Ok(()),
        Some(_) => Err(Unusable::AnotherId),
    }
}

/// What a 204 answers has nothing to say, and a body that comes all the same says no more.
fn query_answer<R: DeserializeOwned>(answer: &Answer, operation: Operation) -> Result<R, Unusable> {
    if operation.success().contains(&204) {
        empty_or_json(answer)?;
        return model::read(b"null")
            .map(|reading| reading.value)
            .map_err(Unusable::Unreadable);
    }
    body_of(answer)
}

/// The body, `null` where it is empty.
fn empty_or_json(answer: &Answer) -> Result<Value, Unusable> {
    check_end(answer)?;
    check_no_error_detail(answer)?;
    if answer.body.trim_ascii().is_empty() {
        return Ok(Value::Null);
    }
    let text = String::from_utf8_lossy(&answer.body);
    let reading = model::read(text.as_bytes()).map_err(|_| Unusable::NotJson)?;
    Ok(reading.value)
}

fn body_of<R: DeserializeOwned>(answer: &Answer) -> Result<R, Unusable> {
    check_end(answer)?;
    check_no_error_detail(answer)?;
    // A decorative name in a wrong charset must not cost an approval.
    let text = String::from_utf8_lossy(&answer.body);
    let reading = model::read(text.as_bytes()).map_err(Unusable::Unreadable)?;
    if !reading.skipped.is_empty() {
        tracing::warn!(paths = ?reading.skipped, "left out what cannot be read of an answer");
    }
    Ok(reading.value)
}

fn check_end(answer: &Answer) -> Result<(), Unusable> {
    match answer.body_end {
        BodyEnd::Complete => Ok(()),
        BodyEnd::CutOff => Err(Unusable::CutOff),
        BodyEnd::TooLarge => Err(Unusable::TooLarge),
    }
}

fn check_no_error_detail(answer: &Answer) -> Result<(), Unusable> {
    match ErrorDetail::recognise(&answer.body) {
        Some(_) => Err(Unusable::ContradictsStatus),
        None => Ok(()),
    }
}

fn unusable(answer: &Answer, why: Unusable) -> Unanswered {
    let content_type = answer.content_type.as_deref();
    Unanswered::of(
        answer,
        Problem::Unusable {
            status: answer.status,
            length_bytes: answer.body.len(),
            content_type: content_type.unwrap_or("no content type").to_owned(),
            why,
        },
    )
}

fn server_fault(answer: &Answer) -> Unanswered {
    let status = answer.status;
    Unanswered::of(answer, Problem::ServerFault { status })
}

fn not_the_service(answer: &Answer) -> Unanswered {
    let status = answer.status;
    Unanswered::of(answer, Problem::NotTheService { status })
}
