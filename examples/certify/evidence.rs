//! What a run leaves behind: steps, flows, totals. Everything here may be read by anybody.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use money_transfer_retailer::Operation;
use money_transfer_retailer::model::Timestamp;
use serde::Serialize;

use super::advice::{AdviceEvidence, Ending};
use super::server::Server;

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
    /// Masked.
    pub(crate) request: Option<String>,
    /// Masked.
    pub(crate) response: Option<String>,
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
    pub(crate) client_id: String,
    pub(crate) answer_policy: &'static str,
    pub(crate) timeout_millis: u64,
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Timestamp,
    pub(crate) verdict: Verdict,
    pub(crate) totals: Totals,
    pub(crate) advices: AdviceTotals,
    pub(crate) operations: Vec<OperationTotals>,
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

/// The steps of one operation.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OperationTotals {
    pub(crate) operation: Operation,
    #[serde(flatten)]
    pub(crate) totals: Totals,
}

impl FlowEvidence {
    /// The worst of its steps is its verdict.
    pub(crate) fn new(flow: &'static str, about: &'static str, mut steps: Vec<Step>) -> Self {
        for (number, step) in (1..).zip(&mut steps) {
            step.number = number;
        }
        let verdicts = steps.iter().map(|step| step.verdict);
        FlowEvidence {
            flow,
            about,
            verdict: verdicts.max().unwrap_or(Verdict::Pass),
            steps,
        }
    }
}

impl Evidence {
    pub(crate) fn new(server: &Server, started_at: Timestamp, flows: Vec<FlowEvidence>) -> Self {
        let steps = || flows.iter().flat_map(|flow| &flow.steps);
        let totals = Totals::of(steps());
        let of = |operation: Operation| OperationTotals {
            operation,
            totals: Totals::of(steps().filter(|step| step.operation == Some(operation))),
        };
        Evidence {
            format: FORMAT,
            interface_version: INTERFACE_VERSION,
            crate_name: env!("CARGO_PKG_NAME"),
            crate_version: env!("CARGO_PKG_VERSION"),
            server_host: server.host(),
            server_is_simulator: server.is_simulator,
            client_id: server.user.clone(),
            answer_policy: server.answer_policy(),
            timeout_millis: millis(server.timeout),
            started_at,
            ended_at: now(),
            verdict: match totals.failed {
                0 => Verdict::Pass,
                _ => Verdict::Fail,
            },
            totals,
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
