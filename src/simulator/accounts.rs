//! The records of the accounts: each pair of user name and password has its own.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use fastrand::Rng;
use serde_json::Value;

use super::{
    answer::{Answer, Problem},
    call::Call,
    customers::CustomerFile,
    outcome::Refusal,
    records::{Leg, LegState, Order, OrderState},
    upstream::random_uuid,
};

/// What one account has stored.
#[derive(Default)]
pub(super) struct Account {
    pub(super) orders: Vec<StoredOrder>,
    /// Where the order with a redeem reference stands: each new one is compared with those of all others.
    by_reference: HashMap<String, usize>,
    pub(super) customers: CustomerFile,
    /// Every financial request that was approved, by its id.
    requests: HashMap<String, Place>,
    advices: HashSet<String>,
}

/// Where the leg of a request stands: the order's index, and which of its legs.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Order(usize),
    Redemption(usize, usize),
    Cancellation(usize, usize),
}

/// An order with all that the rules need of it; what the book shows is shared with its snapshots.
pub(super) struct StoredOrder {
    pub(super) shown: Arc<Order>,
    pub(super) request: Value,
    pub(super) time: Option<DateTime<Utc>>,
    /// None until the order's history or its cancellation has told one: what no client can know must not be asked for.
    pub(super) redeem_ref_alt: Option<String>,
    pub(super) remittance_ref: Option<String>,
    pub(super) pin_block: Option<String>,
    pub(super) wrong_pins: u32,
    pub(super) customer_profile_id: Option<String>,
    /// What updateOrderStatus said last.
    pub(super) told: Option<StatusUpdate>,
}

/// A status that came by updateOrderStatus.
pub(super) struct StatusUpdate {
    pub(super) time: Option<DateTime<Utc>>,
    pub(super) status: String,
    pub(super) description: Option<String>,
}

/// All that a rule works with: one account, and what the accounts share.
pub(super) struct Desk<'a> {
    pub(super) account: &'a mut Account,
    pub(super) random: &'a mut Rng,
    pub(super) orders_made: &'a mut u64,
    pub(super) provider_quirks: bool,
}

impl Desk<'_> {
    /// A missing field that breaks the provider's server, and is a format error anywhere else.
    pub(super) fn missing(&self, field: &str) -> Refusal {
        if self.provider_quirks {
            Answer::internal_fault().into()
        } else {
            Problem::missing(field).into()
        }
    }

    pub(super) fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| self.random.digit(10)).collect()
    }

    pub(super) fn uuid(&mut self) -> String {
        random_uuid(self.random)
    }

    /// The alternative reference of an order, which the order has from now on.
    pub(super) fn tell_alternative(&mut self, order: usize) -> String {
        if let Some(told) = &self.account.orders[order].redeem_ref_alt {
            return told.clone();
        }
        let fresh = self.digits(10);
        self.account.orders[order].redeem_ref_alt = Some(fresh.clone());
        fresh
    }
}

const DUPLICATE: Problem = Problem::new("DUPLICATE_RECORD", "A record with this id exists already");
pub(super) const UNKNOWN: Problem = Problem::new("UNABLE_TO_LOCATE_RECORD", "No such record");

impl Account {
    /// Refuses the id of a request that was approved before.
    pub(super) fn fresh(&self, call: &Call) -> Result<(), Problem> {
        let known = call.id().is_some_and(|id| self.requests.contains_key(id));
        if known { Err(DUPLICATE) } else { Ok(()) }
    }

    /// Keeps an order, which is found by its id and its redeem reference from now on.
    pub(super) fn add_order(&mut self, order: StoredOrder) {
        let place = self.orders.len();
        self.by_reference
            .insert(order.shown.redeem_ref.clone(), place);
        self.register(&order.shown.leg.request_id, Place::Order(place));
        self.orders.push(order);
    }

    pub(super) fn register(&mut self, request_id: &str, place: Place) {
        self.requests.insert(request_id.to_owned(), place);
    }

    /// The order with this redeem reference. The alternative one does not stand in for it.
    pub(super) fn order_by_reference(&self, reference: &str) -> Option<usize> {
        self.by_reference.get(reference).copied()
    }

    fn order_by_id(&self, id: &str) -> Option<usize> {
        match self.requests.get(id)? {
            Place::Order(order) => Some(*order),
            Place::Redemption(..) | Place::Cancellation(..) => None,
        }
    }

