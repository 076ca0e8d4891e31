//! The worker: sends what is due, and repeats it until a final answer.
//!
//! 1. It never polls: it sleeps until the next due time, a new advice, a finished sending, or the
//!    word to stop.
//! 2. It takes no decisions: it reports what an answer means for an advice to the ledger.
//! 3. A sending that is under way when the word to stop comes is finished, not broken off.
//! 4. An outcome that cannot be recorded leads to a repeat of the same bytes, never to silence.

use std::sync::Arc;
use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff;
use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::clock::Clock;
use super::schedule::Scheduled;
use super::verdict::{Circumstances, Verdict, judge, judge_lookup};
use super::{
    Advice, Attempt, AttemptOutcome, Event, Ledger, LedgerError, Schedule, Severity, Transaction,
};
use crate::api::outcome::{AdviceOutcome, QueryOutcome, of_advice, of_query};
use crate::api::{Call, Transport};
use crate::model::{LookupOrderQuery, LookupOrderResponse, Operation};

/// The longest time for which an upstream can ask to be left alone.
const RETRY_AFTER_LIMIT: Duration = Duration::from_secs(60 * 60);

/// At which pace an advice is repeated, and how many are sent at the same time.
///
/// The pause before repeat *k* is `initial` doubled *k* times, at most `max`, give or take a
/// random part. There is no last repeat.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// The first pause; default 1 s.
    pub initial: Duration,
    /// The longest pause; default 5 min.
    pub max: Duration,
    /// How far a pause may be off, as a part of itself from 0.0 to 1.0; default 0.5.
    pub jitter: f64,
    /// How many advices are sent at the same time; default 4.
    pub parallel: usize,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy {
            initial: Duration::from_secs(1),
            max: Duration::from_secs(5 * 60),
            jitter: 0.5,
            parallel: 4,
        }
    }
}

/// Why a retry policy cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RetryPolicyError {
    /// Without a pause an upstream in trouble would be hammered.
    #[error("the first pause is zero: give at least a millisecond")]
    NoPause,
    /// The bounds are the wrong way round.
    #[error("the longest pause is shorter than the first one")]
    MaxBelowInitial,
    /// The random part must be a part.
    #[error("the jitter is not between 0.0 and 1.0")]
    Jitter,
    /// Nothing would ever be sent.
    #[error("no advice may be sent at a time: give at least 1")]
    NotParallel,
}

impl RetryPolicy {
    /// Sets the first and the longest pause.
    pub fn pauses(mut self, initial: Duration, max: Duration) -> Self {
        self.initial = initial;
        self.max = max;
        self
    }

    /// Sets how far a pause may be off, as a part of itself.
    pub fn jitter(mut self, jitter: f64) -> Self {
        self.jitter = jitter;
        self
    }

    /// Sets how many advices are sent at the same time.
    pub fn parallel(mut self, parallel: usize) -> Self {
        self.parallel = parallel;
        self
    }

    pub(crate) fn check(&self) -> Result<(), RetryPolicyError> {
        if self.initial < Duration::from_millis(1) {
            Err(RetryPolicyError::NoPause)
        } else if self.max < self.initial {
            Err(RetryPolicyError::MaxBelowInitial)
        } else if !(0.0..=1.0).contains(&self.jitter) {
            Err(RetryPolicyError::Jitter)
        } else if self.parallel == 0 {
            Err(RetryPolicyError::NotParallel)
        } else {
            Ok(())
        }
    }

    /// The pause after attempt number `attempts`, where the other side asked to be left alone for so long.
    ///
    /// Never shorter than without being asked, so that nobody can ask to be hammered.
    pub(crate) fn pause_as_asked(&self, attempts: u32, retry_after: Option<Duration>) -> Duration {
        let asked = retry_after.unwrap_or_default();
        self.pause_after(attempts).max(asked.min(RETRY_AFTER_LIMIT))
    }

    /// The pause after attempt number `attempts`.
    pub(crate) fn pause_after(&self, attempts: u32) -> Duration {
        let doublings = attempts.saturating_sub(1).min(31);
        let unjittered = self.initial.saturating_mul(1 << doublings).min(self.max);
        let mut backoff = ExponentialBackoff {
            current_interval: unjittered,
            initial_interval: unjittered,
            randomization_factor: self.jitter,
            max_interval: self.max,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        // Its own bound applies before the random part is added.
        backoff.next_backoff().unwrap_or(self.max).min(self.max)
    }
}

/// The worker's tools.
pub(crate) struct Delivery {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) schedule: Arc<Schedule>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) policy: RetryPolicy,
    /// How long a sending may take.
    pub(crate) timeout: Duration,
}

