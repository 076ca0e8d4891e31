//! The ledger of transactions: one thread decides and commits, everybody may read.
//!
//! ```text
//!  key                         value
//!  t <request id>              the transaction (JSON in an envelope)
//!  o <sequence> <request id>   nothing: without an outcome or a decision
//!  p <number> <request id>     nothing: its advice is to be sent, by the order of decisions
//!  r <number> <request id>     nothing: its advice was refused
//!  h <number> <request id>     nothing: nothing is left to do, by the order in which they ended
//!  b                           whose queue it is (a digest in an envelope)
//!  s                           why the delivery is suspended (JSON in an envelope)
//!  d                           that nobody knows what is lost (nothing in an envelope)
//! ```
//!
//! 1. **Decide once**: the committer alone judges events, against what it has just decided, too.
//! 2. **Group commit**: it takes what all callers have waiting, and one batch serves them all.
//! 3. **Durable, then told**: replies and the schedule's entries follow the commit.
//! 4. A batch whose commit fails changes nothing here; each caller learns that the outcome is
//!    unknown, and nothing is acknowledged any more: not what could contradict it, and not a repeat
//!    of what can be read but may not be durable.
//! 5. The committer hardly ever reads: what it decides on is in its memory, or was read by who asks, so
//!    that an index that stands still holds up those alone whose transaction has not changed for long.
//! 6. An order whose reversal is under way is not asked for again, unless somebody insists.
//! 7. The number of final transactions that are kept is bounded; open ones are never dropped.

mod ahead;
mod committer;
mod contested;
mod recent;
mod records;
mod seat;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Conflict, Event, Schedule, Transaction};
use crate::model::{AdviceId, Currency, RequestId};
use crate::store::{Store, StoreError, UNKNOWN_LOSSES, open_record};
pub(crate) use ahead::Ahead;
use committer::Committer;
use recent::{Recent, Seen};
pub(crate) use records::List;
pub(super) use records::request_of;
use records::{PAGE, entries, load, owed, page, relist, request_of_advice};
#[cfg(test)]
pub(crate) use seat::simulated::DiskPause;
use seat::{Reader, Seat};

/// How many final transactions are kept, so that a late decision on one is understood.
const HISTORY: u64 = 10_000;

/// How many more there may be before they are dropped together.
const HISTORY_SLACK: u64 = 64;

/// The ledger: a handle on the committer thread, and reads of what is durable.
pub(crate) struct Ledger {
    shared: Mutex<Option<Shared>>,
}

/// What is given up when the ledger is closed.
struct Shared {
    jobs: Sender<Job>,
    store: Arc<dyn Store>,
    memory: Arc<Memory>,
    seat: Seat,
}

/// What the committer lets everybody see.
#[derive(Default)]
struct Memory {
    recent: Mutex<Recent>,
    /// How many final transactions there are beyond those that are kept.
    excess: AtomicUsize,
    /// How many advices the upstream refused that nobody has seen to yet.
    refused: AtomicUsize,
    /// Why nothing more is acknowledged until the queue is opened again.
    failed: OnceLock<StoreError>,
    /// The money whose confirmation is pending, in minor units.
    owed: Mutex<Vec<(Currency, i64)>>,
}

impl Memory {
    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn owed(&self) -> MutexGuard<'_, Vec<(Currency, i64)>> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refuse(&self, change: isize) {
        let refused = self.refused.load(Ordering::Relaxed);
        let refused = refused.saturating_add_signed(change);
        self.refused.store(refused, Ordering::Relaxed);
    }

    fn owe(&self, changes: &[(Currency, i64)]) {
        let mut all = self.owed();
        for (currency, change) in changes {
            match all.iter_mut().find(|(one, _)| one == currency) {
                Some((_, sum)) => *sum = sum.saturating_add(*change),
                None => all.push((currency.clone(), *change)),
            }
        }
        all.retain(|(_, sum)| *sum != 0);
    }
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
        seen: Option<Seen>,
        reply: oneshot::Sender<Reply>,
    },
    /// Keeps a note under its key, or drops it.
    Note {
        key: &'static [u8],
        note: Option<Vec<u8>>,
        reply: oneshot::Sender<Result<(), LedgerError>>,
    },
    /// Lets these of the final transactions go, by the keys that list them.
    Forget(Vec<Vec<u8>>),
}

