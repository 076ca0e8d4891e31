//! What can go wrong with one message, on demand.

use std::{fmt, time::Duration};

use bytes::Bytes;

/// One way in which a message or its answer goes wrong.
///
/// *Processed* means that the rules run and take effect; a fault that comes before leaves the records as they are.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// Not processed; the connection is reset. (A listener cannot refuse a message that it has not seen: for
    /// connections that are never made use [`Simulator::go_down`](super::Simulator::go_down).)
    Refuse,
    /// Not processed, never answered; the connection stays open.
    Hang,
    /// Processed at once; the answer comes after this time.
    SlowHeaders(Duration),
    /// Processed at once; the head of the answer comes at once, its body in pieces over this time.
    SlowBody(Duration),
    /// Not processed; the connection is closed.
    CloseBefore,
    /// Processed; the connection is closed in the middle of the answer's body.
    CloseDuring,
    /// Processed and answered; then the connection is closed without a word.
    CloseAfter,
    /// Processed; the connection is closed instead of an answer.
    LoseAnswer,
    /// Processed, never answered; the connection stays open.
    ProcessAndHang,
    /// Processed after this time, whether the client still waits or not; never answered.
    ProcessLate(Duration),
    /// Processed twice, as behind a proxy that sends twice; the answer to the first or to the second goes out.
    ProcessTwice(Copy),
    /// Not processed; this answer goes out.
    Answer(CannedAnswer),
    /// Not processed; an ErrorDetail with the message's own id goes out.
    Error {
        /// The HTTP status.
        status: u16,
        /// The errorType, one of the interface's or any other.
        error_type: String,
    },
    /// Processed; bytes that are no HTTP go out.
    Garbage,
    /// Processed; the answer is padded to this many bytes of JSON.
    HugeBody(usize),
    /// Processed; the answer carries another id.
    WrongId,
    /// Not processed; the bytes of a TLS alert (handshake_failure) go out in the place of an HTTP answer, and the
    /// connection is closed.
    ///
    /// The simulator speaks plain HTTP, so this comes after the request: to its client it is an exchange that broke, with
    /// an unknown outcome, and not a handshake that failed, which would prove that nothing was sent. For the latter point
    /// an `https://` client at the simulator: whatever it begins with is answered by the same alert, without any fault.
    /// (What the client makes of real handshakes that fail is the subject of `tests/tls.rs`.)
    TlsFailure,
}

/// Which of two answers goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copy {
    /// The answer to the first copy.
    First,
    /// The answer to the second copy.
    Second,
}

/// An answer that is made up beforehand.
///
/// # Example
/// ```
/// use money_transfer_retailer::simulator::CannedAnswer;
///
/// let answer = CannedAnswer::status(503).header("retry-after", "7").body("text/html", "<h1>Busy</h1>");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct CannedAnswer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
}

impl CannedAnswer {
    /// A final status (200 to 999) with an empty body; any other number is answered as 500.
    #[must_use]
    pub fn status(status: u16) -> Self {
        CannedAnswer {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// With one more header. One that is no header by the rules of HTTP is left out; so are `Content-Length` and
    /// `Transfer-Encoding`, which are always those of the body.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// With this content type and body.
    #[must_use]
    pub fn body(mut self, content_type: impl Into<String>, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header("content-type", content_type)
    }
}

impl fmt::Debug for CannedAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "CannedAnswer({}, {} bytes)",
            self.status,
            self.body.len()
        )
    }
}

impl From<CannedAnswer> for Fault {
    fn from(answer: CannedAnswer) -> Self {
        Fault::Answer(answer)
    }
}

impl Fault {
    /// An answer with this status and an empty body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Fault::Answer(CannedAnswer::status(status))
    }

    /// An ErrorDetail of this type with status 400, as the rules answer them.
    #[must_use]
    pub fn error(error_type: impl Into<String>) -> Self {
        Fault::Error {
            status: 400,
            error_type: error_type.into(),
        }
    }
}
