//! What goes over the line, and how it is called in the trace.

use serde::Deserialize;
use uuid::Uuid;

use super::upstream::Curse;
use crate::api::Call;
use crate::model::{AdviceId, Kind, Operation, RequestId};

/// Which part a message has in a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leg {
    Request,
    Confirmation,
    Reversal,
    Query,
}

/// A message, as far as the service reads it.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) operation: Operation,
    pub(super) leg: Leg,
    /// The number of the request that it is, or is about; none for a query.
    pub(super) request: u32,
    pub(super) id: String,
    /// In minor units.
    pub(super) amount: i64,
    /// The order that it names.
    pub(super) order: String,
    /// Whether the service refuses whatever it is sent at the moment.
    pub(super) is_refused: bool,
    pub(super) curse: Option<Curse>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    id: String,
    request_id: Option<Uuid>,
    amount: Option<Amount>,
    order_redeem_ref: Option<String>,
}

#[derive(Deserialize)]
struct Amount {
    amount: i64,
}

impl Message {
    pub(super) fn of(call: &Call) -> Option<Message> {
        let operation = call.operation;
        let leg = match operation.kind() {
            Kind::Request => Leg::Request,
            _ if operation.is_confirmation() => Leg::Confirmation,
            _ if operation.is_reversal() => Leg::Reversal,
            _ => Leg::Query,
        };
        let message = Message {
            operation,
            leg,
            request: 0,
            id: String::new(),
            amount: 0,
            order: String::new(),
            is_refused: false,
            curse: None,
        };
        match &call.body {
            Some(body) => message.with_body(body),
            None => Some(message.with_query(call)),
        }
    }

    fn with_body(self, body: &[u8]) -> Option<Message> {
        let body: Body = serde_json::from_slice(body).ok()?;
        let request = body.request_id.or_else(|| Uuid::try_parse(&body.id).ok())?;
        Some(Message {
            request: number_of(RequestId::from_uuid(request)),
            id: body.id,
            amount: body.amount.map_or(0, |amount| amount.amount),
            order: body.order_redeem_ref.unwrap_or_default(),
            ..self
        })
    }

    fn with_query(self, call: &Call) -> Message {
        let named = call
            .query
            .iter()
            .find(|(name, _)| *name == "orderRedeemRef");
        Message {
            order: named.map_or_else(String::new, |(_, value)| value.expose().to_owned()),
            ..self
        }
    }

    /// The same name in every run: the ids of advices are random.
    pub(super) fn name(&self) -> String {
        match self.leg {
            Leg::Query => format!("look-up of {}", self.order.trim_start_matches('0')),
            _ => format!("{} {}", self.operation, self.request),
        }
    }

    pub(super) fn is_advice(&self) -> bool {
        matches!(self.leg, Leg::Confirmation | Leg::Reversal)
    }
}

/// The id of request number `number`.
pub(super) fn request_id(number: u32) -> RequestId {
    let mut bytes = [0; 16];
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    RequestId::from_uuid(uuid::Builder::from_random_bytes(bytes).into_uuid())
}

pub(super) fn number_of(id: RequestId) -> u32 {
    let bytes = id.as_uuid().as_bytes();
    u32::from_be_bytes([bytes[12], bytes[13], bytes[14], bytes[15]])
}

/// What the money of order number `number` is collected with.
pub(super) fn redeem_ref(number: u32) -> String {
    format!("{number:020}")
}

pub(super) fn advice_id(bytes: &[u8]) -> Option<AdviceId> {
    Uuid::from_slice(bytes).ok().map(AdviceId::from_uuid)
}
