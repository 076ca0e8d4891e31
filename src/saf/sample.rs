//! Transactions and answers to try the room on.

use std::time::Duration;

use super::{
    Approval, Attempt, AttemptOutcome, Draft, Event, Receipt, State, TillReference, Transaction,
};
use crate::api::{Declined, NotSent, NotSentReason};
use crate::model::{
    AdviceId, ErrorDetail, ErrorType, Money, Operation, RequestId, Sensitive,
    ThirdPartyIdentifiers, Timestamp,
};

/// A request that was journaled.
pub(super) fn sent(operation: Operation) -> Transaction {
    Transaction {
        request_id: RequestId::random(),
        operation,
        sequence: 0,
        version: 0,
        requested_at: Timestamp::unix_epoch(),
        timeout: Duration::from_secs(60),
        amount: Some(Money::zar(79_995)),
        receiver_id: Some("627821".to_owned()),
        identifiers: identifiers(r#"[{"institutionId":"1","transactionIdentifier":"asked"}]"#),
        approval: None,
        receipt: Receipt::default(),
        receipt_at: None,
        masked_redeem_ref: None,
        till_reference: TillReference::default(),
        tender_started: false,
        in_doubt: false,
        stands_since: None,
        advice_number: None,
        interventions: Vec::new(),
        state: State::Sent,
    }
}

pub(super) fn identifiers(json: &str) -> ThirdPartyIdentifiers {
    serde_json::from_str(json).expect("identifiers are a list")
}

pub(super) fn draft() -> Draft {
    Draft {
        id: AdviceId::random(),
        time: Timestamp::unix_epoch(),
    }
}

pub(super) fn receipt() -> Receipt {
    Receipt {
        order_redeem_ref: Some(Sensitive::from("12345678901234567890")),
        ..Receipt::default()
    }
}

/// The upstream says yes, without identifiers of its own.
pub(super) fn approved() -> Event {
    approved_with(receipt())
}

/// The upstream says yes to an order that no other sale is about.
pub(super) fn approved_anew() -> Event {
    let reference = RequestId::random().to_string();
    approved_with(Receipt::with_redeem_ref(Some(Sensitive::from(reference))))
}

fn approved_with(receipt: Receipt) -> Event {
    Event::Approved {
        approval: Approval {
            amount: Money::zar(79_995),
        },
        receipt,
        identifiers: None,
    }
}

pub(super) fn attempt(outcome: AttemptOutcome) -> Attempt {
    Attempt::new(Timestamp::unix_epoch(), outcome)
}

/// What `transaction` becomes by `event`, which changes it.
pub(super) fn after(transaction: &Transaction, event: Event) -> Transaction {
    let next = transaction.after(event).expect("the event may follow");
    next.expect("the event changes something")
}

/// The service's own no to the message `id`.
pub(super) fn refusal(status: u16, error_type: ErrorType, id: &str) -> Declined {
    Declined {
        operation: Operation::ConfirmPayment,
        request_id: None,
        status,
        detail: Some(
            ErrorDetail::builder()
                .error_type(error_type)
                .error_message("no")
                .id(id)
                .build(),
        ),
        retry_after: None,
        excerpt: None,
    }
}

pub(super) fn not_sent() -> NotSent {
    NotSent {
        operation: Operation::ConfirmPayment,
        request_id: None,
        reason: NotSentReason::Connect,
        source: "refused".into(),
    }
}
