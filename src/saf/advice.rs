//! An advice: the stored message, what became of its attempts, and how it ended.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Transaction;
use crate::model::{
    AdviceId, Amounts, Confirmation, Money, Operation, Reversal, ReversalReason, Timestamp,
};

/// How many attempts an advice remembers one by one; all are counted.
const REMEMBERED_ATTEMPTS: usize = 16;

/// The longest error text that is remembered of an attempt.
const ERROR_CHARACTERS: usize = 300;

/// What every new advice needs that a transition must not make itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draft {
    pub(crate) id: AdviceId,
    pub(crate) time: Timestamp,
}

/// A confirmation or a reversal, as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Advice {
    pub(crate) id: AdviceId,
    pub(crate) operation: Operation,
    pub(crate) reason: Option<ReversalReason>,
    pub(crate) created_at: Timestamp,
    /// What finally stands, where a confirmation is for less than was approved.
    #[serde(default)]
    pub(crate) amount: Option<Money>,
    /// The refused advice in whose place it was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) replaces: Option<AdviceId>,
    /// The bytes that are sent, the same on every repeat.
    pub(crate) body: String,
    pub(crate) attempts: u32,
    /// Whether an attempt ended without proof that the upstream has not taken it.
    pub(crate) possibly_sent: bool,
    /// The newest attempts, oldest first.
    pub(crate) log: Vec<Attempt>,
    /// Looks at the order that settled nothing, one after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stalemate: Option<Stalemate>,
    pub(crate) settlement: Option<Settlement>,
}

/// What a look at the order found that settles nothing by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Finding {
    /// The order is not as it would be, had the advice arrived: it did not, or is still to be processed.
    SpeaksAgainstIt,
    /// The order's state was not told.
    SaysNothing,
}

/// Looks at the order that found the same one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stalemate {
    finding: Finding,
    /// When the first of them was taken, by the wall clock.
    since: Timestamp,
    times: u32,
}

impl Stalemate {
    /// What there is `after` one more look.
    pub(crate) fn after(before: Option<Stalemate>, finding: Finding, at: Timestamp) -> Stalemate {
        // A clock that was set back since then tells nothing of how long it has been.
        let same = before.filter(|one| one.finding == finding && one.since <= at);
        match same {
            Some(before) => Stalemate {
                times: before.times.saturating_add(1),
                ..before
            },
            None => Stalemate {
                finding,
                since: at,
                times: 1,
            },
        }
    }

    /// Both are asked for: an operator in a hurry tries often in a minute, and a clock that is set right
    /// skips years.
    pub(crate) fn has_lasted(self, times: u32, millis: i64, now: Timestamp) -> bool {
        let lasted = now.unix_millis().saturating_sub(self.since.unix_millis());
        self.times >= times && lasted >= millis
    }
}

/// How an advice ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub(crate) enum Settlement {
    /// The upstream took it.
    Accepted,
    /// Inferred: the request never arrived, so that there was nothing to reverse.
    NothingToReverse,
    /// Inferred: an earlier attempt had arrived, and its answer was lost.
    ArrivedEarlier,
    /// The upstream refused it. It stays in the queue for an operator to see.
    Rejected,
    /// The upstream does not offer it (501). It stays in the queue for an operator to see.
    NotOffered,
    /// The upstream refused it, and a person settled the matter in another way.
    Abandoned,
}

impl Settlement {
    /// Whether nobody acknowledged it.
    pub(crate) fn is_inferred(self) -> bool {
        matches!(
            self,
            Settlement::NothingToReverse | Settlement::ArrivedEarlier
        )
    }

    /// Whether the upstream did not take it, so that somebody has to look after it.
    pub(crate) fn is_refusal(self) -> bool {
        matches!(self, Settlement::Rejected | Settlement::NotOffered)
    }
}

/// One sending of an advice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Attempt {
    /// When its outcome was known.
    pub at: Timestamp,
    /// What it came to.
    pub outcome: AttemptOutcome,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// What went wrong. Of a refusal its status and its codes; its words may quote somebody. Behind it, what a
    /// look at the order said, where one was taken.
    pub error: Option<String>,
    /// What that look found.
    #[serde(skip)]
    pub(crate) finding: Option<Finding>,
}

/// What one sending of an advice came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AttemptOutcome {
    /// The upstream took it.
    Accepted,
    /// The upstream refused it.
    Refused,
    /// No connection was made.
    NotSent,
    /// No final answer.
    Unknown,
}

