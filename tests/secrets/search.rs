//! Looks for a secret in all the forms in which it could lie about.

use std::path::Path;

use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// What is searched: text without the zeros that files are filled with.
pub(super) struct Haystack(String);

impl Haystack {
    pub(super) fn of(bytes: &[u8]) -> Haystack {
        // Without zeros the two bytes of each letter of UTF-16 are one.
        let bytes: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != 0).collect();
        Haystack(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// All files below `directory`.
    pub(super) fn of_files(directory: &Path) -> Haystack {
        let mut contents = Vec::new();
        collect(directory, &mut contents);
        Haystack::of(&contents)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The form in which `secret` is in here.
    pub(super) fn form_of(&self, secret: &str) -> Option<&'static str> {
        let forms = forms(secret).into_iter();
        let mut found = forms.filter(|(_, form)| self.0.contains(form));
        found.next().map(|(name, _)| name)
    }
}

fn collect(directory: &Path, contents: &mut Vec<u8>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => collect(&path, contents),
            false => contents.extend(std::fs::read(&path).unwrap()),
        }
    }
}

/// A secret in every form, with the name of the form.
pub(super) fn forms(secret: &str) -> Vec<(&'static str, String)> {
    let bytes = secret.as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let escaped = |digits: fn(u16) -> String| -> String {
        let units = secret.encode_utf16();
        units.map(|unit| format!("\\u{}", digits(unit))).collect()
    };
    let list = format!("{bytes:?}");
    let mut forms = vec![
        ("plain", secret.to_owned()),
        ("plain, lower case", secret.to_lowercase()),
        ("plain, upper case", secret.to_uppercase()),
        ("hex", hex.clone()),
        ("HEX", hex.to_uppercase()),
        (
            "URL-encoded",
            percent(secret, |byte| byte.is_ascii_alphanumeric()),
        ),
        ("URL-encoded in whole", percent(secret, |_| false)),
        (
            "a form",
            percent(secret, |byte| byte.is_ascii_alphanumeric()).replace("%20", "+"),
        ),
        ("JSON-escaped", escaped(|unit| format!("{unit:04x}"))),
        (
            "JSON-escaped, upper case",
            escaped(|unit| format!("{unit:04X}")),
        ),
        ("JSON, escaped where it must be", ascii_json(secret)),
        ("bytes as numbers", list.trim_matches(['[', ']']).to_owned()),
    ];
    for shift in 0..3 {
        forms.push(("base64", shifted_base64(&STANDARD, bytes, shift)));
        forms.push(("base64 for URLs", shifted_base64(&URL_SAFE, bytes, shift)));
    }
    forms
}

fn percent(text: &str, is_plain: fn(&u8) -> bool) -> String {
    let encode = |byte: &u8| match is_plain(byte) {
        true => char::from(*byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.as_bytes().iter().map(encode).collect()
}

/// As a writer of JSON does that keeps to ASCII.
fn ascii_json(text: &str) -> String {
    let mut written = String::new();
    for letter in text.chars() {
        match letter.is_ascii() {
            true => written.push(letter),
            false => {
                let mut units = [0; 2];
                for unit in letter.encode_utf16(&mut units) {
                    written += &format!("\\u{unit:04x}");
                }
            }
        }
    }
    written
}

/// What is the same in base64 whatever stands before and behind, for one of three ways to be aligned.
fn shifted_base64(engine: &impl base64::Engine, bytes: &[u8], shift: usize) -> String {
    let padded = [&vec![0; shift][..], bytes].concat();
    let encoded = engine.encode(&padded);
    let first = (shift * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    encoded[first..last].to_owned()
}
