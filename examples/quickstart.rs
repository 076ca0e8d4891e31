//! The life of one money transfer, from a till that loses its upstream and its power.
//!
//! ```sh
//! cargo run --example quickstart
//! ```
//!
//! A till (a process of its own) sells a money transfer to a simulated upstream. The upstream goes
//! down, the till confirms all the same, and is killed. A new process opens the same queue, and the
//! confirmation arrives once the upstream is back. The exit code is 0 only if the upstream's own
//! book says so.

use std::error::Error;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};
use std::time::Duration;

use money_transfer_retailer::model::{
    CreateOrderRequest, Institution, Merchant, MerchantName, Money, Originator, PersonalDetails,
    RequestId, Sensitive,
};
use money_transfer_retailer::simulator::Simulator;
use money_transfer_retailer::{Client, Credentials, OrderOutcome, RetryPolicy};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

// ---- the till -------------------------------------------------------------------------------

/// What a point of sale sets up once.
async fn open_till(base_url: &str, queue_dir: &Path) -> Outcome<Client> {
    let client = Client::builder()
        .base_url(base_url)
        .credentials(Credentials::new("1234567", "password"))
        .queue_dir(queue_dir)
        .originator(this_till())
        .receiver(Institution::new("627821", "Money Transfer Provider"))
        .settlement_entity(Institution::new("777000", "Settlement Bank"))
        .retry_policy(
            RetryPolicy::default().pauses(Duration::from_millis(100), Duration::from_millis(800)),
        )
        .open()
        .await?;
    Ok(client)
}

/// The first process: sells, confirms while the upstream is down, and is killed.
async fn sell(till: Client) -> Outcome<()> {
    let request = CreateOrderRequest::builder()
        .amount(Money::zar(79_995))
        .sender_details(sender())
        .new_customer(true)
        .build();
    match till.create_order(request).await? {
        OrderOutcome::Approved(order) => {
            let reference = order.response().order_redeem_ref.as_ref();
            let reference = reference.map_or("none", Sensitive::expose);
            println!("approved: {}", order.response().amount);
            println!("receipt:  redeem with {reference}");
            println!("the customer pays in cash");
            cue("approved", &order.request_id().to_string())?;

            let queued = order.confirm().await?;
            println!(
                "confirm() returned: advice {} is on the disk",
                queued.advice_id
            );
        }
        OrderOutcome::Declined(declined) => return Err(format!("declined: {declined}").into()),
        OrderOutcome::NotSent(not_sent) => return Err(not_sent.into()),
        OrderOutcome::Unknown(unknown) => return Err(format!("{unknown:?}").into()),
        OrderOutcome::Earlier(earlier) => return Err(format!("made before: {earlier:?}").into()),
    }
    wait_for_attempts(&till, 2).await?;
    show_pending(&till)?;
    cue("pending", &pending_id(&till)?)?;
    Err("the till should have been killed by now".into())
}

/// The second process: opens the same queue, and waits until it is empty.
async fn resume(till: Client) -> Outcome<()> {
    show_pending(&till)?;
    cue("pending", &pending_id(&till)?)?;
    till.advices().wait_empty(Duration::from_secs(10)).await?;
    println!("{} advices are pending", till.advices().pending_count());
    let remaining = till.shutdown(Duration::from_secs(5)).await;
    match remaining.pending {
        0 => Ok(()),
        left => Err(format!("{left} advices were left").into()),
    }
}

fn show_pending(till: &Client) -> Outcome<()> {
    for advice in till.advices().pending()? {
        let amount = advice.amount.map(|amount| amount.to_string());
        println!(
            "pending:  {} {} of {}, {} attempts, {}",
            advice.operation,
            advice.advice_id,
            amount.unwrap_or_default(),
            advice.attempts,
            advice.state,
        );
    }
    Ok(())
}

/// The id of the only advice that is pending.
fn pending_id(till: &Client) -> Outcome<String> {
    match &till.advices().pending()?[..] {
        [advice] => Ok(advice.advice_id.to_string()),
        pending => Err(format!("{} advices are pending, not one", pending.len()).into()),
    }
}

