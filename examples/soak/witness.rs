//! What was seen from outside: what the simulator heard, and what the tills said.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use money_transfer_retailer::model::{AdviceId, Operation, RequestId};
use money_transfer_retailer::simulator::Message;
use tokio::time::Instant;

use super::payloads::till_of;
use super::said::Said;
use super::weather::{self, Sky};

/// All that was seen, as the tasks of a run share it.
pub(crate) struct Witness {
    seen: Mutex<Seen>,
}

/// What was seen so far.
pub(crate) struct Seen {
    pub(crate) sky: Sky,
    pub(crate) outages: Vec<Outage>,
    /// When which till's process was started.
    pub(crate) starts: Vec<(usize, Instant)>,
    pub(crate) kills: u64,
    pub(crate) stops: u64,
    /// Every message that is over, in that order.
    pub(crate) heard: Vec<Heard>,
    pub(crate) counts: Counts,
    pub(crate) told: Told,
    /// The newest sample of each till.
    pub(crate) pending: HashMap<usize, usize>,
    /// The advices that were decided on and not yet answered for good, with when that was said.
    open: HashMap<AdviceId, Instant>,
    /// Those that were, maybe before the till's word of them was read.
    closed: HashSet<AdviceId>,
}

/// A time in which a gateway answered everything in the upstream's place.
#[derive(Clone, Copy)]
pub(crate) struct Outage {
    pub(crate) from: Instant,
    pub(crate) to: Instant,
}

/// One message, without its body.
pub(crate) struct Heard {
    /// When it was over.
    pub(crate) at: Instant,
    pub(crate) till: usize,
    pub(crate) operation: Operation,
    pub(crate) request: Option<RequestId>,
    /// None for what is no advice.
    pub(crate) advice: Option<AdviceId>,
    /// A hash of the body.
    pub(crate) body: u64,
    /// Whether a fault may have kept it from being over at once.
    pub(crate) is_held: bool,
    /// Whether the service gave an advice its final word, which was a no.
    pub(crate) is_refused: bool,
}

/// How much happened.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    /// Messages that the simulator heard.
    pub(crate) messages: u64,
    /// Confirmations and reversals that a till was told are durable.
    pub(crate) decisions: u64,
    /// Advices that the simulator took.
    pub(crate) deliveries: u64,
}

/// What the tills were told.
#[derive(Default)]
pub(crate) struct Told {
    /// How many requests each till made.
    pub(crate) requests_of: HashMap<usize, u64>,
    /// The requests whose outcome no till was told: it was killed before.
    pub(crate) under_way: HashSet<RequestId>,
    pub(crate) unknown: HashMap<RequestId, AdviceId>,
    pub(crate) confirmed: HashMap<RequestId, AdviceId>,
    pub(crate) reversed: HashMap<RequestId, AdviceId>,
    pub(crate) completed: HashSet<RequestId>,
    pub(crate) opposites_refused: u64,
    pub(crate) opposites_taken: Vec<RequestId>,
    pub(crate) settled: HashMap<AdviceId, Instant>,
    pub(crate) samples: u64,
    pub(crate) most_in_flight: usize,
    pub(crate) most_pending: usize,
    /// How many days each till's clock jumped.
    pub(crate) jumps: HashMap<usize, Vec<i64>>,
    pub(crate) resumed: u64,
    pub(crate) rejected: HashSet<RequestId>,
    pub(crate) drained: Vec<(usize, usize)>,
    pub(crate) closed: u64,
    pub(crate) found: BTreeMap<String, u64>,
    pub(crate) troubles: Vec<String>,
}

