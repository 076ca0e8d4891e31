//! The one file that names sled: the index of the journal, on the disk.
//!
//! What sled really does was measured, and is why nothing is promised on it:
//!
//! 1. `flush()` on Linux ends in `sync_file_range`: it survives a killed process, not a power cut.
//! 2. sled panics where others return errors, in `Drop` as well, which can also wait for ever. Every call
//!    is guarded, and after a failed one nothing more is asked.
//! 3. One flipped bit in its file makes an open panic, or records vanish, grow old or rise again
//!    without an error: an index that was found on the disk is compared with the whole journal
//!    before it is used ([`prove`](super::prove)). Some damage makes it search for ever: until it is proven,
//!    it is asked on a thread that nobody has to wait for.
//! 4. A build that aborts on a panic would do so at every open: a marker that is written before an
//!    open, and removed once the index is proven, says that this one is to be left alone. It does not
//!    stand there while others have their turn: an index may be the only one that knows of a loss.

mod entry;

use std::fs;
use std::io;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use ::sled::{Config, Db};

use super::StoreError;
use super::index::{Index, IndexChange, IndexEntry, Indexed};
pub(crate) use entry::Applied;
use entry::{APPLIED_KEY, gone_key, open_applied, open_entry, plain_key, seal_applied, seal_entry};

/// sled's own default of 1 GiB is more than most tills have.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// sled's threads may hold its own lock for a moment after a drop.
const OPEN_ATTEMPTS: u32 = 40;
const OPEN_PAUSE: Duration = Duration::from_millis(50);

const LONGEST_CLOSE: Duration = Duration::from_secs(5);

/// How long an index that is not proven may take for one answer.
const LONGEST_ANSWER: Duration = Duration::from_secs(20);

/// Generations of the index below the queue's directory, of which one is in use.
const INDEX_DIRECTORY: &str = "index";
const OPENING_MARKER: &str = "opening";

/// The format that this version writes. A generation of a later one has it before its name: `v2-…`.
const FORMAT: u32 = 1;

/// [`Index`] on sled.
pub(crate) struct SledIndex {
    /// Taken out only by `Drop`, which has to guard sled's own.
    db: Option<Db>,
    path: PathBuf,
    /// The queue that it is an index of.
    queue: u64,
    /// Nothing more is asked once this is set.
    failed: AtomicBool,
}

/// What was found where the index should be.
pub(crate) enum FoundIndex {
    /// There is none.
    Absent,
    /// It could not be opened, and says nothing.
    Unusable(String),
    /// It can be asked; what it says is not proven.
    Opened(SledIndex),
}

/// Opens the index of the queue in `directory`, if there is one.
pub(crate) fn find_index(directory: &Path, queue: u64) -> FoundIndex {
    let home = directory.join(INDEX_DIRECTORY);
    let Some(generation) = generations(&home).pop() else {
        return FoundIndex::Absent;
    };
    if home.join(OPENING_MARKER).exists() {
        return FoundIndex::Unusable("an earlier attempt to open it was broken off".to_owned());
    }
    // The marker stays until the index is proven, or another one is made: reading may panic, too.
    let opened = write_marker(&home).and_then(|()| SledIndex::open(&home.join(generation), queue));
    opened.map_or_else(
        |error| FoundIndex::Unusable(error.to_string()),
        FoundIndex::Opened,
    )
}

/// The queue that the index in `directory` is of, if there is one that can say so.
pub(crate) fn queue_of_index(directory: &Path) -> Option<u64> {
    // Where the files of another till were copied to, their index may be among several.
    if generations(&directory.join(INDEX_DIRECTORY)).len() != 1 {
        return None;
    }
    let FoundIndex::Opened(index) = find_index(directory, 0) else {
        return None;
    };
    let applied = index.applied().ok()??;
    index.is_proven();
    Some(applied.queue)
}

/// Makes an empty index of `queue` beside whatever is there.
pub(crate) fn new_index(directory: &Path, queue: u64) -> Result<SledIndex, StoreError> {
    let home = directory.join(INDEX_DIRECTORY);
    fs::create_dir_all(&home).map_err(|error| io_error(&home, "made", &error))?;
    let generation = loop {
        let generation = home.join(uuid::Uuid::new_v4().simple().to_string());
        if !generation.exists() {
            break generation;
        }
    };
    write_marker(&home)?;
    let made = SledIndex::open(&generation, queue)?;
    made.is_proven();
    Ok(made)
}

