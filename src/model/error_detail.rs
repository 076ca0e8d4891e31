//! What the service says when it says no.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::absent;
use super::check::{AT_MOST_80, Check, Rules};
use super::read::read;
use super::wire_enum::wire_enum;

/// Why a message failed: the body of an error answer to any operation, `ErrorDetail` on the wire.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, bon::Builder)]
#[serde(rename_all = "camelCase")]
#[builder(on(String, into))]
#[non_exhaustive]
pub struct ErrorDetail {
    /// `errorType`: what went wrong.
    pub error_type: ErrorType,
    /// `errorMessage`: the same in words; at most 80 characters.
    #[serde(default, deserialize_with = "absent::or_default")]
    pub error_message: String,
    /// `id`: of the message that failed. Some servers give another one where the message was malformed.
    #[serde(default, deserialize_with = "absent::or_default")]
    pub id: String,
    /// `originalId`: of the original request, when the message that failed was an advice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original_id: Option<String>,
    /// `detailMessage`: any JSON value. `Debug` shows only its shape: it may quote the message that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail_message: Option<Value>,
    /// `providerErrorCode`: the provider's own code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_error_code: Option<String>,
    /// `providerErrorMessage`: the provider's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_error_message: Option<String>,
}

impl ErrorDetail {
    /// Recognises the service's own word in the body of an error answer.
    ///
    /// Only an object whose `errorType`, `errorMessage` and `id` are all texts is one: gateways and proxies answer errors in
    /// JSON, too. A text in a wrong charset does not keep it from being recognised.
    ///
    /// A 400 and a 501 are the service's own word whatever their bodies are: those are read
    /// [leniently](ErrorDetail::of_refusal).
    #[must_use]
    pub fn recognise(body: &[u8]) -> Option<Self> {
        let body = String::from_utf8_lossy(body);
        let body = body.as_bytes();
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Evidence {
            #[serde(rename = "errorType")]
            _error_type: String,
            #[serde(rename = "errorMessage")]
            _error_message: String,
            #[serde(rename = "id")]
            _id: String,
        }
        read::<Evidence>(body)
            .ok()
            .filter(|evidence| evidence.skipped.is_empty())?;
        read(body).ok().map(|reading| reading.value)
    }

    /// Reads the body of a 400 or a 501, of which an `errorType` is enough. What else is missing is empty.
    #[must_use]
    pub fn of_refusal(body: &[u8]) -> Option<Self> {
        let body = String::from_utf8_lossy(body);
        read(body.as_bytes()).ok().map(|reading| reading.value)
    }
}

impl Check for ErrorDetail {
    fn inspect(&self, rules: &mut Rules) {
        rules.required_text("errorType", self.error_type.as_str(), &[]);
        rules.required_text("errorMessage", &self.error_message, &[AT_MOST_80]);
        rules.required_text("id", &self.id, &[]);
    }
}

/// Safe to log: codes and ids. Of all words no more than their length, as nobody knows whom they quote.
impl fmt::Debug for ErrorDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let provider_message = self.provider_error_message.as_deref();
        f.debug_struct("ErrorDetail")
            .field("error_type", &self.error_type.code())
            .field("error_message", &length(&self.error_message))
            .field("id", &id(&self.id))
            .field("original_id", &self.original_id.as_deref().map(id))
            .field("detail_message", &self.detail_message.as_ref().map(shape))
            .field("provider_error_code", &self.provider_code())
            .field("provider_error_message", &provider_message.map(length))
            .finish()
    }
}

/// Safe to log: the codes. For the words read [`error_message`](ErrorDetail::error_message).
impl fmt::Display for ErrorDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.error_type.code())?;
        match self.provider_code() {
            Some(code) => write!(f, " (provider's code {code})"),
            None => Ok(()),
        }
    }
}

impl ErrorType {
    /// The text on the wire, if it is safe to log and to keep: a server may put anybody's name there.
    pub(crate) fn code(&self) -> &str {
        code(self.as_str())
    }
}

impl ErrorDetail {
    fn provider_code(&self) -> Option<&str> {
        self.provider_error_code.as_deref().map(code)
    }
}

/// The fewest digits that could be a PIN, or a part of somebody's number.
const LONG_NUMBER_DIGITS: usize = 4;

