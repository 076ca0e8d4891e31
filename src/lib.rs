#![doc = include_str!("../README.md")]

mod api;
mod client;
pub mod model;
mod saf;
#[cfg(feature = "simulator")]
pub mod simulator;
mod store;

pub use api::{
    Credentials, Declined, HttpSetupError, NotSent, NotSentReason, Problem, Unanswered, Unusable,
};
pub use client::{
    Advices, Approved, CancelOrderOutcome, Client, ClientBuilder, Confirmable, CreateOrderOutcome,
    DecisionError, HandedBack, OpenError, OrderOutcome, QueryError, QueuedAdvice, RecoveryReport,
    RedeemOrderOutcome, Remaining, RequestError, StillPending, Unknown,
};
pub use model::{AdviceId, Operation, RequestId};
pub use saf::{
    AdviceRecord, AdviceState, Attempt, AttemptOutcome, Conflict, DamagedRecord, Finding, Receipt,
    RetryPolicy, RetryPolicyError, Severity, Standing, TillReference, TransactionRecord,
};
pub use store::{ReceiptKey, StoreError};
