//! What the bytes of one segment say, read from their beginning to their end.
//!
//! Where a frame is expected and none can be read, every later sector is tried: what follows a
//! damaged frame still counts.

use super::frame::{
    FRAME_HEADER, FoundChange, FoundValue, FrameHeader, SECTOR, decode_changes, decode_mark,
    is_blank, used_length,
};
use super::segment::SegmentName;

/// Something found in a segment.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    Frame(FoundFrame<'a>),
    /// Everything up to this sequence was durable.
    Mark(u64),
    /// Bytes that are neither a frame nor zeros: torn, or damaged.
    Bad,
}

/// A frame whose header is good.
#[derive(Debug)]
pub(crate) struct FoundFrame<'a> {
    pub(crate) header: FrameHeader,
    /// Where in the segment it begins.
    pub(crate) offset: u32,
    pub(crate) changes: Vec<FoundChange<'a>>,
    /// Whether all changes could be told apart.
    pub(crate) is_complete: bool,
}

impl FoundFrame<'_> {
    /// Whether every bit of it is as it was written.
    pub(crate) fn is_whole(&self) -> bool {
        let is_damaged = |change: &FoundChange<'_>| change.value == FoundValue::Damaged;
        self.is_complete && !self.changes.iter().any(is_damaged)
    }
}

/// Reads `bytes`, the whole segment `name`.
pub(crate) fn scan(name: SegmentName, bytes: &[u8], mut visit: impl FnMut(Found<'_>)) {
    let end = used_length(bytes);
    let mut offset = SECTOR;
    let mut was_bad = false;
    while offset < end {
        let (found, length) = next(name, bytes, offset);
        let is_bad = matches!(found, Some(Found::Bad));
        if let Some(found) = found
            && !(is_bad && was_bad)
        {
            visit(found);
        }
        was_bad = is_bad;
        offset += length;
    }
}

/// What stands at `offset`, and how far to go on. Zeros between frames are nothing.
fn next(name: SegmentName, bytes: &[u8], offset: usize) -> (Option<Found<'_>>, usize) {
    let place = name.place(offset as u32);
    let rest = &bytes[offset..];
    if let Some(header) = FrameHeader::decode(place, rest) {
        let frame = &rest[..header.size().min(rest.len())];
        let (changes, is_complete) = decode_changes(place, &header, frame);
        let found = FoundFrame {
            header,
            offset: offset as u32,
            changes,
            is_complete,
        };
        return (Some(Found::Frame(found)), header.size());
    }
    if let Some(sequence) = decode_mark(place, rest) {
        return (Some(Found::Mark(sequence)), SECTOR);
    }
    let sector = &rest[..SECTOR.min(rest.len())];
    ((!is_blank(sector)).then_some(Found::Bad), SECTOR)
}

const _: () = assert!(FRAME_HEADER <= SECTOR);
