//! A message as it came in: who sent it, what it asks, and the few things every rule wants to know of it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, Method, header, request::Parts};
use serde_json::Value;

use crate::model::{Kind, Operation};

/// One message, read in whole.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) operation: Operation,
    /// Whether it is a HEAD, which is answered like a GET without a body.
    pub(super) is_head: bool,
    pub(super) account: Option<AccountName>,
    pub(super) body: Bytes,
    /// The body as JSON; null where it is none.
    pub(super) json: Value,
    pub(super) is_json: bool,
    /// Whether the content type says JSON, which messages with a body must.
    pub(super) says_json: bool,
    /// What the client calls this server, for the Location of what it makes here.
    pub(super) host: String,
    query: Vec<(String, String)>,
}

/// The user name and password that a client goes by; each pair has records of its own.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct AccountName {
    pub(super) user: String,
    password: String,
}

impl Call {
    pub(super) fn read(operation: Operation, head: &Parts, body: Bytes) -> Self {
        let json = serde_json::from_slice(&body).map(with_ids_as_text);
        Call {
            operation,
            is_head: head.method == Method::HEAD,
            account: AccountName::from_headers(&head.headers),
            is_json: json.is_ok(),
            json: json.unwrap_or_default(),
            body,
            says_json: says_json(&head.headers),
            host: host(&head.headers),
            query: query_pairs(head.uri.query().unwrap_or_default()),
        }
    }

    pub(super) fn user(&self) -> &str {
        self.account.as_ref().map_or("", |account| &account.user)
    }

    /// A query parameter that was given and is not empty.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self
            .query
            .iter()
            .find(|(key, value)| key == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    /// The message's own id.
    pub(super) fn id(&self) -> Option<&str> {
        text(&self.json, "/id")
    }

    /// The id of the financial request this message is or is about.
    pub(super) fn request_id(&self) -> Option<&str> {
        if self.operation.kind() == Kind::Advice {
            text(&self.json, "/requestId")
        } else {
            self.id()
        }
    }

    /// The id of the advice, where the message is one.
    pub(super) fn advice_id(&self) -> Option<&str> {
        self.id().filter(|_| self.operation.kind() == Kind::Advice)
    }

    /// The text at a JSON pointer into the body.
    pub(super) fn text(&self, pointer: &str) -> Option<&str> {
        text(&self.json, pointer)
    }
}

/// The ids as everything reads them: the book, the script, and the answers of every kind.
fn with_ids_as_text(mut json: Value) -> Value {
    for name in ["id", "requestId"] {
        if let Some(id) = json.get_mut(name) {
            write_as_text(id);
        }
    }
    json
}

/// Servers of this interface take a number or a flag where text is asked for.
pub(super) fn write_as_text(member: &mut Value) -> bool {
    if member.is_number() || member.is_boolean() {
        *member = Value::String(member.to_string());
    }
    member.is_string()
}

/// The text at a JSON pointer.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer)?.as_str()
}

/// The pairs of a query, or of a form.
pub(super) fn query_pairs(query: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect()
}

impl AccountName {
    /// Basic credentials with a user name and a password that are both not empty.
    pub(super) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, encoded) = value.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
        let (user, password) = decoded.split_once(':')?;
        let name = AccountName {
            user: user.to_owned(),
            password: password.to_owned(),
        };
        Some(name).filter(|name| !name.user.is_empty() && !name.password.is_empty())
    }
}

fn says_json(headers: &HeaderMap) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media_type = value
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("application/json")
}

fn host(headers: &HeaderMap) -> String {
    let value = headers
        .get(header::HOST)
        .and_then(|value| value.to_str().ok());
    value.unwrap_or("localhost").to_owned()
}
