//! Records that are not as they were written.

use super::*;

fn is_damage<T>(outcome: &Result<T, LedgerError>) -> bool {
    matches!(outcome, Err(LedgerError::Store(StoreError::Damaged { .. })))
}

fn listed_as_damaged(books: &Books) -> Vec<RequestId> {
    let page = books.ledger.page(List::Pending, None, 10).unwrap();
    assert!(page.transactions.is_empty());
    let damaged = page.damaged.iter();
    damaged.map(|record| record.request_id).collect()
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
    // What a ledger has just made durable it would not look at again.
    let books = books.reopened();
    let key = transaction_key(id);
    let good = books.store.entries.read(&key).unwrap().unwrap();
    for byte in 0..good.len() {
        let mut bad = good.clone();
        bad[byte] ^= 1 << (byte % 8);
        overwrite(&books.store, &key, bad);
        assert!(is_damage(&books.ledger.transaction(id)), "byte {byte}");
        assert_eq!(listed_as_damaged(&books), [id]);
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
async fn a_decision_whose_entry_on_a_list_is_lost_is_put_there_again() {
    let books = Books::new();
    let (confirmed, undecided) = (books.confirmed().await, books.approved().await);
    books.ledger.close();
    let listed = |list: List| books.store.entries.page(list.prefix(), None, 10).unwrap();
    for list in [List::Pending, List::Undecided] {
        let mut batch = Batch::default();
        for (key, _) in listed(list) {
            batch.delete(key);
        }
        books.store.entries.commit(&batch).unwrap();
    }
    Ledger::mend(&*books.store).unwrap();
    let books = Books::on(books.store);
    assert_eq!(books.schedule.len(), 1);
    let on = |list| books.ledger.page(list, None, 10).unwrap().transactions;
    assert_eq!(on(List::Pending)[0].request_id, confirmed);
    assert_eq!(on(List::Undecided)[0].request_id, undecided);
    // What is on its list is left alone.
    let before = books.store.entries.page(b"", None, 100).unwrap();
    Ledger::mend(&*books.store).unwrap();
    assert_eq!(books.store.entries.page(b"", None, 100).unwrap(), before);
}

#[test]
fn a_list_key_that_names_no_request_is_damage_at_open() {
    for list in List::ALL {
        for rest in [&b""[..], b"123", &[0; 23], &[0; 25], &[0xff; 24]] {
            let store = Arc::new(FragileStore::default());
            overwrite(&store, &[list.prefix(), rest].concat(), Vec::new());
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
    let books = books.reopened();
    overwrite(&books.store, &transaction_key(broken), vec![1; 40]);
    let page = books.ledger.page(List::Undecided, None, 10).unwrap();
    assert_eq!(page.damaged[0].request_id, broken);
    assert_eq!(page.transactions[0].request_id, whole);
    let (first, second) = books
        .in_one_group(|books| {
            let decide = |id| books.apply_later(id, confirm());
            (decide(broken), decide(whole))
        })
        .await;
    assert!(is_damage(&first.await.unwrap()));
    assert!(second.await.unwrap().is_ok());
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
            "advice_number",
            "amount",
            "approval",
            "identifiers",
            "in_doubt",
            "masked_redeem_ref",
            "operation",
            "receipt_at",
            "receiver_id",
            "request_id",
            "requested_at",
            "sequence",
            "stands_since",
            "state",
            "tender_started",
            "till_reference",
            "timeout",
            "version"
        ]
    );
    assert_eq!(
        names(&payload["state"]["confirming"]),
        [
            "amount",
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

#[tokio::test]
async fn the_oldest_advice_that_can_be_read_is_found_behind_damaged_ones() {
    let books = Books::new();
    let damaged = [books.confirmed().await, books.confirmed().await];
    let readable = books.confirmed().await;
    let books = books.reopened();
    for id in damaged {
        overwrite(&books.store, &transaction_key(id), b"rotten".to_vec());
    }
    let oldest = books.ledger.oldest_pending().await.unwrap();
    assert_eq!(oldest.unwrap().request_id, readable);
    overwrite(&books.store, &transaction_key(readable), Vec::new());
    assert!(books.ledger.oldest_pending().await.unwrap().is_none());
}

#[tokio::test]
async fn an_entry_of_a_list_that_is_lost_keeps_later_requests_for_its_order_waiting() {
    let books = Books::new();
    let transaction = sent(Operation::RedeemOrder);
    let id = transaction.request_id;
    let begun = books.ledger.begin(transaction, Insistence::Wait).await;
    begun.unwrap();
    books.ledger.apply(id, approved()).await.unwrap();
    let reversed = books.ledger.apply(id, reverse()).await.unwrap();
    let entry = records::open_list_key(&reversed).unwrap();
    overwrite(&books.store, &entry, b"lost".to_vec());
    let books = books.reopened();
    let mut again = sent(Operation::RedeemOrder);
    again.set_receipt(reversed.receipt.clone());
    let waits = books.ledger.begin(again, Insistence::Wait).await;
    assert!(
        matches!(waits, Err(LedgerError::EarlierReversalPending { reversed }) if reversed == id),
        "{waits:?}"
    );
    // Once it is mended, it says again what it said.
    let store = Arc::clone(&books.store);
    Ledger::mend(&*store).unwrap();
    let mended = store.entries.read(&entry).unwrap().unwrap();
    assert_eq!(mended, records::list_value(&reversed));
}
