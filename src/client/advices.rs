//! Looking at the queue.

use std::time::Duration;

use super::{Core, DecisionError, LONGEST_WAIT};
use crate::saf::{AdviceRecord, DamagedRecord, LedgerPage, Transaction, TransactionRecord};

/// How many open transactions are read at a time.
const PAGE: usize = 256;

/// How many entries a list has at the most.
const LIST_LIMIT: usize = 1_000;

/// The advices of a client's queue: what was decided and is not yet settled.
#[derive(Clone, Copy)]
pub struct Advices<'a> {
    core: &'a Core,
}

/// The deadline was reached before the queue was empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{count} advices are still pending")]
#[non_exhaustive]
pub struct StillPending {
    /// How many are left.
    pub count: usize,
}

impl<'a> Advices<'a> {
    pub(super) fn new(core: &'a Core) -> Self {
        Advices { core }
    }

    /// How many advices the upstream has not yet taken.
    pub fn pending_count(&self) -> usize {
        self.core.schedule.len()
    }

    /// The advices that the upstream has not yet taken, oldest first; the first 1,000 of them.
    ///
    /// # Errors
    /// [`DecisionError::Store`] if the queue cannot be read, [`DecisionError::Closed`] after a
    /// shutdown.
    pub fn pending(&self) -> Result<Vec<AdviceRecord>, DecisionError> {
        self.list(|transaction| AdviceRecord::pending(transaction, &self.core.schedule))
    }

    /// The advices that the upstream refused or does not offer, oldest first; the first 1,000 of them.
    ///
    /// They are not sent again by themselves, and stay until somebody has looked at them;
    /// [`severity`](AdviceRecord::severity) says how urgent that is. A rejected confirmation is money that
    /// was taken, or paid out, for what does not stand.
    ///
    /// # Errors
    /// As for [`pending`](Advices::pending).
    pub fn rejected(&self) -> Result<Vec<AdviceRecord>, DecisionError> {
        self.list(|transaction| AdviceRecord::rejected(transaction, &self.core.schedule))
    }

    /// Waits until nothing is pending any more, for as long as `deadline`.
    ///
    /// # Errors
    /// [`StillPending`] says how many advices are left.
    pub async fn wait_empty(&self, deadline: Duration) -> Result<(), StillPending> {
        let emptied =
            tokio::time::timeout(deadline.min(LONGEST_WAIT), self.core.schedule.emptied()).await;
        emptied.map_err(|_| StillPending {
            count: self.pending_count(),
        })
    }

    /// The requests that wait for a decision, oldest first; the first 1,000 of them.
    ///
    /// After a restart, these are the sales that the till was in, with all it needs to finish them.
    /// Where [`in_doubt`](TransactionRecord::in_doubt) is set, damage to the queue may have taken a
    /// decision: ask the upstream first.
    ///
    /// # Errors
    /// As for [`pending`](Advices::pending).
    pub fn undecided(&self) -> Result<Vec<TransactionRecord>, DecisionError> {
        self.list(|transaction| {
            let record = || TransactionRecord::new(transaction.clone(), &self.core.schedule);
            transaction.awaits_decision().then(record)
        })
    }

    /// The records that fail their checksum, oldest first.
    ///
    /// What they held is not known any more, and nothing of them is sent: settle them with the
    /// upstream by the id of the request.
    ///
    /// # Errors
    /// As for [`pending`](Advices::pending).
    pub fn damaged(&self) -> Result<Vec<DamagedRecord>, DecisionError> {
        self.collect(|page| page.damaged)
    }

    fn list<T>(
        &self,
        mut entry: impl FnMut(&Transaction) -> Option<T>,
    ) -> Result<Vec<T>, DecisionError> {
        self.collect(|page| page.transactions.iter().filter_map(&mut entry).collect())
    }

    /// Goes through all open transactions, until the list is full.
    fn collect<T>(
        &self,
        mut entries: impl FnMut(LedgerPage) -> Vec<T>,
    ) -> Result<Vec<T>, DecisionError> {
        let mut list = Vec::new();
        let mut after = None;
        loop {
            let page = self.core.ledger.open_transactions(after, PAGE)?;
            after = page.last;
            list.extend(entries(page));
            if after.is_none() || list.len() >= LIST_LIMIT {
                list.truncate(LIST_LIMIT);
                return Ok(list);
            }
        }
    }
}
