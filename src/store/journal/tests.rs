//! A journal on a disk in memory, beside what the stops at every write show of it.

use std::path::Path;
use std::time::Duration;

use super::spares::SPARES;
use super::*;
use crate::store::simulated_disk::{Fault, SimulatedDisk};

mod foreign;
mod joining;
mod parts;

const QUEUE: &str = "/queue";

/// Small enough to be filled by a few frames.
const SEGMENT: u32 = 8 * SECTOR as u32;

fn settings(disk: &SimulatedDisk) -> JournalSettings {
    JournalSettings {
        disk: Arc::new(disk.clone()),
        directory: QUEUE.into(),
        segment_bytes: SEGMENT,
        uptime: Arc::new(|| Duration::ZERO),
    }
}

fn journal(disk: &SimulatedDisk) -> Journal {
    let mut survey = settings(disk).survey(|| None).unwrap();
    Journal::open(settings(disk), &mut survey, &[]).unwrap()
}

fn put(value: &[u8]) -> [Change; 1] {
    [Change::Put {
        key: b"key".to_vec(),
        value: value.to_vec(),
    }]
}

/// How many more frames lead into the next segment.
fn fill(journal: &Journal) -> usize {
    let segment = journal.current_segment();
    let mut count = 0;
    while journal.current_segment() == segment {
        journal.append(&put(b"filled")).unwrap();
        count += 1;
    }
    count
}

#[test]
fn a_segment_that_rots_while_the_journal_is_open_is_not_whole() {
    let disk = SimulatedDisk::new(Path::new(QUEUE), 1);
    let journal = journal(&disk);
    journal.append(&put(b"the only copy of it")).unwrap();
    fill(&journal);
    assert!(journal.oldest().unwrap().unwrap().is_whole());
    spoil(&disk, b"the only");
    assert!(!journal.oldest().unwrap().unwrap().is_whole());
}

/// Alters whatever stands on the disk as `text`.
fn spoil(disk: &SimulatedDisk, text: &[u8]) {
    let directory = Path::new(QUEUE).join("journal");
    for name in disk.names(&directory).unwrap() {
        let file = disk.open(&directory.join(name)).unwrap();
        let mut bytes = vec![0; file.length().unwrap() as usize];
        file.read_at(&mut bytes, 0).unwrap();
        let found = bytes.windows(text.len()).position(|some| some == text);
        if let Some(offset) = found {
            file.write_at(b"T", offset as u64).unwrap();
        }
    }
}

fn put_of(change: &Replayed<'_>) -> Option<Vec<u8>> {
    match change.value {
        FoundValue::Put(value) => Some(value.to_vec()),
        FoundValue::Deleted | FoundValue::Damaged => None,
    }
}

#[test]
fn a_journal_that_cannot_be_extended_refuses_one_frame_and_takes_the_next() {
    let fits = fill(&journal(&SimulatedDisk::new(Path::new(QUEUE), 1))) - 1;
    let disk = SimulatedDisk::new(Path::new(QUEUE), 1);
    let journal = journal(&disk);
    for _ in 0..fits {
        journal.append(&put(b"filled")).unwrap();
    }
    disk.plan(1, Fault::Fails(io::ErrorKind::Other));
    let before = journal.durable();
    let refused = journal.append(&put(b"filled")).unwrap_err();
    assert!(
        matches!(refused, StoreError::NotExtended { .. }),
        "{refused}"
    );
    assert!(refused.nothing_was_written(), "{refused}");
    let told = journal.check_room().unwrap_err();
    assert!(matches!(told, StoreError::NotExtended { .. }), "{told}");
    journal.append(&put(b"filled")).unwrap();
    assert_eq!(journal.durable(), before + 1);
    journal.check_room().unwrap();
}

#[test]
fn a_frame_whose_sync_failed_is_not_followed_by_another_where_there_is_no_other_segment() {
    let disk = SimulatedDisk::new(Path::new(QUEUE), 1);
    let journal = journal(&disk);
    // Its sync, and then every attempt to make another segment.
    disk.plan(2, Fault::Breaks(io::ErrorKind::Other));
    let unknown = journal.append(&put(b"unknown")).unwrap_err();
    assert!(!unknown.nothing_was_written(), "{unknown}");
    disk.plan(1_000, Fault::Stops);
    let later = journal.append(&put(b"later"));
    assert!(matches!(later, Err(StoreError::Failed { .. })), "{later:?}");
}

#[test]
fn a_journal_without_room_to_grow_takes_more_when_there_is_some() {
    let disk = SimulatedDisk::new(Path::new(QUEUE), 1);
    let journal = journal(&disk);
    for _ in 0..fill(&journal) - 1 {
        journal.append(&put(b"filled")).unwrap();
    }
    disk.plan(1, Fault::Fails(io::ErrorKind::StorageFull));
    let refused = journal.append(&put(b"filled")).unwrap_err();
    assert!(refused.nothing_was_written(), "{refused}");
    journal.append(&put(b"filled")).unwrap();
}

#[test]
fn what_is_left_of_a_damaged_first_frame_outlives_the_segment_before_it() {
    let disk = SimulatedDisk::new(Path::new(QUEUE), 1);
    let open = journal(&disk);
    fill(&open);
    for _ in 1..fill(&open) {
        open.append(&put(b"filled")).unwrap();
    }
    let frame = [put(b"the victim"), put(b"its neighbour")].concat();
    assert_eq!(open.append(&frame).unwrap()[0].frame, SECTOR as u32);
    fill(&open);
    drop(open);
    spoil(&disk, b"the vic");
    let open = journal(&disk);
    let mut values = Vec::new();
    while let Some(old) = open.oldest().unwrap() {
        old.changes(|change| values.extend(put_of(&change)));
        open.retire(old).unwrap();
    }
    assert!(values.contains(&b"its neighbour".to_vec()), "{values:?}");
}
