//! The thread behind the acknowledgements: it feeds the index and retires old segments.
//!
//! 1. Only this thread changes the index, and only this thread takes entries out of the overlay.
//! 2. A segment is retired when each of its changes was either copied to the head of the journal, or
//!    is superseded by a newer one *that stands undamaged in the journal*. The index only says where
//!    to look.
//! 3. A segment in which damage is found while the store is open stays: the next open reports it, and
//!    restores what can be restored.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::super::index::{Index, IndexChange, Indexed, KeyState, MemoryIndex};
use super::super::journal::{FoundValue, OldSegment, Position, SEGMENT_BYTES};
use super::super::record::LOST;
use super::super::{Change, StoreError};
use super::overlay::Waiting;
use super::{Shared, Signals, lock};

/// How many changes the index takes at a time. More, with random keys, make sled grow without bound.
const FED_AT_ONCE: usize = 256;

/// How long changes are gathered before they are fed.
const GATHERING: Duration = Duration::from_millis(10);

/// How many segments there may be beside twice what the living records take.
const SLACK_SEGMENTS: u64 = 4;

/// How many records are copied forward in one frame.
const COPIED_AT_ONCE: usize = 64;

pub(super) struct Feeder {
    shared: Arc<Shared>,
    retention_seconds: u64,
    /// How many segments there may be before the oldest are retired.
    segment_limit: u64,
    round: Option<Round>,
    applied: u64,
}

/// One walk through all segments that were there at its beginning.
struct Round {
    until: u64,
    copied_bytes: u64,
}

/// A change of an old segment, and what became of its key.
struct OldChange {
    key: Vec<u8>,
    position: Position,
    value: Option<Vec<u8>>,
}

impl Feeder {
    pub(super) fn new(shared: Arc<Shared>, live_bytes: u64, retention_seconds: u64) -> Feeder {
        let applied = shared.journal.durable();
        Feeder {
            shared,
            retention_seconds,
            segment_limit: segment_limit(live_bytes),
            round: None,
            applied,
        }
    }

    /// Works until the store is closed, and then until nothing is left to be fed.
    pub(super) fn run(mut self) {
        loop {
            let is_closing = self.wait_for_work();
            if let Err(error) = self.feed() {
                self.replace_index(&error);
            }
            if is_closing {
                return;
            }
            if let Err(error) = self.retire_if_due() {
                tracing::error!(%error, "a segment of the queue cannot be retired");
                self.round = None;
                self.segment_limit *= 2;
            }
        }
    }

