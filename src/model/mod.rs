//! Wire types: what the messages of the Money Transfer Retailer Interface (version 2.22) look like, and nothing else.
//!
//! This room knows nobody: no network, no files, no clock, no other room. A message is made by its builder, completed
//! with what is the same in every message ([`Defaults`], [`Fill`]), checked ([`Check`]) and written as compact JSON
//! by [`serde_json`]. An answer is read by [`read()`].
//!
//! ```
//! use money_transfer_retailer::model::{Check, CreateOrderRequest, Money, PersonalDetails};
//!
//! let request = CreateOrderRequest::builder()
//!     .amount(Money::zar(79_995))
//!     .sender_details(PersonalDetails::builder().first_name("Thandi").contact_number("0821234567").build())
//!     .build();
//!
//! // The number must be international, and nobody has said yet which till this is.
//! let violations = request.check().unwrap_err();
//! assert!(violations.iter().any(|violation| violation.path() == "senderDetails.contactNumber"));
//! assert!(violations.iter().any(|violation| violation.path() == "originator"));
//! // Names and numbers cannot be printed by accident.
//! assert!(!format!("{request:?}").contains("Thandi"));
//! ```
//!
//! # Layout
//! | file | holds |
//! |---|---|
//! | `ids`, `timestamp`, `money`, `currency`, `decimal` | values that are not just text |
//! | `sensitive` | text that must not be read over somebody's shoulder |
//! | `wire_enum`, `codes` | enumerations that survive values added later |
//! | `operation` | the table of operations: names, methods, paths, kinds |
//! | `transaction` | the fields that all seven transaction messages share |
//! | `order`, `redemption`, `cancellation` | the three financial requests and their responses |
//! | `advice` | confirmation and reversal |
//! | `lookup`, `status_update`, `pin_update` | questions about an order, and news of it |
//! | `customer`, `quote`, `exchange_rate` | administration |
//! | `originator`, `person`, `account`, `pin`, `amounts`, `slip`, `third_party` | the parts of messages |
//! | `error_detail` | what the service says when it says no |
//! | `defaults`, `check` | what happens to a message before it is sent |
//! | `read`, `absent`, `whole`, `json_span` | what happens to an answer after it came |
//!
//! # Invariants
//! 1. `Debug` of every type here is safe to log: no name, number, reference, PIN or printed line shows.
//! 2. What was received and must be sent back ([`ThirdPartyIdentifiers`]) keeps its bytes.
//! 3. Reading is lenient (an approval is money: a broken decoration does not make it unreadable), checking is strict
//!    and is done on what is sent only.
//! 4. `null` and a missing field mean the same; absent fields are not written.

#![allow(
    clippy::duplicated_attributes,
    reason = "bon takes one `on(…, into)` for each type that converts"
)]

mod absent;
mod account;
mod advice;
mod amounts;
mod cancellation;
mod check;
mod codes;
mod currency;
mod customer;
mod decimal;
mod defaults;
mod error_detail;
mod exchange_rate;
mod ids;
mod json_span;
mod lookup;
mod money;
mod operation;
mod order;
mod originator;
mod person;
mod pin;
mod pin_update;
mod query;
mod quote;
mod read;
mod redemption;
mod sensitive;
mod slip;
mod status_update;
mod third_party;
mod timestamp;
mod transaction;
mod whole;
mod wire_enum;

pub use account::{Account, AccountKind};
pub use advice::{Confirmation, Reversal, ReversalReason};
pub use amounts::Amounts;
pub use cancellation::{CancelOrderRequest, CancelOrderResponse};
pub use check::{Check, Rules, Violation, Violations};
pub use codes::{AccountType, OrderStatus, PurposeOfRemittance, Relationship, TransactionType};
pub use currency::{Currency, ParseCurrencyError};
pub use customer::{AdminMessage, CustomerInfoQuery, OrderHistoryQuery, OrderHistoryResponse};
pub use decimal::{Decimal, ParseDecimalError};
pub use defaults::{Defaults, Fill};
pub use error_detail::{ErrorDetail, ErrorType};
pub use exchange_rate::{ExchangeRate, ExchangeRateQuery, ExchangeRateResponse};
pub use ids::{AdviceId, ParseIdError, RequestId};
pub use lookup::{LookupOrderQuery, LookupOrderResponse};
pub use money::{LedgerIndicator, Money};
pub use operation::{Kind, Operation, ParseOperationError};
pub use order::{CreateOrderRequest, CreateOrderResponse};
pub use originator::{Institution, Merchant, MerchantName, Originator};
pub use person::{Address, IdType, Occupation, PersonalDetails, SourceOfIncome};
pub use pin::{EncryptedPin, EncryptionParameters, PinBlockFormat};
pub use pin_update::UpdateOrderPinRequest;
pub use quote::{FeeQuote, FeeQuoteQuery, FeeQuoteRequest, FeeQuoteResponse};
pub use read::{MAX_BYTES, MAX_DEPTH, Reading, Unreadable, read};
pub use redemption::{RedeemOrderRequest, RedeemOrderResponse};
pub use sensitive::Sensitive;
pub use slip::{Barcode, SlipData, SlipLine};
pub use status_update::UpdateOrderStatusRequest;
pub use third_party::{ThirdPartyIdentifier, ThirdPartyIdentifiers};
pub use timestamp::{ParseTimestampError, Timestamp};
pub(crate) use transaction::TransactionMessage;
pub use wire_enum::UnknownValue;
