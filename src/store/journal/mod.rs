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
//! 5. Where there is no room for a frame, or the next segment cannot be made, nothing was written, and
//!    nothing is unknown: whoever asked is refused, and the next is not, if it can be made then.

mod frame;
mod joining;
mod opening;
mod owner;
mod retirement;
mod scan;
mod segment;
mod sequences;
mod spares;
mod survey;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use super::disk::Disk;
use super::{Change, StoreError, Uptime};
pub(crate) use frame::FoundValue;
use frame::{FrameHeader, SECTOR, encode_frame, encode_mark, size_of};
pub(crate) use opening::JournalSettings;
pub(crate) use retirement::OldSegment;
use segment::Segment;
pub(crate) use segment::{Position, SEGMENT_BYTES};
pub(crate) use sequences::Sequences;
use spares::Spares;
pub(crate) use survey::{Oddity, Replayed, Survey, SurveyError};

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
    /// The sequence of the first frame of which anything can be read.
    begins: Option<u64>,
    /// The sequences of those that are whole; of a segment of this open, with all that are to come.
    whole: Sequences,
}

/// The end at which the journal grows.
struct Writer {
    current: Arc<Segment>,
    offset: u32,
    next_sequence: u64,
    oldest: u64,
    has_failed: bool,
}

impl Journal {
    /// Makes `changes` durable together, and says where they stand.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::NotExtended`] and [`StoreError::TooLarge`] promise that nothing
    /// was written. After any other it is not known whether the changes are durable, and the journal
    /// takes nothing more.
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
        self.roll(writer)
            .map_err(|error| not_extended(&self.path(), &error))
    }

    fn write_elsewhere(&self, writer: &mut Writer, changes: &[Change]) -> io::Result<()> {
        self.roll(writer)?;
        self.write(writer, changes)
    }

    /// Goes on in the next segment. Where there is none, nothing has changed.
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
                begins: Some(writer.next_sequence),
                whole: Sequences::from_on(writer.next_sequence),
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

    /// Reads every change that counts, in order, up to the last one that is durable now; of a damaged
    /// one its key.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where keys cannot be read either: whatever was visited may be older than
    /// what stood there.
    pub(crate) fn replay(&self, mut visit: impl FnMut(Replayed<'_>)) -> Result<(), StoreError> {
        let (durable, oldest) = {
            let writer = self.writer();
            (writer.next_sequence - 1, writer.oldest)
        };
        let mut read = Sequences::default();
        for (segment, end) in self.segments_with_ends() {
            let (bytes, _) = survey::read_file(&*segment.file)
                .map_err(|error| refused(&self.path(), "read", &error))?;
            scan::scan(segment.name, &bytes, |found| {
                let scan::Found::Frame(frame) = found else {
                    return;
                };
                let sequence = frame.header.sequence;
                let counts = sequence >= oldest && end.is_none_or(|end| sequence < end);
                if sequence > read.last() && sequence <= durable && counts && frame.is_complete {
                    read.insert(sequence);
                    survey::visit_changes(segment.name, &frame, &mut visit);
                }
            });
        }
        match read.missing_between(oldest, durable).is_empty() {
            true => Ok(()),
            false => Err(StoreError::Damaged {
                reason: "a part of the journal cannot be read any more".to_owned(),
            }),
        }
    }

    /// Each segment with the sequence from which on the later ones have everything.
    fn segments_with_ends(&self) -> Vec<(Arc<Segment>, Option<u64>)> {
        let segments = self.segments();
        let mut next = None;
        let backwards = segments.values().rev().map(|one| {
            let end = next;
            next = one.whole.first().or(next);
            (Arc::clone(&one.segment), end)
        });
        let mut open: Vec<_> = backwards.collect();
        open.reverse();
        open
    }

    /// The last sequence that is durable.
    pub(crate) fn durable(&self) -> u64 {
        self.writer().next_sequence - 1
    }

    /// The number of the segment that is being written.
    pub(crate) fn current_segment(&self) -> u64 {
        self.writer().current.name.number
    }

    /// For how long it has been open, in all its lives; of earlier ones, up to their last frame.
    pub(crate) fn running_time(&self) -> Duration {
        Duration::from_secs(self.ran_before).saturating_add((self.uptime)())
    }

    fn running_seconds(&self) -> u64 {
        self.running_time().as_secs()
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

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(error.kind(), K::StorageFull | K::QuotaExceeded)
}

/// Why there is no other segment. Whatever was begun of it is never used.
fn not_extended(path: &Path, error: &io::Error) -> StoreError {
    let path = path.to_owned();
    match is_full(error) {
        true => StoreError::Full { path },
        false => StoreError::NotExtended {
            path,
            reason: error.to_string(),
        },
    }
}

fn refused(path: &Path, doing: &'static str, error: &io::Error) -> StoreError {
    StoreError::Io {
        path: path.to_owned(),
        doing,
        reason: error.to_string(),
    }
}