    /// Waits for changes and gathers some. Says whether the store is being closed.
    fn wait_for_work(&self) -> bool {
        let shared = &self.shared;
        let is_idle = |signals: &mut Signals| {
            !signals.is_fed && !signals.is_closing && !signals.wants_index()
        };
        let signals = shared.changed.wait_while(lock(&shared.signals), is_idle);
        let signals = signals.unwrap_or_else(PoisonError::into_inner);
        let is_open = |signals: &mut Signals| !signals.is_closing && !signals.wants_index();
        let gathered = shared
            .changed
            .wait_timeout_while(signals, GATHERING, is_open);
        let (mut signals, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        signals.is_fed = false;
        signals.is_closing
    }

    /// Gives the index everything that waits.
    pub(super) fn feed(&mut self) -> Result<(), StoreError> {
        if lock(&self.shared.signals).has_failed {
            return Err(StoreError::Index {
                path: std::path::PathBuf::new(),
                doing: "read",
                reason: "a read failed".to_owned(),
            });
        }
        let index = self.shared.index();
        while let Some((waiting, applied)) = self.oldest_waiting() {
            let count = waiting.len();
            let mut changes = Vec::with_capacity(count);
            for (key, newest) in waiting {
                changes.push(self.index_change(key, newest)?);
            }
            index.apply(changes, applied)?;
            self.applied = applied;
            lock(&self.shared.overlay).remove_oldest(count);
        }
        index.flush()
    }

    fn oldest_waiting(&self) -> Option<(Vec<Waiting>, u64)> {
        lock(&self.shared.overlay).oldest(FED_AT_ONCE)
    }

    fn index_change(&self, key: Vec<u8>, newest: super::Newest) -> Result<IndexChange, StoreError> {
        let state = match newest.is_gone {
            true => KeyState::Gone,
            false => match self.shared.journal.read(newest.position, &key)? {
                Some(value) => KeyState::Value(value),
                None => KeyState::Value(LOST.to_vec()),
            },
        };
        let position = newest.position;
        Ok(IndexChange::Set(key, Indexed { position, state }))
    }

    /// Puts an index in memory in the place of one that failed. Where the journal does not give back what
    /// it has to be made of, an older state could pass for the newest: whoever asks is refused until that
    /// can be done, at the latest when the queue is opened again.
    pub(super) fn replace_index(&mut self, error: &StoreError) {
        tracing::error!(%error, "the index of the queue is replaced by one in memory");
        let made = self.index_of_journal();
        if let Err(error) = &made {
            tracing::error!(%error, "no index can be made of the journal");
        }
        let refusal = made
            .map(|index| self.shared.use_index(Arc::new(index)))
            .err();
        self.shared.signal(|signals| {
            signals.has_failed = refusal.is_some();
            // The next change tries again.
            signals.is_fed |= refusal.is_none();
            signals.refusal = refusal;
        });
    }

    fn index_of_journal(&self) -> Result<MemoryIndex, StoreError> {
        let index = MemoryIndex::default();
        self.shared.journal.replay(|replayed| {
            let state = match replayed.value {
                // Who reads a damaged one learns that it is lost.
                FoundValue::Put(_) | FoundValue::Damaged => KeyState::InJournal,
                FoundValue::Deleted => KeyState::Gone,
            };
            let position = replayed.position;
            let set = IndexChange::Set(replayed.key.to_vec(), Indexed { position, state });
            // It takes everything.
            let _ = index.apply(vec![set], position.sequence);
        })?;
        Ok(index)
    }

    /// Retires the oldest segment, if there are too many.
    pub(super) fn retire_if_due(&mut self) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        if shared.journal.check_room().is_err() {
            // What is copied forward would take the room that is kept for decisions, and give none back.
            return Ok(());
        }
        if self.round.is_none() {
            if (shared.journal.segment_count() as u64) <= self.segment_limit {
                return Ok(());
            }
            self.round = Some(Round {
                until: shared.journal.current_segment(),
                copied_bytes: 0,
            });
        }
        let Some(round) = &mut self.round else {
            return Ok(());
        };
        match shared.journal.oldest()? {
            Some(old) if old.number() < round.until && !old.is_whole() => {
                return Err(StoreError::Damaged {
                    reason: "an old segment cannot be read whole any more".to_owned(),
                });
            }
            Some(old) if old.number() < round.until => {
                round.copied_bytes += retire(&shared, old, self.applied)?;
                // The next one with the next round of work.
                shared.signal(|signals| signals.is_fed = true);
            }
            _ => {
                self.segment_limit = segment_limit(round.copied_bytes);
                self.round = None;
                self.prune_audit();
            }
        }
        Ok(())
    }

    /// Retires everything that was there when this was called.
    pub(super) fn retire_all(&mut self) -> Result<(), StoreError> {
        self.feed()?;
        let until = self.shared.journal.current_segment();
        while let Some(old) = self
            .shared
            .journal
            .oldest()?
            .filter(|old| old.number() < until)
        {
            retire(&self.shared, old, self.applied)?;
            self.feed()?;
        }
        Ok(())
    }

    fn prune_audit(&self) {
        if let Err(error) = self.shared.journal.prune_audit(self.retention_seconds) {
            tracing::warn!(%error, "an old part of the audit trail cannot be removed");
        }
    }
}

fn segment_limit(live_bytes: u64) -> u64 {
    2 * live_bytes.div_ceil(SEGMENT_BYTES.into()) + SLACK_SEGMENTS
}

