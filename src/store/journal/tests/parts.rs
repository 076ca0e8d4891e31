//! What is found again in segments: whole, torn, damaged, written twice, retired.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::scan::{Found, scan};
use super::segment::SegmentName;
use super::*;
use crate::store::simulated_disk::{Fault, SimulatedDisk};

pub(super) const ROOT: &str = "/queue";
const LENGTH: u32 = 8 * 1024;

/// A journal on a disk of its own, with a clock.
pub(super) struct Fixture {
    pub(super) disk: SimulatedDisk,
    seconds: Arc<AtomicU64>,
}

impl Fixture {
    pub(super) fn new() -> Fixture {
        Fixture {
            disk: SimulatedDisk::new(Path::new(ROOT), 1),
            seconds: Arc::default(),
        }
    }

    pub(super) fn settings(&self) -> JournalSettings {
        let seconds = Arc::clone(&self.seconds);
        JournalSettings {
            disk: Arc::new(self.disk.clone()),
            directory: ROOT.into(),
            segment_bytes: LENGTH,
            uptime: Arc::new(move || Duration::from_secs(seconds.load(Ordering::Relaxed))),
        }
    }

    fn survey(&self) -> Survey {
        self.settings().survey(|| None).unwrap()
    }

    pub(super) fn open(&self) -> Journal {
        let journal = Journal::open(self.settings(), &mut self.survey(), &[]).unwrap();
        // With as many ready as there should be, the next open writes nothing again that it need not.
        while !journal.prepare().unwrap() {}
        journal
    }

    /// What a replay comes by, as sequences with their keys.
    pub(super) fn replayed(&self, survey: &Survey) -> Vec<(u64, Vec<u8>)> {
        let mut found = Vec::new();
        let visit = |one: Replayed<'_>| found.push((one.position.sequence, one.key.to_vec()));
        self.settings().replay(survey, 0, visit).unwrap();
        found
    }

    pub(super) fn names(&self, directory: &str) -> Vec<String> {
        self.disk.names(&Path::new(ROOT).join(directory)).unwrap()
    }

    pub(super) fn file(&self, name: &str) -> Box<dyn crate::store::disk::DiskFile> {
        let path = Path::new(ROOT).join("journal").join(name);
        self.disk.open(&path).unwrap()
    }

    pub(super) fn flip(&self, name: &str, offset: u64) {
        let file = self.file(name);
        let mut byte = [0];
        file.read_at(&mut byte, offset).unwrap();
        file.write_at(&[byte[0] ^ 0xff], offset).unwrap();
    }
}

pub(super) fn put(key: &str, length: usize) -> Change {
    Change::Put {
        key: key.into(),
        value: vec![1; length],
    }
}

/// Three frames of a sector each behind the header and the one that opens it; where they begin.
pub(super) fn three_frames(fixture: &Fixture) -> (String, [u64; 3]) {
    let journal = fixture.open();
    let keys = ["a", "b", "c"];
    let begins = keys.map(|key| u64::from(journal.append(&[put(key, 10)]).unwrap()[0].frame));
    (fixture.names("journal")[0].clone(), begins)
}

#[test]
fn names_of_segments_are_read_back_and_no_others_are() {
    let name = SegmentName {
        number: 0x1f,
        epoch: u64::MAX,
    };
    assert_eq!(SegmentName::parse(&name.to_string()), Some(name));
    for stray in [
        "",
        "1-2.segment",
        "x.segment",
        "000000000000001F-ffffffffffffffff.segment",
    ] {
        assert_eq!(SegmentName::parse(stray), None, "{stray}");
    }
    let longer = format!("{name}@0000000000000001");
    assert_eq!(SegmentName::parse(&longer), None);
    let retired = retirement::RetiredName::parse(&longer).unwrap();
    assert_eq!((retired.segment, retired.to_string()), (name, longer));
}

#[test]
fn a_scan_tells_frames_marks_and_bad_sectors_apart_and_goes_on_behind_them() {
    let fixture = Fixture::new();
    let (name, begins) = three_frames(&fixture);
    fixture.flip(&name, begins[1]);
    let (bytes, is_readable) = survey::read_file(&*fixture.file(&name)).unwrap();
    assert!(is_readable);
    let mut seen = Vec::new();
    scan(SegmentName::parse(&name).unwrap(), &bytes, |found| {
        seen.push(match found {
            Found::Frame(frame) => format!("frame {}", frame.header.sequence),
            Found::Mark(sequence) => format!("mark {sequence}"),
            Found::Bad => "bad".to_owned(),
        });
    });
    assert_eq!(seen, ["frame 1", "frame 2", "bad", "frame 4", "mark 4"]);
}

