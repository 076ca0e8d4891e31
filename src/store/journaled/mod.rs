//! The queue's store: a journal that keeps the promise, and an index behind it for reading.
//!
//! ```text
//!  commit ─▶ journal (durable) ─▶ overlay ─▶ Ok
//!                                    │ feeder thread, ≤ 256 at a time
//!                                    ▼
//!  read  ◀── overlay, then index ◀─ sled
//! ```
//!
//! 1. An acknowledgement waits for the journal alone. The index may lag, stall or fail.
//! 2. A read sees everything acknowledged: the overlay is asked first, and an entry leaves it only
//!    when the index has taken it over.
//! 3. An index that fails is replaced by one in memory, made from the journal; the next open makes
//!    a new one on the disk. Where the journal rotted meanwhile, a value is lost or reads are refused:
//!    nothing older takes the place of what was acknowledged.
//! 4. What goes wrong at an open is told in a [`Recovery`].

mod feeder;
mod overlay;
mod preparer;
mod recovery;
#[cfg(test)]
mod stops;

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use super::index::{Index, Indexed, KeyState};
use super::journal::{Journal, JournalSettings, Position, SEGMENT_BYTES};
use super::record::LOST;
use super::vault::FileVault;
use super::{Batch, DirectoryLock, Entry, ReceiptKey, Store, StoreError, Uptime, Vault};
use feeder::Feeder;
use overlay::{Newest, Overlay};
use preparer::prepare_spares;
pub(crate) use recovery::{IndexFate, Recovery};

/// How long a read waits for a failed index to be replaced.
const REPLACEMENT: Duration = Duration::from_secs(30);

/// [`Store`] on a journal.
pub(crate) struct JournaledStore {
    shared: Arc<Shared>,
    vault: FileVault,
    threads: Vec<JoinHandle<()>>,
    /// The last field, so that the directory is let go only when everything is closed. There is none
    /// only where a test has a disk of its own.
    _lock: Option<DirectoryLock>,
}

/// What a user may set.
#[derive(Clone, Debug)]
pub(crate) struct StoreOptions {
    /// For how long of running time retired segments are kept.
    pub(crate) retention: Duration,
    /// What seals the vault.
    pub(crate) receipt_key: Option<ReceiptKey>,
}

/// What the store's threads share.
struct Shared {
    journal: Journal,
    /// Held while something is appended and added to the overlay.
    turn: Mutex<()>,
    overlay: Mutex<Overlay>,
    index: RwLock<Arc<dyn Index>>,
    signals: Mutex<Signals>,
    changed: Condvar,
}

/// What the threads tell each other.
#[derive(Debug, Default)]
struct Signals {
    /// There are changes to be fed.
    is_fed: bool,
    wants_spare: bool,
    /// The index failed, and waits to be replaced.
    has_failed: bool,
    /// Why it cannot be, as far as it was tried.
    refusal: Option<StoreError>,
    is_closing: bool,
}

impl Signals {
    /// Whether an index is to be made now, and not only when something changes.
    fn wants_index(&self) -> bool {
        self.has_failed && self.refusal.is_none()
    }
}

impl JournaledStore {
    /// Opens the queue in the directory that `lock` owns, creating it where it is new.
    pub(crate) fn open(
        lock: DirectoryLock,
        uptime: Uptime,
        options: StoreOptions,
    ) -> Result<(JournaledStore, Recovery), StoreError> {
        let settings = JournalSettings {
            disk: Arc::new(super::disk::FileSystem),
            directory: lock.path().to_owned(),
            segment_bytes: SEGMENT_BYTES,
            uptime,
        };
        JournaledStore::open_on(settings, lock, options)
    }

    /// The same with the journal on any disk. The index is always on the one of the system.
    fn open_on(
        settings: JournalSettings,
        lock: DirectoryLock,
        options: StoreOptions,
    ) -> Result<(JournaledStore, Recovery), StoreError> {
        let (mut store, feeder, report) =
            JournaledStore::open_still(settings, Some(lock), options)?;
        store.start_threads(feeder)?;
        Ok((store, report))
    }

