//! What became of an advice: every sending of it, and how it ended.

use money_transfer_retailer::model::{ErrorType, Timestamp};
use money_transfer_retailer::{AdviceRecord, AdviceState, Attempt, AttemptOutcome, Operation};
use serde::Serialize;

use super::masking::Secrets;

/// How an advice ended, or that it did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ending {
    /// The server took it.
    Delivered,
    /// The client concluded it from an answer that is no acknowledgement.
    Inferred,
    /// The server did not take it.
    Refused,
    Pending,
}

/// The evidence of an advice.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AdviceEvidence {
    /// What the interface calls the message.
    pub(crate) schema: Option<&'static str>,
    pub(crate) ending: Ending,
    pub(crate) state: String,
    pub(crate) decided_at: Timestamp,
    /// All of them, where `attempts` holds the newest only.
    pub(crate) attempt_count: u32,
    pub(crate) attempts: Vec<AttemptEvidence>,
}

/// One sending of an advice.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AttemptEvidence {
    pub(crate) number: u32,
    pub(crate) ended_at: Timestamp,
    pub(crate) outcome: &'static str,
    pub(crate) http_status: Option<u16>,
    pub(crate) error_type: Option<String>,
    /// What the client says of an attempt without a final answer.
    pub(crate) problem: Option<String>,
}

impl AdviceEvidence {
    pub(crate) fn of(record: &AdviceRecord) -> AdviceEvidence {
        let remembered = u32::try_from(record.last_attempts.len()).unwrap_or(u32::MAX);
        let forgotten = record.attempts.saturating_sub(remembered);
        let attempts = (forgotten + 1..).zip(&record.last_attempts);
        AdviceEvidence {
            schema: schema(record.operation),
            ending: Ending::of(record.state),
            state: record.state.to_string(),
            decided_at: record.created_at,
            attempt_count: record.attempts,
            attempts: attempts
                .map(|(number, attempt)| AttemptEvidence::of(number, attempt))
                .collect(),
        }
    }
}

impl AdviceEvidence {
    /// What the client says of an attempt may come from the server.
    pub(crate) fn strike_out(&mut self, secrets: &Secrets) {
        for attempt in &mut self.attempts {
            let struck_out = |problem: &mut String| *problem = secrets.strike_out(problem);
            attempt.problem.iter_mut().for_each(struck_out);
        }
    }
}

impl AttemptEvidence {
    fn of(number: u32, attempt: &Attempt) -> AttemptEvidence {
        AttemptEvidence {
            number,
            ended_at: attempt.at,
            outcome: match attempt.outcome {
                AttemptOutcome::Accepted => "accepted",
                AttemptOutcome::Refused => "refused",
                AttemptOutcome::NotSent => "not sent",
                _ => "unknown",
            },
            http_status: attempt.status,
            error_type: error_type(attempt).map(ToString::to_string),
            problem: match attempt.outcome {
                // It quotes what the server said, and nobody knows what is in that.
                AttemptOutcome::Refused => None,
                _ => attempt.error.clone(),
            },
        }
    }
}

impl Ending {
    fn of(state: AdviceState) -> Ending {
        match state {
            AdviceState::Accepted => Ending::Delivered,
            AdviceState::NothingToReverse | AdviceState::ArrivedEarlier => Ending::Inferred,
            AdviceState::Rejected | AdviceState::NotOffered => Ending::Refused,
            _ => Ending::Pending,
        }
    }
}

/// What the interface calls the message of an advice.
pub(crate) fn schema(operation: Operation) -> Option<&'static str> {
    use Operation as O;
    match operation {
        O::ConfirmPayment | O::ConfirmRedeem => Some("MoneyTransferConfirmation"),
        O::ReversePayment | O::ReverseRedeem => Some("MoneyTransferReversal"),
        O::CancelOrderReversal => Some("MoneyTransferCancelOrderReversal"),
        _ => None,
    }
}

/// How an advice ended, in words.
pub(crate) fn ending(record: &AdviceRecord) -> String {
    match Ending::of(record.state) {
        Ending::Delivered => format!("delivered{}", answer(record)),
        Ending::Inferred => format!("inferred: {}{}", record.state, answer(record)),
        Ending::Refused | Ending::Pending => fate(record),
    }
}

/// Where an advice stands that should have been delivered, in words.
pub(crate) fn fate(record: &AdviceRecord) -> String {
    let (operation, attempts) = (record.operation, record.attempts);
    let plural = if attempts == 1 { "" } else { "s" };
    let mut words = format!(
        "{operation} {} after {attempts} attempt{plural}",
        record.state
    );
    if let Some(last) = record.last_attempts.last() {
        words += &format!(", {}", last.outcome);
        if let Some(error_type) = error_type(last) {
            words += &format!(": {error_type}");
        }
        if let Some(status) = last.status {
            words += &format!(" (HTTP {status})");
        }
    }
    words
}

/// The answer that ended it, and the attempt that it came to where it was not the first.
fn answer(record: &AdviceRecord) -> String {
    let Some(last) = record.last_attempts.last() else {
        return String::new();
    };
    let status = last.status.map(|status| format!("HTTP {status}"));
    let reason = error_type(last).map(ToString::to_string);
    let attempt = (record.attempts > 1).then(|| format!("attempt {}", record.attempts));
    let parts: Vec<String> = [reason, status, attempt].into_iter().flatten().collect();
    format!(" ({})", parts.join(", "))
}

/// Of what a server said only this is told: nobody knows what else is in it.
pub(crate) fn error_type(attempt: &Attempt) -> Option<&'static ErrorType> {
    let words = attempt.error.as_deref()?.split(" (").next()?;
    let (_status, named) = words.rsplit_once(", ")?;
    ErrorType::ALL.iter().find(|known| known.as_str() == named)
}
