//! The service: what it knows of requests and advices, and what it says to a message.
//!
//! Messages arrive when the network lets them, whether anybody waits for the answer or not. They are
//! taken up in the order of their arrival whenever somebody looks.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::message::{Leg, Message, redeem_ref};
use super::world::Millis;
use crate::model::Operation;

/// The most that an order may be about, in minor units.
pub(super) const LIMIT: i64 = 500_000;

/// An advice that the service does not get to process for this long fares so whatever the weather.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Curse {
    /// The service fails over it.
    FailsUntil(Millis),
    /// The service refuses it, for a reason of its own.
    Refused,
}

/// Where a request stands that the service approved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum LegState {
    Approved,
    Confirmed,
    Reversed,
}

struct Approved {
    operation: Operation,
    order: String,
    state: LegState,
}

/// What the service says.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: String,
}

#[derive(Default)]
pub(super) struct Upstream {
    /// By the number of the request.
    approved: BTreeMap<u32, Approved>,
    /// The requests that it declined: a copy fares no better, though the order may be free by then.
    declined: BTreeMap<u32, &'static str>,
    /// The advices that it took.
    taken: BTreeSet<String>,
    /// The requests whose advice it refused.
    refused: BTreeSet<u32>,
    /// Under way, by the time of arrival.
    arriving: BTreeMap<(Millis, u64), Message>,
    replies: BTreeMap<u64, Reply>,
    posted: u64,
}

impl Upstream {
    /// Puts a message on its way. The reply is found under the number that is returned.
    pub(super) fn post(&mut self, message: Message, arrives_at: Millis) -> u64 {
        self.posted += 1;
        self.arriving.insert((arrives_at, self.posted), message);
        self.posted
    }

    /// Takes up what has arrived by `now`.
    pub(super) fn catch_up(&mut self, now: Millis) {
        while let Some(entry) = self.arriving.first_entry() {
            let (at, number) = *entry.key();
            if at > now {
                return;
            }
            let message = entry.remove();
            let reply = self.take(&message, at);
            self.replies.insert(number, reply);
        }
    }

    pub(super) fn reply(&mut self, number: u64) -> Option<Reply> {
        self.replies.remove(&number)
    }

    pub(super) fn state_of(&self, request: u32) -> Option<LegState> {
        self.approved.get(&request).map(|one| one.state)
    }

    pub(super) fn has_refused_advice_of(&self, request: u32) -> bool {
        self.refused.contains(&request)
    }

    fn take(&mut self, message: &Message, at: Millis) -> Reply {
        let is_advice = message.leg != Leg::Query && message.leg != Leg::Request;
        if message.is_refused {
            if is_advice {
                self.refused.insert(message.request);
            }
            return no(message, "FORMAT_ERROR");
        }
        match message.curse {
            Some(Curse::FailsUntil(until)) if at < until => page(500),
            Some(Curse::Refused) => {
                self.refused.insert(message.request);
                no(message, "TRANSACTION_DECLINED")
            }
            _ => self.process(message),
        }
    }

    fn process(&mut self, message: &Message) -> Reply {
        match message.leg {
            Leg::Query => self.look_up(message),
            Leg::Request => self.approve(message),
            Leg::Confirmation => self.settle(message, LegState::Confirmed),
            Leg::Reversal => self.settle(message, LegState::Reversed),
        }
    }

    fn approve(&mut self, message: &Message) -> Reply {
        if self.approved.contains_key(&message.request) {
            return no(message, "DUPLICATE_RECORD");
        }
        let known = self.declined.get(&message.request).copied();
        if let Some(reason) = known.or_else(|| self.objection(message)) {
            self.declined.insert(message.request, reason);
            return no(message, reason);
        }
        let order = match message.operation {
            Operation::CreateOrder => redeem_ref(message.request),
            _ => message.order.clone(),
        };
        let approved = Approved {
            operation: message.operation,
            order: order.clone(),
            state: LegState::Approved,
        };
        self.approved.insert(message.request, approved);
        let status = message.operation.success()[0];
        let body = json!({
            "id": message.id, "amount": { "amount": message.amount, "currency": "710" },
            "orderRedeemRef": order,
        });
        Reply {
            status,
            body: body.to_string(),
        }
    }

    fn objection(&self, message: &Message) -> Option<&'static str> {
        match message.operation {
            Operation::CreateOrder if message.amount > LIMIT => Some("DAILY_LIMIT_EXCEEDED"),
            Operation::CreateOrder => None,
            _ => (!self.is_collectable(&message.order)).then_some("UNABLE_TO_REDEEM"),
        }
    }

    /// Whether the order stands, and nobody else is about to collect or to cancel it.
    fn is_collectable(&self, order: &str) -> bool {
        let legs = || self.approved.values().filter(|leg| leg.order == order);
        let stands = |leg: &Approved| {
            leg.operation == Operation::CreateOrder && leg.state == LegState::Confirmed
        };
        let is_in_the_way = |leg: &Approved| {
            leg.operation != Operation::CreateOrder && leg.state != LegState::Reversed
        };
        legs().any(stands) && !legs().any(is_in_the_way)
    }

    fn settle(&mut self, message: &Message, state: LegState) -> Reply {
        // Not idempotent: what it took once it refuses the second time.
        if self.taken.contains(&message.id) {
            return no(message, "DUPLICATE_RECORD");
        }
        let Some(approved) = self.approved.get_mut(&message.request) else {
            return no(message, "UNABLE_TO_LOCATE_RECORD");
        };
        if approved.state != LegState::Approved {
            return no(message, "DUPLICATE_RECORD");
        }
        approved.state = state;
        self.taken.insert(message.id.clone());
        Reply {
            status: 202,
            body: json!({ "id": message.id }).to_string(),
        }
    }

    fn look_up(&self, message: &Message) -> Reply {
        let legs = || {
            self.approved
                .values()
                .filter(|leg| leg.order == message.order)
        };
        let Some(created) = legs().find(|leg| leg.operation == Operation::CreateOrder) else {
            return no(message, "UNABLE_TO_LOCATE_RECORD");
        };
        let living = |operation| {
            legs().any(|leg| leg.operation == operation && leg.state != LegState::Reversed)
        };
        let status = match created.state {
            LegState::Approved => "UNCONFIRMED",
            LegState::Reversed => "CANCELLED",
            LegState::Confirmed if living(Operation::CancelOrder) => "CANCELLED",
            LegState::Confirmed if living(Operation::RedeemOrder) => "REDEEMED",
            LegState::Confirmed => "UNREDEEMED",
        };
        Reply {
            status: 200,
            body: json!({ "status": status }).to_string(),
        }
    }
}

/// The service's own no.
fn no(message: &Message, error_type: &str) -> Reply {
    let body = json!({ "errorType": error_type, "errorMessage": "no", "id": message.id });
    Reply {
        status: 400,
        body: body.to_string(),
    }
}

pub(super) fn page(status: u16) -> Reply {
    Reply {
        status,
        body: "<html><body>Not today</body></html>".to_owned(),
    }
}
