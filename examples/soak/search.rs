//! Looks for secrets in the files of a queue, in one pass.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Trouble;

/// How many digits a redeem reference has.
const REFERENCE_DIGITS: usize = 20;

/// The secrets that are in a file below `directory`, with the file.
pub(crate) fn secrets(directory: &Path, secrets: &[String]) -> Result<Vec<String>, Trouble> {
    let mut begins = [false; 256];
    for secret in secrets {
        begins[usize::from(secret.as_bytes()[0])] = true;
    }
    let mut found = Vec::new();
    for path in files(directory)? {
        let bytes = fs::read(&path)?;
        for (at, byte) in bytes.iter().enumerate() {
            if !begins[usize::from(*byte)] {
                continue;
            }
            let here = |secret: &&String| bytes[at..].starts_with(secret.as_bytes());
            if let Some(secret) = secrets.iter().find(here) {
                found.push(format!("{secret:?} ({})", path.display()));
            }
        }
    }
    Ok(found)
}

/// The redeem references that are in a file below `directory`, with the file.
pub(crate) fn references(
    directory: &Path,
    references: &HashSet<&[u8]>,
) -> Result<Vec<String>, Trouble> {
    let mut found = Vec::new();
    for path in files(directory)? {
        let bytes = fs::read(&path)?;
        let runs = bytes.split(|byte| !byte.is_ascii_digit());
        let windows = runs.flat_map(|run| run.windows(REFERENCE_DIGITS));
        let known = windows.filter(|digits| references.contains(digits));
        found.extend(known.map(|_| format!("a redeem reference ({})", path.display())));
    }
    Ok(found)
}

/// All files below `directory`.
pub(crate) fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => found.extend(files(&entry.path())?),
            false => found.push(entry.path()),
        }
    }
    Ok(found)
}

/// The size of all files below `directory`. What goes away meanwhile does not count.
pub(crate) fn size(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else {
        return 0;
    };
    let entries = entries.filter_map(Result::ok);
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(data) if data.is_dir() => size(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}
