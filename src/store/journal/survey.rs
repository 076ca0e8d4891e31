//! Reading a journal back: what is there, what is missing, and what was never finished.
//!
//! ```text
//!  sequences   1 2 3 4 5 6 7 8 9 ✂
//!              ╰retired╯ │     │ ╰ torn: nothing proves that it was ever durable
//!                     oldest  proven, by a later frame, by a mark, or by the index
//! ```
//!
//! The order is gap-free, and a frame is only written when the one before it is durable. So:
//!
//! 1. Everything from `oldest` to `proven` was durable. What of it cannot be read is *damage*.
//! 2. Bad bytes behind that are a *torn* end: whoever wrote them was never told "durable".
//! 3. A frame that is found twice was written again, and is the same: after a failed sync, at an open, or
//!    to join segments. It counts where it stands last, undamaged. A segment of which nothing counts
//!    any more is `done`: what comes back of it with a power cut decides nothing.
//! 4. Whatever happens, nothing here changes the disk.
//! 5. Nothing is read of a segment before it is known to be of this queue (`owner.rs`).

use std::io;
use std::ops::RangeInclusive;
use std::path::Path;

use super::super::disk::{Disk, DiskFile};
use super::super::{Change, record};
use super::frame::{FORMAT, FoundValue, NoHeader, SECTOR, decode_segment_header, is_blank};
use super::joining;
use super::owner::{Owner, Owners};
use super::scan::{Found, FoundFrame, scan};
use super::segment::{Position, SEGMENT_BYTES, SegmentName};
use super::sequences::Sequences;

/// No segment is longer, in this version; a file that is has something behind it that is not ours.
const LONGEST_READ: u64 = 4 * SEGMENT_BYTES as u64;

/// How much of a file is given up where a part of it cannot be read.
const READ_BYTES: usize = 4096;

/// Why a journal cannot be read at all.
#[derive(Debug)]
pub(crate) enum SurveyError {
    Io(io::Error),
    /// Of a segment, or of a record in it.
    NewerFormat {
        part: &'static str,
        name: SegmentName,
        found: u32,
        known: u32,
    },
    /// There are segments of several queues, and nothing says which one is ours.
    Mixed,
}

impl From<io::Error> for SurveyError {
    fn from(error: io::Error) -> Self {
        SurveyError::Io(error)
    }
}

/// What a journal holds.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// The segments that hold something that counts, in order.
    pub(crate) used: Vec<UsedSegment>,
    /// Those in which nothing counts: retired, or written again elsewhere, and about to be moved away.
    done: Vec<DoneSegment>,
    /// Made, and never used.
    pub(crate) blank: Vec<SegmentName>,
    /// Those in which nothing counts, whatever stands there: an open was stopped before they were blank.
    pub(super) hidden: Vec<SegmentName>,
    /// Those of another queue, of which nothing was read.
    pub(super) foreign: Vec<SegmentName>,
    /// Files that are none of ours, with what is strange about the ones that are.
    pub(crate) oddities: Vec<Oddity>,
    /// Whose journal this is, as the headers say; a new number where there is none.
    pub(crate) queue: u64,
    /// Whether a header said whose journal this is.
    pub(crate) is_queue_known: bool,
    /// Whether something that counts could as well be another queue's: its header is damaged, and
    /// nothing else says whose it is.
    pub(crate) has_presumed: bool,
    /// The first sequence that counts.
    pub(crate) oldest: u64,
    /// The last sequence that is known to have been durable.
    pub(crate) proven: u64,
    /// The last sequence that the segments themselves say was durable before a successor was begun.
    marked: u64,
    pub(crate) running_seconds: u64,
    /// Whether there are bytes behind the last frame that are none.
    pub(crate) is_torn: bool,
    whole: Sequences,
    /// The first sequence that was written again elsewhere, together with all behind it.
    moved_from: Option<u64>,
}

