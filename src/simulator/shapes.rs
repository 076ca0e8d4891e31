//! The shapes of the messages, as far as a server looks at them: which members must be there, and of what kind.
//!
//! Members that are not named here are neither checked nor lost: they are echoed as they came.

use crate::model::Operation;

/// One member of a message: its name, its kind, and whether it must be given.
pub(super) struct Field(pub(super) &'static str, pub(super) Kind, pub(super) bool);

/// What a member has to be.
pub(super) enum Kind {
    Text,
    Integer,
    Flag,
    Time,
    Choice(&'static [&'static str]),
    Object(&'static [Field]),
    List(&'static [Field]),
}

use Kind::{Choice, Flag, Integer, List, Object, Text, Time};

const REQUIRED: bool = true;
const OPTIONAL: bool = false;

pub(super) const ID_TYPES: &[&str] = &[
    "NATIONAL_ID",
    "PASSPORT",
    "DRIVERS_LICENCE",
    "ASYLUM_DOCUMENT",
    "UNKNOWN",
];

pub(super) const STATUSES: &[&str] = &[
    "UNREDEEMED",
    "REDEEMED",
    "CANCELLED",
    "EXPIRED",
    "ON_HOLD",
    "UNCONFIRMED",
];

const REVERSAL_REASONS: &[&str] = &["TIMEOUT", "CANCELLED", "RESPONSE_NOT_FINAL"];

const INSTITUTION: &[Field] = &[Field("id", Text, REQUIRED), Field("name", Text, REQUIRED)];

const MERCHANT_NAME: &[Field] = &[
    Field("name", Text, REQUIRED),
    Field("city", Text, REQUIRED),
    Field("region", Text, REQUIRED),
    Field("country", Text, REQUIRED),
];

const MERCHANT: &[Field] = &[
    Field("merchantType", Text, REQUIRED),
    Field("merchantId", Text, REQUIRED),
    Field("merchantName", Object(MERCHANT_NAME), REQUIRED),
];

const ORIGINATOR: &[Field] = &[
    Field("institution", Object(INSTITUTION), REQUIRED),
    Field("terminalId", Text, REQUIRED),
    Field("merchant", Object(MERCHANT), REQUIRED),
    Field("operatorId", Text, OPTIONAL),
];

const AMOUNT: &[Field] = &[
    Field("amount", Integer, REQUIRED),
    Field("currency", Text, REQUIRED),
];

const AMOUNTS: &[Field] = &[
    Field("requestAmount", Object(AMOUNT), OPTIONAL),
    Field("approvedAmount", Object(AMOUNT), OPTIONAL),
    Field("feeAmount", Object(AMOUNT), OPTIONAL),
    Field("balanceAmount", Object(AMOUNT), OPTIONAL),
];

const IDENTIFIER: &[Field] = &[
    Field("institutionId", Text, REQUIRED),
    Field("transactionIdentifier", Text, OPTIONAL),
];

const PIN_PARAMETERS: &[Field] = &[
    Field("accountNumber", Text, REQUIRED),
    Field("keyIndex", Integer, OPTIONAL),
];

const PIN: &[Field] = &[
    Field("pinBlock", Text, REQUIRED),
    Field("encryptionParameters", Object(PIN_PARAMETERS), OPTIONAL),
];

const ACCOUNT: &[Field] = &[
    Field("accountId", Text, REQUIRED),
    Field("type", Text, REQUIRED),
];

const PERSON: &[Field] = &[
    Field("idNumber", Text, OPTIONAL),
    Field("idType", Choice(ID_TYPES), OPTIONAL),
    Field("idCountryCode", Text, OPTIONAL),
    Field("contactNumber", Text, OPTIONAL),
    Field("accountDetails", Object(ACCOUNT), OPTIONAL),
    Field("idIssuedDate", Time, OPTIONAL),
    Field("idExpiryDate", Time, OPTIONAL),
];

/// What createOrder, redeemOrder, cancelOrder and updateOrderPin have in common.
const TRANSACTION: &[Field] = &[
    Field("id", Text, REQUIRED),
    Field("time", Time, REQUIRED),
    Field("originator", Object(ORIGINATOR), REQUIRED),
    Field("client", Object(INSTITUTION), REQUIRED),
    Field("settlementEntity", Object(INSTITUTION), OPTIONAL),
    Field("receiver", Object(INSTITUTION), OPTIONAL),
    Field("thirdPartyIdentifiers", List(IDENTIFIER), REQUIRED),
    Field("basketRef", Text, OPTIONAL),
];

const CREATE_ORDER: &[Field] = &[
    Field("amount", Object(AMOUNT), REQUIRED),
    Field("senderDetails", Object(PERSON), REQUIRED),
    Field("recipientDetails", Object(PERSON), OPTIONAL),
    Field("pin", Object(PIN), OPTIONAL),
    Field("customerProfileId", Text, OPTIONAL),
    Field("newCustomer", Flag, OPTIONAL),
    Field("fee", Object(AMOUNT), OPTIONAL),
    Field("amounts", Object(AMOUNTS), OPTIONAL),
];

const REDEEM_ORDER: &[Field] = &[
    Field("orderRedeemRef", Text, REQUIRED),
    Field("amount", Object(AMOUNT), OPTIONAL),
    Field("pin", Object(PIN), OPTIONAL),
    Field("recipientDetails", Object(PERSON), OPTIONAL),
    Field("customerProfileId", Text, OPTIONAL),
    Field("amounts", Object(AMOUNTS), OPTIONAL),
];

const CANCEL_ORDER: &[Field] = &[
    Field("orderRedeemRef", Text, REQUIRED),
    Field("orderRedeemRefAlt", Text, OPTIONAL),
    Field("pin", Object(PIN), OPTIONAL),
    Field("idNumber", Text, OPTIONAL),
];

const ADVICE: &[Field] = &[
    Field("id", Text, REQUIRED),
    Field("requestId", Text, REQUIRED),
    Field("time", Time, REQUIRED),
    Field("thirdPartyIdentifiers", List(IDENTIFIER), REQUIRED),
    Field("amounts", Object(AMOUNTS), OPTIONAL),
];

const REVERSAL: &[Field] = &[Field("reversalReason", Choice(REVERSAL_REASONS), REQUIRED)];

const PIN_UPDATE: &[Field] = &[
    Field("pin", Object(PIN), REQUIRED),
    Field("orderRedeemRef", Text, OPTIONAL),
    Field("orderRedeemRefAlt", Text, OPTIONAL),
    Field("remittanceRef", Text, OPTIONAL),
    Field("orderId", Text, OPTIONAL),
    Field("customerProfileId", Text, OPTIONAL),
];

const STATUS_UPDATE: &[Field] = &[
    Field("updateTime", Time, REQUIRED),
    Field("status", Choice(STATUSES), REQUIRED),
    Field("statusDescription", Text, OPTIONAL),
    Field("orderRedeemRef", Text, OPTIONAL),
    Field("orderRedeemRefAlt", Text, OPTIONAL),
    Field("remittanceRef", Text, OPTIONAL),
    Field("orderId", Text, OPTIONAL),
];

const CUSTOMER: &[Field] = &[
    Field("originator", Object(ORIGINATOR), REQUIRED),
    Field("receiver", Object(INSTITUTION), REQUIRED),
    Field("customerDetails", Object(PERSON), OPTIONAL),
    Field("customerProfileId", Text, OPTIONAL),
];

const QUOTE: &[Field] = &[
    Field("originator", Object(ORIGINATOR), REQUIRED),
    Field("receiver", Object(INSTITUTION), REQUIRED),
    Field("settlementEntity", Object(INSTITUTION), OPTIONAL),
    Field("senderDetails", Object(PERSON), OPTIONAL),
    Field("recipientDetails", Object(PERSON), OPTIONAL),
    Field("amount", Object(AMOUNT), REQUIRED),
    Field("amountIncludesFees", Flag, OPTIONAL),
];

/// The members of an operation's message, in one or more parts; none for an operation without a body.
pub(super) fn of(operation: Operation) -> &'static [&'static [Field]] {
    match operation {
        Operation::CreateOrder => &[TRANSACTION, CREATE_ORDER],
        Operation::RedeemOrder => &[TRANSACTION, REDEEM_ORDER],
        Operation::CancelOrder => &[TRANSACTION, CANCEL_ORDER],
        Operation::UpdateOrderPin => &[TRANSACTION, PIN_UPDATE],
        Operation::UpdateOrderStatus => &[STATUS_UPDATE],
        Operation::ConfirmPayment | Operation::ConfirmRedeem => &[ADVICE],
        Operation::ReversePayment | Operation::ReverseRedeem | Operation::CancelOrderReversal => {
            &[ADVICE, REVERSAL]
        }
        Operation::CreateOrUpdateCustomer => &[CUSTOMER],
        Operation::GetFeeQuoteByPost => &[QUOTE],
        Operation::LookupOrder
        | Operation::GetCustomerInfo
        | Operation::GetFeeQuote
        | Operation::GetExchangeRate
        | Operation::GetCustomerOrderHistory => &[],
    }
}