impl Witness {
    pub(crate) fn new() -> Witness {
        Witness {
            seen: Mutex::new(Seen {
                sky: Sky::Calm,
                outages: Vec::new(),
                starts: Vec::new(),
                kills: 0,
                stops: 0,
                heard: Vec::new(),
                counts: Counts::default(),
                told: Told::default(),
                pending: HashMap::new(),
                open: HashMap::new(),
                closed: HashSet::new(),
            }),
        }
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn sky(&self, sky: Sky) {
        self.seen().sky = sky;
    }

    pub(crate) fn outage(&self, outage: Outage) {
        self.seen().outages.push(outage);
    }

    pub(crate) fn trouble(&self, what: impl std::fmt::Display) {
        self.seen().told.troubles.push(what.to_string());
    }

    /// What the simulator heard.
    pub(crate) fn heard(&self, message: &Message) {
        let heard = Heard::of(message);
        let mut seen = self.seen();
        seen.counts.messages += 1;
        if let Some(advice) = heard.advice {
            let is_taken = message.accepted() > 0;
            seen.counts.deliveries += u64::from(is_taken);
            if is_taken || message.error_type().is_some() {
                seen.open.remove(&advice);
                seen.closed.insert(advice);
            }
        }
        seen.heard.push(heard);
    }

    /// What a till said.
    pub(crate) fn said(&self, till: usize, said: Said) {
        let mut seen = self.seen();
        match said {
            Said::Unknown(_, advice) | Said::Confirmed(_, advice) | Said::Reversed(_, advice) => {
                seen.counts.decisions += 1;
                if !seen.closed.contains(&advice) {
                    seen.open.insert(advice, Instant::now());
                }
            }
            Said::Sample { pending, .. } | Said::Drained { pending } => {
                seen.pending.insert(till, pending);
            }
            _ => {}
        }
        seen.told.note(till, said);
    }
}

impl Seen {
    /// Since when the oldest advice that is not stuck waits.
    pub(crate) fn oldest(&self, stuck: &[RequestId]) -> Option<Instant> {
        let confirmed = &self.told.confirmed;
        let stuck: Vec<_> = stuck.iter().filter_map(|id| confirmed.get(id)).collect();
        let open = self.open.iter().filter(|(id, _)| !stuck.contains(id));
        open.map(|(_, since)| *since).min()
    }
}

impl Heard {
    fn of(message: &Message) -> Heard {
        let mut hasher = DefaultHasher::new();
        message.body().hash(&mut hasher);
        let parse = |text: &str| text.parse().ok();
        Heard {
            at: Instant::now(),
            till: till_of(message.user()).unwrap_or(usize::MAX),
            operation: message.operation(),
            request: message.request_id().and_then(parse),
            advice: message.advice_id().and_then(|text| text.parse().ok()),
            body: hasher.finish(),
            is_held: message.fault().is_some_and(weather::holds),
            is_refused: is_refusal(message),
        }
    }
}

/// What ends an advice as rejected or not offered.
fn is_refusal(message: &Message) -> bool {
    let repeated = [
        "AUTHENTICATION_ERROR",
        "UNABLE_TO_LOCATE_RECORD",
        "DUPLICATE_RECORD",
    ];
    let answered = matches!(message.answered(), Some(400 | 501));
    let named = message.error_type();
    message.accepted() == 0 && answered && named.is_some_and(|named| !repeated.contains(&named))
}

impl Told {
    fn note(&mut self, till: usize, said: Said) {
        match said {
            Said::Opened => {}
            Said::Found(what) => *self.found.entry(what).or_default() += 1,
            Said::Requested(id) => {
                *self.requests_of.entry(till).or_default() += 1;
                self.under_way.insert(id);
            }
            Said::Ended(id) | Said::Approved(id) => drop(self.under_way.remove(&id)),
            Said::Unknown(id, advice) => {
                self.under_way.remove(&id);
                self.unknown.insert(id, advice);
            }
            Said::Confirmed(id, advice) => drop(self.confirmed.insert(id, advice)),
            Said::Reversed(id, advice) => drop(self.reversed.insert(id, advice)),
            Said::Completed(id) => drop(self.completed.insert(id)),
            Said::OppositeRefused(_) => self.opposites_refused += 1,
            Said::OppositeTaken(id) => self.opposites_taken.push(id),
            Said::Settled(advice) => drop(self.settled.insert(advice, Instant::now())),
            Said::Sample { pending, in_flight } => {
                self.samples += 1;
                self.most_in_flight = self.most_in_flight.max(in_flight);
                self.most_pending = self.most_pending.max(pending);
            }
            Said::Jumped(days) => self.jumps.entry(till).or_default().push(days),
            Said::Resumed => self.resumed += 1,
            Said::Rejected(id) => drop(self.rejected.insert(id)),
            Said::Drained { pending } => self.drained.push((till, pending)),
            Said::Closed => self.closed += 1,
            Said::Trouble(what) => self.troubles.push(format!("till {till}: {what}")),
        }
    }
}
