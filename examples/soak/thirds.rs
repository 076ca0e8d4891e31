//! Whether memory and files stay flat: the first, the middle and the last third of a run.

use std::time::Duration;

use super::gauge::{MEBIBYTE, Reading, mebibytes};

/// Shorter runs only fill what is kept on purpose: parts of the queue for a minute, and the last
/// 10,000 ended transactions.
const LONG_ENOUGH: Duration = Duration::from_secs(15 * 60);

/// How much more the last third may have than the middle one.
const MARGIN: f64 = 1.2;

/// What is noise, in bytes.
const NOISE: f64 = 8.0 * MEBIBYTE;

/// The averages of the thirds of a run.
pub(crate) struct Thirds {
    parts: Vec<Reading>,
    is_long_enough: bool,
}

impl Thirds {
    pub(crate) fn of(rows: &[Reading], duration: Duration) -> Thirds {
        let length = rows.len() / 3;
        let part = |third: usize| average(&rows[third * length..(third + 1) * length]);
        Thirds {
            parts: match length {
                0 => Vec::new(),
                _ => (0..3).map(part).collect(),
            },
            is_long_enough: duration >= LONG_ENOUGH,
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
        let [_, middle, last] = self.parts.as_slice() else {
            return None;
        };
        let stays = |middle: f64, last: f64| last <= middle * MARGIN + NOISE;
        let memory = match (middle.steady_memory, last.steady_memory) {
            (Some(middle), Some(last)) => stays(middle, last),
            _ => true,
        };
        self.is_long_enough
            .then(|| memory && stays(middle.files, last.files))
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
    }
}
