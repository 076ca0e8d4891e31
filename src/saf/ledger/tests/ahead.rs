//! What is read before anybody asks for it.

use super::*;

async fn confirmed(count: usize) -> (Books, Vec<RequestId>) {
    let books = Books::new();
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(books.confirmed().await);
    }
    // Opened again, it has nothing in its memory.
    (books.reopened(), ids)
}

#[tokio::test]
async fn what_changed_after_it_was_read_ahead_is_seen_as_it_is() {
    let (books, ids) = confirmed(10).await;
    let mut ahead = Ahead::default();
    for (number, id) in ids.iter().enumerate() {
        let next = || ids[number + 1..].to_vec();
        let seen = books.ledger.look_up_ahead(*id, next, &mut ahead).await;
        let is_settled = number % 2 == 1;
        assert_eq!(seen.unwrap().unwrap().is_final(), is_settled);
        if let Some(next_but_one) = ids.get(number + 1).filter(|_| !is_settled) {
            let event = settled(Settlement::Accepted);
            books.ledger.apply(*next_but_one, event).await.unwrap();
        }
    }
}

#[tokio::test]
async fn more_is_read_while_what_was_read_is_used() {
    let (books, ids) = confirmed(60).await;
    let (ledger, mut ahead) = (&books.ledger, Ahead::default());
    let next = |number: usize| ids[number + 1..].iter().take(20).copied().collect();
    let first = ledger.look_up_ahead(ids[0], || next(0), &mut ahead).await;
    assert!(first.unwrap().is_some() && ahead.is_fresh());
    let arrivals = books.store.reading.shut();
    // What was read is there, though nothing can be read any more.
    for (number, id) in ids.iter().enumerate().take(21).skip(1) {
        let found = ledger.look_up_ahead(*id, || next(number), &mut ahead);
        assert!(found.await.unwrap().is_some());
        assert!(!ahead.is_fresh());
    }
    arrivals.recv().unwrap();
    books.store.reading.open();
    // Whoever comes for what is being read waits for it, and reads nothing twice.
    let found = ledger.look_up_ahead(ids[21], || next(21), &mut ahead);
    assert!(found.await.unwrap().is_some() && ahead.is_fresh());
    let reads = arrivals.try_iter().count();
    assert!(reads <= 24, "{reads}");
}

/// The memory of what changed is bounded; what was read before it is older than anybody can tell.
#[tokio::test]
async fn what_was_read_ahead_before_all_that_is_remembered_is_read_again() {
    let (books, ids) = confirmed(2).await;
    let mut ahead = Ahead::default();
    let next = || vec![ids[1]];
    let first = books.ledger.look_up_ahead(ids[0], next, &mut ahead).await;
    assert!(!first.unwrap().unwrap().is_final());
    let event = settled(Settlement::Accepted);
    books.ledger.apply(ids[1], event).await.unwrap();
    for _ in 0..1_100 {
        books.sent().await;
    }
    let second = books
        .ledger
        .look_up_ahead(ids[1], Vec::new, &mut ahead)
        .await;
    assert!(second.unwrap().unwrap().is_final());
}
