//! A till on a simulated disk, and what it may find there after it was stopped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::super::super::journal::JournalSettings;
use super::super::super::simulated_disk::{Left, SimulatedDisk};
use super::super::super::vault::Kept;
use super::super::Recovery;
use super::super::feeder::Feeder;
use super::super::{JournaledStore, StoreOptions};
use crate::store::{Batch, Change, Store, StoreError, UNKNOWN_LOSSES};

/// Eight sectors: a few commits fill one.
const SEGMENT_BYTES: u32 = 8 * 512;

/// How long every life of the queue lasts, and for how long its audit trail is kept.
const LIFE: Duration = Duration::from_secs(10);
const RETENTION: Duration = Duration::from_secs(15);

/// All keys start with it: the index has keys of its own beside them.
const PREFIX: &[u8] = b"k/";

/// What the queue may hold.
pub(super) type World = BTreeMap<Vec<u8>, Vec<u8>>;

/// Something that a till does.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Sets keys to new values of so many bytes.
    Put(Vec<(&'static str, usize)>),
    Delete(&'static str),
    /// Puts a receipt into the vault, and commits a record that refers to it.
    Keep(&'static str),
    /// Puts a receipt into the vault, for a record that is committed later.
    KeepAhead,
    Refer(&'static str),
    /// Makes room for receipts to come.
    Reserve(usize),
    /// Deletes such a record, and erases its receipt.
    Settle(&'static str),
    /// What the threads do in the background, at this point.
    Prepare,
    Feed,
    Retire,
}

pub(super) struct Till {
    pub(super) disk: SimulatedDisk,
    /// All that the queue may hold as far as its owner was told: one world, and one more for every
    /// outcome that is unknown.
    pub(super) worlds: Vec<World>,
    /// Where the queue lies, on the simulated disk, and the index, on the real one.
    directory: PathBuf,
    /// The feeder first: the index is closed with whoever holds it last.
    running: Option<(Feeder, JournaledStore)>,
    steps: u32,
    /// How many commits were refused, and nothing was written.
    refused: usize,
    /// A record with a receipt that was kept ahead.
    ahead: Option<Vec<u8>>,
    /// What happened to it, for whoever has to find out why it is wrong.
    story: String,
}

impl std::fmt::Display for Till {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.story)
    }
}

impl Drop for Till {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.story);
        }
    }
}

impl Till {
    pub(super) fn new(disk: SimulatedDisk, directory: &Path) -> Till {
        Till {
            disk,
            worlds: vec![World::new()],
            directory: directory.to_owned(),
            running: None,
            steps: 0,
            refused: 0,
            ahead: None,
            story: String::new(),
        }
    }

    /// The same till, not open, on `disk`.
    pub(super) fn on(&self, disk: SimulatedDisk, what: &str) -> Till {
        Till {
            disk,
            worlds: self.worlds.clone(),
            directory: self.directory.clone(),
            running: None,
            steps: self.steps,
            refused: 0,
            ahead: None,
            story: format!("{}, {what}", self.story),
        }
    }

    fn open(&mut self) -> Result<Recovery, StoreError> {
        let settings = JournalSettings {
            disk: Arc::new(self.disk.clone()),
            directory: self.directory.clone(),
            segment_bytes: SEGMENT_BYTES,
            uptime: Arc::new(|| LIFE),
        };
        let options = StoreOptions {
            retention: RETENTION,
            receipt_key: None,
        };
        let (store, feeder, report) = JournaledStore::open_still(settings, None, options)?;
        self.running = Some((feeder, store));
        Ok(report)
    }

    /// Opens a queue that lost something. What it holds then is all that counts.
    pub(super) fn open_unsound(&mut self) -> Result<Recovery, StoreError> {
        let report = self.open()?;
        self.worlds = vec![self.contents()?];
        Ok(report)
    }

