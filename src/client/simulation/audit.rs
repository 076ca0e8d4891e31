//! Holds what is durable, and what goes out, against the promises, as it happens.
//!
//! It reads the keys of each batch that becomes durable: which requests wait for an outcome or a
//! decision, and which advices are to be sent. What is sent has to be there.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::message::{Leg, Message, advice_id, number_of};
use super::operator::Way;
use super::weather::Weather;
use super::world::{MINUTE, Millis};
use crate::model::{AdviceId, RequestId};
use crate::saf::RetryPolicy;
use crate::store::{Batch, Change};

/// How long after the beginning of an outage the last word of the service has been heard.
const LEAD: Millis = 15 * MINUTE;

/// How many messages in doubt it takes to take the upstream for being down.
const DOUBTS: u64 = 3;

#[derive(Default)]
pub(super) struct Audit {
    violation: Option<String>,
    policy: RetryPolicy,
    is_in_order: bool,
    /// The advices that are to be sent, by their places in the order of decisions.
    pending: BTreeMap<u64, Pending>,
    /// The requests without an outcome or a decision.
    open: BTreeSet<u32>,
    /// The requests whose advice is settled.
    settled: BTreeSet<u32>,
    /// The requests whose advice was refused, and nobody has settled it yet.
    refused: BTreeSet<u32>,
    /// What a person asked for about a refused advice.
    asked: BTreeMap<u32, Way>,
    /// The orders that requests are about.
    orders: BTreeMap<u32, String>,
    requested: BTreeSet<u32>,
    advised: BTreeMap<u32, Advised>,
    in_flight: BTreeSet<u32>,
    /// What is durable though its commit failed: it counts from the next open.
    unseen: Option<Batch>,
    queries: u64,
    /// Since when nothing new may be sent.
    held_since: Option<Millis>,
    outage: Outage,
    pub(super) tally: Tally,
}

/// What happened, for those who want to know whether anything did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) requests: u64,
    pub(super) sendings: u64,
    pub(super) settled: u64,
    /// How often a person had a refused advice sent again, as it was or another one.
    pub(super) returned: u64,
    pub(super) most_pending: usize,
}

#[derive(Clone, Copy)]
pub(super) struct Pending {
    pub(super) request: u32,
    pub(super) advice: AdviceId,
    /// Since when it has been durable.
    pub(super) since: Millis,
}

/// What was sent of an advice.
struct Advised {
    leg: Leg,
    id: String,
    body: Bytes,
    attempts: u64,
    first_at: Millis,
}

/// What was sent in vain since the service became unreachable.
#[derive(Default)]
struct Outage {
    since: Millis,
    sendings: u64,
    /// How often somebody gave the worker a reason to try again.
    interventions: u64,
}

impl Audit {
    pub(super) fn begin(&mut self, policy: RetryPolicy, is_in_order: bool) {
        self.policy = policy;
        self.is_in_order = is_in_order;
    }

    pub(super) fn break_promise(&mut self, violation: String) {
        self.violation.get_or_insert(violation);
    }

    pub(super) fn violation(&self) -> Option<String> {
        self.violation.clone()
    }

    pub(super) fn pending(&self) -> impl Iterator<Item = Pending> {
        self.pending.values().copied()
    }

    pub(super) fn was_requested(&self, request: u32) -> bool {
        self.requested.contains(&request)
    }

    pub(super) fn is_about(&mut self, request: u32, order: String) {
        self.orders.insert(request, order);
    }

    /// A person has a refused advice sent again, or given up.
    pub(super) fn ask(&mut self, request: u32, way: Way) {
        self.asked.insert(request, way);
    }

    pub(super) fn check_abandoned(&self, request: u32) -> Result<(), String> {
        match self.refused.contains(&request) {
            true => Err(format!("{request} is abandoned, and not durably")),
            false => Ok(()),
        }
    }

    /// Since now nothing new may be sent, or again.
    pub(super) fn hold(&mut self, since: Option<Millis>) {
        self.held_since = since;
    }

    /// The process is gone, with all that it had under way.
    pub(super) fn life_ended(&mut self, now: Millis) -> Result<(), String> {
        self.in_flight.clear();
        self.held_since = None;
        self.intervene();
        let unseen = self.unseen.take();
        unseen.map_or(Ok(()), |batch| self.committed(&batch, now))
    }

