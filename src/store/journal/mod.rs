//! The write-ahead journal: what is in here is the queue, whatever else is lost.
//!
//! ```text
//!  append ──▶ current segment ──fdatasync──▶ durable ──▶ mark, then Ok
//!                 │ full, or its sync failed
//!                 ▼
//!             next spare (zeros, synced, its name durable) … made in the background
//!
//!  oldest segment ──live records copied to the head──▶ a frame says so ──▶ audit/
//! ```
//!
//! 1. One frame at a time: it is durable before the next one is begun.
//! 2. A failed sync is never tried again on its file, which may have lost what it says it has: the
//!    frame goes to the next segment. If that fails, too, its outcome is unknown, and the journal
//!    takes nothing more until it is opened again.
//! 3. Nothing is appended to a segment of an earlier open. What was the last frame then, and may be
//!    in the system's memory alone, is written again first.
//! 4. A segment goes only when a durable frame says that it does not count any more.
//! 5. Where there is no room for a frame nothing was written, and nothing is unknown.

mod frame;
mod scan;
mod segment;
mod sequences;
mod survey;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::disk::Disk;
use super::{Change, StoreError, Uptime};
pub(crate) use frame::FORMAT;
pub(crate) use frame::FoundValue;
use frame::{FrameHeader, SECTOR, encode_frame, encode_mark, size_of};
pub(crate) use segment::{Position, SEGMENT_BYTES};
use segment::{Segment, SegmentName};
pub(crate) use sequences::Sequences;
pub(crate) use survey::{Oddity, Replayed, Survey, SurveyError};

/// How many segments lie ready: room for decisions when the disk is full.
const SPARES: usize = 2;

/// The directories below the queue's own.
const JOURNAL_DIRECTORY: &str = "journal";
const AUDIT_DIRECTORY: &str = "audit";

/// An open journal.
pub(crate) struct Journal {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    audit: PathBuf,
    segment_bytes: u32,
    epoch: u64,
    queue: u64,
    /// The seconds that the queue was open in earlier lives.
    ran_before: u64,
    uptime: Uptime,
    writer: Mutex<Writer>,
    spares: Mutex<Spares>,
    /// Those that count, for reading.
    segments: RwLock<Segments>,
}

/// Segments by their number.
type Segments = BTreeMap<u64, Counting>;

/// A segment that counts.
struct Counting {
    segment: Arc<Segment>,
    /// The sequence of its first frame, where that can be read.
    first: Option<u64>,
}

/// The end at which the journal grows.
struct Writer {
    current: Arc<Segment>,
    offset: u32,
    next_sequence: u64,
    oldest: u64,
    has_failed: bool,
}

#[derive(Default)]
struct Spares {
    ready: VecDeque<Segment>,
    next_number: u64,
    /// Whether the last one could not be made for lack of room.
    is_full: bool,
}

/// Where a journal lies, and how it is cut.
#[derive(Clone)]
pub(crate) struct JournalSettings {
    pub(crate) disk: Arc<dyn Disk>,
    /// The queue's directory.
    pub(crate) directory: PathBuf,
    pub(crate) segment_bytes: u32,
    pub(crate) uptime: Uptime,
}

impl JournalSettings {
    fn journal(&self) -> PathBuf {
        self.directory.join(JOURNAL_DIRECTORY)
    }

    fn audit(&self) -> PathBuf {
        self.directory.join(AUDIT_DIRECTORY)
    }

    /// Makes the directories where they are missing, and reads what is in them.
    pub(crate) fn survey(&self) -> Result<Survey, SurveyError> {
        for directory in [self.journal(), self.audit()] {
            self.disk.create_directory(&directory)?;
            sync_upwards(&*self.disk, &directory)?;
        }
        Survey::read(&*self.disk, &self.journal())
    }

    /// Reads every durable change behind `after`, in order.
    pub(crate) fn replay(
        &self,
        survey: &Survey,
        after: u64,
        visit: impl FnMut(Replayed<'_>),
    ) -> io::Result<()> {
        survey.replay(&*self.disk, &self.journal(), after, visit)
    }
}

impl Journal {
    /// Goes on with what `survey` found, in a segment of its own.
    pub(crate) fn open(settings: JournalSettings, survey: &Survey) -> Result<Journal, StoreError> {
        let path = settings.directory.clone();
        Journal::open_or_fail(settings, survey).map_err(|error| match error {
            OpenFailure::Io(error) => refused(&path, "opened", &error),
            OpenFailure::Store(error) => error,
        })
    }

