//! What a point of sale uses.
//!
//! ```text
//!  create_order ─▶ journaled ─▶ sent ─▶ Approved ─▶ confirm / reverse ─▶ durable, then delivered
//!                                  ├──▶ Declined, NotSent                  by the worker
//!                                  └──▶ Unknown, its reversal already queued
//! ```
//!
//! 1. A financial request is durable before its first byte leaves.
//! 2. An approval is durable before the till sees it.
//! 3. A decision is durable before `confirm()` or `reverse()` returns `Ok`.
//! 4. At open, a request without an outcome is reversed without anyone asking.

mod advices;
mod approved;
mod binding;
mod builder;
mod error;
mod expiry;
mod financial;
mod finding;
mod operator;
mod outcome;
mod preflight;
mod queries;
mod query;
mod recovery;
mod requests;
mod steering;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout;

pub use advices::{Advices, StillPending, WaitError};
pub use approved::{Approved, Confirmable, HandedBack, QueuedAdvice};
pub use builder::ClientBuilder;
pub use error::{DecisionError, OpenError, QueryError, RequestError};
pub use outcome::{OrderOutcome, Unknown};
pub use preflight::{Limit, Limits};
pub use recovery::RecoveryReport;
pub use requests::{CancelOrderOutcome, CreateOrderOutcome, RedeemOrderOutcome};
pub use steering::{CredentialsError, Health};

use crate::api::{AnswerPolicy, Transport, Word};
use crate::model::{AdviceId, Defaults, Money, RequestId, ReversalReason};
use crate::saf::clock::Clock;
use crate::saf::control::Control;
use crate::saf::delivery::Order as WorkerOrder;
use crate::saf::ledger::Insistence;
use crate::saf::link::{Ear, Link};
use crate::saf::{
    Draft, Event, Ledger, RetryPolicy, Schedule, TillReference, TransactionRecord, Whereabouts,
};
use binding::Binding;
use expiry::Expiry;

/// How long a shutdown waits for the disk after its deadline.
const CLOSING: Duration = Duration::from_secs(2);

/// Far beyond any sensible wait, and far from where the monotonic clock overflows.
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A till's connection to the upstream, and the queue of what it has decided.
///
/// Cheap to clone; all clones share one queue and one worker. The worker runs on the runtime in
/// which the client was opened, until [`shutdown`](Client::shutdown) or until the last clone is
/// dropped. Either way nothing is lost: what is still pending is sent after the next open.
#[derive(Clone)]
pub struct Client {
    core: Arc<Core>,
    /// How long one exchange of this clone may take.
    timeout: Duration,
    /// How long a query of this clone may take, repeats included.
    deadline: Duration,
    /// What this clone writes beside its financial requests.
    till_reference: TillReference,
    insistence: Insistence,
}

/// What all clones share.
struct Core {
    ledger: Arc<Ledger>,
    schedule: Arc<Schedule>,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    defaults: Defaults,
    policy: RetryPolicy,
    /// Whose queue it has to be.
    binding: Binding,
    link: Arc<Link>,
    control: Arc<Control>,
    answers: Arc<dyn AnswerPolicy>,
    /// Whether requests are not even tried while the upstream is down.
    fail_fast: bool,
    limits: Limits,
    expiry: Expiry,
    /// What was found at the open.
    report: RecoveryReport,
    /// The runtime of the worker, which outlives those of short-lived callers.
    runtime: Handle,
    /// Dropped with the last clone, which the worker takes as the word to go.
    worker_orders: watch::Sender<WorkerOrder>,
    /// Whether the worker has ended; dropped with it, too.
    worker_ended: watch::Receiver<bool>,
    /// How many financial requests are under way.
    exchanges: watch::Sender<usize>,
}

/// Counts a financial request as under way for as long as it lives.
struct UnderWay {
    core: Arc<Core>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.core.exchanges.send_modify(|count| *count -= 1);
    }
}

/// What was left when a client was shut down. All of it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remaining {
    /// How many advices are still to be sent.
    pub pending: usize,
    /// Whether sendings had to be broken off because the deadline was reached.
    pub broken_off: bool,
}

