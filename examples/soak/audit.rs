//! The audit: each promise of the crate against the simulator's book and what the tills said.
//!
//! It was seen failing with each of these planted: a doubtful answer settles an advice; an open leaves
//! requests without an outcome alone; a repeat has a blank more; the list of the rejected is empty; a
//! PIN in the till's reference; the opposite decision is taken; segments go without their living
//! records; the breaker never closes the way; an accepted advice is sent again after 3 s; the stuck
//! advice holds up the others; nothing is sent while the wall clock says 2035 or later.

mod legs;
mod sendings;

use std::time::Duration;

use money_transfer_retailer::model::RequestId;
use money_transfer_retailer::simulator::Book;

use super::arguments::Options;
use super::till::IN_FLIGHT;
use super::witness::Seen;
use legs::Legs;
use sendings::Sendings;

/// How many failures of a check are printed.
const SHOWN: usize = 5;

/// All that the audit believes.
pub(crate) struct Evidence<'a> {
    pub(crate) options: Options,
    pub(crate) seen: &'a Seen,
    pub(crate) book: &'a Book,
    pub(crate) stuck: &'a [RequestId],
    /// How many messages came after everything was settled.
    pub(crate) heard_while_watched: u64,
    /// The secrets in the files of the queues.
    pub(crate) leaked: Vec<String>,
    /// `None` where the run was too short to tell.
    pub(crate) is_flat: Option<bool>,
}

/// One row of the audit.
pub(crate) struct Check {
    /// The promise, or 0 for what belongs to none.
    promise: u8,
    what: &'static str,
    /// How often it was looked at.
    count: u64,
    failures: Vec<String>,
    /// Why it could not be looked at.
    skipped: Option<&'static str>,
}

impl Check {
    pub(crate) fn new(promise: u8, what: &'static str) -> Check {
        Check {
            promise,
            what,
            count: 0,
            failures: Vec::new(),
            skipped: None,
        }
    }

    /// Looks once. `failure` says what is wrong.
    pub(crate) fn look(&mut self, holds: bool, failure: impl FnOnce() -> String) {
        self.count += 1;
        if !holds {
            self.failures.push(failure());
        }
    }

    /// Fails where there was nothing to look at.
    pub(crate) fn required(mut self) -> Check {
        if self.count == 0 {
            self.failures
                .push("there was nothing to look at".to_owned());
        }
        self
    }

    fn verdict(&self) -> String {
        match (self.failures.len(), self.skipped) {
            (0, None) if self.count == 0 => "did not happen".to_owned(),
            (0, None) => "holds".to_owned(),
            (0, Some(why)) => format!("not judged: {why}"),
            (failures, _) => format!("BROKEN ({failures})"),
        }
    }
}

/// All checks.
pub(crate) struct Audit {
    checks: Vec<Check>,
    summary: String,
}

impl Audit {
    pub(crate) fn of(evidence: &Evidence<'_>) -> Audit {
        let legs = Legs::of(evidence.book);
        let sendings = Sendings::of(&evidence.seen.heard);
        let mut checks = vec![
            legs::acknowledged_is_kept(evidence, &legs),
            legs::no_request_is_forgotten(evidence, &legs),
            legs::unknown_is_reversed(evidence, &legs, &sendings),
            legs::one_direction(&legs),
            sendings::one_direction(&sendings),
            opposites_are_refused(evidence),
            sendings::repeats_are_the_same(&sendings),
            sendings::one_advice(&sendings),
            sendings::final_is_final(evidence),
            silence(evidence),
            sendings::refused_stays(evidence, &legs, &sendings),
            no_secrets(evidence),
            sendings::one_stuck_holds_up_no_other(evidence),
            drained(evidence),
            sendings::down_is_probed(evidence),
            clocks_jumped(evidence),
        ];
        checks.extend([in_flight(evidence), flat(evidence), troubles(evidence)]);
        checks.sort_by_key(|check| check.promise);
        Audit {
            checks,
            summary: summary(evidence, &sendings),
        }
    }

    pub(crate) fn holds(&self) -> bool {
        self.checks.iter().all(|check| check.failures.is_empty())
    }

    pub(crate) fn print(&self) {
        println!("\n{}", self.summary);
        println!(
            "{:<8} {:<66} {:>8}  verdict",
            "promise", "what was checked", "checks"
        );
        for check in &self.checks {
            let promise = match check.promise {
                0 => "-".to_owned(),
                number => number.to_string(),
            };
            println!(
                "{promise:<8} {:<66} {:>8}  {}",
                check.what,
                check.count,
                check.verdict()
            );
            for failure in check.failures.iter().take(SHOWN) {
                println!("{:<8} ! {failure}", "");
            }
        }
        println!(
            "{}",
            if self.holds() {
                "all promises hold"
            } else {
                "A PROMISE IS BROKEN"
            }
        );
    }
}

