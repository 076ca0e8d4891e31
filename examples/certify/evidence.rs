//! What a run leaves behind: steps, flows, totals. Everything here may be read by anybody.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use money_transfer_retailer::Operation;
use money_transfer_retailer::model::Timestamp;
use serde::Serialize;

use super::advice::{AdviceEvidence, Ending};
use super::demands::{came_later, successes};
use super::exchange_evidence::ExchangeEvidence;
use super::server::Server;
use super::walk::Walked;

/// The version of the interface whose flows are walked.
const INTERFACE_VERSION: &str = "2.22.0";

/// The version of the report's own fields.
const FORMAT: u32 = 1;

/// How a step, a flow or a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) enum Verdict {
    #[serde(rename = "pass")]
    Pass,
    #[serde(rename = "not supported")]
    NotSupported,
    #[serde(rename = "fail")]
    Fail,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Pass => "pass",
            Verdict::NotSupported => "not supported",
            Verdict::Fail => "fail",
        })
    }
}

/// One thing that was done.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Step {
    pub(crate) number: usize,
    pub(crate) step: String,
    pub(crate) operation: Option<Operation>,
    pub(crate) request_id: Option<String>,
    pub(crate) advice_id: Option<String>,
    pub(crate) started_at: Timestamp,
    pub(crate) duration_millis: u64,
    pub(crate) expected: String,
    pub(crate) seen: String,
    pub(crate) verdict: Verdict,
    /// What is worth a look in the answers, and no failure.
    pub(crate) remarks: Vec<String>,
    /// What went over the wire for this step.
    pub(crate) exchanges: Vec<ExchangeEvidence>,
    /// What became of the advice that this step is about.
    pub(crate) advice: Option<AdviceEvidence>,
}

/// The steps of a flow, as far as it was walked.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FlowEvidence {
    pub(crate) flow: &'static str,
    pub(crate) about: &'static str,
    pub(crate) verdict: Verdict,
    pub(crate) steps: Vec<Step>,
}

/// A whole run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Evidence {
    pub(crate) format: u32,
    pub(crate) interface_version: &'static str,
    pub(crate) crate_name: &'static str,
    pub(crate) crate_version: &'static str,
    pub(crate) server_host: String,
    pub(crate) server_is_simulator: bool,
    /// `https` or `http`.
    pub(crate) transport: String,
    pub(crate) client_id: String,
    pub(crate) answer_policy: &'static str,
    pub(crate) timeout_millis: u64,
    /// The flows that were asked for; empty for all of them.
    pub(crate) only: Vec<String>,
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Timestamp,
    pub(crate) verdict: Verdict,
    pub(crate) totals: Totals,
    pub(crate) remarks: usize,
    pub(crate) advices: AdviceTotals,
    pub(crate) operations: Vec<OperationEvidence>,
    pub(crate) flows: Vec<FlowEvidence>,
}

/// How many steps ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Totals {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) not_supported: usize,
}

/// How many advices ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AdviceTotals {
    pub(crate) delivered: usize,
    pub(crate) inferred: usize,
    pub(crate) refused: usize,
    pub(crate) pending: usize,
}

/// One operation: its steps, and every answer to it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OperationEvidence {
    pub(crate) operation: Operation,
    /// Whether it is part of every version since 2.5, so that a server has to offer it.
    pub(crate) is_minimum: bool,
    /// The statuses that the interface has for its success.
    pub(crate) success: &'static [u16],
    #[serde(flatten)]
    pub(crate) totals: Totals,
    pub(crate) answers: Vec<AnswerCount>,
}

/// Answers that look the same as HTTP.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AnswerCount {
    pub(crate) http_status: u16,
    pub(crate) content_type: Option<String>,
    pub(crate) with_location: bool,
    pub(crate) count: usize,
}

/// What a flow shows that checked nothing, and says nothing of why: that is no pass.
const UNSAID: &str = "the flow ended here, and no step says why";

impl FlowEvidence {
    /// The worst of its steps is its verdict. A flow that was given up has to end with the step that says
    /// why, and every flow has to have a step: where that is not so, one that failed is added.
    pub(crate) fn new(
        flow: &'static str,
        about: &'static str,
        mut steps: Vec<Step>,
        ended: Walked,
    ) -> Self {
        let says_why = match (steps.last(), ended) {
            (Some(last), Err(_)) => last.verdict != Verdict::Pass,
            (Some(_), Ok(())) => true,
            (None, _) => false,
        };
        if !says_why {
            steps.push(Step {
                expected: "every step of the flow".to_owned(),
                seen: UNSAID.to_owned(),
                ..Step::begun("the flow is walked to its end")
            });
        }
        for (number, step) in (1..).zip(&mut steps) {
            step.number = number;
        }
        let verdicts = steps.iter().map(|step| step.verdict);
        FlowEvidence {
            flow,
            about,
            verdict: verdicts.max().unwrap_or(Verdict::Fail),
            steps,
        }
    }
}

impl Step {
    /// A step that has failed until it is known to have ended otherwise.
    pub(crate) fn begun(step: impl Into<String>) -> Step {
        Step {
            number: 0,
            step: step.into(),
            operation: None,
            request_id: None,
            advice_id: None,
            started_at: now(),
            duration_millis: 0,
            expected: String::new(),
            seen: String::new(),
            verdict: Verdict::Fail,
            remarks: Vec::new(),
            exchanges: Vec::new(),
            advice: None,
        }
    }
}