/// What is kept beside the transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// Whose queue it is.
    Binding,
    /// Why the delivery is suspended.
    Suspension,
    /// That records are lost of which nobody knows whose they were; the store makes it.
    Losses,
}

impl Note {
    fn key(self) -> &'static [u8] {
        match self {
            Note::Binding => b"b",
            Note::Suspension => b"s",
            Note::Losses => UNKNOWN_LOSSES,
        }
    }
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

impl Work {
    fn request_id(&self) -> RequestId {
        match self {
            Work::Begin(transaction, _) => transaction.request_id,
            Work::Apply(id, _) => *id,
        }
    }
}

impl Ledger {
    /// Starts the committer on `store`; new pending advices go to `schedule`.
    pub(crate) fn start(
        store: Arc<dyn Store>,
        schedule: Arc<Schedule>,
    ) -> Result<Ledger, StoreError> {
        Ledger::seated(store, schedule, Seat::threads)
    }

    /// Starts it in a task of this runtime, for a simulation that has to repeat itself.
    #[cfg(test)]
    pub(crate) fn start_in_task(
        store: Arc<dyn Store>,
        schedule: Arc<Schedule>,
        pause: DiskPause,
    ) -> Result<Ledger, StoreError> {
        let desk = |committer, jobs| seat::simulated::Desk::new(committer, jobs, pause);
        Ledger::seated(store, schedule, |committer, jobs| {
            Ok(Seat::Task(desk(committer, jobs)))
        })
    }

    fn seated(
        store: Arc<dyn Store>,
        schedule: Arc<Schedule>,
        seat: impl FnOnce(Committer, Receiver<Job>) -> Result<Seat, StoreError>,
    ) -> Result<Ledger, StoreError> {
        let (jobs, waiting) = channel();
        let memory = Arc::new(Memory::default());
        let committer = Committer::new(Arc::clone(&store), Arc::clone(&memory), schedule)?;
        Ok(Ledger {
            shared: Mutex::new(Some(Shared {
                seat: seat(committer, waiting)?,
                jobs,
                store,
                memory,
            })),
        })
    }

