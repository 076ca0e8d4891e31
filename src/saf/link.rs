//! The way to the upstream: while it is down, one advice at a time looks whether it is up again.
//!
//! ```text
//!        no connection, no answer, refused credentials,
//!        a request to be left alone, or three doubts in a row
//!   Up ──────────────────────────────────────────────────────▶ Down: one probe at a time, at the
//!      ◀────────────────────────────────────────────────────── pace of the retry policy
//!        the service's own word, in answer to any call
//! ```

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::RetryPolicy;
use super::retry_policy::as_asked;
use crate::api::{Trouble, Word};
use crate::model::Timestamp;

/// How many doubts in a row are more than one message's own bad luck.
const DOUBTS: u32 = 3;

/// The way to the upstream, as all calls of a client see it.
#[derive(Debug)]
pub(crate) struct Link {
    policy: RetryPolicy,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What was in the way last; `None` once the service has spoken.
    trouble: Option<Trouble>,
    doubts: u32,
    down: Option<Down>,
}

#[derive(Debug)]
struct Down {
    since: Timestamp,
    /// How many probes failed, the call that found it down among them.
    failures: u32,
    probe_at: Instant,
}

/// Who heard a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ear {
    /// The worker, by the answer to an advice.
    Worker,
    /// A till that asks on its own account.
    Till,
}

/// Whether an advice may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permit {
    Granted,
    /// Not before this time.
    NotBefore(Instant),
    /// Not while another one is under way.
    Busy,
}

/// Whether the upstream can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkState {
    /// As far as anybody knows.
    Up,
    /// Advices wait, but for one at a time that looks whether it is up again.
    Down {
        /// Since when.
        since: Timestamp,
        /// How many probes failed since, the call that found it down among them. What had left before counts for
        /// nothing.
        failures: u32,
        /// When the next one is due.
        next_probe_in: Duration,
    },
}

impl Link {
    pub(crate) fn new(policy: RetryPolicy) -> Link {
        Link {
            policy,
            state: Mutex::default(),
        }
    }

    /// Takes note of what a call told. Says whether the link came up by it.
    pub(crate) fn hear(&self, word: Word, ear: Ear, now: Timestamp) -> bool {
        let mut state = self.state();
        match word {
            Word::Nothing => false,
            Word::Service => {
                let was_down = state.down.is_some();
                if was_down {
                    tracing::info!("the upstream can be reached again");
                }
                *state = State::default();
                was_down
            }
            Word::Trouble(trouble, asked) => {
                state.trouble = Some(trouble);
                // What a till tries on its own account is no probe. Down, something pending must be
                // there to find out that it is up again.
                if ear == Ear::Till {
                    return false;
                }
                state.doubts = state.doubts.saturating_add(1);
                let is_clear = is_certain(trouble) || asked.is_some() || state.doubts >= DOUBTS;
                match &mut state.down {
                    Some(down) if down.is_waiting() => down.put_off(asked),
                    Some(down) => down.fail(&self.policy, asked),
                    None if is_clear => {
                        tracing::warn!(%trouble, "the upstream cannot be reached, delivery waits");
                        let mut down = Down::new(now);
                        down.fail(&self.policy, asked);
                        state.down = Some(down);
                    }
                    None => {}
                }
                false
            }
        }
    }

    /// Whether an advice may be sent now, while so many are under way.
    pub(crate) fn permit(&self, in_flight: usize) -> Permit {
        let state = self.state();
        match &state.down {
            None => Permit::Granted,
            Some(_) if in_flight > 0 => Permit::Busy,
            Some(down) if down.probe_at > Instant::now() => Permit::NotBefore(down.probe_at),
            Some(_) => Permit::Granted,
        }
    }

    /// Lets the next probe go at once.
    pub(crate) fn hurry(&self) {
        if let Some(down) = &mut self.state().down {
            down.probe_at = Instant::now();
        }
    }

    pub(crate) fn is_down(&self) -> bool {
        self.state().down.is_some()
    }

    /// What was in the way last, if the service has not spoken since.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.state().trouble
    }

    pub(crate) fn public_state(&self) -> LinkState {
        match &self.state().down {
            None => LinkState::Up,
            Some(down) => LinkState::Down {
                since: down.since,
                failures: down.failures,
                next_probe_in: down.probe_at.saturating_duration_since(Instant::now()),
            },
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No call above can panic half way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Down {
    fn new(now: Timestamp) -> Down {
        Down {
            since: now,
            failures: 0,
            probe_at: Instant::now(),
        }
    }

    /// Whether no probe is due yet, so that what fails had left before anybody knew.
    fn is_waiting(&self) -> bool {
        self.probe_at > Instant::now()
    }

    /// Leaves the other side alone for at least as long as it asked.
    fn put_off(&mut self, asked: Option<Duration>) {
        let probe_at = Instant::now() + as_asked(asked);
        self.probe_at = self.probe_at.max(probe_at);
    }

    fn fail(&mut self, policy: &RetryPolicy, asked: Option<Duration>) {
        self.failures = self.failures.saturating_add(1);
        let pause = policy.pause_as_asked(self.failures, asked);
        let now = Instant::now();
        // A pause beyond what the clock can tell ends with the word of a till.
        self.probe_at = now
            .checked_add(pause)
            .unwrap_or(now + super::schedule::LONGEST_DELAY);
    }
}

/// Whether one message is enough to know, because the next one would fare no better.
fn is_certain(trouble: Trouble) -> bool {
    matches!(
        trouble,
        Trouble::Unreachable | Trouble::Tls | Trouble::NoAnswer | Trouble::Credentials
    )
}

#[cfg(test)]
mod tests;
