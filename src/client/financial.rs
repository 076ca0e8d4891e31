//! Dual messaging: a financial request, from the journal to its outcome.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::oneshot;

use super::{Approved, Client, Core, OrderOutcome, RequestError, Unknown};
use crate::api::outcome::{ApprovalMessage, RequestOutcome, of_request};
use crate::api::{Call, Unanswered};
use crate::model::{
    Check, CreateOrderRequest, CreateOrderResponse, Fill, Money, Operation, RequestId,
    ReversalReason, ThirdPartyIdentifiers, Timestamp,
};
use crate::saf::{Approval, Event, LedgerError, State, Transaction};
use crate::store::StoreError;

/// The outcome of `create_order`.
pub type CreateOrderOutcome = OrderOutcome<CreateOrderResponse>;

/// What dual messaging has to know of a request.
trait FinancialRequest: Serialize + Check + Fill + Send + 'static {
    const OPERATION: Operation;
    type Response: FinancialResponse;

    fn id(&self) -> RequestId;
    /// Sets the time, unless the till has set it.
    fn stamp(&mut self, now: Timestamp) -> Timestamp;
    fn amount(&self) -> Option<Money>;
    fn receiver_id(&self) -> Option<String>;
    fn identifiers(&self) -> ThirdPartyIdentifiers;
}

/// What dual messaging has to know of a response.
trait FinancialResponse: ApprovalMessage + Send + 'static {
    fn approval(&self) -> Approval;
    /// `None` where the response carries none.
    fn identifiers(&self) -> Option<ThirdPartyIdentifiers>;
}

impl FinancialRequest for CreateOrderRequest {
    const OPERATION: Operation = Operation::CreateOrder;
    type Response = CreateOrderResponse;

    fn id(&self) -> RequestId {
        self.id
    }

    fn stamp(&mut self, now: Timestamp) -> Timestamp {
        *self.time.get_or_insert(now)
    }

    fn amount(&self) -> Option<Money> {
        Some(self.amount.clone())
    }

    fn receiver_id(&self) -> Option<String> {
        self.receiver.as_ref().map(|receiver| receiver.id.clone())
    }

    fn identifiers(&self) -> ThirdPartyIdentifiers {
        self.third_party_identifiers.clone()
    }
}

impl ApprovalMessage for CreateOrderResponse {
    fn message_id(&self) -> &str {
        &self.id
    }

    fn identifiers_bytes(&self) -> usize {
        self.third_party_identifiers.as_json().len()
    }
}

impl FinancialResponse for CreateOrderResponse {
    fn approval(&self) -> Approval {
        Approval {
            amount: self.amount.clone(),
            redeem_ref: self.order_redeem_ref.clone(),
        }
    }

    fn identifiers(&self) -> Option<ThirdPartyIdentifiers> {
        let identifiers = &self.third_party_identifiers;
        (!identifiers.is_empty()).then(|| identifiers.clone())
    }
}

impl Client {
    /// Asks the upstream to create an order: sells a money transfer.
    ///
    /// What the request leaves out of originator, client, receiver, settlement entity and time is
    /// filled in first. The request is on the disk before it leaves. If this future is dropped,
    /// the exchange goes on by itself, and an approval that nobody received is reversed.
    ///
    /// Wire name: `createOrder`.
    ///
    /// # Errors
    /// [`RequestError::Invalid`], [`RequestError::KnownRequest`] and
    /// [`RequestError::NotJournaled`]: nothing was sent. On any other error take no tender.
    pub async fn create_order(
        &self,
        request: CreateOrderRequest,
    ) -> Result<CreateOrderOutcome, RequestError> {
        self.core.request(request).await
    }
}

