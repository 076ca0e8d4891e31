//! What a till says on its standard output: one line for each thing that it was told.

use std::io::Write;

use money_transfer_retailer::model::{AdviceId, RequestId};
use serde::{Deserialize, Serialize};

use super::Trouble;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Said {
    /// The queue is open.
    Opened,
    /// What the recovery found, none of which is a loss.
    Found(String),
    /// A request is about to be made.
    Requested(RequestId),
    /// It came to nothing: declined, or never sent.
    Ended(RequestId),
    /// Its outcome is unknown, and it is reversed by this advice.
    Unknown(RequestId, AdviceId),
    Approved(RequestId),
    Confirmed(RequestId, AdviceId),
    Reversed(RequestId, AdviceId),
    /// A cancellation, and the sender is refunded.
    Completed(RequestId),
    /// The opposite of an earlier decision was refused.
    OppositeRefused(RequestId),
    /// The opposite of an earlier decision was taken.
    OppositeTaken(RequestId),
    /// The queue says that the advice is settled.
    Settled(AdviceId),
    /// How many advices are pending, and being sent.
    Sample {
        pending: usize,
        in_flight: usize,
    },
    /// The wall clock moved by so many days.
    Jumped(i64),
    /// Three equal refusals suspended the delivery, and the till went on.
    Resumed,
    /// The advice of this request was refused, and is still listed.
    Rejected(RequestId),
    /// Everything is delivered but for so many.
    Drained {
        pending: usize,
    },
    /// The queue is closed.
    Closed,
    /// What should never happen.
    Trouble(String),
}

impl Said {
    /// Says it. Once this returns, it is read even if the process is killed.
    pub(crate) fn say(&self) {
        let line = serde_json::to_string(self).unwrap_or_default();
        // Nobody listens any more: the parent is gone, and this process has nothing left to do.
        if writeln!(std::io::stdout(), "{line}").is_err() {
            std::process::exit(1);
        }
    }

    pub(crate) fn read(line: &str) -> Result<Said, Trouble> {
        Ok(serde_json::from_str(line)?)
    }
}
