//! What an answer means: in doubt repeat, in doubt reverse.
//!
//! | answer | a financial request is | an advice is |
//! |---|---|---|
//! | 200, 201, 202 with a usable body | approved | delivered |
//! | 2xx with anything else | unknown | repeated |
//! | 500, 504, no answer | unknown | repeated |
//! | 400, 501 | declined | refused |
//! | another status with an `ErrorDetail` | declined | refused |
//! | 408, 425, 429 without one | unknown | repeated |
//! | another 4xx without one | declined | repeated |
//! | another status without one | unknown | repeated |
//! | a refusal that was cut off before its reason | declined | repeated |
//! | no connection was made | not sent | repeated |
//!
//! 1. An advice is settled by the service's own word alone. Proxies, gateways and load balancers
//!    answer too; obeying them loses money, while one repeat too many is harmless.
//! 2. A request that is not plainly declined is unknown, and one reversal too many is harmless.
//! 3. A body that contradicts its status (a 2xx that names an `errorType`) is a doubt.
//! 4. The body of a success is never quoted, and that of a failure is carried masked: either may
//!    echo personal data.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::{Answer, BodyEnd, NoAnswer};
use crate::model::{
    self, AdviceId, ErrorDetail, ErrorType, Money, Operation, ReversalReason, Sensitive,
    TransactionMessage,
};

/// How much of a failure's body an error quotes, in bytes.
const EXCERPT_BYTES: usize = 200;

/// The largest `thirdPartyIdentifiers` that an advice can carry, in bytes of JSON.
///
/// They are stored beside the advice and, escaped, in its body: up to three times in all, within
/// the longest value that a store takes.
pub(crate) const IDENTIFIERS_LIMIT_BYTES: usize = 12 * 1024;

/// The longest redeem reference and the longest amount, in bytes, that are kept of an approval.
pub(crate) const TEXT_LIMIT_BYTES: usize = 1024;

/// The upstream said no: final, and nothing exists there.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Declined {
    /// The HTTP status.
    pub status: u16,
    /// What the service says about it, where it says something.
    pub detail: Option<ErrorDetail>,
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

    fn of(answer: &Answer) -> Declined {
        let detail = error_detail(answer);
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
    /// How long the other side asked to be left alone (`Retry-After`, in seconds or as a date). What
    /// it says is not bounded here.
    pub retry_after: Option<Duration>,
    /// The first bytes of the body; never of a success. Masked, as a proxy's page may quote the
    /// message or its URL.
    pub excerpt: Option<Sensitive>,
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
        write!(f, "{}", self.problem)
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

    /// The other form of the redeem reference.
    fn redeem_ref_alt(&self) -> Option<&Sensitive> {
        None
    }
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
pub(crate) fn of_advice(
    result: Result<Answer, NoAnswer>,
    operation: Operation,
    id: AdviceId,
) -> AdviceOutcome {
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
        // Documented for two updates only.
        Standing::Success if answer.status == 204 => {
            AdviceOutcome::Unknown(not_the_service(&answer))
        }
        Standing::Success => match acknowledgement(&answer, operation, &id.to_string()) {
            Ok(()) => AdviceOutcome::Accepted {
                status: answer.status,
            },
            Err(why) => AdviceOutcome::Unknown(unusable(&answer, why)),
        },
        // Its reason may have been one that rejects nothing.
        Standing::OwnRefusal if is_cut_off_before_its_reason(&answer) => {
            AdviceOutcome::Unknown(not_the_service(&answer))
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
        300..=599 if error_detail(answer).is_some() => Standing::OwnRefusal,
        _ => Standing::Stranger,
    }
}

fn is_cut_off_before_its_reason(answer: &Answer) -> bool {
    answer.body_end == BodyEnd::CutOff && error_detail(answer).is_none()
}

fn error_detail(answer: &Answer) -> Option<ErrorDetail> {
    ErrorDetail::recognise(text_of(answer).as_bytes())
}

/// The body as text. Neither a decorative name in a wrong charset nor a byte order mark may cost an
/// approval, or hide what the service says.
fn text_of(answer: &Answer) -> Cow<'_, str> {
    let body = answer.body.strip_prefix(b"\xef\xbb\xbf");
    String::from_utf8_lossy(body.unwrap_or(&answer.body))
}

