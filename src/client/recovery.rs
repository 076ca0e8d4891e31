//! At open: what an earlier process left behind is taken up again.
//!
//! - A request without an outcome is reversed: the process that sent it died before an answer.
//! - An advice without a settlement is scheduled, as one that may have been sent before.
//! - An approval without a decision waits for the till.
//! - A damaged record is reported and left where it is: [`Advices::damaged`](super::Advices::damaged).
//! - A quarantined queue is counted, and nothing else.
//! - Where damage may have taken the newest states of unknown requests, none of those that wait for an
//!   outcome or a decision is touched: an older state must not be decided on as if it were the newest.

use super::{Core, OpenError};
use crate::model::{RequestId, ReversalReason};
use crate::saf::ledger::Note;
use crate::saf::{DamagedRecord, Event, Finding, LedgerError, List, State, Transaction};
use crate::store::StoreError;

/// How many transactions are read at a time.
const PAGE: usize = 256;

/// What was found when the queue was opened, and what was done about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveryReport {
    /// What was not as it should be, the worst last.
    pub findings: Vec<Finding>,
    /// How many requests had no outcome, and are reversed.
    pub reversed: usize,
    /// How many advices are still to be sent, those reversals among them.
    pub pending: usize,
    /// How many requests wait for a decision, those in doubt among them.
    pub undecided: usize,
    /// How many records are damaged.
    pub damaged: usize,
    /// Whether the queue belongs to another upstream, user or till, so that it was counted, and nothing
    /// was done at all.
    pub quarantined: bool,
}

impl RecoveryReport {
    pub(super) fn count_lost(&self) -> usize {
        let is_lost = |finding: &&Finding| matches!(finding, Finding::Lost { .. });
        self.findings.iter().filter(is_lost).count()
    }

    /// How many of these the findings do not name.
    fn count_unknown(&self, damaged: &[DamagedRecord]) -> usize {
        let is_named = |request_id| self.findings.contains(&Finding::Lost { request_id });
        damaged
            .iter()
            .filter(|one| !is_named(one.request_id))
            .count()
    }

    pub(super) fn has_unknown_losses(&self) -> bool {
        self.findings.contains(&Finding::LostUnknown)
    }
}

impl Core {
    /// Takes up every transaction without an outcome or a decision. The pending ones are on the
    /// schedule already.
    pub(super) async fn recover(&self, report: &mut RecoveryReport) -> Result<(), OpenError> {
        report.damaged = report.count_lost();
        let mut after = None;
        loop {
            let page = self.ledger.page(List::Undecided, after, PAGE);
            let page = page.map_err(unreadable)?;
            report.damaged += report.count_unknown(&page.damaged);
            for damage in &page.damaged {
                // One damaged record must not keep a till from delivering all others.
                tracing::error!(request_id = %damage.request_id, reason = %damage.reason, "record is damaged");
            }
            for transaction in &page.transactions {
                self.take_up(transaction, report).await?;
            }
            match page.last {
                Some(last) => after = Some(last),
                None => break,
            }
        }
        report.pending = self.schedule.len();
        if report.has_unknown_losses() && !report.quarantined {
            // Everything that waits is in doubt by now, and durably so.
            let drawn = self.ledger.keep_note(Note::Losses, None).await;
            drawn.map_err(unreadable)?;
        }
        Ok(())
    }

    async fn take_up(
        &self,
        transaction: &Transaction,
        report: &mut RecoveryReport,
    ) -> Result<(), OpenError> {
        let id = transaction.request_id;
        if transaction.lacks_receipt() {
            let lost = Finding::ReceiptLost { request_id: id };
            // The worst stay last.
            report.findings.insert(0, lost);
        }
        match transaction.state {
            State::Sent | State::Approved if report.quarantined => {
                report.undecided += usize::from(transaction.awaits_decision());
            }
            State::Sent | State::Approved if report.has_unknown_losses() => {
                tracing::error!(request_id = %id, "request is in doubt, and waits for a person");
                self.apply(id, Event::Doubted).await?;
                report.undecided += 1;
            }
            State::Sent if !transaction.in_doubt => {
                tracing::warn!(request_id = %id, "request without an outcome is reversed");
                let event = Event::Unknown(self.draft(), ReversalReason::Timeout);
                report.reversed += usize::from(self.apply(id, event).await?);
            }
            State::Sent | State::Approved => report.undecided += 1,
            _ => {}
        }
        Ok(())
    }

    /// Says whether the event could follow.
    async fn apply(&self, id: RequestId, event: Event) -> Result<bool, OpenError> {
        match self.ledger.apply(id, event).await {
            // One record that cannot be changed must not keep a till from delivering all others.
            Err(error @ (LedgerError::Conflict(_) | LedgerError::UnknownRequest)) => {
                tracing::error!(request_id = %id, %error, "request cannot be taken up");
                Ok(false)
            }
            applied => applied.map(|_| true).map_err(unreadable),
        }
    }
}

pub(super) fn unreadable(error: LedgerError) -> OpenError {
    OpenError::Store(match error {
        LedgerError::Store(error) => error,
        unexpected => StoreError::Damaged {
            reason: unexpected.to_string(),
        },
    })
}
