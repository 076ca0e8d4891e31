//! The evidence report for people: one page that needs nothing else.

use money_transfer_retailer::Operation;
use serde_json::value::RawValue;

use super::advice::{AdviceEvidence, AttemptEvidence, schema};
use super::demands::RULE;
use super::evidence::{AnswerCount, Evidence, FlowEvidence, OperationEvidence, Step, Verdict};
use super::exchange_evidence::ExchangeEvidence;

/// The page.
pub(crate) fn page(evidence: &Evidence) -> String {
    let flows: String = evidence.flows.iter().map(flow).collect();
    let operations: String = evidence.operations.iter().map(operation).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Certification of {host}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <header>\n<h1>Money Transfer Retailer Interface</h1>\n\
         <p>Evidence of a certification run at <strong>{host}</strong></p>\n</header>\n\
         {summary}\n<h2>Operations</h2>\n<table class=\"narrow\">\n\
         <tr><th>Operation</th><th>Since 2.5</th><th>Passed</th><th>Failed</th><th>Not supported</th>\
         <th>Success is</th><th>Answers seen</th><th>Verdict</th></tr>\n\
         {operations}</table>\n<p>{rule}</p>\n<h2>Flows</h2>\n{flows}\
         <footer>Messages are those that a relay between client and server passed on, in the client's own \
         process, and masked: no personal data, PIN, password or redeem reference is shown. \
         Delivered means accepted by the server. Inferred means that the client concluded from another \
         answer that the advice arrived before, or that there was nothing to reverse.</footer>\n</body>\n</html>\n",
        host = escaped(&evidence.server_host),
        rule = escaped(RULE),
        summary = summary(evidence),
    )
}

fn summary(evidence: &Evidence) -> String {
    let client = format!("{} {}", evidence.crate_name, evidence.crate_version);
    let server = match evidence.server_is_simulator {
        true => format!("{} (simulator in the same process)", evidence.server_host),
        false => evidence.server_host.clone(),
    };
    let flows = match evidence.only.len() {
        0 => "all".to_owned(),
        _ => format!("only {}", evidence.only.join(", ")),
    };
    let facts = [
        ("Interface version", evidence.interface_version.to_owned()),
        ("Client", client),
        ("Server", server),
        ("Transport", evidence.transport.clone()),
        ("Client id", evidence.client_id.clone()),
        ("Reading of answers", evidence.answer_policy.to_owned()),
        ("Timeout", format!("{} ms", evidence.timeout_millis)),
        ("Started", evidence.started_at.to_string()),
        ("Ended", evidence.ended_at.to_string()),
        ("Flows", flows),
        ("Steps", evidence.totals.to_string()),
        ("Advices", evidence.advices.to_string()),
        ("Remarks", evidence.remarks.to_string()),
    ];
    let facts = facts
        .iter()
        .map(|(name, fact)| format!("<dt>{}</dt><dd>{}</dd>\n", escaped(name), escaped(fact)));
    let facts: String = facts.collect();
    let verdict = badge(evidence.verdict);
    format!("<dl>\n<dt>Verdict</dt><dd>{verdict}</dd>\n{facts}</dl>")
}

fn operation(row: &OperationEvidence) -> String {
    let totals = &row.totals;
    let verdict = totals.verdict().map_or("not used".to_owned(), badge);
    let success: Vec<String> = row.success.iter().map(u16::to_string).collect();
    let answers: Vec<String> = row.answers.iter().map(answers_like_it).collect();
    format!(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{verdict}</td></tr>\n",
        escaped(row.operation.name()),
        if row.is_minimum { "yes" } else { "no" },
        totals.passed,
        totals.failed,
        totals.not_supported,
        success.join(" or "),
        answers.join("<br>"),
    )
}

fn answers_like_it(answers: &AnswerCount) -> String {
    let label = answers.content_type.as_deref().unwrap_or("no Content-Type");
    let location = if answers.with_location {
        ", Location"
    } else {
        ""
    };
    let (count, status) = (answers.count, answers.http_status);
    escaped(&format!("{count} × {status}, {label}{location}"))
}

