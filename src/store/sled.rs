//! The one file that names sled.
//!
//! What sled really does was measured, and is worked around here:
//!
//! 1. `flush()` on Linux ends in `sync_file_range`, which survives a killed process but not a power
//!    cut. An acknowledgement therefore waits for an `fdatasync` of sled's log file, too.
//! 2. sled panics where others return errors, in `Drop` as well. Every call is guarded, and a
//!    guarded panic fails the store for good.
//! 3. After one failed write, sled refuses every later one until it is opened again; so do we
//!    (rule 4 of the room), because nobody knows what of the failed batch is on the disk.
//!    Opening again cannot prove that a failed sync was made good: what the disk lost then is found
//!    missing, and only a journal of our own could tell it from what never was.
//! 4. New files are durable only when their directory is: directories are synced at open.

use std::fs::{self, File};
use std::io;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ::sled::{Config, Db};

use super::record::FORMAT;
use super::{
    Batch, Change, DirectoryLock, Entry, RecordError, Store, StoreError, open_record, seal_record,
};

/// sled's files live in a directory of their own below the queue's.
const INDEX_DIRECTORY: &str = "index";

/// The name that sled gives its log.
const LOG_FILE: &str = "db";

/// The name that sled gives its settings.
const SETTINGS_FILE: &str = "conf";

/// sled's own default of 1 GiB is more than most tills have.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// sled's threads may hold its own lock for a moment after a drop.
const OPEN_ATTEMPTS: u32 = 40;
const OPEN_PAUSE: Duration = Duration::from_millis(50);

/// Where the format of the whole queue is kept; no other key starts with this byte.
const FORMAT_KEY: &[u8] = b"!format";

/// [`Store`] on sled.
pub(crate) struct SledStore {
    /// Taken out only by `Drop`, which has to guard sled's own.
    db: Option<Db>,
    /// A second handle on sled's log, to sync it properly.
    log: File,
    path: PathBuf,
    /// Nothing more is read or written once this is set.
    failed: AtomicBool,
    /// The last field, so that the directory is let go only when sled is closed.
    _lock: DirectoryLock,
}

impl SledStore {
    /// Opens the queue in the directory that `lock` owns, creating it where it is new.
    pub(crate) fn open(lock: DirectoryLock) -> Result<SledStore, StoreError> {
        let directory = lock.path();
        let index = directory.join(INDEX_DIRECTORY);
        discard_torn_settings(&index).map_err(io_error(directory, "opened"))?;
        let db = open_patiently(directory, &index)?;
        let log = File::options()
            .read(true)
            .write(true)
            .open(index.join(LOG_FILE))
            .map_err(io_error(directory, "opened"))?;
        let store = SledStore {
            db: Some(db),
            log,
            path: directory.to_owned(),
            failed: AtomicBool::new(false),
            _lock: lock,
        };
        store.check_format()?;
        // What was readable after a killed process may be in no one's memory but the kernel's: it
        // must be on the disk before anyone acts on it.
        store.flush()?;
        sync_directories(&index)?;
        Ok(store)
    }

    fn check_format(&self) -> Result<(), StoreError> {
        let Some(sealed) = self.read(FORMAT_KEY)? else {
            let mut batch = Batch::default();
            batch.put(FORMAT_KEY.to_vec(), seal_record(FORMAT_KEY, b"queue"));
            return self.commit(&batch);
        };
        match open_record(FORMAT_KEY, &sealed) {
            Ok(_) => Ok(()),
            Err(RecordError::NewerFormat { found }) => Err(StoreError::NewerFormat {
                path: self.path.clone(),
                found: found.into(),
                known: FORMAT.into(),
            }),
            Err(damage) => Err(StoreError::Damaged {
                reason: format!(
                    "the format of the queue in {}: {damage}",
                    self.path.display()
                ),
            }),
        }
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut changes = ::sled::Batch::default();
        for change in batch.changes() {
            match change {
                Change::Put { key, value } => changes.insert(key.as_slice(), value.as_slice()),
                Change::Delete { key } => changes.remove(key.as_slice()),
            }
        }
        self.guarded("written", |db| db.apply_batch(changes))?;
        self.flush()
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.guarded("flushed", |db| db.flush())?;
        self.sync_log().map_err(io_error(&self.path, "synced"))
    }

    fn sync_log(&self) -> io::Result<()> {
        // The mutant leaves sled alone with its `sync_file_range`: the proof by cuts has to find it.
        if cfg!(mutant = "sync_file_range") {
            return Ok(());
        }
        self.log.sync_data()
    }

    fn guarded<T>(
        &self,
        doing: &'static str,
        call: impl FnOnce(&Db) -> ::sled::Result<T>,
    ) -> Result<T, StoreError> {
        match &self.db {
            Some(db) if !self.failed.load(Ordering::Acquire) => {
                guard(&self.path, doing, || call(db)).inspect_err(|_| self.fail())
            }
            _ => Err(self.refusal()),
        }
    }