#[test]
fn a_frame_that_a_later_one_proves_is_damaged() {
    let fixture = Fixture::new();
    let (name, begins) = three_frames(&fixture);
    fixture.flip(&name, begins[1]);
    let survey = fixture.survey();
    assert_eq!(Vec::from_iter(survey.missing().ranges()), [3..=3]);
    assert!(!survey.is_torn);
    let found = fixture.replayed(&survey);
    assert_eq!(found, [(2, b"a".to_vec()), (4, b"c".to_vec())]);
}

#[test]
fn a_last_frame_is_damaged_if_it_was_marked_durable_and_torn_if_not() {
    for is_marked in [true, false] {
        let fixture = Fixture::new();
        let (name, begins) = three_frames(&fixture);
        fixture.flip(&name, begins[2]);
        if !is_marked {
            fixture.flip(&name, begins[2] + SECTOR as u64);
        }
        let survey = fixture.survey();
        assert_eq!(survey.missing().contains(4), is_marked);
        assert_eq!(survey.is_torn, !is_marked);
        assert_eq!(fixture.replayed(&survey).len(), 2);
    }
}

#[test]
fn a_witness_makes_a_torn_end_damage() {
    let fixture = Fixture::new();
    let (name, begins) = three_frames(&fixture);
    fixture.flip(&name, begins[2]);
    fixture.flip(&name, begins[2] + SECTOR as u64);
    let mut survey = fixture.survey();
    survey.add_witness(4);
    assert!(survey.missing().contains(4));
    assert_eq!(survey.unproven(), None);
}

#[test]
fn strays_short_files_and_bad_headers_are_reported_and_take_nothing_along() {
    let fixture = Fixture::new();
    let (name, begins) = three_frames(&fixture);
    fixture.flip(&name, 0);
    let end = begins[2] + 2 * SECTOR as u64;
    fixture.file(&name).truncate(end).unwrap();
    let stray = Path::new(ROOT).join("journal/notes.txt");
    drop(fixture.disk.create(&stray).unwrap());
    let survey = fixture.survey();
    let mut expected = vec![Oddity::Stray("notes.txt".to_owned())];
    expected.push(Oddity::BadHeader(name.clone()));
    assert_eq!(survey.oddities, expected);
    assert_eq!(fixture.replayed(&survey).len(), 3);
    fixture.flip(&name, 0);
    assert!(fixture.survey().oddities.contains(&Oddity::Short(name)));
}

#[test]
fn the_last_frame_of_an_earlier_open_is_written_again_and_replayed_once() {
    let fixture = Fixture::new();
    let (name, begins) = three_frames(&fixture);
    // As if the mark had not been written yet.
    fixture.flip(&name, begins[2] + SECTOR as u64);
    assert_eq!(fixture.survey().unproven(), Some(4));
    let journal = fixture.open();
    assert_eq!(journal.durable(), 4);
    assert_ne!(journal.current_segment(), 1);
    let old = journal.oldest().unwrap().unwrap();
    assert!(old.is_whole());
    let mut keys = Vec::new();
    old.changes(|change| keys.push(change.key.to_vec()));
    assert_eq!(
        keys,
        [b"a", b"b"],
        "what was written again is no more to be copied"
    );
    let found = fixture.replayed(&fixture.survey());
    let sequences: Vec<u64> = found.iter().map(|(sequence, _)| *sequence).collect();
    assert_eq!(sequences, [2, 3, 4]);
}

#[test]
fn a_failed_sync_is_followed_by_another_segment_and_a_second_one_by_nothing() {
    let fixture = Fixture::new();
    let journal = fixture.open();
    journal.prepare().unwrap();
    // A write, and then its sync.
    fixture.disk.plan(2, Fault::Fails(io::ErrorKind::Other));
    let position = journal.append(&[put("a", 10)]).unwrap()[0];
    assert_eq!((position.sequence, position.segment), (2, 2));
    fixture.disk.plan(2, Fault::Breaks(io::ErrorKind::Other));
    let unknown = journal.append(&[put("b", 10)]).unwrap_err();
    assert!(!unknown.nothing_was_written(), "{unknown}");
    let refused = journal.append(&[put("c", 10)]).unwrap_err();
    assert!(matches!(refused, StoreError::Failed { .. }), "{refused}");
}

