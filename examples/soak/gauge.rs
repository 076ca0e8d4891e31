//! Figures, every few seconds.

use std::fs;
use std::time::Duration;

use money_transfer_retailer::model::RequestId;
use tokio::time::{Instant, sleep_until};

use super::fleet::Fleet;
use super::search;
use super::witness::{Counts, Witness};

/// How often a row is printed.
const EVERY: Duration = Duration::from_secs(5);

/// What one row shows.
#[derive(Clone, Copy, Default)]
pub(crate) struct Reading {
    pub(crate) messages_per_second: f64,
    pub(crate) decisions_per_second: f64,
    pub(crate) deliveries_per_second: f64,
    pub(crate) backlog: f64,
    pub(crate) oldest_seconds: f64,
    /// Of the till that is never ended; `None` where the system does not tell.
    pub(crate) steady_memory: Option<f64>,
    /// Of all tills.
    pub(crate) memory: Option<f64>,
    pub(crate) files: f64,
    /// How many requests the till made that made the fewest.
    pub(crate) fewest_requests: u64,
}

pub(crate) const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// Prints a row every few seconds until `end`, and returns all rows.
pub(crate) async fn run(
    fleet: &Fleet,
    witness: &Witness,
    stuck: &[RequestId],
    end: Instant,
) -> Vec<Reading> {
    println!(
        "{:>7} {:<9} {:>5} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9} {:>9}",
        "time",
        "weather",
        "tills",
        "msgs/s",
        "decis/s",
        "deliv/s",
        "backlog",
        "oldest",
        "till 0",
        "all tills",
        "files"
    );
    let begun = Instant::now();
    let mut rows = Vec::new();
    let (mut then, mut before) = (begun, Counts::default());
    while then + EVERY <= end {
        sleep_until(then + EVERY).await;
        let now = Instant::now();
        let counts = witness.seen().counts;
        let rates = rates(counts, before, now - then);
        let row = read(fleet, witness, stuck, rates);
        print(&row, witness, fleet, now - begun);
        rows.push(row);
        (then, before) = (now, counts);
    }
    rows
}

fn rates(counts: Counts, before: Counts, during: Duration) -> Reading {
    let per_second = |now: u64, then: u64| (now - then) as f64 / during.as_secs_f64();
    Reading {
        messages_per_second: per_second(counts.messages, before.messages),
        decisions_per_second: per_second(counts.decisions, before.decisions),
        deliveries_per_second: per_second(counts.deliveries, before.deliveries),
        ..Reading::default()
    }
}

fn read(fleet: &Fleet, witness: &Witness, stuck: &[RequestId], rates: Reading) -> Reading {
    let (backlog, oldest, fewest_requests) = {
        let seen = witness.seen();
        let backlog: usize = seen.pending.values().sum();
        let made = |till| seen.told.requests_of.get(&till).copied().unwrap_or(0);
        let fewest = fleet.tills().map(made).min().unwrap_or(0);
        (backlog, seen.oldest(stuck), fewest)
    };
    let memory: Vec<Option<f64>> = fleet
        .process_ids()
        .into_iter()
        .map(|id| id.and_then(resident_bytes))
        .collect();
    let known: Vec<f64> = memory.iter().flatten().copied().collect();
    let files: u64 = fleet
        .tills()
        .map(|till| search::size(&fleet.queue_of(till)))
        .sum();
    Reading {
        backlog: backlog as f64,
        oldest_seconds: oldest.map_or(0.0, |since| since.elapsed().as_secs_f64()),
        steady_memory: memory.first().copied().flatten(),
        memory: (!known.is_empty()).then(|| known.iter().sum()),
        files: files as f64,
        fewest_requests,
        ..rates
    }
}

/// The resident memory of a process, in bytes; `None` where there is no `/proc`.
fn resident_bytes(process_id: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process_id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kibibytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024.0)
}

fn print(row: &Reading, witness: &Witness, fleet: &Fleet, since: Duration) {
    let sky = witness.seen().sky.name();
    let up = fleet.process_ids().iter().flatten().count();
    println!(
        "{:>6.0}s {:<9} {:>5} {:>8.1} {:>8.1} {:>8.1} {:>8.0} {:>7.1}s {:>9} {:>9} {:>9}",
        since.as_secs_f64(),
        sky,
        up,
        row.messages_per_second,
        row.decisions_per_second,
        row.deliveries_per_second,
        row.backlog,
        row.oldest_seconds,
        mebibytes(row.steady_memory),
        mebibytes(row.memory),
        mebibytes(Some(row.files)),
    );
}

pub(crate) fn mebibytes(bytes: Option<f64>) -> String {
    bytes.map_or("n/a".to_owned(), |bytes| {
        format!("{:.1} MiB", bytes / MEBIBYTE)
    })
}
