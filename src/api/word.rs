//! Whether an answer is the service's own word, and what is in the way where it is not.

use std::time::Duration;

use super::outcome::{AdviceOutcome, QueryOutcome, RequestOutcome};
use super::{Declined, NotSent, NotSentReason, Problem, Unanswered};
use crate::model::ErrorType;

/// What is in the way between the till and the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// No connection can be made.
    #[error("the upstream cannot be reached")]
    Unreachable,
    /// The TLS handshake fails.
    #[error("the TLS handshake fails")]
    Tls,
    /// Connections are made, and nobody answers.
    #[error("nobody answers")]
    NoAnswer,
    /// 500 or 504, or a success that cannot be used.
    #[error("the service is out of order")]
    OutOfOrder,
    /// `AUTHENTICATION_ERROR`, 401, 403 or 407.
    #[error("the credentials are refused")]
    Credentials,
    /// A redirect, or 404 or 405 without the service's own word.
    #[error("the base URL is not that of the service")]
    WrongAddress,
    /// Any other answer that is not the service's own.
    #[error("something on the way answers in the place of the service")]
    Gateway,
    /// The message could not be put together on this machine.
    #[error("messages cannot be put together on this machine")]
    Local,
}

/// What a call told about the way to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// The service itself has spoken.
    Service,
    /// Something is in the way, and may have asked to be left alone for so long.
    Trouble(Trouble, Option<Duration>),
    /// Nothing.
    Nothing,
}

impl<R> RequestOutcome<R> {
    pub(crate) fn word(&self) -> Word {
        match self {
            RequestOutcome::Approved(_) => Word::Service,
            RequestOutcome::Declined(declined) => declined.word(),
            RequestOutcome::NotSent(not_sent) => not_sent.word(),
            RequestOutcome::Unknown(unanswered) => unanswered.word(),
        }
    }
}

impl AdviceOutcome {
    pub(crate) fn word(&self) -> Word {
        match self {
            AdviceOutcome::Accepted { .. } => Word::Service,
            AdviceOutcome::Refused(declined) => declined.word(),
            AdviceOutcome::NotSent(not_sent) => not_sent.word(),
            AdviceOutcome::Unknown(unanswered) => unanswered.word(),
        }
    }
}

impl<R> QueryOutcome<R> {
    pub(crate) fn word(&self) -> Word {
        match self {
            QueryOutcome::Answered(_) | QueryOutcome::NotSupported { status: 501 } => Word::Service,
            // As likely a server that knows no such operation as a wrong address.
            QueryOutcome::NotSupported { .. } => Word::Nothing,
            QueryOutcome::Failed(declined) => declined.word(),
            QueryOutcome::NotSent(not_sent) => not_sent.word(),
            QueryOutcome::Unknown(unanswered) => unanswered.word(),
        }
    }
}

impl Declined {
    /// Whether the service itself said so: an `ErrorDetail` with any status, and a 400 or a 501 with
    /// any body.
    pub(crate) fn is_service_word(&self) -> bool {
        self.detail.is_some() || matches!(self.status, 400 | 501)
    }

    fn word(&self) -> Word {
        match self.error_type() {
            Some(ErrorType::AuthenticationError) => {
                Word::Trouble(Trouble::Credentials, self.retry_after)
            }
            _ if self.is_service_word() => Word::Service,
            _ => Word::Trouble(of_status(self.status), self.retry_after),
        }
    }
}

impl NotSent {
    fn word(&self) -> Word {
        let trouble = match self.reason {
            NotSentReason::Tls => Trouble::Tls,
            NotSentReason::Local => Trouble::Local,
            NotSentReason::Held => return Word::Nothing,
            _ => Trouble::Unreachable,
        };
        Word::Trouble(trouble, None)
    }
}

impl Unanswered {
    fn word(&self) -> Word {
        let trouble = match self.problem {
            Problem::TimedOut | Problem::ConnectionLost => Trouble::NoAnswer,
            Problem::ServerFault { .. } | Problem::Unusable { .. } => Trouble::OutOfOrder,
            Problem::NotTheService { status } => of_status(status),
        };
        Word::Trouble(trouble, self.retry_after)
    }
}

fn of_status(status: u16) -> Trouble {
    match status {
        401 | 403 | 407 => Trouble::Credentials,
        300..=399 | 404 | 405 => Trouble::WrongAddress,
        _ => Trouble::Gateway,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::outcome::of_advice;
    use crate::api::transport::{Answer, BodyEnd};
    use crate::model::{AdviceId, Operation};

    #[test]
    fn who_refuses_and_asks_to_be_left_alone_is_heard() {
        let own = r#"{"errorType":"AUTHENTICATION_ERROR","errorMessage":"no","id":"7"}"#;
        let asked = Some(Duration::from_secs(60));
        for (status, body) in [(400, own), (403, "<html>")] {
            let answer = Answer {
                status,
                content_type: None,
                retry_after: asked,
                body: body.into(),
                body_end: BodyEnd::Complete,
            };
            let outcome = of_advice(Ok(answer), Operation::ConfirmPayment, AdviceId::random());
            let expected = Word::Trouble(Trouble::Credentials, asked);
            assert_eq!(outcome.word(), expected, "{status}");
        }
    }
}
