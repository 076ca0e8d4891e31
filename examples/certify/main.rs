//! Certifies a server of the Money Transfer Retailer Interface: walks every flow of its transaction
//! guide with the crate's own client, and tells what was expected and what was seen.
//!
//! ```sh
//! cargo run --example certify                       # against a simulator in the same process
//! PASSWORD=… cargo run --example certify -- --base-url https://host/moneytransfer/v2 \
//!     --user 1234567 --password-env PASSWORD --report evidence
//! ```
//!
//! ```text
//!  arguments ─▶ server ─▶ flows (a table) ─▶ walk: one step after another ─▶ evidence ─▶ table
//!                                              │                                └─▶ report
//!                                              ├─ message: what is sent, and what came of it
//!                                              ├─ advice: every sending of it, and how it ended
//!                                              ├─ expectation: what should have come of it
//!                                              ├─ demands, conduct: what the interface demands of
//!                                              │  the server's answers, and of the till's advices
//!                                              └─ required, echoes: what an answer leaves out, and
//!                                                 what it repeats wrongly: remarks
//!
//!  till ─▶ relay ─▶ server                     The wire is the list of every exchange, and what the
//!            └─ wire                           report shows of messages is from there, masked.
//! ```
//!
//! 1. Every flow has a till of its own, with a queue of its own: what one leaves undelivered is no
//!    other's failure.
//! 2. Every person, PIN and reference is made up for this run, so that it can be repeated on a
//!    server that others use too.
//! 3. No PIN, identity or telephone number, password or redeem reference gets into the table or the
//!    report: hidden by the name of its field, and struck out where a server quotes it.
//! 4. Every message that left is in the report as it left, those that were sent only to be too late
//!    included; of a confirmation or reversal every sending, and whether its end was answered or
//!    inferred.
//! 5. The operations of version 2.5 are the least that a server has to offer. One that later
//!    versions of the interface added may be missing: that is "not supported", and no failure.
//! 6. Only what the interface demands can fail. What is merely unusual is a remark.

mod advice;
pub(crate) mod arguments;
pub(crate) mod conduct;
mod contradiction;
mod decisions;
mod demands;
mod echoes;
pub(crate) mod evidence;
mod exchange_evidence;
mod expectation;
pub(crate) mod flows;
mod inventions;
pub(crate) mod masked_json;
pub(crate) mod masking;
mod message;
mod relay;
mod report;
mod report_page;
mod required;
mod seen;
mod server;
mod strangers;
mod table;
pub(crate) mod walk;
pub(crate) mod wire;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use arguments::{Command, HELP, Options};
use evidence::Evidence;
use money_transfer_retailer::OpenError;
use money_transfer_retailer::simulator::Simulator;
use report::{ReportError, ReportFiles};
use server::Server;

/// What ends a run before its first step, or after its last.
pub(crate) type Trouble = Box<dyn Error + Send + Sync>;

/// The exit codes, as the help tells them.
const PASSED: u8 = 0;
const FAILED: u8 = 1;
const BAD_ARGUMENTS: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = std::env::args().skip(1);
    let environment = |name: &str| std::env::var(name).ok();
    let (out, err) = (&mut std::io::stdout(), &mut std::io::stderr());
    ExitCode::from(run(arguments, environment, out, err).await)
}

/// All of the program but its process: arguments in, an exit code out.
pub(crate) async fn run(
    arguments: impl Iterator<Item = String>,
    environment: impl Fn(&str) -> Option<String>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    let (code, words) = match arguments::read(arguments, environment) {
        Ok(Command::Help) => return shown(out, &format!("{HELP}\n{}", flows::list()), PASSED),
        Ok(Command::Run(options)) => match certify(&options, out).await {
            Ok(evidence) if evidence.totals.failed == 0 => return PASSED,
            Ok(_) => return FAILED,
            Err(trouble) if is_a_bad_argument(&*trouble) => (BAD_ARGUMENTS, told(&*trouble)),
            Err(trouble) => (FAILED, told(&*trouble)),
        },
        Err(error) => (BAD_ARGUMENTS, format!("{error}\nTry --help.")),
    };
    shown(err, &words, code)
}

/// Whether the trouble is one that other arguments would cure.
fn is_a_bad_argument(trouble: &(dyn Error + Send + Sync + 'static)) -> bool {
    let bad_setting = matches!(
        trouble.downcast_ref(),
        Some(OpenError::Upstream(_) | OpenError::Defaults(_))
    );
    bad_setting || trouble.is::<ReportError>()
}

/// Who reads the words may have left: the exit code says the same.
fn shown(to: &mut dyn Write, words: &str, code: u8) -> u8 {
    let _nobody_reads = writeln!(to, "{words}");
    code
}

/// An error with all its causes.
fn told(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error: &&(dyn Error + 'static)| {
        (*error).source()
    });
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

async fn certify(options: &Options, out: &mut dyn Write) -> Result<Evidence, Trouble> {
    let files = options
        .report
        .as_deref()
        .map(ReportFiles::begin)
        .transpose()?;
    let (server, _simulator) = match &options.server {
        Some(server) => (server.clone(), None),
        None => {
            let simulator = Simulator::start().await?;
            (Server::in_process(&simulator, options), Some(simulator))
        }
    };
    let evidence = flows::walk_all(&server, &options.only, out).await?;
    table::totals(out, &evidence)?;
    if let Some(files) = files {
        let written = files.write(&evidence)?;
        let written = written.iter().map(|path| path.display().to_string());
        writeln!(out, "evidence: {}", written.collect::<Vec<_>>().join(", "))?;
    }
    Ok(evidence)
}
