//! The ledger on a store that keeps its word, on one whose commits fail, and on damaged records.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, mpsc};

use super::*;
use crate::model::{Operation, ReversalReason};
use crate::saf::sample::{approved, attempt, draft, identifiers, sent};
use crate::saf::{Attempt, AttemptOutcome, Settlement, State};
use crate::store::{Entry, MemoryStore, VALUE_LIMIT_BYTES};

/// A store whose commits can be counted, held up and made to fail.
#[derive(Default)]
struct FragileStore {
    entries: MemoryStore,
    commits: AtomicUsize,
    failure: Mutex<Option<Failure>>,
    /// A store refuses everything after a failed commit.
    failed: AtomicBool,
    gate: Gate,
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
        self.entries.read(key)
    }

    fn page(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.entries.page(prefix, after, limit)
    }

    fn last(&self, prefix: &[u8]) -> Result<Option<Entry>, StoreError> {
        self.entries.last(prefix)
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
        self.ledger.begin(transaction).await.unwrap();
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
            .submit(Work::Apply(id, Box::new(event)))
            .unwrap()
    }

    /// Lets `submit` hand in all its work while an earlier commit is under way, so that one group
    /// takes all of it.
    async fn in_one_group<T>(&self, submit: impl FnOnce(&Books) -> T) -> T {
        let arrivals = self.store.gate.shut();
        let transaction = Box::new(sent(Operation::CreateOrder));
        let under_way = self.ledger.submit(Work::Begin(transaction)).unwrap();
        arrivals.recv().unwrap();
        let submitted = submit(self);
        self.store.gate.open();
        under_way.await.unwrap().unwrap();
        submitted
    }
}

fn confirm() -> Event {
    Event::Confirm(draft())
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
    books.ledger.begin(transaction.clone()).await.unwrap();
    let again = books.ledger.begin(transaction).await;
    assert!(matches!(again, Err(LedgerError::KnownRequest)), "{again:?}");
}

