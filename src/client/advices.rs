//! Looking at the queue.

use std::time::Duration;

use super::{Core, DecisionError, LONGEST_WAIT};
use crate::model::{AdviceId, RequestId};
use crate::saf::{
    AdviceRecord, DamagedRecord, LedgerPage, List, Standing, Transaction, TransactionRecord,
};

/// How many open transactions are read at a time.
const PAGE: usize = 256;

/// How many entries a list has at the most.
const LIST_LIMIT: usize = 1_000;

/// The advices of a client's queue: what was decided and is not yet settled.
#[derive(Clone, Copy)]
pub struct Advices<'a> {
    core: &'a Core,
}

/// Why the end of an advice cannot be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The deadline was reached first. The advice is sent until it is settled all the same.
    #[error("the advice is still pending")]
    StillPending,
    /// The queue cannot be read.
    #[error(transparent)]
    Queue(#[from] DecisionError),
}

/// The deadline was reached, or the client was shut down, before the queue was empty.
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
        self.list(List::Pending, |transaction| {
            AdviceRecord::pending(transaction, self.core.whereabouts())
        })
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
        self.list(List::Refused, |transaction| {
            AdviceRecord::rejected(transaction, self.core.whereabouts())
        })
    }

    /// The advices whose end was inferred, in the order in which they ended; the newest 1,000 of those
    /// that are kept.
    ///
    /// Nobody acknowledged them: [`AdviceState::NothingToReverse`](crate::AdviceState) and
    /// [`AdviceState::ArrivedEarlier`](crate::AdviceState) say what was concluded, and from what
    /// answer. Reconcile them with the provider's statement.
    ///
    /// # Errors
    /// As for [`pending`](Advices::pending).
    pub fn inferred(&self) -> Result<Vec<AdviceRecord>, DecisionError> {
        let mut inferred = std::collections::VecDeque::new();
        self.each_page(List::Ended, |page| {
            let ended = page.transactions.iter();
            inferred.extend(
                ended.filter_map(|one| AdviceRecord::inferred(one, self.core.whereabouts())),
            );
            let excess = inferred.len().saturating_sub(LIST_LIMIT);
            inferred.drain(..excess);
            true
        })?;
        Ok(inferred.into())
    }

    /// Waits until the upstream has taken or refused the advice `id`, for as long as `deadline`, and
    /// returns what became of it; `None` if the queue knows no such advice. The last 10,000 settled ones
    /// are kept, and an advice that was [reissued](crate::Client::reissue) is known by its new id.
    ///
    /// # Errors
    /// [`WaitError::StillPending`] at the deadline; as for [`pending`](Advices::pending) otherwise.
    pub async fn wait(
        &self,
        id: AdviceId,
        deadline: Duration,
    ) -> Result<Option<AdviceRecord>, WaitError> {
        let Some(request_id) = self
            .core
            .ledger
            .request_of(id)
            .await
            .map_err(DecisionError::from)?
        else {
            return Ok(None);
        };
        let settled = self.settled(request_id);
        match tokio::time::timeout(deadline.min(LONGEST_WAIT), settled).await {
            Ok(record) => Ok(record?),
            Err(_) => Err(WaitError::StillPending),
        }
    }

    async fn settled(&self, request: RequestId) -> Result<Option<AdviceRecord>, DecisionError> {
        let mut changes = self.core.schedule.subscribe();
        loop {
            changes.mark_unchanged();
            let found = self.core.ledger.look_up(request).await?;
            let record = found.map(|one| AdviceRecord::of(&one, self.core.whereabouts()));
            match record.flatten() {
                Some(record) if record.is_pending() => {}
                settled => return Ok(settled),
            }
            // Cannot fail: the schedule lives in the core.
            let _ = changes.changed().await;
        }
    }

    /// Waits until nothing is pending any more, for as long as `deadline`, or until the client is shut
    /// down.
    ///
    /// # Errors
    /// [`StillPending`] says how many advices are left.
    pub async fn wait_empty(&self, deadline: Duration) -> Result<(), StillPending> {
        let is_closed = || self.core.ledger.is_closed();
        let emptied = self.core.schedule.emptied_or(is_closed);
        let _ = tokio::time::timeout(deadline.min(LONGEST_WAIT), emptied).await;
        match self.pending_count() {
            0 => Ok(()),
            count => Err(StillPending { count }),
        }
    }

    /// The requests that wait for a decision, oldest first; the first 1,000 of them.
    ///
    /// After a restart, these are the sales that the till was in, with all it needs to finish them.
    /// Where [`in_doubt`](TransactionRecord::in_doubt) is set, damage to the queue may have taken a
    /// decision: ask the upstream first, and take the decision again that stands there.
    ///
    /// # Errors
    /// As for [`pending`](Advices::pending).
    pub fn undecided(&self) -> Result<Vec<TransactionRecord>, DecisionError> {
        self.list(List::Undecided, |transaction| {
            let record = || TransactionRecord::new(transaction.clone(), self.core.whereabouts());
            transaction.awaits_decision().then(record)
        })
    }

    /// The requests that the upstream declined because it knows their ids already, oldest first; the first
    /// 1,000 of them.
    ///
    /// Somebody on the way may have sent the request twice, and the upstream may have approved the other
    /// copy. Nothing is done about it automatically, as the id may as well be that of a different request:
    /// look the order up, and [`reverse`](crate::Client::reverse) the request if it was this one.
    ///
    /// # Errors
    /// As for [`pending`](Advices::pending).
    pub fn duplicates(&self) -> Result<Vec<TransactionRecord>, DecisionError> {
        self.list(List::Undecided, |transaction| {
            let record = TransactionRecord::new(transaction.clone(), self.core.whereabouts());
            (record.standing == Standing::Duplicate).then_some(record)
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
        let mut damaged = Vec::new();
        for list in List::ALL {
            self.each_page(list, |page| {
                damaged.extend(page.damaged);
                damaged.len() < LIST_LIMIT
            })?;
        }
        damaged.truncate(LIST_LIMIT);
        Ok(damaged)
    }

    fn list<T>(
        &self,
        list: List,
        mut entry: impl FnMut(&Transaction) -> Option<T>,
    ) -> Result<Vec<T>, DecisionError> {
        let mut entries = Vec::new();
        self.each_page(list, |page| {
            entries.extend(page.transactions.iter().filter_map(&mut entry));
            entries.len() < LIST_LIMIT
        })?;
        entries.truncate(LIST_LIMIT);
        Ok(entries)
    }

    /// Goes through `list`, for as long as `visit` wants more.
    fn each_page(
        &self,
        list: List,
        mut visit: impl FnMut(LedgerPage) -> bool,
    ) -> Result<(), DecisionError> {
        let mut after = None;
        loop {
            let page = self.core.ledger.page(list, after, PAGE)?;
            after = page.last;
            if !visit(page) || after.is_none() {
                return Ok(());
            }
        }
    }
}
