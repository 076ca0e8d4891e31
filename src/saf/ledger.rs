//! The ledger of transactions: one thread decides and commits, everybody may read.
//!
//! ```text
//!  key                         value
//!  t <request id>              the transaction (JSON in an envelope)
//!  o <sequence> <request id>   nothing: an open transaction, oldest first
//!  h <number> <request id>     nothing: a final transaction, in the order in which they ended
//! ```
//!
//! 1. **Decide once**: the committer alone judges events, against what it has just decided, too.
//! 2. **Group commit**: it takes what all callers have waiting, and one batch serves them all.
//! 3. **Durable, then told**: replies and the schedule's entries follow the commit.
//! 4. A batch whose commit fails changes nothing here; each caller learns that the outcome is
//!    unknown, and nothing is acknowledged any more: not what could contradict it, and not a repeat
//!    of what can be read but may not be durable.
//! 5. The number of final transactions that are kept is bounded; open ones are never dropped.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::{Conflict, Event, Schedule, Transaction};
use crate::model::RequestId;
use crate::store::{Batch, Store, StoreError, open_record, seal_record};

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

const TRANSACTION: &[u8] = b"t";
const OPEN: &[u8] = b"o";
const HISTORIC: &[u8] = b"h";

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
    #[error(transparent)]
    Conflict(#[from] Conflict),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the client is shut down")]
    Closed,
}

/// A page of the list of open transactions.
#[derive(Debug, Default)]
pub(crate) struct OpenPage {
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

struct Job {
    work: Work,
    reply: oneshot::Sender<Reply>,
}

enum Work {
    Begin(Box<Transaction>),
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
    pub(crate) async fn begin(&self, transaction: Transaction) -> Reply {
        self.ask(Work::Begin(Box::new(transaction))).await
    }