async fn wait_for_attempts(till: &Client, attempts: u32) -> Outcome<()> {
    for _ in 0..100 {
        let pending = till.advices().pending()?;
        if pending.iter().any(|advice| advice.attempts >= attempts) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err("the worker did not try".into())
}

fn this_till() -> Originator {
    let shop = MerchantName::builder()
        .name("Corner Shop")
        .city("Cape Town")
        .region("WC")
        .country("ZA")
        .build();
    let merchant = Merchant::builder()
        .merchant_type("5411")
        .merchant_id("100000000012345")
        .merchant_name(shop)
        .build();
    Originator::builder()
        .institution(Institution::new("588892", "Retailer"))
        .terminal_id("TILL0007")
        .merchant(merchant)
        .build()
}

fn sender() -> PersonalDetails {
    PersonalDetails::builder()
        .first_name("Thandi")
        .last_name("Nkosi")
        .id_number("8001015009087")
        .contact_number("+27821234567")
        .build()
}

// ---- the stage ------------------------------------------------------------------------------

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let played = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => on_runtime(play()),
        ["sell", url, dir] => {
            on_runtime(async { sell(open_till(url, Path::new(dir)).await?).await })
        }
        ["resume", url, dir] => {
            on_runtime(async { resume(open_till(url, Path::new(dir)).await?).await })
        }
        _ => Err("usage: cargo run --example quickstart".into()),
    };
    match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickstart failed: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  because: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn on_runtime(story: impl Future<Output = Outcome<()>>) -> Outcome<()> {
    tokio::runtime::Runtime::new()?.block_on(story)
}

async fn play() -> Outcome<()> {
    let queue = tempfile::tempdir()?;
    let upstream = Simulator::start().await?;
    say("The upstream is up. A till opens its queue and sells a money transfer.");
    let mut till = Till::start("sell", &upstream.base_url(), queue.path())?;
    let request_id: RequestId = till.until("approved")?.parse()?;
    check(
        upstream.book().order(request_id).is_some(),
        "the upstream has the order",
    )?;

    say("The upstream goes down. The till confirms.");
    upstream.go_down().await?;
    till.go_on()?;
    let pending = till.until("pending")?;
    let received = upstream.book().confirmations_of(request_id).received();
    check(received == 0, "no confirmation has arrived")?;

    say("The till is killed.");
    till.kill()?;

    say("A new process opens the same queue. The upstream is still down.");
    let mut till = Till::start("resume", &upstream.base_url(), queue.path())?;
    let still_pending = till.until("pending")?;
    check(pending == still_pending, "the same advice is still pending")?;

    say("The upstream comes back.");
    upstream.come_up().await?;
    till.go_on()?;
    till.ends_well()?;
    let book = upstream.book();
    let confirmations = book.confirmations_of(request_id);
    check(
        (confirmations.received(), confirmations.accepted()) == (1, 1),
        "the upstream's book has exactly one confirmation",
    )?;
    check(
        book.reversals_of(request_id).received() == 0,
        "and no reversal",
    )?;
    say("Nothing was lost, nothing was doubled.");
    Ok(())
}

fn say(line: &str) {
    println!("\n{line}");
}

fn check(holds: bool, what: &str) -> Outcome<()> {
    match holds {
        true => {
            println!("  [checked] {what}");
            Ok(())
        }
        false => Err(format!("not so: {what}").into()),
    }
}

// ---- how the stage and the till talk: cues on standard output, a line to go on -----------------

const CUE: &str = "@";

/// Tells the stage that a point of the story is reached, and waits for the word to go on.
fn cue(point: &str, word: &str) -> Outcome<()> {
    println!("{CUE} {point} {word}");
    std::io::stdout().flush()?;
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}

/// A till's process.
struct Till {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Till {
    fn start(part: &str, base_url: &str, queue_dir: &Path) -> Outcome<Till> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg(part)
            .arg(base_url)
            .arg(queue_dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = process.stdout.take().ok_or("no output")?;
        let lines = BufReader::new(stdout).lines();
        Ok(Till { process, lines })
    }

    /// Shows what the till prints until it reaches `point`, and returns the word that it gives.
    fn until(&mut self, point: &str) -> Outcome<String> {
        for line in self.lines.by_ref() {
            let line = line?;
            match line
                .strip_prefix(CUE)
                .and_then(|cue| cue.trim().split_once(' '))
            {
                Some((reached, word)) if reached == point => return Ok(word.to_owned()),
                Some((reached, _)) => return Err(format!("unexpected cue {reached}").into()),
                None => println!("  till {} | {line}", self.process.id()),
            }
        }
        Err(format!("the till ended before {point}").into())
    }

    fn go_on(&mut self) -> Outcome<()> {
        let stdin = self.process.stdin.as_mut().ok_or("no input")?;
        stdin.write_all(b"\n")?;
        Ok(stdin.flush()?)
    }

    fn kill(mut self) -> Outcome<()> {
        self.process.kill()?;
        let status = self.process.wait()?;
        println!("  till {} is gone: {status}", self.process.id());
        match status.success() {
            true => Err("the till ended by itself".into()),
            false => Ok(()),
        }
    }

    fn ends_well(mut self) -> Outcome<()> {
        for line in self.lines.by_ref() {
            println!("  till {} | {}", self.process.id(), line?);
        }
        match self.process.wait()?.success() {
            true => Ok(()),
            false => Err("the till failed".into()),
        }
    }
}
