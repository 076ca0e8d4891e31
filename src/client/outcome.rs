//! What a financial request came to, as the till sees it.

use super::Approved;
use crate::api::{Declined, NotSent, Unanswered};
use crate::model::{AdviceId, Operation, RequestId};
use crate::saf::TransactionRecord;

/// What a financial request came to.
#[derive(Debug)]
#[must_use = "an approved request has to be confirmed or reversed"]
pub enum OrderOutcome<R> {
    /// The upstream said yes. Take tender or pay out, then confirm; or reverse.
    Approved(Approved<R>),
    /// The upstream said no: nothing exists there, and there is nothing to do. Only where it says that it
    /// knows the id already (`DUPLICATE_RECORD`) something may, and the request is
    /// [listed](crate::Advices::duplicates).
    Declined(Declined),
    /// It never left: nothing exists upstream, and there is nothing to do.
    NotSent(NotSent),
    /// Nobody knows. Take no tender: its reversal is on the disk already and will be delivered.
    /// The sale can be tried again with a new request.
    Unknown(Unknown),
    /// A request with this id was made before, by this process or an earlier one. Nothing was sent:
    /// this is what became of it. Confirm or reverse it by its id, where it waits for that.
    Earlier(Box<TransactionRecord>),
}

/// A request whose outcome nobody knows.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Unknown {
    /// What was asked.
    pub operation: Operation,
    /// The request.
    pub request_id: RequestId,
    /// Its reversal, which is durable and on its way.
    pub reversal_id: AdviceId,
    /// What came instead of a final answer.
    pub cause: Unanswered,
}

impl<R> OrderOutcome<R> {
    /// The approval, where there is one.
    pub fn approved(self) -> Option<Approved<R>> {
        match self {
            OrderOutcome::Approved(approved) => Some(approved),
            _ => None,
        }
    }
}