/// A segment that holds something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UsedSegment {
    pub(crate) name: SegmentName,
    /// The sequence of the first frame of which anything can be read.
    pub(crate) begins: Option<u64>,
    /// The sequences of its frames that are whole.
    pub(crate) whole: Sequences,
    /// Those of the others of which anything can be read.
    damaged: Sequences,
}

/// A segment in which nothing counts.
#[derive(Clone, Copy, Debug)]
struct DoneSegment {
    name: SegmentName,
    /// Whether all of it stands elsewhere, what does not count any more included.
    is_copied: bool,
}

/// Something about a file of the journal that should not be so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Oddity {
    /// No segment's name.
    Stray(String),
    /// The header is not what the name says.
    BadHeader(String),
    /// The file is shorter than it was made.
    Short(String),
    /// The device does not give all of it back.
    Unreadable(String),
    /// It is a segment of another queue.
    Foreign(String),
}

/// A change that a replay comes by.
pub(crate) struct Replayed<'a> {
    pub(crate) position: Position,
    pub(crate) key: &'a [u8],
    pub(crate) value: FoundValue<'a>,
}

/// What the frames of a segment tell about it.
struct Counted {
    /// Whether something in it was written when its first frame, and the header with it, was durable.
    is_settled: bool,
    /// The newest format of a record that this version does not know.
    newer_record: Option<u8>,
}

impl Survey {
    /// Reads the journal in `directory`. The `index` is asked for the queue that it is of where there
    /// are segments of several.
    pub(crate) fn read(
        disk: &dyn Disk,
        directory: &Path,
        index: impl FnOnce() -> Option<u64>,
    ) -> Result<Survey, SurveyError> {
        let mut survey = Survey {
            oldest: 1,
            queue: uuid::Uuid::new_v4().as_u64_pair().0,
            ..Survey::default()
        };
        let (mut names, mut hidden) = (Vec::new(), Vec::new());
        for name in disk.names(directory)? {
            match (SegmentName::parse(&name), joining::parse_hidden(&name)) {
                (Some(segment), _) => names.push(segment),
                (None, Some(segment)) => hidden.push(segment),
                (None, None) => survey.oddities.push(Oddity::Stray(name)),
            }
        }
        names.sort();
        let owners = Owners::find(disk, directory, &names, index)?;
        survey.queue = owners.ours.unwrap_or(survey.queue);
        survey.is_queue_known = owners.ours.is_some();
        for name in names {
            match owners.of(name) {
                Owner::Foreign => survey.set_aside(name),
                owner => survey.add(disk, directory, name, owner)?,
            }
        }
        for name in hidden {
            match owners.of(name) {
                Owner::Ours | Owner::Presumed => survey.hidden.push(name),
                Owner::Foreign | Owner::Unknown => survey.set_aside(name),
            }
        }
        survey.whole.forget_below(survey.oldest);
        survey.proven = survey.proven.max(survey.whole.last());
        survey.set_done_aside();
        Ok(survey)
    }

    fn set_done_aside(&mut self) {
        let mut later = Sequences::default();
        let (mut done, mut counting) = (Vec::new(), Vec::new());
        for segment in std::mem::take(&mut self.used).into_iter().rev() {
            match self.is_done(&segment, &later) {
                true => done.push(DoneSegment {
                    name: segment.name,
                    is_copied: later.contains_all(&segment.whole),
                }),
                false => {
                    later.unite(&segment.whole);
                    counting.push(segment);
                }
            }
        }
        counting.reverse();
        (self.used, self.done) = (counting, done);
    }

    /// Whether whatever counts in `segment` stands among the `later` ones, and is known to be durable
    /// there.
    fn is_done(&self, segment: &UsedSegment, later: &Sequences) -> bool {
        let (mut whole, mut damaged) = (segment.whole.clone(), segment.damaged.clone());
        whole.forget_below(self.oldest);
        damaged.forget_below(self.oldest);
        !segment.whole.is_empty()
            && whole.last() <= self.marked
            && later.contains_all(&whole)
            && self.whole.contains_all(&damaged)
    }