    /// Mends what damage may have left of a queue, before anybody works on it: a decision that no list
    /// names would never be sent.
    pub(crate) fn mend(store: &dyn Store) -> Result<(), StoreError> {
        let relisted = relist(store)?;
        if relisted > 0 {
            tracing::warn!(
                relisted,
                "requests that no list named are on their lists again"
            );
        }
        Ok(())
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

    /// Keeps `note` in the place of an earlier one; `None` drops that.
    pub(crate) async fn keep_note(
        &self,
        key: Note,
        note: Option<Vec<u8>>,
    ) -> Result<(), LedgerError> {
        let (reply, answer) = oneshot::channel();
        let key = key.key();
        self.send(Job::Note { key, note, reply })?;
        answer.await.unwrap_or(Err(LedgerError::Closed))
    }

    /// The note that is kept under `key`.
    pub(crate) fn note(&self, key: Note) -> Result<Option<Vec<u8>>, LedgerError> {
        let Some(sealed) = self.store()?.read(key.key())? else {
            return Ok(None);
        };
        let note = open_record(key.key(), &sealed).map_err(|error| StoreError::Damaged {
            reason: error.to_string(),
        })?;
        Ok(Some(note.to_vec()))
    }

    /// Like [`apply`](Ledger::apply) for a caller that cannot wait and has nobody to tell.
    pub(crate) fn apply_detached(&self, id: RequestId, event: Event) {
        // A closed ledger leaves the transaction as it is: listed as undecided at the next open.
        drop(self.submit(Work::Apply(id, Box::new(event)), None));
    }

    async fn ask(&self, work: Work) -> Reply {
        let seen = self.look_at(work.request_id()).await?;
        let answer = self.submit(work, Some(seen))?;
        let reply = answer.await.unwrap_or(Err(LedgerError::Closed));
        if reply
            .as_ref()
            .is_ok_and(|transaction| transaction.is_final())
        {
            self.forget_oldest().await;
        }
        reply
    }

    fn submit(
        &self,
        work: Work,
        seen: Option<Seen>,
    ) -> Result<oneshot::Receiver<Reply>, LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Decide { work, seen, reply })?;
        Ok(answer)
    }

    /// What is known of `id`: it is asked here, so that the committer does not have to wait for it.
    async fn look_at(&self, id: RequestId) -> Result<Seen, LedgerError> {
        let memory = self.memory()?;
        let (changes, transaction) = {
            let recent = memory.recent();
            (recent.count(), recent.get(id))
        };
        let transaction = match transaction {
            Some(recent) => Some(recent),
            None => self.read(move |store| load(store, id)).await?.map(Arc::new),
        };
        Ok(Seen {
            transaction,
            changes,
        })
    }

    /// Lets the oldest final transactions go, if there are more than are kept.
    async fn forget_oldest(&self) {
        let excess = match self.memory() {
            Ok(memory) => memory.excess.swap(0, Ordering::Relaxed),
            Err(_) => 0,
        };
        if excess == 0 {
            return;
        }
        let oldest = self.read(move |store| store.page(List::Ended.prefix(), None, excess));
        let forgotten = oldest.await.and_then(|oldest| {
            let keys = oldest.into_iter().map(|(key, _)| key);
            self.send(Job::Forget(keys.collect()))
        });
        if let Err(error) = forgotten {
            // The next one that ends tries again.
            tracing::warn!(%error, "the oldest settled transactions stay for now");
        }
    }

    /// Reads where a read may wait.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let store = self.store()?;
        self.reader()?.read(store, read).await
    }

    fn send(&self, job: Job) -> Result<(), LedgerError> {
        let guard = self.shared();
        let shared = guard.as_ref().ok_or(LedgerError::Closed)?;
        shared.jobs.send(job).map_err(|_| LedgerError::Closed)?;
        shared.seat.nudge();
        Ok(())
    }

    /// The transaction of `id`, as it is durable.
    pub(crate) fn transaction(&self, id: RequestId) -> Result<Option<Transaction>, LedgerError> {
        Ok(load(&*self.store()?, id)?)
    }

    /// The transaction of `id`; read only if it is none of those that changed last.
    pub(crate) async fn look_up(
        &self,
        id: RequestId,
    ) -> Result<Option<Arc<Transaction>>, LedgerError> {
        Ok(self.look_at(id).await?.transaction)
    }

    /// At most `limit` transactions of `list`, beginning behind `after`.
    pub(crate) fn page(
        &self,
        list: List,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Page, LedgerError> {
        let mut page = page(&*self.store()?, list, after, limit)?;
        // One that changed since the list was read may have left it.
        page.transactions.retain(|one| List::of(one) == list);
        Ok(page)
    }

    /// For how long `transaction` has been in its state, as far as that is known.
    pub(crate) fn age_of(&self, transaction: &Transaction) -> Result<Duration, LedgerError> {
        let since = transaction.stands_since.map(Duration::from_millis);
        let running = self.store()?.running_time();
        Ok(since.map_or(Duration::ZERO, |since| running.saturating_sub(since)))
    }

    /// The advice that has been pending for longest, of those that can be read.
    pub(crate) async fn oldest_pending(&self) -> Result<Option<Transaction>, LedgerError> {
        let mut after = None;
        loop {
            let oldest = self.page_later(List::Pending, after, 1).await?;
            after = oldest.last;
            if !oldest.transactions.is_empty() || after.is_none() {
                return Ok(oldest.transactions.into_iter().next());
            }
        }
    }

    /// The money in `currency` whose confirmation is pending, in minor units. Only what was decided by
    /// this process counts, until [`sum_up`](Ledger::sum_up).
    pub(crate) fn owed(&self, currency: &Currency) -> Result<i64, LedgerError> {
        let memory = self.memory()?;
        let owed = memory.owed();
        let sum = owed.iter().find(|(one, _)| one == currency);
        Ok(sum.map_or(0, |(_, sum)| *sum))
    }

    /// Adds up what was pending at the open. Nothing may have been decided yet.
    pub(crate) fn sum_up(&self) -> Result<(), LedgerError> {
        let (store, memory) = (self.store()?, self.memory()?);
        let mut after = None;
        loop {
            let page = page(&*store, List::Pending, after, PAGE)?;
            let sums: Vec<_> = page.transactions.iter().filter_map(owed).collect();
            memory.owe(&sums);
            after = page.last;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Like [`page`](Ledger::page), where a read may wait.
    pub(crate) async fn page_later(
        &self,
        list: List,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Page, LedgerError> {
        self.read(move |store| page(store, list, after, limit))
            .await
    }

    /// Whether it knows of no request at all.
    pub(crate) fn is_empty(&self) -> Result<bool, LedgerError> {
        let store = self.store()?;
        for list in List::ALL {
            if !entries(&*store, list, None, 1)?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The request whose advice is `id`, if there is one.
    pub(crate) async fn request_of(&self, id: AdviceId) -> Result<Option<RequestId>, LedgerError> {
        self.read(move |store| {
            for list in [List::Pending, List::Refused, List::Ended] {
                if let Some(found) = request_of_advice(store, list, id)? {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        })
        .await
    }

    /// At most `limit` entries of the list of pending advices, beginning with `first`.
    pub(crate) async fn pending_from(
        &self,
        first: u64,
        limit: usize,
    ) -> Result<Vec<(u64, RequestId)>, LedgerError> {
        let after = first.checked_sub(1);
        self.read(move |store| entries(store, List::Pending, after, limit))
            .await
    }

    /// Takes no more work, finishes what is waiting, and lets the store go.
    pub(crate) fn close(&self) {
        if let Some(seat) = self.retire() {
            seat.finish();
        }
    }

    /// The same, where the runtime lets somebody wait for the disk.
    pub(crate) fn close_apart(self: Arc<Self>, runtime: &Handle) -> JoinHandle<()> {
        #[cfg(test)]
        if matches!(self.reader(), Ok(Reader::Here)) {
            let seat = self.retire();
            return runtime.spawn(async {
                if let Some(seat) = seat {
                    seat.finished().await;
                }
            });
        }
        runtime.spawn_blocking(move || self.close())
    }

    /// Takes no more work, and lets go of the store, which the committer still has.
    fn retire(&self) -> Option<Seat> {
        let shared = self.shared().take()?;
        drop(shared.jobs);
        drop(shared.store);
        Some(shared.seat)
    }

    fn reader(&self) -> Result<Reader, LedgerError> {
        let guard = self.shared();
        let shared = guard.as_ref().ok_or(LedgerError::Closed)?;
        Ok(shared.seat.reader())
    }

    /// How many advices the upstream refused that nobody has seen to yet.
    pub(crate) fn refused(&self) -> usize {
        let memory = self.memory();
        memory.map_or(0, |memory| memory.refused.load(Ordering::Relaxed))
    }

    /// Why no new request would be taken, or no decision either.
    pub(crate) fn trouble(&self) -> Option<StoreError> {
        let failed = self.memory().ok()?.failed.get().cloned();
        failed.or_else(|| self.store().ok()?.check_room().err())
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.shared().is_none()
    }

    fn memory(&self) -> Result<Arc<Memory>, LedgerError> {
        let guard = self.shared();
        let shared = guard.as_ref().ok_or(LedgerError::Closed)?;
        Ok(Arc::clone(&shared.memory))
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

#[cfg(test)]
mod tests;
