//! Stopped at every single operation, the store keeps what it said and brings back nothing else.
//!
//! ```text
//!  life 1 ─▶ life 2 ─▶ …       at operation n: fail, tear, or stop
//!               │ n ─▶ power cut ─▶ open ─▶ look ─▶ power cut ─▶ open ─▶ look
//!               ├ n ─▶ kill ─▶ open ─▶ look ─▶ power cut ─▶ open ─▶ look
//!               └ n ─▶ power cut or kill ─▶ open, stopped at its k-th ─▶ power cut ─▶ open ─▶ look
//! ```
//!
//! 1. What was acknowledged is there with its newest value; of what was refused nothing is; what has
//!    an unknown outcome is there whole or not at all.
//! 2. What was seen once stays, however often the power fails.
//! 3. A power cut is no damage, and is not reported as such.
//! 4. Whatever a stop left in a segment, the segment can be retired later.
//!
//! `STOPS_SEEDS=n` looks at n times as many power cuts.

#![allow(clippy::unwrap_used)]

mod damage;
mod decay;
mod full;
mod indexes;
mod till;

use std::io::ErrorKind;
use std::path::Path;

use super::super::simulated_disk::{Fault, Left, SimulatedDisk};
use till::{Step, Till};

/// No directory can be made below a file: the index stays in memory, and the disk is simulated.
const NOWHERE: &str = "Cargo.toml/queue";

/// How long the till goes on after a failure.
const STEPS_AFTER: usize = 12;

/// What was looked at.
#[derive(Debug, Default)]
struct Counts {
    points: u64,
    states: u64,
    opens: u64,
}

/// Several lives of a queue, with everything that it does.
fn lives() -> Vec<Vec<Step>> {
    let mut first = vec![
        Step::Prepare,
        Step::Put(vec![("old", 100), ("older", 1_500)]),
        Step::Keep("receipt"),
        Step::Put(vec![("a", 20)]),
        Step::Prepare,
        Step::Feed,
        Step::Put(vec![("gone", 700)]),
        Step::Delete("gone"),
        Step::Keep("paper"),
        Step::Feed,
        Step::Put(vec![("a", 900), ("b", 30), ("c", 400)]),
        Step::KeepAhead,
        Step::Reserve(1),
        Step::Put(vec![("a", 40)]),
        Step::Refer("ahead"),
        Step::Settle("paper"),
    ];
    let mut second = first.clone();
    second[1] = Step::Put(vec![("late", 10)]);
    second.push(Step::Settle("receipt"));
    let busy = |count: usize| {
        let round = [
            Step::Put(vec![("a", 600)]),
            Step::Put(vec![("b", 30), ("c", 2_500)]),
            Step::Delete("b"),
            Step::Feed,
            Step::Prepare,
            Step::Retire,
            Step::Retire,
        ];
        round.into_iter().cycle().take(count)
    };
    first.extend(busy(14));
    second.extend(busy(35));
    let third = busy(40).chain([Step::Delete("old"), Step::Keep("receipt")]);
    vec![first, second, third.collect()]
}

fn seeds() -> u64 {
    let seeds = std::env::var("STOPS_SEEDS").ok();
    seeds.and_then(|seeds| seeds.parse().ok()).unwrap_or(1)
}

/// Runs `check` at every operation of every life: with the till at the beginning of the life, the
/// steps of the life, and the number of the operation.
fn at_every_operation(
    directory: &Path,
    counts: &mut Counts,
    mut check: impl FnMut(&Till, &[Step], u64, &mut Counts),
) {
    let disk = SimulatedDisk::new(directory, 1);
    let mut till = Till::new(disk, directory);
    for steps in lives() {
        let beginning = till.kill();
        let before = till.disk.operations();
        till.open_sound().unwrap();
        for step in &steps {
            till.step(step).unwrap();
            till.look().unwrap();
        }
        till.close();
        let operations = till.disk.operations() - before;
        for operation in 1..=operations {
            counts.points += 1;
            check(&beginning, &steps, operation, counts);
        }
    }
}

