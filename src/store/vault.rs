//! What may lie on the disk only for a while: receipts, until their transactions are settled.
//!
//! ```text
//!  vault   ┌─────────┬───────┬─────────┬─ ─ ─     entries on whole sectors, zeros where there is none
//!          │ entry   │ zeros │ entry   │
//!          └─────────┴───────┴─────────┴─ ─ ─
//!  entry   magic "MTRV" · CRC-32 · owner (16 bytes) · length u32 · sealed u8 · format - 1 u8 · 0 u16 · bytes
//! ```
//!
//! 1. What the journal holds stays in its segments, and in the audit trail behind them. What has to go
//!    is kept here, where it is overwritten with zeros as soon as nobody needs it any more.
//! 2. An entry is durable before the record that refers to it.
//! 3. A failed sync is never tried again: the system may have dropped an entry that it still shows.
//!    The vault takes nothing more, nor does its store, until the queue is opened again.
//! 4. Zeros are written, and made durable with the next entry or at the end, never for themselves: no
//!    commit waits for them. A power cut in between is made good at the next open, when entries without
//!    an owner are erased.
//! 5. Before a request is sent, room for its receipt is zero-filled and durable: an approval is never
//!    refused for want of room. Where that much cannot be had, the request is.
//! 6. With a key, entries are sealed (XChaCha20-Poly1305); without one they are readable by whoever
//!    may read the queue's directory.

mod space;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::StoreError;
use super::disk::{Disk, DiskFile};
use space::Space;

const SECTOR: usize = 512;
const MAGIC: [u8; 4] = *b"MTRV";
const HEADER: usize = 32;
const NONCE: usize = 24;
const TAG: usize = 16;
const VAULT_FILE: &str = "vault";

/// The format that this version writes.
const FORMAT: u32 = 1;

/// The longest entry, in bytes, before it is sealed.
pub(crate) const ENTRY_LIMIT_BYTES: usize = 32 * 1024;

/// How many sectors the longest entry takes, sealed.
const LONGEST: u32 = (HEADER + NONCE + TAG + ENTRY_LIMIT_BYTES).div_ceil(SECTOR) as u32;

/// For how many of the longest entries room is made at a time.
const STEP: u32 = 4;

/// Whom an entry belongs to: the id of a request.
pub(crate) type Owner = [u8; 16];

/// Where an entry lies: the number of its first sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Kept(u32);

#[cfg(test)]
impl Kept {
    pub(crate) fn at(number: u32) -> Kept {
        Kept(number)
    }

    pub(crate) fn number(self) -> u32 {
        self.0
    }
}

/// A key of 32 random bytes that seals what the queue keeps for receipts.
///
/// Keep it where other secrets of the till are kept, never beside the queue.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ReceiptKey([u8; 32]);

impl ReceiptKey {
    /// Uses `bytes` as the key.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> ReceiptKey {
        ReceiptKey(bytes)
    }
}

impl std::fmt::Debug for ReceiptKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReceiptKey(***)")
    }
}

/// A place for what has to be erased again.
pub(crate) trait Vault: Send + Sync {
    /// Puts `bytes` away for `owner`. They are durable with the next commit.
    fn keep(&self, owner: Owner, bytes: &[u8]) -> Result<Kept, StoreError>;

    /// What `owner` put away; `None` where it is not there, cannot be read, is damaged, or is sealed with
    /// another key.
    fn kept(&self, owner: Owner, kept: Kept) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError>;

    /// Overwrites what `owner` put away.
    fn erase(&self, owner: Owner, kept: Kept);

    /// Makes sure that `count` entries of any length can be put away, however full the disk becomes.
    /// Where it cannot be done, what was put away is as safe as before.
    fn reserve(&self, count: usize) -> Result<(), StoreError>;

    /// Everything that is put away.
    fn all(&self) -> Vec<(Owner, Kept)>;
}

/// [`Vault`] in a file.
pub(crate) struct FileVault {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    key: Option<ReceiptKey>,
    room: Mutex<Room>,
}

/// What may be written where, and what of it is durable.
#[derive(Debug, Default)]
struct Room {
    space: Space,
    /// Entries that a record may soon refer to are not durable yet.
    has_new: bool,
    /// Zeros are not durable yet. Nobody waits for them.
    has_erased: bool,
    has_failed: bool,
}

