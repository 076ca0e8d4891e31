//! The command line.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::flows;
use super::server::{Parties, Server};

pub(crate) const HELP: &str = "\
Walks every flow of the Money Transfer Retailer Interface against a server, and tells what was
expected and what was seen.

Usage: cargo run --example certify -- [OPTIONS]

Without --base-url a simulator in the same process is certified.

Server:
  --base-url URL          the server, for example https://host/moneytransfer/v2
  --user NAME             the HTTP Basic user name; also the id of the client institution
  --password-env VAR      the environment variable that holds the password
  --allow-plain-http      accept http to other machines; to this one it is accepted anyway
  --timeout SECONDS       how long an answer may take [default: 60; 5 for the simulator]. A request that
                          seems never to have arrived is given up after twice this time
  --interface-table       read every answer by the interface's own table, to the letter: the word of a
                          proxy counts as the service's, and a failure ends an advice

Who takes part, where the server is particular about it:
  --receiver ID           the money transfer provider [default: 627821]
  --settlement-entity ID  who settles with the retailer [default: 777000]
  --institution ID        the retailer [default: 588892]
  --merchant ID           the shop, 15 characters [default: 100000000012345]
  --terminal ID           the till, 8 characters [default: TILL0007]

Output:
  --report FILE           an evidence report: FILE.html and FILE.json; with the extension .html or .json
                          in FILE that one alone
  --only FLOW             only this flow; may be given several times
  --help                  this text

Verdicts:
  pass           what the interface demands was seen, with the HTTP status that it has for a success
  not supported  the server does not know an operation that came after version 2.5 (501, or 404 or 405
                 without an ErrorDetail): cancelOrder, cancelOrderReversal, updateOrderStatus,
                 updateOrderPin, getFeeQuote by POST, getExchangeRate, getCustomerOrderHistory. One of
                 these that works once must not be missing at another time, and a server that takes
                 cancelOrder has to take its reversal
  fail           everything else. The operations of version 2.5 are the least that a server has to offer:
                 one of them that is not offered is a fail, too, and so is a run of all flows in which
                 one of them could not be seen to work
A remark is no fail: something that the interface does not demand, and that is worth a look.

Exit code: 0 without a fail, 1 with one or where the run could not be finished, 2 for bad arguments.
";

/// How long an answer may take unless the command line says otherwise: what the interface has for a
/// server somewhere else, and no longer than needed within this process.
const TIMEOUT: Duration = Duration::from_secs(60);
const TIMEOUT_IN_PROCESS: Duration = Duration::from_secs(5);

/// What the command line asks for.
pub(crate) enum Command {
    Help,
    Run(Box<Options>),
}

/// A run.
pub(crate) struct Options {
    /// `None` for the simulator in this process.
    pub(crate) server: Option<Server>,
    pub(crate) timeout: Duration,
    pub(crate) interface_table: bool,
    pub(crate) parties: Parties,
    pub(crate) report: Option<PathBuf>,
    /// Empty for all flows.
    pub(crate) only: Vec<String>,
}