    /// Somebody gave the worker a reason to try again.
    pub(super) fn intervene(&mut self) {
        self.outage.interventions += 1;
    }

    pub(super) fn came_back(&mut self, message: &Message) {
        if message.is_advice() {
            self.in_flight.remove(&message.request);
        }
    }
}

/// # What becomes durable
impl Audit {
    pub(super) fn committed_unseen(&mut self, batch: &Batch) {
        self.unseen = Some(batch.clone());
    }

    pub(super) fn committed(&mut self, batch: &Batch, now: Millis) -> Result<(), String> {
        for change in batch.changes() {
            let Some((list, number, request)) = listed(change.key()) else {
                continue;
            };
            match (list, change) {
                (b'o', Change::Put { .. }) => drop(self.open.insert(request)),
                (b'o', Change::Delete { .. }) => drop(self.open.remove(&request)),
                (b'p', Change::Put { value, .. }) => {
                    let advice = value.get(1..).and_then(advice_id);
                    let advice = advice.ok_or("a list names no advice")?;
                    let pending = Pending {
                        request,
                        advice,
                        since: now,
                    };
                    self.decided(number, pending)?;
                }
                (b'p', Change::Delete { .. }) => {
                    self.pending.remove(&number);
                    self.settled.insert(request);
                    self.tally.settled += 1;
                }
                (b'r', Change::Put { .. }) => drop(self.refused.insert(request)),
                (b'r', Change::Delete { .. }) => drop(self.refused.remove(&request)),
                _ => {}
            }
        }
        Ok(())
    }

    fn decided(&mut self, number: u64, pending: Pending) -> Result<(), String> {
        let request = pending.request;
        let is_asked = matches!(self.asked.get(&request), Some(Way::Requeue | Way::Reissue));
        if self.settled.contains(&request) && !is_asked {
            return Err(format!(
                "the advice of {request} is final, and is to be sent again"
            ));
        }
        if self.settled.remove(&request) {
            self.tally.returned += 1;
        }
        self.pending.insert(number, pending);
        self.tally.most_pending = self.tally.most_pending.max(self.pending.len());
        Ok(())
    }

    /// Whether this advice is durable, or was.
    pub(super) fn is_decided(&self, request: u32, advice: AdviceId) -> bool {
        let is_it = |one: &Pending| one.request == request && one.advice == advice;
        self.pending.values().any(is_it) || self.settled.contains(&request)
    }

    /// That nothing waits but what fares badly itself, and what has to wait for that.
    pub(super) fn check_calm(
        &self,
        since: Millis,
        is_cursed: impl Fn(u32, Millis) -> bool,
    ) -> Result<(), String> {
        let first_at = |request| self.advised.get(&request).map(|one| one.first_at);
        let is_stuck =
            |one: &Pending| first_at(one.request).is_some_and(|at| is_cursed(one.request, at));
        for (number, one) in &self.pending {
            let order = self.orders.get(&one.request);
            let mut older = self.pending.range(..number).map(|(_, older)| older);
            let waits =
                older.any(|older| order.is_some() && self.orders.get(&older.request) == order);
            if one.since < since && !is_stuck(one) && !waits {
                return Err(format!(
                    "the advice of {} waits though nothing is in the way",
                    one.request
                ));
            }
        }
        Ok(())
    }
}

/// # What goes out
impl Audit {
    /// Returns how often the message was sent with this time, and when the first time was.
    pub(super) fn sent(
        &mut self,
        message: &Message,
        body: Option<&Bytes>,
        now: Millis,
        weather: &Weather,
    ) -> Result<(u64, Millis), String> {
        match message.leg {
            Leg::Query => {
                self.queries += 1;
                Ok((self.queries, now))
            }
            Leg::Request => self.requested(message.request).map(|()| (1, now)),
            Leg::Confirmation | Leg::Reversal => {
                self.check_place(message, now)?;
                self.check_outage(now, weather)?;
                self.check_repeat(message, body.cloned().unwrap_or_default(), now)
            }
        }
    }

    fn requested(&mut self, request: u32) -> Result<(), String> {
        self.tally.requests += 1;
        if !self.open.contains(&request) {
            return Err(format!("request {request} is sent before it is durable"));
        }
        match self.requested.insert(request) {
            true => Ok(()),
            false => Err(format!("request {request} is sent twice")),
        }
    }