/// What the worker is told; a dropped sender means that nobody waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Work,
    /// Finish what is under way, and start nothing new.
    Finish,
    /// Break off what is under way.
    BreakOff,
}

/// How one sending ended, for the schedule.
enum Next {
    Done,
    Again(Duration),
}

/// A place among the advices in flight. Given up in every case, a panic included: an advice that
/// stayed in flight would never be sent again.
struct Place<'a> {
    schedule: &'a Schedule,
    scheduled: Scheduled,
    next: Next,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        match self.next {
            Next::Done => self.schedule.remove(self.scheduled.request_id),
            Next::Again(pause) => self.schedule.again(self.scheduled, pause),
        }
    }
}

impl Delivery {
    /// Works until told to finish, or until nobody is left to tell.
    pub(crate) async fn run(self, mut orders: watch::Receiver<Order>) {
        let delivery = Arc::new(self);
        let mut in_flight = JoinSet::new();
        // Asked before anything is started: work may arrive together with the word to stop.
        while *orders.borrow() == Order::Work {
            delivery.start_due(&mut in_flight);
            // With all places taken there is nothing to wake up for but a finished sending.
            let has_place = in_flight.len() < delivery.policy.parallel;
            tokio::select! {
                changed = orders.changed() => if changed.is_err() {
                    return;
                },
                Some(_) = in_flight.join_next() => {}
                () = delivery.schedule.added(), if has_place => {}
                () = delivery.next_due(), if has_place => {}
            }
        }
        let finished = async { while in_flight.join_next().await.is_some() {} };
        tokio::select! {
            () = finished => {}
            // Told to, or nobody is left to tell. What is dropped here goes back to the schedule.
            _ = orders.wait_for(|order| *order == Order::BreakOff) => {}
        }
    }

    fn start_due(self: &Arc<Self>, in_flight: &mut JoinSet<()>) {
        while in_flight.len() < self.policy.parallel {
            let Some(scheduled) = self.schedule.take_due() else {
                return;
            };
            let delivery = Arc::clone(self);
            in_flight.spawn(async move { delivery.send(scheduled).await });
        }
    }

    async fn next_due(&self) {
        match self.schedule.next_due() {
            Some(due_at) => sleep_until(due_at).await,
            None => std::future::pending().await,
        }
    }

    /// Sends one advice once, records what came of it, and schedules what follows.
    async fn send(&self, scheduled: Scheduled) {
        let mut place = Place {
            schedule: &self.schedule,
            scheduled,
            next: Next::Again(self.policy.max),
        };
        match self.attempt(&mut place).await {
            Ok(next) => place.next = next,
            Err(error) => {
                tracing::error!(request_id = %scheduled.request_id, %error, "delivery is held up");
            }
        }
    }

    async fn attempt(&self, place: &mut Place<'_>) -> Result<Next, LedgerError> {
        let scheduled = place.scheduled;
        let id = scheduled.request_id;
        let Some(transaction) = self.ledger.transaction(id)? else {
            return Err(LedgerError::UnknownRequest);
        };
        let Some(advice) = transaction.pending_advice() else {
            return Ok(Next::Done);
        };
        // Judged before the sending: what arrives meanwhile proves nothing about the time before.
        let circumstances = circumstances(&transaction, advice, scheduled);
        // Until the outcome is recorded, nothing but this tells that it may have arrived.
        place.scheduled.possibly_sent = true;
        let body = Bytes::from(advice.body.clone());
        let call = Call::with_body(advice.operation, body, self.timeout);
        let outcome = of_advice(
            self.transport.exchange(call).await,
            advice.operation,
            advice.id,
        );
        let verdict = match judge(&transaction, advice, &outcome, circumstances) {
            Verdict::LookUp => self.look_up(&transaction).await,
            verdict => verdict,
        };
        let attempt = self.attempt_of(&outcome);
        let event = match verdict {
            Verdict::Settle(settlement) => Event::Settled(attempt.clone(), settlement),
            Verdict::Repeat | Verdict::LookUp => Event::Attempted(attempt.clone()),
        };
        self.ledger.apply(id, event).await?;
        report(&transaction, advice, verdict, &attempt);
        place.scheduled.possibly_sent = scheduled.possibly_sent;
        Ok(match verdict {
            Verdict::Settle(_) => Next::Done,
            Verdict::Repeat | Verdict::LookUp => {
                Next::Again(self.pause(advice.attempts.saturating_add(1), &outcome))
            }
        })
    }

