//! The bytes of the journal: what one commit writes.
//!
//! ```text
//!  segment   ┌────────┬─────────┬───────┬──────┬─ ─ ─ ─ ─ ─
//!            │ header │ frame   │ frame │ mark │ zeros
//!            └────────┴─────────┴───────┴──────┴─ ─ ─ ─ ─ ─   each begins on a sector of its own
//!
//!  frame     magic "MTRF" · CRC-32 · sequence u64 · oldest u64 · running u64 · length u32 · count u32
//!            then `count` changes, `length` bytes in all
//!  change    kind u8 · key length u8 · 0 u16 · value length u32 · value CRC-32 · CRC-32 · key · value
//!  mark      magic "MTRD" · CRC-32 · sequence u64
//!  header    magic "MTRS" · format u32 · CRC-32 · number u64 · epoch u64 · queue u64 · length u32
//! ```
//!
//! All numbers are little endian.
//!
//! 1. No two frames share a sector: a write that the power cut tore cannot hurt what was durable.
//! 2. Every CRC covers the epoch, the segment and the offset of its frame, so that nothing that was
//!    written elsewhere or in an earlier life of the file passes for a frame.
//! 3. A change has checksums of its own, for its key and for its value: damage to a value leaves
//!    known whose value it was.
//! 4. A mark says that everything up to its sequence was durable. The next frame overwrites it.

use super::super::Change;

/// What the disk writes whole, or not at all.
pub(crate) const SECTOR: usize = 512;

/// The format that this version writes.
pub(crate) const FORMAT: u32 = 1;

const FRAME_MAGIC: [u8; 4] = *b"MTRF";
const MARK_MAGIC: [u8; 4] = *b"MTRD";
const SEGMENT_MAGIC: [u8; 4] = *b"MTRS";

pub(crate) const FRAME_HEADER: usize = 40;
const CHANGE_HEADER: usize = 16;
const MARK: usize = 16;

const PUT: u8 = 1;
const DELETE: u8 = 2;

/// Where a frame stands; part of all its checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) epoch: u64,
    pub(crate) segment: u64,
    pub(crate) offset: u32,
}

impl Place {
    fn hasher(self) -> crc32fast::Hasher {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.epoch.to_le_bytes());
        hasher.update(&self.segment.to_le_bytes());
        hasher.update(&self.offset.to_le_bytes());
        hasher
    }

    fn checksum(self, parts: &[&[u8]]) -> u32 {
        let mut hasher = self.hasher();
        for part in parts {
            hasher.update(part);
        }
        hasher.finalize()
    }
}

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// Its place in the gap-free order of all frames, from 1.
    pub(crate) sequence: u64,
    /// The first sequence that still counts; what is older was carried forward.
    pub(crate) oldest: u64,
    /// For how many seconds the queue has been open in all its life.
    pub(crate) running_seconds: u64,
    length: u32,
    count: u32,
}

impl FrameHeader {
    pub(crate) fn new(sequence: u64, oldest: u64, running_seconds: u64) -> FrameHeader {
        FrameHeader {
            sequence,
            oldest,
            running_seconds,
            length: 0,
            count: 0,
        }
    }

    /// How many bytes the frame takes in its segment.
    pub(crate) fn size(&self) -> usize {
        whole_sectors(FRAME_HEADER + self.length as usize)
    }