impl Client {
    /// Begins to set up a client.
    ///
    /// See the front page of the crate for an example.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    /// A clone whose financial requests wait so long for an answer before their outcome is unknown,
    /// and whose queries wait so long for each answer.
    ///
    /// ```no_run
    /// # use money_transfer_retailer::{Client, model::CreateOrderRequest};
    /// # async fn f(till: Client, request: CreateOrderRequest) -> Result<(), Box<dyn std::error::Error>> {
    /// let patient = till.with_timeout(std::time::Duration::from_secs(90));
    /// let outcome = patient.create_order(request).await?;
    /// # Ok(()) }
    /// ```
    pub fn with_timeout(&self, timeout: Duration) -> Client {
        Client {
            // Without any time every request would be in doubt.
            timeout: timeout.max(Duration::from_micros(1)),
            ..self.clone()
        }
    }

    /// A clone whose queries and updates are sent again for so long, until they have a final answer.
    pub fn with_deadline(&self, deadline: Duration) -> Client {
        Client {
            deadline,
            ..self.clone()
        }
    }

    /// A clone that writes `reference` beside its financial requests: the receipt, basket, lane and
    /// operator by which the till knows the sale. Nothing of it is sent.
    ///
    /// ```no_run
    /// # use money_transfer_retailer::{Client, TillReference, model::CreateOrderRequest};
    /// # async fn f(till: Client, request: CreateOrderRequest) -> Result<(), Box<dyn std::error::Error>> {
    /// let sale = TillReference::builder().receipt("R-4711").lane("3").build();
    /// let outcome = till.with_till_reference(sale.clone()).create_order(request).await?;
    /// // After a restart:
    /// let requests = till.find(&sale)?;
    /// # Ok(()) }
    /// ```
    pub fn with_till_reference(&self, reference: TillReference) -> Client {
        Client {
            till_reference: reference,
            ..self.clone()
        }
    }

    /// A clone whose requests to redeem or cancel an order are sent even while the reversal of an
    /// earlier one for the same order is pending. A late reversal may then reopen the order.
    pub fn despite_earlier_reversal(&self) -> Client {
        Client {
            insistence: Insistence::Insist,
            ..self.clone()
        }
    }

    /// What was found when the queue was opened, and what was done about it.
    pub fn recovery(&self) -> &RecoveryReport {
        &self.core.report
    }

    /// What the queue knows of the request `id`, an ended one too; `None` if it knows nothing. The last
    /// 10,000 ended ones are kept.
    ///
    /// # Errors
    /// [`DecisionError::Store`] if the queue cannot be read, [`DecisionError::Closed`] after a
    /// shutdown.
    pub fn transaction(&self, id: RequestId) -> Result<Option<TransactionRecord>, DecisionError> {
        let found = self.core.ledger.transaction(id)?;
        Ok(found.map(|one| TransactionRecord::new(one, self.core.whereabouts())))
    }

    /// Marks that tender for the request `id` is being taken, or that money is being paid out.
    ///
    /// # Errors
    /// As for [`confirm`](Client::confirm).
    pub async fn tender_started(&self, id: RequestId) -> Result<(), DecisionError> {
        self.check_binding()?;
        self.core.ledger.apply(id, Event::TenderStarted).await?;
        Ok(())
    }

    /// Confirms the request `id`: the customer has paid, or has been paid.
    ///
    /// Returns when the confirmation is on the disk; from then on it is sent until the upstream
    /// has taken it. Confirming again returns the same advice.
    ///
    /// # Errors
    /// [`DecisionError::Conflict`] if the request is not approved, or was reversed;
    /// [`DecisionError::UnknownRequest`] if the queue knows no such request. On
    /// [`DecisionError::Store`] it is not known whether the decision is durable: repeat it.
    pub async fn confirm(&self, id: RequestId) -> Result<QueuedAdvice, DecisionError> {
        self.decide(id, Event::Confirm(self.core.draft(), None))
            .await
    }

    /// Confirms the request `id` for `amount`: less than was approved, in minor units.
    ///
    /// # Errors
    /// As for [`confirm`](Client::confirm); [`Conflict::NotApproved`](crate::Conflict) for more than was
    /// approved, [`Conflict::ConfirmedAmount`](crate::Conflict) if it was confirmed for another amount.
    pub async fn confirm_amount(
        &self,
        id: RequestId,
        amount: Money,
    ) -> Result<QueuedAdvice, DecisionError> {
        self.decide(id, Event::Confirm(self.core.draft(), Some(amount)))
            .await
    }