    /// Applies `event` to the transaction of `id`, and returns what it is then, durably.
    pub(crate) async fn apply(&self, id: RequestId, event: Event) -> Reply {
        self.ask(Work::Apply(id, Box::new(event))).await
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
        let guard = self.shared();
        let shared = guard.as_ref().ok_or(LedgerError::Closed)?;
        let sent = shared.jobs.send(Job { work, reply });
        sent.map_err(|_| LedgerError::Closed)?;
        Ok(answer)
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
    ) -> Result<OpenPage, LedgerError> {
        let store = self.store()?;
        let after = after.map(|sequence| behind_in(OPEN, sequence));
        let listed = store.page(OPEN, after.as_deref(), limit)?;
        let mut page = OpenPage::default();
        for (key, _) in listed {
            let (sequence, id) = listing(&key)?;
            page.last = Some(sequence);
            match load_listed(&*store, id) {
                // One that was settled since the list was read has left it.
                Ok(found) => page
                    .transactions
                    .extend(Some(found).filter(|one| !one.is_final())),
                Err(StoreError::Damaged { reason }) => page.damaged.push(DamagedRecord {
                    request_id: id,
                    reason,
                }),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(page)
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
    decided: Vec<Decided>,
}

impl Committer {
    fn new(store: Arc<dyn Store>, schedule: Arc<Schedule>) -> Result<Committer, StoreError> {
        let next_sequence = next_number(&*store, OPEN)?;
        let history = History {
            first: first_number(&*store, HISTORIC)?,
            next: next_number(&*store, HISTORIC)?,
        };
        Ok(Committer {
            store,
            schedule,
            next_sequence,
            history,
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
        if let Some(error) = &self.failed {
            let _ = job.reply.send(Err(error.clone().into()));
            return;
        }
        let before = (self.next_sequence, self.history);
        match self.judge(job.work, group) {
            Ok((transaction, new_advice)) => group.decided.push(Decided {
                reply: job.reply,
                transaction,
                new_advice,
            }),
            Err(error) => {
                (self.next_sequence, self.history) = before;
                // Whoever asked may have stopped waiting.
                let _ = job.reply.send(Err(error));
            }
        }
    }

    fn judge(
        &mut self,
        work: Work,
        group: &mut Group,
    ) -> Result<(Arc<Transaction>, bool), LedgerError> {
        match work {
            Work::Begin(transaction) => {
                // What room there is belongs to the decisions on what was begun before.
                self.store.check_room()?;
                if self.current(transaction.request_id, group)?.is_some() {
                    return Err(LedgerError::KnownRequest);
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
        transaction: Transaction,
        is_new: bool,
        group: &mut Group,
    ) -> Result<Arc<Transaction>, StoreError> {
        let id = transaction.request_id;
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
        for decided in group.decided {
            if committed.is_ok() && decided.new_advice {
                let Transaction {
                    request_id,
                    sequence,
                    ..
                } = *decided.transaction;
                self.schedule.add(request_id, sequence, false);
            }
            let reply = match &committed {
                Ok(()) => Ok(decided.transaction),
                Err(error) => Err(LedgerError::Store(error.clone())),
            };
            // Whoever asked may have stopped waiting; the decision stands all the same.
            let _ = decided.reply.send(reply);
        }
    }
}

fn transaction_key(id: RequestId) -> Vec<u8> {
    [TRANSACTION, id.as_uuid().as_bytes()].concat()
}

fn list_key(prefix: &[u8], number: u64, id: RequestId) -> Vec<u8> {
    [prefix, &number.to_be_bytes(), id.as_uuid().as_bytes()].concat()
}

/// A key behind all of `number` in a list, and before all of the next one.
fn behind_in(prefix: &[u8], number: u64) -> Vec<u8> {
    [prefix, &number.to_be_bytes(), &[0xff; 17]].concat()
}

/// The number and the request that the key of a list names.
fn listing(key: &[u8]) -> Result<(u64, RequestId), StoreError> {
    let parts = key.get(1..).and_then(|rest| rest.split_first_chunk());
    let parts = parts.and_then(|(number, id)| Some((number, uuid::Uuid::from_slice(id).ok()?)));
    let (number, id) = parts.ok_or_else(|| StoreError::Damaged {
        reason: "a key of a list names no request".to_owned(),
    })?;
    Ok((u64::from_be_bytes(*number), RequestId::from_uuid(id)))
}

fn first_number(store: &dyn Store, prefix: &[u8]) -> Result<u64, StoreError> {
    match store.page(prefix, None, 1)?.first() {
        Some((key, _)) => listing(key).map(|(number, _)| number),
        None => Ok(0),
    }
}

fn next_number(store: &dyn Store, prefix: &[u8]) -> Result<u64, StoreError> {
    match store.last(prefix)? {
        Some((key, _)) => listing(&key)?
            .0
            .checked_add(1)
            .ok_or_else(|| StoreError::Damaged {
                reason: "a list has no number left".to_owned(),
            }),
        None => Ok(0),
    }
}

fn load(store: &dyn Store, id: RequestId) -> Result<Option<Transaction>, StoreError> {
    let key = transaction_key(id);
    let Some(sealed) = store.read(&key)? else {
        return Ok(None);
    };
    let damaged = |reason: String| StoreError::Damaged { reason };
    let payload = open_record(&key, &sealed).map_err(|error| damaged(error.to_string()))?;
    let transaction =
        serde_json::from_slice(payload).map_err(|error| damaged(error.to_string()))?;
    Ok(Some(transaction))
}

/// The transaction that a list names: without its record it would silently be forgotten.
fn load_listed(store: &dyn Store, id: RequestId) -> Result<Transaction, StoreError> {
    load(store, id)?.ok_or_else(|| StoreError::Damaged {
        reason: "it is listed as open and has no record".to_owned(),
    })
}

fn check_size(length_bytes: usize) -> Result<(), StoreError> {
    match length_bytes > crate::store::VALUE_LIMIT_BYTES {
        true => Err(StoreError::TooLarge { length_bytes }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;
