//! No secret is stored or shown: no PIN, identity number, name, number or password reaches a file, a
//! log line or a printed form.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use money_transfer_retailer::model::{
    CreateOrderRequest, CustomerInfoQuery, EncryptedPin, EncryptionParameters, Money,
    PersonalDetails, ReversalReason,
};
use money_transfer_retailer::simulator::{CannedAnswer, Fault, Operation, Rule};
use money_transfer_retailer::{Client, Credentials, OrderOutcome};
use support::{PATIENCE, Shop, till};

const PASSWORD: &str = "correct-horse-battery";
const PIN_BLOCK: &str = "ABCDEF0123456789";
const ACCOUNT: &str = "918273645546";
const ID_NUMBER: &str = "8001015009087";
/// What the Authorization header makes of user name and password.
const BASIC: &str = "MTIzNDU2Nzpjb3JyZWN0LWhvcnNlLWJhdHRlcnk=";
const SECRETS: [&str; 8] = [
    BASIC,
    PASSWORD,
    PIN_BLOCK,
    ACCOUNT,
    ID_NUMBER,
    "Thandiwe",
    "Nkosi-Secret",
    "27821112222",
];

/// A log that keeps everything.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_reaches_a_file_a_log_or_a_printed_form() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let shop = Shop::open().await;
    shop.till.clone().shutdown(PATIENCE).await;
    let builder = till(&shop.upstream.base_url(), shop.queue.path())
        .credentials(Credentials::new("1234567", PASSWORD));
    let mut printed = format!("{builder:?}");
    let till = builder.open().await.unwrap();
    let lose = Rule::on(Operation::CreateOrder)
        .next(1)
        .fault(Fault::LoseAnswer);
    shop.upstream.inject(lose);
    for _ in 0..3 {
        let request = secretive_request();
        printed += &format!("{request:?}");
        let outcome = till.create_order(request).await.unwrap();
        printed += &format!("{outcome:?}");
        if let Some(order) = outcome.approved() {
            printed += &format!("{order:?} {:?}", order.response());
            let reference = order.response().order_redeem_ref.clone().unwrap();
            order.reverse(ReversalReason::Cancelled).await.unwrap();
            assert!(
                !printed.contains(reference.expose()),
                "a redeem reference was printed"
            );
        }
    }
    printed += &provoked_errors(&shop, &till).await;
    printed += &format!("{:?} {till:?}", till.advices().pending().unwrap());
    till.advices().wait_empty(PATIENCE).await.unwrap();
    let files = contents_below(shop.queue.path());
    let logged = log.0.lock().unwrap().clone();
    assert!(
        files.len() > 1_000 && logged.len() > 1_000,
        "there was nothing to search"
    );
    for secret in SECRETS {
        assert!(!contains(&files, secret), "{secret} is on the disk");
        assert!(!contains(&logged, secret), "{secret} is in the log");
        assert!(!printed.contains(secret), "{secret} was printed");
    }
}

/// What a till prints when things go wrong: a proxy that quotes the message and its URL, a refusal, a
/// connection that is never made.
async fn provoked_errors(shop: &Shop, till: &Client) -> String {
    let mut printed = String::new();
    let quoting = CannedAnswer::status(403).body("text/html", format!("?idNumber={ID_NUMBER}"));
    shop.upstream.inject(
        Rule::on(Operation::GetCustomerInfo)
            .next(1)
            .fault(quoting.clone()),
    );
    shop.upstream
        .inject(Rule::on(Operation::CreateOrder).next(1).fault(quoting));
    for _ in 0..2 {
        let query = CustomerInfoQuery::builder().id_number(ID_NUMBER).build();
        if let Err(error) = till.customer_info(query).await {
            printed += &format!("{error} {error:?} {:?}", error.source());
        }
    }
    let outcome = till.create_order(secretive_request()).await.unwrap();
    let OrderOutcome::Declined(declined) = outcome else {
        panic!("{outcome:?}");
    };
    printed += &format!("{declined} {declined:?}");
    shop.upstream.go_down().await.unwrap();
    let till = till.with_deadline(support::TIMEOUT);
    let query = CustomerInfoQuery::builder().id_number(ID_NUMBER).build();
    let error = till.customer_info(query).await.unwrap_err();
    printed += &format!("{error} {error:?} {:?}", error.source());
    shop.upstream.come_up().await.unwrap();
    printed
}

/// The search finds what is there: otherwise the test above would prove nothing.
#[test]
fn the_search_finds_a_planted_secret() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("below")).unwrap();
    std::fs::write(
        directory.path().join("below/file"),
        format!("..{PIN_BLOCK}.."),
    )
    .unwrap();
    assert!(contains(&contents_below(directory.path()), PIN_BLOCK));
}

fn secretive_request() -> CreateOrderRequest {
    let parameters = EncryptionParameters::builder()
        .account_number(ACCOUNT)
        .build();
    let pin = EncryptedPin::builder()
        .pin_block(PIN_BLOCK)
        .encryption_parameters(parameters)
        .build();
    let sender = PersonalDetails::builder()
        .first_name("Thandiwe")
        .last_name("Nkosi-Secret")
        .id_number(ID_NUMBER)
        .contact_number("+27821112222")
        .build();
    CreateOrderRequest::builder()
        .amount(Money::zar(10_000))
        .new_customer(true)
        .sender_details(sender)
        .pin(pin)
        .build()
}

fn contents_below(directory: &Path) -> Vec<u8> {
    let mut contents = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            contents.extend(contents_below(&path));
        } else {
            contents.extend(std::fs::read(&path).unwrap());
        }
    }
    contents
}

fn contains(contents: &[u8], secret: &str) -> bool {
    contents
        .windows(secret.len())
        .any(|window| window == secret.as_bytes())
}