    fn encode(&self, place: Place) -> [u8; FRAME_HEADER] {
        let mut bytes = [0; FRAME_HEADER];
        bytes[..4].copy_from_slice(&FRAME_MAGIC);
        bytes[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.oldest.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.running_seconds.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.length.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.count.to_le_bytes());
        let crc = place.checksum(&[&bytes[8..]]);
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The header at the start of `bytes`, if there is one that is meant for `place`.
    pub(crate) fn decode(place: Place, bytes: &[u8]) -> Option<FrameHeader> {
        let bytes = bytes.get(..FRAME_HEADER)?;
        let is_whole =
            bytes[..4] == FRAME_MAGIC && u32_at(bytes, 4) == place.checksum(&[&bytes[8..]]);
        is_whole.then(|| FrameHeader {
            sequence: u64_at(bytes, 8),
            oldest: u64_at(bytes, 16),
            running_seconds: u64_at(bytes, 24),
            length: u32_at(bytes, 32),
            count: u32_at(bytes, 36),
        })
    }
}

/// How many bytes `changes` take in a segment.
pub(crate) fn size_of(changes: &[Change]) -> usize {
    whole_sectors(FRAME_HEADER + changes.iter().map(change_size).sum::<usize>())
}

pub(crate) fn change_size(change: &Change) -> usize {
    CHANGE_HEADER
        + match change {
            Change::Put { key, value } => key.len() + value.len(),
            Change::Delete { key } => key.len(),
        }
}

/// The bytes of a frame with `changes`, padded to whole sectors.
pub(crate) fn encode_frame(place: Place, mut header: FrameHeader, changes: &[Change]) -> Vec<u8> {
    let mut bytes = vec![0; FRAME_HEADER];
    for change in changes {
        encode_change(place, change, &mut bytes);
    }
    header.length = (bytes.len() - FRAME_HEADER) as u32;
    header.count = changes.len() as u32;
    bytes[..FRAME_HEADER].copy_from_slice(&header.encode(place));
    bytes.resize(whole_sectors(bytes.len()), 0);
    bytes
}

fn encode_change(place: Place, change: &Change, bytes: &mut Vec<u8>) {
    let (kind, key, value): (u8, &[u8], &[u8]) = match change {
        Change::Put { key, value } => (PUT, key, value),
        Change::Delete { key } => (DELETE, key, &[]),
    };
    let offset = (bytes.len() as u32).to_le_bytes();
    let mut head = [0; CHANGE_HEADER];
    head[0] = kind;
    head[1] = key.len() as u8;
    head[4..8].copy_from_slice(&(value.len() as u32).to_le_bytes());
    head[8..12].copy_from_slice(&place.checksum(&[&offset, value]).to_le_bytes());
    let crc = place.checksum(&[&offset, &head[..12], key]);
    head[12..].copy_from_slice(&crc.to_le_bytes());
    bytes.extend_from_slice(&head);
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(value);
}

/// A change as it was found in a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundChange<'a> {
    /// Where in its frame it begins.
    pub(crate) offset: u32,
    pub(crate) key: &'a [u8],
    pub(crate) value: FoundValue<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FoundValue<'a> {
    Put(&'a [u8]),
    Deleted,
    /// A value was put, and is damaged.
    Damaged,
}

/// The changes of the frame `header` whose bytes are `frame`. The second is false where not even the
/// keys of all of them can be told.
pub(crate) fn decode_changes<'a>(
    place: Place,
    header: &FrameHeader,
    frame: &'a [u8],
) -> (Vec<FoundChange<'a>>, bool) {
    let end = FRAME_HEADER + header.length as usize;
    let frame = frame.get(..end).unwrap_or(frame);
    let mut found = Vec::new();
    let mut offset = FRAME_HEADER;
    for _ in 0..header.count {
        let Some((change, next)) = decode_change(place, frame, offset) else {
            return (found, false);
        };
        found.push(change);
        offset = next;
    }
    (found, true)
}

/// The change that begins at `offset` in `frame`, and where the next one begins.
pub(crate) fn decode_change(
    place: Place,
    frame: &[u8],
    offset: usize,
) -> Option<(FoundChange<'_>, usize)> {
    let head = frame.get(offset..offset + CHANGE_HEADER)?;
    let key_end = offset + CHANGE_HEADER + usize::from(head[1]);
    let key = frame.get(offset + CHANGE_HEADER..key_end)?;
    let at = (offset as u32).to_le_bytes();
    if u32_at(head, 12) != place.checksum(&[&at, &head[..12], key]) {
        return None;
    }
    let value_end = key_end + u32_at(head, 4) as usize;
    let value = match (head[0], frame.get(key_end..value_end)) {
        (DELETE, _) => FoundValue::Deleted,
        (_, Some(value)) if u32_at(head, 8) == place.checksum(&[&at, value]) => {
            FoundValue::Put(value)
        }
        _ => FoundValue::Damaged,
    };
    let offset = offset as u32;
    Some((FoundChange { offset, key, value }, value_end))
}

/// How many bytes from its beginning on have to be read to have all of a change, as its first
/// bytes tell; its checksums say later whether that was true.
pub(crate) fn change_length(head: &[u8]) -> Option<usize> {
    let head = head.get(..CHANGE_HEADER)?;
    Some(CHANGE_HEADER + usize::from(head[1]) + u32_at(head, 4) as usize)
}

