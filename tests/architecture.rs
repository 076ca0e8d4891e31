//! The rooms of the house and who may know whom. Reads the source, not the compiler's mind.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

/// Each room with the rooms that it may know. Arrows go down only.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("api", &["model"]),
    ("store", &["model"]),
    ("saf", &["model", "api", "store"]),
    ("client", &["model", "api", "store", "saf"]),
    ("blocking", &["model", "api", "store", "saf", "client"]),
    ("simulator", &["model"]),
];

/// Each library that one file alone may name, with that file.
const BEHIND_ONE_FILE: &[(&str, &str)] = &[
    ("reqwest", "api/http.rs"),
    ("sled", "store/sled.rs"),
    ("backoff", "saf/retry_policy.rs"),
];

/// Libraries that a room must not name.
const NOT_IN: &[(&str, &[&str])] = &[
    (
        "model",
        &["tokio", "reqwest", "sled", "tracing", "hyper", "axum"],
    ),
    ("store", &["tokio", "reqwest", "hyper"]),
];

#[test]
fn arrows_go_down_only() {
    let mut wrong = Vec::new();
    for (path, source) in sources() {
        let Some((room, allowed)) = room_of(&path) else {
            continue;
        };
        for known in rooms_named_in(&path, &source) {
            if known != room && !allowed.contains(&known.as_str()) {
                wrong.push(format!("{} must not know {known}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_library_that_is_to_be_replaceable_stays_behind_one_file() {
    let mut wrong = Vec::new();
    for (path, source) in sources() {
        for (library, home) in BEHIND_ONE_FILE {
            if path != Path::new(home) && names_library(&source, library) {
                wrong.push(format!("{} names {library}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_lower_rooms_do_without_a_runtime_and_a_network() {
    let mut wrong = Vec::new();
    for (path, source) in sources() {
        for (room, libraries) in NOT_IN {
            for library in libraries.iter().filter(|_| path.starts_with(room)) {
                if names_library(&source, library) {
                    wrong.push(format!("{} names {library}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_room_is_on_the_list() {
    let lib = fs::read_to_string(src().join("lib.rs")).unwrap();
    for line in lib.lines() {
        let line = line.strip_prefix("pub ").unwrap_or(line);
        if let Some(room) = line
            .strip_prefix("mod ")
            .and_then(|rest| rest.strip_suffix(';'))
        {
            assert!(
                MAY_KNOW.iter().any(|(known, _)| *known == room),
                "{room} is not listed"
            );
        }
    }
}

#[test]
fn files_stay_short_enough_to_be_read() {
    let long: Vec<String> = sources()
        .into_iter()
        .filter(|(_, source)| source.lines().count() > 600)
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert!(long.is_empty(), "split at 600 lines: {long:?}");
}

/// The checks above are only as good as this scanner.
#[test]
fn the_scanner_sees_every_way_to_name_a_room() {
    let deep = Path::new("api/outcome.rs");
    for source in [
        "use crate::saf::Ledger;",
        "use crate::saf;",
        "use crate::saf as other;",
        "use crate::{saf as other};",
        "use crate::{model::Money, saf::Ledger};",
        "use crate::{\n    api,\n    saf::{Ledger, Schedule},\n};",
        "fn f() { crate::saf::go() }",
        "type T = crate :: saf :: Ledger;",
        "use super::super::saf::Ledger;",
        "use super::{super::saf::Ledger};",
    ] {
        assert!(
            rooms_named_in(deep, source).contains(&"saf".to_owned()),
            "{source}"
        );
    }
    let front = Path::new("api/mod.rs");
    assert!(rooms_named_in(front, "use super::saf::Ledger;").contains(&"saf".to_owned()));
    let deeper = Path::new("api/outcome/tests.rs");
    let up = "use super::super::super::saf::Ledger;";
    assert!(rooms_named_in(deeper, up).contains(&"saf".to_owned()));
    for innocent in [
        "// use crate::saf::Ledger;",
        "use super::saf::Ledger;",
        "use crate::safe;",
    ] {
        assert!(rooms_named_in(deep, innocent).is_empty(), "{innocent}");
    }
}

#[test]
fn the_scanner_sees_every_way_to_name_a_library() {
    for source in [
        "use ::sled::Db;",
        "use sled;",
        "use sled as other;",
        "use sled::{Db, Config};",
        "extern crate sled;",
        "let x = sled::open(p);",
    ] {
        assert!(names_library(source, "sled"), "{source}");
    }
    for innocent in [
        "use super::sled::SledStore;",
        "pub use self::sled::SledStore;",
        "mod sled;",
        "/// sled::open",
        "let sled = 1;",
        "use bobsled::Team;",
    ] {
        assert!(!names_library(innocent, "sled"), "{innocent}");
    }
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every source file, by its path below `src`.
fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![src()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(src()).unwrap().to_owned(), source));
            }
        }
    }
    assert!(found.len() > 20, "the sources were not found");
    found
}

fn room_of(path: &Path) -> Option<(&'static str, &'static [&'static str])> {
    let first = path.components().next()?.as_os_str().to_str()?;
    let room = first.strip_suffix(".rs").unwrap_or(first);
    let row = MAY_KNOW.iter().find(|(name, _)| *name == room)?;
    Some((row.0, row.1))
}

/// The source without comments, with one space where there was white space, and none around `::`.
fn code_of(source: &str) -> String {
    let code = source
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    let code = code
        .flat_map(str::split_whitespace)
        .collect::<Vec<_>>()
        .join(" ");
    code.replace(" ::", "::")
        .replace(":: ", "::")
        .replace("{ ", "{")
}

/// The rooms that the source of the file at `path` names, by `crate` or by enough `super`s.
fn rooms_named_in(path: &Path, source: &str) -> Vec<String> {
    let code = code_of(source).replace("{super::", "super::");
    let mut rooms = heads_after(&code, "crate::");
    for supers in module_depth(path)..=8 {
        rooms.extend(heads_after(&code, &"super::".repeat(supers)));
    }
    rooms.retain(|room| MAY_KNOW.iter().any(|(name, _)| name == room));
    rooms
}

/// How many `super`s lead from the module at `path` to the root of the crate.
fn module_depth(path: &Path) -> usize {
    let depth = path.components().count();
    depth - usize::from(path.file_name().is_some_and(|name| name == "mod.rs"))
}

fn heads_after(code: &str, start: &str) -> Vec<String> {
    let begins = |position: usize| !code[..position].ends_with("super::");
    let found = code
        .match_indices(start)
        .filter(|(position, _)| begins(*position));
    found
        .flat_map(|(position, _)| heads(&code[position + start.len()..]))
        .collect()
}

/// The first names of a path, or of each path of a group in braces.
fn heads(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else {
        return first_word(path).into_iter().collect();
    };
    let mut names = vec![String::new()];
    let mut depth = 0;
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(String::new()),
            _ if depth == 0 => names.last_mut().unwrap().push(c),
            _ => {}
        }
    }
    names
        .iter()
        .filter_map(|name| first_word(name.trim()))
        .collect()
}

fn first_word(text: &str) -> Option<String> {
    let word = text
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()?;
    (!word.is_empty()).then(|| word.to_owned())
}

/// Whether the code names the library itself, not a module of ours by the same name.
fn names_library(source: &str, library: &str) -> bool {
    let code = code_of(source);
    code.match_indices(library).any(|(position, _)| {
        let (before, after) = (&code[..position], &code[position + library.len()..]);
        let is_whole = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let is_member = ["super::", "self::", "crate::"]
            .iter()
            .any(|own| before.ends_with(own));
        let is_imported = before.ends_with("use ") || before.ends_with("extern crate ");
        let ends = after.starts_with(';') || after.starts_with(" as ");
        is_whole && !is_member && (after.starts_with("::") || is_imported && ends)
    })
}
