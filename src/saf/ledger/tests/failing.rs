//! What is acknowledged when a commit fails.

use super::*;

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
                let begin = Work::Begin(Box::new(sent(Operation::CreateOrder)), Insistence::Wait);
                let begun = books.ledger.submit(begin, None).unwrap();
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
        let begun = books
            .ledger
            .begin(sent(Operation::CreateOrder), Insistence::Wait)
            .await;
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
        acknowledged.extend(ledger.begin(transaction, Insistence::Wait).await);
        acknowledged.extend(ledger.apply(id, approved()).await);
        acknowledged.extend(ledger.apply(id, confirm()).await);
    }
    acknowledged
}
