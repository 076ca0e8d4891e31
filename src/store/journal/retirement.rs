//! Segments that do not count any more, and the audit trail that they become.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::segment::SegmentName;
use super::survey::{self, Replayed};
use super::{Journal, Sequences, frame, refused, scan};
use crate::store::StoreError;

/// The name of a retired segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RetiredName {
    pub(super) segment: SegmentName,
    /// When it was retired, on the clock of [`Journal::running_seconds`].
    at_seconds: u64,
}

impl RetiredName {
    pub(super) fn parse(name: &str) -> Option<RetiredName> {
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

impl Journal {
    /// How many segments count, the current one among them.
    pub(crate) fn segment_count(&self) -> usize {
        self.segments().len()
    }

    /// The oldest segment that counts, unless it is the current one, with all of its bytes.
    pub(crate) fn oldest(&self) -> Result<Option<OldSegment>, StoreError> {
        let (current, counts_from) = {
            let writer = self.writer();
            (writer.current.name, writer.oldest)
        };
        let (oldest, later, later_begin) = {
            let segments = self.segments();
            let oldest = segments.values().next();
            let oldest = oldest.map(|one| (Arc::clone(&one.segment), one.whole.first()));
            let mut later = Sequences::default();
            segments
                .values()
                .skip(1)
                .for_each(|one| later.unite(&one.whole));
            let begins = segments.values().skip(1).filter_map(|one| one.begins);
            (oldest, later, begins.min())
        };
        let oldest = oldest.filter(|(segment, _)| segment.name != current);
        let Some((segment, first)) = oldest else {
            return Ok(None);
        };
        let (bytes, _) = survey::read_file(&*segment.file)
            .map_err(|error| refused(&self.path(), "read", &error))?;
        Ok(Some(OldSegment {
            name: segment.name,
            bytes,
            counts_from,
            first: first.map(|first| first.max(counts_from)),
            later,
            later_begin,
        }))
    }

    /// Takes `old` out of the journal. Everything in it that still counts was appended again.
    pub(crate) fn retire(&self, old: OldSegment) -> Result<(), StoreError> {
        {
            let mut writer = self.writer();
            let next = old.later_begin.unwrap_or(writer.next_sequence);
            writer.oldest = writer.oldest.max(next);
        }
        self.append(&[])?;
        // The file has to be closed before it is moved.
        self.segments_mut().remove(&old.name.number);
        self.move_to_audit(old.name)
            .map_err(|error| refused(&self.path(), "retired", &error))
    }

    /// Counts nothing any more that stood in segments that are not there, damaged ones that were lost.
    /// Whatever of it was still to be had was appended again.
    pub(crate) fn forget_what_is_gone(&self) -> Result<(), StoreError> {
        let first = {
            let segments = self.segments();
            segments.values().filter_map(|one| one.whole.first()).min()
        };
        {
            let mut writer = self.writer();
            writer.oldest = writer.oldest.max(first.unwrap_or_default());
        }
        self.append(&[]).map(drop)
    }

    pub(super) fn move_to_audit(&self, segment: SegmentName) -> io::Result<()> {
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
        let used = frame::used_length(&bytes);
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
    /// The first sequence that counts.
    counts_from: u64,
    /// The sequence of its first frame that counts, where that could be read.
    first: Option<u64>,
    /// What stands whole in later segments.
    later: Sequences,
    /// The first sequence of which a later segment has anything: of a damaged frame, what is left.
    later_begin: Option<u64>,
}

impl OldSegment {
    pub(crate) fn number(&self) -> u64 {
        self.name.number
    }

    /// Reads every change that is still to be read, damaged ones apart.
    ///
    /// What stands in a later segment, too, was torn here, or was written again after a failed sync or at
    /// an open. What does not count any more was carried forward before the power went, and the segment
    /// stayed.
    pub(crate) fn changes(&self, mut visit: impl FnMut(Replayed<'_>)) {
        self.frames(|frame| {
            let sequence = frame.header.sequence;
            if sequence >= self.counts_from && !self.later.contains(sequence) {
                survey::visit_changes(self.name, &frame, &mut visit);
            }
        });
    }

    /// Whether everything that counts in it can still be read as it was written.
    pub(crate) fn is_whole(&self) -> bool {
        let mut whole = Sequences::default();
        self.frames(|frame| {
            if frame.is_whole() {
                whole.insert(frame.header.sequence);
            }
        });
        let next = self.later.first();
        let last = next.map_or(whole.last(), |next| next.saturating_sub(1));
        let first = self.first.unwrap_or(u64::MAX);
        whole.missing_between(first, last).is_empty()
    }

    fn frames(&self, mut visit: impl FnMut(scan::FoundFrame<'_>)) {
        scan::scan(self.name, &self.bytes, |found| {
            if let scan::Found::Frame(frame) = found {
                visit(frame);
            }
        });
    }
}
