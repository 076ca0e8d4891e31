//! What rots while the queue is open is not carried to the grave in silence.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::super::journal::JournalSettings;
use super::super::feeder::Feeder;
use super::super::{JournaledStore, REPLACEMENT, Recovery, StoreOptions};
use super::{NOWHERE, SimulatedDisk};
use crate::store::disk::{Disk, DiskFile};
use crate::store::index::{Index, IndexChange, IndexEntry, Indexed};
use crate::store::record::LOST;
use crate::store::{Batch, Store, StoreError, UNKNOWN_LOSSES};

const SECTOR: usize = 512;

const VALUE: &[u8] = b"the only copy of it";

fn open(disk: &SimulatedDisk) -> (Feeder, JournaledStore, Recovery) {
    let settings = JournalSettings {
        disk: Arc::new(disk.clone()),
        directory: NOWHERE.into(),
        segment_bytes: 8 * 512,
        uptime: Arc::new(|| Duration::ZERO),
    };
    let options = StoreOptions {
        retention: Duration::ZERO,
        receipt_key: None,
    };
    let (store, feeder, report) = JournaledStore::open_still(settings, None, options).unwrap();
    (feeder, store, report)
}

fn put(store: &JournaledStore, key: &str, value: &[u8]) {
    let mut batch = Batch::default();
    batch.put(key.into(), value.to_vec());
    store.commit(&batch).unwrap();
}

/// Flips a bit of `VALUE`, wherever in the journal it stands.
fn rot(disk: &SimulatedDisk) {
    change(disk, |file, offset| {
        file.write_at(&[VALUE[0] ^ 1], offset).unwrap();
    });
}

/// Wipes all of the frame that `VALUE` stands in: nobody can tell whose it was.
fn wipe(disk: &SimulatedDisk) {
    change(disk, |file, offset| {
        file.write_at(&[0; SECTOR], offset / SECTOR as u64 * SECTOR as u64)
            .unwrap();
    });
}

fn change(disk: &SimulatedDisk, change: impl Fn(&dyn DiskFile, u64)) {
    let journal = Path::new(NOWHERE).join("journal");
    for name in disk.names(&journal).unwrap() {
        let file = disk.open(&journal.join(name)).unwrap();
        let mut bytes = vec![0; file.length().unwrap() as usize];
        file.read_at(&mut bytes, 0).unwrap();
        let found = bytes.windows(VALUE.len()).position(|part| part == VALUE);
        if let Some(offset) = found {
            change(&*file, offset as u64);
        }
    }
}

#[test]
fn a_segment_that_rots_while_the_queue_is_open_stays_and_the_next_open_tells() {
    let disk = SimulatedDisk::new(Path::new(NOWHERE), 1);
    let (mut feeder, store, _) = open(&disk);
    put(&store, "k/1", VALUE);
    rot(&disk);
    let mut refused = 0;
    for _ in 0..60 {
        put(&store, "k/2", &[2; 900]);
        feeder.feed().unwrap();
        match feeder.retire_if_due() {
            Ok(()) => {}
            Err(StoreError::Damaged { .. }) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(refused > 0, "nothing was to be retired");
    drop((feeder, store));
    let (_, _, report) = open(&disk.after_kill());
    assert_eq!(report.lost, [b"k/1"]);
}

#[test]
fn what_nobody_can_tell_whose_it_was_stays_known_until_somebody_has_drawn_the_consequences() {
    let disk = SimulatedDisk::new(Path::new(NOWHERE), 1);
    let (_, store, _) = open(&disk);
    put(&store, "k/1", VALUE);
    put(&store, "k/2", b"behind it");
    drop(store);
    wipe(&disk);
    // However often the process dies before that.
    let mut disk = disk;
    for _ in 0..3 {
        let (_, store, report) = open(&disk);
        assert!(report.has_unknown_losses, "{report:?}");
        drop(store);
        disk = disk.after_kill();
    }
    let (_, store, _) = open(&disk);
    let mut batch = Batch::default();
    batch.delete(UNKNOWN_LOSSES.to_vec());
    store.commit(&batch).unwrap();
    drop(store);
    let (_, _, report) = open(&disk.after_kill());
    assert!(!report.has_unknown_losses, "{report:?}");
}

/// An index that gives nothing back.
struct Broken;

impl Broken {
    fn error() -> StoreError {
        StoreError::Index {
            path: NOWHERE.into(),
            doing: "read",
            reason: "it is broken".to_owned(),
        }
    }
}

impl Index for Broken {
    fn get(&self, _: &[u8]) -> Result<Option<Indexed>, StoreError> {
        Err(Broken::error())
    }

    fn page(&self, _: &[u8], _: Option<&[u8]>, _: usize) -> Result<Vec<IndexEntry>, StoreError> {
        Err(Broken::error())
    }

    fn last(&self, _: &[u8], _: Option<&[u8]>) -> Result<Option<IndexEntry>, StoreError> {
        Err(Broken::error())
    }

    fn apply(&self, _: Vec<IndexChange>, _: u64) -> Result<(), StoreError> {
        Err(Broken::error())
    }

    fn flush(&self) -> Result<(), StoreError> {
        Err(Broken::error())
    }
}

/// A queue in which `VALUE` is the newest of two, whose index breaks when the journal is `spoilt`.
fn with_a_broken_index(spoil: impl Fn(&SimulatedDisk)) -> JournaledStore {
    let disk = SimulatedDisk::new(Path::new(NOWHERE), 1);
    let (mut feeder, mut store, _) = open(&disk);
    put(&store, "k/1", b"an older one");
    put(&store, "k/1", VALUE);
    put(&store, "k/2", b"behind it");
    feeder.feed().unwrap();
    spoil(&disk);
    store.shared.use_index(Arc::new(Broken));
    store.start_threads(feeder).unwrap();
    store
}

#[test]
fn an_index_that_breaks_is_replaced_and_gives_the_newest_state() {
    let store = with_a_broken_index(|_| ());
    assert_eq!(store.read(b"k/1").unwrap(), Some(VALUE.to_vec()));
}

#[test]
fn an_older_state_never_takes_the_place_of_one_that_rotted_before_its_index_broke() {
    let store = with_a_broken_index(rot);
    assert_eq!(store.read(b"k/1").unwrap(), Some(LOST.to_vec()));
    assert_eq!(store.read(b"k/2").unwrap(), Some(b"behind it".to_vec()));
    assert_eq!(store.page(b"k/", None, 9).unwrap().len(), 2);
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "other threads are waited for, on no clock of a runtime"
)]
fn nothing_is_read_where_nobody_can_tell_what_rotted_before_the_index_broke() {
    let store = with_a_broken_index(wipe);
    let is_refused = |refused: StoreError| matches!(refused, StoreError::Damaged { .. });
    let start = Instant::now();
    assert!(is_refused(store.read(b"k/1").unwrap_err()));
    assert!(is_refused(store.page(b"k/", None, 9).unwrap_err()));
    assert!(start.elapsed() < REPLACEMENT, "a refusal is not waited for");
    // What is decided now is durable all the same.
    put(&store, "k/1", b"a newer one");
    assert_eq!(store.read(b"k/1").unwrap(), Some(b"a newer one".to_vec()));
}