fn flow(flow: &FlowEvidence) -> String {
    let steps: String = flow.steps.iter().map(step).collect();
    format!(
        "<section id=\"{name}\">\n<h3>{name} {verdict}</h3>\n<p>{about}</p>\n<table>\n\
         <tr><th>#</th><th>Step</th><th>Expected</th><th>Seen</th><th>Started</th><th>ms</th>\
         <th>Verdict</th></tr>\n{steps}</table>\n</section>\n",
        name = escaped(flow.flow),
        verdict = badge(flow.verdict),
        about = escaped(flow.about),
    )
}

fn step(step: &Step) -> String {
    let row = format!(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"time\">{}</td><td>{}</td><td>{}</td></tr>\n",
        step.number,
        escaped(&step.step),
        escaped(&step.expected),
        seen(step),
        escaped(&step.started_at.to_string()),
        step.duration_millis,
        badge(step.verdict),
    );
    row + &details(step)
}

/// What was seen, and what is worth a look in it.
fn seen(step: &Step) -> String {
    let remarks = step.remarks.iter();
    let remarks = remarks.map(|remark| format!("<br>Remark: {}", escaped(remark)));
    escaped(&step.seen) + &remarks.collect::<String>()
}

/// What was sent and received, folded away below its step.
fn details(step: &Step) -> String {
    if step.operation.is_none() && step.exchanges.is_empty() {
        return String::new();
    }
    let ids = [("request", &step.request_id), ("advice", &step.advice_id)];
    let ids = ids.iter().filter_map(|(name, id)| {
        id.as_ref()
            .map(|id| format!(" · {name} <code>{}</code>", escaped(id)))
    });
    let ids: String = ids.collect();
    let exchanges = step.exchanges.iter();
    let exchanges: String = exchanges.map(exchange).collect();
    format!(
        "<tr class=\"details\"><td></td><td colspan=\"6\"><details><summary>{}{ids}</summary>\
         {exchanges}{attempts}</details></td></tr>\n",
        escaped(step.operation.map_or("messages", Operation::name)),
        attempts = step.advice.as_ref().map(attempts).unwrap_or_default(),
    )
}

/// What was sent, and what came back for it.
fn exchange(exchange: &ExchangeEvidence) -> String {
    let query = exchange.query.iter();
    let query: Vec<String> = query
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut sent = format!("{} {}", exchange.method, exchange.path);
    if !query.is_empty() {
        sent += &format!("?{}", query.join("&"));
    }
    let schema = exchange.operation.and_then(schema);
    let of_schema = schema.map_or(String::new(), |schema| format!("Sent: {schema}, "));
    let took = exchange.duration_millis;
    let took = took.map_or(String::new(), |millis| format!(" after {millis} ms"));
    format!(
        "<h4>{}{} at {}</h4>{}<h4>{}{}{took}</h4>{}",
        escaped(&of_schema),
        escaped(&sent),
        escaped(&exchange.sent_at.to_string()),
        message(exchange.request.as_deref()),
        escaped(&head(exchange)),
        escaped(&exchange.end),
        message(exchange.response.as_deref()),
    )
}

/// How the answer began, as far as it did.
fn head(exchange: &ExchangeEvidence) -> String {
    let Some(status) = exchange.http_status else {
        return String::new();
    };
    let mut head = format!("HTTP {status}, ");
    if let Some(label) = &exchange.content_type {
        head += &format!("{label}, ");
    }
    if let Some(location) = &exchange.location {
        head += &format!("Location: {location}, ");
    }
    if exchange.response.is_none() && exchange.response_bytes > 0 {
        head += &format!("{} bytes that are not shown, ", exchange.response_bytes);
    }
    head
}

fn message(json: Option<&RawValue>) -> String {
    json.map_or(String::new(), |json| {
        format!("<pre>{}</pre>", escaped(json.get()))
    })
}

