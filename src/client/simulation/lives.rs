//! The seeds.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant as Stopwatch;

use super::*;

/// How many threads live at the same time.
const THREADS: usize = 2;

/// What many lives came to.
#[derive(Default)]
struct Sum {
    requests: u64,
    sendings: u64,
    settled: u64,
    returned: u64,
    most_pending: usize,
    lasted: Millis,
    processes: u64,
    events: u64,
    failed: Vec<(u64, String)>,
}

impl Sum {
    fn add(&mut self, seed: u64, life: &Life) {
        self.requests += life.tally.requests;
        self.sendings += life.tally.sendings;
        self.settled += life.tally.settled;
        self.returned += life.tally.returned;
        self.most_pending = self.most_pending.max(life.tally.most_pending);
        self.lasted += life.lasted;
        self.processes += life.processes;
        self.events += life.events;
        if let Some(violation) = &life.violation {
            self.failed.push((seed, violation.clone()));
        }
    }
}

#[test]
fn five_hundred_lives_keep_every_promise() {
    all_keep_every_promise(0, LIVES);
}

#[test]
#[ignore = "takes minutes; SIMULATION_SEEDS says how many"]
fn ten_thousand_lives_keep_every_promise() {
    let count = number_in("SIMULATION_SEEDS").unwrap_or(10_000);
    all_keep_every_promise(number_in("SIMULATION_FIRST").unwrap_or(LIVES), count);
}

/// Without this, a seed that failed could not be looked at.
#[test]
fn a_seed_is_lived_through_in_the_same_way_every_time() {
    for seed in 0..20 {
        let (first, second) = (live(seed, true), live(seed, true));
        for (line, (one, other)) in first.trace.iter().zip(&second.trace).enumerate() {
            assert_eq!(one, other, "seed {seed}, line {line}");
        }
        assert_eq!(first.trace.len(), second.trace.len(), "seed {seed}");
    }
}

/// Tells one life in full: `SIMULATION_SEED=7 cargo test --lib a_chosen_life -- --nocapture`.
#[test]
fn a_chosen_life_is_told_in_full() {
    let Some(seed) = number_in("SIMULATION_SEED") else {
        return;
    };
    let life = live(seed, true);
    for line in &life.trace {
        println!("{line}");
    }
    assert_eq!(life.violation, None, "seed {seed}");
}

fn all_keep_every_promise(first: u64, count: u64) {
    let (next, sum) = (AtomicU64::new(first), Mutex::new(Sum::default()));
    let began = stopwatch();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= first + count {
                        return;
                    }
                    let life = live(seed, false);
                    sum.lock().unwrap().add(seed, &life);
                }
            });
        }
    });
    let mut sum = sum.into_inner().unwrap();
    println!(
        "{count} seeds in {:.1} s: {} requests, {} sendings of {} advices, {} sent again by a person, at most {} pending, {} processes, {} events, {:.1} years",
        began.elapsed().as_secs_f64(),
        sum.requests,
        sum.sendings,
        sum.settled,
        sum.returned,
        sum.most_pending,
        sum.processes,
        sum.events,
        sum.lasted as f64 / (365 * DAY) as f64,
    );
    sum.failed.sort_unstable();
    if let Some((seed, _)) = sum.failed.first() {
        tell(*seed);
        for (seed, violation) in &sum.failed {
            println!("seed {seed}: {violation}");
        }
        panic!("{} of {count} seeds fail", sum.failed.len());
    }
}

/// The end of a life that went wrong.
fn tell(seed: u64) {
    let life = live(seed, true);
    for line in &life.trace[life.trace.len().saturating_sub(60)..] {
        println!("{line}");
    }
    println!("SIMULATION_SEED={seed} fails: {:?}", life.violation);
}

#[allow(clippy::disallowed_methods, reason = "how long the test itself takes")]
fn stopwatch() -> Stopwatch {
    Stopwatch::now()
}

fn number_in(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a number"))
}
