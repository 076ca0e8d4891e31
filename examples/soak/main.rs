//! Real traffic for as long as you like, with bad weather, killed tills and jumping clocks; then an audit.
//!
//! ```sh
//! cargo run --example soak -- --minutes 1 --tills 4 --seed 7
//! ```
//!
//! ```text
//!  this process                                      a process for each till
//!  weather ─▶ simulator ◀────────── HTTP ─────────── client ◀── lanes that sell, pay out, cancel
//!  unrest ──▶ fleet: starts, kills, stops ─────────▶ queue directory of its own
//!  gauge ───▶ rates, backlog, memory, files          │
//!  witness ◀── what the simulator heard              └─▶ standard output: what the till was told,
//!     │    ◀── what the tills said ◀──────────────────── one line at a time, a killed one's too
//!     └─▶ audit: the ten promises of the crate, one row each ─▶ exit code
//! ```
//!
//! 1. A till says what it was told only after it was told: what is said is a promise that was made.
//! 2. The audit believes the simulator's book and what the tills said, never the queue.
//! 3. The first till is never ended, so that its memory can be judged; the others are, all the time.
//! 4. The seed decides on the weather and on what the tills do, not on how fast: a run is not repeated
//!    to the letter.

mod arguments;
mod audit;
mod fleet;
mod gauge;
mod lane;
mod payloads;
mod run;
mod said;
mod search;
mod thirds;
mod till;
mod weather;
mod witness;

use std::error::Error;
use std::process::ExitCode;

use arguments::{Command, HELP};

/// What ends a run before its audit.
pub(crate) type Trouble = Box<dyn Error + Send + Sync>;

/// The exit codes, as the help tells them.
const FAILED: u8 = 1;
const BAD_ARGUMENTS: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Command::read(std::env::args().skip(1)) {
        Ok(Command::Help) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Ok(Command::Soak(options)) => run::soak(options).await,
        Ok(Command::Till(orders)) => till::run(*orders).await.map(|()| true),
        Err(problem) => {
            eprintln!("{problem}\n\n{HELP}");
            return ExitCode::from(BAD_ARGUMENTS);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        Err(trouble) => {
            eprintln!("the run could not be finished: {trouble}");
            ExitCode::from(FAILED)
        }
    }
}
