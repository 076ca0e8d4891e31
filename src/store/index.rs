//! Where the newest change of each key stands in the journal, in the order of the keys.
//!
//! ```text
//!  commit ──▶ journal ──▶ Ok
//!                └──▶ overlay ──(behind the acknowledgement)──▶ index
//!  read: overlay, then index
//! ```
//!
//! The index can be thrown away at any moment: the journal alone is the promise. It is told only
//! what is durable, in order.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::StoreError;
use super::journal::Position;

/// The newest change of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Indexed {
    pub(crate) position: Position,
    pub(crate) state: KeyState,
}

/// What became of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyState {
    /// It has this value.
    Value(Vec<u8>),
    /// It has a value, which the index leaves to the journal.
    InJournal,
    /// It was deleted. This is remembered until the journal holds no earlier value of the key.
    Gone,
}

impl KeyState {
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, KeyState::Gone)
    }
}

/// What an index is told.
#[derive(Clone, Debug)]
pub(crate) enum IndexChange {
    /// The newest change of a key.
    Set(Vec<u8>, Indexed),
    /// The journal holds nothing of this deleted key any more.
    Forget(Vec<u8>),
}

/// A key with its newest change.
pub(crate) type IndexEntry = (Vec<u8>, Indexed);

/// An ordered map from keys to their newest changes.
pub(crate) trait Index: Send + Sync {
    /// The newest change of `key`, a deletion too.
    fn get(&self, key: &[u8]) -> Result<Option<Indexed>, StoreError>;

    /// At most `limit` keys that have a value and start with `prefix`, in order, behind `after`.
    fn page(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<IndexEntry>, StoreError>;

    /// The last key that has a value and starts with `prefix`, before `before`.
    fn last(&self, prefix: &[u8], before: Option<&[u8]>) -> Result<Option<IndexEntry>, StoreError>;

    /// Takes `changes` over. `applied` is the last sequence of which nothing is left to come.
    fn apply(&self, changes: Vec<IndexChange>, applied: u64) -> Result<(), StoreError>;

    /// Gives what was taken over to the system, as well as that can be done.
    fn flush(&self) -> Result<(), StoreError>;
}

/// An index in memory, for when the disk has no room for another one. It leaves all values to the
/// journal.
#[derive(Debug, Default)]
pub(crate) struct MemoryIndex {
    entries: std::sync::Mutex<BTreeMap<Vec<u8>, Indexed>>,
}

impl MemoryIndex {
    fn entries(&self) -> std::sync::MutexGuard<'_, BTreeMap<Vec<u8>, Indexed>> {
        self.entries
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Index for MemoryIndex {
    fn get(&self, key: &[u8]) -> Result<Option<Indexed>, StoreError> {
        Ok(self.entries().get(key).cloned())
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
        let entries = self.entries();
        let page = entries
            .range::<[u8], _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .filter(|(_, indexed)| !indexed.state.is_gone())
            .take(limit);
        Ok(page
            .map(|(key, indexed)| (key.clone(), indexed.clone()))
            .collect())
    }

    fn last(&self, prefix: &[u8], before: Option<&[u8]>) -> Result<Option<IndexEntry>, StoreError> {
        let entries = self.entries();
        let end = before.map_or(Bound::Unbounded, Bound::Excluded);
        let last = entries
            .range::<[u8], _>((Bound::Included(prefix), end))
            .rfind(|(key, indexed)| key.starts_with(prefix) && !indexed.state.is_gone());
        Ok(last.map(|(key, indexed)| (key.clone(), indexed.clone())))
    }

    fn apply(&self, changes: Vec<IndexChange>, _: u64) -> Result<(), StoreError> {
        let mut entries = self.entries();
        for change in changes {
            match change {
                IndexChange::Set(key, mut indexed) => {
                    if !indexed.state.is_gone() {
                        indexed.state = KeyState::InJournal;
                    }
                    entries.insert(key, indexed);
                }
                IndexChange::Forget(key) => {
                    if entries.get(&key).is_some_and(|one| one.state.is_gone()) {
                        entries.remove(&key);
                    }
                }
            }
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
