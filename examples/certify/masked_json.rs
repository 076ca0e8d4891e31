//! A message as it may be read: the JSON that went over the wire, member for member, in its order and
//! with its numbers as they were written, but for what is hidden.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::masking::{MASK, Secrets, is_hidden, is_reference};

/// No message of the interface is nested as deep.
const DEEPEST: usize = 32;

const INDENT: &str = "  ";

/// The message in lines; `None` where it is no JSON, and nobody knows what is in it.
pub(crate) fn masked(json: &[u8], secrets: &Secrets) -> Option<Box<RawValue>> {
    let raw: &RawValue = serde_json::from_slice(json).ok()?;
    let mut writer = Writer {
        secrets,
        out: String::new(),
    };
    writer.value(raw, false, 0)?;
    RawValue::from_string(writer.out).ok()
}

/// Remembers every redeem reference in the message, to be struck out wherever else it is told.
pub(crate) fn remember_references(json: &[u8], secrets: &Secrets) {
    if let Ok(value) = serde_json::from_slice(json) {
        remember(&value, secrets);
    }
}

fn remember(value: &serde_json::Value, secrets: &Secrets) {
    use serde_json::Value as V;
    match value {
        V::Object(members) => {
            for (name, member) in members {
                match member {
                    V::String(text) if is_reference(name) => secrets.hide_text(text),
                    V::Number(number) if is_reference(name) => {
                        secrets.hide_text(&number.to_string());
                    }
                    _ => remember(member, secrets),
                }
            }
        }
        V::Array(items) => items.iter().for_each(|item| remember(item, secrets)),
        _ => {}
    }
}

struct Writer<'a> {
    secrets: &'a Secrets,
    out: String,
}

impl Writer<'_> {
    fn value(&mut self, raw: &RawValue, is_hidden: bool, depth: usize) -> Option<()> {
        let json = raw.get();
        match json.as_bytes().first()? {
            _ if depth > DEEPEST => self.text("nested too deep to be shown"),
            b'{' => self.object(json, is_hidden, depth),
            b'[' => self.array(json, is_hidden, depth),
            _ if json == "null" => self.verbatim(json),
            _ if is_hidden => self.text(MASK),
            b'"' => {
                let text: String = serde_json::from_str(json).ok()?;
                self.text(&self.secrets.strike_out(&text))
            }
            _ => self.number(json),
        }
    }

    fn object(&mut self, json: &str, all_hidden: bool, depth: usize) -> Option<()> {
        let Members(members) = serde_json::from_str(json).ok()?;
        self.items('{', '}', depth, &members, |writer, (name, value)| {
            writer.text(&writer.secrets.strike_out(name))?;
            writer.out.push_str(": ");
            writer.value(value, all_hidden || is_hidden(name), depth + 1)
        })
    }

    fn array(&mut self, json: &str, all_hidden: bool, depth: usize) -> Option<()> {
        let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
        self.items('[', ']', depth, &items, |writer, item| {
            writer.value(item, all_hidden, depth + 1)
        })
    }

    fn items<T>(
        &mut self,
        open: char,
        close: char,
        depth: usize,
        items: &[T],
        write: impl Fn(&mut Self, &T) -> Option<()>,
    ) -> Option<()> {
        self.out.push(open);
        for (number, item) in items.iter().enumerate() {
            self.out.push_str(if number == 0 { "\n" } else { ",\n" });
            self.out.push_str(&INDENT.repeat(depth + 1));
            write(self, item)?;
        }
        if !items.is_empty() {
            self.out.push('\n');
            self.out.push_str(&INDENT.repeat(depth));
        }
        self.out.push(close);
        Some(())
    }

    /// A number may be a secret, too, where a server sends it so.
    fn number(&mut self, json: &str) -> Option<()> {
        match self.secrets.strike_out(json) == json {
            true => self.verbatim(json),
            false => self.text(MASK),
        }
    }

    fn text(&mut self, text: &str) -> Option<()> {
        self.verbatim(&serde_json::to_string(text).ok()?)
    }

    fn verbatim(&mut self, json: &str) -> Option<()> {
        self.out.push_str(json);
        Some(())
    }
}

/// The members of an object in their order, also those that are there twice.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}
