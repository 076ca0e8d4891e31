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
use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;

use super::failure::{Declined, NotSent, Problem, Unanswered, Unusable};
use super::{Answer, AnswerPolicy, AnsweredRequest, BodyEnd, NoAnswer, RequestMeaning};
use crate::model::{
    self, AdminMessage, AdviceId, ErrorDetail, ExchangeRate, FeeQuoteResponse, LookupOrderResponse,
    Money, Operation, OrderHistoryResponse, Reading, RequestId, Sensitive, TransactionMessage,
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

/// Reads the outcome of the financial request whose id is `id`, as `policy` has it.
pub(crate) fn of_request<R: ApprovalMessage>(
    result: Result<Answer, NoAnswer>,
    operation: Operation,
    id: RequestId,
    policy: &dyn AnswerPolicy,
) -> RequestOutcome<R> {
    let answer = match result {
        Ok(answer) => answer,
        Err(NoAnswer::NotSent(not_sent)) => return RequestOutcome::NotSent(not_sent),
        Err(NoAnswer::Unanswered(cause)) => return RequestOutcome::Unknown(cause),
    };
    let standing = standing_of(&answer);
    if let Standing::Success = standing {
        return match approval::<R>(&answer, &id.to_string()) {
            Ok(response) => RequestOutcome::Approved(response),
            Err(why) => RequestOutcome::Unknown(unusable(&answer, why)),
        };
    }
    let declined = Declined::of(&answer, operation, Some(id));
    let answered = AnsweredRequest {
        operation,
        status: answer.status,
        detail: declined.detail.as_ref(),
        is_service_word: matches!(standing, Standing::OwnRefusal),
    };
    match (policy.request(&answered), standing) {
        (RequestMeaning::Declined, _) => RequestOutcome::Declined(declined),
        (_, Standing::OwnDoubt) => RequestOutcome::Unknown(server_fault(&answer)),
        _ => RequestOutcome::Unknown(not_the_service(&answer)),
    }
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
        Err(NoAnswer::Unanswered(cause)) => return AdviceOutcome::Unknown(cause),
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
        Standing::OwnRefusal => AdviceOutcome::Refused(Declined::of(&answer, operation, None)),
        Standing::OwnDoubt => AdviceOutcome::Unknown(server_fault(&answer)),
        Standing::Stranger => AdviceOutcome::Unknown(not_the_service(&answer)),
    }
}

/// What answers a query, or an update.
pub(crate) trait QueryMessage: DeserializeOwned {
    /// Takes note of the parts that could not be read, where there is a place for that.
    fn note_skipped(&mut self, _paths: Vec<String>) {}
}

impl QueryMessage for () {}
impl QueryMessage for LookupOrderResponse {}
impl QueryMessage for AdminMessage {}
impl QueryMessage for FeeQuoteResponse {}
impl QueryMessage for ExchangeRate {}

impl QueryMessage for OrderHistoryResponse {
    fn note_skipped(&mut self, paths: Vec<String>) {
        self.skipped = paths;
    }
}

