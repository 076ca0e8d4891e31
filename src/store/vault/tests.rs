//! What is put away comes back to its owner alone, and is gone when it is erased.

#![allow(clippy::unwrap_used)]

use super::super::disk::FileSystem;
use super::super::simulated_disk::{Fault, Left, SimulatedDisk};
use super::*;

const OWNER: Owner = [7; 16];
const SECRET: &[u8] = b"the redeem reference";

fn vault(directory: &Path, key: Option<u8>) -> FileVault {
    let key = key.map(|byte| ReceiptKey::new([byte; 32]));
    FileVault::open(&FileSystem, directory, key).unwrap()
}

fn contents(directory: &Path) -> Vec<u8> {
    std::fs::read(directory.join(VAULT_FILE)).unwrap()
}

fn holds(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

#[test]
fn what_was_kept_is_there_after_a_restart_and_gone_once_erased() {
    for key in [None, Some(1)] {
        let directory = tempfile::tempdir().unwrap();
        let kept = vault(directory.path(), key).keep(OWNER, SECRET).unwrap();
        assert_eq!(holds(&contents(directory.path()), SECRET), key.is_none());
        let reopened = vault(directory.path(), key);
        assert_eq!(reopened.all(), [(OWNER, kept)]);
        let found = reopened.kept(OWNER, kept).unwrap().unwrap();
        assert_eq!(*found, SECRET);
        reopened.erase(OWNER, kept);
        assert!(reopened.kept(OWNER, kept).unwrap().is_none());
        assert!(contents(directory.path()).iter().all(|byte| *byte == 0));
        assert!(vault(directory.path(), key).all().is_empty());
    }
}

#[test]
fn another_owner_another_key_and_a_flipped_bit_get_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let kept = vault(directory.path(), Some(1))
        .keep(OWNER, SECRET)
        .unwrap();
    let nothing = |key, owner| {
        let found = vault(directory.path(), key).kept(owner, kept);
        found.unwrap().is_none()
    };
    assert!(nothing(Some(1), [8; 16]));
    assert!(nothing(Some(2), OWNER));
    assert!(nothing(None, OWNER));
    assert!(!nothing(Some(1), OWNER));
    let good = contents(directory.path());
    let used = HEADER + NONCE + SECRET.len() + 16;
    for bit in 0..used * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(directory.path().join(VAULT_FILE), bad).unwrap();
        assert!(nothing(Some(1), OWNER), "bit {bit}");
    }
}

#[test]
fn room_is_used_again_and_entries_never_overlap() {
    let directory = tempfile::tempdir().unwrap();
    let vault = vault(directory.path(), None);
    let mut random = fastrand::Rng::with_seed(3);
    let mut live: Vec<(Owner, Kept, Vec<u8>)> = Vec::new();
    for round in 0..500_u32 {
        if live.len() > 20 || (random.bool() && !live.is_empty()) {
            let (owner, kept, bytes) = live.swap_remove(random.usize(..live.len()));
            assert_eq!(*vault.kept(owner, kept).unwrap().unwrap(), bytes);
            vault.erase(owner, kept);
        } else {
            let mut owner = [0; 16];
            owner[..4].copy_from_slice(&round.to_le_bytes());
            let bytes = vec![round as u8; random.usize(0..3_000)];
            let kept = vault.keep(owner, &bytes).unwrap();
            live.push((owner, kept, bytes));
        }
    }
    for (owner, kept, bytes) in &live {
        assert_eq!(*vault.kept(*owner, *kept).unwrap().unwrap(), *bytes);
    }
    let most = 22 * sectors_for(3_000) as usize * SECTOR * 2;
    assert!(contents(directory.path()).len() < most);
}

#[test]
fn what_is_too_long_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let refused = vault(directory.path(), None).keep(OWNER, &[0; ENTRY_LIMIT_BYTES + 1]);
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })));
}

#[test]
fn a_damaged_length_takes_no_neighbour_along() {
    let directory = tempfile::tempdir().unwrap();
    let first = vault(directory.path(), None);
    let hurt = first.keep([1; 16], SECRET).unwrap();
    let neighbour = first.keep([2; 16], SECRET).unwrap();
    drop(first);
    let mut bad = contents(directory.path());
    // Now it seems to reach over the next one.
    bad[25] ^= 2;
    std::fs::write(directory.path().join(VAULT_FILE), bad).unwrap();
    let vault = vault(directory.path(), None);
    assert_eq!(vault.all(), [([2; 16], neighbour)]);
    vault.erase([1; 16], hurt);
    assert_eq!(*vault.kept([2; 16], neighbour).unwrap().unwrap(), SECRET);
}

/// A file system whose device does not give one sector of a file back.
struct BadSector(u32);

struct BadFile {
    file: Box<dyn DiskFile>,
    bad: u64,
}

impl Disk for BadSector {
    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        FileSystem.create_directory(directory)
    }

    fn names(&self, directory: &Path) -> io::Result<Vec<String>> {
        FileSystem.names(directory)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        FileSystem.create(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(BadFile {
            file: FileSystem.open(path)?,
            bad: offset(self.0),
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        FileSystem.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        FileSystem.remove(path)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        FileSystem.sync_directory(directory)
    }
}

impl DiskFile for BadFile {
    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let is_hit = offset < self.bad + SECTOR as u64 && self.bad < offset + buffer.len() as u64;
        match is_hit {
            true => Err(io::Error::other("medium error")),
            false => self.file.read_at(buffer, offset),
        }
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.file.truncate(length)
    }
}

#[test]
fn a_sector_that_cannot_be_read_takes_its_receipt_along_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let healthy = vault(directory.path(), None);
    let kept = [1, 2, 3].map(|owner| healthy.keep([owner; 16], SECRET).unwrap());
    drop(healthy);
    FileVault::check_format(&BadSector(1), directory.path()).unwrap();
    let opened = FileVault::open(&BadSector(1), directory.path(), None).unwrap();
    let there = |owner: u8| {
        let found = opened.kept([owner; 16], kept[usize::from(owner) - 1]);
        found.unwrap().is_some()
    };
    assert_eq!([1, 2, 3].map(there), [true, false, true]);
    let another = opened.keep([4; 16], SECRET).unwrap();
    assert_eq!(
        another.number(),
        3,
        "nothing is put where it cannot be read"
    );
    opened.sync().unwrap();
}

