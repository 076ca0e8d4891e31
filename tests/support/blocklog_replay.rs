//! Reads the log of a disk, and makes the image that a power cut would have left.
//!
//! ```text
//!  entry   0 ······ flush · write · write · write · write │ cut at
//!          └─ all of it ─┘ └ some, some torn by sectors ─┘
//! ```
//!
//! 1. What was flushed is kept, and what bears FUA. Of the rest a drive has written what it liked.
//! 2. A sector is written whole or not at all, and never older than what was flushed of it.
//! 3. Replay only goes forward: the base grows from flush to flush, and each cut gets a copy.
//!
//! The format is that of dm-log-writes: a sector with a header, then for each entry a sector that
//! describes it, and its data.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::blocklog::copy_image;

const SECTOR_BYTES: u64 = 512;
const MAGIC: u64 = 0x006a_7366_7773_6872;
const ENTRIES_AT: u64 = 16;

const FLUSH: u64 = 1;
const FUA: u64 = 2;
const DISCARD: u64 = 4;

/// How many entries the log has by now.
pub(crate) fn entries(log: &Path) -> io::Result<u64> {
    word(&File::open(log)?, ENTRIES_AT)
}

fn word(file: &File, at: u64) -> io::Result<u64> {
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, at)?;
    Ok(u64::from_le_bytes(bytes))
}

/// A write, a flush, or both: then the flush comes first.
#[derive(Clone, Copy, Debug)]
struct Entry {
    sector: u64,
    sectors: u64,
    flags: u64,
    /// Where in the log its data begin.
    data_at: u64,
}

impl Entry {
    fn is_flush(&self) -> bool {
        self.flags & FLUSH != 0
    }

    fn has_data(&self) -> bool {
        // A drive may do with a discard what it likes; nobody counts on any of it.
        self.sectors > 0 && self.flags & DISCARD == 0
    }
}

/// The log of a disk that has stopped.
pub(crate) struct Log {
    file: File,
    entries: Vec<Entry>,
}

impl Log {
    pub(crate) fn read(path: &Path) -> Log {
        let file = File::open(path).unwrap();
        assert_eq!(word(&file, 0).unwrap(), MAGIC, "this is no log");
        let count = word(&file, ENTRIES_AT).unwrap();
        let mut at = SECTOR_BYTES;
        let mut entries = Vec::new();
        for _ in 0..count {
            let entry = read_entry(&file, at).unwrap();
            at = entry.data_at;
            if entry.has_data() {
                at += entry.sectors * SECTOR_BYTES;
            }
            entries.push(entry);
        }
        let length = file.metadata().unwrap().len();
        assert!(at <= length, "the log ends within an entry");
        Log { file, entries }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many flushes there are in a part of the log.
    pub(crate) fn flushes(&self, part: std::ops::Range<usize>) -> usize {
        let part = self.entries[part].iter();
        part.filter(|entry| entry.is_flush()).count()
    }

    /// Where a flush comes next: nowhere is more to lose.
    pub(crate) fn next_flush(&self, position: usize) -> Option<usize> {
        let mut later = self.entries[position..].iter();
        Some(position + later.position(Entry::is_flush)?)
    }

    fn data(&self, entry: &Entry) -> Vec<u8> {
        let mut data = vec![0; usize::try_from(entry.sectors * SECTOR_BYTES).unwrap()];
        self.file.read_exact_at(&mut data, entry.data_at).unwrap();
        data
    }
}

fn read_entry(log: &File, at: u64) -> io::Result<Entry> {
    Ok(Entry {
        sector: word(log, at)?,
        sectors: word(log, at + 8)?,
        flags: word(log, at + 16)?,
        data_at: at + SECTOR_BYTES,
    })
}

/// A replay of a log, from cut to cut.
pub(crate) struct Replay<'a> {
    log: &'a Log,
    /// The image with the first `applied` entries in it.
    base: PathBuf,
    applied: usize,
    random: fastrand::Rng,
}

impl<'a> Replay<'a> {
    pub(crate) fn new(log: &'a Log, base: PathBuf, seed: u64) -> Replay<'a> {
        Replay {
            log,
            base,
            applied: 0,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// Makes `image` what a cut behind the first `position` entries leaves. No cut may come before
    /// the one before it. Returns how many writes had not been flushed.
    pub(crate) fn cut(&mut self, position: usize, image: &Path) -> usize {
        let before = &self.log.entries[..position];
        let flushed = before.iter().rposition(Entry::is_flush).unwrap_or(0);
        self.advance(flushed);
        copy_image(&self.base, image);
        self.tear(flushed..position, image)
    }

    fn advance(&mut self, flushed: usize) {
        let base = File::options().write(true).open(&self.base).unwrap();
        for entry in self.log.entries.get(self.applied..flushed).unwrap_or(&[]) {
            if entry.has_data() {
                let at = entry.sector * SECTOR_BYTES;
                base.write_all_at(&self.log.data(entry), at).unwrap();
            }
        }
        self.applied = self.applied.max(flushed);
    }

    /// Writes some of what was not flushed: nothing, little, half, most or all of it.
    fn tear(&mut self, part: std::ops::Range<usize>, image: &Path) -> usize {
        let image = File::options().write(true).open(image).unwrap();
        let share = self.random.choice([0.0, 0.1, 0.5, 0.9, 1.0]).unwrap();
        let may_tear = share > 0.0 && share < 1.0;
        let volatile = self.log.entries[part].iter().filter(|e| e.has_data());
        let mut count = 0;
        for entry in volatile {
            count += 1;
            let kept = entry.flags & FUA != 0 || self.random.f64() < share;
            let torn = entry.flags & FUA == 0 && may_tear && self.random.u32(0..4) == 0;
            self.write_some(entry, &image, kept, torn);
        }
        count
    }

    fn write_some(&mut self, entry: &Entry, image: &File, kept: bool, torn: bool) {
        let data = self.log.data(entry);
        for (sector, bytes) in (entry.sector..).zip(data.chunks(512)) {
            let written = if torn { self.random.bool() } else { kept };
            if written {
                image.write_all_at(bytes, sector * SECTOR_BYTES).unwrap();
            }
        }
    }
}