    fn open_or_fail(settings: JournalSettings, survey: &Survey) -> Result<Journal, OpenFailure> {
        let (directory, audit) = (settings.journal(), settings.audit());
        let disk = Arc::clone(&settings.disk);
        let last = match survey.unproven() {
            Some(last) => changes_of(&settings, survey, last)?,
            None => Vec::new(),
        };
        let segments = durable_segments(&*disk, &directory, survey)?;
        let numbers = survey
            .used
            .iter()
            .map(|used| used.name)
            .chain(survey.blank.iter().copied());
        let numbers = numbers.map(|name| name.number);
        let retired = disk.names(&audit)?;
        let retired = retired.iter().filter_map(|name| RetiredName::parse(name));
        let retired = retired.map(|name| name.segment.number);
        let next_number = numbers.chain(retired).max().map_or(1, |number| number + 1);
        for name in &survey.blank {
            disk.remove(&name.in_directory(&directory))?;
        }
        let epoch = uuid::Uuid::new_v4().as_u64_pair().0;
        let name = SegmentName {
            number: next_number,
            epoch,
        };
        let current = Segment::make(&*disk, &directory, name, settings.segment_bytes)?;
        disk.sync_directory(&directory)?;
        let journal = Journal {
            disk,
            directory,
            audit,
            segment_bytes: settings.segment_bytes,
            epoch,
            queue: survey.queue,
            ran_before: survey.running_seconds,
            uptime: settings.uptime,
            writer: Mutex::new(Writer {
                current: Arc::new(current),
                offset: 0,
                next_sequence: survey.unproven().unwrap_or(survey.proven + 1),
                oldest: survey.oldest,
                has_failed: false,
            }),
            spares: Mutex::new(Spares {
                next_number: next_number + 1,
                ..Spares::default()
            }),
            segments: RwLock::new(segments),
        };
        // Whatever was the last frame is followed by one that was written when it was durable.
        journal.append(&last).map_err(OpenFailure::Store)?;
        for name in survey.retired() {
            journal.move_to_audit(name)?;
        }
        Ok(journal)
    }

    /// Makes `changes` durable together, and says where they stand.
    ///
    /// # Errors
    /// [`StoreError::Full`] and [`StoreError::TooLarge`] promise that nothing was written. After any
    /// other it is not known whether the changes are durable, and the journal takes nothing more.
    pub(crate) fn append(&self, changes: &[Change]) -> Result<Vec<Position>, StoreError> {
        let mut writer = self.writer();
        if writer.has_failed {
            return Err(StoreError::Failed { path: self.path() });
        }
        self.make_room(&mut writer, size_of(changes))?;
        let Err(error) = self.write(&mut writer, changes).or_else(|error| {
            tracing::warn!(%error, "a segment of the queue cannot be written, another one is taken");
            self.write_elsewhere(&mut writer, changes)
        }) else {
            return Ok(self.positions(&writer, changes));
        };
        writer.has_failed = true;
        Err(refused(&self.path(), "written", &error))
    }

    fn make_room(&self, writer: &mut Writer, size: usize) -> Result<(), StoreError> {
        let room = self.segment_bytes as usize;
        if size > room - SECTOR {
            return Err(StoreError::TooLarge { length_bytes: size });
        }
        if writer.offset as usize + size <= room {
            return Ok(());
        }
        self.roll(writer).map_err(|error| match is_full(&error) {
            true => StoreError::Full { path: self.path() },
            false => refused(&self.path(), "extended", &error),
        })
    }

    fn write_elsewhere(&self, writer: &mut Writer, changes: &[Change]) -> io::Result<()> {
        self.roll(writer)?;
        self.write(writer, changes)
    }

    /// Goes on in the next segment.
    fn roll(&self, writer: &mut Writer) -> io::Result<()> {
        let spare = {
            let mut spares = self.spares();
            if spares.ready.is_empty() {
                self.make_spare(&mut spares)?;
            }
            spares.ready.pop_front()
        };
        let spare = spare.ok_or(io::ErrorKind::StorageFull)?;
        writer.current = Arc::new(spare);
        writer.offset = 0;
        Ok(())
    }

