//! Transactions that are read before the worker comes to them: going to the disk once for many is cheaper
//! than once for each, and while they are read those before them are sent.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::JoinHandle;

use super::super::Transaction;
use super::recent::{Recent, Seen};
use super::records::load;
use super::{Ledger, LedgerError};
use crate::model::RequestId;
use crate::store::Store;

/// With so few left, the next ones are read.
const FEW: usize = 16;

/// What was read ahead. The worker has the only one.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    seen: Sighting,
    /// More of them, being read.
    next: Option<JoinHandle<Sighting>>,
    is_fresh: bool,
}

/// What was found of several transactions.
pub(super) type Sighting = HashMap<RequestId, Seen>;

impl Ahead {
    /// Whether the store was read for what was asked for last.
    pub(crate) fn is_fresh(&self) -> bool {
        self.is_fresh
    }

    pub(super) fn begin(&mut self) {
        self.is_fresh = false;
    }

    /// What is true of `id` now, if that can be told without the store.
    pub(super) fn take(
        &mut self,
        id: RequestId,
        recent: &Recent,
    ) -> Option<Option<Arc<Transaction>>> {
        let seen = self.seen.remove(&id);
        if let Some(changed) = recent.get(id) {
            return Some(Some(changed));
        }
        let seen = seen.filter(|seen| recent.is_current(seen))?;
        Some(seen.transaction)
    }

    /// Whether more should be read now.
    pub(super) fn is_running_out(&self) -> bool {
        self.next.is_none() && self.seen.len() <= FEW
    }

    /// Those of `ids` that nobody can tell of without the store.
    pub(super) fn unread(&self, mut ids: Vec<RequestId>, recent: &Recent) -> Vec<RequestId> {
        ids.retain(|id| !self.seen.contains_key(id) && recent.get(*id).is_none());
        ids
    }

    pub(super) fn expect(&mut self, next: JoinHandle<Sighting>) {
        self.next = Some(next);
    }

    /// Waits for what is being read. Says whether anything was.
    pub(crate) async fn arrive(&mut self) -> bool {
        let Some(next) = self.next.take() else {
            return false;
        };
        // An error: the runtime is being shut down.
        let seen = next.await.unwrap_or_default();
        self.is_fresh |= !seen.is_empty();
        self.seen.extend(seen);
        true
    }

    /// Takes what was read in the place of all that was read before.
    pub(super) fn renew(&mut self, seen: Sighting) {
        self.seen = seen;
        self.is_fresh = true;
    }
}

impl Ledger {
    /// The transaction of `id`, as it is durable. Where the store has to be asked, it is asked in the same go for those of `next`, too,
    /// which are kept `ahead`; and again before they run out, while the caller goes on.
    pub(crate) async fn look_up_ahead(
        &self,
        id: RequestId,
        next: impl FnOnce() -> Vec<RequestId>,
        ahead: &mut Ahead,
    ) -> Result<Option<Arc<Transaction>>, LedgerError> {
        let memory = self.memory()?;
        ahead.begin();
        let mut known = ahead.take(id, &memory.recent());
        if known.is_none() && ahead.arrive().await {
            known = ahead.take(id, &memory.recent());
        }
        let changes = memory.recent().count();
        if let Some(found) = known {
            if ahead.is_running_out() {
                let next = ahead.unread(next(), &memory.recent());
                self.read_on(next, changes, ahead)?;
            }
            return Ok(found);
        }
        let next = next();
        let read_all = move |store: &dyn Store| {
            let found = load(store, id)?.map(Arc::new);
            Ok((found, read(store, &next, changes)))
        };
        let (found, seen) = self.read(read_all).await?;
        ahead.renew(seen);
        Ok(found)
    }

    /// Begins to read those of `next`.
    fn read_on(
        &self,
        next: Vec<RequestId>,
        changes: u64,
        ahead: &mut Ahead,
    ) -> Result<(), LedgerError> {
        if !next.is_empty() {
            let read_all = move |store: &dyn Store| read(store, &next, changes);
            ahead.expect(self.reader()?.begin(self.store()?, read_all));
        }
        Ok(())
    }
}

/// Reads those of `next` that can be read, when there had been so many `changes`.
pub(super) fn read(store: &dyn Store, next: &[RequestId], changes: u64) -> Sighting {
    let seen = next.iter().filter_map(|id| {
        // What fails here is read once more when its turn comes, and reported then.
        let transaction = load(store, *id).ok()?.map(Arc::new);
        let seen = Seen {
            transaction,
            changes,
        };
        Some((*id, seen))
    });
    seen.collect()
}
