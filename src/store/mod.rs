//! Durable bytes: what is committed here survives a killed process and a power cut.
//!
//! ```text
//!  Batch ──▶ commit ──▶ on the disk ──▶ Ok
//!                └────▶ Err: nothing is promised about the batch, and the store takes no other
//! ```
//!
//! 1. A batch is atomic: after a crash all of it is there, or nothing.
//! 2. `commit` returns `Ok` only when the batch is on the disk.
//! 3. A read sees every batch whose commit returned `Ok`.
//! 4. After a failed commit it is not known whether the batch is on the disk. The store refuses
//!    every later one until it is opened again, so that nothing can contradict it.
//! 5. One process owns a directory, held by a lock of our own ([`DirectoryLock`]).
//!
//! The suite in `conformance.rs` holds every store to these rules.

mod disk;
mod index;
mod journal;
mod journaled;
mod lock;
#[cfg(test)]
mod memory;
mod record;
#[cfg(test)]
mod simulated_disk;
mod sled;
mod vault;

#[cfg(test)]
mod conformance;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use journal::Oddity;
pub(crate) use journaled::{IndexFate, JournaledStore, Recovery, StoreOptions};
pub(crate) use lock::{DirectoryLock, LockError};
#[cfg(test)]
pub(crate) use memory::MemoryStore;
pub(crate) use record::{UNKNOWN_LOSSES, open_record, seal_record};
pub use vault::ReceiptKey;
pub(crate) use vault::{ENTRY_LIMIT_BYTES, Kept, Vault};

/// The longest value that a store takes, in bytes.
///
/// sled moves values beyond about 128 KiB to files of their own, whose durability is another story.
pub(crate) const VALUE_LIMIT_BYTES: usize = 96 * 1024;

/// The longest key that a store takes, in bytes.
pub(crate) const KEY_LIMIT_BYTES: usize = 255;

/// For how long this process has been running, on a clock that nobody sets.
pub(crate) type Uptime = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Changes that become durable together or not at all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    changes: Vec<Change>,
}

/// One change of a batch.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Put { key: Vec<u8>, value: Vec<u8> },
    Delete { key: Vec<u8> },
}

impl Change {
    pub(crate) fn key(&self) -> &[u8] {
        match self {
            Change::Put { key, .. } | Change::Delete { key } => key,
        }
    }
}

impl Batch {
    /// Sets `key` to `value`.
    pub(crate) fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.changes.push(Change::Put { key, value });
    }

    /// Removes `key`, if it is there.
    pub(crate) fn delete(&mut self, key: Vec<u8>) {
        self.changes.push(Change::Delete { key });
    }

    /// Appends the changes of `other`.
    pub(crate) fn append(&mut self, mut other: Batch) {
        self.changes.append(&mut other.changes);
    }

    /// About how many bytes the changes take.
    pub(crate) fn size_bytes(&self) -> usize {
        let sizes = self.changes.iter().map(|change| match change {
            Change::Put { key, value } => key.len() + value.len(),
            Change::Delete { key } => key.len(),
        });
        sizes.sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    pub(crate) fn changes(&self) -> &[Change] {
        &self.changes
    }

    fn check_sizes(&self) -> Result<(), StoreError> {
        for change in &self.changes {
            match change {
                Change::Put { value, .. } if value.len() > VALUE_LIMIT_BYTES => {
                    let length_bytes = value.len();
                    return Err(StoreError::TooLarge { length_bytes });
                }
                change if change.key().len() > KEY_LIMIT_BYTES => {
                    let length_bytes = change.key().len();
                    return Err(StoreError::TooLarge { length_bytes });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// A key with its value.
pub(crate) type Entry = (Vec<u8>, Vec<u8>);

/// An ordered map of bytes that keeps its word.
pub(crate) trait Store: Send + Sync {
    /// Makes all of `batch` durable, or reports that it may not be.
    fn commit(&self, batch: &Batch) -> Result<(), StoreError>;

    /// The value of `key`.
    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// At most `limit` entries whose keys start with `prefix`, in the order of their keys,
    /// beginning behind `after`.
    fn page(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError>;

    /// The last entry whose key starts with `prefix`.
    fn last(&self, prefix: &[u8]) -> Result<Option<Entry>, StoreError>;

    /// Where to put what has to be erased again.
    fn vault(&self) -> &dyn Vault;

    /// For how long the queue has been open, in all its lives.
    fn running_time(&self) -> Duration {
        Duration::ZERO
    }

    /// Refuses where the only room left is that which is kept for decisions still to come.
    fn check_room(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl StoreError {
    /// Whether it is certain that nothing of the batch is on the disk, and that the next may be.
    pub(crate) fn nothing_was_written(&self) -> bool {
        use StoreError as E;
        matches!(
            self,
            E::Full { .. } | E::NotExtended { .. } | E::TooLarge { .. }
        )
    }
}

/// Why the queue on the disk could not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk or the file system failed.
    #[error("the queue in {path} cannot be {doing}: {reason}")]
    Io {
        /// The directory of the queue.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the system says.
        reason: String,
    },
    /// The index library failed or panicked.
    #[error("the index of the queue in {path} failed while being {doing}: {reason}")]
    Index {
        /// The directory of the queue.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the library says.
        reason: String,
    },
    /// The thread that writes the queue could not be started.
    #[error("the thread that writes the queue cannot be started: {reason}")]
    Thread {
        /// What the system says.
        reason: String,
    },
    /// An earlier write failed, and its outcome is unknown until the queue is opened again.
    #[error("the queue in {path} takes nothing more after a failed write: open it again")]
    Failed {
        /// The directory of the queue.
        path: PathBuf,
    },
    /// The disk is full. Nothing was written, and what was accepted before is safe.
    #[error("the disk of the queue in {path} is full: make room")]
    Full {
        /// The directory of the queue.
        path: PathBuf,
    },
    /// The queue has to grow, and the system does not let it. Nothing was written, what was accepted
    /// before is safe, and the queue goes on as soon as it can grow.
    #[error("the queue in {path} cannot grow: {reason}")]
    NotExtended {
        /// The directory of the queue.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// A record is longer than the queue takes.
    #[error(
        "a record of {length_bytes} bytes is longer than the {VALUE_LIMIT_BYTES} that the queue takes"
    )]
    TooLarge {
        /// Its length.
        length_bytes: usize,
    },
    /// The queue was written by a later version of this crate, and is left untouched.
    #[error(
        "the {part} in {path} has format {found}, this version knows up to {known}: use the version that wrote it, or a later one"
    )]
    NewerFormat {
        /// What of the queue: its journal, a record in it, its vault or its index.
        part: &'static str,
        /// The file, or the directory.
        path: PathBuf,
        /// The format that it has.
        found: u32,
        /// The newest format that this version knows.
        known: u32,
    },
    /// The journal holds segments of several queues, as if the files of another till had been copied into
    /// it, and nothing says which queue is this till's. Nothing is touched, and nothing sent.
    #[error(
        "the journal in {path} holds the segments of several queues: move those that are not this till's away"
    )]
    Mixed {
        /// The directory of the segments.
        path: PathBuf,
    },
    /// A record fails its checksum or cannot be read.
    #[error("a record of the queue is damaged: {reason}")]
    Damaged {
        /// What is wrong with it.
        reason: String,
    },
}
