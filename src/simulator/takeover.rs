//! What is done with a connection that HTTP has let go of: bytes, pauses, and the manner of its end.

use std::time::Duration;

use bytes::Bytes;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use super::answer::Answer;

/// A handshake_failure, as a TLS server says it.
const TLS_ALERT: &[u8] = &[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28];

const GARBAGE: &[u8] = b"\x00\xff\x13garbage that is no HTTP\r\n\r\n\xfe\xed";

/// In how many pieces a slow body comes.
const PIECES: u32 = 10;

/// The rest of a connection's life.
pub(super) struct Takeover {
    steps: Vec<Step>,
    ending: Ending,
}

enum Step {
    Write(Bytes),
    Wait(Duration),
}

enum Ending {
    Close,
    Reset,
}

impl Takeover {
    pub(super) fn close() -> Self {
        Takeover::writing([])
    }

    pub(super) fn reset() -> Self {
        Takeover {
            ending: Ending::Reset,
            ..Takeover::close()
        }
    }

    pub(super) fn tls_alert() -> Self {
        Takeover::writing([Bytes::from_static(TLS_ALERT)])
    }

    pub(super) fn garbage() -> Self {
        Takeover::writing([Bytes::from_static(GARBAGE)])
    }

    pub(super) fn whole(answer: &Answer) -> Self {
        let (head, body) = answer.to_wire();
        Takeover::writing([head.into(), body])
    }

    /// The head and the first half of the body; of an answer without a body, half of the head.
    pub(super) fn half(answer: &Answer) -> Self {
        let (mut head, body) = answer.to_wire();
        if body.is_empty() {
            head.truncate(head.len() / 2);
        }
        let half = body.slice(..body.len() / 2);
        Takeover::writing([head.into(), half])
    }

    pub(super) fn slow_body(answer: &Answer, duration: Duration) -> Self {
        let (head, body) = answer.to_wire();
        let mut takeover = Takeover::writing([head.into()]);
        for piece in body.chunks(body.len().div_ceil(PIECES as usize).max(1)) {
            takeover.steps.push(Step::Wait(duration / PIECES));
            takeover
                .steps
                .push(Step::Write(Bytes::copy_from_slice(piece)));
        }
        takeover
    }

    fn writing(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        Takeover {
            steps: pieces.into_iter().map(Step::Write).collect(),
            ending: Ending::Close,
        }
    }

    /// Carries it out. A client that is gone before the end is no one's loss.
    pub(super) async fn perform(self, mut stream: TcpStream) {
        for step in self.steps {
            let written = match step {
                Step::Wait(duration) => {
                    tokio::time::sleep(duration).await;
                    Ok(())
                }
                Step::Write(bytes) => stream.write_all(&bytes).await,
            };
            if written.is_err() {
                return;
            }
        }
        let _gone = match self.ending {
            Ending::Close => stream.shutdown().await,
            Ending::Reset => stream.set_zero_linger(),
        };
    }
}
