//! An upstream of the Money Transfer Retailer Interface to point clients at; see `--help`.

use std::{
    fmt,
    io::Write as _,
    net::{SocketAddr, ToSocketAddrs as _},
    process::ExitCode,
};

use money_transfer_retailer::simulator::{
    BASE_PATH, Builder, Fault, Message, Rule, RuleError, Simulator, Stray,
};

const HELP: &str = "\
A stateful upstream of the Money Transfer Retailer Interface, with faults on demand.

Usage: cargo run --example simulator -- [OPTIONS]

Options:
  --listen HOST:PORT     where to listen [default: 127.0.0.1:8080]; port 0 takes a free one, which the first line tells
  --provider-quirks      break where the provider's test server breaks: 500 on some missing fields, 404 or 405 for the
                         operations that came after its version
  --fault RULE           OPERATION[:WHEN]:FAULT, may be given several times; the first that applies decides
  --seed N               makes references, fees and faults with a probability repeatable
  --help                 this text

Rules:
  OPERATION  any, create-order, redeem-order, cancel-order, confirm-payment, reverse-payment, confirm-redeem,
             reverse-redeem, cancel-order-reversal, lookup-order, update-order-status, update-order-pin,
             get-customer-info, create-or-update-customer, get-fee-quote, get-fee-quote-by-post, get-exchange-rate,
             get-customer-order-history
  WHEN       always (the default), K (the next K messages), nth=N, p=P (each with probability P)
  FAULT      not processed:  refuse, hang, close-before, tls-failure, error=ERROR_TYPE[,CODE],
                             status=CODE[,CONTENT-TYPE[,BODY]], status=CODE[|NAME: VALUE]...[||BODY]
             processed:      close-during, close-after, lose-answer, process-and-hang, garbage, wrong-id,
                             slow-headers=TIME, slow-body=TIME, process-late=TIME, process-twice[=first|second],
                             huge-body=BYTES                                    (TIME: 250ms, 5s, 2m)

With | a status is followed by headers, and with || by a body: | ends a line, as on the wire. tls-failure sends a TLS alert
in the place of an HTTP answer: the exchange breaks after the request was sent.

Examples:
  --fault create-order:1:lose-answer     the answer to the next order is lost, the order stands
  --fault any:p=0.1:status=500           one message in ten is answered 500 and not processed
  --fault 'any:2:status=503|Retry-After: 7|Content-Type: text/html||<h1>Busy</h1>'
                                         the next two are asked to come back after 7 seconds

Any user name and password that are not empty are an account; what moves money has to name the user as its client.id.
POST .../testServerAdmin/reset?clientId=USER forgets everything of a user.
One line is printed for each request: time, operation (or method and path), status, ids. A message that a fault keeps
waiting is told as it comes in, without a status, and once more if it is answered after all. Ctrl-C ends it.";

/// Messages that are kept in memory, though no one asks for the book here.
const REMEMBERED: usize = 1_000;

/// What the command line asks for.
enum Command {
    Help,
    Run(Box<Builder>),
}

/// What is wrong with the command line.
#[derive(Debug)]
enum ArgumentError {
    Unknown(String),
    NoValue(&'static str),
    Listen(String),
    Seed(String),
    Fault(RuleError),
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ArgumentError::Unknown(argument) => {
                write!(f, "{argument:?} is no argument of the simulator")
            }
            ArgumentError::NoValue(argument) => write!(f, "{argument} needs a value"),
            ArgumentError::Listen(value) => write!(
                f,
                "--listen: {value:?} is no HOST:PORT that is known, such as 127.0.0.1:8080"
            ),
            ArgumentError::Seed(value) => write!(f, "--seed: {value:?} is no whole number"),
            ArgumentError::Fault(error) => write!(f, "--fault: {error}"),
        }
    }
}

impl std::error::Error for ArgumentError {}

#[tokio::main]
async fn main() -> ExitCode {
    match command(std::env::args().skip(1)) {
        Ok(Command::Help) => {
            println!("{HELP}");
            ExitCode::SUCCESS
        }
        Ok(Command::Run(builder)) => run(*builder).await,
        Err(error) => {
            eprintln!("{error}\nTry --help.");
            ExitCode::from(2)
        }
    }
}

