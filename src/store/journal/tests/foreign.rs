//! The segments of another queue, copied to those of this one.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;

use super::frame::{decode_segment_header, is_blank};
use super::parts::{Fixture, ROOT, put, three_frames};
use super::*;

/// A queue, and the files of another one among its own.
struct Merged {
    fixture: Fixture,
    queue: u64,
    own: String,
    foreign: Vec<String>,
}

impl Merged {
    fn new() -> Merged {
        let fixture = Fixture::new();
        let (own, _) = three_frames(&fixture);
        let queue = queue_of(&fixture, &own);
        let other = busy();
        let foreign = other.names("journal");
        for name in &foreign {
            place(&fixture, name, &bytes_of(&other, name));
        }
        Merged {
            fixture,
            queue,
            own,
            foreign,
        }
    }

    fn survey(&self, index: Option<u64>) -> Result<Survey, SurveyError> {
        self.fixture.settings().survey(|| index)
    }

    fn ours(&self) -> Survey {
        self.survey(Some(self.queue)).unwrap()
    }

    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let names = self.fixture.names("journal").into_iter();
        names
            .map(|name| (name.clone(), bytes_of(&self.fixture, &name)))
            .collect()
    }

    fn assert_refused(&self, index: Option<u64>) {
        let before = self.files();
        let refused = self.survey(index);
        assert!(matches!(refused, Err(SurveyError::Mixed)), "{refused:?}");
        assert_eq!(self.files(), before);
    }

    /// Zeros for the header of the segment `name`.
    fn erase_header(&self, name: &str) {
        let file = self.fixture.file(name);
        file.write_at(&[0; SECTOR], 0).unwrap();
    }
}

/// A queue that is far ahead, and needs none of its first segments any more.
fn busy() -> Fixture {
    let fixture = Fixture::new();
    for _ in 0..3 {
        let journal = fixture.open();
        for _ in 0..30 {
            journal.append(&[put("theirs", 10)]).unwrap();
        }
        while let Some(old) = journal.oldest().unwrap() {
            journal.retire(old).unwrap();
        }
        journal.append(&[put("theirs", 4_000)]).unwrap();
        journal.append(&[put("theirs", 4_000)]).unwrap();
        journal.prepare().unwrap();
    }
    fixture
}

fn bytes_of(fixture: &Fixture, name: &str) -> Vec<u8> {
    survey::read_file(&*fixture.file(name)).unwrap().0
}

fn place(fixture: &Fixture, name: &str, bytes: &[u8]) {
    let path = Path::new(ROOT).join("journal").join(name);
    let file = fixture.disk.create(&path).unwrap();
    file.write_at(bytes, 0).unwrap();
    file.sync().unwrap();
}

fn queue_of(fixture: &Fixture, name: &str) -> u64 {
    let header = decode_segment_header(&bytes_of(fixture, name));
    header.unwrap().queue
}

#[test]
fn a_segment_of_another_queue_says_nothing_about_ours() {
    let merged = Merged::new();
    assert!(merged.foreign.len() > 1, "{:?}", merged.foreign);
    let survey = merged.ours();
    let found = merged.foreign.iter().cloned().map(Oddity::Foreign);
    assert_eq!(survey.oddities, Vec::from_iter(found));
    assert_eq!((survey.oldest, survey.proven), (1, 4));
    assert_eq!(survey.queue, merged.queue);
    assert!(survey.missing().is_empty() && !survey.is_torn);
    assert_eq!(survey.retired().count(), 0);
    let keys = merged.fixture.replayed(&survey).into_iter();
    let keys: Vec<_> = keys.map(|(_, key)| key).collect();
    assert_eq!(keys, [b"a", b"b", b"c"]);
}

