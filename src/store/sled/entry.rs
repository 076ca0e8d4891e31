//! What the index keeps under each of its keys.
//!
//! ```text
//!  key        CRC-32 · sequence u64 · segment u64 · frame u32 · change u32 · value
//!  ~ key      the same without a value: the key was deleted
//!  ! applied  CRC-32 · sequence u64 · queue u64: everything of this queue up to it was taken over
//! ```

use super::super::index::{Indexed, KeyState};
use super::super::journal::Position;

/// No key of a store starts with one of these.
const GONE: u8 = b'~';
pub(super) const APPLIED_KEY: &[u8] = b"!applied";

const CRC: usize = 4;
const POSITION: usize = 24;

/// Up to where an index knows its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Applied {
    pub(crate) sequence: u64,
    pub(crate) queue: u64,
}

pub(super) fn seal_applied(applied: Applied) -> Vec<u8> {
    let stored = [applied.sequence.to_le_bytes(), applied.queue.to_le_bytes()].concat();
    let crc = checksum(APPLIED_KEY, &stored).to_le_bytes();
    [&crc[..], &stored].concat()
}

pub(super) fn open_applied(sealed: &[u8]) -> Option<Applied> {
    let (crc, applied) = sealed.split_first_chunk::<CRC>()?;
    let (sequence, queue) = applied.split_first_chunk()?;
    let is_whole = u32::from_le_bytes(*crc) == checksum(APPLIED_KEY, applied);
    let applied = Applied {
        sequence: u64::from_le_bytes(*sequence),
        queue: u64::from_le_bytes(queue.try_into().ok()?),
    };
    is_whole.then_some(applied)
}

pub(super) fn gone_key(key: &[u8]) -> Vec<u8> {
    [&[GONE], key].concat()
}

pub(super) fn plain_key(stored_key: &[u8]) -> &[u8] {
    stored_key.strip_prefix(&[GONE]).unwrap_or(stored_key)
}

pub(super) fn seal_entry(stored_key: &[u8], indexed: &Indexed) -> Vec<u8> {
    let Position {
        sequence,
        segment,
        frame,
        change,
    } = indexed.position;
    let mut sealed = vec![0; CRC];
    sealed.extend_from_slice(&sequence.to_le_bytes());
    sealed.extend_from_slice(&segment.to_le_bytes());
    sealed.extend_from_slice(&frame.to_le_bytes());
    sealed.extend_from_slice(&change.to_le_bytes());
    if let KeyState::Value(value) = &indexed.state {
        sealed.extend_from_slice(value);
    }
    let crc = checksum(stored_key, &sealed[CRC..]);
    sealed[..CRC].copy_from_slice(&crc.to_le_bytes());
    sealed
}

/// What is sealed under `stored_key`; `None` where it is damaged.
pub(super) fn open_entry(stored_key: &[u8], sealed: &[u8]) -> Option<Indexed> {
    let (crc, rest) = sealed.split_first_chunk::<CRC>()?;
    if u32::from_le_bytes(*crc) != checksum(stored_key, rest) {
        return None;
    }
    let (position, value) = rest.split_first_chunk::<POSITION>()?;
    let (sequence, position) = position.split_first_chunk()?;
    let (segment, position) = position.split_first_chunk()?;
    let (frame, change) = position.split_first_chunk()?;
    let position = Position {
        sequence: u64::from_le_bytes(*sequence),
        segment: u64::from_le_bytes(*segment),
        frame: u32::from_le_bytes(*frame),
        change: u32::from_le_bytes(change.try_into().ok()?),
    };
    let state = match stored_key.first() {
        Some(&GONE) => KeyState::Gone,
        _ => KeyState::Value(value.to_vec()),
    };
    Some(Indexed { position, state })
}

fn checksum(key: &[u8], rest: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&(key.len() as u64).to_le_bytes());
    hasher.update(key);
    hasher.update(rest);
    hasher.finalize()
}