#[test]
fn a_value_is_given_only_for_its_key_at_its_place_and_undamaged() {
    let fixture = Fixture::new();
    let journal = fixture.open();
    let positions = journal.append(&[put("a", 10), put("b", 3_000)]).unwrap();
    let [a, b] = positions[..] else { panic!() };
    assert_eq!(journal.read(a, b"a").unwrap(), Some(vec![1; 10]));
    assert_eq!(journal.read(b, b"b").unwrap(), Some(vec![1; 3_000]));
    assert_eq!(journal.read(a, b"b").unwrap(), None);
    assert!(journal.vouches_for(b, b"b").unwrap());
    let shifted = Position {
        change: b.change + 1,
        ..b
    };
    assert_eq!(journal.read(shifted, b"b").unwrap(), None);
    let nowhere = Position { segment: 99, ..a };
    assert_eq!(journal.read(nowhere, b"a").unwrap(), None);
    let name = fixture.names("journal")[0].clone();
    fixture.flip(&name, u64::from(b.frame + b.change) + 2_000);
    assert_eq!(journal.read(b, b"b").unwrap(), None);
    assert!(!journal.vouches_for(b, b"b").unwrap());
    assert!(journal.vouches_for(a, b"a").unwrap());
}

#[test]
fn a_retired_segment_is_trimmed_kept_for_its_time_and_then_removed() {
    let fixture = Fixture::new();
    drop(three_frames(&fixture));
    let journal = fixture.open();
    fixture.seconds.store(100, Ordering::Relaxed);
    let old = journal.oldest().unwrap().unwrap();
    assert_eq!(old.number(), 1);
    journal.retire(old).unwrap();
    assert!(journal.oldest().unwrap().is_none(), "the current one stays");
    let audit = fixture.names("audit");
    assert_eq!((audit.len(), fixture.names("journal").len()), (1, 3));
    let path = Path::new(ROOT).join("audit").join(&audit[0]);
    let length = fixture.disk.open(&path).unwrap().length().unwrap();
    assert_eq!(length, 6 * SECTOR as u64, "header, four frames and a mark");
    fixture.seconds.store(150, Ordering::Relaxed);
    journal.prune_audit(50).unwrap();
    assert_eq!(fixture.names("audit").len(), 1);
    journal.prune_audit(49).unwrap();
    assert!(fixture.names("audit").is_empty());
}

#[test]
fn what_was_carried_forward_before_the_power_went_is_not_carried_again() {
    let fixture = Fixture::new();
    let (name, begins) = three_frames(&fixture);
    // The last frame is in both segments from here on, so that the old one seems to count still.
    fixture.flip(&name, begins[2] + SECTOR as u64);
    let journal = fixture.open();
    let old = journal.oldest().unwrap().unwrap();
    // A frame is written, synced and marked, and then the segment is renamed.
    fixture.disk.plan(4, Fault::Fails(io::ErrorKind::Other));
    journal.retire(old).unwrap_err();
    drop(journal);
    assert!(fixture.names("journal").contains(&name));
    let journal = fixture.open();
    assert!(!fixture.names("journal").contains(&name));
    let old = journal.oldest().unwrap().unwrap();
    assert_ne!(old.number(), 1);
}

#[test]
fn of_two_damaged_copies_the_one_is_read_that_was_acknowledged() {
    let fixture = Fixture::new();
    let journal = fixture.open();
    let first = journal.append(&[put("x", 10)]).unwrap()[0];
    // Written, and its sync fails.
    fixture.disk.plan(2, Fault::Fails(io::ErrorKind::Other));
    let told = journal
        .append(&[put("a", 900), put("b", 10), put("c", 10)])
        .unwrap();
    assert_ne!(told[0].segment, first.segment);
    drop(journal);
    let used = fixture.survey().used;
    let (torn, whole) = (used[0].name.to_string(), used[1].name.to_string());
    let behind_x = first.frame as usize + 2 * SECTOR;
    let file = fixture.file(&torn);
    file.write_at(&[0; 2 * SECTOR], behind_x as u64).unwrap();
    fixture.flip(&whole, u64::from(told[0].frame + told[0].change) + 700);
    let found = fixture.replayed(&fixture.survey());
    assert!(found.iter().any(|(_, key)| key == b"b"), "{found:?}");
}