/// Reads the outcome of one sending of a query, or of the update `id`.
pub(crate) fn of_query<R: QueryMessage>(
    result: Result<Answer, NoAnswer>,
    operation: Operation,
    id: Option<RequestId>,
) -> QueryOutcome<R> {
    let answer = match result {
        Ok(answer) => answer,
        Err(NoAnswer::NotSent(not_sent)) => return QueryOutcome::NotSent(not_sent),
        Err(NoAnswer::Unanswered(cause)) => return QueryOutcome::Unknown(cause),
    };
    match standing_of(&answer) {
        Standing::Success => match query_answer(&answer, operation, id) {
            Ok(response) => QueryOutcome::Answered(response),
            Err(why) => QueryOutcome::Unknown(unusable(&answer, why)),
        },
        Standing::OwnRefusal if answer.status == 501 => QueryOutcome::NotSupported { status: 501 },
        Standing::OwnRefusal => QueryOutcome::Failed(Declined::of(&answer, operation, id)),
        Standing::OwnDoubt => QueryOutcome::Unknown(server_fault(&answer)),
        // Servers of an earlier version answer what they do not know like this.
        Standing::Stranger => match answer.status {
            // It may have been the service, which did not come to its reason.
            404 | 405 if answer.body_end == BodyEnd::CutOff => {
                QueryOutcome::Unknown(not_the_service(&answer))
            }
            status @ (404 | 405) => QueryOutcome::NotSupported { status },
            408 | 425 | 429 => QueryOutcome::Unknown(not_the_service(&answer)),
            400..=499 => QueryOutcome::Failed(Declined::of(&answer, operation, id)),
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

pub(super) fn error_detail(answer: &Answer) -> Option<ErrorDetail> {
    let text = text_of(answer);
    match answer.status {
        400 | 501 => ErrorDetail::of_refusal(text.as_bytes()),
        _ => ErrorDetail::recognise(text.as_bytes()),
    }
}

/// The body as text. Neither a decorative name in a wrong charset nor a byte order mark may cost an
/// approval, or hide what the service says.
fn text_of(answer: &Answer) -> Cow<'_, str> {
    let body = answer.body.strip_prefix(b"\xef\xbb\xbf");
    String::from_utf8_lossy(body.unwrap_or(&answer.body))
}

fn approval<R: ApprovalMessage>(answer: &Answer, id: &str) -> Result<R, Unusable> {
    let response: R = body_of(answer)?.value;
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

    /// Whether they name the message that was sent.
    fn name(&self, id: Option<RequestId>) -> bool {
        let named = self.id.map(|id| serde_json::from_str::<String>(id.get()));
        match (named, id) {
            (Some(Ok(named)), Some(id)) => named.eq_ignore_ascii_case(&id.to_string()),
            _ => false,
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

/// What a 204 answers has nothing to say. A body that comes with another success has to look like this
/// operation's, or name the message: a captive portal speaks JSON, too.
fn query_answer<R: QueryMessage>(
    answer: &Answer,
    operation: Operation,
    id: Option<RequestId>,
) -> Result<R, Unusable> {
    if operation.success().contains(&204) {
        check_end(answer)?;
        let text = text_of(answer);
        let signs = signs_of_success(&text)?;
        if answer.status != 204 && signs.is_some_and(|signs| !signs.name(id)) {
            check_members(&text, operation)?;
        }
        return model::read(b"null")
            .map(|reading| reading.value)
            .map_err(Unusable::Unreadable);
    }
    let mut reading: Reading<R> = body_of(answer)?;
    check_members(&text_of(answer), operation)?;
    reading.value.note_skipped(reading.skipped);
    Ok(reading.value)
}

/// Every member may be missing alone, but not all that show which operation is answered.
fn check_members(text: &str, operation: Operation) -> Result<(), Unusable> {
    let names = identifying_members(operation);
    if names.is_empty() {
        return Ok(());
    }
    let members: BTreeMap<String, Option<IgnoredAny>> =
        serde_json::from_str(text).map_err(|_| Unusable::AnotherMessage)?;
    let is_given = |name: &&str| members.get(*name).is_some_and(Option::is_some);
    match names.iter().any(is_given) {
        true => Ok(()),
        false => Err(Unusable::AnotherMessage),
    }
}

/// The members that only this operation's messages have; none where reading alone demands enough.
fn identifying_members(operation: Operation) -> &'static [&'static str] {
    match operation {
        Operation::GetCustomerInfo | Operation::CreateOrUpdateCustomer => &[
            "originator",
            "receiver",
            "customerDetails",
            "customerProfileId",
        ],
        Operation::GetFeeQuote | Operation::GetFeeQuoteByPost => {
            &["originator", "receiver", "feeQuote", "quoteId"]
        }
        Operation::GetCustomerOrderHistory => &["originator", "receiver", "orders"],
        Operation::UpdateOrderStatus => &["updateTime", "orderRedeemRef"],
        Operation::UpdateOrderPin => &["orderRedeemRef"],
        _ => &[],
    }
}

fn body_of<R: DeserializeOwned>(answer: &Answer) -> Result<Reading<R>, Unusable> {
    check_end(answer)?;
    let text = text_of(answer);
    if let Some(signs) = Signs::of(&text) {
        signs.check_no_error()?;
    }
    let reading: Reading<R> = model::read(text.as_bytes()).map_err(Unusable::Unreadable)?;
    if !reading.skipped.is_empty() {
        tracing::warn!(paths = ?reading.skipped, "left out what cannot be read of an answer");
    }
    Ok(reading)
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
pub(super) fn excerpt(answer: &Answer) -> Option<Sensitive> {
    if (200..300).contains(&answer.status) || answer.body.is_empty() {
        return None;
    }
    let end = answer.body.len().min(EXCERPT_BYTES);
    let text = String::from_utf8_lossy(&answer.body[..end]);
    Some(Sensitive::from(text.into_owned()))
}

#[cfg(test)]
mod tests;