impl FileVault {
    /// Opens the vault in `directory`, or makes it.
    pub(crate) fn open(
        disk: &dyn Disk,
        directory: &Path,
        key: Option<ReceiptKey>,
    ) -> Result<FileVault, StoreError> {
        let path = directory.join(VAULT_FILE);
        let opened = match disk.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => disk
                .create(&path)
                .and_then(|file| disk.sync_directory(directory).map(|()| file)),
            opened => opened,
        };
        let vault = FileVault {
            file: opened.map_err(|error| refused(&path, "opened", &error))?,
            room: Mutex::default(),
            path,
            key,
        };
        vault
            .take_stock()
            .map_err(|error| refused(&vault.path, "read", &error))?;
        Ok(vault)
    }

    /// Refuses a vault that a later version wrote, before anything is touched.
    pub(crate) fn check_format(disk: &dyn Disk, directory: &Path) -> Result<(), StoreError> {
        let path = directory.join(VAULT_FILE);
        let inventory = match disk.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened.and_then(|file| Inventory::of(&*file)),
        };
        let inventory = inventory.map_err(|error| refused(&path, "read", &error))?;
        match inventory.format > FORMAT {
            true => Err(StoreError::NewerFormat {
                part: "vault",
                path,
                found: inventory.format,
                known: FORMAT,
            }),
            false => Ok(()),
        }
    }

    /// Makes durable what was put away.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        let mut room = self.room();
        self.check_sound(&room)?;
        match room.has_new {
            true => self.sync_all(&mut room),
            false => Ok(()),
        }
    }

    fn sync_all(&self, room: &mut Room) -> Result<(), StoreError> {
        if let Err(error) = self.file.sync() {
            room.has_failed = true;
            // Not even where there was no room: that may take the next batch, and this may not.
            return Err(broken(&self.path, "synced", &error));
        }
        (room.has_new, room.has_erased) = (false, false);
        Ok(())
    }

    fn sectors(&self) -> Result<u32, StoreError> {
        let length = self.file.length();
        let length = length.map_err(|error| refused(&self.path, "measured", &error))?;
        Ok(u32::try_from(length / SECTOR as u64).unwrap_or(u32::MAX))
    }

    /// Makes what is free up to sector `end` certain. A flush that fails takes nothing along but zeros,
    /// which are all written anew the next time: it does not stop the vault.
    fn extend(&self, room: &mut Room, end: u32) -> Result<(), StoreError> {
        if end <= room.space.certain() {
            return Ok(());
        }
        self.fill(room, end)
            .map_err(|error| refused(&self.path, "extended", &error))?;
        room.space.make_certain(end);
        room.has_erased = false;
        Ok(())
    }

    /// Fills what is free up to sector `end` with zeros, so that the disk has given it away for good.
    fn fill(&self, room: &Room, end: u32) -> io::Result<()> {
        for (first, count) in room.space.free_between(room.space.certain(), end) {
            let zeros = vec![0; count as usize * SECTOR];
            self.file.write_at(&zeros, offset(first))?;
        }
        self.file.sync()
    }

    fn check_sound(&self, room: &Room) -> Result<(), StoreError> {
        let path = self.path.clone();
        match room.has_failed {
            true => Err(StoreError::Failed { path }),
            false => Ok(()),
        }
    }

    /// Finds what is taken, and wipes what is left of damaged entries.
    fn take_stock(&self) -> io::Result<()> {
        let inventory = Inventory::of(&*self.file)?;
        let mut room = self.room();
        for sector in inventory.rest {
            room.has_erased |= self.clear(sector)?;
        }
        room.space = Space::of(inventory.taken);
        Ok(())
    }

    /// Says whether there was something to wipe.
    fn clear(&self, sector: u32) -> io::Result<bool> {
        let mut bytes = [0; SECTOR];
        let read = self.file.read_at(&mut bytes, offset(sector));
        if read.is_ok() && bytes.iter().all(|byte| *byte == 0) {
            return Ok(false);
        }
        self.file.write_at(&[0; SECTOR], offset(sector))?;
        Ok(true)
    }

    fn entry(&self, owner: Owner, bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let sealed = match &self.key {
            Some(key) => seal(key, owner, bytes).ok_or_else(|| StoreError::Damaged {
                reason: "a receipt cannot be sealed".to_owned(),
            })?,
            None => bytes.to_vec(),
        };
        let mut entry = Zeroizing::new(Vec::with_capacity(HEADER + sealed.len() + SECTOR));
        entry.extend_from_slice(&MAGIC);
        entry.extend_from_slice(&[0; 4]);
        entry.extend_from_slice(&owner);
        entry.extend_from_slice(&(sealed.len() as u32).to_le_bytes());
        entry.extend_from_slice(&u32::from(self.key.is_some()).to_le_bytes());
        entry.extend_from_slice(&sealed);
        let crc = crc32fast::hash(&entry[8..]);
        entry[4..8].copy_from_slice(&crc.to_le_bytes());
        let whole = entry.len().next_multiple_of(SECTOR);
        entry.resize(whole, 0);
        Ok(entry)
    }

    /// Reads an entry, unsealed yet: whether it is sealed, and its bytes.
    fn read(&self, owner: Owner, kept: Kept) -> io::Result<Option<(bool, Zeroizing<Vec<u8>>)>> {
        if self.file.length()? < offset(kept.0) + HEADER as u64 {
            return Ok(None);
        }
        let found = read_entry(&*self.file, kept.0)?;
        let found = found.filter(|(head, _)| head[8..24] == owner);
        Ok(found.map(|(head, bytes)| (head[28] == 1, bytes)))
    }

    fn owner_at(&self, sector: u32) -> Option<Owner> {
        let mut head = [0; HEADER];
        self.file.read_at(&mut head, offset(sector)).ok()?;
        length_of(&head)?;
        head[8..24].try_into().ok()
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Vault for FileVault {
    fn keep(&self, owner: Owner, bytes: &[u8]) -> Result<Kept, StoreError> {
        if bytes.len() > ENTRY_LIMIT_BYTES {
            return Err(StoreError::TooLarge {
                length_bytes: bytes.len(),
            });
        }
        let entry = self.entry(owner, bytes)?;
        let mut room = self.room();
        self.check_sound(&room)?;
        let count = (entry.len() / SECTOR) as u32;
        let first = room.space.find(count);
        self.file
            .write_at(&entry, offset(first))
            .map_err(|error| refused(&self.path, "written", &error))?;
        room.space.take(first, count);
        room.has_new = true;
        Ok(Kept(first))
    }

    fn kept(&self, owner: Owner, kept: Kept) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let read = self.read(owner, kept).unwrap_or_else(|error| {
            tracing::error!(%error, "a receipt cannot be read");
            None
        });
        Ok(match (read, &self.key) {
            (Some((false, bytes)), _) => Some(bytes),
            (Some((true, sealed)), Some(key)) => unseal(key, owner, &sealed),
            (Some((true, _)), None) | (None, _) => None,
        })
    }

    fn erase(&self, owner: Owner, kept: Kept) {
        let mut room = self.room();
        // Whoever comes second may find somebody else's entry there.
        let is_there = self.owner_at(kept.0) == Some(owner);
        let Some(count) = room.space.count_at(kept.0).filter(|_| is_there) else {
            return;
        };
        let zeros = vec![0; count as usize * SECTOR];
        match self.file.write_at(&zeros, offset(kept.0)) {
            Ok(()) => {
                room.space.release(kept.0);
                room.has_erased = true;
            }
            // It is tried again at the next open.
            Err(error) => tracing::warn!(%error, "a receipt that is not needed cannot be erased"),
        }
    }

    fn reserve(&self, count: usize) -> Result<(), StoreError> {
        let mut room = self.room();
        self.check_sound(&room)?;
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        if room.space.fits() >= count {
            return Ok(());
        }
        // A flush that fails below must not have been the one of an entry.
        if room.has_new {
            self.sync_all(&mut room)?;
        }
        // On a full disk there may still be what an earlier life had.
        self.extend(&mut room, self.sectors()?)?;
        let lacks = count.saturating_sub(room.space.fits());
        if lacks == 0 {
            return Ok(());
        }
        let more = lacks.max(STEP).saturating_mul(LONGEST);
        let end = room.space.end().saturating_add(more);
        self.extend(&mut room, end)
    }

    fn all(&self) -> Vec<(Owner, Kept)> {
        let entries = self.room().space.firsts().into_iter();
        entries
            .filter_map(|sector| Some((self.owner_at(sector)?, Kept(sector))))
            .collect()
    }
}