/// Refuses an index that a later version made.
pub(crate) fn check_format(directory: &Path) -> Result<(), StoreError> {
    let home = directory.join(INDEX_DIRECTORY);
    let Ok(entries) = fs::read_dir(&home) else {
        return Ok(());
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        match format_of(&name.to_string_lossy()) {
            Some(found) if found > FORMAT => {
                return Err(StoreError::NewerFormat {
                    part: "index",
                    path: home.join(name),
                    found,
                    known: FORMAT,
                });
            }
            _ => {}
        }
    }
    Ok(())
}

/// The format that the name of a generation tells; `None` where it is no generation's.
fn format_of(name: &str) -> Option<u32> {
    let (format, id) = match name.split_once('-') {
        Some((format, id)) => (format.strip_prefix('v')?.parse().ok()?, id),
        None => (1, name),
    };
    let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then_some(format)
}

/// Removes every index but `kept`. What cannot be removed only takes room.
pub(crate) fn remove_others(directory: &Path, kept: Option<&SledIndex>) {
    let home = directory.join(INDEX_DIRECTORY);
    for generation in generations(&home) {
        let path = home.join(generation);
        if kept.is_none_or(|kept| kept.path != path)
            && let Err(error) = fs::remove_dir_all(&path)
        {
            tracing::warn!(%error, path = %path.display(), "an old index cannot be removed");
        }
    }
}

/// The directories in `home`, the one that changed last at the end.
fn generations(home: &Path) -> Vec<std::ffi::OsString> {
    let Ok(entries) = fs::read_dir(home) else {
        return Vec::new();
    };
    let mut found: Vec<_> = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter(|entry| format_of(&entry.file_name().to_string_lossy()) == Some(FORMAT))
        .map(|entry| {
            let changed = entry
                .metadata()
                .and_then(|metadata| metadata.modified())
                .ok();
            (changed, entry.file_name())
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, name)| name).collect()
}

/// Says that an index is being opened, until it is proven.
fn write_marker(home: &Path) -> Result<(), StoreError> {
    fs::write(home.join(OPENING_MARKER), "").map_err(|error| io_error(home, "opened", &error))
}

impl SledIndex {
    fn open(path: &Path, queue: u64) -> Result<SledIndex, StoreError> {
        let opened = path.to_owned();
        let db = in_time(LONGEST_ANSWER, path, "opened", move || {
            open_patiently(&opened)
        })?;
        Ok(SledIndex {
            db: Some(db),
            path: path.to_owned(),
            queue,
            failed: AtomicBool::new(false),
        })
    }

    /// Whoever opens it next need not fear it.
    pub(crate) fn is_proven(&self) {
        let home = self.path.parent().unwrap_or(&self.path);
        if let Err(error) = fs::remove_file(home.join(OPENING_MARKER)) {
            tracing::warn!(%error, "the next open will make the index anew");
        }
    }

    /// Whatever ends this open until it is asked again is none of its doing, and what it knows may be
    /// needed: whoever opens it next may ask it.
    pub(crate) fn is_at_rest(&self) {
        self.is_proven();
    }

    /// Like one that was just found.
    pub(crate) fn is_asked_again(&self) {
        let home = self.path.parent().unwrap_or(&self.path);
        if let Err(error) = write_marker(home) {
            tracing::warn!(%error, "an index is read that the next open will not fear");
        }
    }

    /// Says whose index it is, where that was not known when it was opened.
    pub(crate) fn belongs_to(&mut self, queue: u64) {
        self.queue = queue;
    }

    /// What was taken over when it was last flushed; `None` where that cannot be told.
    pub(crate) fn applied(&self) -> Result<Option<Applied>, StoreError> {
        let sealed = self.answer_in_time("read", |db| db.get(APPLIED_KEY))?;
        Ok(sealed.and_then(|sealed| open_applied(&sealed)))
    }

    /// How much room its files take.
    pub(crate) fn size_bytes(&self) -> Result<u64, StoreError> {
        self.guarded("read", |db| db.size_on_disk())
    }

