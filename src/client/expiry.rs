//! Reverses orders that nobody has decided on for too long, where that was asked for.
//!
//! 1. Only orders that were approved, whose tender nobody marked as taken, and that no damage has
//!    cast doubt on: [`may_expire`](crate::saf::Transaction::may_expire).
//! 2. Only the time counts in which the queue is open.
//! 3. It sleeps until the next one is due, and for as long as there is none.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use super::{Core, LONGEST_WAIT, WorkerOrder};
use crate::saf::{Event, LedgerError, List, Transaction};

/// How many transactions are read at a time.
const PAGE: usize = 64;

/// How long it waits after an error of the queue.
const PAUSE: Duration = Duration::from_secs(60);

/// When approved orders expire.
#[derive(Clone)]
pub(super) struct Expiry {
    after: Option<Duration>,
    /// Told of each approval.
    approved: Arc<Notify>,
}

impl Expiry {
    pub(super) fn new(after: Option<Duration>) -> Expiry {
        Expiry {
            after,
            approved: Arc::default(),
        }
    }

    /// An order was approved, or is ours from now on.
    pub(super) fn note_approval(&self) {
        self.approved.notify_one();
    }

    /// Works for `core` until it is shut down or dropped.
    pub(super) fn start(&self, core: &Arc<Core>) {
        let Some(after) = self.after else { return };
        let mut orders = core.worker_orders.subscribe();
        let (core_of_all, expiry) = (Arc::downgrade(core), self.clone());
        core.runtime.spawn(async move {
            while let Some(next) = reverse_due(&core_of_all, after).await {
                let works = |order: &WorkerOrder| *order != WorkerOrder::Work;
                tokio::select! {
                    () = sleep(next) => {}
                    () = expiry.approved.notified() => {}
                    _ = orders.wait_for(works) => return,
                }
            }
        });
    }
}

/// Reverses what is due. How long to wait before the next look; `None` where there is nobody left to look
/// for.
async fn reverse_due(core: &Weak<Core>, after: Duration) -> Option<Duration> {
    match core.upgrade()?.reverse_expired(after).await {
        Ok(next) => Some(next.min(LONGEST_WAIT)),
        Err(LedgerError::Closed) => None,
        Err(error) => {
            tracing::error!(%error, "orders that nobody decided on stay for now");
            Some(PAUSE)
        }
    }
}

impl Core {
    /// Reverses every order that has been undecided for `after`; how long the next one has left.
    async fn reverse_expired(&self, after: Duration) -> Result<Duration, LedgerError> {
        let (mut next, mut behind) = (Duration::MAX, None);
        // A quarantined queue is somebody else's: nothing in it is reversed unasked.
        while !self.control.is_quarantined() {
            let page = self
                .ledger
                .page_later(List::Undecided, behind, PAGE)
                .await?;
            for order in page.transactions.iter().filter(|one| one.may_expire()) {
                let left = after.saturating_sub(self.ledger.age_of(order)?);
                match left.is_zero() {
                    true => self.reverse_one_expired(order).await?,
                    false => next = next.min(left),
                }
            }
            behind = page.last;
            if behind.is_none() {
                break;
            }
        }
        Ok(next)
    }

    async fn reverse_one_expired(&self, order: &Transaction) -> Result<(), LedgerError> {
        let id = order.request_id;
        let decided = self.ledger.apply(id, Event::Expired(self.draft())).await?;
        if decided.advice().is_some() {
            tracing::warn!(request_id = %id, "nobody decided on an order in time, it is reversed");
        }
        Ok(())
    }
}