#[tokio::test]
async fn of_two_requests_with_one_id_in_one_group_one_begins() {
    let books = Books::new();
    let transaction = sent(Operation::CreateOrder);
    let begin = |books: &Books| {
        let work = Work::Begin(Box::new(transaction.clone()));
        books.ledger.submit(work).unwrap()
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
            let begin = || Work::Begin(Box::new(sent(Operation::CreateOrder)));
            let submitted = (0..100).map(|_| books.ledger.submit(begin()).unwrap());
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

/// A failed commit, with and without an effect that can be read.
const WAYS_TO_FAIL: [bool; 2] = [false, true];

#[tokio::test]
async fn nobody_is_told_ok_on_a_failed_commit() {
    for applies in WAYS_TO_FAIL {
        let books = Books::new();
        let id = books.approved().await;
        books.store.fail_after(1, applies);
        let waiting: Vec<_> = books
            .in_one_group(|books| {
                let begin = Work::Begin(Box::new(sent(Operation::CreateOrder)));
                let begun = books.ledger.submit(begin).unwrap();
                vec![
                    books.apply_later(id, confirm()),
                    books.apply_later(id, confirm()),
                    begun,
                ]
            })
            .await;
        for reply in waiting {
            let reply = reply.await.unwrap();
            assert!(is_store_error(&reply), "{applies}: {reply:?}");
        }
        assert_eq!(books.schedule.len(), 0);
    }
}

#[tokio::test]
async fn after_a_failed_commit_nothing_is_acknowledged_not_even_the_same_decision() {
    for applies in WAYS_TO_FAIL {
        let books = Books::new();
        let id = books.approved().await;
        books.store.fail_after(0, applies);
        assert!(is_store_error(&books.ledger.apply(id, confirm()).await));
        for event in [confirm(), reverse(), confirm()] {
            let reply = books.ledger.apply(id, event).await;
            assert!(is_store_error(&reply), "{applies}: {reply:?}");
        }
        let begun = books.ledger.begin(sent(Operation::CreateOrder)).await;
        assert!(is_store_error(&begun), "{applies}: {begun:?}");
        assert_eq!(books.schedule.len(), 0);
    }
}

#[tokio::test]
async fn a_failed_commit_leaves_one_direction_after_the_next_open() {
    for applies in WAYS_TO_FAIL {
        let books = Books::new();
        let id = books.approved().await;
        books.store.fail_after(0, applies);
        assert!(is_store_error(&books.ledger.apply(id, confirm()).await));
        assert!(is_store_error(&books.ledger.apply(id, reverse()).await));
        *books.store.failure.lock().unwrap() = None;
        books.store.failed.store(false, Ordering::SeqCst);
        let books = books.reopened();
        let confirmed = books.ledger.apply(id, confirm()).await;
        assert!(confirmed.is_ok(), "the same decision is still possible");
        let reversed = books.ledger.apply(id, reverse()).await;
        assert!(matches!(
            reversed,
            Err(LedgerError::Conflict(Conflict::Confirmed))
        ));
    }
}

#[tokio::test]
async fn whichever_commit_fails_what_was_acknowledged_is_found_again() {
    for failing in 0..12 {
        for applies in WAYS_TO_FAIL {
            let books = Books::new();
            books.store.fail_after(failing, applies);
            let acknowledged = lives_of_four(&books.ledger).await;
            books.store.failed.store(false, Ordering::SeqCst);
            *books.store.failure.lock().unwrap() = None;
            let books = books.reopened();
            for known in acknowledged {
                let stored = books.stored(known.request_id).unwrap();
                assert!(stored.version >= known.version, "{known:?} is lost");
                let stored = stored.advice().map(|advice| &advice.body);
                let known = known.advice().map(|advice| &advice.body);
                assert!(known.is_none() || stored == known);
            }
        }
    }
}

/// Begins, approves and confirms four requests, and returns what was acknowledged.
async fn lives_of_four(ledger: &Ledger) -> Vec<Arc<Transaction>> {
    let mut acknowledged = Vec::new();
    for _ in 0..4 {
        let transaction = sent(Operation::CreateOrder);
        let id = transaction.request_id;
        acknowledged.extend(ledger.begin(transaction).await);
        acknowledged.extend(ledger.apply(id, approved()).await);
        acknowledged.extend(ledger.apply(id, confirm()).await);
    }
    acknowledged
}

#[tokio::test]
async fn open_transactions_are_paged_oldest_first() {
    let books = Books::new();
    let mut open = Vec::new();
    for index in 0..10 {
        let id = books.sent().await;
        if index % 3 == 0 {
            books.ledger.apply(id, Event::Declined).await.unwrap();
        } else {
            open.push(id);
        }
    }
    for limit in 1..=open.len() + 1 {
        assert_eq!(paged(&books.ledger, limit), open, "pages of {limit}");
    }
    let books = books.reopened();
    assert_eq!(paged(&books.ledger, 2), open);
    let youngest = books.sent().await;
    assert_eq!(paged(&books.ledger, 2).last(), Some(&youngest));
}

fn paged(ledger: &Ledger, limit: usize) -> Vec<RequestId> {
    let mut ids = Vec::new();
    let mut after = None;
    loop {
        let page = ledger.open_transactions(after, limit).unwrap();
        let Some(last) = page.last() else {
            return ids;
        };
        assert!(page.len() <= limit);
        after = Some(last.sequence);
        ids.extend(page.iter().map(|transaction| transaction.request_id));
    }
}

/// A store that settles transactions between the reading of a page and of its records.
struct RacingStore {
    entries: MemoryStore,
    /// Put behind the reader's back after the next page.
    records: Mutex<Option<Batch>>,
}

impl Store for RacingStore {
    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        self.entries.commit(batch)
    }

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.entries.read(key)
    }

    fn page(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let page = self.entries.page(prefix, after, limit);
        if prefix == OPEN
            && let Some(batch) = self.records.lock().unwrap().take()
        {
            self.entries.commit(&batch)?;
        }
        page
    }

    fn last(&self, prefix: &[u8]) -> Result<Option<Entry>, StoreError> {
        self.entries.last(prefix)
    }
}

