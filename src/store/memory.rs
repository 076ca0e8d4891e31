//! A store that forgets when it is dropped, for tests of the rooms above.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use super::vault::Owner;

use super::{Batch, Change, Entry, Kept, Store, StoreError, Vault};

/// [`Store`] in memory: atomic and consistent, and durable for as long as it lives.
#[derive(Debug, Default)]
pub(crate) struct MemoryStore {
    entries: Mutex<BTreeMap<Vec<u8>, Vec<u8>>>,
    vault: MemoryVault,
}

/// What was put away, until it is erased.
type MemoryEntry = Option<(Owner, Vec<u8>)>;

/// [`Vault`] in memory.
#[derive(Debug, Default)]
pub(crate) struct MemoryVault {
    entries: Mutex<Vec<MemoryEntry>>,
    /// For how many entries room was asked for the last time.
    reserved: AtomicUsize,
}

impl MemoryVault {
    fn entries(&self) -> MutexGuard<'_, Vec<MemoryEntry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Vault for MemoryVault {
    fn keep(&self, owner: Owner, bytes: &[u8]) -> Result<Kept, StoreError> {
        let mut entries = self.entries();
        entries.push(Some((owner, bytes.to_vec())));
        Ok(Kept::at(entries.len() as u32 - 1))
    }

    fn kept(&self, owner: Owner, kept: Kept) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let entries = self.entries();
        let entry = entries.get(kept.number() as usize).cloned().flatten();
        Ok(entry
            .filter(|entry| entry.0 == owner)
            .map(|(_, bytes)| Zeroizing::new(bytes)))
    }

    fn erase(&self, _: Owner, kept: Kept) {
        if let Some(entry) = self.entries().get_mut(kept.number() as usize) {
            *entry = None;
        }
    }

    fn reserve(&self, count: usize) -> Result<(), StoreError> {
        self.reserved.store(count, Ordering::SeqCst);
        Ok(())
    }

    fn all(&self) -> Vec<(Owner, Kept)> {
        let entries = self.entries();
        let numbered = entries.iter().enumerate();
        numbered
            .filter_map(|(number, entry)| Some((entry.as_ref()?.0, Kept::at(number as u32))))
            .collect()
    }
}

impl MemoryStore {
    /// For how many receipts room was asked for the last time.
    pub(crate) fn reserved(&self) -> usize {
        self.vault.reserved.load(Ordering::SeqCst)
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, Vec<u8>>> {
        // A panic elsewhere leaves the map whole: each change is one call on it.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        batch.check_sizes()?;
        let mut entries = self.entries();
        for change in batch.changes() {
            match change {
                Change::Put { key, value } => entries.insert(key.clone(), value.clone()),
                Change::Delete { key } => entries.remove(key),
            };
        }
        Ok(())
    }

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.entries().get(key).cloned())
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
        let entries = self.entries();
        let page = entries
            .range::<[u8], _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(limit);
        Ok(page
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect())
    }

    fn last(&self, prefix: &[u8]) -> Result<Option<Entry>, StoreError> {
        let entries = self.entries();
        let last = entries
            .range::<[u8], _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .last();
        Ok(last.map(|(key, value)| (key.clone(), value.clone())))
    }

    fn vault(&self) -> &dyn Vault {
        &self.vault
    }
}