    /// That this advice may be sent, and now.
    fn check_place(&mut self, message: &Message, now: Millis) -> Result<(), String> {
        let request = message.request;
        if self.settled.contains(&request) {
            return Err(format!(
                "the advice of {request} is sent after its final answer"
            ));
        }
        let place = self.pending.iter().find(|(_, one)| one.request == request);
        let Some((&number, pending)) = place else {
            return Err(format!(
                "the advice of {request} is sent before it is durable"
            ));
        };
        if pending.advice.to_string() != message.id {
            return Err(format!(
                "another advice of {request} is sent than the durable one"
            ));
        }
        let older = self.pending.range(..number);
        let mut older = older
            .filter(|(number, _)| !self.may_be_settled(**number))
            .map(|(_, one)| one.request);
        let order = self.orders.get(&request);
        if order.is_some() && older.clone().any(|other| self.orders.get(&other) == order) {
            return Err(format!(
                "the advice of {request} overtakes one of its order"
            ));
        }
        if self.is_in_order && older.next().is_some() {
            return Err(format!("the advice of {request} overtakes another"));
        }
        if self.held_since.is_some_and(|since| since < now) {
            return Err(format!(
                "the advice of {request} is sent though delivery was stopped"
            ));
        }
        if !self.in_flight.insert(request) {
            return Err(format!("the advice of {request} is sent twice at a time"));
        }
        match self.in_flight.len() > self.policy.parallel {
            true => Err("too many are sent at a time".to_owned()),
            false => Ok(()),
        }
    }

    /// Whether the final answer of this advice is written though its commit failed: who reads it may
    /// believe it.
    fn may_be_settled(&self, number: u64) -> bool {
        let mut changes = self.unseen.iter().flat_map(Batch::changes);
        changes.any(|change| {
            let list = listed(change.key()).map(|(list, number, _)| (list, number));
            list == Some((b'p', number)) && matches!(change, Change::Delete { .. })
        })
    }

    /// That it is the same message every time.
    fn check_repeat(
        &mut self,
        message: &Message,
        body: Bytes,
        now: Millis,
    ) -> Result<(u64, Millis), String> {
        self.tally.sendings += 1;
        let request = message.request;
        let advised = self.advised.entry(request).or_insert_with(|| Advised {
            leg: message.leg,
            id: message.id.clone(),
            body: body.clone(),
            attempts: 0,
            first_at: now,
        });
        advised.attempts += 1;
        if self.asked.get(&request) == Some(&Way::Reissue) && advised.id != message.id {
            self.asked.remove(&request);
            (advised.id, advised.body) = (message.id.clone(), body.clone());
        }
        if advised.leg != message.leg {
            return Err(format!("{request} is both confirmed and reversed"));
        }
        if advised.id != message.id || advised.body != body {
            return Err(format!(
                "the advice of {request} is repeated with other bytes"
            ));
        }
        Ok((advised.attempts, advised.first_at))
    }

    /// That an upstream that is out is probed, and not hammered.
    fn check_outage(&mut self, now: Millis, weather: &Weather) -> Result<(), String> {
        let Some(since) = weather.out_since(now) else {
            return Ok(());
        };
        let begins = since + LEAD;
        if now < begins {
            return Ok(());
        }
        if self.outage.since != since {
            self.outage = Outage {
                since,
                ..Outage::default()
            };
        }
        self.outage.sendings += 1;
        let pauses = (now - begins) / self.policy.max.as_millis() as Millis;
        let allowed = self.rally() * (1 + self.outage.interventions) + pauses;
        match self.outage.sendings > allowed {
            true => Err(format!(
                "{} advices are sent while the upstream is out",
                self.outage.sendings
            )),
            false => Ok(()),
        }
    }

    /// How many are sent until the pauses have their full length.
    fn rally(&self) -> u64 {
        let growth = self.policy.max.as_millis() / self.policy.initial.as_millis().max(1);
        let doublings = u64::from(growth.max(1).ilog2()) + 2;
        self.policy.parallel as u64 + DOUBTS + doublings
    }
}

/// The list, the number and the request that a key names, if it is one of a list.
fn listed(key: &[u8]) -> Option<(u8, u64, u32)> {
    let (list, rest) = key.split_first()?;
    let (number, id) = rest.split_first_chunk()?;
    let id = uuid::Uuid::from_slice(id).ok()?;
    let request = number_of(RequestId::from_uuid(id));
    Some((*list, u64::from_be_bytes(*number), request))
}
