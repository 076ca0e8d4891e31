//! Every kind of answer, and how it is to be read.

use serde_json::json;

use crate::raw::answers::{answer, bare, good, json_answer};
use crate::raw::server::Received;

/// One kind of answer.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) meets: Meets,
    expected: Expected,
}

/// What a message meets.
pub(crate) enum Meets {
    /// An answer, or the end of the connection.
    Answer(fn(&Received) -> Bad),
    /// An upstream that leaves it waiting for the rest, or for all, of an answer.
    Silence(fn(&Received) -> Bad),
    /// Nobody: the connection is never made.
    Nobody,
}

/// What the upstream does.
pub(crate) enum Bad {
    Says(Vec<u8>),
    SaysAndCloses(Vec<u8>),
    SaysAndHangs(Vec<u8>),
}

/// What becomes of a createOrder, a confirmPayment, a reversePayment, a getFeeQuote and an updateOrderStatus.
type Expected = (Request, Advice, Advice, Query, Query);

#[derive(Clone, Copy)]
enum Request {
    Approved,
    Declined,
    /// Nothing has left the till.
    NotSent,
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

/// A query or an update.
#[derive(Clone, Copy)]
enum Query {
    Answered,
    Failed,
    NotSupported,
    Again,
    /// Tried until the deadline, and never sent.
    Never,
}

use Advice::{Delivered, Kept, Rejected};
use Query::{Again, Answered, Failed, Never, NotSupported};
use Request::{Approved, Declined, Doubt, NotSent, Silent};

impl Row {
    const fn new(name: &'static str, says: fn(&Received) -> Bad, expected: Expected) -> Row {
        Row {
            name,
            meets: Meets::Answer(says),
            expected,
        }
    }

    pub(crate) fn expected(&self) -> [&'static str; 5] {
        let (request, confirmation, reversal, query, update) = self.expected;
        [
            request.words(),
            confirmation.words(),
            reversal.words(),
            query.words(),
            update.words(),
        ]
    }
}

impl Request {
    fn words(self) -> &'static str {
        match self {
            Approved => "approved, waits for the till",
            Declined => "declined, nothing to do",
            NotSent => "not sent, nothing to do",
            Silent => "unknown, reversed: TIMEOUT",
            Doubt => "unknown, reversed: RESPONSE_NOT_FINAL",
        }
    }
}

impl Advice {
    fn words(self) -> &'static str {
        match self {
            Delivered => "delivered",
            Rejected => "rejected, listed for the operator",
            Kept => "kept, sent again",
        }
    }
}

impl Query {
    fn words(self) -> &'static str {
        match self {
            Answered => "answered",
            Failed => "failed",
            NotSupported => "not supported",
            Again => "asked again",
            Never => "not sent",
        }
    }
}

