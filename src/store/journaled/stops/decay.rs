//! What rots while the queue is open is not carried to the grave in silence.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::super::super::journal::JournalSettings;
use super::super::feeder::Feeder;
use super::super::{JournaledStore, Recovery, StoreOptions};
use super::{NOWHERE, SimulatedDisk};
use crate::store::disk::{Disk, DiskFile};
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