/// What is wrong with the command line.
#[derive(Debug)]
pub(crate) enum ArgumentError {
    Unknown(String),
    NoValue(String),
    Missing(&'static str),
    WithoutServer(&'static str),
    NoPassword(String),
    Timeout(String),
    Flow(String),
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ArgumentError as E;
        match self {
            E::Unknown(argument) => write!(f, "{argument:?} is no argument of certify"),
            E::NoValue(argument) => write!(f, "{argument} needs a value"),
            E::Missing(argument) => write!(f, "{argument} is needed with --base-url"),
            E::WithoutServer(argument) => write!(f, "{argument} makes no sense without --base-url"),
            E::NoPassword(variable) => {
                write!(
                    f,
                    "--password-env: the environment variable {variable:?} is not set"
                )
            }
            E::Timeout(value) => write!(f, "--timeout: {value:?} is no number of seconds above 0"),
            E::Flow(name) => write!(f, "--only: {name:?} is none of the flows"),
        }
    }
}

impl std::error::Error for ArgumentError {}

/// The values as they stand on the command line.
#[derive(Default)]
struct Given {
    base_url: Option<String>,
    user: Option<String>,
    password_env: Option<String>,
    allow_plain_http: bool,
    interface_table: bool,
    timeout: Option<String>,
    parties: Parties,
    report: Option<PathBuf>,
    only: Vec<String>,
}

/// Reads the arguments; `environment` looks a variable up.
pub(crate) fn read(
    mut arguments: impl Iterator<Item = String>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Command, ArgumentError> {
    let mut given = Given::default();
    while let Some(argument) = arguments.next() {
        // Both --name value and --name=value are understood.
        let (name, attached) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        match name {
            "--help" | "-h" if attached.is_none() => return Ok(Command::Help),
            "--allow-plain-http" if attached.is_none() => given.allow_plain_http = true,
            "--interface-table" if attached.is_none() => given.interface_table = true,
            _ => {
                let set = given
                    .setter(name)
                    .ok_or(ArgumentError::Unknown(argument.clone()))?;
                let value = attached.or_else(|| arguments.next());
                let value = value.filter(|value| !value.is_empty());
                set(value.ok_or(ArgumentError::NoValue(name.to_owned()))?);
            }
        }
    }
    given.into_options(environment)
}

impl Given {
    /// Where the value of the argument `name` goes.
    fn setter(&mut self, name: &str) -> Option<Box<dyn FnOnce(String) + '_>> {
        let text = match name {
            "--receiver" => &mut self.parties.receiver,
            "--settlement-entity" => &mut self.parties.settlement_entity,
            "--institution" => &mut self.parties.institution,
            "--merchant" => &mut self.parties.merchant,
            "--terminal" => &mut self.parties.terminal,
            "--only" => return Some(Box::new(|flow| self.only.push(flow))),
            "--report" => return Some(Box::new(|file| self.report = Some(file.into()))),
            _ => return self.optional_setter(name),
        };
        Some(Box::new(move |value| *text = value))
    }

    fn optional_setter(&mut self, name: &str) -> Option<Box<dyn FnOnce(String) + '_>> {
        let text = match name {
            "--base-url" => &mut self.base_url,
            "--user" => &mut self.user,
            "--password-env" => &mut self.password_env,
            "--timeout" => &mut self.timeout,
            _ => return None,
        };
        Some(Box::new(move |value| *text = Some(value)))
    }

    fn into_options(
        self,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Command, ArgumentError> {
        if let Some(unknown) = self.only.iter().find(|name| !flows::is_known(name)) {
            return Err(ArgumentError::Flow(unknown.clone()));
        }
        let usual = match self.base_url {
            Some(_) => TIMEOUT,
            None => TIMEOUT_IN_PROCESS,
        };
        let timeout = self.timeout.as_deref().map_or(Ok(usual), seconds)?;
        let server = match self.base_url {
            Some(base_url) => Some(Server {
                base_url,
                user: self.user.ok_or(ArgumentError::Missing("--user"))?,
                password: password(self.password_env, environment)?.into(),
                allow_plain_http: self.allow_plain_http,
                timeout,
                interface_table: self.interface_table,
                parties: self.parties.clone(),
                is_simulator: false,
            }),
            None if self.user.is_some() => return Err(ArgumentError::WithoutServer("--user")),
            None if self.password_env.is_some() => {
                return Err(ArgumentError::WithoutServer("--password-env"));
            }
            None => None,
        };
        Ok(Command::Run(Box::new(Options {
            server,
            timeout,
            interface_table: self.interface_table,
            parties: self.parties,
            report: self.report,
            only: self.only,
        })))
    }
}

fn password(
    variable: Option<String>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<String, ArgumentError> {
    let variable = variable.ok_or(ArgumentError::Missing("--password-env"))?;
    environment(&variable).ok_or(ArgumentError::NoPassword(variable))
}

fn seconds(text: &str) -> Result<Duration, ArgumentError> {
    let seconds = text.parse().ok().map(Duration::try_from_secs_f64);
    match seconds {
        Some(Ok(timeout)) if timeout >= Duration::from_millis(1) => Ok(timeout),
        _ => Err(ArgumentError::Timeout(text.to_owned())),
    }
}
