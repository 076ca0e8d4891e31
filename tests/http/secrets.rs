//! What must not be read in errors and logs, whatever goes wrong.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use money_transfer_retailer::model::FeeQuoteQuery;
use money_transfer_retailer::{ClientBuilder, Credentials, OrderOutcome, QueryError};

use crate::raw::answers::{answer, bare, json_answer};
use crate::raw::desk::{Desk, SHORT, customer_of, in_time, shown};
use crate::raw::server::{Connection, Received, Upstream};
use crate::support::order;

const PASSWORD: &str = "correct-horse-battery";
const ID_NUMBER: &str = "7203045006081";
const SENDER: &str = "+27829998877";
const RECIPIENT: &str = "+27731112233";

/// What may be read nowhere: secrets in each form in which they travel, and any part of a URL that carries them.
const FORBIDDEN: [&str; 13] = [
    PASSWORD,
    "opensesame",
    ID_NUMBER,
    "27829998877",
    "27731112233",
    // The credentials in base 64, of the till and of the proxy.
    "MTIzNDU2Nzpjb3JyZWN0LWhvcnNlLWJhdHRlcnk",
    "cHJveHk6b3BlbnNlc2FtZQ",
    "idNumber=",
    "senderCell=",
    "amountIncludesFee=",
    "/moneytransfer/v2",
    "/admin/",
    "8001015009087",
];

/// Everything that this process logs, by either of the two ways.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    log::set_boxed_logger(Box::new(log.clone())).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    log
});

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

/// Asks in three ways, all of which carry secrets, and returns everything that is shown of the failures.
async fn failures(base_url: &str, settings: impl FnOnce(ClientBuilder) -> ClientBuilder) -> String {
    let desk = Desk::open_with(base_url, |till| {
        settings(till.credentials(Credentials::new("1234567", PASSWORD)))
    })
    .await;
    let customer: QueryError = in_time(desk.till.customer_info(customer_of(ID_NUMBER)))
        .await
        .unwrap_err();
    let query = FeeQuoteQuery::builder()
        .amount(1_000)
        .amount_includes_fee(true)
        .id_number(ID_NUMBER)
        .sender_cell(SENDER)
        .recipient_cell(RECIPIENT)
        .build();
    let quote = in_time(desk.till.fee_quote(query)).await.unwrap_err();
    let outcome = in_time(desk.till.create_order(order())).await.unwrap();
    let of_order = match &outcome {
        OrderOutcome::NotSent(not_sent) => shown(not_sent),
        OrderOutcome::Declined(declined) => declined.to_string(),
        OrderOutcome::Unknown(unknown) => unknown.cause.to_string(),
        OrderOutcome::Earlier(earlier) => panic!("{earlier:?}"),
        OrderOutcome::Approved(_) => panic!("{outcome:?}"),
    };
    let advices = desk.till.advices().pending().unwrap();
    format!(
        "{} {} {of_order} {outcome:?} {advices:?} {:?}",
        shown(&customer),
        shown(&quote),
        desk.till
    )
}

fn assert_clean(text: &str, of: &str) {
    for forbidden in FORBIDDEN {
        let Some(at) = text.find(forbidden) else {
            continue;
        };
        let from = text[..at].rfind('\n').map_or(0, |line| line + 1);
        panic!(
            "{of} shows {forbidden}: {}",
            &text[from..at + forbidden.len()]
        );
    }
}

/// A page that says what was asked for, as servers and proxies like to.
fn echo(request: &Received, status: u16) -> Vec<u8> {
    let page = format!("<html><h1>{status}</h1>Cannot {}</html>", request.target());
    answer(status, "text/html", page)
}

#[tokio::test]
async fn nothing_that_a_message_carries_is_shown_by_an_error_or_a_log() {
    let log = &*LOG;
    let mut checked = 0;
    let mut check = |name: &str, shown: String| {
        assert_clean(&shown, name);
        checked += 1;
    };
    let plain = |till: ClientBuilder| till;

    let gone = Upstream::answering(|_| bare(500, "")).await;
    let gone_url = gone.base_url();
    drop(gone);
    check("a refused connection", failures(&gone_url, plain).await);

    let unknown_host = format!("http://{}.example/moneytransfer/v2", "a".repeat(64));
    let allowed = |till: ClientBuilder| till.allow_plain_http();
    check("an unknown host", failures(&unknown_host, allowed).await);

    let silent = Upstream::start(Connection::until_closed).await;
    let hasty = |till: ClientBuilder| till.timeout(SHORT);
    check("a timeout", failures(&silent.base_url(), hasty).await);

    let dying = Upstream::start(|mut connection: Connection| async move {
        connection.request().await;
        connection.reset();
    })
    .await;
    check("a reset", failures(&dying.base_url(), plain).await);

    let garbage = Upstream::answering(|request| request.target().into()).await;
    check("garbage", failures(&garbage.base_url(), plain).await);

    for status in [200, 301, 400, 401, 404, 408, 414, 500, 502, 503] {
        let echoing = Upstream::answering(move |request| echo(request, status)).await;
        let shown = failures(&echoing.base_url(), plain).await;
        check(&format!("a {status} that echoes"), shown);
    }

    let refusing = Upstream::answering(|_| {
        let detail = serde_json::json!({ "errorType": "FORMAT_ERROR", "errorMessage": "no", "id": "1",
            "detailMessage": { "rejected": ID_NUMBER } });
        json_answer(400, &detail)
    })
    .await;
    check(
        "an ErrorDetail",
        failures(&refusing.base_url(), plain).await,
    );

    let no_tunnel = Upstream::answering(|_| bare(502, "")).await;
    let proxy = format!("http://proxy:opensesame@{}", no_tunnel.address());
    let behind = |till: ClientBuilder| till.proxy(proxy);
    let https = "https://upstream.example/moneytransfer/v2";
    check("a refused tunnel", failures(https, behind).await);

    let no_tls = Upstream::start(|mut connection: Connection| async move {
        connection.anything().await;
        connection.say(bare(400, "")).await;
    })
    .await;
    let as_https = no_tls.base_url().replace("http:", "https:");
    check("a failed handshake", failures(&as_https, plain).await);

    assert_eq!(checked, 18);
    let logged = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(logged.contains("starting new connection"), "{logged}");
    assert!(logged.contains("money_transfer_retailer"), "{logged}");
    assert_clean(&logged, "the log");
}

/// The search finds what is there: otherwise the test above would prove nothing.
#[test]
#[should_panic(expected = "the log shows idNumber=")]
fn the_search_finds_a_planted_url() {
    assert_clean("GET /fees?amount=1&idNumber=1", "the log");
}
