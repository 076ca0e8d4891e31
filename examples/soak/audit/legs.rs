//! Checks against the simulator's records: what came of each request that it approved.

use std::collections::HashMap;

use money_transfer_retailer::model::{AdviceId, RequestId};
use money_transfer_retailer::simulator::{Book, Leg, LegState};

use super::sendings::Sendings;
use super::{Check, Evidence};

/// What the simulator has of each request: orders, redemptions and cancellations alike.
pub(crate) struct Legs {
    by_request: HashMap<RequestId, Standing>,
}

/// Where a request stands upstream.
pub(crate) struct Standing {
    is_decided: bool,
    pub(crate) confirmations: Vec<String>,
    pub(crate) reversals: Vec<String>,
}

impl Legs {
    pub(crate) fn of(book: &Book) -> Legs {
        let mut by_request = HashMap::new();
        let mut add = |id: &str, standing| {
            if let Ok(id) = id.parse() {
                by_request.insert(id, standing);
            }
        };
        for order in book.orders() {
            let (confirmations, reversals) = (order.confirmations(), order.reversals());
            let standing = Standing {
                is_decided: !confirmations.is_empty() || !reversals.is_empty(),
                confirmations: confirmations.to_vec(),
                reversals: reversals.to_vec(),
            };
            add(order.request_id(), standing);
            for leg in order.redemptions().iter().chain(order.cancellations()) {
                add(leg.request_id(), Standing::of(leg));
            }
        }
        Legs { by_request }
    }

    fn get(&self, id: &RequestId) -> Option<&Standing> {
        self.by_request.get(id)
    }

    /// Whether the simulator took this advice.
    pub(crate) fn took(&self, id: &RequestId, advice: &AdviceId) -> bool {
        let advice = advice.to_string();
        self.get(id).is_some_and(|one| {
            one.confirmations.contains(&advice) || one.reversals.contains(&advice)
        })
    }
}

impl Standing {
    fn of(leg: &Leg) -> Standing {
        Standing {
            is_decided: leg.state() != LegState::Created,
            confirmations: leg.confirmations().to_vec(),
            reversals: leg.reversals().to_vec(),
        }
    }
}

pub(super) fn acknowledged_is_kept(evidence: &Evidence<'_>, legs: &Legs) -> Check {
    let what = "every acknowledged decision was taken, or refused and listed";
    let mut check = Check::new(1, what);
    let told = &evidence.seen.told;
    for (id, advice) in told.confirmed.iter().chain(&told.reversed) {
        let is_nothing = legs.get(id).is_none() && told.reversed.contains_key(id);
        let is_kept = legs.took(id, advice) || told.rejected.contains(id) || is_nothing;
        check.look(is_kept, || format!("advice {advice} of {id} is lost"));
    }
    check.required()
}

pub(super) fn no_request_is_forgotten(evidence: &Evidence<'_>, legs: &Legs) -> Check {
    let what = "every request that the upstream approved is decided there, or listed";
    let mut check = Check::new(2, what);
    let told = &evidence.seen.told;
    for (id, standing) in &legs.by_request {
        let is_seen_to = told.completed.contains(id) || told.rejected.contains(id);
        check.look(standing.is_decided || is_seen_to, || {
            format!("request {id} stands undecided upstream")
        });
    }
    check.required()
}

pub(super) fn unknown_is_reversed(
    evidence: &Evidence<'_>,
    legs: &Legs,
    sendings: &Sendings<'_>,
) -> Check {
    let what = "every request of unknown outcome was reversed without being asked";
    let mut check = Check::new(2, what);
    let told = &evidence.seen.told;
    for (id, advice) in &told.unknown {
        let is_reversed = match legs.get(id) {
            Some(standing) => standing.reversals.contains(&advice.to_string()),
            // It never arrived, which only a sent reversal tells.
            None => sendings.was_sent(advice),
        };
        let is_seen_to = is_reversed || told.rejected.contains(id);
        check.look(is_seen_to, || format!("request {id} is not reversed"));
    }
    check.required()
}

pub(super) fn one_direction(legs: &Legs) -> Check {
    let what = "no request was both confirmed and reversed, or decided twice, upstream";
    let mut check = Check::new(3, what);
    for (id, standing) in &legs.by_request {
        let taken = standing.confirmations.len() + standing.reversals.len();
        check.look(taken <= 1, || format!("request {id} took {taken} advices"));
    }
    check.required()
}
