//! What is open is listed, and what is final is forgotten in time.

use super::*;
use crate::model::Timestamp;
use crate::saf::{Remedy, Signature};

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
        assert_eq!(
            paged(&books.ledger, List::Undecided, limit),
            open,
            "pages of {limit}"
        );
    }
    let books = books.reopened();
    assert_eq!(paged(&books.ledger, List::Undecided, 2), open);
    let youngest = books.sent().await;
    assert_eq!(
        paged(&books.ledger, List::Undecided, 2).last(),
        Some(&youngest)
    );
}

fn paged(ledger: &Ledger, list: List, limit: usize) -> Vec<RequestId> {
    let mut ids = Vec::new();
    let mut after = None;
    loop {
        let page = ledger.page(list, after, limit).unwrap();
        assert!(page.transactions.len() <= limit);
        assert_eq!(page.damaged, []);
        ids.extend(page.transactions.iter().map(|listed| listed.request_id));
        match page.last {
            Some(last) => after = Some(last),
            None => return ids,
        }
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
        if prefix == List::Undecided.prefix()
            && let Some(batch) = self.records.lock().unwrap().take()
        {
            self.entries.commit(&batch)?;
        }
        page
    }

    fn last(&self, prefix: &[u8]) -> Result<Option<Entry>, StoreError> {
        self.entries.last(prefix)
    }

    fn vault(&self) -> &dyn crate::store::Vault {
        self.entries.vault()
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
        ledger.begin(transaction, Insistence::Wait).await.unwrap();
    }
    *store.records.lock().unwrap() = Some(declining(&ledger, &ids[..2]));
    assert_eq!(paged(&ledger, List::Undecided, 2), ids[2..]);
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
        batch.delete(List::Undecided.key(transaction.sequence, *id));
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
    books.ledger.forget_oldest().await;
    let last = books.sent().await;
    books.ledger.apply(last, Event::NotSent).await.unwrap();
    ended.push(last);
    let open_lists = [List::Undecided, List::Pending, List::Refused];
    let kept = |list: List| {
        let entries = &books.store.entries;
        entries.page(list.prefix(), None, usize::MAX).unwrap()
    };
    let history = kept(List::Ended).len();
    assert!((HISTORY..=HISTORY + HISTORY_SLACK).contains(&(history as u64)));
    assert_eq!(open_lists.map(|list| kept(list).len()), [1, 1, 1]);
    let records = books.store.entries.page(b"t", None, usize::MAX).unwrap();
    assert_eq!(records.len(), history + open.len());
    let forgotten = ended.len() - history;
    assert!(books.stored(ended[forgotten - 1]).is_none());
    assert!(books.stored(ended[forgotten]).is_some());
    let listed = open_lists.map(|list| paged(&books.ledger, list, 256));
    assert_eq!(listed.concat(), open);
    bound_holds_after_reopening(books, ended[forgotten]).await;
}

async fn bound_holds_after_reopening(books: Books, oldest: RequestId) {
    let books = books.reopened();
    assert!(books.stored(oldest).is_some());
    for _ in 0..=HISTORY_SLACK {
        let id = books.sent().await;
        books.ledger.apply(id, Event::Declined).await.unwrap();
    }
    // What is to be forgotten is forgotten with the next commit at the latest.
    books.sent().await;
    assert!(books.stored(oldest).is_none());
    let kept = books
        .store
        .entries
        .page(List::Ended.prefix(), None, usize::MAX);
    assert!(kept.unwrap().len() as u64 <= HISTORY + HISTORY_SLACK);
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
        let begin = Work::Begin(Box::new(transaction), Insistence::Wait);
        replies.push(books.ledger.submit(begin, None).unwrap());
        replies.push(books.apply_later(id, Event::Declined));
        ids.push(id);
    }
    for reply in replies {
        reply.await.unwrap().unwrap();
    }
    ids
}

fn requeue() -> Event {
    let signature = Signature {
        at: Timestamp::unix_epoch(),
        operator: "A. Adams".to_owned(),
    };
    Event::Remedied(Remedy::Requeue, signature)
}

#[tokio::test]
async fn what_is_refused_and_requeued_in_one_commit_is_pending() {
    let books = Books::new();
    let id = books.confirmed().await;
    let before = books.stored(id).unwrap().advice_number;
    let replies = books
        .in_one_group(|books| {
            let refused = books.apply_later(id, settled(Settlement::Rejected));
            [refused, books.apply_later(id, requeue())]
        })
        .await;
    for reply in replies {
        reply.await.unwrap().unwrap();
    }
    let requeued = books.stored(id).unwrap();
    assert!(requeued.pending_advice().is_some());
    assert!(requeued.advice_number > before);
    let page = |list| books.ledger.page(list, None, 10).unwrap().transactions;
    assert_eq!(
        (page(List::Pending).len(), page(List::Refused).len()),
        (1, 0)
    );
    assert_eq!(books.schedule.len(), 1);
    assert_eq!(books.schedule.take_due().unwrap().request_id, id);
}

#[tokio::test]
async fn what_is_requeued_goes_to_the_end_of_the_list_after_a_restart_too() {
    let books = Books::new();
    let first = books.confirmed().await;
    let refused = settled(Settlement::Rejected);
    books.ledger.apply(first, refused).await.unwrap();
    let second = books.confirmed().await;
    books.ledger.apply(first, requeue()).await.unwrap();
    let books = books.reopened();
    let page = books.ledger.page(List::Pending, None, 10).unwrap();
    let ids: Vec<RequestId> = page.transactions.iter().map(|one| one.request_id).collect();
    assert_eq!(ids, [second, first]);
    assert_eq!(books.schedule.len(), 2);
}

#[tokio::test]
async fn a_reversal_that_was_refused_keeps_later_requests_for_its_order_waiting_until_it_is_settled()
 {
    let books = Books::new();
    let transaction = sent(Operation::RedeemOrder);
    let id = transaction.request_id;
    let begun = books.ledger.begin(transaction, Insistence::Wait).await;
    begun.unwrap();
    for event in [approved(), reverse(), settled(Settlement::Rejected)] {
        books.ledger.apply(id, event).await.unwrap();
    }
    let receipt = books.stored(id).unwrap().receipt;
    let again = || {
        let mut again = sent(Operation::RedeemOrder);
        again.set_receipt(receipt.clone());
        again
    };
    let books = books.reopened();
    let waits = books.ledger.begin(again(), Insistence::Wait).await;
    assert!(
        matches!(waits, Err(LedgerError::EarlierReversalPending { reversed }) if reversed == id),
        "{waits:?}"
    );
    let signature = Signature {
        at: Timestamp::unix_epoch(),
        operator: "A. Adams".to_owned(),
    };
    let reason = "the provider has seen to it".to_owned();
    let abandoned = Event::Remedied(Remedy::Abandon { reason }, signature);
    books.ledger.apply(id, abandoned).await.unwrap();
    let begun = books.ledger.begin(again(), Insistence::Wait).await;
    begun.unwrap();
}
