//! What the simulator has seen and holds, for assertions: a snapshot that does not change any more.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::Method;
use serde_json::Value;

use crate::model::{Kind, Operation};

use super::{
    faults::Fault,
    records::{Leg, Order},
};

/// Every message received so far, in order, and every order that came of them.
///
/// A snapshot: take another one to see what happened since. `Debug` prints ids, amounts and states, never a body.
#[derive(Clone, Debug, Default)]
pub struct Book {
    pub(super) messages: Vec<Arc<Message>>,
    pub(super) orders: Vec<Arc<Order>>,
    pub(super) strays: u64,
}

impl Book {
    /// Whether no message was received.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The messages in the order in which they came in.
    pub fn messages(&self) -> impl DoubleEndedIterator<Item = &Message> {
        self.messages.iter().map(AsRef::as_ref)
    }

    /// The messages of one operation, in order.
    pub fn messages_of(&self, operation: Operation) -> impl DoubleEndedIterator<Item = &Message> {
        self.messages()
            .filter(move |message| message.operation == operation)
    }

    /// How many messages of one operation were received.
    #[must_use]
    pub fn count(&self, operation: Operation) -> usize {
        self.messages_of(operation).count()
    }

    /// The orders that exist, in the order in which they were created.
    pub fn orders(&self) -> impl DoubleEndedIterator<Item = &Order> {
        self.orders.iter().map(AsRef::as_ref)
    }

    /// The order that the createOrder request of this id made.
    #[must_use]
    pub fn order(&self, request_id: impl fmt::Display) -> Option<&Order> {
        let id = request_id.to_string();
        self.orders().find(|order| order.leg.request_id == id)
    }

    /// The redemption that the redeemOrder request of this id made.
    #[must_use]
    pub fn redemption(&self, request_id: impl fmt::Display) -> Option<&Leg> {
        let id = request_id.to_string();
        self.orders()
            .flat_map(Order::redemptions)
            .find(|leg| leg.request_id == id)
    }

    /// The requests (createOrder, redeemOrder, cancelOrder) with this id.
    #[must_use]
    pub fn requests_of(&self, request_id: impl fmt::Display) -> Tally<'_> {
        self.tally(request_id, |operation| operation.kind() == Kind::Request)
    }

    /// The confirmations of the request with this id.
    #[must_use]
    pub fn confirmations_of(&self, request_id: impl fmt::Display) -> Tally<'_> {
        self.tally(request_id, Operation::is_confirmation)
    }

    /// The reversals of the request with this id.
    #[must_use]
    pub fn reversals_of(&self, request_id: impl fmt::Display) -> Tally<'_> {
        self.tally(request_id, Operation::is_reversal)
    }

    /// How many HTTP requests named no operation: an unknown path, a method that the path does not
    /// have, or a body that was not read to its end.
    #[must_use]
    pub fn strays(&self) -> u64 {
        self.strays
    }

    fn tally(&self, request_id: impl fmt::Display, wanted: fn(Operation) -> bool) -> Tally<'_> {
        let id = request_id.to_string();
        let concerns =
            |message: &&Message| wanted(message.operation) && message.request_id() == Some(&id);
        Tally {
            messages: self.messages().filter(concerns).collect(),
        }
    }
}

/// The messages about one request, counted.
#[derive(Clone, Debug)]
pub struct Tally<'a> {
    messages: Vec<&'a Message>,
}

impl<'a> Tally<'a> {
    /// How many reached the simulator.
    #[must_use]
    pub fn received(&self) -> usize {
        self.messages.len()
    }

    /// How often the rules ran on one of them: a message that a fault swallowed counts 0, a doubled one 2.
    #[must_use]
    pub fn processed(&self) -> usize {
        self.messages
            .iter()
            .map(|message| message.processed as usize)
            .sum()
    }

    /// How often the rules accepted one of them.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.messages
            .iter()
            .map(|message| message.accepted as usize)
            .sum()
    }

    /// How many different bodies came in: 1 where every repeat was the same bytes.
    #[must_use]
    pub fn distinct_bodies(&self) -> usize {
        let mut bodies: Vec<&Bytes> = self.messages.iter().map(|message| &message.body).collect();
        bodies.sort_unstable();
        bodies.dedup();
        bodies.len()
    }

    /// The messages themselves, in order.
    #[must_use]
    pub fn messages(&self) -> &[&'a Message] {
        &self.messages
    }
}

/// One message that reached the simulator in whole.
#[derive(Clone)]
pub struct Message {
    pub(super) operation: Operation,
    pub(super) user: String,
    pub(super) body: Bytes,
    pub(super) request_id: Option<String>,
    pub(super) advice_id: Option<String>,
    pub(super) processed: u32,
    pub(super) accepted: u32,
    pub(super) answered: Option<u16>,
    pub(super) error_type: Option<String>,
    pub(super) fault: Option<Fault>,
}

impl Message {
    /// What it asks for.
    #[must_use]
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// Its HTTP method.
    #[must_use]
    pub fn method(&self) -> Method {
        self.operation.method()
    }

    /// The user name it came with; empty where the credentials were missing or not readable.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The body, byte for byte. It can hold personal data.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as JSON; null where it is none. It can hold personal data.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The id of the financial request that the message is or, for an advice, is about.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// The advice's own id.
    #[must_use]
    pub fn advice_id(&self) -> Option<&str> {
        self.advice_id.as_deref()
    }

    /// How often the rules ran on it: 0 where a fault kept it from them, 2 where a fault doubled it.
    #[must_use]
    pub fn processed(&self) -> u32 {
        self.processed
    }

    /// How often the rules accepted it.
    #[must_use]
    pub fn accepted(&self) -> u32 {
        self.accepted
    }

    /// The status of the answer that was sent in whole; none where there was none.
    #[must_use]
    pub fn answered(&self) -> Option<u16> {
        self.answered
    }

    /// The errorType that the rules decided on, or that was answered in their place.
    #[must_use]
    pub fn error_type(&self) -> Option<&str> {
        self.error_type.as_deref()
    }

    /// The scripted fault that met it.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("operation", &self.operation)
            .field("user", &self.user)
            .field("request_id", &self.request_id)
            .field("advice_id", &self.advice_id)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .field("processed", &self.processed)
            .field("accepted", &self.accepted)
            .field("answered", &self.answered)
            .field("error_type", &self.error_type)
            .field("fault", &self.fault)
            .finish()
    }
}
