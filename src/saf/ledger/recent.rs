//! The transactions that changed last, as they are durable: who decides on them does not have to ask
//! the store, whose index may be slow, or stand still.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::super::Transaction;
use crate::model::RequestId;

/// How many changes are remembered.
const CAPACITY: u64 = 1_024;

/// What the last changes made of the transactions that they changed.
#[derive(Debug, Default)]
pub(super) struct Recent {
    transactions: HashMap<RequestId, Changed>,
    changes: VecDeque<(u64, RequestId)>,
    /// How many changes there were.
    count: u64,
}

#[derive(Debug)]
struct Changed {
    by: u64,
    transaction: Arc<Transaction>,
}

/// A transaction as it was when the ledger had seen so many changes, or later.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) transaction: Option<Arc<Transaction>>,
    pub(super) changes: u64,
}

impl Recent {
    pub(super) fn remember(&mut self, transaction: &Arc<Transaction>) {
        let id = transaction.request_id;
        self.count += 1;
        self.changes.push_back((self.count, id));
        let changed = Changed {
            by: self.count,
            transaction: Arc::clone(transaction),
        };
        self.transactions.insert(id, changed);
        if self.changes.len() as u64 > CAPACITY {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let Some((number, id)) = self.changes.pop_front() else {
            return;
        };
        let latest = self.transactions.get(&id);
        if latest.is_some_and(|changed| changed.by == number) {
            self.transactions.remove(&id);
        }
    }

    pub(super) fn forget(&mut self, id: RequestId) {
        self.transactions.remove(&id);
    }

    pub(super) fn get(&self, id: RequestId) -> Option<Arc<Transaction>> {
        let changed = self.transactions.get(&id)?;
        Some(Arc::clone(&changed.transaction))
    }

    /// How many changes there were so far.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// What is now true of the transaction that `seen` is about, if that can be told from here:
    /// whatever changed since is remembered, or it is too long ago to tell.
    pub(super) fn is_current(&self, seen: &Seen) -> bool {
        self.count - seen.changes <= CAPACITY
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Operation;
    use crate::saf::sample::sent;

    fn some() -> Arc<Transaction> {
        Arc::new(sent(Operation::CreateOrder))
    }

    #[test]
    fn what_changed_last_is_remembered() {
        let mut recent = Recent::default();
        let (first, second) = (some(), some());
        recent.remember(&first);
        for _ in 1..CAPACITY {
            recent.remember(&second);
        }
        assert!(recent.get(first.request_id).is_some());
        recent.remember(&second);
        assert!(recent.get(first.request_id).is_none());
        assert!(recent.get(second.request_id).is_some());
        assert_eq!(recent.changes.len() as u64, CAPACITY);
    }

    #[test]
    fn what_was_seen_is_current_while_every_change_since_is_remembered() {
        let mut recent = Recent::default();
        let unknown = Seen {
            transaction: None,
            changes: recent.count(),
        };
        let newcomer = some();
        recent.remember(&newcomer);
        for _ in 1..CAPACITY {
            recent.remember(&some());
        }
        assert!(recent.is_current(&unknown) && recent.get(newcomer.request_id).is_some());
        recent.remember(&some());
        assert!(!recent.is_current(&unknown));
    }
}
