//! Checks against what the simulator heard: which advice came when, how often, and with what bytes.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use money_transfer_retailer::model::{AdviceId, RequestId};

use super::super::till::{PARALLEL, PAUSES, TIMEOUT};
use super::super::witness::{Heard, Outage};
use super::legs::Legs;
use super::{Check, Evidence};

/// How much later than it is true something may be read off a pipe, on a busy machine.
const SLACK: Duration = Duration::from_secs(1);

/// Every advice that was heard, with its messages in order.
pub(crate) struct Sendings<'a> {
    by_advice: HashMap<AdviceId, Vec<&'a Heard>>,
}

impl<'a> Sendings<'a> {
    pub(crate) fn of(heard: &'a [Heard]) -> Sendings<'a> {
        let mut by_advice: HashMap<AdviceId, Vec<&Heard>> = HashMap::new();
        for one in heard {
            if let Some(advice) = one.advice {
                by_advice.entry(advice).or_default().push(one);
            }
        }
        Sendings { by_advice }
    }

    pub(crate) fn advices(&self) -> usize {
        self.by_advice.len()
    }

    pub(crate) fn repeated(&self) -> usize {
        self.by_advice
            .values()
            .filter(|sent| sent.len() > 1)
            .count()
    }

    pub(crate) fn was_sent(&self, advice: &AdviceId) -> bool {
        self.by_advice.contains_key(advice)
    }
}

pub(super) fn one_direction(sendings: &Sendings<'_>) -> Check {
    let mut check = Check::new(
        3,
        "no request was even sent both a confirmation and a reversal",
    );
    let mut confirmed: HashMap<RequestId, bool> = HashMap::new();
    for sent in sendings.by_advice.values() {
        let Some(id) = sent[0].request else {
            continue;
        };
        let is_confirmation = sent[0].operation.is_confirmation();
        let before = confirmed.insert(id, is_confirmation);
        check.look(
            before.is_none_or(|before| before == is_confirmation),
            || format!("request {id} was sent both"),
        );
    }
    check.required()
}

pub(super) fn repeats_are_the_same(sendings: &Sendings<'_>) -> Check {
    let mut check = Check::new(
        4,
        "a repeat is the same bytes, after a restart or a jump, too",
    );
    for (advice, sent) in &sendings.by_advice {
        for pair in sent.windows(2) {
            let is_same = pair[0].body == pair[1].body && pair[0].operation == pair[1].operation;
            check.look(is_same, || format!("advice {advice} changed"));
        }
    }
    check.required()
}

pub(super) fn one_advice(sendings: &Sendings<'_>) -> Check {
    let mut check = Check::new(4, "all advices of a request carry one id");
    let mut ids: HashMap<RequestId, AdviceId> = HashMap::new();
    for (advice, sent) in &sendings.by_advice {
        let Some(id) = sent[0].request else {
            continue;
        };
        let first = *ids.entry(id).or_insert(*advice);
        check.look(first == *advice, || {
            format!("request {id} was sent {first} and {advice}")
        });
    }
    check.required()
}

pub(super) fn final_is_final(evidence: &Evidence<'_>) -> Check {
    let mut check = Check::new(5, "what the queue called settled was not sent again");
    let settled = &evidence.seen.told.settled;
    check.count = settled.len() as u64;
    for one in &evidence.seen.heard {
        let Some(at) = one.advice.and_then(|advice| settled.get(&advice)) else {
            continue;
        };
        // What a fault held had come before the till gave up on it.
        let held = if one.is_held {
            2 * TIMEOUT
        } else {
            Duration::ZERO
        };
        if one.at > *at + SLACK + held {
            let late = one.at - *at;
            let advice = one.advice.map(|id| id.to_string()).unwrap_or_default();
            check
                .failures
                .push(format!("advice {advice} came {late:?} later"));
        }
    }
    check.required()
}

pub(super) fn refused_stays(
    evidence: &Evidence<'_>,
    legs: &Legs,
    sendings: &Sendings<'_>,
) -> Check {
    let mut check = Check::new(6, "what the upstream refused for good is listed at the end");
    let rejected = &evidence.seen.told.rejected;
    for (advice, sent) in &sendings.by_advice {
        let Some(id) = sent[0].request else {
            continue;
        };
        let is_refused = sent.iter().any(|one| one.is_refused);
        if is_refused && !legs.took(&id, advice) {
            let is_listed = rejected.contains(&id) || is_repeated_until_nothing(sent);
            check.look(is_listed, || format!("the refused advice of {id} is gone"));
        }
    }
    check
}

/// A refusal whose answer the till never got, killed before or after it: the repeat was told that there
/// is nothing to reverse.
fn is_repeated_until_nothing(sent: &[&Heard]) -> bool {
    let is_reversal = sent[0].operation.is_reversal();
    is_reversal && sent.last().is_some_and(|last| !last.is_refused)
}

pub(super) fn one_stuck_holds_up_no_other(evidence: &Evidence<'_>) -> Check {
    let mut check = Check::new(8, "others were delivered while one advice was stuck");
    let heard = &evidence.seen.heard;
    for (till, id) in evidence.stuck.iter().enumerate() {
        let mine = || {
            heard
                .iter()
                .filter(|one| one.till == till && one.advice.is_some())
        };
        let tries: Vec<&Heard> = mine().filter(|one| one.request == Some(*id)).collect();
        let (Some(first), Some(last)) = (tries.first(), tries.last()) else {
            check.look(false, || {
                format!("till {till} never tried its stuck advice")
            });
            continue;
        };
        let meanwhile = mine().filter(|one| one.at > first.at && one.at < last.at);
        let others: HashSet<_> = meanwhile.filter_map(|one| one.advice).collect();
        check.look(tries.len() > 2 && others.len() > 10, || {
            format!(
                "till {till}: {} tries, {} others",
                tries.len(),
                others.len()
            )
        });
    }
    check.required()
}

pub(super) fn down_is_probed(evidence: &Evidence<'_>) -> Check {
    let what = "behind a gateway's 503 a till probes, and does not send its backlog";
    let mut check = Check::new(8, what);
    for outage in &evidence.seen.outages {
        for till in 0..evidence.options.tills {
            let probes = probes(evidence, till, outage);
            let limit = probe_limit(evidence, till, outage);
            check.look(probes <= limit, || {
                let seconds = (outage.to - outage.from).as_secs_f64();
                format!("till {till} sent {probes} advices in {seconds:.1} s, more than {limit}")
            });
        }
    }
    check
}

fn probes(evidence: &Evidence<'_>, till: usize, outage: &Outage) -> usize {
    let heard = &evidence.seen.heard;
    let from = heard.partition_point(|one| one.at < outage.from);
    let during = heard[from..].iter().take_while(|one| one.at <= outage.to);
    during
        .filter(|one| one.till == till && one.advice.is_some())
        .count()
}

/// What is in flight when the gateway closes, what it takes to be sure, and then one at the pace of the
/// pauses, of which the jitter takes half at the most. A new process has to find out again.
fn probe_limit(evidence: &Evidence<'_>, till: usize, outage: &Outage) -> usize {
    let starts = evidence.seen.starts.iter();
    let starts =
        starts.filter(|(started, at)| *started == till && *at >= outage.from && *at <= outage.to);
    let shortest = PAUSES.0.as_secs_f64() / 2.0;
    let longest = (outage.to - outage.from).as_secs_f64();
    let (mut probes, mut pause, mut spent) = (0, shortest, 0.0);
    while spent < longest {
        probes += 1;
        spent += pause;
        pause = (pause * 2.0).min(PAUSES.1.as_secs_f64() / 2.0);
    }
    (1 + starts.count()) * (2 * PARALLEL + probes)
}