/// The whole list: successes, what spoils a success, the service's own no, strangers, and no answer at all.
#[rustfmt::skip] // one line each: it is a table
pub(crate) const ROWS: &[Row] = &[
    Row::new("what the service documents", |r| Bad::Says(good(r)), (Approved, Delivered, Delivered, Answered, Answered)),
    Row::new("the same with status 200", |r| Bad::Says(with_status(good(r), 200)), (Approved, Delivered, Delivered, Answered, Answered)),
    Row::new("the same as text/html", |r| Bad::Says(answer(201, "text/html", body(r))), (Approved, Delivered, Delivered, Answered, Answered)),
    Row::new("the same without a content type", |r| Bad::SaysAndCloses(headless(r)), (Approved, Delivered, Delivered, Answered, Answered)),
    Row::new("the same with a name in Latin-1", |r| Bad::Says(json_bytes(201, latin_1(r))), (Approved, Delivered, Delivered, Answered, Answered)),
    Row::new("the same with a byte order mark", |r| Bad::Says(json_bytes(201, marked(r))), (Approved, Delivered, Delivered, Answered, Answered)),
    Row::new("the same in UTF-16", |r| Bad::Says(json_bytes(201, utf_16(r))), (Doubt, Kept, Kept, Again, Again)),
    Row::new("201, empty", |_| empty(201), (Doubt, Kept, Kept, Again, Answered)),
    Row::new("202, empty", |_| empty(202), (Doubt, Delivered, Delivered, Again, Answered)),
    Row::new("204, empty", |_| empty(204), (Doubt, Kept, Kept, Again, Answered)),
    Row::new("201, HTML", |_| page(201), (Doubt, Kept, Kept, Again, Again)),
    Row::new("201, text", |_| Bad::Says(answer(201, "text/plain", "OK")), (Doubt, Kept, Kept, Again, Again)),
    Row::new("201, JSON that breaks off", |r| Bad::Says(json_bytes(201, half(r))), (Doubt, Kept, Kept, Again, Again)),
    Row::new("201, cut off by the connection", |r| Bad::SaysAndCloses(cut(json_bytes(201, body(r)))), (Doubt, Kept, Kept, Again, Again)),
    Row::new("201, larger than the limit", |r| Bad::Says(json_bytes(201, padded(r))), (Doubt, Kept, Kept, Again, Again)),
    Row::new("201, a list", |_| Bad::Says(json_bytes(201, "[]")), (Doubt, Kept, Kept, Again, Again)),
    Row::new("200, JSON of somebody else", |_| Bad::Says(json_bytes(200, r#"{"message":"ok"}"#)), (Doubt, Kept, Kept, Again, Again)),
    Row::new("201, with another id", |r| Bad::Says(json_bytes(201, another_id(r))), (Doubt, Kept, Kept, Answered, Answered)),
    Row::new("201, without an id", |r| Bad::Says(json_bytes(201, without_id(r))), (Doubt, Kept, Kept, Answered, Answered)),
    Row::new("202, without an id", |r| Bad::Says(json_bytes(202, without_id(r))), (Doubt, Delivered, Delivered, Answered, Answered)),
    Row::new("201, with an amount that cannot be read", |r| Bad::Says(json_bytes(201, odd_amount(r))), (Doubt, Delivered, Delivered, Answered, Answered)),
    Row::new("200, an ErrorDetail", |r| detail(r, 200, "FORMAT_ERROR"), (Doubt, Kept, Kept, Again, Again)),
    Row::new("201, an ErrorDetail", |r| detail(r, 201, "FORMAT_ERROR"), (Doubt, Kept, Kept, Again, Again)),
    Row::new("203, as documented otherwise", |r| Bad::Says(with_status(good(r), 203)), (Doubt, Kept, Kept, Again, Again)),
    Row::new("206, as documented otherwise", |r| Bad::Says(with_status(good(r), 206)), (Doubt, Kept, Kept, Again, Again)),
    Row::new("301, HTML", |_| page(301), (Doubt, Kept, Kept, Again, Again)),
    Row::new("304, empty", |_| empty(304), (Doubt, Kept, Kept, Again, Again)),
    Row::new("307, to another address", |_| moved(307), (Doubt, Kept, Kept, Again, Again)),
    Row::new("308, to another address", |_| moved(308), (Doubt, Kept, Kept, Again, Again)),
    Row::new("400, an ErrorDetail", |r| detail(r, 400, "FORMAT_ERROR"), (Declined, Rejected, Rejected, Failed, Failed)),
    Row::new("400, an ErrorDetail about the sender", |r| detail(r, 400, "AUTHENTICATION_ERROR"), (Declined, Kept, Kept, Failed, Failed)),
    Row::new("the same in Latin-1", |r| Bad::Says(json_bytes(400, detail_in_latin_1(r))), (Declined, Kept, Kept, Failed, Failed)),
    Row::new("the same as text/html", |r| Bad::Says(answer(400, "text/html", detail_of(r, "AUTHENTICATION_ERROR"))), (Declined, Kept, Kept, Failed, Failed)),
    Row::new("the same, cut off by the connection", |r| Bad::SaysAndCloses(cut(json_answer(400, &detail_of_json(r)))), (Declined, Kept, Kept, Failed, Failed)),
    Row::new("400, an ErrorDetail of an unknown type", |r| detail(r, 400, "NEW_IN_VERSION_3"), (Declined, Rejected, Rejected, Failed, Failed)),
    Row::new("400, empty", |_| empty(400), (Declined, Rejected, Rejected, Failed, Failed)),
    Row::new("400, text", |_| Bad::Says(answer(400, "text/plain", "Unparsable")), (Declined, Rejected, Rejected, Failed, Failed)),
    Row::new("400, HTML larger than the limit", |_| Bad::Says(answer(400, "text/html", "x".repeat(10_000))), (Declined, Rejected, Rejected, Failed, Failed)),
    Row::new("401, HTML", |_| page(401), (Declined, Kept, Kept, Failed, Failed)),
    Row::new("403, HTML", |_| page(403), (Declined, Kept, Kept, Failed, Failed)),
    Row::new("404, an ErrorDetail", |r| detail(r, 404, "UNABLE_TO_LOCATE_RECORD"), (Declined, Rejected, Rejected, Failed, Failed)),
    Row::new("404, HTML", |_| page(404), (Declined, Kept, Kept, NotSupported, NotSupported)),
    Row::new("405, empty", |_| empty(405), (Declined, Kept, Kept, NotSupported, NotSupported)),
    Row::new("407, HTML", |_| page(407), (Declined, Kept, Kept, Failed, Failed)),
    Row::new("408, HTML", |_| page(408), (Doubt, Kept, Kept, Again, Again)),
    Row::new("413, HTML", |_| page(413), (Declined, Kept, Kept, Failed, Failed)),
    Row::new("415, HTML", |_| page(415), (Declined, Kept, Kept, Failed, Failed)),
    Row::new("425, empty", |_| empty(425), (Doubt, Kept, Kept, Again, Again)),
    Row::new("429, empty", |_| empty(429), (Doubt, Kept, Kept, Again, Again)),
    Row::new("500, HTML, and closed", |_| page_and_close(500), (Doubt, Kept, Kept, Again, Again)),
    Row::new("500, an ErrorDetail", |r| detail(r, 500, "GENERAL_ERROR"), (Doubt, Kept, Kept, Again, Again)),
    Row::new("501, empty", |_| empty(501), (Declined, Rejected, Rejected, NotSupported, NotSupported)),
    Row::new("501, HTML", |_| page(501), (Declined, Rejected, Rejected, NotSupported, NotSupported)),
    Row::new("502, HTML", |_| page(502), (Doubt, Kept, Kept, Again, Again)),
    Row::new("503, HTML", |_| page(503), (Doubt, Kept, Kept, Again, Again)),
    Row::new("503, an ErrorDetail", |r| detail(r, 503, "UPSTREAM_UNAVAILABLE"), (Declined, Rejected, Rejected, Failed, Failed)),
    Row::new("503, JSON of a gateway", |_| Bad::Says(json_bytes(503, r#"{"errorType":"busy"}"#)), (Doubt, Kept, Kept, Again, Again)),
    Row::new("504, empty", |_| empty(504), (Doubt, Kept, Kept, Again, Again)),
    Row::new("599, empty", |_| empty(599), (Doubt, Kept, Kept, Again, Again)),
    Row::new("bytes that are no HTTP", |_| Bad::SaysAndCloses(b"\x15\x03\x01 garbage\r\n\r\n".to_vec()), (Silent, Kept, Kept, Again, Again)),
    Row::new("half a head, and closed", |_| Bad::SaysAndCloses(b"HTTP/1.1 201 Cre".to_vec()), (Silent, Kept, Kept, Again, Again)),
    Row::new("closed without a word", |_| Bad::SaysAndCloses(Vec::new()), (Silent, Kept, Kept, Again, Again)),
    Row { name: "silence", meets: Meets::Silence(|_| Bad::SaysAndHangs(Vec::new())), expected: (Silent, Kept, Kept, Again, Again) },
    Row { name: "half a head, and silence", meets: Meets::Silence(|_| Bad::SaysAndHangs(b"HTTP/1.1 201 Cre".to_vec())), expected: (Silent, Kept, Kept, Again, Again) },
    Row { name: "201, a body that takes longer than the timeout", meets: Meets::Silence(|r| Bad::SaysAndHangs(cut(json_bytes(201, body(r))))), expected: (Doubt, Kept, Kept, Again, Again) },
    Row { name: "nobody: the connection is never made", meets: Meets::Nobody, expected: (NotSent, Kept, Kept, Never, Never) },
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

/// The target would take the message: a redirect is not followed for its sake, either.
fn moved(status: u16) -> Bad {
    Bad::Says(bare(status, "location: /moneytransfer/v2/elsewhere\r\n"))
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

/// The body of what a service in good health says, or could say: an update needs none, but may be echoed.
fn body(request: &Received) -> String {
    if request.method() == "PUT" {
        let mut echo = request.json();
        echo["id"] = json!("0f3b1c8e-9d0a-4b6e-8f8a-3c2d1e0f9a8b");
        return echo.to_string();
    }
    let said = String::from_utf8(good(request)).unwrap();
    said.split_once("\r\n\r\n").unwrap().1.to_owned()
}

fn with_status(answer: Vec<u8>, status: u16) -> Vec<u8> {
    let answer = String::from_utf8(answer).unwrap();
    let (line, rest) = answer.split_once("\r\n").unwrap();
    assert!(line.starts_with("HTTP/1.1 2"));
    // A 204 needs none; any other status without one ends with the connection.
    let length = match rest.contains("content-length") {
        true => "",
        false => "content-length: 0\r\n",
    };
    format!("HTTP/1.1 {status} Because\r\n{length}{rest}").into_bytes()
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

fn without_id(request: &Received) -> String {
    let mut body: serde_json::Value = serde_json::from_str(&body(request)).unwrap();
    body.as_object_mut().unwrap().remove("id");
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
