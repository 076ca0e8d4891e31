//! Every kind of answer, and how it is to be read.

use serde_json::json;

use crate::raw::answers::{answer, good, json_answer};
use crate::raw::server::Received;

/// One kind of answer.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) says: fn(&Received) -> Bad,
    pub(crate) hangs: bool,
    request: Request,
    advice: Advice,
    query: Query,
}

/// What the upstream does.
pub(crate) enum Bad {
    Says(Vec<u8>),
    SaysAndCloses(Vec<u8>),
    Hangs,
}

#[derive(Clone, Copy)]
enum Request {
    Approved,
    Declined,
    /// Reversed: there was no answer.
    Silent,
    /// Reversed: there was an answer, but not a final one.
    Doubt,
}

#[derive(Clone, Copy)]
enum Advice {
    Delivered,
    Rejected,
    Kept,
}

#[derive(Clone, Copy)]
enum Query {
    Answered,
    Failed,
    NotSupported,
    Again,
}

use Advice::{Delivered, Kept, Rejected};
use Query::{Again, Answered, Failed, NotSupported};
use Request::{Approved, Declined, Doubt, Silent};

impl Row {
    const fn new(
        name: &'static str,
        says: fn(&Received) -> Bad,
        (request, advice, query): (Request, Advice, Query),
    ) -> Row {
        Row {
            name,
            says,
            hangs: false,
            request,
            advice,
            query,
        }
    }

    pub(crate) fn expected(&self) -> [&'static str; 3] {
        [
            match self.request {
                Approved => "approved, waits for the till",
                Declined => "declined, nothing to do",
                Silent => "unknown, reversed: TIMEOUT",
                Doubt => "unknown, reversed: RESPONSE_NOT_FINAL",
            },
            match self.advice {
                Delivered => "delivered",
                Rejected => "rejected, listed for the operator",
                Kept => "kept, sent again",
            },
            match self.query {
                Answered => "answered",
                Failed => "failed",
                NotSupported => "not supported",
                Again => "asked again",
            },
        ]
    }
}