    /// Writes one frame, and returns when it is durable.
    fn write(&self, writer: &mut Writer, changes: &[Change]) -> io::Result<()> {
        let segment = Arc::clone(&writer.current);
        let is_first = writer.offset == 0;
        let mut bytes = match is_first {
            true => segment.header(self.queue, self.segment_bytes),
            false => Vec::new(),
        };
        let offset = writer.offset + bytes.len() as u32;
        let header = FrameHeader::new(writer.next_sequence, writer.oldest, self.running_seconds());
        let place = segment.name.place(offset);
        bytes.extend_from_slice(&encode_frame(place, header, changes));
        segment.file.write_at(&bytes, u64::from(writer.offset))?;
        segment.file.sync()?;
        if is_first {
            let counting = Counting {
                segment: Arc::clone(&segment),
                first: Some(writer.next_sequence),
            };
            self.segments_mut().insert(segment.name.number, counting);
        }
        writer.offset += bytes.len() as u32;
        self.mark(writer);
        writer.next_sequence += 1;
        Ok(())
    }

    /// Says in the file that what was written is durable. Nobody waits for it: it tells a damaged
    /// end from a torn one, where it is there.
    fn mark(&self, writer: &Writer) {
        if writer.offset as usize + SECTOR > self.segment_bytes as usize {
            return;
        }
        let name = writer.current.name;
        let mark = encode_mark(name.place(writer.offset), writer.next_sequence);
        if let Err(error) = writer
            .current
            .file
            .write_at(&mark, u64::from(writer.offset))
        {
            tracing::warn!(%error, "a mark in the queue cannot be written");
        }
    }

    /// Where the changes of the frame that was just written stand.
    fn positions(&self, writer: &Writer, changes: &[Change]) -> Vec<Position> {
        let frame = writer.offset - size_of(changes) as u32;
        let mut change = frame::FRAME_HEADER as u32;
        let place = changes.iter().map(|one| {
            let position = Position {
                sequence: writer.next_sequence - 1,
                segment: writer.current.name.number,
                frame,
                change,
            };
            change += frame::change_size(one) as u32;
            position
        });
        place.collect()
    }

    /// The value of `key` that stands at `position`; `None` where it does not stand there any more.
    pub(crate) fn read(
        &self,
        position: Position,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(segment) = self.segment(position.segment) else {
            return Ok(None);
        };
        let value = segment.value_at(position, key);
        value.map_err(|error| refused(&self.path(), "read", &error))
    }

    /// Whether an undamaged change of `key` stands at `position`.
    pub(crate) fn vouches_for(&self, position: Position, key: &[u8]) -> Result<bool, StoreError> {
        let Some(segment) = self.segment(position.segment) else {
            return Ok(false);
        };
        let vouches = segment.vouches_for(position, key);
        vouches.map_err(|error| refused(&self.path(), "read", &error))
    }

