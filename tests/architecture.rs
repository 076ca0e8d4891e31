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
    ("backoff", "saf/delivery.rs"),
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
        for known in rooms_named_in(&source) {
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
fn the_scanner_sees_every_way_to_name_a_room_or_a_library() {
    for source in [
        "use crate::saf::Ledger;",
        "use crate::{model::Money, saf::Ledger};",
        "use crate::{\n    api,\n    saf::{Ledger, Schedule},\n};",
        "fn f() { crate::saf::go() }",
        "type T = crate :: saf :: Ledger;",
        "use super::super::saf::Ledger;",
    ] {
        assert!(
            rooms_named_in(source).contains(&"saf".to_owned()),
            "{source}"
        );
    }
    assert!(rooms_named_in("// use crate::saf::Ledger;").is_empty());
    assert!(names_library("use ::sled::Db;", "sled"));
    assert!(names_library("let x = sled::open(p);", "sled"));
    assert!(!names_library("use super::sled::SledStore;", "sled"));
    assert!(!names_library("mod sled;", "sled"));
    assert!(!names_library("/// sled::open", "sled"));
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

/// The source without comments and white space.
fn code_of(source: &str) -> String {
    let code = source
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    code.collect::<Vec<_>>().join("\n")
}

fn rooms_named_in(source: &str) -> Vec<String> {
    let code: String = code_of(source).split_whitespace().collect();
    let mut rooms = Vec::new();
    for start in ["crate::", "super::super::"] {
        for (position, _) in code.match_indices(start) {
            rooms.extend(heads(&code[position + start.len()..]));
        }
    }
    rooms.retain(|room| MAY_KNOW.iter().any(|(name, _)| name == room));
    rooms
}

/// The first names of a path, or of each path of a group in braces.
fn heads(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else {
        let name = path
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .next();
        return name.map(str::to_owned).into_iter().collect();
    };
    let mut names = Vec::new();
    let mut depth = 0;
    let mut name = String::new();
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(std::mem::take(&mut name)),
            _ if depth == 0 => name.push(c),
            _ => {}
        }
    }
    names.push(name);
    names
        .iter()
        .filter_map(|name| name.split("::").next())
        .map(str::to_owned)
        .collect()
}

/// Whether the code names the library itself, not a module of ours by the same name.
fn names_library(source: &str, library: &str) -> bool {
    let code = code_of(source);
    code.match_indices(library).any(|(position, _)| {
        let before = code[..position].trim_end();
        let after = &code[position + library.len()..];
        let is_path = after.starts_with("::") || after.starts_with(';') && before.ends_with("use");
        let word_ended = |c: char| c.is_alphanumeric() || c == '_';
        let is_member = ["super::", "self::", "crate::", "mod"]
            .iter()
            .any(|own| before.ends_with(own));
        is_path && !is_member && !code[..position].ends_with(word_ended)
    })
}