    /// The same without the threads: whoever opens it so does the feeder's and the preparer's work.
    fn open_still(
        settings: JournalSettings,
        lock: Option<DirectoryLock>,
        options: StoreOptions,
    ) -> Result<(JournaledStore, Feeder, Recovery), StoreError> {
        let (disk, directory) = (Arc::clone(&settings.disk), settings.directory.clone());
        let (recovered, report) = recovery::recover(settings)?;
        let shared = Arc::new(Shared {
            journal: recovered.journal,
            turn: Mutex::new(()),
            overlay: Mutex::new(Overlay::default()),
            index: RwLock::new(recovered.index),
            signals: Mutex::new(Signals::default()),
            changed: Condvar::new(),
        });
        let mut feeder = Feeder::new(
            Arc::clone(&shared),
            recovered.live_bytes,
            options.retention.as_secs(),
        );
        shared.mend(recovered.mending, &mut feeder)?;
        let store = JournaledStore {
            shared,
            vault: FileVault::open(&*disk, &directory, options.receipt_key)?,
            threads: Vec::new(),
            _lock: lock,
        };
        Ok((store, feeder, report))
    }

    /// The last step of an open: a thread that runs is ended by nothing but the store's `Drop`.
    fn start_threads(&mut self, feeder: Feeder) -> Result<(), StoreError> {
        self.threads
            .push(start("money-transfer-index", move || feeder.run())?);
        let shared = Arc::clone(&self.shared);
        let prepare = move || prepare_spares(&shared);
        self.threads
            .push(start("money-transfer-segments", prepare)?);
        self.shared.signal(|signals| signals.wants_spare = true);
        Ok(())
    }
}

fn start(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    thread.map_err(|error| StoreError::Thread {
        reason: error.to_string(),
    })
}

impl Store for JournaledStore {
    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        batch.check_sizes()?;
        // What the batch refers to is durable before it.
        self.vault.sync()?;
        self.shared.commit(batch.changes())
    }

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.shared.newest(key)? {
            Some(indexed) => self.shared.value(key, indexed),
            None => Ok(None),
        }
    }

    fn page(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let shared = &self.shared;
        // The overlay first: what leaves it in between is in the index by then.
        let mut merged = shared.overlay_from(prefix, after);
        let hidden = merged.values().filter(|one| one.state.is_gone()).count();
        let indexed = shared.ask_index(|index| index.page(prefix, after, limit + hidden))?;
        for (key, indexed) in indexed {
            merged.entry(key).or_insert(indexed);
        }
        shared.values(merged.into_iter().take(limit + hidden), limit)
    }

    fn last(&self, prefix: &[u8]) -> Result<Option<Entry>, StoreError> {
        let shared = &self.shared;
        let overlay = shared.overlay_from(prefix, None);
        let mut before: Option<Vec<u8>> = None;
        let indexed = loop {
            let found = shared.ask_index(|index| index.last(prefix, before.as_deref()))?;
            match found {
                Some((key, _)) if overlay.contains_key(&key) => before = Some(key),
                found => break found,
            }
        };
        let overlaid = overlay.into_iter().rfind(|(_, one)| !one.state.is_gone());
        let last = overlaid
            .into_iter()
            .chain(indexed)
            .max_by(|a, b| a.0.cmp(&b.0));
        Ok(shared.values(last, 1)?.pop())
    }

    fn vault(&self) -> &dyn Vault {
        &self.vault
    }

    fn running_time(&self) -> Duration {
        self.shared.journal.running_time()
    }

    fn check_room(&self) -> Result<(), StoreError> {
        // What cannot be read for good is as much in the way of a new request as a full disk.
        let refusal = lock(&self.shared.signals).refusal.clone();
        refusal.map_or_else(|| self.shared.journal.check_room(), Err)
    }
}

