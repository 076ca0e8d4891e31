//! The till that opens a damaged queue, in a process of its own: it says what it was told, delivers
//! what it has, and ends.
//!
//! Compiled twice: into the test, whose child it is, and into an example, so that it can be built with
//! `panic = "abort"`.

use std::path::Path;

use money_transfer_retailer::{Client, Finding, OpenError, RecoveryReport};

use crate::support::{PATIENCE, till};

/// Where the queue lies, and where the upstream listens.
pub const QUEUE: &str = "DAMAGE_QUEUE";
pub const PROXY: &str = "DAMAGE_PROXY";

/// The address that all queues are bound to. Whatever port the simulator has, it is asked as a proxy.
pub const BASE_URL: &str = "http://upstream.example/moneytransfer/v2";

/// How often it looks while it waits.
const ATTEMPTS: u32 = 100;

/// What the child says on its standard output, apart from what the test harness says there.
pub const SAYS: &str = "till:";

/// Opens the queue that the environment names, says what it finds, and delivers what is pending.
pub async fn open_and_deliver() {
    let queue = std::env::var(QUEUE).unwrap();
    let proxy = std::env::var(PROXY).unwrap();
    let client = match open(Path::new(&queue), &proxy).await {
        Ok(client) => client,
        Err(error) => return say(format_args!("not-opened {error:?}")),
    };
    let mut report = client.recovery().clone();
    if client.is_quarantined() {
        say("quarantined");
        report = match client.adopt().await {
            Ok(report) => report,
            Err(error) => return say(format_args!("not-adopted {error:?}")),
        };
    }
    tell_findings(&report);
    deliver(&client).await;
    tell_lists(&client);
    let remaining = client.shutdown(PATIENCE).await;
    say(format_args!("ended {}", remaining.pending));
}

/// Waits until nothing is left that can be sent. An advice whose record is lost counts as pending for ever.
async fn deliver(client: &Client) {
    for _ in 0..ATTEMPTS {
        let is_empty = client.advices().wait_empty(PATIENCE / ATTEMPTS).await;
        if is_empty.is_ok() || client.advices().pending().unwrap().is_empty() {
            return;
        }
    }
    let pending = client.advices().pending().unwrap();
    say(format_args!("stuck {pending:?}"));
}

pub async fn open(queue: &Path, proxy: &str) -> Result<Client, OpenError> {
    let till = till(BASE_URL, queue).allow_plain_http().proxy(proxy);
    till.open().await
}

fn tell_findings(report: &RecoveryReport) {
    for finding in &report.findings {
        match finding {
            Finding::Lost { request_id } => say(format_args!("lost {request_id}")),
            Finding::ReceiptLost { request_id } => say(format_args!("no-receipt {request_id}")),
            Finding::LostUnknown => say("lost-unknown"),
            other => say(format_args!("found {other}")),
        }
    }
}

fn tell_lists(client: &Client) {
    for damaged in client.advices().damaged().unwrap() {
        say(format_args!("lost {}", damaged.request_id));
    }
    for undecided in client.advices().undecided().unwrap() {
        let has_receipt = undecided.receipt.order_redeem_ref.is_some();
        say(format_args!(
            "undecided {} {has_receipt}",
            undecided.request_id
        ));
    }
    for rejected in client.advices().rejected().unwrap() {
        say(format_args!("rejected {}", rejected.request_id));
    }
}

fn say(what: impl std::fmt::Display) {
    println!("{SAYS} {what}");
}
