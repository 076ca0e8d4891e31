//! Makes one part of a queue look as if a later release had written it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::fixture::{FORMAT, all_files};

const SECTOR: usize = 512;

/// A part of a queue that has a format.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    Journal,
    Record,
    Vault,
    Index,
}

pub const PARTS: [Part; 4] = [Part::Journal, Part::Record, Part::Vault, Part::Index];

impl Part {
    /// What it is called in an error.
    pub fn name(self) -> &'static str {
        match self {
            Part::Journal => "journal",
            Part::Record => "record",
            Part::Vault => "vault",
            Part::Index => "index",
        }
    }

    /// Rewrites it in `queue`, and returns the path that an error has to name.
    pub fn rewrite(self, queue: &Path) -> PathBuf {
        match self {
            Part::Journal => rewrite_header(queue),
            Part::Record => rewrite_record(queue),
            Part::Vault => rewrite_vault(queue),
            Part::Index => rename_index(queue),
        }
    }
}

/// The first segment that holds something.
fn used_segment(queue: &Path) -> (PathBuf, Vec<u8>) {
    let segments = all_files(&queue.join("journal")).into_iter();
    let mut read = segments.map(|path| (path.clone(), fs::read(path).unwrap()));
    read.find(|(_, bytes)| bytes.starts_with(b"MTRS")).unwrap()
}

fn rewrite_header(queue: &Path) -> PathBuf {
    let (path, mut bytes) = used_segment(queue);
    bytes[4..8].copy_from_slice(&(FORMAT + 1).to_le_bytes());
    let crc = checksum(&[&bytes[..8], &bytes[12..SECTOR]]);
    bytes[8..12].copy_from_slice(&crc.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    path
}

/// The first record of a request: its envelope, and the checksums of the change around it.
fn rewrite_record(queue: &Path) -> PathBuf {
    let (path, mut bytes) = used_segment(queue);
    let name = path.file_stem().unwrap().to_str().unwrap();
    let (number, epoch) = name.split_once('-').unwrap();
    let number = u64::from_str_radix(number, 16).unwrap();
    let epoch = u64::from_str_radix(epoch, 16).unwrap();
    let (frame, change) = find_record(&bytes);
    let at = frame + change;
    let key_length = usize::from(bytes[at + 1]);
    let value_length = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
    let (key, value) = (at + 16, at + 16 + key_length);
    let end = value + value_length;

    bytes[value] = u8::try_from(FORMAT + 1).unwrap();
    let envelope = checksum(&[
        &(key_length as u64).to_le_bytes(),
        &bytes[key..value],
        &bytes[value..=value],
        &bytes[value + 5..end],
    ]);
    bytes[value + 1..value + 5].copy_from_slice(&envelope.to_le_bytes());
    let place = [epoch.to_le_bytes(), number.to_le_bytes()].concat();
    let (frame, change) = ((frame as u32).to_le_bytes(), (change as u32).to_le_bytes());
    let of_value = checksum(&[&place, &frame, &change, &bytes[value..end]]);
    bytes[at + 8..at + 12].copy_from_slice(&of_value.to_le_bytes());
    let of_key = checksum(&[
        &place,
        &frame,
        &change,
        &bytes[at..at + 12],
        &bytes[key..value],
    ]);
    bytes[at + 12..at + 16].copy_from_slice(&of_key.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    path
}

/// Where a frame begins whose first change is a record of a request, and where that begins in it.
fn find_record(segment: &[u8]) -> (usize, usize) {
    const FRAME_HEADER: usize = 40;
    let frames = (0..segment.len()).step_by(SECTOR);
    let is_record = |frame: &usize| {
        let bytes = &segment[*frame..];
        // A put, of a key that begins with t.
        bytes.starts_with(b"MTRF") && bytes[FRAME_HEADER] == 1 && bytes[FRAME_HEADER + 16] == b't'
    };
    (frames.into_iter().find(is_record).unwrap(), FRAME_HEADER)
}

fn rewrite_vault(queue: &Path) -> PathBuf {
    let path = queue.join("vault");
    let mut bytes = fs::read(&path).unwrap();
    assert!(bytes.starts_with(b"MTRV"));
    bytes[29] = u8::try_from(FORMAT).unwrap();
    let length = u32::from_le_bytes(bytes[24..28].try_into().unwrap()) as usize;
    let crc = checksum(&[&bytes[8..32 + length]]);
    bytes[4..8].copy_from_slice(&crc.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    path
}

fn rename_index(queue: &Path) -> PathBuf {
    let home = queue.join("index");
    let mut generations = fs::read_dir(&home).unwrap().map(|entry| entry.unwrap());
    let generation = generations.find(|entry| entry.path().is_dir()).unwrap();
    let name = generation.file_name().into_string().unwrap();
    let renamed = home.join(format!("v{}-{name}", FORMAT + 1));
    fs::rename(generation.path(), &renamed).unwrap();
    // The error names the path as the system does.
    fs::canonicalize(renamed).unwrap()
}

fn checksum(parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize()
}
