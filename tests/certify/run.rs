//! A certification run, and what it leaves behind.

use std::collections::BTreeSet;
use std::time::Duration;

use money_transfer_retailer::simulator::Operation;
use serde_json::Value;

#[allow(dead_code, reason = "a test has a main of its own")]
#[path = "../../examples/certify/main.rs"]
pub mod certify;

/// What a certification run may take against a simulator, a slow machine included.
const PATIENCE: Duration = Duration::from_secs(60);

pub const PASSWORD: &str = "correct-horse-battery";

/// What a run left behind.
pub struct Run {
    pub code: u8,
    pub out: String,
    pub err: String,
    pub html: String,
    pub json: Value,
}

impl Run {
    pub fn failed(&self) -> u64 {
        self.json["totals"]["failed"].as_u64().unwrap()
    }

    /// The steps that ended so, as `flow: step`.
    pub fn steps(&self, verdict: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for flow in self.json["flows"].as_array().unwrap() {
            for step in flow["steps"].as_array().unwrap() {
                if step["verdict"] == verdict {
                    found.insert(format!("{}: {}", text(&flow["flow"]), text(&step["step"])));
                }
            }
        }
        found
    }

    /// The operations with at least one step that ended so.
    pub fn operations(&self, verdict: &str) -> BTreeSet<String> {
        let rows = self.json["operations"].as_array().unwrap();
        let ended_so = rows.iter().filter(|row| row[verdict].as_u64() > Some(0));
        ended_so
            .map(|row| text(&row["operation"]).to_owned())
            .collect()
    }
}

/// The steps of a flow.
fn steps<'a>(run: &'a Run, flow: &str) -> &'a [Value] {
    let flows = run.json["flows"].as_array().unwrap();
    let found = flows.iter().find(|walked| walked["flow"] == flow);
    found.unwrap()["steps"].as_array().unwrap()
}

pub fn step<'a>(run: &'a Run, flow: &str, name: &str) -> &'a Value {
    let found = steps(run, flow).iter().find(|step| step["step"] == name);
    found.unwrap_or_else(|| panic!("no step {name}: {}", run.out))
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

pub fn names(operations: &[Operation]) -> BTreeSet<String> {
    let names = operations
        .iter()
        .map(|operation| operation.name().to_owned());
    names.collect()
}

/// Runs with these arguments, and with a report.
pub async fn run(arguments: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("evidence");
    let mut all: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
    all.extend(["--report".to_owned(), report.display().to_string()]);
    let (code, out, err) = bare_run(all).await;
    let read = |extension| std::fs::read_to_string(report.with_extension(extension));
    Run {
        code,
        out,
        err,
        html: read("html").unwrap_or_default(),
        json: serde_json::from_str(&read("json").unwrap_or_default()).unwrap_or_default(),
    }
}

pub async fn bare_run(arguments: Vec<String>) -> (u8, String, String) {
    let environment = |name: &str| (name == "PASSWORD").then(|| PASSWORD.to_owned());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let run = certify::run(arguments.into_iter(), environment, &mut out, &mut err);
    let code = tokio::time::timeout(PATIENCE, run).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (code, text(out), text(err))
}

/// Runs against this server, with a timeout in seconds.
pub async fn run_at(base_url: &str, timeout: &str) -> Run {
    walk_at(base_url, timeout, &[]).await
}

/// Runs these flows only; all where none is named.
pub async fn walk_at(base_url: &str, timeout: &str, flows: &[&str]) -> Run {
    let mut arguments = vec!["--base-url", base_url, "--user", "7654321"];
    arguments.extend(["--password-env", "PASSWORD", "--timeout", timeout]);
    for flow in flows {
        arguments.extend(["--only", flow]);
    }
    run(&arguments).await
}
