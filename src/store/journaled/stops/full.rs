//! On a full disk, however often the queue is opened, there is room for decisions.

use std::path::Path;

use super::*;

/// How often the till is started again.
const OPENS: usize = 10;

/// The same where something is written every time: twice as much as fits into a segment.
const LIVES: usize = 5;

/// A till whose disk is full from the first life on, after as many lives as there are in `lives`.
fn after(lives: impl Iterator<Item = Vec<Step>>) -> Till {
    let disk = SimulatedDisk::new(Path::new(NOWHERE), 1);
    let mut till = Till::new(disk, Path::new(NOWHERE));
    till.open_sound().unwrap();
    let first = [
        Step::Put(vec![("a", 20), ("b", 300)]),
        Step::Prepare,
        Step::Prepare,
    ];
    for step in first {
        till.step(&step).unwrap();
    }
    till.disk.fill();
    for steps in lives {
        till.close();
        till = till.kill();
        till.open_sound().expect("an open on a full disk");
        for step in steps {
            till.step(&step).unwrap();
            till.look().unwrap();
        }
    }
    till
}

/// How many decisions of a sector each are stored before one is refused.
fn decisions(till: &mut Till) -> usize {
    for count in 0.. {
        till.step(&Step::Put(vec![("decision", 20)])).unwrap();
        let stored = till.worlds.clone();
        till.look().unwrap();
        assert_eq!(till.worlds, stored, "what was acknowledged is read");
        if till.refused() > 0 {
            return count;
        }
    }
    0
}

#[test]
fn ten_opens_on_a_full_disk_leave_room_for_decisions() {
    let once = decisions(&mut after(std::iter::repeat_n(vec![], 1)));
    let often = decisions(&mut after(std::iter::repeat_n(vec![], OPENS)));
    assert!(often > 0 && often + 8 >= once, "{often} instead of {once}");
}

#[test]
fn lives_on_a_full_disk_take_no_more_room_than_what_they_write() {
    let decision = || vec![Step::Prepare, Step::Put(vec![("decision", 20)])];
    let often = decisions(&mut after(std::iter::repeat_with(decision).take(LIVES)));
    assert!(often > 0);
}

/// How many power cuts are looked at for every stop.
const CUTS: u64 = 24;

#[test]
fn a_stop_while_segments_are_joined_loses_nothing_and_brings_nothing_back() {
    let life = |number: usize| {
        let put = |length| Step::Put(vec![("a", length), (["b", "c", "d"][number], 20 + number)]);
        vec![put(30), put(40)]
    };
    let mut counts = Counts::default();
    for lives in 1..=3 {
        let mut past = after((0..lives).map(life));
        past.close();
        let mut joined = past.kill();
        let before = joined.disk.operations();
        joined.open_sound().unwrap();
        let operations = joined.disk.operations() - before;
        for n in 1..=operations {
            let mut stopped = past.kill();
            stopped.disk.plan(n, Fault::Stops);
            let _ = stopped.open_sound();
            let some = (0..CUTS).map(|cut| Left::Some(n * CUTS + cut));
            for left in [Left::All, Left::Nothing].into_iter().chain(some) {
                look_twice(stopped.cut(left), n, &mut counts);
            }
            look_twice(stopped.kill(), n, &mut counts);
            stopped.close();
        }
    }
    println!("joins: {counts:?}");
}

/// Like [`look_again_and_again`], and nothing is retired: there is no room for that.
fn look_twice(mut first: Till, n: u64, counts: &mut Counts) {
    first.open_sound().expect("an open after a stop");
    let mut second = first.cut(Left::Some(n));
    first.close();
    second.open_sound().expect("an open after a second stop");
    second.step(&Step::Put(vec![("new", 10)])).unwrap();
    second.look().unwrap();
    counts.states += 2;
    counts.opens += 2;
}

/// The mark of the last frame went with the power, and nothing but the frame itself says that it was durable.
#[test]
fn a_stop_while_segments_are_joined_whose_last_mark_is_lost_takes_no_room() {
    let life = |number: usize| {
        let put = |length| Step::Put(vec![("a", length), (["b", "c", "d"][number], 20 + number)]);
        vec![put(30), put(40)]
    };
    for lives in 1..=3 {
        let mut stocked = after((0..lives).map(life));
        let mut past = stocked.cut(Left::Nothing);
        stocked.close();
        past.close();
        let mut joined = past.kill();
        let before = joined.disk.operations();
        joined.open_sound().unwrap();
        let operations = joined.disk.operations() - before;
        joined.close();
        for n in 1..=operations {
            let mut stopped = past.kill();
            stopped.disk.plan(n, Fault::Stops);
            drop(stopped.open_sound());
            let afterwards = [
                stopped.kill(),
                stopped.cut(Left::All),
                stopped.cut(Left::Nothing),
            ];
            stopped.close();
            for mut till in afterwards {
                let opened = till.open_sound().map(drop);
                till.close();
                assert!(
                    opened.is_ok(),
                    "{lives} lives, stop {n} of {operations}: {opened:?}"
                );
            }
        }
    }
}
