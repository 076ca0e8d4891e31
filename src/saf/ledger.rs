//! The ledger of transactions: one thread decides and commits, everybody may read.
//!
//! ```text
//!  key                         value
//!  t <request id>              the transaction (JSON in an envelope)
//!  o <sequence> <request id>   nothing: an open transaction, oldest first
//!  h <number> <request id>     nothing: a final transaction, in the order in which they ended
//!  b                           whose queue it is (a digest in an envelope)
//! ```
//!
//! 1. **Decide once**: the committer alone judges events, against what it has just decided, too.
//! 2. **Group commit**: it takes what all callers have waiting, and one batch serves them all.
//! 3. **Durable, then told**: replies and the schedule's entries follow the commit.
//! 4. A batch whose commit fails changes nothing here; each caller learns that the outcome is
//!    unknown, and nothing is acknowledged any more: not what could contradict it, and not a repeat
//!    of what can be read but may not be durable.
//! 5. An order whose reversal is under way is not asked for again, unless somebody insists.
//! 6. The number of final transactions that are kept is bounded; open ones are never dropped.

mod contested;
mod records;

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::{Conflict, Event, Schedule, Transaction};
use crate::model::RequestId;
use crate::store::{Batch, Kept, Store, StoreError, open_record, seal_record};
use contested::Contested;
pub(super) use records::request_of;
use records::{
    BINDING, HISTORIC, OPEN, behind_in, check_size, first_number, keep_receipt, list, list_key,
    listing, load, next_number, sweep_vault, transaction_key,
};

/// How many callers one commit serves at the most.
const GROUP: usize = 256;

/// How long the batch of a commit grows before it is closed: it has to fit into a segment.
const GROUP_BYTES: usize = 1024 * 1024;

/// How many final transactions are kept, so that a late decision on one is understood.
const HISTORY: u64 = 10_000;

/// How much longer the record of a new request may become: by the identifiers of the response, by
/// those again in the body of its advice, twice as long for being escaped, and by a full log of long
/// errors. An advice that could not be stored could never be sent.
const GROWTH_BYTES: usize = 80 * 1024;

/// The ledger: a handle on the committer thread, and reads of what is durable.
pub(crate) struct Ledger {
    shared: Mutex<Option<Shared>>,
}

/// What is given up when the ledger is closed.
struct Shared {
    jobs: Sender<Job>,
    store: Arc<dyn Store>,
    committer: JoinHandle<()>,
}

/// Why the ledger did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    #[error("a request with this id was sent before")]
    KnownRequest,
    #[error("no request with this id is known")]
    UnknownRequest,
    #[error("the reversal of an earlier request for this order is not settled")]
    EarlierReversalPending { reversed: RequestId },
    #[error(transparent)]
    Conflict(#[from] Conflict),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the client is shut down")]
    Closed,
}

/// A page of a list of transactions.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) transactions: Vec<Transaction>,
    pub(crate) damaged: Vec<DamagedRecord>,
    /// Where the next page begins; `None` behind the last one.
    pub(crate) last: Option<u64>,
}

/// A record that fails its checksum, or cannot be read. It is left where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DamagedRecord {
    /// The request whose record it is.
    pub request_id: RequestId,
    /// What is wrong with it.
    pub reason: String,
}

type Reply = Result<Arc<Transaction>, LedgerError>;

enum Job {
    Decide {
        work: Work,
        reply: oneshot::Sender<Reply>,
    },
    Bind {
        digest: Vec<u8>,
        reply: oneshot::Sender<Result<(), LedgerError>>,
    },
}

/// Whether a request may be made while the reversal of an earlier one for its order is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Insistence {
    Wait,
    Insist,
}

enum Work {
    Begin(Box<Transaction>, Insistence),
    Apply(RequestId, Box<Event>),
}

