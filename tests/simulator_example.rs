//! What the simulator's command line promises: it says where it serves, tells of every request in a line, and names the
//! argument that it does not understand.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "simulator/till.rs"]
mod till;

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, channel},
    },
    time::Duration,
};

use serde_json::Value;
use till::{Answer, Till, answer, id, with_json};

/// Long enough for every machine; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// The example as cargo has built it beside the tests.
fn example() -> Command {
    let own = std::env::current_exe().unwrap();
    let built: PathBuf = own.ancestors().nth(2).unwrap().join("examples");
    let example = built.join(format!("simulator{}", std::env::consts::EXE_SUFFIX));
    assert!(
        example.exists(),
        "cargo builds the examples with all the tests, but not for one alone: cargo build --example simulator"
    );
    Command::new(example)
}

/// A simulator in a process of its own, which ends with it.
struct Running {
    process: Child,
    lines: Arc<Mutex<Receiver<String>>>,
    base_url: String,
}

impl Running {
    fn start(arguments: &[&str]) -> Running {
        let mut example = example();
        example.args(["--listen", "127.0.0.1:0"]).args(arguments);
        let mut process = example.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let (said, lines) = channel();
        std::thread::spawn(move || {
            stdout
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| said.send(line))
        });
        let mut running = Running {
            process,
            lines: Arc::new(Mutex::new(lines)),
            base_url: String::new(),
        };
        let first = running.line();
        let (_, base_url) = first.split_once(" at ").unwrap();
        running.base_url = base_url.to_owned();
        running
    }

    /// The next line that it prints.
    fn line(&self) -> String {
        self.lines.lock().unwrap().recv_timeout(PATIENCE).unwrap()
    }

    /// The next line that it prints, for tests that do something else meanwhile.
    async fn next_line(&self) -> String {
        let lines = Arc::clone(&self.lines);
        let wait = move || lines.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        tokio::task::spawn_blocking(wait).await.unwrap()
    }

    async fn post(&self, path: &str, message: &Value) -> Answer {
        let request = till::client().post(format!("{}{path}", self.base_url));
        let request = request.basic_auth(till::USER, Some("secret"));
        answer(with_json(request, message)).await.unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// What it says to arguments that let it end at once.
fn ended(arguments: &[&str]) -> Output {
    example().args(arguments).output().unwrap()
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[tokio::test]
async fn it_serves_on_a_free_port_and_tells_of_every_request_in_a_line() {
    let running = Running::start(&["--seed", "7"]);
    assert!(
        running.base_url.starts_with("http://127.0.0.1:"),
        "{}",
        running.base_url
    );
    assert!(
        running.base_url.ends_with("/moneytransfer/v2"),
        "{}",
        running.base_url
    );
    assert!(!running.base_url.contains(":0/"), "{}", running.base_url);
    let till = Till::open().await;
    let order = till.order(1);
    assert_eq!(running.post("/orders", &order).await.status, 201);
    let (line, request) = (running.line(), format!("request={}", id(&order)));
    assert_eq!(
        words(&line)[1..],
        ["createOrder", "201", &request],
        "{line}"
    );
    let advice = till.advice(&order);
    assert_eq!(running.post("/orders/reversals", &advice).await.status, 400);
    let (line, advice) = (running.line(), format!("advice={}", id(&advice)));
    let expected = [
        "reversePayment",
        "400",
        &request,
        &advice,
        "error=FORMAT_ERROR",
    ];
    assert_eq!(words(&line)[1..], expected, "{line}");
    assert_eq!(running.post("/nowhere", &order).await.status, 404);
    let line = running.line();
    assert_eq!(
        words(&line)[1..],
        ["POST", "/moneytransfer/v2/nowhere", "404"],
        "{line}"
    );
}

#[tokio::test]
async fn a_fault_of_the_command_line_is_met_and_told() {
    let running = Running::start(&["--fault", "create-order:1:status=503"]);
    let order = Till::open().await.order(1);
    assert_eq!(running.post("/orders", &order).await.status, 503);
    let line = running.line();
    assert_eq!(words(&line)[1..3], ["createOrder", "503"], "{line}");
    assert!(line.contains("fault=Answer"), "{line}");
    assert_eq!(running.post("/orders", &order).await.status, 201);
    assert!(!running.line().contains("fault="));
}

#[tokio::test]
async fn a_fault_of_the_command_line_sets_headers() {
    let fault = "any:1:status=503|Retry-After: 7|Content-Type: text/html; charset=utf-8|X-A: 1|X-A: 2||a|b, ||c";
    let running = Running::start(&["--fault", fault]);
    let busy = running.post("/orders", &Till::open().await.order(1)).await;
    assert_eq!((busy.status, busy.text.as_str()), (503, "a|b, ||c"));
    assert_eq!(busy.headers["retry-after"], "7");
    assert_eq!(busy.content_type, "text/html; charset=utf-8");
    let twice: Vec<_> = busy.headers.get_all("x-a").iter().collect();
    assert_eq!(twice, ["1", "2"]);
}

#[tokio::test]
async fn a_message_that_hangs_is_told_as_it_comes_in_and_only_then() {
    for fault in ["hang", "process-and-hang", "process-late=1m"] {
        let running = Running::start(&["--fault", &format!("create-order:1:{fault}")]);
        let order = Till::open().await.order(1);
        let request = format!("request={}", id(&order));
        let told = tokio::select! {
            answered = running.post("/orders", &order) => panic!("{answered:?}"),
            told = running.next_line() => told,
        };
        assert_eq!(words(&told)[1..4], ["createOrder", "-", &request], "{told}");
        assert!(told.contains("fault="), "{told}");
        // The client is gone by now, which is worth no line.
        assert_eq!(running.post("/nowhere", &order).await.status, 404);
        let next = running.line();
        assert_eq!(words(&next)[1], "POST", "{fault}: {next}");
    }
}

#[tokio::test]
async fn a_message_that_is_answered_late_is_told_twice() {
    let running = Running::start(&["--fault", "create-order:1:slow-headers=300ms"]);
    let order = Till::open().await.order(1);
    assert_eq!(running.post("/orders", &order).await.status, 201);
    for status in ["-", "201"] {
        let line = running.line();
        assert_eq!(words(&line)[1..3], ["createOrder", status], "{line}");
    }
}

#[test]
fn an_argument_that_is_not_understood_is_named_and_ends_it() {
    for (arguments, said) in [
        (&["--frobnicate"][..], "\"--frobnicate\" is no argument"),
        (
            &["--provider-quirks=no"],
            "\"--provider-quirks=no\" is no argument",
        ),
        (&["8080"], "\"8080\" is no argument"),
        (&["--listen"], "--listen needs a value"),
        (
            &["--listen", "nowhere"],
            "--listen: \"nowhere\" is no HOST:PORT",
        ),
        (
            &["--listen=127.0.0.1:99999"],
            "--listen: \"127.0.0.1:99999\" is no HOST:PORT",
        ),
        (&["--seed", "luck"], "--seed: \"luck\" is no whole number"),
        (
            &["--fault", "any:explode"],
            "--fault: \"explode\" is no fault",
        ),
        (&["--fault", "sell:hang"], "--fault: "),
        (
            &["--fault", "any:status=503|Retry-After 7"],
            "--fault: \"Retry-After 7\" is no header",
        ),
        (&["--fault=any:2:slow-body=3"], "--fault: \"3\" is no time"),
    ] {
        let ended = ended(arguments);
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}");
        let errors = String::from_utf8(ended.stderr).unwrap();
        assert!(errors.starts_with(said), "{arguments:?}: {errors}");
        assert!(ended.stdout.is_empty(), "{arguments:?}");
    }
}

#[tokio::test]
async fn an_address_that_is_taken_ends_it() {
    let till = Till::open().await;
    let ended = ended(&["--listen", &till.simulator.address().to_string()]);
    assert_eq!(ended.status.code(), Some(1));
    let errors = String::from_utf8(ended.stderr).unwrap();
    assert!(
        errors.starts_with("--listen: cannot listen there: "),
        "{errors}"
    );
}

#[test]
fn the_help_names_every_argument() {
    let ended = ended(&["--help"]);
    assert_eq!(ended.status.code(), Some(0));
    let help = String::from_utf8(ended.stdout).unwrap();
    for argument in [
        "--listen",
        "--provider-quirks",
        "--fault",
        "--seed",
        "--help",
    ] {
        assert!(help.contains(argument), "{argument}");
    }
}
