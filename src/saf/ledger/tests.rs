//! The ledger on a store that keeps its word, on one whose commits fail, and on damaged records.

mod ahead;
mod damage;
mod failing;
mod limits;
mod lists;
mod notes;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, mpsc};

use super::*;
use crate::model::{Operation, ReversalReason};
use crate::saf::sample::{approved, attempt, draft, sent};
use crate::saf::{AttemptOutcome, Settlement, State};
use crate::store::{Batch, Entry, MemoryStore, seal_record};
use records::transaction_key;

/// A store whose commits can be counted, held up and made to fail.
#[derive(Default)]
struct FragileStore {
    entries: MemoryStore,
    commits: AtomicUsize,
    failure: Mutex<Option<Failure>>,
    /// A store refuses everything after a failed commit.
    failed: AtomicBool,
    gate: Gate,
    /// Holds up those who read.
    reading: Gate,
}

#[derive(Clone, Copy)]
struct Failure {
    /// How many commits succeed before it.
    after: usize,
    /// Whether the failed batch can be read all the same.
    applies: bool,
}

/// Holds commits up while it is shut.
#[derive(Default)]
struct Gate {
    is_shut: Mutex<bool>,
    opened: Condvar,
    /// Told of each commit that arrives at the gate.
    arrived: Mutex<Option<mpsc::Sender<()>>>,
}

impl FragileStore {
    fn fail_after(&self, after: usize, applies: bool) {
        self.commits.store(0, Ordering::SeqCst);
        *self.failure.lock().unwrap() = Some(Failure { after, applies });
    }

    fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }
}

impl Gate {
    fn shut(&self) -> mpsc::Receiver<()> {
        let (sender, arrivals) = mpsc::channel();
        *self.is_shut.lock().unwrap() = true;
        *self.arrived.lock().unwrap() = Some(sender);
        arrivals
    }

    fn open(&self) {
        *self.is_shut.lock().unwrap() = false;
        self.opened.notify_all();
    }

    fn pass(&self) {
        if let Some(arrived) = &*self.arrived.lock().unwrap() {
            let _ = arrived.send(());
        }
        let is_shut = self.is_shut.lock().unwrap();
        drop(self.opened.wait_while(is_shut, |is_shut| *is_shut).unwrap());
    }
}

impl Store for FragileStore {
    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        self.gate.pass();
        let refused = StoreError::Failed {
            path: "/queue".into(),
        };
        if self.failed.load(Ordering::SeqCst) {
            return Err(refused);
        }
        let earlier = self.commits.fetch_add(1, Ordering::SeqCst);
        match *self.failure.lock().unwrap() {
            Some(Failure { after, applies }) if earlier >= after => {
                self.failed.store(true, Ordering::SeqCst);
                if applies {
                    self.entries.commit(batch)?;
                }
                Err(refused)
            }
            _ => self.entries.commit(batch),
        }
    }

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.reading.pass();
        self.entries.read(key)
    }

    fn page(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.reading.pass();
        self.entries.page(prefix, after, limit)
    }

    fn last(&self, prefix: &[u8]) -> Result<Option<Entry>, StoreError> {
        self.entries.last(prefix)
    }

    fn vault(&self) -> &dyn crate::store::Vault {
        self.entries.vault()
    }
}

/// A ledger with what it stands on.
struct Books {
    ledger: Ledger,
    store: Arc<FragileStore>,
    schedule: Arc<Schedule>,
}

impl Books {
    fn new() -> Books {
        Books::on(Arc::default())
    }

    fn on(store: Arc<FragileStore>) -> Books {
        let schedule = Arc::<Schedule>::default();
        let shared = Arc::clone(&store) as Arc<dyn Store>;
        let ledger = Ledger::start(shared, Arc::clone(&schedule)).unwrap();
        Books {
            ledger,
            store,
            schedule,
        }
    }

    /// Closes the ledger and opens it again on the same store.
    fn reopened(self) -> Books {
        self.ledger.close();
        Books::on(self.store)
    }

    async fn sent(&self) -> RequestId {
        let transaction = sent(Operation::CreateOrder);
        let id = transaction.request_id;
        self.ledger
            .begin(transaction, Insistence::Wait)
            .await
            .unwrap();
        id
    }

    async fn approved(&self) -> RequestId {
        let id = self.sent().await;
        self.ledger.apply(id, approved()).await.unwrap();
        id
    }

    async fn confirmed(&self) -> RequestId {
        let id = self.approved().await;
        self.ledger.apply(id, confirm()).await.unwrap();
        id
    }

    fn stored(&self, id: RequestId) -> Option<Transaction> {
        self.ledger.transaction(id).unwrap()
    }

    fn apply_later(&self, id: RequestId, event: Event) -> oneshot::Receiver<Reply> {
        self.ledger
            .submit(Work::Apply(id, Box::new(event)), None)
            .unwrap()
    }

    /// Lets `submit` hand in all its work while an earlier commit is under way, so that one group
    /// takes all of it.
    async fn in_one_group<T>(&self, submit: impl FnOnce(&Books) -> T) -> T {
        let arrivals = self.store.gate.shut();
        let transaction = Box::new(sent(Operation::CreateOrder));
        let under_way = self
            .ledger
            .submit(Work::Begin(transaction, Insistence::Wait), None)
            .unwrap();
        arrivals.recv().unwrap();
        let submitted = submit(self);
        self.store.gate.open();
        under_way.await.unwrap().unwrap();
        submitted
    }
}

fn confirm() -> Event {
    Event::Confirm(draft(), None)
}

fn reverse() -> Event {
    Event::Reverse(draft(), ReversalReason::Cancelled)
}

fn settled(settlement: Settlement) -> Event {
    Event::Settled(attempt(AttemptOutcome::Accepted), settlement)
}

