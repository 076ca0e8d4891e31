//! No secret is stored or shown: no PIN, identity number, name, number, address, password or redeem reference reaches a
//! file, a log line or a printed form, in whatever form.
//!
//! It was seen failing with each of these planted: the body of a request in its journal entry; a trace line with the
//! bytes of a receipt before it is sealed; a vault that is never erased; `{:?}` of a `Sensitive` that shows its text.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "secrets/messages.rs"]
mod messages;
#[path = "secrets/search.rs"]
mod search;
mod support;

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use messages::{
    BASIC, ID_NUMBER, LAST_NAME, PASSWORD, SECRETS, STREET, cancellation, order, redemption,
};
use money_transfer_retailer::model::{ReversalReason, Sensitive};
use money_transfer_retailer::simulator::{CannedAnswer, Fault, Operation, Rule, Simulator};
use money_transfer_retailer::{Client, ClientBuilder, Credentials, OrderOutcome, ReceiptKey};
use search::{Haystack, forms};
use support::{PATIENCE, approved, till};

const CANCELLED: ReversalReason = ReversalReason::Cancelled;

/// A log that keeps everything, of the dependencies, too.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn install() -> Log {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_writer(move || writer.clone());
        tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
        log::set_boxed_logger(Box::new(log.clone())).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
        log
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {}\n", record.target(), record.args());
        self.0.lock().unwrap().extend_from_slice(line.as_bytes());
    }

    fn flush(&self) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_reaches_a_file_a_log_or_a_printed_form() {
    let log = Log::install();
    let upstream = Arc::new(Simulator::start().await.unwrap());
    let (sealed, open) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let key = ReceiptKey::new([7; 32]);
    let mut printed = format!("{key:?}");
    let with_key = builder(&upstream, sealed.path()).receipt_key(key);
    printed += &full_life(&upstream, with_key).await;
    printed += &settled_life(&upstream, builder(&upstream, open.path())).await;

    let mut secrets: Vec<String> = SECRETS.map(str::to_owned).to_vec();
    let book = upstream.book();
    secrets.extend(
        book.orders()
            .map(|order| order.order_redeem_ref().to_owned()),
    );
    assert!(secrets.len() > SECRETS.len() + 5, "there were many orders");
    let haystacks = [
        (
            "a file of a queue with a key",
            Haystack::of_files(sealed.path()),
        ),
        (
            "a file of a settled queue without one",
            Haystack::of_files(open.path()),
        ),
        ("the log", Haystack::of(&log.0.lock().unwrap())),
        ("what was printed", Haystack::of(printed.as_bytes())),
    ];
    for (place, haystack) in &haystacks {
        assert!(
            haystack.len() > 1_000,
            "there is nothing to search: {place}"
        );
        for secret in &secrets {
            let form = haystack.form_of(secret);
            assert_eq!(form, None, "{secret} is in {place}");
        }
    }
}

fn builder(upstream: &Simulator, queue: &Path) -> ClientBuilder {
    till(&upstream.base_url(), queue).credentials(Credentials::new("1234567", PASSWORD))
}

/// Every operation, every outcome, a crash, and advices that are rejected or pending in the end.
async fn full_life(upstream: &Arc<Simulator>, builder: ClientBuilder) -> String {
    let mut printed = format!("{builder:?}");
    printed += &crash(Arc::clone(upstream), builder.clone()).await;
    upstream.clear_faults();
    let till = builder.open().await.unwrap();
    printed += &format!("{:?}", till.recovery());
    printed += &messages::ask_and_update_everything(&till, &sold(&till).await).await;
    let references = [sold(&till).await, sold(&till).await, sold(&till).await];
    printed += &provoked_errors(upstream, &till).await;

    quote_in_refusals(upstream, &references[0]);
    let paid = till.redeem_order(redemption(&references[0])).await.unwrap();
    printed += &format!("{paid:?}");
    approved(paid).confirm().await.unwrap();
    till.advices().wait_empty(PATIENCE).await.unwrap();
    let cancelled = till
        .cancel_order(cancellation(&references[1]))
        .await
        .unwrap();
    printed += &format!("{cancelled:?}");
    approved(cancelled).complete().await.unwrap();

    for advice in [Operation::ReverseRedeem, Operation::ReversePayment] {
        upstream.inject(Rule::on(advice).fault(Fault::status(500)));
    }
    let paid = till.redeem_order(redemption(&references[2])).await.unwrap();
    approved(paid).reverse(CANCELLED).await.unwrap();
    let blocked = till.redeem_order(redemption(&references[2])).await;
    printed += &format!("{blocked:?}");
    drop(till.create_order(order()).await.unwrap());
    printed += &lists(&till);
    let advices = till.advices();
    assert_eq!(advices.rejected().unwrap().len(), 1);
    assert!(advices.pending_count() > 0 && advices.undecided().unwrap().len() > 1);
    till.shutdown(PATIENCE).await;
    upstream.clear_faults();
    printed
}