    /// Opens a queue of which nothing was damaged. What it holds has to be what it may hold, and
    /// nothing else counts from here.
    pub(super) fn open_sound(&mut self) -> Result<Recovery, StoreError> {
        let report = self.open()?;
        self.look()?;
        assert!(report.missing.is_empty(), "damage: {report:?}");
        assert!(report.oddities.is_empty(), "damage: {report:?}");
        assert!(report.lost.is_empty() && report.restored.is_empty());
        assert!(!report.has_unknown_losses, "{report:?}");
        self.check_readable();
        self.erase_what_nobody_owns();
        Ok(report)
    }

    /// How many commits were refused, and nothing was written.
    pub(super) fn refused(&self) -> usize {
        self.refused
    }

    pub(super) fn close(&mut self) {
        self.running = None;
    }

    /// Writes down under `key` that nobody knows what is lost, and only then lets the store forget it.
    pub(super) fn draw_consequences(&mut self, key: &str) -> Result<(), StoreError> {
        let Some((_, store)) = &self.running else {
            return Ok(());
        };
        let (mut drawn, mut forgotten) = (Batch::default(), Batch::default());
        drawn.put(full(key), Vec::new());
        store.commit(&drawn)?;
        forgotten.delete(UNKNOWN_LOSSES.to_vec());
        store.commit(&forgotten)
    }

    /// Compares what is read with what may be there.
    pub(super) fn look(&mut self) -> Result<(), StoreError> {
        let found = self.contents()?;
        let Some((_, store)) = &self.running else {
            return Ok(());
        };
        assert!(
            self.worlds.contains(&found),
            "found {}\nexpected one of {:#?}",
            shown(&found),
            Vec::from_iter(self.worlds.iter().map(shown))
        );
        for (key, value) in &found {
            assert_eq!(store.read(key)?.as_ref(), Some(value), "by its key");
            if let Some((owner, kept)) = receipt_of(value) {
                let receipt = store.vault().kept(owner, kept)?;
                let is_there = receipt.is_some_and(|text| *text == receipt_text(owner));
                assert!(is_there, "a receipt is not that of its record");
            }
        }
        self.worlds = vec![found];
        Ok(())
    }

    /// Compares what is read, after a failure too, with what was acknowledged.
    pub(super) fn look_meanwhile(&self) {
        if self.running.is_some() {
            let found = self.contents().expect("reading after a failure");
            assert!(self.worlds[0] == found, "read {}", shown(&found));
        }
    }

    /// Everything that the open queue gives out.
    pub(super) fn contents(&self) -> Result<World, StoreError> {
        let Some((_, store)) = &self.running else {
            return Ok(World::new());
        };
        let entries = store.page(PREFIX, None, usize::MAX >> 1)?;
        Ok(entries.into_iter().collect())
    }

    /// An index could be made of the journal at any moment.
    fn check_readable(&self) {
        if let Some((_, store)) = &self.running {
            let replayed = store.shared.journal.replay(|_| ());
            assert!(replayed.is_ok(), "{self}: {replayed:?}");
        }
    }

    fn erase_what_nobody_owns(&self) {
        let Some((_, store)) = &self.running else {
            return;
        };
        let values = self.worlds[0].values();
        let owned: Vec<_> = values.filter_map(|value| receipt_of(value)).collect();
        for (owner, kept) in store.vault().all() {
            if !owned.contains(&(owner, kept)) {
                store.vault().erase(owner, kept);
            }
        }
    }

    /// Does one step, and remembers what it was told. The error is one of the background's.
    pub(super) fn step(&mut self, step: &Step) -> Result<(), StoreError> {
        self.steps += 1;
        let Some((feeder, store)) = &mut self.running else {
            return Ok(());
        };
        let mut batch = Batch::default();
        match step {
            Step::Prepare => {
                // A disk that fails here is asked again at the next roll.
                let _ = store.shared.journal.prepare();
                return Ok(());
            }
            Step::Reserve(count) => {
                // Where there is no room, nothing is begun.
                let _ = store.vault().reserve(*count);
                return Ok(());
            }
            Step::Feed => return feeder.feed(),
            Step::Retire => return feeder.retire_if_due(),
            Step::Put(keys) => {
                for (key, length) in keys {
                    let mut value = format!("{key} of step {} ", self.steps).into_bytes();
                    value.resize(*length, b'.');
                    batch.put(full(key), value);
                }
            }
            Step::Delete(key) => batch.delete(full(key)),
            Step::Keep(key) => match keep(store, self.steps) {
                Some(record) => batch.put(full(key), record),
                None => return Ok(()),
            },
            Step::KeepAhead => {
                self.ahead = keep(store, self.steps);
                return Ok(());
            }
            Step::Refer(key) => match self.ahead.take() {
                Some(record) => batch.put(full(key), record),
                None => return Ok(()),
            },
            Step::Settle(key) => return self.settle(key),
        }
        self.commit(&batch);
        Ok(())
    }

