//! Dual messaging: a financial request, from the journal to its outcome.

use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::{Approved, Client, Core, OrderOutcome, RequestError, Unknown, WorkerOrder};
use crate::api::outcome::{ApprovalMessage, RequestOutcome, of_request};
use crate::api::{Answer, Call, Declined, NoAnswer, NotSent, Unanswered, json_body};
use crate::model::{
    Check, ErrorType, Fill, Money, Operation, RequestId, ReversalReason, Sensitive, Timestamp,
    TransactionMessage,
};
use crate::saf::{Approval, Event, LedgerError, Receipt, State, Transaction, TransactionRecord};
use crate::store::StoreError;

/// What dual messaging has to know of a request.
pub(super) trait FinancialRequest:
    TransactionMessage + Serialize + Check + Fill + Send + 'static
{
    const OPERATION: Operation;
    type Response: ApprovalMessage + Send + 'static;

    fn id(&self) -> RequestId;
    /// What is asked for, where the request says so.
    fn amount(&self) -> Option<Money>;
    /// The order that it is about, where there is one already.
    fn redeem_ref(&self) -> Option<Sensitive>;
}

impl Client {
    pub(super) async fn request<Q: FinancialRequest>(
        &self,
        mut request: Q,
    ) -> Result<OrderOutcome<Q::Response>, RequestError> {
        let core = &self.core;
        let request_id = request.id();
        request.fill(&core.defaults);
        let requested_at = request.stamp(core.clock.now());
        request.check().map_err(|source| RequestError::Invalid {
            operation: Q::OPERATION,
            request_id,
            source,
        })?;
        let body = json_body(&request).map_err(|source| RequestError::Unwritable {
            operation: Q::OPERATION,
            request_id,
            source,
        })?;
        self.check_sale::<Q>(request_id)?;
        self.check_limits(Q::OPERATION, request_id).await?;
        if self.fails_fast(request_id).await {
            return Ok(OrderOutcome::NotSent(NotSent::held(
                Q::OPERATION,
                request_id,
            )));
        }
        let exchange = Exchange::<Q> {
            client: self.clone(),
            transaction: self.journal_entry(&request, requested_at),
            call: Call::financial(Q::OPERATION, body, self.timeout, request_id),
            redeem_ref: request.redeem_ref(),
            kind: PhantomData,
        };
        exchange.run_by_itself().await
    }

    /// Whether a request is not even tried. Down, the worker has to be looking whether it is up again,
    /// and what became of a request that was made before is not up to the upstream.
    async fn fails_fast(&self, request_id: RequestId) -> bool {
        let core = &self.core;
        let is_probed = core.schedule.len() > 0 && !core.control.is_held();
        core.fail_fast
            && core.link.is_down()
            && is_probed
            && matches!(core.ledger.look_up(request_id).await, Ok(None))
    }

    /// That the queue may take a request of this till.
    fn check_sale<Q: FinancialRequest>(&self, request_id: RequestId) -> Result<(), RequestError> {
        let operation = Q::OPERATION;
        if self.is_quarantined() {
            return Err(RequestError::Quarantined {
                operation,
                request_id,
            });
        }
        match self.till_reference.too_long() {
            Some(part) => Err(RequestError::TillReference {
                operation,
                request_id,
                part,
            }),
            None => Ok(()),
        }
    }

    /// The transaction as it is before its first byte leaves.
    fn journal_entry<Q: FinancialRequest>(
        &self,
        request: &Q,
        requested_at: Timestamp,
    ) -> Transaction {
        let header = request.header();
        let mut transaction = Transaction {
            request_id: request.id(),
            operation: Q::OPERATION,
            sequence: 0,
            version: 0,
            requested_at,
            timeout: self.timeout,
            amount: request.amount(),
            receiver_id: header.receiver.map(|receiver| receiver.id.clone()),
            identifiers: header.third_party_identifiers.clone(),
            approval: None,
            receipt: Receipt::default(),
            receipt_at: None,
            masked_redeem_ref: None,
            till_reference: self.till_reference.clone(),
            tender_started: false,
            in_doubt: false,
            stands_since: None,
            advice_number: None,
            interventions: Vec::new(),
            state: State::Sent,
        };
        // By this it is known which order a reversal is about.
        transaction.set_receipt(Receipt::with_redeem_ref(request.redeem_ref()));
        transaction
    }
}

/// A request on its way.
struct Exchange<Q> {
    client: Client,
    transaction: Transaction,
    call: Call,
    redeem_ref: Option<Sensitive>,
    kind: PhantomData<fn() -> Q>,
}