/// The mark that everything up to `sequence` is durable.
pub(crate) fn encode_mark(place: Place, sequence: u64) -> [u8; MARK] {
    let mut bytes = [0; MARK];
    let sequence = sequence.to_le_bytes();
    bytes[..4].copy_from_slice(&MARK_MAGIC);
    bytes[4..8].copy_from_slice(&place.checksum(&[&MARK_MAGIC, &sequence]).to_le_bytes());
    bytes[8..].copy_from_slice(&sequence);
    bytes
}

/// The sequence of the mark at the start of `bytes`, if there is one.
pub(crate) fn decode_mark(place: Place, bytes: &[u8]) -> Option<u64> {
    let bytes = bytes.get(..MARK)?;
    let crc = place.checksum(&[&MARK_MAGIC, &bytes[8..]]);
    (bytes[..4] == MARK_MAGIC && u32_at(bytes, 4) == crc).then(|| u64_at(bytes, 8))
}

/// The first sector of a segment.
pub(crate) fn encode_segment_header(header: SegmentHeader) -> Vec<u8> {
    let mut bytes = vec![0; SECTOR];
    bytes[..4].copy_from_slice(&SEGMENT_MAGIC);
    bytes[4..8].copy_from_slice(&FORMAT.to_le_bytes());
    bytes[12..20].copy_from_slice(&header.number.to_le_bytes());
    bytes[20..28].copy_from_slice(&header.epoch.to_le_bytes());
    bytes[28..36].copy_from_slice(&header.queue.to_le_bytes());
    bytes[36..40].copy_from_slice(&header.length.to_le_bytes());
    let crc = segment_checksum(&bytes);
    bytes[8..12].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// What the first sector of a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) number: u64,
    pub(crate) epoch: u64,
    /// Drawn at random when the queue was made: what other queues wrote has another one.
    pub(crate) queue: u64,
    /// How long the file is, in bytes.
    pub(crate) length: u32,
}

/// Why there is no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoHeader {
    /// There is none, or it is damaged.
    Unreadable,
    /// A later version wrote it.
    NewerFormat(u32),
}

/// The header of a segment.
///
/// In every format, the CRC at 8 covers the bytes 0 to 8 and 12 to 512.
pub(crate) fn decode_segment_header(bytes: &[u8]) -> Result<SegmentHeader, NoHeader> {
    let bytes = bytes.get(..SECTOR).ok_or(NoHeader::Unreadable)?;
    if bytes[..4] != SEGMENT_MAGIC || u32_at(bytes, 8) != segment_checksum(bytes) {
        return Err(NoHeader::Unreadable);
    }
    match u32_at(bytes, 4) {
        newer if newer > FORMAT => Err(NoHeader::NewerFormat(newer)),
        _ => Ok(SegmentHeader {
            number: u64_at(bytes, 12),
            epoch: u64_at(bytes, 20),
            queue: u64_at(bytes, 28),
            length: u32_at(bytes, 36),
        }),
    }
}

fn segment_checksum(sector: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&sector[..8]);
    hasher.update(&sector[12..]);
    hasher.finalize()
}

pub(crate) fn whole_sectors(bytes: usize) -> usize {
    bytes.next_multiple_of(SECTOR)
}

/// The end of the last sector of `bytes` that holds anything but zeros.
pub(crate) fn used_length(bytes: &[u8]) -> usize {
    let used = bytes.chunks(SECTOR).rposition(|sector| !is_blank(sector));
    used.map_or(0, |last| ((last + 1) * SECTOR).min(bytes.len()))
}

/// Whether there are zeros alone. Compared by the sector: segments are mostly zeros, and are read
/// through at every open.
pub(crate) fn is_blank(bytes: &[u8]) -> bool {
    const ZEROS: [u8; SECTOR] = [0; SECTOR];
    let mut sectors = bytes.chunks(SECTOR);
    sectors.all(|sector| sector == &ZEROS[..sector.len()])
}

/// The caller has made sure that the bytes are there.
fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    bytes[offset..offset + 4]
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u32::from(*byte))
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from(u32_at(bytes, offset + 4)) << 32 | u64::from(u32_at(bytes, offset))
}

#[cfg(test)]
mod tests;
