//! What is put away comes back to its owner alone, and is gone when it is erased.

#![allow(clippy::unwrap_used)]

use super::super::disk::FileSystem;
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