impl<Q: FinancialRequest> Exchange<Q> {
    /// Runs in a task of its own: a till that stops waiting must not leave a journaled request
    /// that nobody sends, or an answer that nobody reads.
    async fn run_by_itself(self) -> Result<OrderOutcome<Q::Response>, RequestError> {
        let closed = RequestError::Closed {
            operation: Q::OPERATION,
            request_id: self.transaction.request_id,
        };
        let Some(under_way) = self.client.core.under_way() else {
            return Err(closed);
        };
        let interrupted = RequestError::Interrupted {
            operation: Q::OPERATION,
            request_id: self.transaction.request_id,
        };
        let (to_caller, from_exchange) = oneshot::channel();
        // The caller's runtime may be gone before the answer is there.
        let runtime = self.client.core.runtime.clone();
        runtime.spawn(async move {
            // What a caller does not take is dropped, and an approval then reverses itself.
            drop(to_caller.send(self.run().await));
            drop(under_way);
        });
        match from_exchange.await {
            Ok(outcome) => outcome?.take().ok_or(interrupted),
            Err(_) => Err(interrupted),
        }
    }

    /// Journals the request, sends it, and makes its outcome durable.
    async fn run(self) -> Result<Handover<Q::Response>, RequestError> {
        let Exchange {
            client,
            transaction,
            call,
            redeem_ref,
            ..
        } = self;
        let core = &client.core;
        let id = transaction.request_id;
        let amount = transaction.amount.clone();
        if let Err(error) = core.ledger.begin(transaction, client.insistence).await {
            // It may be known, and refused for another reason: a known one needs no room on the disk.
            let Ok(known) = core.ledger.apply(id, Event::Asked).await else {
                return Err(not_journaled(error, Q::OPERATION, id));
            };
            return client.earlier::<Q>(&known, amount, redeem_ref);
        }
        let unfinished = Unfinished {
            core: Arc::clone(core),
            id,
            is_finished: false,
        };
        let answer = core.answer(call).await;
        let outcome = of_request::<Q::Response>(answer, Q::OPERATION, id, &*core.answers);
        core.hear(outcome.word());
        let stored = match outcome {
            RequestOutcome::Approved(response) => client.approved(id, redeem_ref, response).await,
            RequestOutcome::Declined(declined) => {
                let stored = core.ledger.apply(id, event_of(&declined)).await;
                stored.map(|_| OrderOutcome::Declined(declined))
            }
            RequestOutcome::NotSent(not_sent) => {
                let stored = core.ledger.apply(id, Event::NotSent).await;
                stored.map(|_| OrderOutcome::NotSent(not_sent))
            }
            RequestOutcome::Unknown(cause) => core.unknown(Q::OPERATION, id, cause).await,
        };
        match stored {
            Ok(outcome) => {
                unfinished.finish();
                Ok(Handover::new(core, outcome))
            }
            // What is dropped here reverses the request, if the store takes that.
            Err(error) => Err(outcome_not_stored(error, Q::OPERATION, id)),
        }
    }
}

impl Client {
    /// What became of the request that has this id already.
    fn earlier<Q: FinancialRequest>(
        &self,
        known: &Transaction,
        amount: Option<Money>,
        redeem_ref: Option<Sensitive>,
    ) -> Result<Handover<Q::Response>, RequestError> {
        let is_same = known.operation == Q::OPERATION
            && known.amount == amount
            && redeem_ref.is_none_or(|reference| is_about(known, reference));
        if !is_same {
            return Err(RequestError::KnownRequest {
                operation: Q::OPERATION,
                request_id: known.request_id,
            });
        }
        let record = TransactionRecord::new(known.clone(), self.core.whereabouts());
        let outcome = OrderOutcome::Earlier(Box::new(record));
        Ok(Handover::new(&self.core, outcome))
    }

    async fn approved<R: ApprovalMessage>(
        &self,
        id: RequestId,
        requested_ref: Option<Sensitive>,
        response: R,
    ) -> Result<OrderOutcome<R>, LedgerError> {
        let identifiers = response.header().third_party_identifiers;
        let event = Event::Approved {
            approval: Approval {
                amount: response.amount().clone(),
            },
            receipt: receipt_of(&response, requested_ref),
            identifiers: (!identifiers.is_empty()).then(|| identifiers.clone()),
        };
        self.core.ledger.apply(id, event).await?;
        self.core.expiry.note_approval();
        let approved = Approved::new(self.clone(), id, response);
        Ok(OrderOutcome::Approved(approved))
    }
}

/// What a refusal means for the request: one that the upstream knows already may have arrived twice.
fn event_of(declined: &Declined) -> Event {
    match declined.error_type() {
        Some(ErrorType::DuplicateRecord) => Event::Duplicate,
        _ => Event::Declined,
    }
}

/// Whether `known` is about the order of `reference`, as far as that can still be told.
fn is_about(known: &Transaction, reference: Sensitive) -> bool {
    match &known.receipt.order_redeem_ref {
        Some(kept) => *kept == reference,
        None => {
            known.masked_redeem_ref == Receipt::with_redeem_ref(Some(reference)).masked_redeem_ref()
        }
    }
}

