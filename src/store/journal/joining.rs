//! Where few segments lie ready, what restarts left in the last ones is written again, together, as the
//! beginning of the new one. On a full disk each open would take another one of those that are kept for
//! decisions, and leave it nearly empty.
//!
//! ```text
//!  3: frames 40 41 │ 4: frame 42 │ 5: frame 43  ──▶  6: frames 40 41 42 43, and what comes
//!  └────────── zeros again, and ready ──────────┘
//! ```
//!
//! 1. A segment that has only a part of it is never seen: it has another name until it is durable.
//! 2. Nor is one of which only a part is zeros again.
//! 3. Nothing is written again of a journal in which anything is damaged.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::frame::{FrameHeader, SECTOR, encode_frame, encode_mark, size_of};
use super::opening::{Begun, JournalSettings};
use super::segment::{Segment, SegmentName, write_zeros};
use super::sequences::Sequences;
use super::spares::SPARES;
use super::survey::{Survey, UsedSegment};
use super::{Counting, Journal, Segments};
use crate::store::Change;
use crate::store::disk::Disk;

/// How many segments are looked at, so that what is held in memory is bounded.
const LONGEST: usize = 4;

/// The end of the name of a segment that is not to be seen.
const HIDDEN: &str = ".hidden";

/// What is written again.
pub(super) struct Joined {
    /// The segments that it stood in, in order.
    pub(super) names: Vec<SegmentName>,
    /// The sequence of its first frame.
    pub(super) first: u64,
    frames: Vec<Vec<Change>>,
}

impl Joined {
    /// As many of the last segments as fit into one.
    pub(super) fn find(settings: &JournalSettings, survey: &Survey) -> io::Result<Option<Joined>> {
        if !survey.is_sound() {
            return Ok(None);
        }
        let candidates = candidates(survey);
        let first_of = |used: &UsedSegment| {
            let first = used.whole.first().unwrap_or_default();
            first.max(survey.oldest)
        };
        let Some(begin) = candidates.first().map(first_of) else {
            return Ok(None);
        };
        let mut frames = frames_from(settings, survey, begin)?;
        for (index, used) in candidates.iter().enumerate() {
            let first = first_of(used);
            frames = frames.split_off(&first);
            // Behind them, the frame that opens the segment, and a mark.
            if size(frames.values()) + 2 * SECTOR <= settings.segment_bytes as usize {
                return Ok(Some(Joined {
                    names: candidates[index..].iter().map(|used| used.name).collect(),
                    first,
                    frames: frames.into_values().collect(),
                }));
            }
        }
        Ok(None)
    }

    /// Begins `blank` with it, which stands for its `segments` from there on.
    pub(super) fn begin(
        &self,
        settings: &JournalSettings,
        survey: &Survey,
        blank: Segment,
        segments: &mut Segments,
    ) -> io::Result<Begun> {
        let (segment, offset) = self.write(settings, survey, blank)?;
        let current = Arc::new(segment);
        for name in &self.names {
            segments.remove(&name.number);
        }
        let counting = Counting {
            segment: Arc::clone(&current),
            begins: Some(self.first),
            whole: Sequences::from_on(self.first),
        };
        segments.insert(current.name.number, counting);
        Ok(Begun {
            current,
            offset,
            begins: self.first,
            next_sequence: self.first + self.frames.len() as u64,
        })
    }

    /// Writes it to `blank`, which becomes visible again with all of it.
    fn write(
        &self,
        settings: &JournalSettings,
        survey: &Survey,
        blank: Segment,
    ) -> io::Result<(Segment, u32)> {
        let (disk, directory) = (&*settings.disk, settings.journal());
        let name = blank.name;
        let mut bytes = blank.header(survey.queue, settings.segment_bytes);
        for (sequence, changes) in (self.first..).zip(&self.frames) {
            let header = FrameHeader::new(sequence, survey.oldest, survey.running_seconds);
            let place = name.place(bytes.len() as u32);
            bytes.extend_from_slice(&encode_frame(place, header, changes));
        }
        // Durable with all the rest. An open that is stopped right behind this has lost nothing, and knows it.
        let offset = bytes.len() as u32;
        let last = self.first + self.frames.len() as u64 - 1;
        bytes.extend_from_slice(&encode_mark(name.place(offset), last));
        // A file has to be closed before it is renamed.
        drop(blank);
        let hidden = hide(disk, &directory, name, name)?;
        let file = disk.open(&hidden)?;
        file.write_at(&bytes, 0)?;
        file.sync()?;
        drop(file);
        Ok((show(disk, &directory, name)?, offset))
    }
}