fn opposites_are_refused(evidence: &Evidence<'_>) -> Check {
    let told = &evidence.seen.told;
    let mut check = Check::new(3, "the opposite of a decision is refused");
    check.count = told.opposites_refused;
    for id in &told.opposites_taken {
        check.look(false, || format!("request {id} took both decisions"));
    }
    check
}

fn silence(evidence: &Evidence<'_>) -> Check {
    let mut check = Check::new(5, "settled queues, opened again, send nothing");
    let heard = evidence.heard_while_watched;
    check.count = evidence.options.tills as u64;
    if heard > 0 {
        check.failures.push(format!("{heard} messages came"));
    }
    check
}

fn no_secrets(evidence: &Evidence<'_>) -> Check {
    let what = "no PIN, person, password or redeem reference is in the queues' files";
    let mut check = Check::new(7, what);
    check.count = evidence.options.tills as u64;
    check.failures.clone_from(&evidence.leaked);
    check
}

fn drained(evidence: &Evidence<'_>) -> Check {
    let what = "with one advice stuck, all others went; without it, all";
    let mut check = Check::new(8, what);
    for (till, pending) in &evidence.seen.told.drained {
        check.look(*pending <= 1, || format!("till {till} kept {pending}"));
    }
    check.required()
}

fn clocks_jumped(evidence: &Evidence<'_>) -> Check {
    let what = "clocks jump by up to 20 years in either direction, and all is delivered";
    let mut check = Check::new(9, what);
    let told = &evidence.seen.told;
    for till in 0..evidence.options.tills {
        let days = told.jumps.get(&till).map(Vec::as_slice).unwrap_or_default();
        let last = told.drained.iter().rfind(|(drained, _)| *drained == till);
        check.count += days.len() as u64;
        if days.len() < 3 {
            let failure = format!("the clock of till {till} hardly jumped");
            check.failures.push(failure);
        }
        if last.is_none_or(|(_, pending)| *pending > 0) {
            check
                .failures
                .push(format!("till {till} did not deliver all"));
        }
    }
    check
}

fn in_flight(evidence: &Evidence<'_>) -> Check {
    let told = &evidence.seen.told;
    let mut check = Check::new(
        10,
        "no more than 4 advices of a till are being sent and 64 recorded at a time",
    );
    check.look(told.most_in_flight <= IN_FLIGHT, || {
        format!("there were {}", told.most_in_flight)
    });
    check.count = told.samples;
    check.required()
}

fn flat(evidence: &Evidence<'_>) -> Check {
    let what = "memory of till 0 and files of all stay, once the history has turned over";
    let mut check = Check::new(10, what);
    match evidence.is_flat {
        Some(is_flat) => check.look(is_flat, || "they grow".to_owned()),
        None => check.skipped = Some("the run is too short"),
    }
    check
}

fn troubles(evidence: &Evidence<'_>) -> Check {
    let what = "every process starts and ends well, without an unexpected error or loss";
    let mut check = Check::new(0, what);
    check.count = evidence.seen.starts.len() as u64;
    check.failures.clone_from(&evidence.seen.told.troubles);
    check
}

fn summary(evidence: &Evidence<'_>, sendings: &Sendings<'_>) -> String {
    let (seen, told) = (evidence.seen, &evidence.seen.told);
    let out: Duration = seen.outages.iter().map(|one| one.to - one.from).sum();
    let found: Vec<String> = told
        .found
        .iter()
        .map(|(what, count)| format!("  found at opens, {count} times: {what}\n"))
        .collect();
    format!(
        "{} messages, {} requests ({} cut off by a kill), {} decisions acknowledged, {} advices sent, {} of \
         them more than once\n{} starts, {} kills, {} shutdowns, {:.0} s behind a gateway's 503, {} \
         suspensions ended by hand\nat most {} advices of one till pending, {} rejected for an operator to \
         see\n{}",
        seen.counts.messages,
        told.requests_of.values().sum::<u64>(),
        told.under_way.len(),
        seen.counts.decisions,
        sendings.advices(),
        sendings.repeated(),
        seen.starts.len(),
        seen.kills,
        seen.stops,
        out.as_secs_f64(),
        told.resumed,
        told.most_pending,
        told.rejected.len(),
        found.concat()
    )
}
