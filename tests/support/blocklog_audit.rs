//! What the cuts showed: what was told before each, held against what was found after it.

use std::fmt;
use std::time::Duration;

use super::blocklog_replay::Log;
use super::blocklog_till::{Decision, Told};
use super::{Found, Town};

/// What the cuts showed.
pub(crate) struct Audit {
    pub(crate) entries: usize,
    pub(crate) flushes: usize,
    pub(crate) acknowledged: usize,
    /// Of these.
    pub(crate) completed: usize,
    pub(crate) payouts_and_cancellations: usize,
    pub(crate) heard: usize,
    pub(crate) refused: usize,
    pub(crate) cuts: usize,
    /// Writes that a cut was free to keep or to lose.
    pub(crate) volatile: usize,
    /// How often something was looked for, over all cuts.
    pub(crate) checked: usize,
    pub(crate) lost: usize,
    pub(crate) cuts_with_losses: usize,
    pub(crate) unopened: usize,
    pub(crate) longest_open: Duration,
    pub(crate) broken: Vec<String>,
}

impl Audit {
    pub(crate) fn new(town: &mut Town, heard: usize, log: &Log) -> Audit {
        Audit {
            entries: log.len(),
            flushes: log.flushes(0..log.len()),
            acknowledged: town.acknowledged.len(),
            completed: town.completed(),
            payouts_and_cancellations: town.payouts_and_cancellations(),
            heard,
            refused: town.refused,
            cuts: 0,
            volatile: 0,
            checked: 0,
            lost: 0,
            cuts_with_losses: 0,
            unopened: 0,
            longest_open: Duration::ZERO,
            broken: std::mem::take(&mut town.broken),
        }
    }

    /// Everything acknowledged before the cut must be there.
    pub(crate) fn check(&mut self, town: &Town, position: usize, found: &Found) {
        let acknowledged = town.acknowledged.iter();
        let before: Vec<&Told> = acknowledged
            .filter(|told| told.entries <= position)
            .collect();
        let lost: Vec<&Told> = before
            .iter()
            .copied()
            .filter(|told| !is_kept(town, told, position, found))
            .collect();
        self.checked += before.len();
        self.lost += lost.len();
        if let (Some(first), Some(last)) = (lost.first(), lost.last()) {
            self.cuts_with_losses += 1;
            self.broken.push(format!(
                "the cut at {position} lost {} of {}, from {first:?} to {last:?}",
                lost.len(),
                before.len(),
            ));
        }
    }

    pub(crate) fn unopened(&mut self, position: usize, why: &str) {
        self.unopened += 1;
        self.broken
            .push(format!("after the cut at {position}: {why}"));
    }
}

fn is_kept(town: &Town, told: &Told, position: usize, found: &Found) -> bool {
    match found.on(&told.request_id)[..] {
        // It is not undecided any more, and nothing reverses it.
        [] if told.decision == Decision::Completed => true,
        [] => is_settled(town, told, position),
        _ if told.decision == Decision::Known => true,
        [(decision, advice)] => (*decision, advice) == (told.decision, &told.advice_id),
        _ => false,
    }
}

fn is_settled(town: &Town, told: &Told, position: usize) -> bool {
    if told.decision == Decision::Known && is_completed(town, told, position) {
        return true;
    }
    let Some((since, advices)) = town.settled.get(&told.request_id) else {
        return false;
    };
    let is_this = told.decision == Decision::Known || *advices == [told.advice_id.as_str()];
    is_this && *since <= position
}

fn is_completed(town: &Town, told: &Told, position: usize) -> bool {
    let begun = town.completing.get(&told.request_id);
    begun.is_some_and(|begun| *begun <= position)
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} cuts of {} log entries ({} flushes), {} unflushed writes torn; {} decisions \
             acknowledged, {} of them completions, {} refused; {} payouts and cancellations approved; {} messages heard; {} looked for, {} lost in {} cuts; {} cuts not opened, \
             the longest open took {:?}",
            self.cuts,
            self.entries,
            self.flushes,
            self.volatile,
            self.acknowledged,
            self.completed,
            self.refused,
            self.payouts_and_cancellations,
            self.heard,
            self.checked,
            self.lost,
            self.cuts_with_losses,
            self.unopened,
            self.longest_open,
        )
    }
}
