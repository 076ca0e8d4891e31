//! The thread that decides, and makes durable what it decided before anybody hears of it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;

use tokio::sync::oneshot;

use super::super::{Event, Schedule, State, Transaction};
use super::contested::Contested;
use super::recent::Seen;
use super::records::{
    List, check_size, count, first_number, keep_receipt, list_value, listing, load, next_number,
    open_list_key, owed, sweep_vault, transaction_key,
};
use super::{HISTORY, HISTORY_SLACK, Insistence, Job, LedgerError, Memory, Reply, Work};
use crate::model::{Currency, RequestId};
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
    next: Numbers,
    history: History,
    contested: Contested,
    /// The requests of this life whose outcome is not stored yet: each may need room for a receipt.
    under_way: HashSet<RequestId>,
    /// Why a commit failed: from then on it is not known what is durable, not even of what can be
    /// read, and nothing more is acknowledged.
    failed: Option<StoreError>,
}

/// The next places in the order of requests, and in that of decisions.
#[derive(Clone, Copy)]
struct Numbers {
    sequence: u64,
    advice: u64,
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
}

/// What one commit is made of.
#[derive(Default)]
struct Group {
    batch: Batch,
    /// What the batch makes of the transactions that it changes.
    changed: HashMap<RequestId, Arc<Transaction>>,
    /// The receipts that nobody needs once the batch is durable.
    erased: Vec<(RequestId, Kept)>,
    /// The receipts that nobody needs if it is not.
    kept: Vec<(RequestId, Kept)>,
    decided: Vec<Decided>,
    /// The requests that the batch begins.
    begun: Vec<RequestId>,
    /// What the batch puts on the list of pending advices, and what it takes off.
    pending: Vec<(u64, RequestId)>,
    settled: Vec<(u64, RequestId)>,
    /// By how many refused advices there are more.
    refused: isize,
    /// What the batch adds to the money whose confirmation is pending, and what it takes off.
    owed: Vec<(Currency, i64)>,
    noted: Vec<oneshot::Sender<Result<(), LedgerError>>>,
    /// The final transactions that the batch lets go, and the first number behind them.
    forgotten: (Vec<RequestId>, u64),
}

type Judged = Result<Arc<Transaction>, LedgerError>;