    /// After an error or a panic nobody knows what sled still holds, and a later call might wait
    /// for ever.
    fn fail(&self) {
        self.failed.store(true, Ordering::Release);
    }

    fn refusal(&self) -> StoreError {
        StoreError::Failed {
            path: self.path.clone(),
        }
    }
}

impl Store for SledStore {
    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        batch.check_sizes()?;
        self.apply(batch).inspect_err(|_| self.fail())
    }

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.guarded("read", |db| db.get(key))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn page(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let start = match after {
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(prefix),
        };
        self.guarded("read", |db| {
            db.range::<&[u8], _>((start, Bound::Unbounded))
                .map(|entry| entry.map(|(key, value)| (key.to_vec(), value.to_vec())))
                .take_while(|entry| !matches!(entry, Ok((key, _)) if !key.starts_with(prefix)))
                .take(limit)
                .collect()
        })
    }

    fn last(&self, prefix: &[u8]) -> Result<Option<Entry>, StoreError> {
        self.guarded("read", |db| {
            let last = db.scan_prefix(prefix).next_back().transpose()?;
            Ok(last.map(|(key, value)| (key.to_vec(), value.to_vec())))
        })
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        let db = self.db.take();
        // There is nobody left to tell; everything acknowledged is on the disk already.
        let _ = guard(&self.path, "closed", || {
            drop(db);
            Ok(())
        });
    }
}

/// Removes sled's settings where a power cut left them torn or full of zeros.
///
/// sled never syncs them, writes new ones where there are none, and refuses to open where they
/// cannot be read. They hold nothing but the settings that are given at every open.
fn discard_torn_settings(index: &Path) -> io::Result<()> {
    let path = index.join(SETTINGS_FILE);
    match fs::read(&path) {
        Ok(settings) if !is_whole(&settings) => fs::remove_file(&path),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether the CRC that sled appends is right.
fn is_whole(settings: &[u8]) -> bool {
    let Some((text, crc)) = settings.split_last_chunk::<4>() else {
        return false;
    };
    !text.is_empty() && crc32fast::hash(text) == u32::from_le_bytes(*crc)
}

/// Turns a panic inside sled into an error.
fn guard<T>(
    path: &Path,
    doing: &'static str,
    call: impl FnOnce() -> ::sled::Result<T>,
) -> Result<T, StoreError> {
    let reason = match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the index library panicked".to_owned(),
    };
    Err(StoreError::Index {
        path: path.to_owned(),
        doing,
        reason,
    })
}

fn open_patiently(directory: &Path, index: &Path) -> Result<Db, StoreError> {
    for _ in 1..OPEN_ATTEMPTS {
        match guard(directory, "opened", || Ok(open_index(index))) {
            Ok(Err(::sled::Error::Io(error))) if is_lock_held(&error) => {
                thread::sleep(OPEN_PAUSE);
            }
            Ok(opened) => return guard(directory, "opened", || opened),
            Err(panicked) => return Err(panicked),
        }
    }
    guard(directory, "opened", || open_index(index))
}

/// sled tells of its lock in words only.
fn is_lock_held(error: &io::Error) -> bool {
    error.to_string().contains("could not acquire lock")
}

fn open_index(index: &Path) -> ::sled::Result<Db> {
    Config::new()
        .path(index)
        .cache_capacity(CACHE_BYTES)
        // Every commit flushes; a timer would only wake an idle till.
        .flush_every_ms(None)
        .open()
}

/// Makes the names of sled's files, and of every directory above them, survive a power cut.
///
/// Always and all the way up: whoever created them may have lost power before it could do so.
#[cfg(unix)]
fn sync_directories(index: &Path) -> Result<(), StoreError> {
    let index = fs::canonicalize(index).map_err(io_error(index, "synced"))?;
    for directory in index.ancestors() {
        let synced = File::open(directory).and_then(|opened| opened.sync_all());
        match synced {
            Err(error) if is_out_of_our_hands(&error) && !directory.ends_with(INDEX_DIRECTORY) => {}
            synced => synced.map_err(io_error(directory, "synced"))?,
        }
    }
    Ok(())
}

/// A directory that we may not read was not created by us, and some file systems have no way to
/// sync one.
#[cfg(unix)]
fn is_out_of_our_hands(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(
        error.kind(),
        K::PermissionDenied | K::InvalidInput | K::Unsupported
    )
}

/// Elsewhere a directory cannot be opened as a file; the file system's journal keeps the names.
#[cfg(not(unix))]
fn sync_directories(_: &Path) -> Result<(), StoreError> {
    Ok(())
}

fn io_error<'a>(path: &'a Path, doing: &'static str) -> impl FnOnce(io::Error) -> StoreError + 'a {
    move |source| StoreError::Io {
        path: path.to_owned(),
        doing,
        reason: source.to_string(),
    }
}