impl Journal {
    /// Makes the segments blank that were joined. What cannot be done now, the next open does.
    pub(super) fn wipe_joined(&self, settings: &JournalSettings, joined: &Joined) {
        for old in &joined.names {
            let mut spares = self.spares();
            if spares.ready.len() >= SPARES {
                drop(self.disk.remove(&old.in_directory(&self.directory)));
                continue;
            }
            let new = SegmentName {
                number: spares.next_number,
                epoch: self.epoch,
            };
            spares.next_number += 1;
            match wipe(settings, *old, new) {
                Ok(blank) => spares.ready.push_back(blank),
                Err(error) => tracing::warn!(%error, "a segment of the queue is not used again"),
            }
        }
    }
}

/// Makes those segments blank that were joined when an open was stopped: all that they hold stands in a
/// later one. On a full disk they may be all the room there is.
pub(super) fn wipe_copied(
    settings: &JournalSettings,
    survey: &mut Survey,
    mut next: impl FnMut() -> SegmentName,
) -> Vec<Segment> {
    let mut blank = Vec::new();
    if !survey.is_sound() {
        return blank;
    }
    for old in survey.copied() {
        survey.forget(old);
        match wipe(settings, old, next()) {
            Ok(segment) => blank.push(segment),
            Err(error) => tracing::warn!(%error, "a segment of the queue is not used again"),
        }
    }
    blank
}

/// The last segments, those alone whose beginning can be read.
fn candidates(survey: &Survey) -> Vec<UsedSegment> {
    let has_beginning = |used: &&UsedSegment| {
        let first = used.whole.first();
        first.is_some() && used.begins == first
    };
    let last = survey.used.iter().rev().take(LONGEST);
    let mut candidates: Vec<_> = last.take_while(has_beginning).cloned().collect();
    candidates.reverse();
    candidates
}

/// The changes of every frame from `first` on.
fn frames_from(
    settings: &JournalSettings,
    survey: &Survey,
    first: u64,
) -> io::Result<BTreeMap<u64, Vec<Change>>> {
    let sequences = first..=survey.proven;
    let mut frames: BTreeMap<u64, Vec<Change>> = sequences.map(|one| (one, Vec::new())).collect();
    settings.replay(survey, first - 1, |replayed| {
        if let Some(changes) = frames.get_mut(&replayed.position.sequence) {
            changes.extend(replayed.change());
        }
    })?;
    Ok(frames)
}

/// What they take, behind the header of their segment.
fn size<'a>(frames: impl Iterator<Item = &'a Vec<Change>>) -> usize {
    SECTOR + frames.map(|changes| size_of(changes)).sum::<usize>()
}

/// Makes `old`, in which nothing counts any more, a blank segment by the name of `new`.
fn wipe(settings: &JournalSettings, old: SegmentName, new: SegmentName) -> io::Result<Segment> {
    let (disk, directory) = (&*settings.disk, settings.journal());
    hide(disk, &directory, old, new)?;
    wipe_hidden(settings, new, new)
}

/// The same with one that an earlier open has hidden already.
pub(super) fn wipe_hidden(
    settings: &JournalSettings,
    old: SegmentName,
    new: SegmentName,
) -> io::Result<Segment> {
    let (disk, directory) = (&*settings.disk, settings.journal());
    let file = disk.open(&hidden_path(&directory, old))?;
    write_zeros(&*file, settings.segment_bytes)?;
    file.sync()?;
    drop(file);
    if old != new {
        disk.rename(&hidden_path(&directory, old), &hidden_path(&directory, new))?;
    }
    show(disk, &directory, new)
}

/// The segment that the name of a hidden one tells.
pub(super) fn parse_hidden(name: &str) -> Option<SegmentName> {
    SegmentName::parse(name.strip_suffix(HIDDEN)?)
}

pub(super) fn hidden_path(directory: &Path, name: SegmentName) -> PathBuf {
    directory.join(format!("{name}{HIDDEN}"))
}

fn hide(
    disk: &dyn Disk,
    directory: &Path,
    old: SegmentName,
    new: SegmentName,
) -> io::Result<PathBuf> {
    let hidden = hidden_path(directory, new);
    disk.rename(&old.in_directory(directory), &hidden)?;
    disk.sync_directory(directory)?;
    Ok(hidden)
}

fn show(disk: &dyn Disk, directory: &Path, name: SegmentName) -> io::Result<Segment> {
    let path = name.in_directory(directory);
    disk.rename(&hidden_path(directory, name), &path)?;
    disk.sync_directory(directory)?;
    let file = disk.open(&path)?;
    Ok(Segment { name, file })
}
