//! One directory, one owner.
//!
//! The lock is the operating system's, on a file of our own: it goes with the process however the
//! process ends, and it is taken before anything else in the directory is touched. Who holds it
//! stands in a second file, because some systems let nobody read a locked one.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

const LOCK_FILE: &str = "queue.lock";
const HOLDER_FILE: &str = "queue.holder";

/// A previous owner in this process may need a moment to let go; a living one does not let go.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);

/// The exclusive ownership of a queue directory, released when dropped.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    path: PathBuf,
    _file: File,
}

/// Why a directory could not be locked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    #[error("{path} is in use by {holder}")]
    Held { path: PathBuf, holder: String },
    #[error("{path} cannot be used")]
    Io { path: PathBuf, source: io::Error },
}

impl DirectoryLock {
    /// Creates `directory` where needed and takes its lock, waiting a second at most.
    pub(crate) fn take(directory: &Path) -> Result<DirectoryLock, LockError> {
        let failed = |source| LockError::Io {
            path: directory.to_owned(),
            source,
        };
        create_private(directory).map_err(failed)?;
        let file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(directory.join(LOCK_FILE))
            .map_err(failed)?;
        match lock_patiently(&file) {
            Ok(()) => {
                // Only for others to read: on a full disk the queue has to open all the same.
                if let Err(error) = fs::write(directory.join(HOLDER_FILE), holder_of_this_process())
                {
                    tracing::warn!(%error, "the holder of the queue cannot be written down");
                }
                Ok(DirectoryLock {
                    // Names above it have to be made durable, too.
                    path: fs::canonicalize(directory).map_err(failed)?,
                    _file: file,
                })
            }
            Err(TryLockError::WouldBlock) => Err(LockError::Held {
                path: directory.to_owned(),
                holder: holder_of(directory),
            }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

impl DirectoryLock {
    /// The directory that is owned.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Redeem references lie in the queue until their transactions are settled: nobody else's business.
#[cfg(unix)]
fn create_private(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(directory)
}

#[cfg(not(unix))]
fn create_private(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)
}

fn lock_patiently(file: &File) -> Result<(), TryLockError> {
    for _ in 1..ATTEMPTS {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
            settled => return settled,
        }
    }
    file.try_lock()
}

fn holder_of_this_process() -> String {
    format!("process {}", std::process::id())
}

fn holder_of(directory: &Path) -> String {
    fs::read_to_string(directory.join(HOLDER_FILE))
        .ok()
        .filter(|holder| !holder.is_empty())
        .unwrap_or_else(|| "another process".to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_second_owner_is_told_the_path_and_the_holder() {
        let directory = tempfile::tempdir().unwrap();
        let _first = DirectoryLock::take(directory.path()).unwrap();
        let refused = DirectoryLock::take(directory.path()).unwrap_err();
        let LockError::Held { path, holder } = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(path, directory.path());
        assert_eq!(holder, holder_of_this_process());
    }

    #[test]
    fn a_lock_that_was_dropped_can_be_taken() {
        let directory = tempfile::tempdir().unwrap();
        drop(DirectoryLock::take(directory.path()).unwrap());
        assert!(DirectoryLock::take(directory.path()).is_ok());
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_an_error_that_names_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a file");
        fs::write(&file, "").unwrap();
        let refused = DirectoryLock::take(&file.join("queue")).unwrap_err();
        assert!(matches!(refused, LockError::Io { .. }), "{refused:?}");
        assert!(refused.to_string().contains("a file"));
    }
}