impl Drop for FileVault {
    fn drop(&mut self) {
        let mut room = self.room();
        if room.has_failed || !(room.has_new || room.has_erased) {
            return;
        }
        // What is not durable yet was erased, or belongs to nobody: the next open erases it again.
        if let Err(error) = self.sync_all(&mut room) {
            tracing::warn!(%error, "what was erased of receipts may be there until the next open");
        }
    }
}

/// What stands in a vault.
#[derive(Debug, Default)]
struct Inventory {
    /// The number of sectors of each entry, by its first.
    taken: BTreeMap<u32, u32>,
    /// The sectors in which no entry stands. They may hold what is left of a damaged one.
    rest: Vec<u32>,
    /// The latest format of any entry.
    format: u32,
}

impl Inventory {
    fn of(file: &dyn DiskFile) -> io::Result<Inventory> {
        let mut inventory = Inventory::default();
        let sectors = u32::try_from(file.length()? / SECTOR as u64).unwrap_or(u32::MAX);
        let mut sector = 0;
        while sector < sectors {
            // A length that nothing vouches for may reach into other entries.
            sector += match read_entry(file, sector) {
                // A receipt that the device does not give back must not hold up an advice. Nothing is
                // put in its place.
                Err(error) => {
                    tracing::error!(sector, %error, "a part of the vault cannot be read");
                    inventory.taken.insert(sector, 1);
                    1
                }
                Ok(Some((head, bytes))) => {
                    let count = sectors_for(bytes.len()).min(sectors - sector);
                    inventory.format = inventory.format.max(u32::from(head[29]) + 1);
                    inventory.taken.insert(sector, count);
                    count
                }
                Ok(None) => {
                    inventory.rest.push(sector);
                    1
                }
            };
        }
        Ok(inventory)
    }
}

