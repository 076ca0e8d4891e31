//! What all parts of one simulated life share: the seed, the time, the trace, and whether the process
//! still lives.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::audit::Audit;
use super::disk::Disk;
use super::sales::Sales;
use super::upstream::Upstream;
use super::weather::Weather;
use crate::model::Timestamp;
use crate::saf::clock::Clock;

/// Milliseconds since the beginning of the world.
pub(super) type Millis = u64;

pub(super) const SECOND: Millis = 1_000;
pub(super) const MINUTE: Millis = 60 * SECOND;
pub(super) const HOUR: Millis = 60 * MINUTE;
pub(super) const DAY: Millis = 24 * HOUR;

/// What the calendar says when the world begins.
const CALENDAR: i64 = 1_767_225_600_000;

const ORDER: Ordering = Ordering::SeqCst;

/// What a throw of the dice is about. Each has dice of its own, so that one that is thrown more often
/// changes nothing for the others.
#[derive(Clone, Copy, Debug)]
pub(super) enum About {
    Settings,
    Spans,
    Action,
    Life,
    Message,
    Fate,
    Commit,
    Pause,
}

pub(super) struct World {
    pub(super) seed: u64,
    pub(super) weather: Weather,
    pub(super) disk: Disk,
    upstream: Mutex<Upstream>,
    audit: Mutex<Audit>,
    sales: Mutex<Sales>,
    flow: Mutex<Flow>,
    process: Mutex<Process>,
    /// Told when the process dies.
    died: Notify,
    /// How far the wall clock is off, in milliseconds.
    jump: AtomicI64,
    trace: Option<Mutex<Vec<String>>>,
    events: AtomicU64,
}

/// Time stands still between two lives of the process: each has a runtime, and a clock, of its own.
#[derive(Clone, Copy)]
enum Flow {
    Standing(Millis),
    Running { from: Millis, since: Instant },
}

/// The process that lives at the moment.
#[derive(Default)]
struct Process {
    life: u64,
    is_dead: bool,
    /// How many more steps it lives, where it is to die by one.
    steps_left: Option<u32>,
}

impl World {
    pub(super) fn new(seed: u64, is_traced: bool) -> Arc<World> {
        Arc::new(World {
            seed,
            weather: Weather::new(seed),
            disk: Disk::default(),
            upstream: Mutex::default(),
            audit: Mutex::default(),
            sales: Mutex::default(),
            flow: Mutex::new(Flow::Standing(0)),
            process: Mutex::default(),
            died: Notify::new(),
            jump: AtomicI64::new(0),
            trace: is_traced.then(Mutex::default),
            events: AtomicU64::new(0),
        })
    }

    pub(super) fn dice(&self, about: About, number: u64) -> fastrand::Rng {
        dice(self.seed, about, number)
    }

    pub(super) fn upstream(&self) -> MutexGuard<'_, Upstream> {
        lock(&self.upstream)
    }

    pub(super) fn audit(&self) -> MutexGuard<'_, Audit> {
        lock(&self.audit)
    }

    pub(super) fn sales(&self) -> MutexGuard<'_, Sales> {
        lock(&self.sales)
    }

    /// Writes down what happens, where somebody wants to read it.
    pub(super) fn note(&self, what: impl FnOnce() -> String) {
        self.events.fetch_add(1, ORDER);
        if let Some(trace) = &self.trace {
            let line = format!("{} {}", self.now(), what());
            lock(trace).push(line);
        }
    }

    pub(super) fn trace(&self) -> Vec<String> {
        self.trace
            .as_ref()
            .map_or_else(Vec::new, |trace| lock(trace).clone())
    }

    pub(super) fn events(&self) -> u64 {
        self.events.load(ORDER)
    }
}

/// # Time
impl World {
    pub(super) fn now(&self) -> Millis {
        match *lock(&self.flow) {
            Flow::Standing(at) => at,
            Flow::Running { from, since } => from + since.elapsed().as_millis() as Millis,
        }
    }

    fn run(&self) {
        let from = self.now();
        let since = Instant::now();
        *lock(&self.flow) = Flow::Running { from, since };
    }

    fn stand(&self) {
        let now = self.now();
        *lock(&self.flow) = Flow::Standing(now);
    }

    /// Lets time pass while no process lives.
    pub(super) fn pass(&self, millis: Millis) {
        let now = self.now();
        *lock(&self.flow) = Flow::Standing(now + millis);
    }

    /// Somebody sets the clock on the wall.
    pub(super) fn jump(&self, millis: i64) {
        self.jump.store(millis, ORDER);
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        let now = CALENDAR + self.now() as i64 + self.jump.load(ORDER);
        Timestamp::from_unix_millis(now).unwrap_or(Timestamp::unix_epoch())
    }
}

/// # Life and death
impl World {
    /// A process begins to live. Called where its clock is, as is the end.
    pub(super) fn begin_life(&self) -> u64 {
        self.run();
        let mut process = lock(&self.process);
        process.life += 1;
        process.is_dead = false;
        process.steps_left = None;
        process.life
    }

    /// What is left of the process does nothing any more that somebody could see.
    pub(super) fn end_life(&self) {
        lock(&self.process).is_dead = true;
        self.stand();
    }

    pub(super) fn lives(&self, life: u64) -> bool {
        let process = lock(&self.process);
        process.life == life && !process.is_dead
    }

    /// Lets the process die so many steps from now; `None` lets it live.
    pub(super) fn die_after(&self, steps: Option<u32>) {
        lock(&self.process).steps_left = steps;
    }

    /// The process takes a step that leaves a trace in the world. Says whether it dies of it.
    pub(super) fn dies_here(&self, life: u64) -> bool {
        let mut process = lock(&self.process);
        if process.life != life || process.is_dead {
            return true;
        }
        let Some(left) = process.steps_left.as_mut() else {
            return false;
        };
        *left = left.saturating_sub(1);
        if *left > 0 {
            return false;
        }
        process.is_dead = true;
        drop(process);
        self.died.notify_one();
        self.note(|| "the process dies".to_owned());
        true
    }

    /// Returns when the process has died.
    pub(super) async fn death(&self, life: u64) {
        while self.lives(life) {
            self.died.notified().await;
        }
    }

    /// A promise is broken: nothing that follows matters.
    pub(super) fn accuse(&self, violation: Result<(), String>) {
        let Err(violation) = violation else { return };
        self.note(|| format!("BROKEN: {violation}"));
        self.audit().break_promise(violation);
        lock(&self.process).is_dead = true;
        self.died.notify_one();
    }
}

pub(super) fn dice(seed: u64, about: About, number: u64) -> fastrand::Rng {
    let domain = scatter(seed ^ scatter(about as u64 + 1));
    fastrand::Rng::with_seed(scatter(domain ^ scatter(number)))
}

/// The mixing step of SplitMix64: neighbours become strangers.
fn scatter(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

pub(super) fn millis(millis: Millis) -> Duration {
    Duration::from_millis(millis)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