/// A vault on a disk that counts its operations, and fails where it is told to.
fn on_simulated_disk() -> (SimulatedDisk, FileVault) {
    let root = Path::new("/queue");
    let disk = SimulatedDisk::new(root, 1);
    let vault = FileVault::open(&disk, root, None).unwrap();
    (disk, vault)
}

#[test]
fn an_erasure_costs_no_commit_a_flush_of_its_own() {
    let (disk, vault) = on_simulated_disk();
    let kept = vault.keep(OWNER, SECRET).unwrap();
    vault.sync().unwrap();
    vault.erase(OWNER, kept);
    let before = disk.operations();
    vault.sync().unwrap();
    assert_eq!(disk.operations(), before);
    // It is made durable with the next entry.
    vault.keep([8; 16], SECRET).unwrap();
    vault.sync().unwrap();
    let cut = disk.after_power_cut(Left::Nothing);
    let found = FileVault::open(&cut, Path::new("/queue"), None).unwrap();
    assert_eq!(found.all(), [([8; 16], kept)]);
}

#[test]
fn an_erasure_is_durable_once_the_queue_is_closed() {
    let (disk, vault) = on_simulated_disk();
    let kept = vault.keep(OWNER, SECRET).unwrap();
    vault.sync().unwrap();
    vault.erase(OWNER, kept);
    drop(vault);
    let cut = disk.after_power_cut(Left::Nothing);
    let found = FileVault::open(&cut, Path::new("/queue"), None).unwrap();
    assert!(found.all().is_empty());
}

#[test]
fn a_flush_that_fails_under_an_erasure_alone_stops_nobody() {
    let (disk, vault) = on_simulated_disk();
    let kept = vault.keep(OWNER, SECRET).unwrap();
    vault.sync().unwrap();
    vault.erase(OWNER, kept);
    disk.plan(1, Fault::Fails(io::ErrorKind::Other));
    vault.sync().unwrap();
    assert!(!disk.has_failed(), "nothing was asked of the disk");
}

#[test]
fn a_flush_that_fails_under_an_entry_is_never_tried_again() {
    let (disk, vault) = on_simulated_disk();
    vault.keep(OWNER, SECRET).unwrap();
    disk.plan(1, Fault::Fails(io::ErrorKind::Other));
    assert!(matches!(vault.sync(), Err(StoreError::Io { .. })));
    assert!(matches!(vault.sync(), Err(StoreError::Failed { .. })));
    let refused = vault.keep([8; 16], SECRET);
    assert!(matches!(refused, Err(StoreError::Failed { .. })));
}

#[test]
fn a_full_disk_has_room_for_the_receipts_that_were_reserved() {
    let (disk, vault) = on_simulated_disk();
    vault.reserve(20).unwrap();
    for owner in 0..3 {
        vault.keep([owner; 16], SECRET).unwrap();
    }
    vault.reserve(20).unwrap();
    let reserved = vault.file.length().unwrap();
    for owner in 3..23 {
        vault.keep([owner; 16], &[1; ENTRY_LIMIT_BYTES]).unwrap();
    }
    assert_eq!(
        vault.file.length().unwrap(),
        reserved,
        "the vault has grown"
    );
    vault.sync().unwrap();
    assert!(!disk.has_failed());
}

#[test]
fn room_that_cannot_be_had_is_refused_and_what_is_certain_stays_certain() {
    let (disk, vault) = on_simulated_disk();
    vault.reserve(1).unwrap();
    let has = vault.room().space.fits();
    let kept = vault.keep(OWNER, SECRET).unwrap();
    // The flush of the entry, the zeros, and their flush.
    for (operation, kind) in [(2, io::ErrorKind::StorageFull), (2, io::ErrorKind::Other)] {
        vault.keep([9; 16], SECRET).unwrap();
        disk.plan(operation, Fault::Fails(kind));
        let refused = vault.reserve(1_000).unwrap_err();
        let is_full = matches!(refused, StoreError::Full { .. });
        assert_eq!(is_full, kind == io::ErrorKind::StorageFull, "{refused}");
    }
    disk.plan(2, Fault::Fails(io::ErrorKind::StorageFull));
    vault.reserve(1_000).unwrap_err();
    assert_eq!(vault.room().space.fits(), has - 1);
    vault.reserve((has - 1) as usize).unwrap();
    vault.keep([8; 16], SECRET).unwrap();
    vault.sync().unwrap();
    let cut = disk.after_power_cut(Left::Nothing);
    let found = FileVault::open(&cut, Path::new("/queue"), None).unwrap();
    assert!(found.all().contains(&(OWNER, kept)));
    assert_eq!(found.all().len(), 4);
}

#[test]
fn what_was_reserved_once_needs_no_room_after_a_restart() {
    let (disk, vault) = on_simulated_disk();
    vault.reserve(1).unwrap();
    drop(vault);
    let disk = disk.after_power_cut(Left::Nothing);
    let vault = FileVault::open(&disk, Path::new("/queue"), None).unwrap();
    let length = vault.file.length().unwrap();
    vault.reserve(STEP as usize).unwrap();
    assert_eq!(vault.file.length().unwrap(), length);
}
