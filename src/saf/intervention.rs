//! What a person decides about an advice that the upstream refused: to send it again, to send it
//! corrected, or to settle the matter in another way. It stays in the record, with who decided it.

use serde::{Deserialize, Serialize};

use super::{Attempt, Draft, Transaction};
use crate::model::{
    AdviceId, Check, Money, ReversalReason, ThirdPartyIdentifiers, Timestamp, Violations,
};

/// How many interventions are remembered of a request, the newest; the audit trail has all.
const REMEMBERED: usize = 8;

/// The longest name of an operator, in bytes.
const OPERATOR_LIMIT_BYTES: usize = 64;

/// The longest reason, in bytes.
const REASON_LIMIT_BYTES: usize = 256;

/// What a person decided about what the upstream refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Intervention {
    /// When, by the wall clock.
    pub at: Timestamp,
    /// Who.
    pub operator: String,
    /// What.
    pub measure: Measure,
    /// The advice that was refused; `None` for a request whose id the upstream knew already.
    pub advice_id: Option<AdviceId>,
    /// The attempt that was refused.
    pub refused: Option<Attempt>,
}

/// What is done about what the upstream refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Measure {
    /// The same bytes are sent again.
    Requeued,
    /// A corrected advice is sent, with an id of its own.
    Reissued,
    /// Nothing is sent any more: the matter is settled in another way.
    Abandoned {
        /// Why.
        reason: String,
    },
}

/// What is different in an advice that is [issued again](crate::Client::reissue). What is not named here
/// stays as it was; the id and the time are always new.
#[derive(Clone, Debug, Default, bon::Builder)]
#[non_exhaustive]
pub struct Correction {
    /// What finally stands, of a confirmation: no more than was approved, in minor units.
    pub amount: Option<Money>,
    /// Why it is reversed, of a reversal.
    pub reason: Option<ReversalReason>,
    /// Wire name: `thirdPartyIdentifiers`.
    pub third_party_identifiers: Option<ThirdPartyIdentifiers>,
}

/// Why an intervention was not taken: somebody has to answer for it. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InterventionError {
    /// Nobody is named.
    #[error("the name of the operator is missing")]
    NoOperator,
    /// The name is too long.
    #[error("the name of the operator is longer than {OPERATOR_LIMIT_BYTES} bytes")]
    OperatorTooLong,
    /// No reason is given.
    #[error("the reason is missing")]
    NoReason,
    /// The reason is too long.
    #[error("the reason is longer than {REASON_LIMIT_BYTES} bytes")]
    ReasonTooLong,
    /// The interface knows no such reason for a reversal.
    #[error("the interface knows no such reason for a reversal")]
    UnknownReversalReason,
    /// The corrected identifiers break the interface's rules.
    #[error("the correction is invalid")]
    Invalid(#[source] Violations),
}

/// Who intervenes, and when.
#[derive(Clone, Debug)]
pub(crate) struct Signature {
    pub(crate) at: Timestamp,
    pub(crate) operator: String,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub(crate) enum Remedy {
    Requeue,
    Reissue(Draft, Correction),
    Abandon { reason: String },
}

impl Correction {
    fn check(&self) -> Result<(), InterventionError> {
        if let Some(ReversalReason::Other(_)) = self.reason {
            return Err(InterventionError::UnknownReversalReason);
        }
        let identifiers = self.third_party_identifiers.as_ref();
        let checked = identifiers.map_or(Ok(()), Check::check);
        checked.map_err(InterventionError::Invalid)
    }
}

impl Signature {
    /// Checks that somebody answers for it.
    pub(crate) fn check(&self) -> Result<(), InterventionError> {
        match self.operator.len() {
            _ if self.operator.trim().is_empty() => Err(InterventionError::NoOperator),
            length if length > OPERATOR_LIMIT_BYTES => Err(InterventionError::OperatorTooLong),
            _ => Ok(()),
        }
    }
}

impl Remedy {
    /// Checks what can be told without the record.
    pub(crate) fn check(&self) -> Result<(), InterventionError> {
        match self {
            Remedy::Requeue => Ok(()),
            Remedy::Abandon { reason } if reason.trim().is_empty() => {
                Err(InterventionError::NoReason)
            }
            Remedy::Abandon { reason } if reason.len() > REASON_LIMIT_BYTES => {
                Err(InterventionError::ReasonTooLong)
            }
            Remedy::Abandon { .. } => Ok(()),
            Remedy::Reissue(_, correction) => correction.check(),
        }
    }

    fn measure(&self) -> Measure {
        match self {
            Remedy::Requeue => Measure::Requeued,
            Remedy::Reissue(..) => Measure::Reissued,
            Remedy::Abandon { reason } => Measure::Abandoned {
                reason: reason.clone(),
            },
        }
    }
}

impl Intervention {
    pub(super) fn new(transaction: &Transaction, remedy: &Remedy, signature: Signature) -> Self {
        let advice = transaction.advice();
        Intervention {
            at: signature.at,
            operator: signature.operator,
            measure: remedy.measure(),
            advice_id: advice.map(|advice| advice.id),
            refused: advice.and_then(|advice| advice.log.last().cloned()),
        }
    }

    /// Writes it behind the earlier ones.
    pub(super) fn remember(self, all: &mut Vec<Intervention>) {
        if all.len() == REMEMBERED {
            all.remove(0);
        }
        all.push(self);
    }
}
