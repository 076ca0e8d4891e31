//! The evidence report: which files it is, and the one for programs.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::Trouble;
use super::evidence::Evidence;
use super::report_page;

/// How a file of the report is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Html,
    Json,
}

/// The files of a report.
pub(crate) struct ReportFiles(Vec<(PathBuf, Format, File)>);

/// The report cannot be written there: another path would do.
#[derive(Debug, thiserror::Error)]
#[error("the report {path} cannot be written")]
pub(crate) struct ReportError {
    path: PathBuf,
    source: io::Error,
}

impl ReportFiles {
    /// Creates the files before the run: nobody should wait for a report that cannot be written.
    ///
    /// With the extension `html` or `json` it is that one file, else both with the extension added.
    pub(crate) fn create(path: &Path) -> Result<ReportFiles, ReportError> {
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
        let mut files = Vec::new();
        for (path, format) in wanted {
            match File::create(&path) {
                Ok(file) => files.push((path, format, file)),
                Err(source) => return Err(ReportError { path, source }),
            }
        }
        Ok(ReportFiles(files))
    }

    pub(crate) fn write(&self, evidence: &Evidence) -> Result<(), Trouble> {
        for (path, format, file) in &self.0 {
            let text = match format {
                Format::Html => report_page::page(evidence),
                Format::Json => serde_json::to_string_pretty(evidence)? + "\n",
            };
            let mut file = file;
            file.write_all(text.as_bytes())
                .map_err(|source| ReportError {
                    path: path.clone(),
                    source,
                })?;
        }
        Ok(())
    }
}

impl fmt::Display for ReportFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths = self.0.iter().map(|(path, ..)| path.display().to_string());
        f.write_str(&paths.collect::<Vec<_>>().join(", "))
    }
}