    async fn look_up(&self, transaction: &Transaction) -> Verdict {
        let query = LookupOrderQuery::builder()
            .maybe_receiver_id(transaction.receiver_id.clone())
            .maybe_order_redeem_ref(transaction.receipt.order_redeem_ref.clone())
            .build();
        let operation = Operation::LookupOrder;
        let call = Call::with_query(operation, query.to_query_pairs(), self.timeout);
        let answer = self.transport.exchange(call).await;
        let outcome: QueryOutcome<LookupOrderResponse> = of_query(answer, operation);
        judge_lookup(transaction, &outcome)
    }

    fn pause(&self, attempts: u32, outcome: &AdviceOutcome) -> Duration {
        let asked = match outcome {
            AdviceOutcome::Unknown(unanswered) => unanswered.retry_after,
            _ => None,
        };
        self.policy.pause_as_asked(attempts, asked)
    }

    fn attempt_of(&self, outcome: &AdviceOutcome) -> Attempt {
        use AttemptOutcome as O;
        let attempt = |outcome| Attempt::new(self.clock.now(), outcome);
        match outcome {
            AdviceOutcome::Accepted { status } => attempt(O::Accepted).with_status(Some(*status)),
            AdviceOutcome::Refused(refusal) => attempt(O::Refused)
                .with_status(Some(refusal.status))
                .with_error(refusal),
            AdviceOutcome::NotSent(not_sent) => attempt(O::NotSent).with_error(not_sent),
            AdviceOutcome::Unknown(unanswered) => attempt(O::Unknown)
                .with_status(unanswered.status())
                .with_error(unanswered),
        }
    }
}

fn circumstances(
    transaction: &Transaction,
    advice: &Advice,
    scheduled: Scheduled,
) -> Circumstances {
    let known_for = Instant::now().saturating_duration_since(scheduled.known_since);
    Circumstances {
        possibly_sent_before: advice.possibly_sent || scheduled.possibly_sent,
        request_has_landed: known_for >= transaction.timeout.saturating_mul(2),
    }
}

/// Tells the log; ids and statuses only.
fn report(transaction: &Transaction, advice: &Advice, verdict: Verdict, attempt: &Attempt) {
    let (request_id, advice_id) = (transaction.request_id, advice.id);
    let (operation, status) = (advice.operation, attempt.status);
    match verdict {
        Verdict::Settle(settlement) if settlement.is_refusal() => {
            let severity = Severity::of_refused(operation);
            tracing::error!(%request_id, %advice_id, %operation, ?status, ?settlement, %severity, "advice rejected");
        }
        Verdict::Settle(settlement) => {
            tracing::info!(%request_id, %advice_id, %operation, ?settlement, "advice settled");
        }
        Verdict::Repeat | Verdict::LookUp => {
            let outcome = attempt.outcome;
            tracing::warn!(%request_id, %advice_id, %operation, %outcome, ?status, "advice will be repeated");
        }
    }
}

#[cfg(test)]
mod worker_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_from_the_first_to_the_longest_and_never_end() {
        let policy = RetryPolicy::default().jitter(0.0);
        let seconds: Vec<u64> = (1..=11).map(|k| policy.pause_after(k).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(policy.pause_after(u32::MAX), policy.max);
    }

    #[test]
    fn jitter_keeps_within_its_part_and_below_the_longest_pause() {
        let policy = RetryPolicy::default();
        for _ in 0..1_000 {
            let third = policy.pause_after(3);
            assert!((2..=6).contains(&third.as_secs()), "{third:?}");
            assert!(policy.pause_after(20) <= policy.max);
        }
    }

    #[test]
    fn a_policy_that_cannot_be_followed_is_refused() {
        let second = Duration::from_secs(1);
        let policy = RetryPolicy::default();
        let refused = |policy: RetryPolicy| policy.check().err();
        assert_eq!(refused(policy), None);
        let no_pause = policy.pauses(Duration::ZERO, second);
        assert_eq!(refused(no_pause), Some(RetryPolicyError::NoPause));
        let reversed = policy.pauses(2 * second, second);
        assert_eq!(refused(reversed), Some(RetryPolicyError::MaxBelowInitial));
        for jitter in [-0.1, 1.1, f64::NAN] {
            assert_eq!(
                refused(policy.jitter(jitter)),
                Some(RetryPolicyError::Jitter)
            );
        }
        assert_eq!(
            refused(policy.parallel(0)),
            Some(RetryPolicyError::NotParallel)
        );
    }
}