#[test]
fn a_segment_of_another_queue_is_left_alone_by_the_journal_that_goes_on_beside_it() {
    let merged = Merged::new();
    let before = merged.files();
    let settings = merged.fixture.settings();
    let journal = Journal::open(settings, &mut merged.ours(), &[]).unwrap();
    let theirs = before.keys().filter_map(|name| name.split_once('-'));
    let last = theirs.map(|(number, _)| u64::from_str_radix(number, 16).unwrap());
    assert!(journal.current_segment() > last.max().unwrap());
    while let Some(old) = journal.oldest().unwrap() {
        journal.retire(old).unwrap();
    }
    journal.append(&[put("ours", 10)]).unwrap();
    drop(journal);
    let after = merged.files();
    for name in &merged.foreign {
        assert_eq!(after.get(name), before.get(name), "{name}");
    }
    assert!(merged.foreign.iter().any(|name| is_blank(&before[name])));
    let audit = merged.fixture.names("audit");
    assert_eq!(audit.len(), 1, "{audit:?}");
    assert!(audit[0].starts_with(&merged.own), "{audit:?}");
    let found = merged.fixture.replayed(&merged.ours());
    assert_eq!(found.last().unwrap().1, b"ours");
}

#[test]
fn where_no_index_says_which_of_several_queues_is_ours_nothing_is_opened_or_touched() {
    let merged = Merged::new();
    merged.assert_refused(None);
    // That of a third queue, which was here before both, knows nothing of either.
    merged.assert_refused(Some(merged.queue ^ 1));
}

#[test]
fn a_segment_that_lost_its_header_is_of_the_queue_of_its_epoch() {
    let merged = Merged::new();
    let files = merged.files();
    let used = merged
        .foreign
        .iter()
        .filter(|name| !is_blank(&files[*name]));
    let [.., neighbour, last] = &used.collect::<Vec<_>>()[..] else {
        panic!("{:?}", merged.foreign)
    };
    let epoch = |name: &str| name.split_once('-').unwrap().1.to_owned();
    assert_eq!(epoch(neighbour), epoch(last), "they are of one open");
    merged.erase_header(last);
    let survey = merged.ours();
    assert!(survey.oddities.contains(&Oddity::Foreign(last.to_string())));
    assert_eq!(survey.proven, 4);
}

#[test]
fn a_segment_that_could_be_of_either_queue_is_not_taken_for_ours() {
    let merged = Merged::new();
    let own = bytes_of(&merged.fixture, &merged.own);
    // What is left of a header, and of one that was torn away altogether.
    for is_blank in [false, true] {
        let merged = Merged::new();
        let third = busy();
        let name = third.names("journal")[0].clone();
        let mut bytes = bytes_of(&third, &name);
        bytes[usize::from(!is_blank)..SECTOR].fill(0);
        place(&merged.fixture, &name, &bytes);
        merged.assert_refused(Some(merged.queue));
    }
    // As long as there is no other queue, it is.
    let fixture = Fixture::new();
    place(&fixture, &merged.own, &own);
    fixture.flip(&merged.own, 0);
    let survey = fixture.settings().survey(|| None).unwrap();
    assert_eq!(fixture.replayed(&survey).len(), 3);
    assert!(survey.has_presumed && !survey.is_queue_known);
}

#[test]
fn a_header_under_another_name_makes_a_segment_foreign_but_no_queue_ours() {
    let merged = Merged::new();
    let name = "00000000000000ff-0123456789abcdef.segment";
    let bytes = bytes_of(&merged.fixture, &merged.foreign[0]);
    place(&merged.fixture, name, &bytes);
    let survey = merged.ours();
    assert!(survey.oddities.contains(&Oddity::Foreign(name.to_owned())));
    assert!(!survey.is_torn);
    // So is ours, where only the foreign ones have their own names.
    let path = |name: &str| Path::new(ROOT).join("journal").join(name);
    let renamed = path("00000000000000fe-0123456789abcdef.segment");
    merged
        .fixture
        .disk
        .rename(&path(&merged.own), &renamed)
        .unwrap();
    merged.assert_refused(Some(merged.queue));
}
