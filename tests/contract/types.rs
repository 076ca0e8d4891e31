//! Which of our types speaks which schema.

use money_transfer_retailer::model::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What a type makes of a JSON text.
pub(crate) struct Spoken {
    pub(crate) written: Value,
    pub(crate) skipped: Vec<String>,
}

pub(crate) type Speak = fn(&Value) -> Result<Spoken, Unreadable>;

/// How a schema is covered.
pub(crate) enum Cover {
    /// By a type of ours.
    Type(Speak),
    /// By an enumeration of ours, with the texts of all its values.
    Values(Speak, Vec<String>),
    /// Only as the base of others: its fields are covered there.
    BaseOf(&'static [&'static str]),
}

/// Reads and writes again.
fn speak<T: DeserializeOwned + Serialize>(json: &Value) -> Result<Spoken, Unreadable> {
    let reading = read::<T>(&serde_json::to_vec(json).unwrap())?;
    let written = serde_json::from_slice(&serde_json::to_vec(&reading.value).unwrap()).unwrap();
    Ok(Spoken {
        written,
        skipped: reading.skipped,
    })
}

fn values<T: DeserializeOwned + Serialize + ToString>(all: &[T]) -> Cover {
    Cover::Values(speak::<T>, all.iter().map(ToString::to_string).collect())
}

pub(crate) fn cover(schema: &str) -> Cover {
    match schema {
        "Account"
        | "BankAccount"
        | "IbanAccount"
        | "IfscAccount"
        | "MobileWalletAccount"
        | "SwiftAccount" => Cover::Type(speak::<Account>),
        "AccountType" => values(AccountType::ALL),
        "Account_AccountType" => values(AccountKind::ALL),
        "Address" => Cover::Type(speak::<Address>),
        "Amounts" => Cover::Type(speak::<Amounts>),
        "Barcode" => Cover::Type(speak::<Barcode>),
        "BasicAdvice" | "MoneyTransferConfirmation" => Cover::Type(speak::<Confirmation>),
        "BasicReversal" | "MoneyTransferReversal" | "MoneyTransferCancelOrderReversal" => {
            Cover::Type(speak::<Reversal>)
        }
        "BasicReversal_ReversalReason" => values(ReversalReason::ALL),
        "EncryptedPin" => Cover::Type(speak::<EncryptedPin>),
        "EncryptionParameters" => Cover::Type(speak::<EncryptionParameters>),
        "ErrorDetail" => Cover::Type(speak::<ErrorDetail>),
        "ErrorDetail_ErrorTypeEnum" => values(ErrorType::ALL),
        "ExchangeRate" => Cover::Type(speak::<ExchangeRate>),
        "FeeQuote" => Cover::Type(speak::<FeeQuote>),
        "IdType" => values(IdType::ALL),
        "Institution" => Cover::Type(speak::<Institution>),
        "LedgerAmount" => Cover::Type(speak::<Money>),
        "LedgerAmount_LedgerIndicator" => values(LedgerIndicator::ALL),
        "Merchant" => Cover::Type(speak::<Merchant>),
        "MerchantName" => Cover::Type(speak::<MerchantName>),
        "MoneyTransferAdminMessage" => Cover::Type(speak::<AdminMessage>),
        "MoneyTransferAuthRequest" => Cover::Type(speak::<CreateOrderRequest>),
        "MoneyTransferAuthResponse" => Cover::Type(speak::<CreateOrderResponse>),
        "MoneyTransferCustomerOrderHistory" => Cover::Type(speak::<OrderHistoryResponse>),
        "MoneyTransferExchangeRateResponse" => Cover::Type(speak::<ExchangeRateResponse>),
        "MoneyTransferFeeQuote" => Cover::Type(speak::<FeeQuoteResponse>),
        "MoneyTransferLookupResponse" => Cover::Type(speak::<LookupOrderResponse>),
        "MoneyTransferLookupResponse_StatusEnum" | "OrderStatus" => values(OrderStatus::ALL),
        "MoneyTransferOrderCancelRequest" => Cover::Type(speak::<CancelOrderRequest>),
        "MoneyTransferOrderCancelResponse" => Cover::Type(speak::<CancelOrderResponse>),
        "MoneyTransferOrderPinUpdateRequest" => Cover::Type(speak::<UpdateOrderPinRequest>),
        "MoneyTransferOrderStatusUpdateRequest" => Cover::Type(speak::<UpdateOrderStatusRequest>),
        "MoneyTransferQuoteRequest" => Cover::Type(speak::<FeeQuoteRequest>),
        "MoneyTransferRedeemRequest" => Cover::Type(speak::<RedeemOrderRequest>),
        "MoneyTransferRedeemResponse" => Cover::Type(speak::<RedeemOrderResponse>),
        "Occupation" => values(Occupation::ALL),
        "Originator" => Cover::Type(speak::<Originator>),
        "PersonalDetails" => Cover::Type(speak::<PersonalDetails>),
        "PinBlockFormat" => values(PinBlockFormat::ALL),
        "PurposeOfRemittance" => values(PurposeOfRemittance::ALL),
        "Relationship" => values(Relationship::ALL),
        "SlipData" => Cover::Type(speak::<SlipData>),
        "SlipLine" => Cover::Type(speak::<SlipLine>),
        "SourceOfIncome" => values(SourceOfIncome::ALL),
        "ThirdPartyIdentifier" => Cover::Type(speak::<ThirdPartyIdentifier>),
        "TranType" => values(TransactionType::ALL),
        "Transaction" => Cover::BaseOf(&[
            "MoneyTransferAuthRequest",
            "MoneyTransferAuthResponse",
            "MoneyTransferOrderCancelRequest",
            "MoneyTransferOrderCancelResponse",
            "MoneyTransferOrderPinUpdateRequest",
            "MoneyTransferRedeemRequest",
            "MoneyTransferRedeemResponse",
        ]),
        unknown => panic!("the schema {unknown} has no type"),
    }
}