fn approval<R: ApprovalMessage>(answer: &Answer, id: &str) -> Result<R, Unusable> {
    let response: R = body_of(answer)?;
    if !response.message_id().eq_ignore_ascii_case(id) {
        return Err(Unusable::AnotherId);
    }
    if response.header().third_party_identifiers.as_json().len() > IDENTIFIERS_LIMIT_BYTES {
        return Err(Unusable::IdentifiersTooLarge);
    }
    let redeem_ref_bytes = response.redeem_ref().map_or(0, |text| text.expose().len());
    if redeem_ref_bytes.max(amount_bytes(response.amount())) > TEXT_LIMIT_BYTES {
        return Err(Unusable::TextTooLong);
    }
    Ok(response)
}

/// The length of an amount as it is stored: its currency may be any text.
fn amount_bytes(amount: &Money) -> usize {
    serde_json::to_vec(amount).map_or(usize::MAX, |json| json.len())
}

/// An advice is acknowledged by an empty body, or by JSON that carries no other id than its own.
///
/// A success that is not the documented one has to carry the id: a captive portal says 200, too.
fn acknowledgement(answer: &Answer, operation: Operation, id: &str) -> Result<(), Unusable> {
    check_end(answer)?;
    let is_documented = operation.success().contains(&answer.status);
    let text = text_of(answer);
    let Some(signs) = signs_of_success(&text)? else {
        return match is_documented {
            true => Ok(()),
            false => Err(Unusable::NoId),
        };
    };
    match signs.id.map(|id| serde_json::from_str::<String>(id.get())) {
        None if is_documented => Ok(()),
        None => Err(Unusable::NoId),
        Some(Ok(echoed)) if echoed.eq_ignore_ascii_case(id) => Ok(()),
        Some(_) => Err(Unusable::AnotherId),
    }
}

/// What a success says about itself, if it says anything; an error where it is no success at all.
fn signs_of_success(text: &str) -> Result<Option<Signs<'_>>, Unusable> {
    if text.trim_ascii().is_empty() {
        return Ok(None);
    }
    serde_json::from_str::<&RawValue>(text).map_err(|_| Unusable::NotJson)?;
    // A member that is there twice is ambiguous.
    let signs = Signs::of(text).ok_or(Unusable::AnotherId)?;
    signs.check_no_error()?;
    Ok(Some(signs))
}

/// What a body says about itself, whatever else it holds: numbers of any size, unknown members.
#[derive(Default, Deserialize)]
struct Signs<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow, rename = "errorType")]
    error_type: Option<&'a RawValue>,
}

impl<'a> Signs<'a> {
    /// Nothing where the text is another JSON than an object; `None` where it cannot be read.
    fn of(text: &'a str) -> Option<Signs<'a>> {
        match text.trim_ascii_start().starts_with('{') {
            true => serde_json::from_str(text).ok(),
            false => Some(Signs::default()),
        }
    }

    /// No success names an `errorType`. Not only an `ErrorDetail` contradicts its status: a cloud
    /// function behind a gateway answers its failures with 200 and an error without an id.
    fn check_no_error(&self) -> Result<(), Unusable> {
        match self.error_type {
            Some(_) => Err(Unusable::ContradictsStatus),
            None => Ok(()),
        }
    }
}

/// What a 204 answers has nothing to say, and a body that comes all the same says no more.
fn query_answer<R: DeserializeOwned>(answer: &Answer, operation: Operation) -> Result<R, Unusable> {
    if operation.success().contains(&204) {
        check_end(answer)?;
        signs_of_success(&text_of(answer))?;
        return model::read(b"null")
            .map(|reading| reading.value)
            .map_err(Unusable::Unreadable);
    }
    body_of(answer)
}

fn body_of<R: DeserializeOwned>(answer: &Answer) -> Result<R, Unusable> {
    check_end(answer)?;
    let text = text_of(answer);
    if let Some(signs) = Signs::of(&text) {
        signs.check_no_error()?;
    }
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

/// The first bytes of a failure's body; of a success only its length and type are ever told.
fn excerpt(answer: &Answer) -> Option<Sensitive> {
    if (200..300).contains(&answer.status) || answer.body.is_empty() {
        return None;
    }
    let end = answer.body.len().min(EXCERPT_BYTES);
    let text = String::from_utf8_lossy(&answer.body[..end]);
    Some(Sensitive::from(text.into_owned()))
}

#[cfg(test)]
mod tests;
