//! What is durable, and not yet in the index: where it stands in the journal.
//!
//! It keeps positions, no payloads: however far the index lags behind, a change takes a few dozen
//! bytes here.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use super::super::Change;
use super::super::journal::Position;

/// The newest changes of some keys, in the order of the keys and in that of the journal.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    newest: BTreeMap<Vec<u8>, Newest>,
    waiting: VecDeque<Waiting>,
}

/// A key with a change of it that the index has not got yet.
pub(crate) type Waiting = (Vec<u8>, Newest);

/// Where the newest change of a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Newest {
    pub(crate) position: Position,
    pub(crate) is_gone: bool,
}

impl Overlay {
    /// Adds what was just made durable.
    pub(crate) fn add(&mut self, changes: &[Change], positions: &[Position]) {
        for (change, position) in changes.iter().zip(positions) {
            let newest = Newest {
                position: *position,
                is_gone: matches!(change, Change::Delete { .. }),
            };
            self.newest.insert(change.key().to_vec(), newest);
            self.waiting.push_back((change.key().to_vec(), newest));
        }
    }

    pub(crate) fn newest(&self, key: &[u8]) -> Option<Newest> {
        self.newest.get(key).copied()
    }

    /// The keys that start with `prefix`, behind `after`, in order.
    pub(crate) fn from(&self, prefix: &[u8], after: Option<&[u8]>) -> BTreeMap<Vec<u8>, Newest> {
        let start = match after {
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(prefix),
        };
        let range = self.newest.range::<[u8], _>((start, Bound::Unbounded));
        range
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, newest)| (key.clone(), *newest))
            .collect()
    }

    /// The oldest changes, at most `limit` of them, and the last sequence that they complete.
    pub(crate) fn oldest(&self, limit: usize) -> Option<(Vec<Waiting>, u64)> {
        let changes: Vec<Waiting> = self.waiting.iter().take(limit).cloned().collect();
        let last = changes.last()?.1.position.sequence;
        let goes_on = self.waiting.get(changes.len());
        let is_split = goes_on.is_some_and(|(_, next)| next.position.sequence == last);
        Some((changes, if is_split { last - 1 } else { last }))
    }

    /// The index has taken the `count` oldest changes over.
    pub(crate) fn remove_oldest(&mut self, count: usize) {
        for (key, applied) in self.waiting.drain(..count) {
            if self.newest.get(&key) == Some(&applied) {
                self.newest.remove(&key);
            }
        }
    }
}