/// The whole list: successes, what spoils a success, the service's own no, strangers, and no answer at all.
#[rustfmt::skip] // one line each: it is a table
pub(crate) const ROWS: &[Row] = &[
    Row::new("what the service documents", |r| Bad::Says(good(r)), (Approved, Delivered, Answered)),
    Row::new("the same with status 200", |r| Bad::Says(with_status(good(r), 200)), (Approved, Delivered, Answered)),
    Row::new("the same as text/html", |r| Bad::Says(answer(201, "text/html", body(r))), (Approved, Delivered, Answered)),
    Row::new("the same without a content type", |r| Bad::SaysAndCloses(headless(r)), (Approved, Delivered, Answered)),
    Row::new("the same with a name in Latin-1", |r| Bad::Says(json_bytes(201, latin_1(r))), (Approved, Delivered, Answered)),
    Row::new("the same with a byte order mark", |r| Bad::Says(json_bytes(201, marked(r))), (Approved, Delivered, Answered)),
    Row::new("the same in UTF-16", |r| Bad::Says(json_bytes(201, utf_16(r))), (Doubt, Kept, Again)),
    Row::new("201, empty", |_| empty(201), (Doubt, Kept, Again)),
    Row::new("202, empty", |_| empty(202), (Doubt, Delivered, Again)),
    Row::new("204, empty", |_| empty(204), (Doubt, Kept, Again)),
    Row::new("201, HTML", |_| page(201), (Doubt, Kept, Again)),
    Row::new("201, text", |_| Bad::Says(answer(201, "text/plain", "OK")), (Doubt, Kept, Again)),
    Row::new("201, JSON that breaks off", |r| Bad::Says(json_bytes(201, half(r))), (Doubt, Kept, Again)),
    Row::new("201, cut off by the connection", |r| Bad::SaysAndCloses(cut(good(r))), (Doubt, Kept, Again)),
    Row::new("201, larger than the limit", |r| Bad::Says(json_bytes(201, padded(r))), (Doubt, Kept, Again)),
    Row::new("201, a list", |_| Bad::Says(json_bytes(201, "[]")), (Doubt, Kept, Again)),
    Row::new("201, with another id", |r| Bad::Says(json_bytes(201, another_id(r))), (Doubt, Kept, Answered)),
    Row::new("201, with an amount that cannot be read", |r| Bad::Says(json_bytes(201, odd_amount(r))), (Doubt, Delivered, Answered)),
    Row::new("201, an ErrorDetail", |r| detail(r, 201, "FORMAT_ERROR"), (Doubt, Kept, Again)),
    Row::new("203, as documented otherwise", |r| Bad::Says(with_status(good(r), 203)), (Doubt, Kept, Again)),
    Row::new("206, as documented otherwise", |r| Bad::Says(with_status(good(r), 206)), (Doubt, Kept, Again)),
    Row::new("301, HTML", |_| page(301), (Doubt, Kept, Again)),
    Row::new("304, empty", |_| empty(304), (Doubt, Kept, Again)),
    Row::new("400, an ErrorDetail", |r| detail(r, 400, "FORMAT_ERROR"), (Declined, Rejected, Failed)),
    Row::new("400, an ErrorDetail about the sender", |r| detail(r, 400, "AUTHENTICATION_ERROR"), (Declined, Kept, Failed)),
    Row::new("the same in Latin-1", |r| Bad::Says(json_bytes(400, detail_in_latin_1(r))), (Declined, Kept, Failed)),
    Row::new("the same as text/html", |r| Bad::Says(answer(400, "text/html", detail_of(r, "AUTHENTICATION_ERROR"))), (Declined, Kept, Failed)),
    Row::new("the same, cut off by the connection", |r| Bad::SaysAndCloses(cut(json_answer(400, &detail_of_json(r)))), (Declined, Kept, Failed)),
    Row::new("400, an ErrorDetail of an unknown type", |r| detail(r, 400, "NEW_IN_VERSION_3"), (Declined, Rejected, Failed)),
    Row::new("400, empty", |_| empty(400), (Declined, Rejected, Failed)),
    Row::new("400, text", |_| Bad::Says(answer(400, "text/plain", "Unparsable")), (Declined, Rejected, Failed)),
    Row::new("400, HTML larger than the limit", |_| Bad::Says(answer(400, "text/html", "x".repeat(10_000))), (Declined, Rejected, Failed)),
    Row::new("401, HTML", |_| page(401), (Declined, Kept, Failed)),
    Row::new("403, HTML", |_| page(403), (Declined, Kept, Failed)),
    Row::new("404, an ErrorDetail", |r| detail(r, 404, "UNABLE_TO_LOCATE_RECORD"), (Declined, Rejected, Failed)),
    Row::new("404, HTML", |_| page(404), (Declined, Kept, NotSupported)),
    Row::new("405, empty", |_| empty(405), (Declined, Kept, NotSupported)),
    Row::new("407, HTML", |_| page(407), (Declined, Kept, Failed)),
    Row::new("408, HTML", |_| page(408), (Doubt, Kept, Again)),
    Row::new("413, HTML", |_| page(413), (Declined, Kept, Failed)),
    Row::new("415, HTML", |_| page(415), (Declined, Kept, Failed)),
    Row::new("425, empty", |_| empty(425), (Doubt, Kept, Again)),
    Row::new("429, empty", |_| empty(429), (Doubt, Kept, Again)),
    Row::new("500, HTML, and closed", |_| page_and_close(500), (Doubt, Kept, Again)),
    Row::new("500, an ErrorDetail", |r| detail(r, 500, "GENERAL_ERROR"), (Doubt, Kept, Again)),
    Row::new("501, empty", |_| empty(501), (Declined, Rejected, NotSupported)),
    Row::new("501, HTML", |_| page(501), (Declined, Rejected, NotSupported)),
    Row::new("502, HTML", |_| page(502), (Doubt, Kept, Again)),
    Row::new("503, HTML", |_| page(503), (Doubt, Kept, Again)),
    Row::new("503, an ErrorDetail", |r| detail(r, 503, "UPSTREAM_UNAVAILABLE"), (Declined, Rejected, Failed)),
    Row::new("503, JSON of a gateway", |_| Bad::Says(json_bytes(503, r#"{"errorType":"busy"}"#)), (Doubt, Kept, Again)),
    Row::new("504, empty", |_| empty(504), (Doubt, Kept, Again)),
    Row::new("599, empty", |_| empty(599), (Doubt, Kept, Again)),
    Row::new("bytes that are no HTTP", |_| Bad::SaysAndCloses(b"\x15\x03\x01 garbage\r\n\r\n".to_vec()), (Silent, Kept, Again)),
    Row::new("half a head, and closed", |_| Bad::SaysAndCloses(b"HTTP/1.1 201 Cre".to_vec()), (Silent, Kept, Again)),
    Row::new("closed without a word", |_| Bad::SaysAndCloses(Vec::new()), (Silent, Kept, Again)),
    Row {
        hangs: true,
        ..Row::new("silence", |_| Bad::Hangs, (Silent, Kept, Again))
    },
];

fn empty(status: u16) -> Bad {
    let length = if status == 204 {
        ""
    } else {
        "content-length: 0\r\n"
    };
    Bad::Says(format!("HTTP/1.1 {status} Because\r\n{length}\r\n").into_bytes())
}

fn page(status: u16) -> Bad {
    Bad::Says(answer(status, "text/html", "<html><h1>Sorry</h1></html>"))
}

fn page_and_close(status: u16) -> Bad {
    let head = format!(
        "HTTP/1.1 {status} Because\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n"
    );
    Bad::SaysAndCloses(format!("{head}<html></html>").into_bytes())
}

fn json_bytes(status: u16, body: impl AsRef<[u8]>) -> Vec<u8> {
    answer(status, "application/json", body)
}

/// The body of what a service in good health says.
fn body(request: &Received) -> String {
    let said = String::from_utf8(good(request)).unwrap();
    said.split_once("\r\n\r\n").unwrap().1.to_owned()
}

fn with_status(answer: Vec<u8>, status: u16) -> Vec<u8> {
    let answer = String::from_utf8(answer).unwrap();
    let (line, rest) = answer.split_once("\r\n").unwrap();
    assert!(line.starts_with("HTTP/1.1 2"));
    format!("HTTP/1.1 {status} Because\r\n{rest}").into_bytes()
}

fn headless(request: &Received) -> Vec<u8> {
    format!("HTTP/1.1 201 Created\r\n\r\n{}", body(request)).into_bytes()
}

/// With one more member, whose text only Latin-1 can read.
fn latin_1(request: &Received) -> Vec<u8> {
    with_umlaut(&body(request), r#""note":"M"#, "ller\"")
}

fn with_umlaut(object: &str, before: &str, after: &str) -> Vec<u8> {
    let inner = object.strip_suffix('}').unwrap();
    let mut bytes = format!("{inner},{before}").into_bytes();
    bytes.push(0xFC);
    bytes.extend_from_slice(format!("{after}}}").as_bytes());
    bytes
}

fn marked(request: &Received) -> String {
    format!("\u{feff}{}", body(request))
}

fn utf_16(request: &Received) -> Vec<u8> {
    body(request)
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect()
}

fn half(request: &Received) -> String {
    let body = body(request);
    body[..body.len() / 2].to_owned()
}

/// Announced in whole, said in part.
fn cut(mut answer: Vec<u8>) -> Vec<u8> {
    answer.truncate(answer.len() - 10);
    answer
}

fn padded(request: &Received) -> String {
    format!("{}{}", body(request), " ".repeat(10_000))
}

fn another_id(request: &Received) -> String {
    let mut body: serde_json::Value = serde_json::from_str(&body(request)).unwrap();
    body["id"] = json!("0f3b1c8e-9d0a-4b6e-8f8a-3c2d1e0f9a8b");
    body.to_string()
}

fn odd_amount(request: &Received) -> String {
    let mut body: serde_json::Value = serde_json::from_str(&body(request)).unwrap();
    body["amount"] = json!({ "amount": "a lot", "currency": "710" });
    body.to_string()
}

fn detail(request: &Received, status: u16, error_type: &str) -> Bad {
    Bad::Says(json_bytes(status, detail_of(request, error_type)))
}

fn detail_of(request: &Received, error_type: &str) -> String {
    let asked: serde_json::Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let id = asked["id"].as_str().unwrap_or_default();
    json!({ "errorType": error_type, "errorMessage": "No", "id": id }).to_string()
}

fn detail_of_json(request: &Received) -> serde_json::Value {
    serde_json::from_str(&detail_of(request, "AUTHENTICATION_ERROR")).unwrap()
}

fn detail_in_latin_1(request: &Received) -> Vec<u8> {
    let detail = detail_of(request, "AUTHENTICATION_ERROR");
    with_umlaut(&detail, r#""providerErrorMessage":"Ung"#, "ltig\"")
}
