//! A damaged file loses no advice in silence: whatever happens to one file of a queue, it opens, what
//! was acknowledged is delivered as it was decided, and what is not is named.
//!
//! Seen failing: with the only segment removed and its index thrown away as somebody else's, all 16 open
//! requests were lost in silence; with a retired segment back in the journal no queue opened; with the
//! checksums of records ignored, trials got stuck; with all behind a damaged frame given up as well, what
//! could still be read was not delivered. A failed trial names its seed, the file and the offset, and comes
//! again with `DAMAGE_SEED`.
//!
//! That nobody knows what is lost excuses nothing that can still be read (`damage/readable.rs`).

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub
)]

#[path = "damage/pristine.rs"]
mod pristine;
#[path = "damage/readable.rs"]
mod readable;
mod support;
#[path = "damage/till.rs"]
mod till;
#[path = "damage/trial.rs"]
mod trial;
#[path = "damage/wound.rs"]
mod wound;

use std::collections::BTreeMap;

use pristine::{Fate, Pristine, Upstream};
use trial::Outcome;

/// How many trials there are, where that is not as usual.
const TRIALS: &str = "DAMAGE_TRIALS";

/// The one trial that is wanted.
const SEED: &str = "DAMAGE_SEED";

/// How many trials run at the same time.
const WORKERS: u64 = 2;

const FIRST_SEED: u64 = 20_261_123;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_to_one_file_no_advice_is_lost_in_silence() {
    trials(40, false).await;
}

/// Run by the continuous integration; here it would take too long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "slow: 1,000 trials"]
async fn nothing_is_lost_in_silence_in_a_thousand_trials_with_retired_segments_among_them() {
    trials(1_000, true).await;
}

/// Runs as many trials as the environment says, or `usual` of them.
async fn trials(usual: u64, with_retired: bool) {
    let count = variable(TRIALS).unwrap_or(usual);
    let seeds = match variable(SEED) {
        Some(seed) => seed..seed + 1,
        None => FIRST_SEED..FIRST_SEED + count,
    };
    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| {
            let seeds = seeds.clone().filter(move |seed| seed % WORKERS == worker);
            tokio::spawn(trials_of(seeds.collect(), with_retired))
        })
        .collect();
    let mut tally = Tally::default();
    for worker in workers {
        tally.append(worker.await.unwrap());
    }
    tally.check();
}

/// Runs the trials of `seeds` one after the other, with an upstream of their own.
async fn trials_of(seeds: Vec<u64>, with_retired: bool) -> Tally {
    let upstream = Upstream::start().await;
    let mut queues = Vec::from(Pristine::pair(&upstream, false).await);
    if with_retired {
        queues.extend(Pristine::pair(&upstream, true).await);
    }
    // What of it gets among their files must not be heard of.
    let [other, _] = Pristine::pair(&upstream, with_retired).await;
    let run = move || {
        for queue in &mut queues {
            check_undamaged(queue, &upstream);
        }
        let mut tally = Tally::default();
        for seed in seeds {
            let queue = &queues[(seed / WORKERS % queues.len() as u64) as usize];
            let outcome = trial::run(queue, other.directory.path(), &upstream, seed);
            tally.add(queue, seed, outcome);
        }
        tally
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap())
}

/// What comes of a queue that nobody has damaged is what has to come of the others.
fn check_undamaged(queue: &mut Pristine, upstream: &Upstream) {
    upstream.heard();
    let copy = pristine::copy_of(queue.directory.path());
    let said = trial::open_and_deliver(copy.path(), upstream);
    for heard in upstream.heard() {
        queue.bodies.insert(heard.request_id, heard.body);
    }
    let delivered: Vec<&str> = queue.bodies.keys().map(String::as_str).collect();
    let mut expected: Vec<&str> = [Fate::Confirmed, Fate::Reversed, Fate::Unanswered]
        .into_iter()
        .flat_map(|fate| queue.ids_of(fate))
        .collect();
    expected.sort_unstable();
    assert_eq!(delivered, expected, "{}: {said:?}", queue.name);
}

/// What came of the trials.
#[derive(Default)]
struct Tally {
    by_kind: BTreeMap<&'static str, u64>,
    failed: Vec<String>,
    outcomes: Vec<Outcome>,
}

impl Tally {
    fn add(&mut self, queue: &Pristine, seed: u64, outcome: Outcome) {
        *self.by_kind.entry(outcome.wound.kind()).or_default() += 1;
        if !outcome.broken.is_empty() {
            let (name, wound, broken) = (queue.name, &outcome.wound, outcome.broken.join("\n  "));
            let failed = format!("{SEED}={seed} ({name}): {wound}\n  {broken}");
            println!("{failed}");
            self.failed.push(failed);
        }
        self.outcomes.push(outcome);
    }

    fn append(&mut self, other: Tally) {
        for (kind, count) in other.by_kind {
            *self.by_kind.entry(kind).or_default() += count;
        }
        self.failed.extend(other.failed);
        self.outcomes.extend(other.outcomes);
    }

    fn check(&self) {
        let count = |is_so: fn(&Outcome) -> bool| {
            let all = self.outcomes.iter();
            all.filter(|outcome| is_so(outcome)).count()
        };
        let longest = self.outcomes.iter().map(|outcome| outcome.longest_open);
        let reported: usize = self.outcomes.iter().map(|outcome| outcome.reported).sum();
        println!(
            "{} trials {:?}: {} failed; {} with findings, {} with losses of unknown requests, {reported} requests \
             not as they were acknowledged, and reported; {} tills aborted, and opened the next time; the longest \
             open with its deliveries took {:?}",
            self.outcomes.len(),
            self.by_kind,
            self.failed.len(),
            count(|outcome| outcome.has_found),
            count(|outcome| outcome.is_unknown),
            count(|outcome| outcome.is_aborted),
            longest.max().unwrap_or_default(),
        );
        assert!(self.failed.is_empty(), "{}", self.failed.join("\n"));
    }
}

/// Not a test: the till's process, which the tests above start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child process of the other tests"]
async fn till_process() {
    if std::env::var_os(till::QUEUE).is_some() {
        till::open_and_deliver().await;
    }
}