    /// Goes through everything, deletions too. Says how many entries are damaged.
    pub(crate) fn walk(&self, mut visit: impl FnMut(&[u8], Indexed)) -> Result<u64, StoreError> {
        let mut damaged = 0;
        let mut after: Option<Vec<u8>> = None;
        loop {
            let start = after.clone().map_or(Bound::Unbounded, Bound::Excluded);
            let page: Vec<_> = self.answer_in_time("read", move |db| {
                let range = db.range((start, Bound::Unbounded));
                range.take(256).collect::<Result<_, _>>()
            })?;
            let Some((last, _)) = page.last() else {
                return Ok(damaged);
            };
            if after.is_some_and(|before| last.as_ref() <= before.as_slice()) {
                return Err(self.damaged("its entries are out of order"));
            }
            after = Some(last.to_vec());
            for (stored_key, sealed) in page.iter().filter(|(key, _)| key != APPLIED_KEY) {
                match open_entry(stored_key, sealed) {
                    Some(indexed) => visit(plain_key(stored_key), indexed),
                    None => damaged += 1,
                }
            }
        }
    }

    /// Like [`guarded`](SledIndex::guarded), of an index that may never answer.
    fn answer_in_time<T: Send + 'static>(
        &self,
        doing: &'static str,
        call: impl FnOnce(&Db) -> ::sled::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let asked = self.guarded(doing, |db| Ok(db.clone()))?;
        let path = self.path.clone();
        in_time(LONGEST_ANSWER, &self.path, doing, move || {
            guard(&path, doing, || call(&asked))
        })
        .inspect_err(|_| self.failed.store(true, Ordering::Release))
    }

    fn guarded<T>(
        &self,
        doing: &'static str,
        call: impl FnOnce(&Db) -> ::sled::Result<T>,
    ) -> Result<T, StoreError> {
        match &self.db {
            Some(db) if !self.failed.load(Ordering::Acquire) => {
                // After an error or a panic nobody knows what sled still holds, and a later call
                // might wait for ever.
                guard(&self.path, doing, || call(db))
                    .inspect_err(|_| self.failed.store(true, Ordering::Release))
            }
            _ => Err(StoreError::Index {
                path: self.path.clone(),
                doing,
                reason: "it failed before".to_owned(),
            }),
        }
    }

    fn damaged(&self, reason: &str) -> StoreError {
        StoreError::Index {
            path: self.path.clone(),
            doing: "read",
            reason: reason.to_owned(),
        }
    }

    fn entry(&self, key: &[u8], sealed: &[u8]) -> Result<IndexEntry, StoreError> {
        let indexed =
            open_entry(key, sealed).ok_or_else(|| self.damaged("an entry fails its checksum"))?;
        Ok((key.to_vec(), indexed))
    }
}

impl Index for SledIndex {
    fn get(&self, key: &[u8]) -> Result<Option<Indexed>, StoreError> {
        let gone = gone_key(key);
        for stored_key in [key, &gone] {
            if let Some(sealed) = self.guarded("read", |db| db.get(stored_key))? {
                let indexed = open_entry(stored_key, &sealed)
                    .ok_or_else(|| self.damaged("an entry fails its checksum"))?;
                return Ok(Some(indexed));
            }
        }
        Ok(None)
    }

