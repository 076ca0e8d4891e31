//! Random lives of a till, its crashes and its weather, against a model that fits on half a page: for each request,
//! the fates that it may have met by what the till was told.
//!
//! In the end the weather clears, everything is delivered, and the queue and the upstream's book have to agree with
//! the model: each acknowledged decision arrived, once, in its direction and as the same bytes; what the till was
//! never told is reversed; what is undecided is listed and left alone.
//!
//! `MODEL_CASES=1000 cargo test --test model` tries more lives than the usual 24. A life that failed is written to
//! `proptest-regressions/model.txt`, and tried first from then on.
//!
//! Seen failing with each of these planted: a recovery that reverses nothing, or sends nothing again; an approval that
//! nobody received and that stands; a reversal of what is confirmed; a 500 that settles an advice; a repeat with one
//! byte more; nothing to reverse while the request may be on its way.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "model/fates.rs"]
mod fates;
#[path = "model/steps.rs"]
mod steps;
mod support;

use std::cell::RefCell;
use std::path::Path;
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use fates::Known;
use money_transfer_retailer::model::{CreateOrderRequest, Money, RequestId, ReversalReason};
use money_transfer_retailer::simulator::{Operation, Rule, RuleDraft, Simulator};
use money_transfer_retailer::{Client, DecisionError, QueuedAdvice};
use proptest::test_runner::{Config, FileFailurePersistence, TestRunner};
use steps::{Decision, Order, Step, Weather};
use support::{PATIENCE, order_of, till};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Short, so that a life with hanging connections is short, too.
const TIMEOUT: Duration = Duration::from_millis(60);

#[test]
fn every_life_ends_as_the_model_allows() {
    let cases = std::env::var("MODEL_CASES").map_or(24, |cases| cases.parse().unwrap());
    let persistence = FileFailurePersistence::Direct("proptest-regressions/model.txt");
    let config = Config {
        cases,
        failure_persistence: Some(Box::new(persistence)),
        max_shrink_iters: 100,
        ..Config::default()
    };
    let ending = RefCell::new(Vec::new());
    let lived = TestRunner::new(config).run(&steps::lives(), |steps| {
        ending.borrow_mut().push(live(&steps));
        Ok(())
    });
    lived.unwrap();
    for ending in ending.take() {
        ending.join().unwrap();
    }
}

/// The simulators run here, whatever becomes of the tills.
static WORLD: LazyLock<Runtime> = LazyLock::new(runtime);

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

/// Goes through a life, and leaves its till to be shut down behind the next one.
fn live(steps: &[Step]) -> thread::JoinHandle<()> {
    let queue = tempfile::tempdir().unwrap();
    let mut life = Life::begin(queue.path());
    for step in steps {
        life.step(*step);
    }
    let process = life.end();
    thread::spawn(move || {
        process.stop();
        drop(queue);
    })
}

/// A till on a runtime of its own, which ends with it.
struct Process {
    runtime: Runtime,
    till: Client,
}

impl Process {
    fn start(upstream: &Simulator, queue: &Path) -> Process {
        let runtime = runtime();
        let builder = till(&upstream.base_url(), queue).timeout(TIMEOUT);
        let till = runtime.block_on(builder.open()).unwrap();
        Process { runtime, till }
    }

    /// Ends it in the middle of whatever it was doing.
    fn crash(self) {
        drop(self.till);
        self.runtime.shutdown_timeout(PATIENCE);
    }

    fn stop(self) {
        let remaining = self.runtime.block_on(self.till.shutdown(PATIENCE));
        assert!(!remaining.broken_off);
        self.runtime.shutdown_timeout(PATIENCE);
    }
}

/// A till with its upstream, and what the model knows of its requests.
struct Life<'a> {
    upstream: Simulator,
    queue: &'a Path,
    /// None only while it is started anew.
    process: Option<Process>,
    known: Vec<Known>,
}

