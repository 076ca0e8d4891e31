//! What is left of segments that were joined takes nothing along that stands in the one in which they are.

use std::collections::BTreeMap;

use super::*;
use crate::store::simulated_disk::Left;

/// A queue whose last segments hold a few frames each, and lie joined in a later one.
struct Joined {
    disk: SimulatedDisk,
    written: World,
}

/// An operation that nobody gets to.
const NEVER: u64 = 1_000_000;

/// All that there is fits into one segment.
fn settings(disk: &SimulatedDisk) -> JournalSettings {
    JournalSettings {
        segment_bytes: 32 * SECTOR as u32,
        ..super::settings(disk)
    }
}

fn journal(disk: &SimulatedDisk) -> Journal {
    let mut survey = settings(disk).survey(|| None).unwrap();
    Journal::open(settings(disk), &mut survey, &[]).unwrap()
}

/// The newest value of each key.
type World = BTreeMap<Vec<u8>, Vec<u8>>;

impl Joined {
    fn of(segments: usize) -> Joined {
        Joined::stopped_at(segments, NEVER)
    }

    /// Opened as often as `segments` are to be joined, each time with so few frames that all fit into one.
    /// The open that joins them is stopped at its `operation`-th operation.
    fn stopped_at(segments: usize, operation: u64) -> Joined {
        let disk = SimulatedDisk::new(Path::new(QUEUE), 1);
        let (mut disk, mut written) = (disk, World::new());
        for life in 0..segments {
            let open = journal(&disk);
            for _ in 0..SPARES {
                open.prepare().unwrap();
            }
            let value = vec![life as u8 + 1; 10];
            let key = vec![life as u8];
            open.append(&put_at(&key, &value)).unwrap();
            written.insert(key, value);
            disk = disk.after_kill();
        }
        remove_blanks(&disk);
        let mut survey = settings(&disk).survey(|| None).unwrap();
        disk.plan(operation, Fault::Stops);
        let _ = Journal::open(settings(&disk), &mut survey, &[]);
        Joined { disk, written }
    }

    fn check(&self, disk: &SimulatedDisk, what: &str) {
        assert_eq!(world(disk), self.written, "{what}");
    }
}

fn put_at(key: &[u8], value: &[u8]) -> [Change; 1] {
    [Change::Put {
        key: key.to_vec(),
        value: value.to_vec(),
    }]
}

fn remove_blanks(disk: &SimulatedDisk) {
    let journal = Path::new(QUEUE).join("journal");
    for name in settings(disk).survey(|| None).unwrap().blank {
        disk.remove(&name.in_directory(&journal)).unwrap();
    }
}

/// What an open reads.
fn world(disk: &SimulatedDisk) -> World {
    let settings = settings(disk);
    let survey = settings.survey(|| None).unwrap();
    assert!(survey.missing().is_empty(), "{survey:?}");
    let mut world = World::new();
    let read = settings.replay(&survey, 0, |change| {
        let value = put_of(&change).unwrap();
        world.insert(change.key.to_vec(), value);
    });
    read.unwrap();
    world
}

/// Carries everything forward that counts in any segment but the last.
fn retire_all(disk: &SimulatedDisk) {
    let open = journal(disk);
    while let Some(old) = open.oldest().unwrap() {
        let mut alive = Vec::new();
        old.changes(|change| alive.extend(change.change()));
        open.append(&alive).unwrap();
        open.retire(old).unwrap();
    }
}

#[test]
fn a_power_cut_may_bring_any_of_the_joined_segments_back() {
    for segments in 1..=5 {
        let joined = Joined::of(segments);
        for seed in 0..50 {
            let what = format!("{segments} segments, seed {seed}");
            let disk = joined.disk.after_power_cut(Left::Some(seed));
            joined.check(&disk, &what);
            drop(journal(&disk));
            joined.check(&disk, &format!("{what}, opened"));
            retire_all(&disk);
            joined.check(&disk.after_kill(), &format!("{what}, retired"));
        }
    }
}

#[test]
fn a_kill_while_joined_segments_are_made_blank_takes_nothing_along() {
    for operation in 1.. {
        let joined = Joined::stopped_at(4, operation);
        let disk = joined.disk.after_kill();
        joined.check(&disk, &format!("killed at {operation}"));
        retire_all(&disk);
        let disk = disk.after_kill();
        joined.check(&disk, &format!("killed at {operation}, retired"));
        if !joined.disk.is_stopped() {
            assert!(operation > 10, "nothing was stopped");
            return;
        }
    }
}

/// What is damaged in the segment that was joined may stand undamaged in what came back of the others.
#[test]
fn what_came_back_with_a_power_cut_is_read_where_the_later_copy_is_damaged() {
    let joined = Joined::of(4);
    let mut read = 0;
    for seed in 0..50 {
        for value in joined.written.values() {
            let disk = joined.disk.after_power_cut(Left::Some(seed));
            spoil_last(&disk, value);
            if !settings(&disk)
                .survey(|| None)
                .unwrap()
                .missing()
                .is_empty()
            {
                continue;
            }
            read += 1;
            joined.check(&disk, &format!("seed {seed}"));
            retire_all(&disk);
            joined.check(&disk.after_kill(), &format!("seed {seed}, retired"));
        }
    }
    assert!(read > 10, "{read}");
}

/// Alters `value` in the last segment.
fn spoil_last(disk: &SimulatedDisk, value: &[u8]) {
    let survey = settings(disk).survey(|| None).unwrap();
    let last = survey.used.last().unwrap();
    let path = settings(disk).segment(last.name);
    let file = disk.open(&path).unwrap();
    let mut bytes = vec![0; file.length().unwrap() as usize];
    file.read_at(&mut bytes, 0).unwrap();
    let found = bytes.windows(value.len()).position(|some| some == value);
    file.write_at(b"T", found.unwrap() as u64).unwrap();
}
