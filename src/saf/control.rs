//! What steers the worker beside the schedule, and what holds it up.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::ledger::Note;
use super::link::Permit;
use super::schedule::LONGEST_DELAY;
use super::{Ledger, LedgerError, RetryPolicy, Settlement};
use crate::api::Declined;
use crate::api::outcome::AdviceOutcome;
use crate::model::{ErrorType, Timestamp};

/// How many equal refusals in a row are not about the advices any more.
const EQUAL_REFUSALS: usize = 3;

/// The worker's levers and lamps.
#[derive(Debug, Default)]
pub(crate) struct Control {
    state: Mutex<State>,
    /// One at a time writes down whether delivery is suspended.
    keeping: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    is_paused: bool,
    is_quarantined: bool,
    suspension: Option<Suspension>,
    /// The newest refusals that were not about the advice, without another answer in between.
    refusals: VecDeque<Kind>,
    store: Option<StoreTrouble>,
}

/// What was tried with the queue in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// The queue on the disk does not do what it should.
#[derive(Debug)]
struct StoreTrouble {
    error: String,
    access: Access,
    /// How often in a row.
    failures: u32,
    /// When to try again.
    due_at: Instant,
}

/// What a refusal is about, where it is not about the advice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    status: u16,
    error_type: Option<ErrorType>,
}

/// Why nothing is delivered: the upstream refused several advices in a row for the same reason, and
/// that reason is not about any of them. More of the same would only reject the whole backlog.
///
/// The first of them are [rejected](crate::Advices::rejected). The others wait for
/// [`resume`](crate::Client::resume), over restarts, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Suspension {
    /// Since when.
    pub since: Timestamp,
    /// The HTTP status of the refusals.
    pub status: u16,
    /// Their `errorType`, where they had one; `***` for what is no name of an error.
    pub error_type: Option<String>,
}

impl Control {
    pub(crate) fn pause(&self) {
        self.state().is_paused = true;
    }

    /// Ends a pause, and a suspension once that is written down.
    pub(crate) async fn resume(&self, ledger: &Ledger) -> Result<(), LedgerError> {
        let _one_at_a_time = self.keeping.lock().await;
        if self.suspension().is_some() {
            ledger.keep_note(Note::Suspension, None).await?;
        }
        let mut state = self.state();
        state.is_paused = false;
        state.suspension = None;
        state.refusals.clear();
        Ok(())
    }

    /// Writes down whether delivery is suspended, as that is by then.
    pub(crate) async fn keep_suspension(&self, ledger: &Ledger) -> Result<(), LedgerError> {
        let _one_at_a_time = self.keeping.lock().await;
        let note = self.suspension();
        let note = note.and_then(|suspension| serde_json::to_vec(&suspension).ok());
        ledger.keep_note(Note::Suspension, note).await
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.state().is_paused
    }

    pub(crate) fn set_quarantined(&self, is_quarantined: bool) {
        self.state().is_quarantined = is_quarantined;
    }

    pub(crate) fn is_quarantined(&self) -> bool {
        self.state().is_quarantined
    }

    pub(crate) fn suspension(&self) -> Option<Suspension> {
        self.state().suspension.clone()
    }

    pub(crate) fn suspend(&self, suspension: Suspension) {
        self.state().suspension = Some(suspension);
    }

    /// Whether nothing is to be sent.
    pub(crate) fn is_held(&self) -> bool {
        let state = self.state();
        state.is_paused || state.is_quarantined || state.suspension.is_some()
    }

    /// Takes note that the queue failed. Returns when to try again.
    pub(crate) fn store_failed(
        &self,
        error: &LedgerError,
        access: Access,
        policy: &RetryPolicy,
    ) -> Instant {
        let mut state = self.state();
        let before = state.store.as_ref().map_or(0, |trouble| trouble.failures);
        let failures = before.saturating_add(1);
        let due_at = Instant::now() + policy.pause_after(failures).min(LONGEST_DELAY);
        state.store = Some(StoreTrouble {
            error: error.to_string(),
            access,
            failures,
            due_at,
        });
        due_at
    }

    /// The queue was read, which proves nothing about writing.
    pub(crate) fn store_is_read(&self) {
        self.state()
            .store
            .take_if(|trouble| trouble.access == Access::Read);
    }

    /// The queue was read and written.
    pub(crate) fn store_is_written(&self) {
        self.state().store = None;
    }

    /// Tries the queue again at once.
    pub(crate) fn hurry(&self) {
        if let Some(trouble) = &mut self.state().store {
            trouble.due_at = Instant::now();
        }
    }

    /// Whether the queue lets an advice be sent now, while so many are under way. One whose outcome
    /// could not be recorded would have to be sent again, so one at a time finds out.
    pub(crate) fn permit(&self, in_flight: usize) -> Permit {
        match &self.state().store {
            None => Permit::Granted,
            Some(_) if in_flight > 0 => Permit::Busy,
            Some(trouble) if trouble.due_at > Instant::now() => Permit::NotBefore(trouble.due_at),
            Some(_) => Permit::Granted,
        }
    }

    /// Why the queue cannot be read or written, if it cannot.
    pub(crate) fn store_error(&self) -> Option<String> {
        let state = self.state();
        state.store.as_ref().map(|trouble| trouble.error.clone())
    }

    /// Takes note of an answer that settles an advice: of a refusal that was not about it, or of
    /// anything else. Returns the suspension that it leads to.
    pub(crate) fn follow(&self, refusal: Option<Kind>, now: Timestamp) -> Option<Suspension> {
        let mut state = self.state();
        let Some(kind) = refusal else {
            state.refusals.clear();
            return None;
        };
        if state.refusals.back().is_some_and(|last| *last != kind) {
            state.refusals.clear();
        }
        if state.refusals.len() + 1 < EQUAL_REFUSALS {
            state.refusals.push_back(kind);
            return None;
        }
        let suspension = Suspension {
            since: now,
            status: kind.status,
            error_type: kind.error_type.map(|one| one.code().to_owned()),
        };
        state.suspension = Some(suspension.clone());
        Some(suspension)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No call above can panic half way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kind {
    /// `None` for what is no refusal, and for one that is about the advice itself.
    pub(crate) fn of(settlement: Settlement, outcome: &AdviceOutcome) -> Option<Kind> {
        match outcome {
            _ if !settlement.is_refusal() => None,
            AdviceOutcome::Refused(refusal) => Kind::of_refusal(refusal),
            // A policy took a gateway's word for a refusal.
            AdviceOutcome::Unknown(unanswered) => unanswered.status().map(|status| Kind {
                status,
                error_type: None,
            }),
            _ => None,
        }
    }

    fn of_refusal(refusal: &Declined) -> Option<Kind> {
        use ErrorType as E;
        let error_type = refusal.error_type().cloned();
        let is_about_all = match &error_type {
            None => true,
            Some(error_type) => matches!(
                error_type,
                E::FormatError
                    | E::RoutingError
                    | E::SystemError
                    | E::ProviderSystemError
                    | E::UpstreamUnavailable
                    | E::TransactionNotSupported
                    | E::TransactionNotAllowedForMerchant
                    | E::InvalidMerchant
                    // Of a policy that takes it for a refusal.
                    | E::AuthenticationError
                    | E::Other(_)
            ),
        };
        is_about_all.then_some(Kind {
            status: refusal.status,
            error_type,
        })
    }
}
