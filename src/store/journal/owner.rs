//! Whose the segments are, found out before anything in them is believed.
//!
//! ```text
//!  headers name ─┬─ one queue ─────────────────────────────────▶ it is ours
//!                └─ several ─┬─ the index names one of them ───▶ that is ours, the others are foreign
//!                            └─ it does not ───────────────────▶ nothing is opened, nothing is touched
//! ```
//!
//! 1. The frames of a foreign segment say what counts and what was durable in another queue: not one of
//!    them is read. Its file is neither moved nor renamed nor removed.
//! 2. Nothing is guessed: the queue of a wrong guess would be retired, and another till's advices sent.
//! 3. A segment without a header, a blank one among them, belongs to the queue of its epoch, which every
//!    open draws anew. Where that is not known it is ours, as long as there is no other queue that it
//!    could be of, or there is nothing in it.

use std::collections::BTreeSet;
use std::path::Path;

use super::super::disk::Disk;
use super::frame::{SECTOR, SegmentHeader, decode_segment_header};
use super::segment::SegmentName;
use super::survey::SurveyError;

/// What the headers of all segments say.
#[derive(Debug, Default)]
pub(super) struct Owners {
    segments: Vec<(SegmentName, Option<SegmentHeader>)>,
    /// The queue that is opened; `None` where no header names one.
    pub(super) ours: Option<u64>,
}

/// Whose a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Ours,
    Foreign,
    /// Nothing says so, but nothing says that there is another queue, either.
    Presumed,
    /// It may be of any of several queues.
    Unknown,
}

impl Owners {
    /// Reads the headers of `names`, and decides. The `index` is asked for its queue only if they do not
    /// agree; where that does not help, the journal is mixed.
    pub(super) fn find(
        disk: &dyn Disk,
        directory: &Path,
        names: &[SegmentName],
        index: impl FnOnce() -> Option<u64>,
    ) -> Result<Owners, SurveyError> {
        let segments = names
            .iter()
            .map(|name| (*name, read_header(disk, directory, *name)));
        let mut owners = Owners {
            segments: segments.collect(),
            ours: None,
        };
        let settled = owners.settled();
        owners.ours = match owners.has_several() {
            false => settled.first().copied(),
            true => index().filter(|queue| settled.contains(queue)),
        };
        if owners.has_several() && owners.ours.is_none() {
            owners.tell_queues();
            return Err(SurveyError::Mixed);
        }
        Ok(owners)
    }

    /// Helps whoever has to move segments away.
    fn tell_queues(&self) {
        for (name, header) in &self.segments {
            if let Some(SegmentHeader { queue, .. }) = header {
                tracing::error!(%name, queue, "this is a segment of one of several queues");
            }
        }
    }

    pub(super) fn of(&self, name: SegmentName) -> Owner {
        let mut of_name = self.segments.iter().filter(|(other, _)| *other == name);
        let header = of_name.find_map(|(_, header)| header.as_ref());
        let queue = match header {
            Some(header) => Some(header.queue),
            None => self.queue_of_epoch(name.epoch),
        };
        match (queue, self.ours) {
            (Some(queue), Some(ours)) if queue != ours => Owner::Foreign,
            (Some(_), _) => Owner::Ours,
            (None, _) if self.has_several() => Owner::Unknown,
            (None, _) => Owner::Presumed,
        }
    }

    fn has_several(&self) -> bool {
        let mut queues = self.segments.iter().filter_map(|(_, header)| *header);
        let first = queues.next();
        first.is_some_and(|first| queues.any(|other| other.queue != first.queue))
    }

    /// The queues of the segments that are what their names say. What somebody gave another name can
    /// speak against an owner, but not for one: no frame of it can be read.
    fn settled(&self) -> BTreeSet<u64> {
        self.headers().map(|header| header.queue).collect()
    }

    fn queue_of_epoch(&self, epoch: u64) -> Option<u64> {
        let mut of_epoch = self.headers().filter(|header| header.epoch == epoch);
        of_epoch.next().map(|header| header.queue)
    }

    fn headers(&self) -> impl Iterator<Item = &SegmentHeader> {
        let readable = self.segments.iter();
        readable.filter_map(|(name, header)| header.as_ref().filter(|header| header.is_of(*name)))
    }
}

/// The header of the segment `name`, if it can be read.
fn read_header(disk: &dyn Disk, directory: &Path, name: SegmentName) -> Option<SegmentHeader> {
    let file = disk.open(&name.in_directory(directory)).ok()?;
    let mut bytes = [0; SECTOR];
    file.read_at(&mut bytes, 0).ok()?;
    decode_segment_header(&bytes).ok()
}
