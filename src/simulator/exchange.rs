//! The life of one message: read, booked, met by a fault or not, processed, answered.

use std::{
    convert::Infallible,
    future::pending,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderName, Method, Request, Response, header, request::Parts};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;

use crate::model::{Kind, Operation};

use super::{
    BASE_PATH,
    answer::{Answer, Problem, error_detail},
    call::{AccountName, Call, query_pairs},
    faults::{CannedAnswer, Copy, Fault},
    stray::Stray,
    takeover::Takeover,
    upstream::{Shared, random_uuid},
};

/// The longest body that is read, in bytes.
const LONGEST_BODY: usize = 4 * 1024 * 1024;

/// The longest body that is waited for until its client is told that it is too long, in bytes.
const LONGEST_LISTENED_TO: usize = 64 * 1024 * 1024;

/// Where a service leaves what is to be done with the connection once HTTP has let go of it.
pub(super) type TakeoverSlot = Arc<Mutex<Option<Takeover>>>;

/// HTTP has to let go of the connection.
#[derive(Debug, thiserror::Error)]
#[error("the connection is taken over")]
pub(super) struct LetGo;

/// Answers one HTTP request, or has its connection taken over.
pub(super) async fn respond(
    request: Request<Incoming>,
    shared: Arc<Shared>,
    slot: TakeoverSlot,
) -> Result<Response<Full<Bytes>>, LetGo> {
    let (head, body) = request.into_parts();
    let body = match read_whole(body).await {
        Ok(body) => body,
        Err(unread) => {
            let answer = Answer::html(unread as u16).with(header::CONNECTION, "close");
            shared.stray(&stray(&head, &answer));
            return Ok(answer.into());
        }
    };
    let operation = match find(&head) {
        Ok(operation) => operation,
        Err(no_operation) => return Ok(answer_stray(no_operation, &head, &shared).into()),
    };
    let call = Call::read(operation, &head, body);
    let (number, fault) = shared.receive(&call);
    let exchange = Exchange {
        shared,
        call,
        number,
    };
    match exchange.run(fault).await {
        Ok(answer) => Ok(answer.into()),
        Err(takeover) => {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(takeover);
            Err(LetGo)
        }
    }
}

/// Why a body is not read in whole: the status that says so.
#[derive(Clone, Copy)]
enum Unread {
    BrokenOff = 400,
    TooLong = 413,
}

/// Reads a body. One that is too long is read on into nothing for a while: a client that is still sending would lose
/// the answer with the connection.
async fn read_whole(mut body: Incoming) -> Result<Bytes, Unread> {
    let mut whole = BytesMut::new();
    let mut size = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unread::BrokenOff)?.into_data() else {
            continue;
        };
        size = size.saturating_add(data.len());
        if size <= LONGEST_BODY {
            whole.extend_from_slice(&data);
        } else if size > LONGEST_LISTENED_TO {
            break;
        }
    }
    if size > LONGEST_BODY {
        return Err(Unread::TooLong);
    }
    Ok(whole.freeze())
}

/// What a request asks for that names no operation.
enum NoOperation {
    Reset,
    /// The methods that the path has; none where there is no such path.
    Unknown(Vec<String>),
}

fn answer_stray(no_operation: NoOperation, head: &Parts, shared: &Shared) -> Answer {
    match no_operation {
        NoOperation::Reset => {
            let answer = reset(head, shared);
            shared.tell(&stray(head, &answer));
            answer
        }
        NoOperation::Unknown(methods) => {
            let answer = match methods.len() {
                0 => Answer::html(404),
                _ => Answer::html(405).with(header::ALLOW, methods.join(", ")),
            };
            shared.stray(&stray(head, &answer));
            answer
        }
    }
}

fn stray(head: &Parts, answer: &Answer) -> Stray {
    Stray {
        method: head.method.clone(),
        path: head.uri.path().to_owned(),
        status: answer.status,
    }
}

/// The operation that a request names. A HEAD is a GET whose answer comes without its body.
fn find(head: &Parts) -> Result<Operation, NoOperation> {
    let method = match head.method {
        Method::HEAD => &Method::GET,
        ref method => method,
    };
    let path = head.uri.path();
    let path = path.strip_prefix(BASE_PATH).unwrap_or_default();
    let path = path.strip_suffix('/').unwrap_or(path);
    let operations: Vec<Operation> = Operation::ALL
        .into_iter()
        .filter(|operation| operation.path() == path)
        .collect();
    if let Some(operation) = operations
        .iter()
        .find(|operation| operation.method() == *method)
    {
        return Ok(*operation);
    }
    if path == RESET_PATH && head.method == Method::POST {
        return Err(NoOperation::Reset);
    }
    let allowed: Vec<String> = match path {
        RESET_PATH => vec!["POST".to_owned()],
        _ => operations
            .iter()
            .map(|operation| operation.method().to_string())
            .collect(),
    };
    Err(NoOperation::Unknown(allowed))
}

const RESET_PATH: &str = "/testServerAdmin/reset";

