//! Whether memory and files stay flat: the first, the middle and the last third of a run, and the time
//! after the queues had all that they keep.

use super::gauge::{MEBIBYTE, Reading, mebibytes};

/// A queue keeps its last 10,000 ended transactions on purpose. Once it has forgotten as many as it keeps,
/// its files have no more reason to grow.
const TURNED_OVER: u64 = 20_000;

/// How many rows it takes after that to tell: five minutes of them.
const ENOUGH_ROWS: usize = 60;

/// How much more the second half of that time may have than the first.
const MARGIN: f64 = 1.15;

/// What is noise, in bytes.
const NOISE: f64 = 8.0 * MEBIBYTE;

/// The averages of the parts of a run.
pub(crate) struct Thirds {
    parts: Vec<Reading>,
    /// The two halves of the time in which nothing has a reason to grow; none if that was too short.
    halves: Option<[Reading; 2]>,
}

impl Thirds {
    pub(crate) fn of(rows: &[Reading]) -> Thirds {
        let length = rows.len() / 3;
        let part = |third: usize| average(&rows[third * length..(third + 1) * length]);
        let full = &rows[rows.partition_point(|row| row.fewest_requests < TURNED_OVER)..];
        let (first, second) = full.split_at(full.len() / 2);
        let is_enough = full.len() >= ENOUGH_ROWS;
        Thirds {
            parts: match length {
                0 => Vec::new(),
                _ => (0..3).map(part).collect(),
            },
            halves: is_enough.then(|| [average(first), average(second)]),
        }
    }

    pub(crate) fn print(&self) {
        println!(
            "\n{:<24} {:>12} {:>12} {:>12}",
            "average of", "first third", "middle", "last"
        );
        let number = |value: f64| format!("{value:.1}");
        self.line("messages per second", |row| number(row.messages_per_second));
        self.line("decisions per second", |row| {
            number(row.decisions_per_second)
        });
        self.line("deliveries per second", |row| {
            number(row.deliveries_per_second)
        });
        self.line("backlog", |row| number(row.backlog));
        self.line("oldest pending, seconds", |row| number(row.oldest_seconds));
        self.line("memory of till 0", |row| mebibytes(row.steady_memory));
        self.line("memory of all tills", |row| mebibytes(row.memory));
        self.line("files of all tills", |row| mebibytes(Some(row.files)));
        let Some([first, second]) = &self.halves else {
            return;
        };
        println!(
            "once every till had made {TURNED_OVER} requests: memory of till 0 {}, then {}; files {}, then {}",
            mebibytes(first.steady_memory),
            mebibytes(second.steady_memory),
            mebibytes(Some(first.files)),
            mebibytes(Some(second.files)),
        );
    }

    fn line(&self, what: &str, value: impl Fn(&Reading) -> String) {
        print!("{what:<24}");
        for part in &self.parts {
            print!(" {:>12}", value(part));
        }
        println!();
    }

    /// Whether the memory of till 0 and the files of all tills stay as they are; `None` where the run was
    /// too short to tell.
    pub(crate) fn is_flat(&self) -> Option<bool> {
        let [first, second] = self.halves.as_ref()?;
        let stays = |first: f64, second: f64| second <= first * MARGIN + NOISE;
        let memory = match (first.steady_memory, second.steady_memory) {
            (Some(first), Some(second)) => stays(first, second),
            _ => true,
        };
        Some(memory && stays(first.files, second.files))
    }
}

fn average(rows: &[Reading]) -> Reading {
    let count = rows.len() as f64;
    let of = |value: fn(&Reading) -> f64| rows.iter().map(value).sum::<f64>() / count;
    let known = |value: fn(&Reading) -> Option<f64>| {
        let known: Vec<f64> = rows.iter().filter_map(value).collect();
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
    };
    Reading {
        messages_per_second: of(|row| row.messages_per_second),
        decisions_per_second: of(|row| row.decisions_per_second),
        deliveries_per_second: of(|row| row.deliveries_per_second),
        backlog: of(|row| row.backlog),
        oldest_seconds: of(|row| row.oldest_seconds),
        steady_memory: known(|row| row.steady_memory),
        memory: known(|row| row.memory),
        files: of(|row| row.files),
        fewest_requests: rows.last().map_or(0, |row| row.fewest_requests),
    }
}