/// The head of an entry, and what stands behind it.
type Found = ([u8; HEADER], Zeroizing<Vec<u8>>);

/// The entry that begins at `sector`, as it was written.
fn read_entry(file: &dyn DiskFile, sector: u32) -> io::Result<Option<Found>> {
    let mut head = [0; HEADER];
    file.read_at(&mut head, offset(sector))?;
    let Some(length) = length_of(&head) else {
        return Ok(None);
    };
    if file.length()? < offset(sector) + (HEADER + length) as u64 {
        return Ok(None);
    }
    let mut bytes = Zeroizing::new(vec![0; length]);
    file.read_at(&mut bytes, offset(sector) + HEADER as u64)?;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&head[8..]);
    hasher.update(&bytes);
    let is_whole = head[4..8] == hasher.finalize().to_le_bytes();
    Ok(is_whole.then_some((head, bytes)))
}

fn offset(sector: u32) -> u64 {
    u64::from(sector) * SECTOR as u64
}

fn sectors_for(length: usize) -> u32 {
    (HEADER + length).div_ceil(SECTOR) as u32
}

/// How long the bytes behind `head` are, if an entry begins with it.
fn length_of(head: &[u8; HEADER]) -> Option<usize> {
    let length = u32::from_le_bytes([head[24], head[25], head[26], head[27]]) as usize;
    let is_entry = head[..4] == MAGIC && length <= 2 * ENTRY_LIMIT_BYTES;
    is_entry.then_some(length)
}

fn seal(key: &ReceiptKey, owner: Owner, bytes: &[u8]) -> Option<Vec<u8>> {
    let random = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()];
    let mut nonce = [0; NONCE];
    nonce[..16].copy_from_slice(random[0].as_bytes());
    nonce[16..].copy_from_slice(&random[1].as_bytes()[8..]);
    let payload = Payload {
        msg: bytes,
        aad: &owner,
    };
    let cipher = XChaCha20Poly1305::new(&key.0.into());
    let sealed = cipher.encrypt(&XNonce::from(nonce), payload).ok()?;
    Some([&nonce[..], &sealed].concat())
}

fn unseal(key: &ReceiptKey, owner: Owner, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
    let payload = Payload {
        msg: sealed,
        aad: &owner,
    };
    let cipher = XChaCha20Poly1305::new(&key.0.into());
    let opened = cipher.decrypt(&XNonce::from(*nonce), payload).ok()?;
    Some(Zeroizing::new(opened))
}

fn refused(path: &Path, doing: &'static str, error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full {
            path: path.to_owned(),
        },
        _ => broken(path, doing, error),
    }
}

fn broken(path: &Path, doing: &'static str, error: &io::Error) -> StoreError {
    StoreError::Io {
        path: path.to_owned(),
        doing,
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests;