/// The test server's own endpoint: forgets the user named, or else the one who asks.
fn reset(head: &Parts, shared: &Shared) -> Answer {
    let pairs = query_pairs(head.uri.query().unwrap_or_default());
    let named = pairs
        .into_iter()
        .find(|(name, _)| name == "clientId")
        .map(|(_, value)| value);
    let asking = || AccountName::from_headers(&head.headers).map(|account| account.user);
    match named.or_else(asking) {
        Some(user) => {
            shared.forget(&user);
            Answer::empty(204)
        }
        None => Problem::missing("clientId").answer(&random_uuid(&mut fastrand::Rng::new()), None),
    }
}

/// One message on its way.
struct Exchange {
    shared: Arc<Shared>,
    call: Call,
    number: usize,
}

/// An answer for HTTP to send, or a connection to be taken over.
type Ending = Result<Answer, Takeover>;

impl Exchange {
    async fn run(self, fault: Option<Fault>) -> Ending {
        match fault {
            None => self.answer(self.process()),
            Some(Fault::Refuse) => Err(Takeover::reset()),
            Some(Fault::CloseBefore) => Err(Takeover::close()),
            Some(Fault::TlsFailure) => Err(Takeover::tls_alert()),
            Some(Fault::Answer(canned)) => self.answer(canned.into()),
            Some(Fault::Error { status, error_type }) => {
                self.answer(self.error(status, &error_type))
            }
            Some(Fault::ProcessTwice(copy)) => self.twice(copy),
            Some(Fault::Hang) => never(pending().await),
            Some(Fault::ProcessLate(delay)) => never(self.late(delay).await),
            Some(Fault::ProcessAndHang) => {
                self.process();
                never(pending().await)
            }
            Some(Fault::SlowHeaders(delay)) => {
                let answer = self.process();
                tokio::time::sleep(delay).await;
                self.answer(answer)
            }
            Some(processed) => self.spoil(&processed),
        }
    }

    /// The faults that let the rules run and then spoil the answer.
    fn spoil(&self, fault: &Fault) -> Ending {
        let answer = self.process();
        match fault {
            Fault::SlowBody(duration) => Err(Takeover::slow_body(&self.sent(answer), *duration)),
            Fault::CloseDuring => Err(Takeover::half(&answer)),
            Fault::CloseAfter => Err(Takeover::whole(&self.sent(answer))),
            Fault::LoseAnswer => Err(Takeover::close()),
            Fault::Garbage => Err(Takeover::garbage()),
            Fault::HugeBody(size) => self.answer(padded(answer, *size)),
            Fault::WrongId => self.answer(self.with_another_id(answer)),
            _ => self.answer(answer),
        }
    }

    fn process(&self) -> Answer {
        Answer {
            head_only: self.call.is_head,
            ..self.shared.process(self.number, &self.call)
        }
    }

    fn answer(&self, answer: Answer) -> Ending {
        Ok(self.sent(answer))
    }

    fn sent(&self, answer: Answer) -> Answer {
        self.shared.answered(self.number, &answer);
        answer
    }

    fn twice(&self, copy: Copy) -> Ending {
        let (first, second) = (self.process(), self.process());
        self.answer(match copy {
            Copy::First => first,
            Copy::Second => second,
        })
    }

    /// Leaves the message to be processed later, and the client waiting.
    async fn late(&self, delay: Duration) -> Infallible {
        let (shared, call, number) = (Arc::downgrade(&self.shared), self.call.clone(), self.number);
        self.shared.later(async move {
            tokio::time::sleep(delay).await;
            if let Some(shared) = shared.upgrade() {
                shared.process(number, &call);
            }
        });
        pending().await
    }

    fn error(&self, status: u16, error_type: &str) -> Answer {
        let call = &self.call;
        let original = call
            .request_id()
            .filter(|_| call.operation.kind() == Kind::Advice);
        let id = call
            .id()
            .map_or_else(|| random_uuid(&mut fastrand::Rng::new()), str::to_owned);
        error_detail(status, error_type, "Scripted", &id, original, None)
    }

    fn with_another_id(&self, answer: Answer) -> Answer {
        let mut body = answer.body_json();
        if body.get("id").is_none() {
            return answer;
        }
        body["id"] = random_uuid(&mut fastrand::Rng::new()).into();
        answer.with_json(&body)
    }
}

/// A message is over when its exchange ends, also where the client left or the connection was cut.
impl Drop for Exchange {
    fn drop(&mut self) {
        self.shared.over(self.number);
    }
}

fn never(nothing: Infallible) -> Ending {
    match nothing {}
}

/// Fills the answer up with a member that no one reads.
fn padded(answer: Answer, size: usize) -> Answer {
    let mut body = answer.body_json();
    if !body.is_object() {
        body = serde_json::json!({});
    }
    body["padding"] = "".into();
    let empty = body.to_string().len();
    body["padding"] = "x".repeat(size.saturating_sub(empty)).into();
    answer.with_json(&body)
}

/// What says how long a body is. HTTP falls over an answer that says it wrong.
const FRAMING: [HeaderName; 2] = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING];

impl From<CannedAnswer> for Answer {
    fn from(canned: CannedAnswer) -> Self {
        let named = canned
            .headers
            .into_iter()
            .filter_map(|(name, value)| Some((name.parse().ok()?, value)))
            .filter(|(name, _)| !FRAMING.contains(name));
        Answer {
            status: if (200..1000).contains(&canned.status) {
                canned.status
            } else {
                500
            },
            headers: named.collect(),
            body: canned.body,
            ..Answer::default()
        }
    }
}