#[tokio::test]
async fn a_page_that_was_settled_meanwhile_does_not_end_the_list() {
    let store = Arc::new(RacingStore {
        entries: MemoryStore::default(),
        records: Mutex::new(None),
    });
    let shared = Arc::clone(&store) as Arc<dyn Store>;
    let ledger = Ledger::start(shared, Arc::default()).unwrap();
    let mut ids = Vec::new();
    for _ in 0..4 {
        let transaction = sent(Operation::CreateOrder);
        ids.push(transaction.request_id);
        ledger.begin(transaction).await.unwrap();
    }
    *store.records.lock().unwrap() = Some(declining(&ledger, &ids[..2]));
    assert_eq!(paged(&ledger, 2), ids[2..]);
}

/// What the committer would write, were it to decline `ids`.
fn declining(ledger: &Ledger, ids: &[RequestId]) -> Batch {
    let mut batch = Batch::default();
    for id in ids {
        let transaction = ledger.transaction(*id).unwrap().unwrap();
        let declined = transaction.after(Event::Declined).unwrap().unwrap();
        let key = transaction_key(*id);
        let sealed = seal_record(&key, &serde_json::to_vec(&declined).unwrap());
        batch.put(key, sealed);
        batch.delete(numbered(OPEN, transaction.sequence));
    }
    batch
}

#[tokio::test]
async fn the_number_of_final_transactions_is_bounded_and_open_ones_stay() {
    let books = Books::new();
    let open = [
        books.approved().await,
        books.confirmed().await,
        rejected(&books).await,
    ];
    let mut ended = Vec::new();
    for _ in 0..11 {
        ended.extend(declined_thousand(&books).await);
    }
    let kept = |prefix| books.store.entries.page(prefix, None, usize::MAX).unwrap();
    assert_eq!(kept(HISTORIC).len() as u64, HISTORY);
    assert_eq!(kept(OPEN).len(), open.len());
    assert_eq!(kept(TRANSACTION).len(), HISTORY as usize + open.len());
    let forgotten = ended.len() - HISTORY as usize;
    assert!(books.stored(ended[forgotten - 1]).is_none());
    assert!(books.stored(ended[forgotten]).is_some());
    assert_eq!(paged(&books.ledger, 256), open);
    bound_holds_after_reopening(books, ended[forgotten]).await;
}

async fn bound_holds_after_reopening(books: Books, oldest: RequestId) {
    let books = books.reopened();
    assert!(books.stored(oldest).is_some());
    let id = books.sent().await;
    books.ledger.apply(id, Event::Declined).await.unwrap();
    assert!(books.stored(oldest).is_none());
    let kept = books.store.entries.page(HISTORIC, None, usize::MAX);
    assert_eq!(kept.unwrap().len() as u64, HISTORY);
}

async fn rejected(books: &Books) -> RequestId {
    let id = books.confirmed().await;
    let event = settled(Settlement::Rejected);
    books.ledger.apply(id, event).await.unwrap();
    id
}

async fn declined_thousand(books: &Books) -> Vec<RequestId> {
    let mut ids = Vec::new();
    let mut replies = Vec::new();
    for _ in 0..1_000 {
        let transaction = sent(Operation::CreateOrder);
        let id = transaction.request_id;
        let begin = Work::Begin(Box::new(transaction));
        replies.push(books.ledger.submit(begin).unwrap());
        replies.push(books.apply_later(id, Event::Declined));
        ids.push(id);
    }
    for reply in replies {
        reply.await.unwrap().unwrap();
    }
    ids
}