    /// Reverses the request `id`: the cashier cancelled, or tender failed.
    ///
    /// Returns when the reversal is on the disk; from then on it is sent until the upstream has
    /// taken it. Reversing again returns the same advice.
    ///
    /// # Errors
    /// As for [`confirm`](Client::confirm); [`DecisionError::UnknownReason`] for a reason that this
    /// version of the interface does not have.
    pub async fn reverse(
        &self,
        id: RequestId,
        reason: ReversalReason,
    ) -> Result<QueuedAdvice, DecisionError> {
        if let ReversalReason::Other(_) = reason {
            return Err(DecisionError::UnknownReason);
        }
        self.decide(id, Event::Reverse(self.core.draft(), reason))
            .await
    }

    /// Completes the cancellation `id`: the sender has been refunded.
    ///
    /// The interface has no message for it: the cancellation took effect with its answer. It is
    /// done here as soon as this is on the disk.
    ///
    /// # Errors
    /// As for [`confirm`](Client::confirm); [`Conflict::NoSuchAdvice`](crate::Conflict) for a
    /// request that is no cancellation.
    pub async fn complete(&self, id: RequestId) -> Result<(), DecisionError> {
        self.check_binding()?;
        self.core.ledger.apply(id, Event::Complete).await?;
        Ok(())
    }

    async fn decide(&self, id: RequestId, event: Event) -> Result<QueuedAdvice, DecisionError> {
        self.check_binding()?;
        let transaction = self.core.ledger.apply(id, event).await?;
        QueuedAdvice::of(&transaction).ok_or(DecisionError::UnknownRequest)
    }

    fn check_binding(&self) -> Result<(), DecisionError> {
        match self.is_quarantined() {
            true => Err(DecisionError::Quarantined),
            false => Ok(()),
        }
    }

    /// The advices of this client's queue.
    pub fn advices(&self) -> Advices<'_> {
        Advices::new(&self.core)
    }

    /// Stops the worker, lets what is under way finish for as long as `deadline`, closes the queue and
    /// lets go of its directory.
    ///
    /// Every clone is shut down with it. What is pending is sent after the next open. A request that
    /// is still without an answer at the deadline is broken off, and reversed. After the deadline the
    /// disk is given 2 s to take the last word.
    pub async fn shutdown(self, deadline: Duration) -> Remaining {
        let core = &self.core;
        core.worker_orders.send_replace(WorkerOrder::Finish);
        let finished = timeout(deadline.min(LONGEST_WAIT), core.finish())
            .await
            .is_ok();
        if !finished {
            core.worker_orders.send_replace(WorkerOrder::BreakOff);
            // Whoever does not make it is taken up at the next open.
            let _ = timeout(CLOSING, core.finish()).await;
        }
        let ledger = Arc::clone(&core.ledger);
        // Closing waits for the disk, which no async task should do.
        let closing = ledger.close_apart(&core.runtime);
        let closed = timeout(CLOSING, closing).await;
        // Nobody waits any longer for what will be settled after the next open.
        core.schedule.tell_waiting();
        Remaining {
            pending: core.schedule.len(),
            broken_off: !finished || closed.is_err(),
        }
    }
}

impl Core {
    fn whereabouts(&self) -> Whereabouts<'_> {
        Whereabouts {
            schedule: &self.schedule,
            control: &self.control,
        }
    }

    fn draft(&self) -> Draft {
        Draft {
            id: AdviceId::random(),
            time: self.clock.now(),
        }
    }

    /// Tells the link what a till heard.
    fn hear(&self, word: Word) {
        if self.link.hear(word, Ear::Till, self.clock.now()) {
            self.schedule.nudge();
        }
    }

    /// Counts a new financial request, unless the client is being shut down.
    fn under_way(self: &Arc<Self>) -> Option<UnderWay> {
        if *self.worker_orders.borrow() != WorkerOrder::Work {
            return None;
        }
        self.exchanges.send_modify(|count| *count += 1);
        Some(UnderWay {
            core: Arc::clone(self),
        })
    }

    /// Waits until neither a request nor an advice is under way.
    async fn finish(&self) {
        // Neither can fail for long: one sender lives in `self`, the other goes with the worker.
        let _ = self
            .exchanges
            .subscribe()
            .wait_for(|count| *count == 0)
            .await;
        self.worker_ended
            .clone()
            .wait_for(|ended| *ended)
            .await
            .ok();
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("pending", &self.core.schedule.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
