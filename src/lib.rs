#![doc = include_str!("../README.md")]

mod api;
mod client;
pub mod model;
mod saf;
#[cfg(feature = "simulator")]
pub mod simulator;
mod store;

pub use api::{
    Credentials, Declined, HttpSetupError, NotSent, NotSentReason, Problem, Trouble, Unanswered,
    Unusable,
};
pub use client::{
    Advices, Approved, CancelOrderOutcome, Client, ClientBuilder, Confirmable, CreateOrderOutcome,
    CredentialsError, DecisionError, HandedBack, Health, Limit, Limits, OpenError, OrderOutcome,
    QueryError, QueuedAdvice, RecoveryReport, RedeemOrderOutcome, Remaining, RequestError,
    StillPending, Unknown, WaitError,
};
pub use model::{AdviceId, Operation, RequestId};
pub use saf::{
    AdviceRecord, AdviceState, Attempt, AttemptOutcome, Conflict, Correction, DamagedRecord,
    Finding, Intervention, InterventionError, LinkState, Measure, Receipt, RetryPolicy,
    RetryPolicyError, Severity, Standing, Suspension, TillReference, TransactionRecord,
};
pub use store::{ReceiptKey, StoreError};

/// How answers are read: the policies there are, and what a policy of your own needs.
pub mod policy {
    pub use crate::api::{
        AdviceMeaning, AnswerPolicy, AnsweredAdvice, AnsweredRequest, InDoubt, InterfaceTable,
        RequestMeaning,
    };
}