fn command(mut arguments: impl Iterator<Item = String>) -> Result<Command, ArgumentError> {
    let mut builder = Simulator::builder()
        .listen(([127, 0, 0, 1], 8080))
        .remember(REMEMBERED)
        .observe_received(print_held)
        .observe(print_over)
        .observe_strays(print_stray);
    while let Some(argument) = arguments.next() {
        // Both --name value and --name=value are understood.
        let (name, given) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        let mut value = |name| {
            given
                .clone()
                .or_else(|| arguments.next())
                .ok_or(ArgumentError::NoValue(name))
        };
        builder = match name {
            "--help" | "-h" => return Ok(Command::Help),
            "--provider-quirks" if given.is_none() => builder.provider_quirks(true),
            "--listen" => builder.listen(address(value("--listen")?)?),
            "--seed" => builder.seed(seed(value("--seed")?)?),
            "--fault" => builder.inject(
                value("--fault")?
                    .parse::<Rule>()
                    .map_err(ArgumentError::Fault)?,
            ),
            _ => return Err(ArgumentError::Unknown(argument)),
        };
    }
    Ok(Command::Run(Box::new(builder)))
}

fn address(text: String) -> Result<SocketAddr, ArgumentError> {
    let Ok(addresses) = text.to_socket_addrs() else {
        return Err(ArgumentError::Listen(text));
    };
    let addresses: Vec<SocketAddr> = addresses.collect();
    // A name such as localhost often stands for both kinds, and clients without the newer one are still about.
    let chosen = addresses.iter().find(|address| address.is_ipv4());
    chosen
        .or(addresses.first())
        .copied()
        .ok_or(ArgumentError::Listen(text))
}

fn seed(text: String) -> Result<u64, ArgumentError> {
    text.parse().map_err(|_| ArgumentError::Seed(text))
}

async fn run(builder: Builder) -> ExitCode {
    let simulator = match builder.start().await {
        Ok(simulator) => simulator,
        Err(error) => {
            eprintln!("--listen: cannot listen there: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("serving {BASE_PATH} at {}", simulator.base_url());
    match tokio::signal::ctrl_c().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot wait for Ctrl-C: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whoever waits for an answer that does not come wants to see meanwhile that the message has arrived.
fn print_held(message: &Message) {
    if is_held(message) {
        print(message);
    }
}

fn print_over(message: &Message) {
    if !is_held(message) || message.answered().is_some() {
        print(message);
    }
}

/// Whether a fault keeps the message waiting, for a while or for ever.
fn is_held(message: &Message) -> bool {
    matches!(
        message.fault(),
        Some(Fault::Hang | Fault::ProcessAndHang | Fault::ProcessLate(_) | Fault::SlowHeaders(_))
    )
}

fn print(message: &Message) {
    let status = message
        .answered()
        .map_or("-".to_owned(), |status| status.to_string());
    let mut line = format!("{:<26} {status:>3}", message.operation());
    for (name, id) in [
        ("request", message.request_id()),
        ("advice", message.advice_id()),
        ("error", message.error_type()),
    ] {
        if let Some(id) = id {
            line.push_str(&format!(" {name}={}", tamed(id)));
        }
    }
    if let Some(fault) = message.fault() {
        line.push_str(&format!(" fault={fault:?}"));
    }
    print_line(&line);
}

fn print_stray(stray: &Stray) {
    let asked = format!("{} {}", stray.method(), tamed(stray.path()));
    print_line(&format!("{asked:<26} {:>3}", stray.status()));
}

/// What comes from strangers: a line stays a line, and short.
fn tamed(text: &str) -> String {
    text.chars()
        .take(64)
        .flat_map(char::escape_default)
        .collect()
}

fn print_line(line: &str) {
    #[allow(
        clippy::disallowed_methods,
        reason = "a log line needs the time of day"
    )]
    let time = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%S%.3fZ");
    // Who reads the lines may leave; the clients are served all the same.
    let _no_reader = writeln!(std::io::stdout(), "{time} {line}");
}
