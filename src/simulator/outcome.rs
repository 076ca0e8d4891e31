//! How a rule says no.

use super::answer::{Answer, Problem};

/// Why a message was not accepted.
pub(super) enum Refusal {
    /// A business error, answered as an ErrorDetail.
    Problem(Problem),
    /// An answer that is no ErrorDetail: a server's page, a plain text.
    Answer(Box<Answer>),
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Refusal::Problem(problem)
    }
}

impl From<Answer> for Refusal {
    fn from(answer: Answer) -> Self {
        Refusal::Answer(Box::new(answer))
    }
}

/// What a rule decided.
pub(super) type Outcome = Result<Answer, Refusal>;