    /// Reads every change that counts, in order, up to the last one that is durable now.
    pub(crate) fn replay(&self, mut visit: impl FnMut(Replayed<'_>)) -> Result<(), StoreError> {
        let (durable, oldest) = {
            let writer = self.writer();
            (writer.next_sequence - 1, writer.oldest)
        };
        let open = self
            .segments()
            .values()
            .map(|one| Arc::clone(&one.segment))
            .collect::<Vec<_>>();
        let mut last = oldest - 1;
        for segment in open {
            let (bytes, _) = survey::read_file(&*segment.file)
                .map_err(|error| refused(&self.path(), "read", &error))?;
            scan::scan(segment.name, &bytes, |found| {
                let scan::Found::Frame(frame) = found else {
                    return;
                };
                let sequence = frame.header.sequence;
                if sequence > last && sequence <= durable && frame.is_whole() {
                    last = sequence;
                    survey::visit_changes(segment.name, &frame, &mut visit);
                }
            });
        }
        Ok(())
    }

    /// The last sequence that is durable.
    pub(crate) fn durable(&self) -> u64 {
        self.writer().next_sequence - 1
    }

    /// The number of the segment that is being written.
    pub(crate) fn current_segment(&self) -> u64 {
        self.writer().current.name.number
    }

    fn running_seconds(&self) -> u64 {
        self.ran_before.saturating_add((self.uptime)().as_secs())
    }

    fn segment(&self, number: u64) -> Option<Arc<Segment>> {
        let segments = self.segments();
        segments.get(&number).map(|one| Arc::clone(&one.segment))
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.clone()
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spares(&self) -> MutexGuard<'_, Spares> {
        self.spares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn segments(&self) -> RwLockReadGuard<'_, Segments> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn segments_mut(&self) -> RwLockWriteGuard<'_, Segments> {
        self.segments
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Spare segments.
impl Journal {
    /// Makes one more segment, if there are not enough. Says whether there are enough now.
    pub(crate) fn prepare(&self) -> io::Result<bool> {
        let mut spares = self.spares();
        if spares.ready.len() >= SPARES {
            return Ok(true);
        }
        self.make_spare(&mut spares)?;
        Ok(spares.ready.len() >= SPARES)
    }

    /// Whether there are fewer spare segments than there should be.
    pub(crate) fn lacks_spares(&self) -> bool {
        self.spares().ready.len() < SPARES
    }

    /// Whether the last segment could not be made for lack of room.
    pub(crate) fn is_full(&self) -> bool {
        self.spares().is_full
    }

    fn make_spare(&self, spares: &mut Spares) -> io::Result<()> {
        let name = SegmentName {
            number: spares.next_number,
            epoch: self.epoch,
        };
        let made = Segment::make(&*self.disk, &self.directory, name, self.segment_bytes)
            .and_then(|segment| {
                self.disk.sync_directory(&self.directory)?;
                Ok(segment)
            })
            .inspect_err(|_| {
                // What was begun only takes room; an open would remove it, too.
                let _ = self.disk.remove(&name.in_directory(&self.directory));
            });
        spares.is_full = made.as_ref().is_err_and(is_full);
        // Never again this name: nobody knows what a failed removal left of it.
        spares.next_number += 1;
        spares.ready.push_back(made?);
        Ok(())
    }
}

/// The name of a retired segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RetiredName {
    segment: SegmentName,
    /// When it was retired, on the clock of [`Journal::running_seconds`].
    at_seconds: u64,
}

impl RetiredName {
    fn parse(name: &str) -> Option<RetiredName> {
        let (segment, at) = name.split_once('@')?;
        Some(RetiredName {
            segment: SegmentName::parse(segment)?,
            at_seconds: u64::from_str_radix(at, 16).ok()?,
        })
    }
}

impl std::fmt::Display for RetiredName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{:016x}", self.segment, self.at_seconds)
    }
}

/// Retirement.
impl Journal {
    /// How many segments count, the current one among them.
    pub(crate) fn segment_count(&self) -> usize {
        self.segments().len()
    }

    /// The oldest segment that counts, unless it is the current one, with all of its bytes.
    pub(crate) fn oldest(&self) -> Result<Option<OldSegment>, StoreError> {
        let current = self.writer().current.name;
        let (oldest, next) = {
            let segments = self.segments();
            let oldest = segments.values().next().map(|one| Arc::clone(&one.segment));
            // One that cannot be read from its beginning begins where it can be.
            (oldest, segments.values().skip(1).find_map(|one| one.first))
        };
        let Some(segment) = oldest.filter(|oldest| oldest.name != current) else {
            return Ok(None);
        };
        let (bytes, _) = survey::read_file(&*segment.file)
            .map_err(|error| refused(&self.path(), "read", &error))?;
        Ok(Some(OldSegment {
            name: segment.name,
            bytes,
            next,
        }))
    }

    /// Takes `old` out of the journal. Everything in it that still counts was appended again.
    pub(crate) fn retire(&self, old: OldSegment) -> Result<(), StoreError> {
        {
            let mut writer = self.writer();
            let next = old.next.unwrap_or(writer.next_sequence);
            writer.oldest = writer.oldest.max(next);
        }
        self.append(&[])?;
        // The file has to be closed before it is moved.
        self.segments_mut().remove(&old.name.number);
        self.move_to_audit(old.name)
            .map_err(|error| refused(&self.path(), "retired", &error))
    }

    fn move_to_audit(&self, segment: SegmentName) -> io::Result<()> {
        let retired = RetiredName {
            segment,
            at_seconds: self.running_seconds(),
        };
        let from = segment.in_directory(&self.directory);
        self.disk
            .rename(&from, &self.audit.join(retired.to_string()))?;
        self.disk.sync_directory(&self.audit)?;
        self.disk.sync_directory(&self.directory)?;
        self.trim(&self.audit.join(retired.to_string()))
    }

