//! A segment: a file of the journal, made of zeros before anything is written into it.
//!
//! Because every byte of it was written and synced before, a later write changes nothing but
//! contents, and costs the device one flush. Its name tells what its header does, so that a damaged
//! header takes nothing else along.

use std::io;
use std::path::{Path, PathBuf};

use super::super::disk::{Disk, DiskFile};
use super::frame::{
    FoundChange, FoundValue, Place, SECTOR, SegmentHeader, change_length, decode_change,
    encode_segment_header,
};

/// How long a segment is, in bytes.
pub(crate) const SEGMENT_BYTES: u32 = 4 * 1024 * 1024;

/// How much of the zeros is written at a time.
const ZEROS: usize = 256 * 1024;

/// No queue gets so far.
const LAST_NUMBER: u64 = u64::MAX / 2;

const SUFFIX: &str = ".segment";

/// What the name of a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SegmentName {
    /// Its place among all segments there ever were.
    pub(crate) number: u64,
    /// Drawn at random by every open: stale bytes have another one.
    pub(crate) epoch: u64,
}

impl SegmentName {
    pub(crate) fn parse(name: &str) -> Option<SegmentName> {
        let (number, epoch) = name.strip_suffix(SUFFIX)?.split_once('-')?;
        let parsed = SegmentName {
            number: u64::from_str_radix(number, 16).ok()?,
            epoch: u64::from_str_radix(epoch, 16).ok()?,
        };
        // A greater number is none of ours, and would leave none for what comes.
        let is_ours = parsed.number < LAST_NUMBER && parsed.to_string() == name;
        is_ours.then_some(parsed)
    }

    /// This name; from now on it is the next one.
    pub(crate) fn take(&mut self) -> SegmentName {
        let taken = *self;
        self.number += 1;
        taken
    }

    pub(crate) fn in_directory(self, directory: &Path) -> PathBuf {
        directory.join(self.to_string())
    }

    pub(crate) fn place(self, offset: u32) -> Place {
        Place {
            epoch: self.epoch,
            segment: self.number,
            offset,
        }
    }
}

impl std::fmt::Display for SegmentName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}-{:016x}{SUFFIX}", self.number, self.epoch)
    }
}

impl SegmentHeader {
    /// Whether it is the one that the segment `name` was made with.
    pub(crate) fn is_of(&self, name: SegmentName) -> bool {
        (self.number, self.epoch) == (name.number, name.epoch)
    }
}

/// Where a change stands in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// The frame that it came with.
    pub(crate) sequence: u64,
    pub(crate) segment: u64,
    /// Where the frame begins in the segment.
    pub(crate) frame: u32,
    /// Where the change begins in the frame.
    pub(crate) change: u32,
}

/// An open segment.
pub(crate) struct Segment {
    pub(crate) name: SegmentName,
    pub(crate) file: Box<dyn DiskFile>,
}

impl Segment {
    /// Makes a segment of `length` zeros. It is durable, except for its name.
    pub(crate) fn make(
        disk: &dyn Disk,
        directory: &Path,
        name: SegmentName,
        length: u32,
    ) -> io::Result<Segment> {
        let file = disk.create(&name.in_directory(directory))?;
        write_zeros(&*file, length)?;
        file.sync()?;
        Ok(Segment { name, file })
    }

    /// The first bytes, as they stand there once the segment is in use.
    pub(crate) fn header(&self, queue: u64, length: u32) -> Vec<u8> {
        encode_segment_header(SegmentHeader {
            number: self.name.number,
            epoch: self.name.epoch,
            queue,
            length,
        })
    }

    /// The value that was put at `position`; `None` where `key` is not found there undamaged.
    pub(crate) fn value_at(&self, position: Position, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let bytes = self.change_bytes(position)?;
        Ok(match self.decode(position, &bytes) {
            Some(FoundChange {
                key: found,
                value: FoundValue::Put(value),
                ..
            }) if found == key => Some(value.to_vec()),
            _ => None,
        })
    }

    /// Whether the change at `position` is one of `key`, and undamaged.
    pub(crate) fn vouches_for(&self, position: Position, key: &[u8]) -> io::Result<bool> {
        let bytes = self.change_bytes(position)?;
        let found = self.decode(position, &bytes);
        Ok(found.is_some_and(|found| found.key == key && found.value != FoundValue::Damaged))
    }

    /// The frame's bytes up to the end of the change, with zeros for what is before it.
    fn change_bytes(&self, position: Position) -> io::Result<Vec<u8>> {
        let start = position.change as usize;
        let mut bytes = vec![0; start + SECTOR.min(16)];
        let at = u64::from(position.frame) + u64::from(position.change);
        self.file.read_at(&mut bytes[start..], at)?;
        let length = change_length(&bytes[start..]).unwrap_or_default();
        if u64::from(position.frame) + (start + length) as u64 > self.file.length()? {
            return Ok(Vec::new());
        }
        bytes.resize(start + length, 0);
        self.file.read_at(&mut bytes[start..], at)?;
        Ok(bytes)
    }

    fn decode<'a>(&self, position: Position, bytes: &'a [u8]) -> Option<FoundChange<'a>> {
        let place = self.name.place(position.frame);
        decode_change(place, bytes, position.change as usize).map(|(found, _)| found)
    }
}

/// Fills the first `length` bytes of `file`.
pub(super) fn write_zeros(file: &dyn DiskFile, length: u32) -> io::Result<()> {
    let zeros = vec![0; ZEROS.min(length as usize)];
    let mut offset = 0;
    while offset < u64::from(length) {
        let rest = (u64::from(length) - offset).min(zeros.len() as u64);
        file.write_at(&zeros[..rest as usize], offset)?;
        offset += rest;
    }
    Ok(())
}