impl Group {
    /// Who asked is told now if it was refused, and otherwise when it is durable.
    fn settle(&mut self, judged: Judged, reply: oneshot::Sender<Reply>) {
        match judged {
            Ok(transaction) => self.decided.push(Decided { reply, transaction }),
            // Whoever asked may have stopped waiting.
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    /// Notes what the change means for the lists of pending and of refused advices.
    fn follow(&mut self, before: Option<&Transaction>, after: &Transaction) {
        let is_refused = |one: &Transaction| List::of(one) == List::Refused;
        self.refused += isize::from(is_refused(after));
        self.refused -= isize::from(before.is_some_and(is_refused));
        let is_pending = |one: &Transaction| List::of(one) == List::Pending;
        match (before.is_some_and(is_pending), is_pending(after)) {
            (false, true) => {
                let number = after.advice_number.unwrap_or_default();
                self.pending.push((number, after.request_id));
                self.owed.extend(owed(after));
            }
            (true, false) => {
                let number = before.and_then(|before| before.advice_number);
                self.settled
                    .push((number.unwrap_or_default(), after.request_id));
                let paid = before.and_then(owed);
                self.owed
                    .extend(paid.map(|(currency, sum)| (currency, sum.saturating_neg())));
            }
            _ => {}
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

fn is_another_state(before: &Transaction, after: &Transaction) -> bool {
    std::mem::discriminant(&before.state) != std::mem::discriminant(&after.state)
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
        let next = Numbers {
            sequence: next_number(&*store, List::Undecided)?,
            advice: next_number(&*store, List::Pending)?.max(next_number(&*store, List::Refused)?),
        };
        let history = History {
            first: first_number(&*store, List::Ended)?,
            next: next_number(&*store, List::Ended)?,
        };
        sweep_vault(&*store)?;
        schedule.begin(count(&*store, List::Pending)?, next.advice);
        let refused = count(&*store, List::Refused)?;
        memory.refused.store(refused, Ordering::Relaxed);
        Ok(Committer {
            next,
            history,
            contested: Contested::of(&*store)?,
            under_way: HashSet::new(),
            store,
            memory,
            schedule,
            failed: None,
        })
    }

    /// Works until every sender is gone.
    pub(super) fn run(mut self, waiting: &Receiver<Job>) {
        while let Ok(first) = waiting.recv() {
            self.serve(first, waiting);
        }
    }

    /// Decides and commits `first`, and what is waiting behind it.
    pub(super) fn serve(&mut self, first: Job, waiting: &Receiver<Job>) {
        let mut group = Group::default();
        self.decide(first, &mut group);
        while group.decided.len() < GROUP && group.batch.size_bytes() < GROUP_BYTES {
            let Ok(job) = waiting.try_recv() else { break };
            self.decide(job, &mut group);
        }
        self.commit(group);
    }

    fn decide(&mut self, job: Job, group: &mut Group) {
        let failed = self.failed.clone().map(LedgerError::from);
        // Whoever asked may have stopped waiting.
        match (job, failed) {
            (Job::Decide { reply, .. }, Some(error)) => drop(reply.send(Err(error))),
            (Job::Note { reply, .. }, Some(error)) => drop(reply.send(Err(error))),
            (Job::Forget(_), Some(_)) => {}
            (Job::Decide { work, seen, reply }, None) => {
                let judged = self.judge_or_undo(work, seen, group);
                group.settle(judged, reply);
            }
            (Job::Forget(listed), None) => forget(&listed, group),
            (Job::Note { key, note, reply }, None) => {
                match note {
                    Some(note) => group.batch.put(key.to_vec(), seal_record(key, &note)),
                    None => group.batch.delete(key.to_vec()),
                }
                group.noted.push(reply);
            }
        }
    }

    fn judge_or_undo(&mut self, work: Work, seen: Option<Seen>, group: &mut Group) -> Judged {
        let (before, kept_before) = ((self.next, self.history), group.kept.len());
        let judged = self.judge(work, seen, group);
        if judged.is_err() {
            (self.next, self.history) = before;
            self.erase(&group.kept.split_off(kept_before));
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
                    let queued = group.changed.values().map(AsRef::as_ref);
                    self.contested.check(&transaction, queued)?;
                }
                let mut transaction = *transaction;
                self.reserve_receipts(&transaction, group)?;
                transaction.sequence = self.next.sequence;
                self.next.sequence += 1;
                let begun = self.write(None, transaction, group)?;
                group.begun.push(begun.request_id);
                Ok(begun)
            }
            Work::Apply(_, event) => {
                let current = current.ok_or(LedgerError::UnknownRequest)?;
                if matches!(*event, Event::Attempted(_)) && self.store.check_room().is_err() {
                    // What was tried in vain is not worth the last room.
                    return Ok(current);
                }
                let Some(next) = current.after(*event)? else {
                    return Ok(current);
                };
                group.erase_receipt(&current, &next);
                Ok(self.write(Some(&current), next, group)?)
            }
        }
    }

    /// Makes sure of room for the receipts of every request under way, and for those of `new`: that of its
    /// approval, and the one that it begins with.
    fn reserve_receipts(&self, new: &Transaction, group: &Group) -> Result<(), StoreError> {
        let own = 1 + usize::from(!new.receipt.is_empty());
        let others = self.under_way.len() + group.begun.len();
        self.store.vault().reserve(others + own)
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
        before: Option<&Transaction>,
        mut transaction: Transaction,
        group: &mut Group,
    ) -> Result<Arc<Transaction>, StoreError> {
        let id = transaction.request_id;
        let kept_before = transaction.receipt_at;
        keep_receipt(&*self.store, &mut transaction)?;
        let kept = transaction.receipt_at.filter(|at| kept_before != Some(*at));
        group.kept.extend(kept.map(|at| (id, at)));
        if before.is_none_or(|before| is_another_state(before, &transaction)) {
            let running = self.store.running_time().as_millis();
            transaction.stands_since = u64::try_from(running).ok();
        }
        if transaction.advice().is_some() && transaction.advice_number.is_none() {
            transaction.advice_number = Some(self.next.advice);
            self.next.advice += 1;
        }
        let mut batch = Batch::default();
        let key = transaction_key(id);
        let payload = serde_json::to_vec(&transaction).map_err(|error| StoreError::Damaged {
            reason: error.to_string(),
        })?;
        let sealed = seal_record(&key, &payload);
        let growth = if before.is_none() { GROWTH_BYTES } else { 0 };
        check_size(sealed.len() + growth)?;
        batch.put(key, sealed);
        self.change_list(before, &transaction, &mut batch);
        group.follow(before, &transaction);
        group.batch.append(batch);
        let transaction = Arc::new(transaction);
        group.changed.insert(id, Arc::clone(&transaction));
        Ok(transaction)
    }

    fn change_list(
        &mut self,
        before: Option<&Transaction>,
        after: &Transaction,
        batch: &mut Batch,
    ) {
        let (left, entered) = (before.and_then(open_list_key), open_list_key(after));
        if left == entered {
            return;
        }
        left.into_iter().for_each(|key| batch.delete(key));
        let key = entered.unwrap_or_else(|| {
            self.history.next += 1;
            List::Ended.key(self.history.next - 1, after.request_id)
        });
        batch.put(key, list_value(after));
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

    fn erase(&self, receipts: &[(RequestId, Kept)]) {
        for (id, at) in receipts {
            self.store.vault().erase(*id.as_uuid().as_bytes(), *at);
        }
    }

    fn commit(&mut self, group: Group) {
        let committed = match group.batch.is_empty() {
            true => Ok(()),
            false => self.store.commit(&group.batch),
        };
        if let Err(error) = &committed {
            tracing::error!(%error, "the queue could not be written");
            if error.nothing_was_written() {
                self.erase(&group.kept);
            } else {
                self.failed = Some(error.clone());
                // Only the first failure counts.
                let _ = self.memory.failed.set(error.clone());
            }
        }
        if committed.is_ok() {
            self.remember(&group);
            self.erase(&group.erased);
            self.under_way.extend(&group.begun);
            for transaction in group.changed.values() {
                self.contested.follow(transaction);
                if !matches!(transaction.state, State::Sent) {
                    self.under_way.remove(&transaction.request_id);
                }
            }
            self.memory.owe(&group.owed);
            self.memory.refuse(group.refused);
        }
        if committed.is_ok() {
            self.schedule.follow(&group.pending, &group.settled);
        }
        for decided in group.decided {
            let reply = match &committed {
                Ok(()) => Ok(decided.transaction),
                Err(error) => Err(LedgerError::Store(error.clone())),
            };
            // Whoever asked may have stopped waiting; the decision stands all the same.
            let _ = decided.reply.send(reply);
        }
        for reply in group.noted {
            let _ = reply.send(committed.clone().map_err(LedgerError::from));
        }
    }
}