/// What the till may have to print after a restart.
fn receipt_of<R: ApprovalMessage>(response: &R, requested_ref: Option<Sensitive>) -> Receipt {
    // By the reference that was asked with, a later request for the same order is known.
    let reference = requested_ref.or_else(|| response.redeem_ref().cloned());
    let mut receipt = Receipt::with_redeem_ref(reference);
    receipt.order_redeem_ref_alt = response.redeem_ref_alt().cloned();
    receipt.slip_data = response.header().slip_data.cloned();
    receipt.within_limit()
}

impl Core {
    /// The answer to a request; none if a shutdown has no more time for it.
    async fn answer(&self, call: Call) -> Result<Answer, NoAnswer> {
        let mut orders = self.worker_orders.subscribe();
        tokio::select! {
            answer = self.transport.exchange(call) => answer,
            _ = orders.wait_for(|order| *order == WorkerOrder::BreakOff) => {
                Err(NoAnswer::connection_lost())
            }
        }
    }

    async fn unknown<R>(
        &self,
        operation: Operation,
        request_id: RequestId,
        cause: Unanswered,
    ) -> Result<OrderOutcome<R>, LedgerError> {
        tracing::warn!(%request_id, problem = %cause.problem, "outcome unknown, request is reversed");
        let event = Event::Unknown(self.draft(), cause.reversal_reason());
        let transaction = self.ledger.apply(request_id, event).await?;
        let reversal = transaction.advice().ok_or(LedgerError::UnknownRequest)?;
        Ok(OrderOutcome::Unknown(Unknown {
            operation,
            request_id,
            reversal_id: reversal.id,
            cause,
        }))
    }
}

impl Core {
    /// Applies `event` with nobody waiting for it. A disk that gives no room is waited out, for as long as the client
    /// lives; the next open does the rest.
    fn decide_by_itself(self: &Arc<Self>, id: RequestId, event: Event) {
        // Not in a task: the runtime may be about to end.
        self.ledger.apply_detached(id, event.clone());
        let (core, policy) = (Arc::downgrade(self), self.policy);
        self.runtime.spawn(async move {
            for attempt in 1.. {
                // Held no longer than this: the last client that is dropped ends everything.
                let Some(core) = core.upgrade() else { return };
                match core.ledger.apply(id, event.clone()).await {
                    Err(LedgerError::Store(
                        StoreError::Full { .. } | StoreError::NotExtended { .. },
                    )) => drop(core),
                    _ => return,
                }
                sleep(policy.pause_after(attempt)).await;
            }
        });
    }
}

/// A journaled request whose outcome is not stored yet. Dropped as it is, by a panic or with the
/// runtime, the outcome is unknown, and the request is reversed.
struct Unfinished {
    core: Arc<Core>,
    id: RequestId,
    is_finished: bool,
}

impl Unfinished {
    /// The outcome is stored.
    fn finish(mut self) {
        self.is_finished = true;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        let event = Event::Unknown(self.core.draft(), ReversalReason::Timeout);
        self.core.decide_by_itself(self.id, event);
    }
}

/// An outcome on its way to the caller. An approval that nobody takes is reversed.
struct Handover<R> {
    core: Arc<Core>,
    outcome: Option<OrderOutcome<R>>,
}

impl<R> Handover<R> {
    fn new(core: &Arc<Core>, outcome: OrderOutcome<R>) -> Self {
        Handover {
            core: Arc::clone(core),
            outcome: Some(outcome),
        }
    }

    fn take(mut self) -> Option<OrderOutcome<R>> {
        self.outcome.take()
    }
}

impl<R> Drop for Handover<R> {
    fn drop(&mut self) {
        if let Some(OrderOutcome::Approved(approved)) = &self.outcome {
            let reason = ReversalReason::Cancelled;
            let event = Event::Reverse(self.core.draft(), reason);
            self.core.decide_by_itself(approved.request_id(), event);
        }
    }
}

pub(super) fn not_journaled(
    error: LedgerError,
    operation: Operation,
    request_id: RequestId,
) -> RequestError {
    match error {
        LedgerError::Store(source) => RequestError::NotJournaled {
            operation,
            request_id,
            source,
        },
        LedgerError::Closed => RequestError::Closed {
            operation,
            request_id,
        },
        LedgerError::EarlierReversalPending { reversed } => RequestError::EarlierReversalPending {
            operation,
            request_id,
            reversed,
        },
        LedgerError::KnownRequest | LedgerError::UnknownRequest | LedgerError::Conflict(_) => {
            RequestError::KnownRequest {
                operation,
                request_id,
            }
        }
    }
}

fn outcome_not_stored(
    error: LedgerError,
    operation: Operation,
    request_id: RequestId,
) -> RequestError {
    let source = match error {
        LedgerError::Store(source) => source,
        LedgerError::Closed => {
            return RequestError::Closed {
                operation,
                request_id,
            };
        }
        unexpected => StoreError::Damaged {
            reason: format!("transaction {request_id}: {unexpected}"),
        },
    };
    RequestError::OutcomeNotStored {
        operation,
        request_id,
        source,
    }
}
