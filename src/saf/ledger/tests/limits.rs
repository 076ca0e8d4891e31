//! Whatever is let in can be stored in every later state.

use super::*;
use crate::saf::Attempt;
use crate::saf::advice::Finding;
use crate::saf::sample::identifiers;
use crate::store::VALUE_LIMIT_BYTES;

/// The longest text that a record can carry per byte of the limit: all of it is escaped.
fn longest_identifiers(length_bytes: usize) -> String {
    format!("[\n{}]", "\n".repeat(length_bytes - 3))
}

fn worst_attempt() -> Attempt {
    let attempt = attempt(AttemptOutcome::Unknown).with_error(&"\u{1}".repeat(1_000));
    attempt.with_look("\u{1}", Some(Finding::SpeaksAgainstIt))
}

/// Begins the longest request that is let in, and returns its id.
async fn longest_request(books: &Books) -> RequestId {
    for bytes in (1..).map(|steps| VALUE_LIMIT_BYTES - steps * 64) {
        let mut transaction = sent(Operation::CreateOrder);
        transaction.receiver_id = Some("r".repeat(bytes));
        let id = transaction.request_id;
        if books
            .ledger
            .begin(transaction, Insistence::Wait)
            .await
            .is_ok()
        {
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
        let Event::Approved { approval, .. } = approved() else {
            unreachable!();
        };
        let longest = "\u{1}".repeat(TEXT_LIMIT_BYTES);
        let receipt = crate::saf::Receipt::with_redeem_ref(Some(longest.into()));
        let longest = identifiers(&longest_identifiers(IDENTIFIERS_LIMIT_BYTES));
        let event = Event::Approved {
            approval,
            receipt,
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
        match books.ledger.begin(transaction, Insistence::Wait).await {
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
            let begin = |transaction| Work::Begin(Box::new(transaction), Insistence::Wait);
            let small = sent(Operation::CreateOrder);
            (
                books.ledger.submit(begin(large), None).unwrap(),
                books.ledger.submit(begin(small), None).unwrap(),
            )
        })
        .await;
    assert!(is_store_error(&large.await.unwrap()));
    let small = small.await.unwrap().unwrap();
    assert_eq!(small.sequence, 1, "the one that failed took no place");
    assert!(matches!(small.state, State::Sent));
}

#[tokio::test]
async fn room_is_kept_for_the_receipt_of_every_request_under_way() {
    let books = Books::new();
    let first = books.sent().await;
    assert_eq!(books.store.entries.reserved(), 1);
    books.sent().await;
    books.sent().await;
    assert_eq!(books.store.entries.reserved(), 3);
    // Those that have their outcome need no more of it.
    books.ledger.apply(first, approved()).await.unwrap();
    books.confirmed().await;
    books.sent().await;
    assert_eq!(books.store.entries.reserved(), 3);
    // Requests of one commit count, too: the one that holds it up, three under way, and three of it.
    let later = books
        .in_one_group(|books| {
            let begin = || Work::Begin(Box::new(sent(Operation::CreateOrder)), Insistence::Wait);
            [0; 3].map(|_| books.ledger.submit(begin(), None).unwrap())
        })
        .await;
    for begun in later {
        begun.await.unwrap().unwrap();
    }
    assert_eq!(books.store.entries.reserved(), 7);
}