    fn set_aside(&mut self, name: SegmentName) {
        self.oddities.push(Oddity::Foreign(name.to_string()));
        self.foreign.push(name);
    }

    fn add(
        &mut self,
        disk: &dyn Disk,
        directory: &Path,
        name: SegmentName,
        owner: Owner,
    ) -> Result<(), SurveyError> {
        let (bytes, is_readable) = read_segment(disk, directory, name)?;
        if !is_readable {
            self.oddities.push(Oddity::Unreadable(name.to_string()));
        }
        if is_readable && is_blank(&bytes) {
            self.blank.push(name);
            return Ok(());
        }
        if owner == Owner::Unknown {
            return Err(SurveyError::Mixed);
        }
        let counted = self.count_frames(name, &bytes);
        let is_sound = self.check_header(name, &bytes, counted.is_settled)?;
        self.has_presumed |= !is_sound && owner == Owner::Presumed;
        match counted.newer_record {
            Some(found) => Err(SurveyError::NewerFormat {
                part: "record",
                name,
                found: found.into(),
                known: record::FORMAT.into(),
            }),
            None => Ok(()),
        }
    }

    fn count_frames(&mut self, name: SegmentName, bytes: &[u8]) -> Counted {
        let mut ends_badly = false;
        let mut used = UsedSegment::new(name);
        let mut newer_record = None;
        let (mut frames, mut marks) = (0, 0);
        scan(name, bytes, |found| {
            if let Found::Frame(frame) = &found {
                newer_record = newer_record.max(newest_record(frame));
            }
            ends_badly = match found {
                Found::Frame(frame) => {
                    frames += 1;
                    let is_whole = self.count_frame(&frame);
                    used.add(frame.header.sequence, is_whole);
                    !is_whole
                }
                Found::Bad => true,
                Found::Mark(sequence) => {
                    marks += 1;
                    self.marked = self.marked.max(sequence);
                    self.proven = self.proven.max(sequence);
                    false
                }
            };
        });
        self.used.push(used);
        self.is_torn = ends_badly;
        Counted {
            is_settled: frames > 1 || marks > 0,
            newer_record,
        }
    }

    /// Whether the header is not damaged.
    fn check_header(
        &mut self,
        name: SegmentName,
        bytes: &[u8],
        is_settled: bool,
    ) -> Result<bool, SurveyError> {
        let header = match decode_segment_header(bytes) {
            Err(NoHeader::NewerFormat(found)) => {
                return Err(SurveyError::NewerFormat {
                    part: "journal",
                    name,
                    found,
                    known: FORMAT,
                });
            }
            Ok(header) if header.is_of(name) => header,
            // The first write of a segment was torn, and of its sectors this one is missing.
            Err(_) if !is_settled && bytes.get(..SECTOR).is_some_and(is_blank) => {
                return Ok(true);
            }
            _ => {
                self.oddities.push(Oddity::BadHeader(name.to_string()));
                return Ok(false);
            }
        };
        if bytes.len() < header.length as usize {
            self.oddities.push(Oddity::Short(name.to_string()));
        }
        Ok(true)
    }

    /// Whether the frame is as it was written.
    fn count_frame(&mut self, frame: &FoundFrame<'_>) -> bool {
        let header = frame.header;
        // It was written when the one before it was durable.
        self.marked = self.marked.max(header.sequence.saturating_sub(1));
        self.proven = self.proven.max(self.marked);
        if frame.is_whole() {
            self.whole.insert(header.sequence);
            self.oldest = self.oldest.max(header.oldest);
            self.running_seconds = self.running_seconds.max(header.running_seconds);
        }
        frame.is_whole()
    }

    /// The greatest number that any segment has, a foreign one included.
    pub(super) fn last_number(&self) -> u64 {
        let used = self.used.iter().map(|used| used.name);
        let done = self.done.iter().map(|done| done.name);
        let others = self.blank.iter().chain(&self.hidden).chain(&self.foreign);
        let others = others.copied();
        used.chain(done)
            .chain(others)
            .map(|name| name.number)
            .max()
            .unwrap_or(0)
    }

