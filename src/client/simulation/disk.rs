//! The disk: it outlives the process, and fails as it likes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::world::{About, World};
use crate::store::{Batch, Entry, MemoryStore, Store, StoreError, Vault};

const ORDER: Ordering = Ordering::SeqCst;

#[derive(Default)]
pub(super) struct Disk {
    entries: MemoryStore,
    commits: AtomicU64,
    /// A commit failed, and the store takes nothing more until it is opened again.
    has_failed: AtomicBool,
}

/// The disk as one process has opened it.
pub(super) struct OpenDisk {
    world: Arc<World>,
    life: u64,
}

impl Disk {
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(ORDER)
    }
}

impl OpenDisk {
    pub(super) fn new(world: &Arc<World>, life: u64) -> OpenDisk {
        world.disk.has_failed.store(false, ORDER);
        OpenDisk {
            world: Arc::clone(world),
            life,
        }
    }

    fn disk(&self) -> &Disk {
        &self.world.disk
    }

    fn failed<T>(&self) -> Result<T, StoreError> {
        Err(StoreError::Failed {
            path: "/queue".into(),
        })
    }

    fn full(&self) -> StoreError {
        StoreError::Full {
            path: "/queue".into(),
        }
    }

    fn check_reading(&self) -> Result<(), StoreError> {
        let world = &self.world;
        match world.lives(self.life) && !world.weather.is_unreadable(world.now()) {
            true => Ok(()),
            false => Err(StoreError::Io {
                path: "/queue".into(),
                doing: "read",
                reason: "the disk does not answer".to_owned(),
            }),
        }
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        self.disk().entries.commit(batch)?;
        let now = self.world.now();
        let audited = self.world.audit().committed(batch, now);
        self.world.accuse(audited);
        Ok(())
    }

    /// Written, and no process knows it before the next open.
    fn apply_unseen(&self, batch: &Batch) -> Result<(), StoreError> {
        self.disk().entries.commit(batch)?;
        self.world.audit().committed_unseen(batch);
        Ok(())
    }
}

impl Store for OpenDisk {
    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        let world = &self.world;
        if !world.lives(self.life) || self.disk().has_failed.load(ORDER) {
            return self.failed();
        }
        if world.weather.is_full(world.now()) {
            return Err(self.full());
        }
        let number = self.disk().commits.fetch_add(1, ORDER);
        let mut dice = world.dice(About::Commit, number);
        let fails = world.weather.fails_to_write(&mut dice, world.now());
        let is_written = dice.bool();
        if world.dies_here(self.life) || fails {
            world.note(|| format!("a commit fails, written: {is_written}"));
            self.disk().has_failed.store(true, ORDER);
            if is_written {
                self.apply_unseen(batch)?;
            }
            return self.failed();
        }
        self.apply(batch)
    }

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.check_reading()?;
        self.disk().entries.read(key)
    }

    fn page(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.check_reading()?;
        self.disk().entries.page(prefix, after, limit)
    }

    fn last(&self, prefix: &[u8]) -> Result<Option<Entry>, StoreError> {
        self.check_reading()?;
        self.disk().entries.last(prefix)
    }

    fn vault(&self) -> &dyn Vault {
        self.disk().entries.vault()
    }

    fn check_room(&self) -> Result<(), StoreError> {
        match self.world.weather.is_tight(self.world.now()) {
            true => Err(self.full()),
            false => Ok(()),
        }
    }
}
