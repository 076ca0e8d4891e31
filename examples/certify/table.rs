//! The table on the screen: a row for each step, as soon as its flow is over.

use std::io::{self, Write};

use super::evidence::{Evidence, FlowEvidence, Verdict};

/// Columns with their widths: flow, step, expected, seen, verdict.
const WIDTHS: [usize; 5] = [24, 40, 37, 37, 13];

pub(crate) fn head(out: &mut dyn Write) -> io::Result<()> {
    row(out, ["flow", "step", "expected", "seen", "verdict"])
}

pub(crate) fn flow(out: &mut dyn Write, flow: &FlowEvidence) -> io::Result<()> {
    let line = WIDTHS.map(|width| "-".repeat(width)).join("-+-");
    writeln!(out, "{line}")?;
    let names = std::iter::once(flow.flow).chain(std::iter::repeat(""));
    for (name, step) in names.zip(&flow.steps) {
        let verdict = step.verdict.to_string();
        let what = match step.operation {
            Some(operation) if !step.step.contains(operation.name()) => {
                &format!("{operation}: {}", step.step)
            }
            _ => &step.step,
        };
        row(out, [name, what, &step.expected, &step.seen, &verdict])?;
        for remark in &step.remarks {
            row(out, ["", "", "", &format!("remark: {remark}"), ""])?;
        }
    }
    out.flush()
}

pub(crate) fn totals(out: &mut dyn Write, evidence: &Evidence) -> io::Result<()> {
    writeln!(out)?;
    for (verdict, operations) in evidence.operations_by_verdict() {
        let heading = match verdict {
            Some(Verdict::Pass) => "operations that work",
            Some(Verdict::NotSupported) => "operations not supported",
            Some(Verdict::Fail) => "operations that failed",
            None => "operations not used",
        };
        let names: Vec<&str> = operations
            .iter()
            .map(|operation| operation.name())
            .collect();
        writeln!(out, "{heading} ({}): {}", names.len(), names.join(", "))?;
    }
    writeln!(out, "advices: {}", evidence.advices)?;
    if evidence.remarks > 0 {
        writeln!(out, "remarks: {}", evidence.remarks)?;
    }
    writeln!(out, "reading of answers: {}", evidence.answer_policy)?;
    if !evidence.only.is_empty() {
        writeln!(out, "only these flows: {}", evidence.only.join(", "))?;
    }
    let (verdict, totals) = (evidence.verdict, evidence.totals);
    writeln!(out, "{verdict}: {totals}, at {}", evidence.server_host)
}

fn row(out: &mut dyn Write, cells: [&str; 5]) -> io::Result<()> {
    let cells: Vec<Vec<String>> = cells
        .iter()
        .zip(WIDTHS)
        .map(|(text, width)| wrapped(text, width))
        .collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or_default();
    for line in 0..height {
        let line = cells.iter().zip(WIDTHS).map(|(cell, width)| {
            let text = cell.get(line).map_or("", String::as_str);
            format!("{text:<width$}")
        });
        let line = line.collect::<Vec<_>>().join(" | ");
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// The words in lines of at most so many characters; a word that is longer is cut.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut rest: Vec<char> = word.chars().collect();
        while !rest.is_empty() {
            let piece: String = rest.drain(..rest.len().min(width)).collect();
            match lines.last_mut() {
                Some(line) if line.is_empty() => line.push_str(&piece),
                Some(line) if line.chars().count() + 1 + piece.chars().count() <= width => {
                    line.push(' ');
                    line.push_str(&piece);
                }
                _ => lines.push(piece),
            }
        }
    }
    lines
}
