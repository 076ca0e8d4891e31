//! What steers the worker beside the schedule, and what holds it up.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::{LedgerError, Settlement};
use crate::api::Declined;
use crate::model::{ErrorType, Timestamp};

/// How many equal refusals in a row are not about the advices any more.
const EQUAL_REFUSALS: usize = 3;

/// The worker's levers and lamps.
#[derive(Debug, Default)]
pub(crate) struct Control {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    is_paused: bool,
    is_quarantined: bool,
    suspension: Option<Suspension>,
    /// The newest refusals that were not about the advice, without another answer in between.
    refusals: VecDeque<Kind>,
    store_error: Option<String>,
}

/// What a refusal is about, where it is not about the advice.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kind {
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
    /// Their `errorType`, where they had one.
    pub error_type: Option<String>,
}

impl Control {
    pub(crate) fn pause(&self) {
        self.state().is_paused = true;
    }

    pub(crate) fn resume(&self) {
        let mut state = self.state();
        state.is_paused = false;
        state.suspension = None;
        state.refusals.clear();
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

    pub(crate) fn store_failed(&self, error: &LedgerError) {
        self.state().store_error = Some(error.to_string());
    }

    pub(crate) fn store_works(&self) {
        self.state().store_error = None;
    }

    /// Why the queue cannot be read or written, if it cannot.
    pub(crate) fn store_error(&self) -> Option<String> {
        self.state().store_error.clone()
    }

    /// Takes note of an answer that settles an advice. Returns the suspension that it leads to.
    pub(crate) fn follow(
        &self,
        settlement: Settlement,
        refusal: Option<&Declined>,
        now: Timestamp,
    ) -> Option<Suspension> {
        let mut state = self.state();
        let kind = refusal
            .filter(|_| settlement.is_refusal())
            .and_then(Kind::of);
        let Some(kind) = kind else {
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
            error_type: kind.error_type.map(|one| one.as_str().to_owned()),
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
    /// `None` for a refusal that is about the advice itself.
    fn of(refusal: &Declined) -> Option<Kind> {
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
                    | E::Other(_)
            ),
        };
        is_about_all.then_some(Kind {
            status: refusal.status,
            error_type,
        })
    }
}
