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
}

impl Check for ErrorDetail {
    fn inspect(&self, rules: &mut Rules) {
        rules.required_text("errorType", self.error_type.as_str(), &[]);
        rules.required_text("errorMessage", &self.error_message, &[AT_MOST_80]);
        rules.required_text("id", &self.id, &[]);
    }
}

impl fmt::Debug for ErrorDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErrorDetail")
            .field("error_type", &self.error_type)
            .field("error_message", &without_numbers(&self.error_message))
            .field("id", &self.id)
            .field("original_id", &self.original_id)
            .field("detail_message", &self.detail_message.as_ref().map(shape))
            .field("provider_error_code", &self.provider_error_code)
            .field(
                "provider_error_message",
                &self.provider_error_message.as_deref().map(without_numbers),
            )
            .finish()
    }
}

/// The type and the message, safe to log: a long number in the message is masked.
impl fmt::Display for ErrorDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = without_numbers(&self.error_message);
        write!(f, "{}: {message}", self.error_type)
    }
}

/// The fewest digits that could be a PIN, or a part of somebody's number.
pub(crate) const LONG_NUMBER_DIGITS: usize = 4;

/// The text with `***` for every long number and every e-mail address: some servers say whose it was
/// that they did not like.
fn without_numbers(text: &str) -> String {
    let words = text.split_inclusive(char::is_whitespace);
    let without_addresses = words.map(|word| match word.contains('@') {
        true => format!("***{}", &word[word.trim_end().len()..]),
        false => word.to_owned(),
    });
    let text: String = without_addresses.collect();
    let mut shown = String::with_capacity(text.len());
    let mut rest = &text[..];
    while let Some(start) = rest.find(char::is_numeric) {
        let (length, digits) = number_at(&rest[start..]);
        let end = start + length;
        shown += &rest[..start];
        shown += match digits >= LONG_NUMBER_DIGITS {
            true => "***",
            false => &rest[start..end],
        };
        rest = &rest[end..];
    }
    shown + rest
}

/// How long the number is that `text` begins with, and how many digits it has. People write numbers
/// in groups.
fn number_at(text: &str) -> (usize, usize) {
    let (mut length, mut digits) = (0, 0);
    for (offset, one) in text.char_indices() {
        if one.is_numeric() {
            length = offset + one.len_utf8();
            digits += 1;
        } else if !is_between_groups(one) {
            break;
        }
    }
    (length, digits)
}

fn is_between_groups(one: char) -> bool {
    one.is_whitespace() || "-–./()+_".contains(one)
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
    use super::*;

    #[test]
    fn whatever_could_be_somebodys_number_or_address_is_masked() {
        for (text, shown) in [
            ("ID 8001015009087 is unknown", "ID *** is unknown"),
            ("ID 800101 5009 087.", "ID ***."),
            ("call +27 (82) 123-4567 now", "call +*** now"),
            ("82.123.4567/8", "***"),
            ("passport A1234567", "passport A***"),
            ("٨٠٠١٠١", "***"),
            ("no jo.do@example.com here", "no *** here"),
            ("tried 3 times, 12 left", "tried 3 times, 12 left"),
            ("PIN 4321 is wrong", "PIN *** is wrong"),
            ("HTTP 400: no", "HTTP 400: no"),
            ("", ""),
        ] {
            assert_eq!(without_numbers(text), shown);
        }
    }
}