/// What stands for what is not shown.
const MASKED: &str = "***";

/// Whether `text` is the name or the number of a kind of error, and cannot be somebody's.
fn is_a_code(text: &str) -> bool {
    const LONGEST: usize = 64;
    let is_of_a_code = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || "_-.".contains(c);
    let digits = text.chars().filter(char::is_ascii_digit).count();
    text.len() <= LONGEST && digits < LONG_NUMBER_DIGITS && text.chars().all(is_of_a_code)
}

fn code(text: &str) -> &str {
    if is_a_code(text) { text } else { MASKED }
}

fn id(text: &str) -> &str {
    match uuid::Uuid::try_parse(text) {
        Ok(_) => text,
        Err(_) => code(text),
    }
}

fn length(text: &str) -> String {
    format!("{} characters", text.chars().count())
}

fn shape(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

wire_enum! {
    /// What went wrong (`ErrorDetail_ErrorTypeEnum` on the wire).
    pub enum ErrorType {
        /// Deprecated by the interface, still to be understood.
        TransactionNotAllowedForMerchant = "TRANSACTION_NOT_ALLOWED_FOR_MERCHANT",
        /// The money has been paid out already.
        AlreadyRedeemed = "ALREADY_REDEEMED",
        PinRetriesExceeded = "PIN_RETRIES_EXCEEDED",
        IncorrectPin = "INCORRECT_PIN",
        /// The order cannot be paid out now; it may not be confirmed yet.
        UnableToRedeem = "UNABLE_TO_REDEEM",
        InvalidRedeemRef = "INVALID_REDEEM_REF",
        /// The customer's limit for the day; an unprocessed reversal may still count.
        DailyLimitExceeded = "DAILY_LIMIT_EXCEEDED",
        /// The customer's limit for the month; an unprocessed reversal may still count.
        MonthlyLimitExceeded = "MONTHLY_LIMIT_EXCEEDED",
        ProviderSystemError = "PROVIDER_SYSTEM_ERROR",
        CustomerCheckFailed = "CUSTOMER_CHECK_FAILED",
        /// The id is known already, or the opposite decision was taken.
        DuplicateRecord = "DUPLICATE_RECORD",
        FormatError = "FORMAT_ERROR",
        SystemError = "SYSTEM_ERROR",
        TransactionDeclined = "TRANSACTION_DECLINED",
        InvalidAmount = "INVALID_AMOUNT",
        RoutingError = "ROUTING_ERROR",
        TransactionNotSupported = "TRANSACTION_NOT_SUPPORTED",
        UnableToLocateRecord = "UNABLE_TO_LOCATE_RECORD",
        UpstreamUnavailable = "UPSTREAM_UNAVAILABLE",
        /// About the sender of the message, not about the message.
        AuthenticationError = "AUTHENTICATION_ERROR",
        InvalidMerchant = "INVALID_MERCHANT",
        TransactionLimitExceeded = "TRANSACTION_LIMIT_EXCEEDED",
    }
}

#[cfg(test)]
mod tests {
    use super::super::RequestId;
    use super::*;

    #[test]
    fn codes_and_ids_are_shown_and_nobodys_words() {
        let own = RequestId::random().to_string();
        let mut detail = ErrorDetail::builder()
            .error_type(ErrorType::CustomerCheckFailed)
            .error_message("Thandi Nkosi is no 8001015009087")
            .id(own.clone())
            .provider_error_code("E-91")
            .provider_error_message("ask +27 82 123 4567")
            .detail_message(Value::from(vec!["Nkosi"]))
            .build();
        assert_eq!(
            detail.to_string(),
            "CUSTOMER_CHECK_FAILED (provider's code E-91)"
        );
        let shown = format!("{detail:?}");
        assert!(shown.contains(&own) && shown.contains("32 characters"));
        for secret in ["Nkosi", "8001015009087", "4567"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        // What a server puts where codes and ids belong.
        detail.error_type = ErrorType::from("Thandi Nkosi");
        detail.id = "8001015009087".to_owned();
        detail.original_id = Some("Thandi".to_owned());
        detail.provider_error_code = Some("0821234567".to_owned());
        assert_eq!(detail.error_type.code(), MASKED);
        let shown = format!("{detail} {detail:?}");
        for secret in ["Thandi", "8001015009087", "0821234567"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