    /// Gives the room of the zeros back that were never written to.
    fn trim(&self, retired: &Path) -> io::Result<()> {
        let file = self.disk.open(retired)?;
        let (bytes, is_readable) = survey::read_file(&*file)?;
        let used = bytes.iter().rposition(|byte| *byte != 0);
        let used = frame::whole_sectors(used.map_or(0, |last| last + 1));
        match is_readable {
            true => file.truncate(used as u64),
            // What the device does not give back now, it may later.
            false => Ok(()),
        }
    }

    /// Removes what was retired longer ago than `retention_seconds` of running time.
    pub(crate) fn prune_audit(&self, retention_seconds: u64) -> io::Result<()> {
        let now = self.running_seconds();
        for name in self.disk.names(&self.audit)? {
            let retired = RetiredName::parse(&name);
            if retired.is_some_and(|one| now.saturating_sub(one.at_seconds) > retention_seconds) {
                self.disk.remove(&self.audit.join(name))?;
            }
        }
        Ok(())
    }
}

/// A segment that is about to be retired.
pub(crate) struct OldSegment {
    name: SegmentName,
    bytes: Vec<u8>,
    /// The first sequence that counts without it.
    next: Option<u64>,
}

impl OldSegment {
    pub(crate) fn number(&self) -> u64 {
        self.name.number
    }

    /// Reads every change that is still to be read, damaged ones apart.
    pub(crate) fn changes(&self, mut visit: impl FnMut(Replayed<'_>)) {
        scan::scan(self.name, &self.bytes, |found| {
            if let scan::Found::Frame(frame) = found {
                survey::visit_changes(self.name, &frame, &mut visit);
            }
        });
    }
}

enum OpenFailure {
    Io(io::Error),
    Store(StoreError),
}

impl From<io::Error> for OpenFailure {
    fn from(error: io::Error) -> Self {
        OpenFailure::Io(error)
    }
}

/// What the frame of `sequence` holds.
fn changes_of(
    settings: &JournalSettings,
    survey: &Survey,
    sequence: u64,
) -> io::Result<Vec<Change>> {
    let mut changes = Vec::new();
    settings.replay(survey, sequence - 1, |replayed| {
        let key = replayed.key.to_vec();
        match replayed.value {
            FoundValue::Put(value) => changes.push(Change::Put {
                key,
                value: value.to_vec(),
            }),
            FoundValue::Deleted => changes.push(Change::Delete { key }),
            FoundValue::Damaged => {}
        }
    })?;
    Ok(changes)
}

/// Opens the segments that hold something, and makes what can be read of them durable: after a
/// killed process it may be in the system's memory alone.
fn durable_segments(disk: &dyn Disk, directory: &Path, survey: &Survey) -> io::Result<Segments> {
    let mut segments = BTreeMap::new();
    for used in survey.counting() {
        let name = used.name;
        let file = disk.open(&name.in_directory(directory))?;
        file.sync()?;
        let counting = Counting {
            segment: Arc::new(Segment { name, file }),
            first: used.ends.map(|(first, _)| first),
        };
        segments.insert(name.number, counting);
    }
    disk.sync_directory(directory)?;
    Ok(segments)
}

/// Makes the names of `directory`, and of every directory above it, durable: whoever made them may
/// have lost power before it could do so.
fn sync_upwards(disk: &dyn Disk, directory: &Path) -> io::Result<()> {
    for (height, directory) in directory.ancestors().enumerate() {
        match disk.sync_directory(directory) {
            // Two levels are ours. A directory above them may be one that we cannot read, or of a
            // file system that has no way to sync it.
            Err(error) if height > 1 && is_out_of_our_hands(&error) => {}
            synced => synced?,
        }
    }
    Ok(())
}

fn is_out_of_our_hands(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(
        error.kind(),
        K::PermissionDenied | K::InvalidInput | K::Unsupported | K::NotFound
    )
}

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(error.kind(), K::StorageFull | K::QuotaExceeded)
}

fn refused(path: &Path, doing: &'static str, error: &io::Error) -> StoreError {
    StoreError::Io {
        path: path.to_owned(),
        doing,
        reason: error.to_string(),
    }
}