fn is_store_error(reply: &Reply) -> bool {
    matches!(reply, Err(LedgerError::Store(_)))
}

#[tokio::test]
async fn a_request_id_that_is_known_is_refused() {
    let books = Books::new();
    let transaction = sent(Operation::CreateOrder);
    books
        .ledger
        .begin(transaction.clone(), Insistence::Wait)
        .await
        .unwrap();
    let again = books.ledger.begin(transaction, Insistence::Wait).await;
    assert!(matches!(again, Err(LedgerError::KnownRequest)), "{again:?}");
}

#[tokio::test]
async fn of_two_requests_with_one_id_in_one_group_one_begins() {
    let books = Books::new();
    let transaction = sent(Operation::CreateOrder);
    let begin = |books: &Books| {
        let work = Work::Begin(Box::new(transaction.clone()), Insistence::Wait);
        books.ledger.submit(work, None).unwrap()
    };
    let (first, second) = books
        .in_one_group(|books| (begin(books), begin(books)))
        .await;
    first.await.unwrap().unwrap();
    let second = second.await.unwrap();
    assert!(matches!(second, Err(LedgerError::KnownRequest)));
}

#[tokio::test]
async fn a_request_that_nobody_began_is_unknown() {
    let books = Books::new();
    let id = RequestId::random();
    let reply = books.ledger.apply(id, confirm()).await;
    assert!(matches!(reply, Err(LedgerError::UnknownRequest)));
    assert!(books.stored(id).is_none());
}

#[tokio::test]
async fn one_commit_serves_all_who_wait() {
    let books = Books::new();
    let before = books.store.commits();
    let waiting: Vec<_> = books
        .in_one_group(|books| {
            let begin = || Work::Begin(Box::new(sent(Operation::CreateOrder)), Insistence::Wait);
            let submitted = (0..100).map(|_| books.ledger.submit(begin(), None).unwrap());
            submitted.collect()
        })
        .await;
    for reply in waiting {
        reply.await.unwrap().unwrap();
    }
    // One for the request that was under way, one for the hundred.
    assert_eq!(books.store.commits() - before, 2);
}

#[tokio::test]
async fn a_store_that_cannot_be_read_for_now_holds_up_no_decision() {
    let books = Arc::new(Books::new());
    let id = books.approved().await;
    let arrivals = books.store.reading.shut();
    let newcomer = tokio::spawn({
        let books = Arc::clone(&books);
        async move { books.sent().await }
    });
    tokio::task::yield_now().await;
    arrivals.recv().unwrap();
    let confirmed = books.ledger.apply(id, confirm()).await.unwrap();
    assert!(confirmed.pending_advice().is_some());
    books.store.reading.open();
    newcomer.await.unwrap();
}

#[tokio::test]
async fn of_opposite_decisions_in_one_group_the_first_wins_and_the_last_is_told() {
    let books = Books::new();
    let id = books.approved().await;
    let (first, second, third) = books
        .in_one_group(|books| {
            let decide = |event| books.apply_later(id, event);
            (decide(reverse()), decide(confirm()), decide(reverse()))
        })
        .await;
    let first = first.await.unwrap().unwrap();
    let second = second.await.unwrap();
    assert!(
        matches!(second, Err(LedgerError::Conflict(Conflict::Reversed))),
        "{second:?}"
    );
    let third = third.await.unwrap().unwrap();
    let advice_id = |transaction: &Transaction| transaction.advice().map(|advice| advice.id);
    assert_eq!(advice_id(&first), advice_id(&third));
    assert_eq!(books.schedule.len(), 1);
}

#[tokio::test]
async fn however_decisions_race_a_transaction_gets_one_advice() {
    let books = Books::new();
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..50 {
        let id = books.approved().await;
        let count = random.usize(2..20);
        let events = (0..count).map(|_| if random.bool() { confirm() } else { reverse() });
        let submitted: Vec<_> = events.map(|event| books.apply_later(id, event)).collect();
        let mut advices = std::collections::BTreeSet::new();
        for reply in submitted {
            match reply.await.unwrap() {
                Ok(transaction) => advices.extend(transaction.advice().map(|advice| advice.id)),
                Err(LedgerError::Conflict(Conflict::Confirmed | Conflict::Reversed)) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
        let stored = books.stored(id).unwrap();
        assert_eq!(Vec::from_iter(advices), [stored.advice().unwrap().id]);
    }
    assert_eq!(books.schedule.len(), 50);
}

#[tokio::test]
async fn a_closed_ledger_says_so() {
    let books = Books::new();
    let id = books.approved().await;
    books.ledger.close();
    books.ledger.close();
    let begun = books
        .ledger
        .begin(sent(Operation::CreateOrder), Insistence::Wait)
        .await;
    assert!(matches!(begun, Err(LedgerError::Closed)));
    let applied = books.ledger.apply(id, confirm()).await;
    assert!(matches!(applied, Err(LedgerError::Closed)));
    let read = books.ledger.transaction(id);
    assert!(matches!(read, Err(LedgerError::Closed)));
    let list = books.ledger.page(List::Undecided, None, 10);
    assert!(matches!(list, Err(LedgerError::Closed)));
    books.ledger.apply_detached(id, reverse());
    assert_eq!(Arc::strong_count(&books.store), 1, "the store is let go");
}

#[tokio::test]
async fn closing_finishes_what_is_waiting() {
    let books = Books::new();
    let id = books.approved().await;
    let waiting = books.apply_later(id, confirm());
    books.ledger.close();
    assert!(waiting.await.unwrap().is_ok());
    let books = Books::on(books.store);
    assert!(books.stored(id).unwrap().pending_advice().is_some());
}