impl Ledger {
    /// Starts the committer on `store`; new pending advices go to `schedule`.
    pub(crate) fn start(
        store: Arc<dyn Store>,
        schedule: Arc<Schedule>,
    ) -> Result<Ledger, StoreError> {
        let (jobs, waiting) = channel();
        let committer = Committer::new(Arc::clone(&store), schedule)?;
        let runtime = Handle::try_current().ok();
        let committer = thread::Builder::new()
            .name("money-transfer-committer".to_owned())
            .spawn(move || {
                // The schedule's clock is the runtime's, which tests can pause.
                let _clock = runtime.as_ref().map(Handle::enter);
                committer.run(&waiting);
            })
            .map_err(|error| StoreError::Thread {
                reason: error.to_string(),
            })?;
        Ok(Ledger {
            shared: Mutex::new(Some(Shared {
                jobs,
                store,
                committer,
            })),
        })
    }

    /// Journals a new transaction, and returns it with its place in the order.
    pub(crate) async fn begin(&self, transaction: Transaction, insistence: Insistence) -> Reply {
        let work = Work::Begin(Box::new(transaction), insistence);
        self.ask(work).await
    }

    /// Applies `event` to the transaction of `id`, and returns what it is then, durably.
    pub(crate) async fn apply(&self, id: RequestId, event: Event) -> Reply {
        self.ask(Work::Apply(id, Box::new(event))).await
    }

