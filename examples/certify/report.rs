//! The evidence report: which files it is, and the one for programs.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::Trouble;
use super::evidence::Evidence;
use super::report_page;

/// How a file of the report is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Html,
    Json,
}

/// The files of a report, each written beside its place until the run is over: a run that never starts, or
/// comes to no end, leaves an earlier report as it was.
pub(crate) struct ReportFiles(Vec<Draft>);

/// A file of the report before it is in its place.
struct Draft {
    /// As the command line has it.
    path: PathBuf,
    /// Where a link there leads: it is to stay a link.
    place: PathBuf,
    format: Format,
    file: NamedTempFile,
}

/// The report cannot be written there: another path would do.
#[derive(Debug, thiserror::Error)]
#[error("the report {path} cannot be written")]
pub(crate) struct ReportError {
    path: PathBuf,
    source: io::Error,
}

impl ReportFiles {
    /// Makes sure before the run that the files can be written: nobody should wait for a report in vain.
    ///
    /// With the extension `html` or `json` it is that one file, else both with the extension added.
    pub(crate) fn begin(path: &Path) -> Result<ReportFiles, ReportError> {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let added = |extension: &str| {
            let mut path = path.as_os_str().to_owned();
            path.push(extension);
            PathBuf::from(path)
        };
        let wanted = match extension {
            Some("html") => vec![(path.to_owned(), Format::Html)],
            Some("json") => vec![(path.to_owned(), Format::Json)],
            _ => vec![
                (added(".html"), Format::Html),
                (added(".json"), Format::Json),
            ],
        };
        let drafts = wanted.into_iter().map(Draft::begin);
        Ok(ReportFiles(drafts.collect::<Result<_, _>>()?))
    }

    /// Puts the report in its place, where an earlier one may be.
    pub(crate) fn write(self, evidence: &Evidence) -> Result<Vec<PathBuf>, Trouble> {
        let mut written = Vec::new();
        for draft in self.0 {
            let text = match draft.format {
                Format::Html => report_page::page(evidence),
                Format::Json => serde_json::to_string_pretty(evidence)? + "\n",
            };
            written.push(draft.finish(&text)?);
        }
        Ok(written)
    }
}

impl Draft {
    fn begin((path, format): (PathBuf, Format)) -> Result<Draft, ReportError> {
        let place = path.canonicalize().unwrap_or_else(|_| path.clone());
        match replaceable(&place).and_then(|()| beside(&place)) {
            Ok(file) => Ok(Draft {
                path,
                place,
                format,
                file,
            }),
            Err(source) => Err(ReportError { path, source }),
        }
    }

    fn finish(mut self, text: &str) -> Result<PathBuf, ReportError> {
        let written = self.file.write_all(text.as_bytes());
        let moved = written.and_then(|()| Ok(self.file.persist(self.place)?));
        match moved {
            Ok(_) => Ok(self.path),
            Err(source) => Err(ReportError {
                path: self.path,
                source,
            }),
        }
    }
}

/// What is there already has to be a file that may be written.
fn replaceable(place: &Path) -> io::Result<()> {
    match place.metadata() {
        Ok(found) if !found.is_file() => Err(io::Error::other("it is no file")),
        Ok(_) => OpenOptions::new().append(true).open(place).map(drop),
        Err(_) => Ok(()),
    }
}

/// A file with a name of its own in the same directory: from there it moves in one step.
fn beside(place: &Path) -> io::Result<NamedTempFile> {
    let directory = place.parent().filter(|path| !path.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    builder.prefix(".certify-").suffix(".part");
    // A report is for others to read, as far as this process lets them.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(directory.unwrap_or(Path::new(".")))
}
