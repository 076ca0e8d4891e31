//! The thread that decides, and makes durable what it decided before anybody hears of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;

use tokio::sync::oneshot;

use super::super::{Event, Schedule, Transaction};
use super::contested::Contested;
use super::recent::Seen;
use super::records::{
    BINDING, HISTORIC, OPEN, check_size, first_number, keep_receipt, list_key, listing, load,
    next_number, sweep_vault, transaction_key,
};
use super::{HISTORY, HISTORY_SLACK, Insistence, Job, LedgerError, Memory, Reply, Work};
use crate::model::RequestId;
use crate::store::{Batch, Kept, Store, StoreError, seal_record};

/// How many callers one commit serves at the most.
const GROUP: usize = 256;

/// How long the batch of a commit grows before it is closed: it has to fit into a segment.
const GROUP_BYTES: usize = 1024 * 1024;

/// How much longer the record of a new request may become: by the identifiers of the response, by
/// those again in the body of its advice, twice as long for being escaped, and by a full log of long
/// errors. An advice that could not be stored could never be sent.
const GROWTH_BYTES: usize = 80 * 1024;

/// The thread that decides.
pub(super) struct Committer {
    store: Arc<dyn Store>,
    memory: Arc<Memory>,
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
    /// The final transactions that the batch lets go, and the first number behind them.
    forgotten: (Vec<RequestId>, u64),
}

type Judged = Result<(Arc<Transaction>, bool), LedgerError>;

impl Group {
    /// Who asked is told now if it was refused, and otherwise when it is durable.
    fn settle(&mut self, judged: Judged, reply: oneshot::Sender<Reply>) {
        match judged {
            Ok((transaction, new_advice)) => self.decided.push(Decided {
                reply,
                transaction,
                new_advice,
            }),
            // Whoever asked may have stopped waiting.
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    /// What is settled leaves nothing behind that money could be collected with.
    fn erase_receipt(&mut self, before: &Transaction, after: &Transaction) {
        if let Some(at) = before.receipt_at
            && after.receipt_at != Some(at)
        {
            self.erased.push((before.request_id, at));
        }
    }
}

/// Drops the final transactions that these keys list.
fn forget(listed: &[Vec<u8>], group: &mut Group) {
    for key in listed {
        // One that names no request cannot have been written here, and stays.
        let Ok((number, id)) = listing(key) else {
            continue;
        };
        group.batch.delete(transaction_key(id));
        group.batch.delete(key.clone());
        let (forgotten, first) = &mut group.forgotten;
        forgotten.push(id);
        *first = number.saturating_add(1);
    }
}

impl Committer {
    pub(super) fn new(
        store: Arc<dyn Store>,
        memory: Arc<Memory>,
        schedule: Arc<Schedule>,
    ) -> Result<Committer, StoreError> {
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
            memory,
            schedule,
            failed: None,
        })
    }

    /// Works until every sender is gone.
    pub(super) fn run(mut self, waiting: &Receiver<Job>) {
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
            (Job::Forget(_), Some(_)) => {}
            (Job::Decide { work, seen, reply }, None) => {
                let judged = self.judge_or_undo(work, seen, group);
                group.settle(judged, reply);
            }
            (Job::Forget(listed), None) => forget(&listed, group),
            (Job::Bind { digest, reply }, None) => {
                let sealed = seal_record(BINDING, &digest);
                group.batch.put(BINDING.to_vec(), sealed);
                group.bound.push(reply);
            }
        }
    }

    fn judge_or_undo(&mut self, work: Work, seen: Option<Seen>, group: &mut Group) -> Judged {
        let before = (self.next_sequence, self.history);
        let judged = self.judge(work, seen, group);
        if judged.is_err() {
            (self.next_sequence, self.history) = before;
        }
        judged
    }

    fn judge(&mut self, work: Work, seen: Option<Seen>, group: &mut Group) -> Judged {
        let current = self.current(work.request_id(), seen, group)?;
        match work {
            Work::Begin(transaction, insistence) => {
                // What room there is belongs to the decisions on what was begun before.
                self.store.check_room()?;
                if current.is_some() {
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
            Work::Apply(_, event) => {
                let current = current.ok_or(LedgerError::UnknownRequest)?;
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

    /// What is true of `id` now. Only what nobody looked at, or too long ago, is read here.
    fn current(
        &self,
        id: RequestId,
        seen: Option<Seen>,
        group: &Group,
    ) -> Result<Option<Arc<Transaction>>, StoreError> {
        if let Some(changed) = group.changed.get(&id) {
            return Ok(Some(Arc::clone(changed)));
        }
        let recent = self.memory.recent();
        if let Some(transaction) = recent.get(id) {
            return Ok(Some(transaction));
        }
        let seen = seen.filter(|seen| recent.is_current(seen));
        drop(recent);
        match seen {
            Some(seen) => Ok(seen.transaction),
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
            self.keep_in_history(id, &mut batch);
        } else if is_new {
            batch.put(open, Vec::new());
        }
        group.batch.append(batch);
        let transaction = Arc::new(transaction);
        group.changed.insert(id, Arc::clone(&transaction));
        Ok(transaction)
    }

    fn keep_in_history(&mut self, id: RequestId, batch: &mut Batch) {
        batch.put(list_key(HISTORIC, self.history.next, id), Vec::new());
        self.history.next += 1;
    }

    /// Lets everybody see what is durable now.
    fn remember(&mut self, group: &Group) {
        let (forgotten, first) = &group.forgotten;
        let mut recent = self.memory.recent();
        for transaction in group.changed.values() {
            recent.remember(transaction);
        }
        for id in forgotten {
            recent.forget(*id);
        }
        self.history.first = self.history.first.max(*first);
        let kept = self.history.next - self.history.first;
        if kept > HISTORY + HISTORY_SLACK {
            let excess = usize::try_from(kept - HISTORY).unwrap_or(usize::MAX);
            self.memory.excess.store(excess, Ordering::Relaxed);
        }
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
            self.remember(&group);
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