/// What a sent message says about itself.
pub(crate) struct Checked {
    pub(crate) written: Value,
    pub(crate) violations: Vec<String>,
}

pub(crate) type Inspect = fn(&Value) -> Option<Checked>;

/// `None` where our type cannot even hold the message, or had to leave something out.
fn inspect<T: DeserializeOwned + Serialize + Check>(json: &Value) -> Option<Checked> {
    let reading = read::<T>(&serde_json::to_vec(json).unwrap()).ok()?;
    let violations = match reading.value.check() {
        Ok(()) => Vec::new(),
        Err(violations) => violations
            .iter()
            .map(|violation| violation.path().to_owned())
            .collect(),
    };
    let written = serde_json::to_value(&reading.value).unwrap();
    reading.skipped.is_empty().then_some(Checked {
        written,
        violations,
    })
}

/// The messages that are sent with a body.
pub(crate) const SENT: &[(&str, Inspect)] = &[
    ("MoneyTransferAuthRequest", inspect::<CreateOrderRequest>),
    ("MoneyTransferRedeemRequest", inspect::<RedeemOrderRequest>),
    (
        "MoneyTransferOrderCancelRequest",
        inspect::<CancelOrderRequest>,
    ),
    (
        "MoneyTransferOrderPinUpdateRequest",
        inspect::<UpdateOrderPinRequest>,
    ),
    (
        "MoneyTransferOrderStatusUpdateRequest",
        inspect::<UpdateOrderStatusRequest>,
    ),
    ("MoneyTransferAdminMessage", inspect::<AdminMessage>),
    ("MoneyTransferQuoteRequest", inspect::<FeeQuoteRequest>),
    ("MoneyTransferConfirmation", inspect::<Confirmation>),
    ("MoneyTransferReversal", inspect::<Reversal>),
    ("MoneyTransferCancelOrderReversal", inspect::<Reversal>),
    ("ErrorDetail", inspect::<ErrorDetail>),
];