impl Core {
    async fn request<Q: FinancialRequest>(
        self: &Arc<Self>,
        mut request: Q,
    ) -> Result<OrderOutcome<Q::Response>, RequestError> {
        let request_id = request.id();
        let invalid = |source| RequestError::Invalid {
            operation: Q::OPERATION,
            request_id,
            source,
        };
        request.fill(&self.defaults);
        let requested_at = request.stamp(self.clock.now());
        request.check().map_err(invalid)?;
        let body = serde_json::to_vec(&request).map_err(|source| RequestError::Unwritable {
            operation: Q::OPERATION,
            request_id,
            source,
        })?;
        let transaction = Transaction {
            request_id,
            operation: Q::OPERATION,
            sequence: 0,
            version: 0,
            requested_at,
            amount: request.amount(),
            receiver_id: request.receiver_id(),
            identifiers: request.identifiers(),
            approval: None,
            state: State::Sent,
        };
        let closed = RequestError::Closed {
            operation: Q::OPERATION,
            request_id,
        };
        let Some(under_way) = self.under_way() else {
            return Err(closed);
        };
        // From here on the exchange belongs to a task of its own: a till that stops waiting must
        // not leave a journaled request that nobody sends, or an answer that nobody reads.
        let (to_caller, from_exchange) = oneshot::channel();
        let core = Arc::clone(self);
        tokio::spawn(async move {
            let outcome = core.exchange::<Q>(transaction, body.into()).await;
            // What a caller does not take is dropped, and an approval then reverses itself.
            drop(to_caller.send(outcome));
            drop(under_way);
        });
        match from_exchange.await {
            Ok(outcome) => outcome?.take().ok_or(closed),
            Err(_) => Err(closed),
        }
    }

    /// Journals the request, sends it, and makes its outcome durable.
    async fn exchange<Q: FinancialRequest>(
        self: &Arc<Self>,
        transaction: Transaction,
        body: Bytes,
    ) -> Result<Handover<Q::Response>, RequestError> {
        let id = transaction.request_id;
        let journaled = self.ledger.begin(transaction).await;
        journaled.map_err(|error| not_journaled(error, Q::OPERATION, id))?;
        let call = Call::with_body(Q::OPERATION, body, self.timeout);
        let answer = self.transport.exchange(call).await;
        let stored = match of_request::<Q::Response>(answer, &id.to_string()) {
            RequestOutcome::Approved(response) => self.approved(id, response).await,
            RequestOutcome::Declined(declined) => {
                let stored = self.ledger.apply(id, Event::Declined).await;
                stored.map(|_| OrderOutcome::Declined(declined))
            }
            RequestOutcome::NotSent(not_sent) => {
                let stored = self.ledger.apply(id, Event::NotSent).await;
                stored.map(|_| OrderOutcome::NotSent(not_sent))
            }
            RequestOutcome::Unknown(cause) => self.unknown(id, cause).await,
        };
        match stored {
            Ok(outcome) => Ok(Handover::new(self, outcome)),
            Err(error) => Err(outcome_not_stored(error, Q::OPERATION, id)),
        }
    }

    async fn approved<R: FinancialResponse>(
        self: &Arc<Self>,
        id: RequestId,
        response: R,
    ) -> Result<OrderOutcome<R>, LedgerError> {
        let event = Event::Approved {
            approval: response.approval(),
            identifiers: response.identifiers(),
        };
        self.ledger.apply(id, event).await?;
        let approved = Approved::new(Arc::clone(self), id, response);
        Ok(OrderOutcome::Approved(approved))
    }

    async fn unknown<R>(
        &self,
        request_id: RequestId,
        cause: Unanswered,
    ) -> Result<OrderOutcome<R>, LedgerError> {
        tracing::warn!(%request_id, problem = %cause.problem, "outcome unknown, request is reversed");
        let event = Event::Unknown(self.draft(), cause.reversal_reason());
        let transaction = self.ledger.apply(request_id, event).await?;
        let reversal = transaction.advice().ok_or(LedgerError::UnknownRequest)?;
        Ok(OrderOutcome::Unknown(Unknown {
            request_id,
            reversal_id: reversal.id,
            cause,
        }))
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
            self.core
                .ledger
                .apply_detached(approved.request_id(), event);
        }
    }
}

fn not_journaled(error: LedgerError, operation: Operation, request_id: RequestId) -> RequestError {
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
