//! The shapes of the messages, as far as a server looks at them: which members must be there, and of what kind.
//!
//! The choices are those of the model, so that there is one list of each. Members that are not named here are not looked
//! at, and not repeated in an approval.

use crate::model::{
    AccountKind, AccountType, IdType, LedgerIndicator, Occupation, Operation, OrderStatus,
    PinBlockFormat, PurposeOfRemittance, Relationship, ReversalReason, SourceOfIncome,
    TransactionType,
};

/// One member of a message: its name, its kind, and whether it must be given.
pub(super) struct Field(pub(super) &'static str, pub(super) Kind, pub(super) bool);

/// What a member has to be.
pub(super) enum Kind {
    Text,
    Integer,
    Number,
    Flag,
    Time,
    /// Text that the function knows.
    Choice(fn(&str) -> bool),
    Object(&'static [Field]),
    List(&'static [Field]),
    /// An object whose members have names of their own, each of the same shape.
    Named(&'static [Field]),
}

use Kind::{Choice, Flag, Integer, List, Named, Number, Object, Text, Time};

const REQUIRED: bool = true;
const OPTIONAL: bool = false;

const ACCOUNT_TYPE: Kind = Choice(|text| one_of(AccountType::ALL, text));
const TRANSACTION_TYPE: Kind = Choice(|text| one_of(TransactionType::ALL, text));

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
    Field(
        "ledgerIndicator",
        Choice(|text| one_of(LedgerIndicator::ALL, text)),
        OPTIONAL,
    ),
];

const AMOUNTS: &[Field] = &[
    Field("requestAmount", Object(AMOUNT), OPTIONAL),
    Field("approvedAmount", Object(AMOUNT), OPTIONAL),
    Field("feeAmount", Object(AMOUNT), OPTIONAL),
    Field("balanceAmount", Object(AMOUNT), OPTIONAL),
    Field("additionalAmounts", Named(AMOUNT), OPTIONAL),
];

const IDENTIFIER: &[Field] = &[
    Field("institutionId", Text, REQUIRED),
    Field("transactionIdentifier", Text, OPTIONAL),
];

const BARCODE: &[Field] = &[
    Field("data", Text, REQUIRED),
    Field("encoding", Text, OPTIONAL),
];

const SLIP_LINE: &[Field] = &[
    Field("text", Text, REQUIRED),
    Field("barcode", Object(BARCODE), OPTIONAL),
    Field("fontWidthScaleFactor", Number, OPTIONAL),
    Field("fontHeightScaleFactor", Number, OPTIONAL),
    Field("line", Flag, OPTIONAL),
    Field("cut", Flag, OPTIONAL),
];

const SLIP: &[Field] = &[
    Field("messageLines", List(SLIP_LINE), OPTIONAL),
    Field("slipWidth", Integer, OPTIONAL),
    Field("issuerReference", Text, OPTIONAL),
];

const PIN_PARAMETERS: &[Field] = &[
    Field(
        "pinBlockFormat",
        Choice(|text| one_of(PinBlockFormat::ALL, text)),
        OPTIONAL,
    ),
    Field("accountNumber", Text, REQUIRED),
    Field("keyIndex", Integer, OPTIONAL),
];

const PIN: &[Field] = &[
    Field("pinBlock", Text, REQUIRED),
    Field("encryptionParameters", Object(PIN_PARAMETERS), OPTIONAL),
];

const ACCOUNT: &[Field] = &[
    Field("accountId", Text, REQUIRED),
    Field(
        "type",
        Choice(|text| one_of(AccountKind::ALL, text)),
        REQUIRED,
    ),
    Field("routingCode", Text, OPTIONAL),
    Field("region", Text, OPTIONAL),
    Field("ifscCode", Text, OPTIONAL),
    Field("swiftCode", Text, OPTIONAL),
];

const ADDRESS: &[Field] = &[
    Field("addressLine1", Text, OPTIONAL),
    Field("addressLine2", Text, OPTIONAL),
    Field("city", Text, OPTIONAL),
    Field("province", Text, OPTIONAL),
    Field("country", Text, OPTIONAL),
    Field("postCode", Text, OPTIONAL),
];

const PERSON: &[Field] = &[
    Field("firstName", Text, OPTIONAL),
    Field("lastName", Text, OPTIONAL),
    Field("culturalName", Text, OPTIONAL),
    Field("address", Object(ADDRESS), OPTIONAL),
    Field("idNumber", Text, OPTIONAL),
    Field("idType", Choice(is_id_type), OPTIONAL),
    Field("idCountryCode", Text, OPTIONAL),
    Field("nationality", Text, OPTIONAL),
    Field("countryOfBirth", Text, OPTIONAL),
    Field("dateOfBirth", Text, OPTIONAL),
    Field("contactNumber", Text, OPTIONAL),
    Field("altContactWork", Text, OPTIONAL),
    Field("altContactHome", Text, OPTIONAL),
    Field("email", Text, OPTIONAL),
    Field(
        "sourceOfIncome",
        Choice(|text| one_of(SourceOfIncome::ALL, text)),
        OPTIONAL,
    ),
    Field(
        "occupation",
        Choice(|text| one_of(Occupation::ALL, text)),
        OPTIONAL,
    ),
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
    Field("slipData", Object(SLIP), OPTIONAL),
    Field("basketRef", Text, OPTIONAL),
    Field("tranType", TRANSACTION_TYPE, OPTIONAL),
    Field("srcAccType", ACCOUNT_TYPE, OPTIONAL),
    Field("destAccType", ACCOUNT_TYPE, OPTIONAL),
    Field("stan", Text, OPTIONAL),
    Field("rrn", Text, OPTIONAL),
];

const CREATE_ORDER: &[Field] = &[
    Field("amount", Object(AMOUNT), REQUIRED),
    Field("senderDetails", Object(PERSON), REQUIRED),
    Field("recipientDetails", Object(PERSON), OPTIONAL),
    Field("pin", Object(PIN), OPTIONAL),
    Field("customerProfileId", Text, OPTIONAL),
    Field("newCustomer", Flag, OPTIONAL),
    Field("fee", Object(AMOUNT), OPTIONAL),
    Field("quoteId", Text, OPTIONAL),
    Field(
        "purposeOfRemittance",
        Choice(|text| one_of(PurposeOfRemittance::ALL, text)),
        OPTIONAL,
    ),
    Field(
        "recipientRelationship",
        Choice(|text| one_of(Relationship::ALL, text)),
        OPTIONAL,
    ),
    Field("amounts", Object(AMOUNTS), OPTIONAL),
];

const REDEEM_ORDER: &[Field] = &[
    Field("orderRedeemRef", Text, REQUIRED),
    Field("amount", Object(AMOUNT), OPTIONAL),
    Field("pin", Object(PIN), OPTIONAL),
    Field("recipientDetails", Object(PERSON), OPTIONAL),
    Field("customerProfileId", Text, OPTIONAL),
    Field("cashierComment", Text, OPTIONAL),
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
    Field("stan", Text, OPTIONAL),
    Field("rrn", Text, OPTIONAL),
    Field("amounts", Object(AMOUNTS), OPTIONAL),
];

const REVERSAL: &[Field] = &[Field(
    "reversalReason",
    Choice(|text| one_of(ReversalReason::ALL, text)),
    REQUIRED,
)];

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
    Field("status", Choice(is_status), REQUIRED),
    Field("statusDescription", Text, OPTIONAL),
    Field("originator", Object(ORIGINATOR), OPTIONAL),
    Field("client", Object(INSTITUTION), OPTIONAL),
    Field("settlementEntity", Object(INSTITUTION), OPTIONAL),
    Field("receiver", Object(INSTITUTION), OPTIONAL),
    Field("thirdPartyIdentifiers", List(IDENTIFIER), OPTIONAL),
    Field("slipData", Object(SLIP), OPTIONAL),
    Field("basketRef", Text, OPTIONAL),
    Field("tranType", TRANSACTION_TYPE, OPTIONAL),
    Field("srcAccType", ACCOUNT_TYPE, OPTIONAL),
    Field("destAccType", ACCOUNT_TYPE, OPTIONAL),
    Field("stan", Text, OPTIONAL),
    Field("rrn", Text, OPTIONAL),
    Field("amount", Object(AMOUNT), OPTIONAL),
    Field("senderDetails", Object(PERSON), OPTIONAL),
    Field("customerProfileId", Text, OPTIONAL),
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

/// Whether the text is one of the kinds of identity document.
pub(super) fn is_id_type(text: &str) -> bool {
    one_of(IdType::ALL, text)
}

/// Whether the text is one of the states of an order.
pub(super) fn is_status(text: &str) -> bool {
    one_of(OrderStatus::ALL, text)
}

fn one_of<C: PartialEq + for<'a> From<&'a str>>(all: &[C], text: &str) -> bool {
    all.contains(&C::from(text))
}