    /// The segments that do not count any more, and were about to be moved away.
    pub(crate) fn retired(&self) -> impl Iterator<Item = SegmentName> {
        self.done.iter().map(|done| done.name)
    }

    /// Those of them that nobody misses: all that they hold stands elsewhere.
    pub(super) fn copied(&self) -> Vec<SegmentName> {
        let copied = self.done.iter().filter(|done| done.is_copied);
        copied.map(|done| done.name).collect()
    }

    /// Somebody else knows that everything up to `sequence` was durable.
    pub(crate) fn add_witness(&mut self, sequence: u64) {
        self.proven = self.proven.max(sequence);
    }

    /// Whether the last frame that was durable is lost, and only somebody else knows of it: nobody
    /// can tell whether it was the last one.
    pub(crate) fn has_lost_its_end(&self) -> bool {
        self.proven > self.marked && !self.whole.contains(self.proven)
    }

    /// The sequences that were durable, and whose frames cannot be read as they were written.
    pub(crate) fn missing(&self) -> Sequences {
        self.whole.missing_between(self.oldest, self.proven)
    }

    /// The last frame, where nothing but itself says that it was durable. After a failed sync it
    /// may be in the system's memory alone.
    pub(crate) fn unproven(&self) -> Option<u64> {
        let last = self.whole.last();
        (last > self.marked && last == self.proven).then_some(last)
    }

    /// The last sequence whose place is what it was before the open.
    pub(crate) fn settled(&self) -> u64 {
        let unproven = self.unproven().unwrap_or(u64::MAX);
        let moved = self.moved_from.unwrap_or(u64::MAX).min(unproven);
        self.proven.min(moved.saturating_sub(1))
    }

    /// Whether everything that was durable is there, nothing of it is in doubt, and each segment goes on
    /// where the one before it ends.
    pub(super) fn is_sound(&self) -> bool {
        let is_harmless = |oddity: &Oddity| matches!(oddity, Oddity::Stray(_));
        let is_in_order = |pair: &[UsedSegment]| pair[0].begins <= pair[1].begins;
        self.missing().is_empty()
            && self.oddities.iter().all(is_harmless)
            && self.used.windows(2).all(is_in_order)
    }

    /// The segment `name` was begun with the frames from `first` to `last`. Some of them may have been
    /// written again.
    pub(super) fn add_written(&mut self, name: SegmentName, first: u64, last: u64) {
        let mut written = UsedSegment::new(name);
        written.begins = Some(first);
        written.whole.insert_all(first..=last);
        self.used.push(written);
    }

    /// The segment `name`, in which nothing counts, is not there any more.
    pub(super) fn forget(&mut self, name: SegmentName) {
        self.done.retain(|done| done.name != name);
    }

    /// All that stood in the segments `names`, from the sequence `first` on, stands elsewhere.
    pub(super) fn move_away(&mut self, names: &[SegmentName], first: u64) {
        self.used.retain(|used| !names.contains(&used.name));
        self.moved_from = Some(first);
    }

