//! At open: what an earlier process left behind is taken up again.
//!
//! - A request without an outcome is reversed: the process that sent it died before an answer.
//! - An advice without a settlement is scheduled, as one that may have been sent before.
//! - An approval without a decision waits for the till.
//! - A damaged record is reported and left where it is: [`Advices::damaged`](super::Advices::damaged).

use super::OpenError;
use crate::model::{AdviceId, ReversalReason};
use crate::saf::clock::Clock;
use crate::saf::{Draft, Event, Ledger, LedgerError, Schedule, State, Transaction};
use crate::store::StoreError;

/// How many transactions are read at a time.
const PAGE: usize = 256;

/// Takes up every open transaction of `ledger`.
pub(super) async fn recover(
    ledger: &Ledger,
    schedule: &Schedule,
    clock: &dyn Clock,
) -> Result<(), OpenError> {
    let mut after = None;
    loop {
        let page = ledger.open_transactions(after, PAGE).map_err(unreadable)?;
        for damage in &page.damaged {
            // One damaged record must not keep a till from delivering all others.
            tracing::error!(request_id = %damage.request_id, reason = %damage.reason, "record is damaged");
        }
        for transaction in &page.transactions {
            take_up(transaction, ledger, schedule, clock).await?;
        }
        match page.last {
            Some(last) => after = Some(last),
            None => return Ok(()),
        }
    }
}

async fn take_up(
    transaction: &Transaction,
    ledger: &Ledger,
    schedule: &Schedule,
    clock: &dyn Clock,
) -> Result<(), OpenError> {
    let id = transaction.request_id;
    if matches!(transaction.state, State::Sent) {
        tracing::warn!(request_id = %id, "request without an outcome is reversed");
        let draft = Draft {
            id: AdviceId::random(),
            time: clock.now(),
        };
        let event = Event::Unknown(draft, ReversalReason::Timeout);
        // The ledger puts the new reversal on the schedule.
        match ledger.apply(id, event).await {
            // One record that cannot be reversed must not keep a till from delivering all others.
            Err(error @ (LedgerError::Conflict(_) | LedgerError::UnknownRequest)) => {
                tracing::error!(request_id = %id, %error, "request is not reversed");
            }
            applied => drop(applied.map_err(unreadable)?),
        }
    } else if transaction.pending_advice().is_some() {
        schedule.add(id, transaction.sequence, true);
    }
    Ok(())
}

fn unreadable(error: LedgerError) -> OpenError {
    OpenError::Store(match error {
        LedgerError::Store(error) => error,
        unexpected => StoreError::Damaged {
            reason: unexpected.to_string(),
        },
    })
}