/// Every sending of an advice.
fn attempts(advice: &AdviceEvidence) -> String {
    let rows: String = advice.attempts.iter().map(attempt).collect();
    format!(
        "<h4>{state}, decided {decided_at}, attempts: {count}</h4>\n<table>\n\
         <tr><th>Attempt</th><th>Ended</th><th>Outcome</th><th>HTTP status</th><th>Error type</th>\
         <th>Problem</th></tr>\n{rows}</table>\n",
        state = escaped(&advice.state),
        decided_at = escaped(&advice.decided_at.to_string()),
        count = advice.attempt_count,
    )
}

fn attempt(attempt: &AttemptEvidence) -> String {
    let cells = [
        attempt.number.to_string(),
        attempt.ended_at.to_string(),
        attempt.outcome.to_owned(),
        attempt
            .http_status
            .map_or(String::new(), |status| status.to_string()),
        attempt.error_type.clone().unwrap_or_default(),
        attempt.problem.clone().unwrap_or_default(),
    ];
    let cells = cells
        .iter()
        .map(|cell| format!("<td>{}</td>", escaped(cell)));
    format!("<tr>{}</tr>\n", cells.collect::<String>())
}

fn badge(verdict: Verdict) -> String {
    let class = match verdict {
        Verdict::Pass => "pass",
        Verdict::NotSupported => "unsupported",
        Verdict::Fail => "fail",
    };
    format!("<span class=\"badge {class}\">{verdict}</span>")
}

/// What a server says must not become part of the page.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

const STYLE: &str = "
:root { color-scheme: light; --ink: #1d2733; --faint: #5d6b7a; --line: #dde3ea; --paper: #f6f8fa; }
body { margin: 0 auto; max-width: 75rem; padding: 0 1.5rem 3rem; color: var(--ink);
  font: 15px/1.5 system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif; }
header { border-bottom: 3px solid var(--ink); margin: 2rem 0 1.5rem; }
h1 { margin: 0; font-size: 1.7rem; }
header p { margin: .2rem 0 .8rem; color: var(--faint); }
h2 { margin: 2.2rem 0 .6rem; font-size: 1.25rem; }
h3 { margin: 1.8rem 0 0; font-size: 1.05rem; font-family: ui-monospace, Menlo, Consolas, monospace; }
section > p { margin: .1rem 0 .5rem; color: var(--faint); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.5rem; margin: 0;
  padding: 1rem 1.25rem; background: var(--paper); border: 1px solid var(--line); border-radius: 6px; }
dt { color: var(--faint); }
dd { margin: 0; }
table { width: 100%; border-collapse: collapse; }
table.narrow { width: auto; }
th, td { padding: .35rem .7rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { font-size: .8rem; font-weight: 600; color: var(--faint); background: var(--paper); }
tr.details td { padding-top: 0; }
tr:has(+ tr.details) td { border-bottom: none; }
td.time { white-space: nowrap; font-variant-numeric: tabular-nums; }
summary { cursor: pointer; color: var(--faint); font-size: .85rem; }
h4 { margin: .6rem 0 .2rem; font-size: .85rem; }
pre, code { font: 12.5px/1.45 ui-monospace, Menlo, Consolas, monospace; }
pre { margin: 0; padding: .7rem .9rem; overflow-x: auto; background: var(--paper);
  border: 1px solid var(--line); border-radius: 6px; }
.badge { display: inline-block; padding: 0 .6em; border-radius: 1em; font: 600 .78rem/1.7 system-ui, sans-serif;
  white-space: nowrap; }
.pass { color: #0b5d2b; background: #d8f3e1; }
.fail { color: #fff; background: #c4281c; }
.unsupported { color: #5b4a00; background: #fbeeb8; }
footer { margin-top: 2.5rem; color: var(--faint); font-size: .85rem; }
@media print { details::details-content { content-visibility: visible; display: block; } body { max-width: none; } }
";
