//! Store-and-forward: every decision is durable, then repeated until a final answer.
//!
//! ```text
//!   client ──▶ Ledger ──▶ committer thread ──▶ Store
//!                              │ durable
//!                              ▼
//!                          Schedule ◀── again, later ──┐
//!                              │ due                   │
//!                              ▼                       │
//!                          Delivery ──▶ upstream ──▶ verdict ──▶ Ledger (settled)
//! ```
//!
//! 1. One thread decides, against what is durable and what it decided a moment ago: of two racing
//!    decisions one wins ([`ledger`]).
//! 2. One function says what may follow what ([`state`]).
//! 3. The worker delivers decisions and takes none ([`delivery`]).
//! 4. "In flight" is never durable: after a crash the same bytes are sent again.

mod advice;
pub(crate) mod clock;
pub(crate) mod control;
pub(crate) mod delivery;
mod findings;
mod inspection;
mod intervention;
pub(crate) mod ledger;
pub(crate) mod link;
mod pace;
mod receipt;
mod retry_policy;
#[cfg(test)]
mod sample;
mod schedule;
pub(crate) mod state;
mod verdict;

pub(crate) use advice::Settlement;
pub(crate) use advice::{Advice, Draft};
pub use advice::{Attempt, AttemptOutcome};
pub use control::Suspension;
pub use findings::Finding;
pub(crate) use findings::findings;
pub(crate) use inspection::Whereabouts;
pub use inspection::{AdviceRecord, AdviceState, Severity, Standing, TransactionRecord};
pub use intervention::{Correction, Intervention, InterventionError, Measure};
pub(crate) use intervention::{Remedy, Signature};
pub use ledger::DamagedRecord;
pub(crate) use ledger::{Ledger, LedgerError, List, Page as LedgerPage};
pub use link::LinkState;
pub use receipt::{Receipt, TillReference};
pub use retry_policy::{RetryPolicy, RetryPolicyError};
pub(crate) use schedule::{Discipline, Schedule};
pub use state::Conflict;
pub(crate) use state::{Approval, Event, State, Transaction};
