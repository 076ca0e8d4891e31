//! What has to be so before a financial request is sent: the queue could take its advice, and what is
//! pending already is within the limits that were set.

use std::fmt;
use std::time::Duration;

use super::financial::not_journaled;
use super::{Client, RequestError};
use crate::model::{Money, Operation, RequestId};
use crate::saf::LedgerError;

/// How much may be pending before no new financial request is sent. Without limits unless they are set.
///
/// Only new requests are refused; a decision never is. Requests that are made at the same moment do not
/// count each other.
///
/// ```
/// use std::time::Duration;
/// use money_transfer_retailer::{Limits, model::Money};
///
/// let limits = Limits::default()
///     .pending(500)
///     .age(Duration::from_secs(24 * 60 * 60))
///     .sum(Money::zar(5_000_000));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    pending: Option<usize>,
    age: Option<Duration>,
    sums: Vec<Money>,
}

impl Limits {
    /// How many advices may be pending.
    #[must_use]
    pub fn pending(mut self, count: usize) -> Self {
        self.pending = Some(count);
        self
    }

    /// For how long the oldest advice may be pending, of the time in which the queue is open.
    #[must_use]
    pub fn age(mut self, age: Duration) -> Self {
        self.age = Some(age);
        self
    }

    /// How much money there may be whose confirmation is pending, taken or paid out. Once for each
    /// currency.
    #[must_use]
    pub fn sum(mut self, sum: Money) -> Self {
        self.sums.retain(|other| other.currency != sum.currency);
        self.sums.push(sum);
        self
    }

    /// Whether sums have to be known.
    pub(super) fn have_sums(&self) -> bool {
        !self.sums.is_empty()
    }
}

/// The limit that does not allow a new financial request.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Limit {
    /// So many advices are pending, or more.
    Pending(usize),
    /// The oldest advice has been pending for longer than this.
    Age(Duration),
    /// The money whose confirmation is pending has come to this sum.
    Sum(Money),
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Pending(count) => write!(f, "{count} advices or more are pending"),
            Limit::Age(age) => write!(f, "an advice has been pending for more than {age:?}"),
            Limit::Sum(sum) => write!(f, "confirmations of {sum} or more are pending"),
        }
    }
}

impl Client {
    /// That the limits allow a new request. One that was made before is not up to them.
    pub(super) async fn check_limits(
        &self,
        operation: Operation,
        request_id: RequestId,
    ) -> Result<(), RequestError> {
        // Whoever sets a limit wants none exceeded for want of knowledge.
        let reached = self.reached().await;
        let reached = reached.map_err(|error| not_journaled(error, operation, request_id))?;
        let Some(limit) = reached else { return Ok(()) };
        match self.core.ledger.look_up(request_id).await {
            Ok(Some(_)) => Ok(()),
            _ => Err(RequestError::LimitReached {
                operation,
                request_id,
                limit,
            }),
        }
    }

    async fn reached(&self) -> Result<Option<Limit>, LedgerError> {
        let (core, limits) = (&self.core, &self.core.limits);
        if let Some(most) = limits.pending
            && core.schedule.len() >= most
        {
            return Ok(Some(Limit::Pending(most)));
        }
        for most in &limits.sums {
            if core.ledger.owed(&most.currency)? >= most.minor_units {
                return Ok(Some(Limit::Sum(most.clone())));
            }
        }
        if let Some(most) = limits.age
            && let Some(oldest) = core.ledger.oldest_pending().await?
            && core.ledger.age_of(&oldest)? > most
        {
            return Ok(Some(Limit::Age(most)));
        }
        Ok(None)
    }
}
