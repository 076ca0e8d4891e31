//! Sell and pay out money transfers from a till.

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
    Advices, Approved, Client, ClientBuilder, CreateOrderOutcome, DecisionError, HandedBack,
    OpenError, OrderOutcome, QueryError, QueuedAdvice, Remaining, RequestError, StillPending,
    Undecided, Unknown,
};
pub use model::{AdviceId, Operation, RequestId};
pub use saf::{
    AdviceRecord, AdviceState, Attempt, AttemptOutcome, Conflict, RetryPolicy, RetryPolicyError,
    Settlement,
};
pub use store::StoreError;