/// Lives until `fault` has happened at `operation`, and a little longer where that is possible.
fn live(beginning: &Till, steps: &[Step], operation: u64, fault: Fault) -> Till {
    let disk = beginning.disk.after_kill();
    let mut till = beginning.on(disk, &format!("{fault:?} at {operation}"));
    till.disk.plan(operation, fault);
    if till.open_sound().is_err() {
        if matches!(fault, Fault::Stops | Fault::Breaks(_)) {
            return till;
        }
        till.open_sound().expect("an open after a failed one");
    }
    let mut left = STEPS_AFTER;
    for step in steps {
        // What the background cannot do now, it does later.
        let _ = till.step(step);
        if !till.disk.is_stopped() {
            till.look_meanwhile();
        }
        left -= usize::from(till.disk.has_failed());
        if till.disk.is_stopped() || left == 0 {
            break;
        }
    }
    till.close();
    till
}

/// Opens the queue, lets the power fail once more, and looks again; then once more after everything
/// was retired.
fn look_again_and_again(mut first: Till, seed: u64, counts: &mut Counts) {
    first.open_sound().expect("an open after a stop");
    let lefts = [Left::Nothing, Left::Some(seed), Left::All];
    let mut second = first.cut(lefts[(seed % 3) as usize]);
    first.close();
    second.open_sound().expect("an open after a second stop");
    second.retire_all().expect("every segment can be retired");
    second.step(&Step::Put(vec![("new", 10)])).unwrap();
    second.look().unwrap();
    counts.states += 2;
    counts.opens += 2;
    if seed.is_multiple_of(3) {
        let mut third = second.cut(Left::Nothing);
        second.close();
        third.open_sound().expect("an open after all was retired");
        counts.states += 1;
        counts.opens += 1;
    }
}

/// Of the states that a power cut may leave, as many as there is time for.
fn lefts(seed: u64) -> impl Iterator<Item = Left> {
    let some = (0..seeds()).map(move |index| Left::Some(seed * 1_000 + index));
    [Left::All, Left::Nothing].into_iter().chain(some)
}

/// Stops an open at its `operation`-th operation, and looks at what is there then.
fn stop_in_recovery(mut till: Till, operation: u64, counts: &mut Counts) {
    till.disk.plan(operation, Fault::Stops);
    let _ = till.open_sound();
    counts.opens += 1;
    let lefts = [Left::Nothing, Left::All, Left::Some(operation)];
    let cut = till.cut(lefts[(operation % 3) as usize]);
    till.close();
    look_again_and_again(cut, operation, counts);
}

#[test]
fn a_stop_at_any_write_loses_nothing_and_brings_nothing_back() {
    let mut counts = Counts::default();
    at_every_operation(Path::new(NOWHERE), &mut counts, |life, steps, n, counts| {
        let till = live(life, steps, n, Fault::Stops);
        for left in lefts(n) {
            look_again_and_again(till.cut(left), n, counts);
        }
        look_again_and_again(till.kill(), n, counts);
        stop_in_recovery(till.kill(), n % 12 + 1, counts);
        stop_in_recovery(till.cut(Left::Some(n)), n % 7 + 4, counts);
    });
    println!("stops: {counts:?}");
}

#[test]
fn a_failure_at_any_write_loses_nothing_and_brings_nothing_back() {
    let mut counts = Counts::default();
    at_every_operation(Path::new(NOWHERE), &mut counts, |life, steps, n, counts| {
        let faults = [
            Fault::Fails(ErrorKind::Other),
            Fault::Fails(ErrorKind::StorageFull),
            Fault::Tears,
            Fault::Breaks([ErrorKind::Other, ErrorKind::StorageFull][(n % 2) as usize]),
        ];
        for fault in faults {
            let till = live(life, steps, n, fault);
            for left in lefts(n).skip((n % 3) as usize).step_by(3) {
                look_again_and_again(till.cut(left), n, counts);
            }
            look_again_and_again(till.kill(), n, counts);
        }
    });
    println!("failures: {counts:?}");
}