impl Life<'_> {
    fn begin(queue: &Path) -> Life<'_> {
        let upstream = WORLD.block_on(Simulator::start()).unwrap();
        Life {
            process: Some(Process::start(&upstream, queue)),
            upstream,
            queue,
            known: Vec::new(),
        }
    }

    fn process(&self) -> &Process {
        self.process.as_ref().unwrap()
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Ask(order) => self.ask(order),
            Step::Abandon(order) => {
                let (known, asked) = self.begin_to_ask(order);
                self.wait_for_arrival(known.id);
                asked.abort();
                let told = self.process().runtime.block_on(asked);
                self.known.push(match told {
                    Ok(fates) => known.told(fates),
                    Err(_) => known.abandoned(),
                });
            }
            Step::AskAndCrash(order) => {
                let (known, _) = self.begin_to_ask(order);
                self.wait_for_arrival(known.id);
                self.known.push(known);
                self.crash();
            }
            Step::Decide(which, decision) => self.decide(which, decision),
            Step::DecideAndCrash(which, decision) => self.decide_and_crash(which, decision),
            Step::Crash => self.crash(),
            Step::Restart => self.restart(),
            Step::Turn(weather) => self.turn(weather),
            Step::Wait => self.wait(),
        }
    }

    fn ask(&mut self, order: Order) {
        let (known, asked) = self.begin_to_ask(order);
        let fates = self.process().runtime.block_on(asked).unwrap();
        self.known.push(known.told(fates));
    }

    /// Sends the request from a task, which says what the till is told.
    fn begin_to_ask(&self, order: Order) -> (Known, JoinHandle<fates::Fates>) {
        let request = request(order);
        let id = request.id;
        if let Some(fault) = order.weather.fault() {
            let rule = Rule::on(Operation::CreateOrder).request(id);
            self.upstream.inject(rule.fault(fault));
        }
        let process = self.process();
        let till = process.till.clone();
        let task = async move { fates::of_outcome(&till.create_order(request).await) };
        (Known::unheard(id), process.runtime.spawn(task))
    }

    /// Until the upstream has the request, or is not going to have it.
    fn wait_for_arrival(&self, id: RequestId) {
        let arrived = self
            .upstream
            .wait_until(|book| book.requests_of(id).received() > 0);
        let _ = WORLD.block_on(async { timeout(TIMEOUT / 6, arrived).await });
    }

    fn decide(&mut self, which: usize, decision: Decision) {
        let Some(id) = self.pick(which) else { return };
        let process = self.process();
        let decided = process
            .runtime
            .block_on(decide(&process.till, id, decision));
        let index = which % self.known.len();
        self.known[index].decided(decision, decided);
    }

    fn decide_and_crash(&mut self, which: usize, decision: Decision) {
        let Some(id) = self.pick(which) else { return };
        let process = self.process();
        let till = process.till.clone();
        let task = async move { drop(decide(&till, id, decision).await) };
        drop(process.runtime.spawn(task));
        let index = which % self.known.len();
        self.known[index].may_be_decided(decision);
        self.crash();
    }

    fn pick(&self, which: usize) -> Option<RequestId> {
        let count = self.known.len();
        (count > 0).then(|| self.known[which % count].id)
    }

    fn crash(&mut self) {
        self.process.take().unwrap().crash();
        for known in &mut self.known {
            known.crashed();
        }
        self.start();
    }

    fn restart(&mut self) {
        self.process.take().unwrap().stop();
        self.start();
    }

    fn start(&mut self) {
        let process = Process::start(&self.upstream, self.queue);
        for listed in process.till.advices().undecided().unwrap() {
            let mut known = self.known.iter();
            let known = known.find(|known| known.id == listed.request_id).unwrap();
            assert!(known.may_be_undecided(), "{known:?} is listed");
        }
        self.process = Some(process);
    }

    fn turn(&mut self, weather: Weather) {
        self.upstream.clear_faults();
        if let Some(fault) = weather.fault() {
            self.upstream.inject(RuleDraft::fault(Rule::any(), fault));
        }
        WORLD.block_on(async {
            match weather {
                Weather::Down => self.upstream.go_down().await.unwrap(),
                _ => self.upstream.come_up().await.unwrap(),
            }
        });
    }

    /// Some time to deliver, and not always enough.
    fn wait(&mut self) {
        let process = self.process();
        let advices = process.till.advices();
        let _ = process.runtime.block_on(advices.wait_empty(TIMEOUT / 2));
    }

    /// Lets the weather clear, delivers everything, and holds the model against the queue and the book.
    fn end(mut self) -> Process {
        self.turn(Weather::Clear);
        if self.known.iter().any(Known::is_abandoned) {
            // What nobody waited for comes to its end.
            self.restart();
        }
        let process = self.process.take().unwrap();
        let advices = process.till.advices();
        process
            .runtime
            .block_on(advices.wait_empty(PATIENCE))
            .unwrap();
        assert!(advices.rejected().unwrap().is_empty());
        let book = self.upstream.book();
        for known in &self.known {
            known.check(&process.till, &book);
        }
        process
    }
}

async fn decide(
    till: &Client,
    id: RequestId,
    decision: Decision,
) -> Result<QueuedAdvice, DecisionError> {
    match decision {
        Decision::Confirm => till.confirm(id).await,
        Decision::ConfirmPart => till.confirm_amount(id, Money::zar(5_000)).await,
        Decision::Reverse => till.reverse(id, ReversalReason::Cancelled).await,
    }
}

fn request(order: Order) -> CreateOrderRequest {
    // More than the upstream allows a day.
    order_of(if order.is_acceptable { 10_000 } else { 500_001 })
}
