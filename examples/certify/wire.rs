//! The exchanges of a till: every message that left, and what came back for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use money_transfer_retailer::Operation;
use money_transfer_retailer::model::Timestamp;
use reqwest::Method;
use serde_json::Value;
use tokio::time::Instant;

use super::evidence::now;

/// As much of an answer is kept as any message of the interface needs.
const LONGEST_KEPT: usize = 1024 * 1024;

/// The list of a till.
#[derive(Clone, Default)]
pub(crate) struct Wire(Arc<Mutex<List>>);

#[derive(Default)]
struct List {
    exchanges: Vec<Exchange>,
    /// Whose next answer the till is not to have.
    withheld: Option<Operation>,
}

/// A message that left, and what came back for it.
#[derive(Clone)]
pub(crate) struct Exchange {
    pub(crate) sent: Sent,
    pub(crate) sent_at: Timestamp,
    pub(crate) duration: Option<Duration>,
    pub(crate) head: Option<Head>,
    pub(crate) received: Vec<u8>,
    pub(crate) end: End,
    began: Instant,
    /// Whether a step has it as its evidence.
    is_claimed: bool,
}

/// A message, as the till sent it.
#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) method: Method,
    /// Below the base URL.
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// How an answer begins.
#[derive(Clone)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) content_type: Option<String>,
    pub(crate) location: Option<String>,
}

/// How an exchange ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Not at all, as far as the till waited for it.
    GivenUp,
    /// No connection to the server was made, and why.
    NotConnected(String),
    /// The connection broke before an answer.
    Broken,
    /// The connection broke in the middle of the answer.
    CutOff,
    /// The whole answer came.
    Complete,
    /// The whole answer came, and was kept from the till.
    Withheld,
}

/// An exchange that is being written down.
pub(crate) struct Noting {
    wire: Wire,
    index: usize,
}

impl Wire {
    pub(crate) fn begin(&self, sent: Sent) -> Noting {
        let mut list = self.lock();
        list.exchanges.push(Exchange {
            sent,
            sent_at: now(),
            duration: None,
            head: None,
            received: Vec::new(),
            end: End::GivenUp,
            began: Instant::now(),
            is_claimed: false,
        });
        Noting {
            wire: self.clone(),
            index: list.exchanges.len() - 1,
        }
    }

    /// The till is not to have the next answer to this operation.
    pub(crate) fn withhold_next(&self, operation: Operation) {
        self.lock().withheld = Some(operation);
    }

    pub(crate) fn is_withheld(&self, noting: &Noting) -> bool {
        let mut list = self.lock();
        let operation = list.exchanges[noting.index].operation();
        let is_withheld = operation.is_some() && list.withheld == operation;
        if is_withheld {
            list.withheld = None;
        }
        is_withheld
    }

    /// How many exchanges there are: what comes later is after this.
    pub(crate) fn mark(&self) -> usize {
        self.lock().exchanges.len()
    }

    /// Takes the exchanges of one operation since the mark.
    pub(crate) fn claim_since(&self, mark: usize, operation: Operation) -> Vec<Exchange> {
        self.claim(|index, exchange| index >= mark && exchange.operation() == Some(operation))
    }

    /// Takes the exchanges of the message with this id.
    pub(crate) fn claim_id(&self, id: &str) -> Vec<Exchange> {
        self.claim(|_, exchange| exchange.id().as_deref() == Some(id))
    }

    /// Takes what nobody has taken.
    pub(crate) fn claim_rest(&self) -> Vec<Exchange> {
        self.claim(|_, _| true)
    }

    /// The exchanges of the message with this id, whoever has taken them.
    pub(crate) fn of(&self, id: &str) -> Vec<Exchange> {
        let list = self.lock();
        let of_it = list.exchanges.iter();
        let of_it = of_it.filter(|exchange| exchange.id().as_deref() == Some(id));
        of_it.cloned().collect()
    }

    /// The last exchange of an operation, whoever has taken it.
    pub(crate) fn last_of(&self, operation: Operation) -> Option<Exchange> {
        let list = self.lock();
        let mut from_the_last = list.exchanges.iter().rev();
        let last = from_the_last.find(|exchange| exchange.operation() == Some(operation));
        last.cloned()
    }

    fn claim(&self, wanted: impl Fn(usize, &Exchange) -> bool) -> Vec<Exchange> {
        let mut list = self.lock();
        let mut claimed = Vec::new();
        for (index, exchange) in list.exchanges.iter_mut().enumerate() {
            if !exchange.is_claimed && wanted(index, exchange) {
                exchange.is_claimed = true;
                claimed.push(exchange.clone());
            }
        }
        claimed
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Noting {
    pub(crate) fn answered(&self, head: Head) {
        self.note(|exchange| exchange.head = Some(head));
    }

    pub(crate) fn received(&self, piece: &[u8]) {
        self.note(|exchange| {
            let room = LONGEST_KEPT.saturating_sub(exchange.received.len());
            let kept = &piece[..piece.len().min(room)];
            exchange.received.extend_from_slice(kept);
        });
    }

    pub(crate) fn end(&self, end: End) {
        self.note(|exchange| {
            exchange.duration = Some(exchange.began.elapsed());
            exchange.end = end;
        });
    }

    fn note(&self, change: impl FnOnce(&mut Exchange)) {
        change(&mut self.wire.lock().exchanges[self.index]);
    }
}

impl Exchange {
    pub(crate) fn operation(&self) -> Option<Operation> {
        let sent = &self.sent;
        let mut operations = Operation::ALL.into_iter();
        operations
            .find(|operation| operation.path() == sent.path && operation.method() == sent.method)
    }

    /// The message's own id, where it has one.
    pub(crate) fn id(&self) -> Option<String> {
        self.told("id")
    }

    /// The id of the request that an advice is about.
    pub(crate) fn about(&self) -> Option<String> {
        self.told("requestId")
    }

    fn told(&self, name: &str) -> Option<String> {
        self.request()[name].as_str().map(str::to_owned)
    }

    /// The message, or null where it is all in its query.
    pub(crate) fn request(&self) -> Value {
        serde_json::from_slice(&self.sent.body).unwrap_or_default()
    }

    /// The answer, or null where it is no JSON, or not the whole answer.
    pub(crate) fn response(&self) -> Value {
        serde_json::from_slice(&self.received).unwrap_or_default()
    }

    /// Whether all of the answer came.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.end, End::Complete | End::Withheld)
    }
}
