//! The command line.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use money_transfer_retailer::RequestId;
use serde::{Deserialize, Serialize};

use super::Trouble;

pub(crate) const HELP: &str = "\
Runs tills with real traffic against a simulator in bad weather, kills them, lets their clocks jump,
and audits what came of it.

Usage: cargo run --example soak -- [OPTIONS]

  --minutes M   how long, fractions too [default: 1]; memory and files are judged after 20,000
                requests of each till and five minutes more
  --tills T     how many tills, each a process with a queue of its own [default: 4]
  --rate R      how many transactions a till makes in a second [default: 10]
  --seed S      of the weather and of what the tills do [default: 1]
  --help        this text

Exit code: 0 if every check of the audit holds, 1 if one does not or the run could not be finished,
2 for bad arguments.
";

/// What the command line asks for.
pub(crate) enum Command {
    Help,
    Soak(Options),
    /// What this program starts itself as.
    Till(Box<Orders>),
}

/// A run.
#[derive(Clone, Copy)]
pub(crate) struct Options {
    pub(crate) duration: Duration,
    pub(crate) tills: usize,
    pub(crate) rate: f64,
    pub(crate) seed: u64,
}

/// What a till's process is to do.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) part: Part,
    pub(crate) till: usize,
    pub(crate) url: String,
    pub(crate) queue: PathBuf,
    /// The same for all processes of a run.
    pub(crate) seed: u64,
    /// Another one for each process of a till.
    pub(crate) start: u64,
    pub(crate) rate: f64,
    /// The sale whose confirmation the upstream never takes.
    pub(crate) stuck: RequestId,
}

/// What a till does with its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Part {
    /// Sells, pays out and cancels until it is stopped or killed.
    Traffic,
    /// Decides on everything, and waits until only the stuck advice is left.
    DrainOthers,
    /// Decides on everything, waits until nothing is left, and tells what was not taken.
    Drain,
    /// Keeps the queue open, and does nothing.
    Watch,
}

const DEFAULTS: Options = Options {
    duration: Duration::from_secs(60),
    tills: 4,
    rate: 10.0,
    seed: 1,
};

impl Command {
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Result<Command, Trouble> {
        let mut options = DEFAULTS;
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--help" => return Ok(Command::Help),
                "till" => return Ok(Command::Till(serde_json::from_str(&value()?)?)),
                "--minutes" => options.duration = minutes(&value()?)?,
                "--tills" => options.tills = number(&argument, &value()?)?,
                "--rate" => options.rate = number(&argument, &value()?)?,
                "--seed" => options.seed = number(&argument, &value()?)?,
                _ => return Err(format!("{argument:?} is no argument of soak").into()),
            }
        }
        if !(1..=64).contains(&options.tills) || !(0.1..=1_000.0).contains(&options.rate) {
            return Err("1 to 64 tills, and 0.1 to 1,000 transactions a second".into());
        }
        Ok(Command::Soak(options))
    }
}

fn minutes(value: &str) -> Result<Duration, Trouble> {
    let seconds = 60.0 * number::<f64>("--minutes", value)?;
    let duration = Duration::try_from_secs_f64(seconds)?;
    match duration < Duration::from_secs(10) {
        true => Err("a run takes 10 seconds (0.17 minutes) at the least".into()),
        false => Ok(duration),
    }
}

fn number<T: FromStr>(argument: &str, value: &str) -> Result<T, Trouble> {
    let parsed = value.parse();
    parsed.map_err(|_| format!("{argument} does not take {value:?}").into())
}