#[tokio::test]
async fn a_closed_ledger_says_so() {
    let books = Books::new();
    let id = books.approved().await;
    books.ledger.close();
    books.ledger.close();
    let begun = books.ledger.begin(sent(Operation::CreateOrder)).await;
    assert!(matches!(begun, Err(LedgerError::Closed)));
    let applied = books.ledger.apply(id, confirm()).await;
    assert!(matches!(applied, Err(LedgerError::Closed)));
    let read = books.ledger.transaction(id);
    assert!(matches!(read, Err(LedgerError::Closed)));
    let list = books.ledger.open_transactions(None, 10);
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

fn is_damage<T>(outcome: &Result<T, LedgerError>) -> bool {
    matches!(outcome, Err(LedgerError::Store(StoreError::Damaged { .. })))
}

/// Writes `value` behind the ledger's back.
fn overwrite(store: &FragileStore, key: &[u8], value: Vec<u8>) {
    let mut batch = Batch::default();
    batch.put(key.to_vec(), value);
    store.entries.commit(&batch).unwrap();
}

#[tokio::test]
async fn no_flipped_bit_of_a_transaction_passes() {
    let books = Books::new();
    let id = books.confirmed().await;
    let key = transaction_key(id);
    let good = books.store.entries.read(&key).unwrap().unwrap();
    for byte in 0..good.len() {
        let mut bad = good.clone();
        bad[byte] ^= 1 << (byte % 8);
        overwrite(&books.store, &key, bad);
        assert!(is_damage(&books.ledger.transaction(id)), "byte {byte}");
        assert!(is_damage(&books.ledger.open_transactions(None, 10)));
        assert!(is_damage(&books.ledger.apply(id, reverse()).await));
    }
    for length in 0..good.len() {
        overwrite(&books.store, &key, good[..length].to_vec());
        assert!(is_damage(&books.ledger.transaction(id)), "cut at {length}");
    }
    overwrite(&books.store, &key, good);
    assert!(books.stored(id).unwrap().pending_advice().is_some());
}

#[tokio::test]
async fn a_record_that_is_whole_but_no_transaction_is_damage() {
    let books = Books::new();
    let id = books.confirmed().await;
    let key = transaction_key(id);
    for payload in ["", "{}", "null", r#"{"state":"confirming"}"#] {
        let sealed = seal_record(&key, payload.as_bytes());
        overwrite(&books.store, &key, sealed);
        assert!(is_damage(&books.ledger.transaction(id)), "{payload}");
    }
}

#[tokio::test]
async fn one_transaction_under_the_key_of_another_is_damage() {
    let books = Books::new();
    let (one, another) = (books.confirmed().await, books.approved().await);
    let stray = books.store.entries.read(&transaction_key(another)).unwrap();
    overwrite(&books.store, &transaction_key(one), stray.unwrap());
    assert!(is_damage(&books.ledger.transaction(one)));
}

#[tokio::test]
async fn no_flipped_bit_of_the_list_of_open_transactions_hides_one() {
    let books = Books::new();
    books.confirmed().await;
    let entries = books.store.entries.page(OPEN, None, 10).unwrap();
    let [(key, good)] = &entries[..] else {
        panic!("{entries:?}");
    };
    for byte in 0..good.len() {
        let mut bad = good.clone();
        bad[byte] ^= 1 << (byte % 8);
        overwrite(&books.store, key, bad);
        let list = books.ledger.open_transactions(None, 10);
        assert!(is_damage(&list), "byte {byte}: {list:?}");
    }
    overwrite(&books.store, key, good[..7].to_vec());
    assert!(is_damage(&books.ledger.open_transactions(None, 10)));
}

#[test]
fn a_key_that_no_number_follows_is_damage_at_open() {
    for list in [OPEN, HISTORIC] {
        for rest in [&b""[..], b"123", b"123456789", &[0xff; 8]] {
            let store = Arc::new(FragileStore::default());
            overwrite(&store, &[list, rest].concat(), vec![0; 16]);
            let opened = Ledger::start(store, Arc::default());
            let damaged = matches!(opened, Err(StoreError::Damaged { .. }));
            assert!(damaged, "{list:?} {rest:?}");
        }
    }
}

#[tokio::test]
async fn damage_to_one_transaction_holds_up_no_other() {
    let books = Books::new();
    let (broken, whole) = (books.approved().await, books.approved().await);
    overwrite(&books.store, &transaction_key(broken), vec![1; 40]);
    let (first, second) = books
        .in_one_group(|books| {
            let decide = |id| books.apply_later(id, confirm());
            (decide(broken), decide(whole))
        })
        .await;
    assert!(is_damage(&first.await.unwrap()));
    assert!(second.await.unwrap().is_ok());
}

/// The longest text that a record can carry per byte of the limit: all of it is escaped.
fn longest_identifiers(length_bytes: usize) -> String {
    format!("[\n{}]", "\n".repeat(length_bytes - 3))
}

fn worst_attempt() -> Attempt {
    attempt(AttemptOutcome::Unknown).with_error(&"\u{1}".repeat(1_000))
}

/// Begins the longest request that is let in, and returns its id.
async fn longest_request(books: &Books) -> RequestId {
    for bytes in (1..).map(|steps| VALUE_LIMIT_BYTES - steps * 64) {
        let mut transaction = sent(Operation::CreateOrder);
        transaction.receiver_id = Some("r".repeat(bytes));
        let id = transaction.request_id;
        if books.ledger.begin(transaction).await.is_ok() {
            return id;
        }
    }
    unreachable!("the shortest request is let in");
}

#[tokio::test]
async fn whatever_was_let_in_can_be_decided_on_and_repeated_for_ever() {
    use crate::api::outcome::{IDENTIFIERS_LIMIT_BYTES, TEXT_LIMIT_BYTES};
    for decision in [confirm(), reverse()] {
        let books = Books::new();
        let id = longest_request(&books).await;
        let Event::Approved { mut approval, .. } = approved() else {
            unreachable!();
        };
        let longest = "\u{1}".repeat(TEXT_LIMIT_BYTES);
        approval.redeem_ref = Some(longest.into());
        let longest = identifiers(&longest_identifiers(IDENTIFIERS_LIMIT_BYTES));
        let event = Event::Approved {
            approval,
            identifiers: Some(longest),
        };
        books.ledger.apply(id, event).await.unwrap();
        books.ledger.apply(id, decision).await.unwrap();
        for _ in 0..20 {
            let event = Event::Attempted(worst_attempt());
            books.ledger.apply(id, event).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_request_whose_reversal_would_not_fit_is_refused_before_it_is_sent() {
    let mut accepted = 0;
    for kilobytes in [1, 4, 8, 10, 12, 16, 24, 32, 48, 64, 90, 200] {
        let books = Books::new();
        let mut transaction = sent(Operation::CreateOrder);
        transaction.identifiers = identifiers(&longest_identifiers(kilobytes * 1024));
        let id = transaction.request_id;
        match books.ledger.begin(transaction).await {
            Ok(_) => accepted += 1,
            Err(LedgerError::Store(StoreError::TooLarge { .. })) => continue,
            Err(other) => panic!("{other:?}"),
        }
        let event = Event::Unknown(draft(), ReversalReason::Timeout);
        books.ledger.apply(id, event).await.unwrap();
        for _ in 0..20 {
            let event = Event::Attempted(worst_attempt());
            books.ledger.apply(id, event).await.unwrap();
        }
    }
    assert!(accepted >= 3, "requests of a sensible size are accepted");
}

#[tokio::test]
async fn a_record_that_does_not_fit_fails_its_own_caller_and_no_other() {
    let books = Books::new();
    let mut large = sent(Operation::CreateOrder);
    large.identifiers = identifiers(&longest_identifiers(200 * 1024));
    let (large, small) = books
        .in_one_group(|books| {
            let begin = |transaction| Work::Begin(Box::new(transaction));
            let small = sent(Operation::CreateOrder);
            (
                books.ledger.submit(begin(large)).unwrap(),
                books.ledger.submit(begin(small)).unwrap(),
            )
        })
        .await;
    assert!(is_store_error(&large.await.unwrap()));
    let small = small.await.unwrap().unwrap();
    assert_eq!(small.sequence, 1, "the one that failed took no place");
    assert!(matches!(small.state, State::Sent));
}

#[tokio::test]
async fn the_names_that_format_1_stores_do_not_change_by_accident() {
    let books = Books::new();
    let id = books.confirmed().await;
    let key = transaction_key(id);
    let sealed = books.store.entries.read(&key).unwrap().unwrap();
    let payload: serde_json::Value =
        serde_json::from_slice(open_record(&key, &sealed).unwrap()).unwrap();
    let names = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(
        names(&payload),
        [
            "amount",
            "approval",
            "identifiers",
            "operation",
            "receiver_id",
            "request_id",
            "requested_at",
            "sequence",
            "state",
            "version"
        ]
    );
    assert_eq!(
        names(&payload["state"]["confirming"]),
        [
            "attempts",
            "body",
            "created_at",
            "id",
            "log",
            "operation",
            "possibly_sent",
            "reason",
            "settlement"
        ]
    );
}