/// Copies what is alive in `old` to the head, and takes the segment out. Returns how many bytes were
/// copied.
fn retire(shared: &Shared, old: OldSegment, applied: u64) -> Result<u64, StoreError> {
    let mut alive = Vec::new();
    let mut forgotten = Vec::new();
    for change in changes_of(&old) {
        match fate(shared, &change)? {
            Fate::Alive => alive.push(change),
            Fate::LastTrace => forgotten.push(IndexChange::Forget(change.key)),
            Fate::Superseded => {}
        }
    }
    let mut copied_bytes = 0;
    for some in alive.chunks(COPIED_AT_ONCE) {
        copied_bytes += copy_forward(shared, some)?;
    }
    shared.journal.retire(old)?;
    // From here on the journal knows nothing of these keys, and neither should the index.
    shared.index().apply(forgotten, applied)?;
    Ok(copied_bytes)
}

fn changes_of(old: &OldSegment) -> Vec<OldChange> {
    let mut changes = Vec::new();
    old.changes(|replayed| {
        let value = match replayed.value {
            FoundValue::Put(value) => Some(value.to_vec()),
            FoundValue::Deleted => None,
            FoundValue::Damaged => return,
        };
        changes.push(OldChange {
            key: replayed.key.to_vec(),
            position: replayed.position,
            value,
        });
    });
    changes
}

/// What a change in an old segment is worth.
enum Fate {
    Alive,
    /// A deletion, and nothing older of its key is left.
    LastTrace,
    Superseded,
}

fn fate(shared: &Shared, change: &OldChange) -> Result<Fate, StoreError> {
    let newest = newest(shared, &change.key)?;
    let newest = newest.ok_or_else(|| unvouched("has no entry"))?;
    let order = |position: &Position| (position.sequence, position.change);
    match order(&newest.position).cmp(&order(&change.position)) {
        std::cmp::Ordering::Less => Err(unvouched("has an entry that is too old")),
        std::cmp::Ordering::Equal if change.value.is_some() => Ok(Fate::Alive),
        std::cmp::Ordering::Equal => Ok(Fate::LastTrace),
        std::cmp::Ordering::Greater => {
            match shared.journal.vouches_for(newest.position, &change.key)? {
                true => Ok(Fate::Superseded),
                false => Err(unvouched(
                    "has an entry that the journal does not vouch for",
                )),
            }
        }
    }
}

/// The newest change of `key`. An index that fails is not waited for: its successor is made by whoever
/// asks here.
fn newest(shared: &Shared, key: &[u8]) -> Result<Option<Indexed>, StoreError> {
    let overlaid = lock(&shared.overlay).newest(key);
    match overlaid {
        Some(newest) => Ok(Some(Indexed::from(newest))),
        None => shared
            .index()
            .get(key)
            .inspect_err(|_| shared.signal(|signals| signals.has_failed = true)),
    }
}

fn unvouched(what: &str) -> StoreError {
    StoreError::Damaged {
        reason: format!("a key of an old segment {what}"),
    }
}

/// Appends `some` again, those apart that have changed since.
fn copy_forward(shared: &Shared, some: &[OldChange]) -> Result<u64, StoreError> {
    let _turn = lock(&shared.turn);
    let unchanged = some.iter().filter(|change| {
        // Whatever was committed since the index was asked is still in the overlay: this very thread
        // would have to take it out.
        let newest = lock(&shared.overlay).newest(&change.key);
        newest.is_none_or(|newest| newest.position.sequence <= change.position.sequence)
    });
    let changes: Vec<Change> = unchanged
        .map(|change| Change::Put {
            key: change.key.clone(),
            value: change.value.clone().unwrap_or_default(),
        })
        .collect();
    let positions = shared.journal.append(&changes)?;
    lock(&shared.overlay).add(&changes, &positions);
    let bytes = changes.iter().map(|change| match change {
        Change::Put { key, value } => (key.len() + value.len()) as u64,
        Change::Delete { .. } => 0,
    });
    Ok(bytes.sum())
}