    /// Reads every change behind `after` that was durable, in order; of a damaged frame those that
    /// are not damaged, and the keys of those that are.
    pub(crate) fn replay(
        &self,
        disk: &dyn Disk,
        directory: &Path,
        after: u64,
        mut visit: impl FnMut(Replayed<'_>),
    ) -> io::Result<()> {
        for (name, sequences) in self.runs(after) {
            let (bytes, _) = read_segment(disk, directory, name)?;
            scan(name, &bytes, |found| {
                let Found::Frame(frame) = found else { return };
                let sequence = frame.header.sequence;
                let counts = frame.is_whole() || !self.whole.contains(sequence);
                if sequences.contains(&sequence) && counts {
                    visit_changes(name, &frame, &mut visit);
                }
            });
        }
        Ok(())
    }

    /// What was durable behind `after`, with the segment in which each part of it counts.
    fn runs(&self, after: u64) -> Vec<(SegmentName, RangeInclusive<u64>)> {
        let mut known = Sequences::default();
        for segment in &self.used {
            known.unite(&segment.whole);
            known.unite(&segment.damaged);
        }
        known.forget_below(self.oldest.max(after.saturating_add(1)));
        let mut runs: Vec<(SegmentName, RangeInclusive<u64>)> = Vec::new();
        for sequence in known.ranges().flatten() {
            let place = self.place_of(sequence).filter(|_| sequence <= self.proven);
            match (place, runs.last_mut()) {
                (None, _) => {}
                (Some(name), Some((last, run))) if name == *last => {
                    *run = *run.start()..=sequence;
                }
                (Some(name), _) => runs.push((name, sequence..=sequence)),
            }
        }
        runs
    }

    /// Where the frame of `sequence` counts: where it stands last. There it stays longest.
    fn place_of(&self, sequence: u64) -> Option<SegmentName> {
        let mut backwards = self.used.iter().rev();
        let whole = backwards.find(|used| used.whole.contains(sequence));
        // What was torn before was never acknowledged, or was written again.
        let mut damaged = self.used.iter().rev();
        let found = whole.or_else(|| damaged.find(|used| used.damaged.contains(sequence)));
        found.map(|used| used.name)
    }
}

impl UsedSegment {
    fn new(name: SegmentName) -> UsedSegment {
        UsedSegment {
            name,
            begins: None,
            whole: Sequences::default(),
            damaged: Sequences::default(),
        }
    }

    fn add(&mut self, sequence: u64, is_whole: bool) {
        self.begins = self.begins.or(Some(sequence));
        match is_whole {
            true => self.whole.insert(sequence),
            false => self.damaged.insert(sequence),
        }
    }
}

impl Replayed<'_> {
    /// The change itself, unless it is damaged.
    pub(super) fn change(&self) -> Option<Change> {
        let key = self.key.to_vec();
        match self.value {
            FoundValue::Put(value) => Some(Change::Put {
                key,
                value: value.to_vec(),
            }),
            FoundValue::Deleted => Some(Change::Delete { key }),
            FoundValue::Damaged => None,
        }
    }
}

pub(crate) fn visit_changes(
    name: SegmentName,
    frame: &FoundFrame<'_>,
    visit: &mut impl FnMut(Replayed<'_>),
) {
    for change in &frame.changes {
        visit(Replayed {
            position: Position {
                sequence: frame.header.sequence,
                segment: name.number,
                frame: frame.offset,
                change: change.offset,
            },
            key: change.key,
            value: change.value,
        });
    }
}

/// The latest format of the records in `frame`, if it is later than ours.
fn newest_record(frame: &FoundFrame<'_>) -> Option<u8> {
    let formats = frame
        .changes
        .iter()
        .filter_map(|change| match change.value {
            FoundValue::Put(value) => record::newer_format(change.key, value),
            FoundValue::Deleted | FoundValue::Damaged => None,
        });
    formats.max()
}

fn read_segment(
    disk: &dyn Disk,
    directory: &Path,
    name: SegmentName,
) -> io::Result<(Vec<u8>, bool)> {
    let file = disk.open(&name.in_directory(directory))?;
    read_file(&*file)
}

/// All of a file; zeros, and `false`, for what cannot be read.
pub(crate) fn read_file(file: &dyn DiskFile) -> io::Result<(Vec<u8>, bool)> {
    let length = file.length()?.min(LONGEST_READ) as usize;
    let mut bytes = vec![0; length];
    if file.read_at(&mut bytes, 0).is_ok() {
        return Ok((bytes, true));
    }
    bytes.fill(0);
    for (index, part) in bytes.chunks_mut(READ_BYTES).enumerate() {
        if file.read_at(part, (index * READ_BYTES) as u64).is_err() {
            part.fill(0);
        }
    }
    Ok((bytes, false))
}

const _: () = assert!((SEGMENT_BYTES as usize).is_multiple_of(SECTOR));