impl Evidence {
    pub(crate) fn new(
        server: &Server,
        only: &[String],
        started_at: Timestamp,
        flows: Vec<FlowEvidence>,
    ) -> Self {
        let steps = || flows.iter().flat_map(|flow| &flow.steps);
        let totals = Totals::of(steps());
        let of = |operation: Operation| OperationEvidence::new(operation, &flows);
        Evidence {
            format: FORMAT,
            interface_version: INTERFACE_VERSION,
            crate_name: env!("CARGO_PKG_NAME"),
            crate_version: env!("CARGO_PKG_VERSION"),
            server_host: server.host(),
            server_is_simulator: server.is_simulator,
            transport: server.transport(),
            client_id: server.user.clone(),
            answer_policy: server.answer_policy(),
            timeout_millis: millis(server.timeout),
            only: only.to_vec(),
            started_at,
            ended_at: now(),
            verdict: verdict(totals, &flows),
            totals,
            remarks: steps().map(|step| step.remarks.len()).sum(),
            advices: AdviceTotals::of(steps()),
            operations: Operation::ALL.into_iter().map(of).collect(),
            flows,
        }
    }

    /// The operations by how they ended; `None` for those that no step was about.
    pub(crate) fn operations_by_verdict(&self) -> BTreeMap<Option<Verdict>, Vec<Operation>> {
        let mut operations: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for row in &self.operations {
            let verdict = row.totals.verdict();
            operations.entry(verdict).or_default().push(row.operation);
        }
        operations
    }
}

impl OperationEvidence {
    fn new(operation: Operation, flows: &[FlowEvidence]) -> Self {
        let steps = || flows.iter().flat_map(|flow| &flow.steps);
        let exchanges = steps().flat_map(|step| &step.exchanges);
        OperationEvidence {
            operation,
            is_minimum: !came_later(operation),
            success: successes(operation),
            totals: Totals::of(steps().filter(|step| step.operation == Some(operation))),
            answers: counted(exchanges.filter(|exchange| exchange.operation == Some(operation))),
        }
    }
}

/// The answers by status, type and Location.
fn counted<'a>(exchanges: impl Iterator<Item = &'a ExchangeEvidence>) -> Vec<AnswerCount> {
    let mut counts: BTreeMap<(u16, Option<&str>, bool), usize> = BTreeMap::new();
    for exchange in exchanges {
        if let Some(status) = exchange.http_status {
            let content_type = exchange.content_type.as_deref();
            let like_it = (status, content_type, exchange.location.is_some());
            *counts.entry(like_it).or_default() += 1;
        }
    }
    let counts = counts.into_iter();
    let counts = counts.map(
        |((http_status, content_type, with_location), count)| AnswerCount {
            http_status,
            content_type: content_type.map(str::to_owned),
            with_location,
            count,
        },
    );
    counts.collect()
}

/// A run in which nothing that was asked for is offered has not passed.
fn verdict(totals: Totals, flows: &[FlowEvidence]) -> Verdict {
    let mut steps = flows.iter().flat_map(|flow| &flow.steps);
    let works = steps.any(|step| step.operation.is_some() && step.verdict == Verdict::Pass);
    match totals {
        Totals { failed: 1.., .. } => Verdict::Fail,
        Totals {
            not_supported: 1.., ..
        } if !works => Verdict::NotSupported,
        _ => Verdict::Pass,
    }
}

impl Totals {
    fn of<'a>(steps: impl Iterator<Item = &'a Step>) -> Totals {
        let mut totals = Totals::default();
        for step in steps {
            *match step.verdict {
                Verdict::Pass => &mut totals.passed,
                Verdict::Fail => &mut totals.failed,
                Verdict::NotSupported => &mut totals.not_supported,
            } += 1;
        }
        totals
    }

    /// `None` where nothing was done.
    pub(crate) fn verdict(&self) -> Option<Verdict> {
        match self {
            Totals { failed: 1.., .. } => Some(Verdict::Fail),
            // An operation is offered every time, or never.
            Totals {
                passed: 1..,
                not_supported: 1..,
                ..
            } => Some(Verdict::Fail),
            Totals { passed: 1.., .. } => Some(Verdict::Pass),
            Totals {
                not_supported: 1.., ..
            } => Some(Verdict::NotSupported),
            _ => None,
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} passed, {} failed, {} not supported",
            self.passed, self.failed, self.not_supported
        )
    }
}

impl AdviceTotals {
    fn of<'a>(steps: impl Iterator<Item = &'a Step>) -> AdviceTotals {
        let mut totals = AdviceTotals::default();
        for advice in steps.filter_map(|step| step.advice.as_ref()) {
            *match advice.ending {
                Ending::Delivered => &mut totals.delivered,
                Ending::Inferred => &mut totals.inferred,
                Ending::Refused => &mut totals.refused,
                Ending::Pending => &mut totals.pending,
            } += 1;
        }
        totals
    }
}

impl fmt::Display for AdviceTotals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} delivered, {} inferred, {} refused, {} pending",
            self.delivered, self.inferred, self.refused, self.pending
        )
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The time of day.
#[allow(
    clippy::disallowed_methods,
    reason = "evidence tells when it was taken"
)]
pub(crate) fn now() -> Timestamp {
    let now = chrono::Utc::now().fixed_offset();
    // Only a clock outside the years 0 to 9999 has no words.
    Timestamp::from_datetime(now).unwrap_or(Timestamp::unix_epoch())
}