    /// Remembers whose queue it is.
    pub(crate) async fn bind(&self, digest: Vec<u8>) -> Result<(), LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Bind { digest, reply })?;
        answer.await.unwrap_or(Err(LedgerError::Closed))
    }

    /// Whose queue it is; `None` where nobody said so yet.
    pub(crate) fn binding(&self) -> Result<Option<Vec<u8>>, LedgerError> {
        let Some(sealed) = self.store()?.read(BINDING)? else {
            return Ok(None);
        };
        let digest = open_record(BINDING, &sealed).map_err(|error| StoreError::Damaged {
            reason: error.to_string(),
        })?;
        Ok(Some(digest.to_vec()))
    }

    /// Like [`apply`](Ledger::apply) for a caller that cannot wait and has nobody to tell.
    pub(crate) fn apply_detached(&self, id: RequestId, event: Event) {
        // A closed ledger leaves the transaction as it is: listed as undecided at the next open.
        drop(self.submit(Work::Apply(id, Box::new(event))));
    }

    async fn ask(&self, work: Work) -> Reply {
        let reply = self.submit(work)?;
        reply.await.unwrap_or(Err(LedgerError::Closed))
    }

    fn submit(&self, work: Work) -> Result<oneshot::Receiver<Reply>, LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Decide { work, reply })?;
        Ok(answer)
    }

    fn send(&self, job: Job) -> Result<(), LedgerError> {
        let guard = self.shared();
        let shared = guard.as_ref().ok_or(LedgerError::Closed)?;
        shared.jobs.send(job).map_err(|_| LedgerError::Closed)
    }

    /// The transaction of `id`, as it is durable.
    pub(crate) fn transaction(&self, id: RequestId) -> Result<Option<Transaction>, LedgerError> {
        Ok(load(&*self.store()?, id)?)
    }

    /// At most `limit` open transactions, oldest first, beginning behind `after`.
    pub(crate) fn open_transactions(
        &self,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Page, LedgerError> {
        let mut page = list(&*self.store()?, OPEN, after, limit)?;
        // One that was settled since the list was read has left it.
        page.transactions.retain(|one| !one.is_final());
        Ok(page)
    }

    /// At most `limit` final transactions, in the order in which they ended, beginning behind `after`.
    pub(crate) fn final_transactions(
        &self,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Page, LedgerError> {
        Ok(list(&*self.store()?, HISTORIC, after, limit)?)
    }

    /// Takes no more work, finishes what is waiting, and lets the store go.
    pub(crate) fn close(&self) {
        let Some(shared) = self.shared().take() else {
            return;
        };
        drop(shared.jobs);
        drop(shared.store);
        // A committer that panicked has acknowledged nothing since; there is nothing to save.
        let _ = shared.committer.join();
    }

    fn store(&self) -> Result<Arc<dyn Store>, LedgerError> {
        let guard = self.shared();
        let shared = guard.as_ref().ok_or(LedgerError::Closed)?;
        Ok(Arc::clone(&shared.store))
    }

    fn shared(&self) -> MutexGuard<'_, Option<Shared>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread that decides.
struct Committer {
    store: Arc<dyn Store>,
    schedule: Arc<Schedule>,
    next_sequence: u64,
    history: History,
    contested: Contested,
    /// Why a commit failed: from then on it is not known what is durable, not even of what can be
    /// read, and nothing more is acknowledged.
    failed: Option<StoreError>,
}

/// The first number that is kept, and the first that is free.
#[derive(Clone, Copy)]
struct History {
    first: u64,
    next: u64,
}

/// A job that was decided, and waits for the commit.
struct Decided {
    reply: oneshot::Sender<Reply>,
    transaction: Arc<Transaction>,
    /// Whether the decision made an advice that is now to be sent.
    new_advice: bool,
}

/// What one commit is made of.
#[derive(Default)]
struct Group {
    batch: Batch,
    /// What the batch makes of the transactions that it changes.
    changed: HashMap<RequestId, Arc<Transaction>>,
    /// The receipts that nobody needs once the batch is durable.
    erased: Vec<(RequestId, Kept)>,
    decided: Vec<Decided>,
    bound: Vec<oneshot::Sender<Result<(), LedgerError>>>,
}

impl Group {
    /// What is settled leaves nothing behind that money could be collected with.
    fn erase_receipt(&mut self, before: &Transaction, after: &Transaction) {
        if let Some(at) = before.receipt_at
            && after.receipt_at != Some(at)
        {
            self.erased.push((before.request_id, at));
        }
    }
}

impl Committer {
    fn new(store: Arc<dyn Store>, schedule: Arc<Schedule>) -> Result<Committer, StoreError> {
        let next_sequence = next_number(&*store, OPEN)?;
        let history = History {
            first: first_number(&*store, HISTORIC)?,
            next: next_number(&*store, HISTORIC)?,
        };
        sweep_vault(&*store)?;
        Ok(Committer {
            next_sequence,
            history,
            contested: Contested::of(&*store)?,
            store,
            schedule,
            failed: None,
        })
    }

    /// Works until every sender is gone.
    fn run(mut self, waiting: &Receiver<Job>) {
        while let Ok(first) = waiting.recv() {
            let mut group = Group::default();
            self.decide(first, &mut group);
            while group.decided.len() < GROUP && group.batch.size_bytes() < GROUP_BYTES {
                let Ok(job) = waiting.try_recv() else { break };
                self.decide(job, &mut group);
            }
            self.commit(group);
        }
    }

    fn decide(&mut self, job: Job, group: &mut Group) {
        let failed = self.failed.clone().map(LedgerError::from);
        // Whoever asked may have stopped waiting.
        match (job, failed) {
            (Job::Decide { reply, .. }, Some(error)) => drop(reply.send(Err(error))),
            (Job::Bind { reply, .. }, Some(error)) => drop(reply.send(Err(error))),
            (Job::Decide { work, reply }, None) => self.decide_work(work, reply, group),
            (Job::Bind { digest, reply }, None) => {
                let sealed = seal_record(BINDING, &digest);
                group.batch.put(BINDING.to_vec(), sealed);
                group.bound.push(reply);
            }
        }
    }

    fn decide_work(&mut self, work: Work, reply: oneshot::Sender<Reply>, group: &mut Group) {
        let before = (self.next_sequence, self.history);
        match self.judge(work, group) {
            Ok((transaction, new_advice)) => group.decided.push(Decided {
                reply,
                transaction,
                new_advice,
            }),
            Err(error) => {
                (self.next_sequence, self.history) = before;
                // Whoever asked may have stopped waiting.
                drop(reply.send(Err(error)));
            }
        }
    }

    fn judge(
        &mut self,
        work: Work,
        group: &mut Group,
    ) -> Result<(Arc<Transaction>, bool), LedgerError> {
        match work {
            Work::Begin(transaction, insistence) => {
                // What room there is belongs to the decisions on what was begun before.
                self.store.check_room()?;
                if self.current(transaction.request_id, group)?.is_some() {
                    return Err(LedgerError::KnownRequest);
                }
                if insistence == Insistence::Wait {
                    self.contested.check(&transaction)?;
                }
                let mut transaction = *transaction;
                transaction.sequence = self.next_sequence;
                self.next_sequence += 1;
                Ok((self.write(transaction, true, group)?, false))
            }
            Work::Apply(id, event) => {
                let current = self
                    .current(id, group)?
                    .ok_or(LedgerError::UnknownRequest)?;
                if matches!(*event, Event::Attempted(_)) && self.store.check_room().is_err() {
                    // What was tried in vain is not worth the last room.
                    return Ok((current, false));
                }
                let Some(next) = current.after(*event)? else {
                    return Ok((current, false));
                };
                group.erase_receipt(&current, &next);
                let new_advice = current.advice().is_none() && next.pending_advice().is_some();
                Ok((self.write(next, false, group)?, new_advice))
            }
        }
    }

    fn current(
        &self,
        id: RequestId,
        group: &Group,
    ) -> Result<Option<Arc<Transaction>>, StoreError> {
        match group.changed.get(&id) {
            Some(transaction) => Ok(Some(Arc::clone(transaction))),
            None => Ok(load(&*self.store, id)?.map(Arc::new)),
        }
    }

    /// Adds the new state of a transaction, and what it means for the lists, to the group.
    fn write(
        &mut self,
        mut transaction: Transaction,
        is_new: bool,
        group: &mut Group,
    ) -> Result<Arc<Transaction>, StoreError> {
        let id = transaction.request_id;
        keep_receipt(&*self.store, &mut transaction)?;
        let mut batch = Batch::default();
        let key = transaction_key(id);
        let payload = serde_json::to_vec(&transaction).map_err(|error| StoreError::Damaged {
            reason: error.to_string(),
        })?;
        let sealed = seal_record(&key, &payload);
        check_size(sealed.len() + if is_new { GROWTH_BYTES } else { 0 })?;
        batch.put(key, sealed);
        let open = list_key(OPEN, transaction.sequence, id);
        if transaction.is_final() {
            batch.delete(open);
            self.keep_in_history(id, &mut batch)?;
        } else if is_new {
            batch.put(open, Vec::new());
        }
        group.batch.append(batch);
        let transaction = Arc::new(transaction);
        group.changed.insert(id, Arc::clone(&transaction));
        Ok(transaction)
    }

    fn keep_in_history(&mut self, id: RequestId, batch: &mut Batch) -> Result<(), StoreError> {
        let History { first, next } = self.history;
        if next - first >= HISTORY {
            // What this very commit adds is far behind the first.
            let behind = first
                .checked_sub(1)
                .map(|number| behind_in(HISTORIC, number));
            for (oldest, _) in self.store.page(HISTORIC, behind.as_deref(), 1)? {
                let (_, id) = listing(&oldest)?;
                batch.delete(transaction_key(id));
                batch.delete(oldest);
            }
            self.history.first += 1;
        }
        batch.put(list_key(HISTORIC, next, id), Vec::new());
        self.history.next += 1;
        Ok(())
    }

    fn commit(&mut self, group: Group) {
        let committed = match group.batch.is_empty() {
            true => Ok(()),
            false => self.store.commit(&group.batch),
        };
        if let Err(error) = &committed {
            tracing::error!(%error, "the queue could not be written");
            if !error.nothing_was_written() {
                self.failed = Some(error.clone());
            }
        }
        if committed.is_ok() {
            for (id, at) in &group.erased {
                self.store.vault().erase(*id.as_uuid().as_bytes(), *at);
            }
            for transaction in group.changed.values() {
                self.contested.follow(transaction);
            }
        }
        for decided in group.decided {
            if committed.is_ok() && decided.new_advice {
                let transaction = &decided.transaction;
                let (id, sequence) = (transaction.request_id, transaction.sequence);
                self.schedule.add(id, sequence, false);
            }
            let reply = match &committed {
                Ok(()) => Ok(decided.transaction),
                Err(error) => Err(LedgerError::Store(error.clone())),
            };
            // Whoever asked may have stopped waiting; the decision stands all the same.
            let _ = decided.reply.send(reply);
        }
        for reply in group.bound {
            let _ = reply.send(committed.clone().map_err(LedgerError::from));
        }
    }
}

#[cfg(test)]
mod tests;