    /// The order that a message names.
    pub(super) fn order_named(&self, names: &Names<'_>) -> Option<usize> {
        if let Some(reference) = names.redeem {
            return self.order_by_reference(reference);
        }
        if let Some(reference) = names.redeem_alt {
            let is_it = |order: &StoredOrder| order.redeem_ref_alt.as_deref() == Some(reference);
            return self.orders.iter().position(is_it);
        }
        if let Some(reference) = names.remittance {
            return self.order_by_remittance(reference);
        }
        self.order_by_id(names.order_id?)
    }

    /// Orders get a remittance reference by updateOrderStatus only; until then their id serves as one.
    fn order_by_remittance(&self, reference: &str) -> Option<usize> {
        self.orders.iter().position(|order| {
            let own = order.remittance_ref.as_deref();
            own.unwrap_or(&order.shown.leg.request_id) == reference
        })
    }

    /// Books an advice: `wanted` says which kind of request it may be about, `conflict` what a decision already
    /// taken the other way is answered with.
    pub(super) fn advise(&mut self, advice: &Advice<'_>) -> Result<(), Problem> {
        let place = self
            .requests
            .get(advice.request_id)
            .copied()
            .filter(advice.about);
        let place = place.ok_or(UNKNOWN)?;
        if self.advices.contains(advice.id) {
            return Err(DUPLICATE);
        }
        let leg = self.leg_mut(place);
        if leg.state != LegState::Created && leg.state != advice.decision {
            return Err(advice.conflict.clone());
        }
        leg.state = advice.decision;
        let decided = match advice.decision {
            LegState::Reversed => &mut leg.reversals,
            LegState::Confirmed | LegState::Created => &mut leg.confirmations,
        };
        decided.push(advice.id.to_owned());
        self.advices.insert(advice.id.to_owned());
        Ok(())
    }

    fn leg_mut(&mut self, place: Place) -> &mut Leg {
        let (Place::Order(order) | Place::Redemption(order, _) | Place::Cancellation(order, _)) =
            place;
        let shown = Arc::make_mut(&mut self.orders[order].shown);
        match place {
            Place::Order(_) => &mut shown.leg,
            Place::Redemption(_, leg) => &mut shown.redemptions[leg],
            Place::Cancellation(_, leg) => &mut shown.cancellations[leg],
        }
    }
}

/// The references by which a message names an order; the first that is given decides.
#[derive(Default)]
pub(super) struct Names<'a> {
    pub(super) redeem: Option<&'a str>,
    pub(super) redeem_alt: Option<&'a str>,
    pub(super) remittance: Option<&'a str>,
    pub(super) order_id: Option<&'a str>,
}

impl Names<'_> {
    pub(super) fn is_none(&self) -> bool {
        let all = [self.redeem, self.redeem_alt, self.remittance, self.order_id];
        all.iter().all(Option::is_none)
    }
}

/// A confirmation or reversal, as the records see it.
pub(super) struct Advice<'a> {
    pub(super) id: &'a str,
    pub(super) request_id: &'a str,
    pub(super) about: fn(&Place) -> bool,
    pub(super) decision: LegState,
    pub(super) conflict: Problem,
}

impl StoredOrder {
    pub(super) fn shown_mut(&mut self) -> &mut Order {
        Arc::make_mut(&mut self.shown)
    }

    /// Whether this PIN block is the order's. One that was made without a PIN takes any.
    pub(super) fn takes_pin(&self, given: &str) -> bool {
        let own = self.pin_block.as_ref();
        own.is_none_or(|own| own.eq_ignore_ascii_case(given))
    }

    /// The status that updateOrderStatus said last.
    pub(super) fn told_status(&self) -> Option<&str> {
        self.told.as_ref().map(|told| told.status.as_str())
    }

    /// The status that a lookup answers.
    pub(super) fn status(&self) -> &str {
        match self.shown.state() {
            OrderState::Reversed | OrderState::Cancelled => "CANCELLED",
            OrderState::Redeemed => "REDEEMED",
            OrderState::Created | OrderState::Confirmed => {
                self.told_status().unwrap_or("UNREDEEMED")
            }
        }
    }
}

/// The problem with a decision that was already taken the other way.
pub(super) const DECIDED_OTHERWISE: Problem = Problem::new(
    "DUPLICATE_RECORD",
    "The request was already decided the other way",
);
