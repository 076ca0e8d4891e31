//! What is kept beside the transactions.

use super::*;
use crate::model::Timestamp;
use crate::saf::Suspension;
use crate::saf::control::Control;

fn suspension() -> Suspension {
    Suspension {
        since: Timestamp::unix_epoch(),
        status: 400,
        error_type: None,
    }
}

/// Whoever resumes while a suspension is being written down has the last word, on the disk as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspension_and_its_end_are_written_down_one_after_the_other() {
    for _ in 0..50 {
        let books = Arc::new(Books::new());
        let control = Arc::new(Control::default());
        control.suspend(suspension());
        let arrivals = books.store.gate.shut();
        let keep = {
            let (books, control) = (Arc::clone(&books), Arc::clone(&control));
            tokio::spawn(async move { control.keep_suspension(&books.ledger).await })
        };
        arrivals.recv().unwrap();
        let resume = {
            let (books, control) = (Arc::clone(&books), Arc::clone(&control));
            tokio::spawn(async move { control.resume(&books.ledger).await })
        };
        tokio::task::yield_now().await;
        // Told of once more meanwhile, by a second advice.
        let again = {
            let (books, control) = (Arc::clone(&books), Arc::clone(&control));
            tokio::spawn(async move { control.keep_suspension(&books.ledger).await })
        };
        tokio::task::yield_now().await;
        books.store.gate.open();
        for done in [keep, resume, again] {
            done.await.unwrap().unwrap();
        }
        let noted = books.ledger.note(Note::Suspension).unwrap();
        assert_eq!(noted.is_some(), control.suspension().is_some());
    }
}
