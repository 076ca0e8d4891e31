//! Months of a till's life in a fraction of a second: client, queue, disk, network, service and time in
//! one thread, under a seed.
//!
//! ```text
//!   till ──▶ Client ──▶ Ledger (a task) ──▶ disk ──────┐
//!    │                      │                          │ what becomes durable
//!    │                   worker ──▶ line ──▶ service   ▼
//!    │                               │  ▲             audit ──▶ a broken promise
//!    │                               │  weather        ▲
//!    │                               └── what goes out ┤
//!    └───────────────────────────── what it was told ──┘
//! ```
//!
//! 1. The seed decides everything: what people do ([`till`]), how messages and commits fare
//!    ([`weather`]), at which step the process dies ([`world`]). A seed that fails says its number, and
//!    fails again in the same way: `SIMULATION_SEED=<seed> cargo test --lib a_chosen_life` tells all of it.
//! 2. A process lives on a runtime of its own whose clock is paused: time passes when nothing else is to
//!    do. When it dies, the disk keeps what was committed ([`disk`]), the network what is under way
//!    ([`line`]), and of what was being written the seed keeps all or nothing.
//! 3. The service ([`upstream`]) takes nothing twice, and what arrives late counts.
//! 4. Each message is held against what is durable when it leaves ([`audit`]); in the end each request
//!    is held against what the till was told of it and what the service says ([`sales`]).
//!
//! What it leaves out: the journal and the index, which have proofs of their own (a commit here is
//! atomic); real sockets; the random part of the pauses. The order in which tokio wakes those who watch
//! one channel is random, so no more than one request is ever broken off by a shutdown.

mod audit;
mod disk;
mod line;
mod message;
mod operator;
mod sales;
mod till;
mod upstream;
mod weather;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::binding::Binding;
use super::expiry::Expiry;
use super::recovery::{RecoveryReport, unreadable};
use super::tests::defaults;
use super::{Client, Core, Limits, OpenError, WorkerOrder};
use crate::api::InDoubt;
use crate::saf::ledger::Insistence;
use crate::saf::link::Link;
use crate::saf::{Discipline, Ledger, RetryPolicy, Schedule, TillReference};
use audit::Tally;
use disk::OpenDisk;
use line::Line;
use message::request_id;
use till::Till;
use world::{About, DAY, HOUR, MINUTE, Millis, SECOND, World, dice, millis};

/// How many seeds every test run goes through.
const LIVES: u64 = 500;

/// How many things happen under one seed; four of ten are sales.
const ACTIONS: u64 = 200;

/// The interface's own.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How long it may take to deliver everything once the weather is fair.
const DRAINED_WITHIN: Duration = Duration::from_secs(2 * 60 * 60);

/// How this till is set up.
#[derive(Clone, Copy, Debug)]
struct Settings {
    policy: RetryPolicy,
    discipline: Discipline,
    fail_fast: bool,
}

impl Settings {
    fn of(seed: u64) -> Settings {
        let mut dice = dice(seed, About::Settings, 0);
        let initial = millis(dice.u64(SECOND..5 * SECOND));
        let max = millis(dice.u64(4 * MINUTE..15 * MINUTE));
        let policy = RetryPolicy::default()
            .pauses(initial, max)
            .jitter(0.0)
            .parallel(dice.usize(1..7))
            .rate(dice.u32(1..50).into());
        Settings {
            policy,
            discipline: match dice.u8(..5) {
                0 => Discipline::InOrder,
                _ => Discipline::OldestFirst,
            },
            fail_fast: dice.bool(),
        }
    }
}

/// What came of a seed.
#[derive(Debug)]
struct Life {
    violation: Option<String>,
    trace: Vec<String>,
    tally: Tally,
    lasted: Millis,
    processes: u64,
    events: u64,
}

/// Lives through a seed.
fn live(seed: u64, is_traced: bool) -> Life {
    let world = World::new(seed, is_traced);
    let settings = Settings::of(seed);
    world.note(|| format!("{settings:?}"));
    let is_in_order = settings.discipline == Discipline::InOrder;
    world.audit().begin(settings.policy, is_in_order);
    let (mut next, mut processes) = (0, 0);
    while next < ACTIONS && world.audit().violation().is_none() {
        processes += 1;
        process(&world, settings, processes, async |till| {
            till.work(&mut next, ACTIONS).await
        });
    }
    if world.audit().violation().is_none() {
        world.weather.clear_up();
        process(&world, settings, processes + 1, async |till| {
            till.finish().await
        });
    }
    let audit = world.audit();
    Life {
        violation: audit.violation(),
        trace: world.trace(),
        tally: audit.tally,
        lasted: world.now(),
        processes: processes + 1,
        events: world.events(),
    }
}