    fn page(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<IndexEntry>, StoreError> {
        let start = match after {
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(prefix),
        };
        let page: Vec<_> = self.guarded("read", |db| {
            db.range::<&[u8], _>((start, Bound::Unbounded))
                .take_while(|entry| !matches!(entry, Ok((key, _)) if !key.starts_with(prefix)))
                .take(limit)
                .collect::<Result<_, _>>()
        })?;
        let entries = page.iter().map(|(key, sealed)| self.entry(key, sealed));
        entries.collect()
    }

    fn last(&self, prefix: &[u8], before: Option<&[u8]>) -> Result<Option<IndexEntry>, StoreError> {
        let end = before.map_or(Bound::Unbounded, Bound::Excluded);
        let last = self.guarded("read", |db| match before {
            Some(_) => {
                let mut range = db.range::<&[u8], _>((Bound::Included(prefix), end));
                range.next_back().transpose()
            }
            None => db.scan_prefix(prefix).next_back().transpose(),
        })?;
        let last = last.filter(|(key, _)| key.starts_with(prefix));
        last.map(|(key, sealed)| self.entry(&key, &sealed))
            .transpose()
    }

    fn apply(&self, changes: Vec<IndexChange>, applied: u64) -> Result<(), StoreError> {
        let mut batch = ::sled::Batch::default();
        for change in changes {
            match change {
                IndexChange::Set(key, indexed) => {
                    let gone = gone_key(&key);
                    let (set, removed) = match indexed.state.is_gone() {
                        true => (gone, key),
                        false => (key, gone),
                    };
                    let sealed = seal_entry(&set, &indexed);
                    batch.remove(removed);
                    batch.insert(set, sealed);
                }
                IndexChange::Forget(key) => batch.remove(gone_key(&key)),
            }
        }
        let applied = Applied {
            sequence: applied,
            queue: self.queue,
        };
        batch.insert(APPLIED_KEY, seal_applied(applied));
        self.guarded("written", |db| db.apply_batch(batch))
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.guarded("flushed", |db| db.flush()).map(drop)
    }
}

impl Drop for SledIndex {
    /// After a full disk sled's own `Drop` was seen to wait for ever. It is waited for only where the next
    /// open may need its lock, and not for long.
    fn drop(&mut self) {
        let (db, path) = (self.db.take(), self.path.clone());
        let (closing, closed) = channel::<()>();
        let close = move || {
            // There is nobody left to tell; everything acknowledged is in the journal.
            let _ = guard(&path, "closed", || {
                drop(db);
                Ok(())
            });
            drop(closing);
        };
        let thread = thread::Builder::new().name("money-transfer-close".to_owned());
        if thread.spawn(close).is_ok() && !self.failed.load(Ordering::Acquire) {
            // It ends when the other side is gone.
            let _ = closed.recv_timeout(LONGEST_CLOSE);
        }
    }
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

/// Has a thread of its own wait for sled. Where that takes too long, the thread is left alone, with all that it holds.
fn in_time<T: Send + 'static>(
    longest: Duration,
    path: &Path,
    doing: &'static str,
    call: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let (answer, answered) = channel();
    let ask = move || {
        if let Err(late) = answer.send(call()) {
            // To drop it could panic.
            std::mem::forget(late);
        }
    };
    let thread = thread::Builder::new().name("money-transfer-index".to_owned());
    thread.spawn(ask).map_err(|error| StoreError::Thread {
        reason: error.to_string(),
    })?;
    let answer = answered.recv_timeout(longest);
    answer.unwrap_or_else(|_| {
        Err(StoreError::Index {
            path: path.to_owned(),
            doing,
            reason: "the index library does not answer".to_owned(),
        })
    })
}

fn open_patiently(path: &Path) -> Result<Db, StoreError> {
    for _ in 1..OPEN_ATTEMPTS {
        match guard(path, "opened", || Ok(open_db(path))) {
            Ok(Err(::sled::Error::Io(error))) if is_lock_held(&error) => {
                thread::sleep(OPEN_PAUSE);
            }
            Ok(opened) => return guard(path, "opened", || opened),
            Err(panicked) => return Err(panicked),
        }
    }
    guard(path, "opened", || open_db(path))
}

/// sled tells of its lock in words only.
fn is_lock_held(error: &io::Error) -> bool {
    error.to_string().contains("could not acquire lock")
}

fn open_db(path: &Path) -> ::sled::Result<Db> {
    Config::new()
        .path(path)
        .cache_capacity(CACHE_BYTES)
        // Whoever feeds it flushes; a timer would only wake an idle till.
        .flush_every_ms(None)
        .open()
}

fn io_error(path: &Path, doing: &'static str, error: &io::Error) -> StoreError {
    StoreError::Io {
        path: path.to_owned(),
        doing,
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_never_answers_is_not_waited_for() {
        let (hang_up, never) = channel::<()>();
        let answer = in_time(
            Duration::from_millis(10),
            Path::new("index"),
            "opened",
            move || {
                let _ = never.recv();
                Ok(())
            },
        );
        let Err(StoreError::Index {
            path,
            doing,
            reason,
        }) = answer
        else {
            panic!("{answer:?}");
        };
        assert_eq!((path.as_path(), doing), (Path::new("index"), "opened"));
        assert_eq!(reason, "the index library does not answer");
        drop(hang_up);
    }
}