impl Drop for JournaledStore {
    fn drop(&mut self) {
        self.shared.signal(|signals| signals.is_closing = true);
        for thread in self.threads.drain(..) {
            // One that panicked has left nothing that the journal does not have.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn commit(&self, changes: &[super::Change]) -> Result<(), StoreError> {
        let turn = lock(&self.turn);
        let positions = self.journal.append(changes)?;
        lock(&self.overlay).add(changes, &positions);
        drop(turn);
        self.wake_threads();
        Ok(())
    }

    /// Tells the threads that there is something to do, unless they know.
    fn wake_threads(&self) {
        let mut signals = lock(&self.signals);
        let lacks_spares = !signals.wants_spare && self.journal.lacks_spares();
        if signals.is_fed && !lacks_spares {
            return;
        }
        signals.is_fed = true;
        signals.wants_spare |= lacks_spares;
        drop(signals);
        self.changed.notify_all();
    }

    /// The newest change of `key`.
    fn newest(&self, key: &[u8]) -> Result<Option<Indexed>, StoreError> {
        let overlaid = lock(&self.overlay).newest(key);
        match overlaid {
            Some(newest) => Ok(Some(Indexed::from(newest))),
            None => self.ask_index(|index| index.get(key)),
        }
    }

    fn value(&self, key: &[u8], indexed: Indexed) -> Result<Option<Vec<u8>>, StoreError> {
        match indexed.state {
            KeyState::Value(value) => Ok(Some(value)),
            KeyState::Gone => Ok(None),
            KeyState::InJournal => self.value_in_journal(key, indexed.position),
        }
    }

    fn value_in_journal(
        &self,
        key: &[u8],
        position: Position,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(value) = self.journal.read(position, key)? {
            return Ok(Some(value));
        }
        // The segment may have been retired since the position was looked up.
        match self.newest(key)? {
            Some(newer) if newer.position != position => self.value(key, newer),
            // It stood there, and was acknowledged. Nothing older takes its place.
            Some(_) => Ok(Some(LOST.to_vec())),
            None => Ok(None),
        }
    }

    fn values(
        &self,
        entries: impl IntoIterator<Item = (Vec<u8>, Indexed)>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut values = Vec::new();
        for (key, indexed) in entries {
            if values.len() == limit {
                break;
            }
            if let Some(value) = self.value(&key, indexed)? {
                values.push((key, value));
            }
        }
        Ok(values)
    }

    fn overlay_from(&self, prefix: &[u8], after: Option<&[u8]>) -> BTreeMap<Vec<u8>, Indexed> {
        let overlaid = lock(&self.overlay).from(prefix, after);
        let entries = overlaid.into_iter();
        entries.map(|(key, newest)| (key, newest.into())).collect()
    }

    /// Asks the index; if it fails, the one that replaces it.
    fn ask_index<T>(
        &self,
        ask: impl Fn(&dyn Index) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let index = self.index();
        match ask(&*index) {
            Err(error) => {
                self.wait_for_replacement(&index, error)?;
                ask(&*self.index())
            }
            answer => answer,
        }
    }

    fn wait_for_replacement(
        &self,
        failed: &Arc<dyn Index>,
        error: StoreError,
    ) -> Result<(), StoreError> {
        self.signal(|signals| signals.has_failed |= Arc::ptr_eq(failed, &self.index()));
        let is_waiting = |signals: &mut Signals| signals.wants_index() && !signals.is_closing;
        let signals = lock(&self.signals);
        let waited = self
            .changed
            .wait_timeout_while(signals, REPLACEMENT, is_waiting);
        let (signals, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match (signals.has_failed, &signals.refusal) {
            (true, Some(refusal)) => Err(refusal.clone()),
            (true, None) => Err(error),
            (false, _) => Ok(()),
        }
    }

    fn use_index(&self, index: Arc<dyn Index>) {
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = index;
    }

    fn index(&self) -> Arc<dyn Index> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&index)
    }

    fn signal(&self, change: impl FnOnce(&mut Signals)) {
        change(&mut lock(&self.signals));
        self.changed.notify_all();
    }
}

impl From<Newest> for Indexed {
    fn from(newest: Newest) -> Indexed {
        Indexed {
            position: newest.position,
            state: match newest.is_gone {
                true => KeyState::Gone,
                false => KeyState::InJournal,
            },
        }
    }
}

/// A panic elsewhere leaves what is behind these locks whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