/// One process, from its start to its death.
fn process(world: &Arc<World>, settings: Settings, number: u64, work: impl AsyncFnOnce(Till)) {
    let mut dice = world.dice(About::Life, number);
    let runtime = runtime();
    runtime.block_on(async {
        let life = world.begin_life();
        // Some do not get far.
        world.die_after((dice.u8(..6) == 0).then(|| dice.u32(1..4)));
        let work = async {
            match open(world, settings, life).await {
                Ok(till) => {
                    world.note(|| format!("process {number}: {:?}", till.client.recovery()));
                    work(till).await;
                }
                Err(error) => world.note(|| format!("process {number}: {error}")),
            }
        };
        tokio::select! {
            biased;
            () = world.death(life) => {}
            () = work => {}
        }
        world.end_life();
    });
    drop(runtime);
    let ended = world.audit().life_ended(world.now());
    world.accuse(ended);
    world.pass(match dice.u8(..4) {
        0 => dice.u64(0..10 * HOUR),
        _ => dice.u64(0..2 * MINUTE),
    });
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap()
}

/// Opens a client on the disk and the line of this process.
async fn open(world: &Arc<World>, settings: Settings, life: u64) -> Result<Till, OpenError> {
    let schedule = Schedule::new(settings.discipline).with_rounds_of(settings.policy.max);
    let schedule = Arc::new(schedule);
    let disk = Arc::new(OpenDisk::new(world, life));
    let pause = disk_pause(world, life);
    let ledger = Ledger::start_in_task(disk, Arc::clone(&schedule), pause);
    let ledger = ledger.map_err(|error| unreadable(error.into()))?;
    let (worker_orders, orders) = watch::channel(WorkerOrder::Work);
    let (ended, worker_ended) = watch::channel(false);
    let mut core = Core {
        ledger: Arc::new(ledger),
        schedule,
        transport: Arc::new(Line::new(world, life)),
        clock: Arc::clone(world) as _,
        defaults: defaults(),
        policy: settings.policy,
        binding: Binding::new("https://host/v2", "1234567", None),
        link: Arc::new(Link::new(settings.policy)),
        control: Arc::default(),
        answers: Arc::new(InDoubt),
        fail_fast: settings.fail_fast,
        limits: Limits::default(),
        expiry: Expiry::new(None),
        report: RecoveryReport::default(),
        runtime: Handle::current(),
        worker_orders,
        worker_ended,
        exchanges: watch::Sender::new(0),
    };
    core.begin().await?;
    core.start_worker(TIMEOUT, orders, ended);
    let client = Client {
        core: Arc::new(core),
        timeout: TIMEOUT,
        deadline: TIMEOUT,
        till_reference: TillReference::default(),
        insistence: Insistence::Wait,
    };
    Ok(Till {
        world: Arc::clone(world),
        client,
        life,
        is_in_order: settings.discipline == Discipline::InOrder,
    })
}

/// Most commits are done at once; some take so long that others join them.
fn disk_pause(world: &Arc<World>, life: u64) -> Arc<dyn Fn() -> Duration + Send + Sync> {
    let (world, count) = (Arc::clone(world), AtomicU64::new(0));
    Arc::new(move || {
        let number = life << 32 | count.fetch_add(1, Ordering::SeqCst);
        let mut dice = world.dice(About::Pause, number);
        match dice.u8(..8) {
            0 => millis(dice.u64(1..30)),
            1 if dice.u8(..20) == 0 => millis(dice.u64(SECOND..20 * SECOND)),
            _ => Duration::ZERO,
        }
    })
}

/// # The end
impl Till {
    /// Delivers everything, and looks at each request once more.
    async fn finish(&self) {
        let world = &self.world;
        world.die_after(None);
        // A suspension outlives everything but this.
        if let Err(error) = self.client.resume().await {
            self.accuse(Err(format!("delivery is not resumed: {error}")));
        }
        self.clear_duplicates().await;
        let began = Instant::now();
        let drained = self.client.advices().wait_empty(DRAINED_WITHIN).await;
        world.note(|| format!("drained in {:?}: {drained:?}", began.elapsed()));
        self.accuse(drained.map_err(|left| format!("in fair weather: {left}")));
        // The last copies arrive.
        sleep(millis(5 * MINUTE)).await;
        world.upstream().catch_up(world.now());
        let numbers: Vec<u32> = world.sales().iter().map(|(number, _)| number).collect();
        for number in numbers {
            self.accuse(self.check(number));
        }
    }

    fn check(&self, number: u32) -> Result<(), String> {
        let world = &self.world;
        let id = request_id(number);
        let record = self
            .client
            .transaction(id)
            .map_err(|error| error.to_string())?;
        let was_requested = world.audit().was_requested(number);
        let (sales, upstream) = (world.sales(), world.upstream());
        let sale = sales.get(number).ok_or("a request that nobody made")?;
        sale.check(number, record.as_ref(), was_requested, &upstream)
    }
}

mod lives;