    fn settle(&mut self, key: &str) -> Result<(), StoreError> {
        let value = self.worlds[0].get(&full(key)).cloned();
        let mut batch = Batch::default();
        batch.delete(full(key));
        let is_settled = self.commit(&batch);
        if let (true, Some((_, store)), Some(value)) = (is_settled, &self.running, value)
            && let Some((owner, kept)) = receipt_of(&value)
        {
            store.vault().erase(owner, kept);
        }
        Ok(())
    }

    /// Whether the owner was told that it is durable.
    fn commit(&mut self, batch: &Batch) -> bool {
        let Some((_, store)) = &self.running else {
            return false;
        };
        let after = |world: &World| {
            let mut world = world.clone();
            for change in batch.changes() {
                match change {
                    Change::Put { key, value } => world.insert(key.clone(), value.clone()),
                    Change::Delete { key } => world.remove(key),
                };
            }
            world
        };
        let changed: Vec<World> = self.worlds.iter().map(after).collect();
        match store.commit(batch) {
            Ok(()) => {
                self.worlds = changed;
                return true;
            }
            // It said so before anything was asked of the disk.
            Err(StoreError::Failed { .. }) => {}
            Err(error) if error.nothing_was_written() => self.refused += 1,
            Err(_) => self.worlds.extend(changed),
        }
        false
    }

    /// Retires everything that is old: each segment was understood, whatever the stops left in it.
    pub(super) fn retire_all(&mut self) -> Result<(), StoreError> {
        if let Some((feeder, _)) = &mut self.running {
            feeder.retire_all()?;
        }
        self.check_readable();
        Ok(())
    }

    /// Lets the power fail. Of what was not synced, `left` is left.
    pub(super) fn cut(&self, left: Left) -> Till {
        self.on(self.disk.after_power_cut(left), &format!("cut {left:?}"))
    }

    /// Kills the process.
    pub(super) fn kill(&self) -> Till {
        self.on(self.disk.after_kill(), "killed")
    }
}

pub(super) fn full(key: &str) -> Vec<u8> {
    [PREFIX, key.as_bytes()].concat()
}

/// Puts a receipt away, and returns the record that refers to it.
fn keep(store: &JournaledStore, step: u32) -> Option<Vec<u8>> {
    let owner = u128::from(step).to_le_bytes();
    let kept = store.vault().keep(owner, &receipt_text(owner)).ok()?;
    Some([b"kept", &owner[..], &kept.number().to_le_bytes()].concat())
}

/// The receipt that the record `value` refers to.
fn receipt_of(value: &[u8]) -> Option<([u8; 16], Kept)> {
    let (owner, number) = value.strip_prefix(b"kept")?.split_first_chunk()?;
    let number = u32::from_le_bytes(number.try_into().ok()?);
    Some((*owner, Kept::at(number)))
}

/// Of one to three sectors, by its owner.
fn receipt_text(owner: [u8; 16]) -> Vec<u8> {
    owner.repeat(20 + 32 * usize::from(owner[0] % 3))
}

fn shown(world: &World) -> String {
    let entries = world.iter().map(|(key, value)| {
        let text = String::from_utf8_lossy(value);
        let end = text.trim_end_matches('.').len().min(40);
        let text: String = text.chars().take(end).collect();
        format!("{}={text:?}", String::from_utf8_lossy(key))
    });
    entries.collect::<Vec<_>>().join(", ")
}