/// A sale, a payout and a cancellation that all come to their ends: not even the vault holds anything of them.
async fn settled_life(upstream: &Simulator, builder: ClientBuilder) -> String {
    let till = builder.open().await.unwrap();
    let (one, other) = (sold(&till).await, sold(&till).await);
    let paid = till.redeem_order(redemption(&one)).await.unwrap();
    approved(paid).confirm().await.unwrap();
    let cancelled = till.cancel_order(cancellation(&other)).await.unwrap();
    approved(cancelled).reverse(CANCELLED).await.unwrap();
    let lose = Rule::on(Operation::CreateOrder).next(1);
    upstream.inject(lose.fault(Fault::LoseAnswer));
    let unknown = till.create_order(order()).await.unwrap();
    let printed = format!("{unknown:?}");
    till.advices().wait_empty(PATIENCE).await.unwrap();
    let printed = printed + &lists(&till);
    till.shutdown(PATIENCE).await;
    printed
}

/// Ends a till with its runtime while a request of it is under way and a reversal is pending.
async fn crash(upstream: Arc<Simulator>, builder: ClientBuilder) -> String {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
    let printed = runtime.spawn(async move {
        let till = builder.timeout(PATIENCE).open().await.unwrap();
        upstream.inject(Rule::on(Operation::ReversePayment).fault(Fault::Hang));
        let reversed = approved(till.create_order(order()).await.unwrap());
        reversed.reverse(CANCELLED).await.unwrap();
        let undecided = approved(till.create_order(order()).await.unwrap());
        undecided.tender_started().await.unwrap();
        let hang = Rule::on(Operation::CreateOrder).fault(Fault::ProcessAndHang);
        upstream.inject(hang);
        let (asking, request) = (till.clone(), order());
        let (id, printed) = (request.id, format!("{request:?}"));
        tokio::spawn(async move { asking.create_order(request).await.map(drop) });
        let received = upstream.wait_until(|book| book.requests_of(id).received() == 1);
        tokio::time::timeout(PATIENCE, received).await.unwrap();
        printed + &lists(&till)
    });
    let printed = printed.await.unwrap();
    runtime.shutdown_background();
    printed
}

async fn sold(till: &Client) -> Sensitive {
    let sale = approved(till.create_order(order()).await.unwrap());
    let reference = sale.response().order_redeem_ref.clone().unwrap();
    sale.confirm().await.unwrap();
    till.advices().wait_empty(PATIENCE).await.unwrap();
    reference
}

/// From now on the upstream refuses what confirms a payout, and says in its refusal whose it was.
fn quote_in_refusals(upstream: &Simulator, reference: &Sensitive) {
    let quoting = format!(
        r#"{{"errorType": "UNABLE_TO_REDEEM", "id": "1", "detailMessage": "{ID_NUMBER}",
            "errorMessage": "{} of {LAST_NAME}, {STREET}, PIN 4321, {ID_NUMBER}, +27821112222"}}"#,
        reference.expose(),
    );
    let answer = CannedAnswer::status(400).body("application/json", quoting);
    upstream.inject(Rule::on(Operation::ConfirmRedeem).next(1).fault(answer));
}

/// Everything that a till can look at.
fn lists(till: &Client) -> String {
    let advices = till.advices();
    let (pending, rejected) = (advices.pending().unwrap(), advices.rejected().unwrap());
    let mut printed = format!("{till:?} {pending:?} {rejected:?}");
    printed += &format!("{:?}", advices.undecided().unwrap());
    let all = till.find(&money_transfer_retailer::TillReference::default());
    printed += &format!("{:?}", all.unwrap());
    for advice in pending.iter().chain(&rejected) {
        printed += &format!("{} {}", advice.state, advice.severity());
    }
    printed
}

/// What a till prints when things go wrong: a proxy that quotes the message and its URL, a refusal, a
/// connection that is never made.
async fn provoked_errors(upstream: &Simulator, till: &Client) -> String {
    let mut printed = String::new();
    let quoting = CannedAnswer::status(403).body("text/html", format!("?idNumber={ID_NUMBER}"));
    for operation in [Operation::GetCustomerInfo, Operation::CreateOrder] {
        upstream.inject(Rule::on(operation).next(1).fault(quoting.clone()));
    }
    let error = till.customer_info(messages::customer_query()).await;
    printed += &described(&error.unwrap_err());
    let outcome = till.create_order(order()).await.unwrap();
    let OrderOutcome::Declined(declined) = outcome else {
        panic!("{outcome:?}");
    };
    printed += &format!("{declined} {declined:?}");
    upstream.go_down().await.unwrap();
    let impatient = till.with_deadline(support::TIMEOUT);
    let error = impatient.customer_info(messages::customer_query()).await;
    printed += &described(&error.unwrap_err());
    printed += &format!("{:?}", till.create_order(order()).await.unwrap());
    upstream.come_up().await.unwrap();
    printed
}

fn described(error: &dyn Error) -> String {
    format!("{error} {error:?} {:?}", error.source())
}

/// The search finds what is there, in each form: otherwise the test above would prove nothing.
#[test]
fn the_search_finds_a_secret_that_is_planted_in_any_form() {
    let directory = tempfile::tempdir().unwrap();
    let below: PathBuf = directory.path().join("below");
    std::fs::create_dir(&below).unwrap();
    for secret in SECRETS {
        for (name, form) in forms(secret) {
            std::fs::write(below.join("file"), format!("..{form}..")).unwrap();
            let found = Haystack::of_files(directory.path()).form_of(secret);
            assert!(found.is_some(), "{secret} as {name} is not found");
        }
        let wide: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(!secret.is_ascii() || Haystack::of(&wide).form_of(secret).is_some());
    }
    // The Authorization header is found as what it is made of.
    assert!(Haystack::of(BASIC.as_bytes()).form_of(PASSWORD).is_some());
}