impl Advice {
    /// The confirmation of `transaction`; `None` where the interface has none.
    pub(crate) fn confirmation(
        transaction: &Transaction,
        draft: Draft,
        amount: Option<Money>,
    ) -> Result<Option<Advice>, serde_json::Error> {
        let Some(operation) = transaction.operation.confirmed_by() else {
            return Ok(None);
        };
        let message =
            Confirmation::builder()
                .id(draft.id)
                .request_id(transaction.request_id)
                .time(draft.time)
                .third_party_identifiers(transaction.identifiers.clone())
                .maybe_amounts(amount.clone().map(|approved_amount| {
                    Amounts::builder().approved_amount(approved_amount).build()
                }))
                .build();
        let body = serde_json::to_string(&message)?;
        Ok(Some(Advice {
            amount,
            ..Advice::new(operation, None, body, draft)
        }))
    }

    /// The reversal of `transaction`; `None` where the interface has none.
    pub(crate) fn reversal(
        transaction: &Transaction,
        draft: Draft,
        reason: ReversalReason,
    ) -> Result<Option<Advice>, serde_json::Error> {
        let Some(operation) = transaction.operation.reversed_by() else {
            return Ok(None);
        };
        let message = Reversal::builder()
            .id(draft.id)
            .request_id(transaction.request_id)
            .time(draft.time)
            .third_party_identifiers(transaction.identifiers.clone())
            .reversal_reason(reason.clone())
            .build();
        let body = serde_json::to_string(&message)?;
        Ok(Some(Advice::new(operation, Some(reason), body, draft)))
    }

    fn new(
        operation: Operation,
        reason: Option<ReversalReason>,
        body: String,
        draft: Draft,
    ) -> Advice {
        Advice {
            id: draft.id,
            operation,
            reason,
            created_at: draft.time,
            amount: None,
            replaces: None,
            body,
            attempts: 0,
            possibly_sent: false,
            log: Vec::new(),
            stalemate: None,
            settlement: None,
        }
    }

    /// Whether it is still to be sent.
    pub(crate) fn is_pending(&self) -> bool {
        self.settlement.is_none()
    }

    /// The same one with another end, or without one.
    pub(crate) fn ended_by(&self, settlement: Option<Settlement>) -> Advice {
        Advice {
            settlement,
            ..self.clone()
        }
    }

    /// The same one, to be tried as if nobody had ever looked at the order.
    pub(crate) fn anew(&self) -> Advice {
        Advice {
            stalemate: None,
            ..self.ended_by(None)
        }
    }

    /// Counts and remembers `attempt`.
    pub(crate) fn record(&mut self, attempt: Attempt) {
        self.attempts = self.attempts.saturating_add(1);
        self.possibly_sent |= match attempt.outcome {
            AttemptOutcome::Unknown | AttemptOutcome::Accepted => true,
            // Refused for good, it was not taken: when a person sends it again, nothing of it has arrived.
            // Refused for the time being, a copy may still be on its way.
            AttemptOutcome::Refused => self.is_pending(),
            AttemptOutcome::NotSent => false,
        };
        let found = attempt.finding;
        self.stalemate = found.map(|found| Stalemate::after(self.stalemate, found, attempt.at));
        if self.log.len() == REMEMBERED_ATTEMPTS {
            self.log.remove(0);
        }
        self.log.push(attempt);
    }
}

impl Attempt {
    /// An attempt whose outcome is known now.
    pub(crate) fn new(at: Timestamp, outcome: AttemptOutcome) -> Attempt {
        Attempt {
            at,
            outcome,
            status: None,
            error: None,
            finding: None,
        }
    }

    pub(crate) fn with_status(mut self, status: Option<u16>) -> Attempt {
        self.status = status;
        self
    }

    pub(crate) fn with_error(mut self, error: &dyn fmt::Display) -> Attempt {
        self.error = Some(error.to_string().chars().take(ERROR_CHARACTERS).collect());
        self
    }

    /// The same with what a look at the order `said` and `found`.
    pub(crate) fn with_look(self, said: &str, found: Option<Finding>) -> Attempt {
        let error = match &self.error {
            Some(error) => format!("{error}; {said}"),
            None => said.to_owned(),
        };
        Attempt {
            finding: found,
            ..self.with_error(&error)
        }
    }
}

impl fmt::Display for AttemptOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AttemptOutcome::Accepted => "accepted",
            AttemptOutcome::Refused => "refused",
            AttemptOutcome::NotSent => "not sent",
            AttemptOutcome::Unknown => "unknown",
        })
    }
}
