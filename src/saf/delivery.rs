//! The worker: sends what is due, and repeats it until a final answer.
//!
//! 1. It never polls: it sleeps until the next due time, a new advice, a finished sending, or the
//!    word to stop.
//! 2. While the upstream is down it sends one advice at a time, to see whether it is up again.
//! 3. It takes no decisions: it reports what an answer means for an advice to the ledger.
//! 4. A sending that is under way when the word to stop comes is finished, not broken off.
//! 5. An outcome that cannot be recorded leads to a repeat of the same bytes, never to silence.
//! 6. While an outcome is on its way to the disk the next advice is sent. The one that it is about
//!    stays in flight until then, and holds up those of its order.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::clock::Clock;
use super::control::{Access, Control, Kind};
use super::ledger::Ahead;
use super::link::{Ear, Link, Permit};
use super::pace::Pace;
use super::schedule::{OrderKey, OrderKeys, Scheduled};
use super::verdict::{Circumstances, Verdict, judge, judge_lookup, what_it_said};
use super::{
    Advice, Attempt, AttemptOutcome, Event, Ledger, LedgerError, RetryPolicy, Schedule, Severity,
    Transaction,
};
use crate::api::outcome::{AdviceOutcome, QueryOutcome, of_advice, of_query};
use crate::api::{AnswerPolicy, Call, Transport, Word};
use crate::model::{LookupOrderQuery, LookupOrderResponse, Operation, Sensitive};
use crate::store::StoreError;

/// How many entries of the list of pending advices are read at a time.
const PAGE: usize = 256;

/// How many advices are read in advance, when one has to be read.
const READ_AHEAD: usize = 64;

/// So many times in a row a record may be refused by the disk before others pass it: about half a minute.
const PATIENT_READS: u32 = 5;

/// How many outcomes may be on their way to the disk while others are sent.
const RECORDINGS: usize = 64;

/// After this nothing is on its way any more, however long its answer was awaited.
const LONGEST_WAY: Duration = Duration::from_secs(60 * 60);

/// The worker's tools.
pub(crate) struct Delivery {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) schedule: Arc<Schedule>,
    pub(crate) link: Arc<Link>,
    pub(crate) control: Arc<Control>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) policy: RetryPolicy,
    pub(crate) answers: Arc<dyn AnswerPolicy>,
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
struct Place {
    schedule: Arc<Schedule>,
    scheduled: Scheduled,
    next: Next,
}

impl Drop for Place {
    fn drop(&mut self) {
        match self.next {
            Next::Done => self.schedule.forget(self.scheduled),
            Next::Again(pause) => self.schedule.again(self.scheduled, pause),
        }
    }
}

/// A sending that has its answer.
struct Answered {
    place: Place,
    /// As it was scheduled before it was sent.
    before: Scheduled,
    /// How often somebody was in a hurry before it was sent.
    hurries_before: usize,
    transaction: Arc<Transaction>,
    attempt: Attempt,
    verdict: Verdict,
    /// How long to wait before a repeat.
    pause: Duration,
}

/// What is under way.
#[derive(Default)]
struct InFlight {
    /// Advices that wait for an answer.
    sendings: JoinSet<Option<Answered>>,
    /// Outcomes that are being made durable.
    recordings: JoinSet<()>,
}

/// What keeps the worker from starting another sending.
enum Wait {
    /// This time has to come first.
    Until(Instant),
    /// Something has to happen first.
    ForNews,
}

/// What the worker alone knows, from one sending to the next.
struct Pacing {
    pace: Pace,
    keys: OrderKeys,
    ahead: Ahead,
}

impl Delivery {
    /// Works until told to finish, or until nobody is left to tell.
    pub(crate) async fn run(self: Arc<Self>, mut orders: watch::Receiver<Order>) {
        let mut pacing = self.pacing();
        let mut in_flight = InFlight::default();
        // Asked before anything is started: work may arrive together with the word to stop.
        while *orders.borrow() == Order::Work {
            let wait = self.start_due(&mut in_flight, &mut pacing).await;
            // With all places taken there is nothing to wake up for but one that is given up.
            let has_place = self.has_place(&in_flight);
            tokio::select! {
                changed = orders.changed() => if changed.is_err() {
                    return;
                },
                () = self.go_on(&mut in_flight) => {}
                () = self.schedule.changed(), if has_place => {}
                () = wait.over(), if has_place => {}
            }
        }
        let finished = async {
            while !in_flight.is_empty() {
                self.go_on(&mut in_flight).await;
            }
        };
        tokio::select! {
            () = finished => {}
            // Told to, or nobody is left to tell. What is dropped here goes back to the schedule.
            _ = orders.wait_for(|order| *order == Order::BreakOff) => {}
        }
        // Whoever reads has the store open.
        pacing.ahead.arrive().await;
    }

    fn has_place(&self, in_flight: &InFlight) -> bool {
        in_flight.sendings.len() < self.policy.parallel && in_flight.recordings.len() < RECORDINGS
    }

    /// Waits until something that is under way ends, and lets what was sent be recorded.
    async fn go_on(self: &Arc<Self>, in_flight: &mut InFlight) {
        tokio::select! {
            Some(sent) = in_flight.sendings.join_next() => if let Ok(Some(answered)) = sent {
                let delivery = Arc::clone(self);
                in_flight.recordings.spawn(async move { delivery.record(answered).await });
            },
            Some(_) = in_flight.recordings.join_next() => {}
            else => std::future::pending().await,
        }
    }

    fn pacing(&self) -> Pacing {
        // A backlog goes out after a pause that is another one for each till.
        self.schedule.hold_backlog(self.policy.opening_pause());
        Pacing {
            pace: Pace::new(self.policy.rate, self.policy.parallel),
            keys: OrderKeys::default(),
            ahead: Ahead::default(),
        }
    }

    /// Starts all that may be sent now, and says what to wait for.
    async fn start_due(self: &Arc<Self>, in_flight: &mut InFlight, pacing: &mut Pacing) -> Wait {
        while self.has_place(in_flight) {
            if let Some(wait) = self.obstacle(in_flight.len(), pacing) {
                return wait;
            }
            match self.next(pacing).await {
                Ok(Some((scheduled, transaction))) => {
                    pacing.pace.take(Instant::now());
                    let delivery = Arc::clone(self);
                    in_flight
                        .sendings
                        .spawn(async move { delivery.send(scheduled, transaction).await });
                }
                Ok(None) => return self.schedule.next_due().map_or(Wait::ForNews, Wait::Until),
                Err(error) => return self.hold_up(&error),
            }
        }
        Wait::ForNews
    }

    fn obstacle(&self, in_flight: usize, pacing: &Pacing) -> Option<Wait> {
        if self.control.is_held() {
            return Some(Wait::ForNews);
        }
        for permit in [self.link.permit(in_flight), self.control.permit(in_flight)] {
            match permit {
                Permit::Granted => {}
                Permit::NotBefore(at) => return Some(Wait::Until(at)),
                Permit::Busy => return Some(Wait::ForNews),
            }
        }
        pacing.pace.wait_until(Instant::now()).map(Wait::Until)
    }

    /// The next advice that may be sent, in flight from now on.
    async fn next(
        &self,
        pacing: &mut Pacing,
    ) -> Result<Option<(Scheduled, Arc<Transaction>)>, LedgerError> {
        let mut unreadable = 0;
        loop {
            self.read_on().await?;
            let is_down = self.link.is_down();
            let taken = match is_down {
                true => self.schedule.take_longest_due(),
                false => self.schedule.take_due(),
            };
            let Some(mut scheduled) = taken else {
                return Ok(None);
            };
            let read_ahead = if is_down { 0 } else { READ_AHEAD };
            let ahead = &mut pacing.ahead;
            match self.pending(scheduled, read_ahead, ahead).await {
                Ok(Some(transaction)) => {
                    let order = order_of(&transaction, &pacing.keys);
                    if std::mem::take(&mut scheduled.unread) > 0 {
                        self.schedule.was_read(scheduled.request_id);
                    }
                    if self.schedule.may_go(scheduled, order) {
                        return Ok(Some((scheduled, transaction)));
                    }
                }
                Ok(None) => {}
                // Nobody can tell the order of a record that the disk does not give out: everything waits with
                // it, for a few tries. After that it holds up no other. Two, and it is the disk.
                Err(error) if scheduled.unread < PATIENT_READS || unreadable > 0 => {
                    return Err(error);
                }
                Err(_) => unreadable += 1,
            }
        }
    }

    /// The transaction whose advice was taken from the schedule; `None` if that is not to be sent.
    async fn pending(
        &self,
        mut scheduled: Scheduled,
        read_ahead: usize,
        ahead: &mut Ahead,
    ) -> Result<Option<Arc<Transaction>>, LedgerError> {
        let id = scheduled.request_id;
        let next = || self.schedule.due_next(read_ahead);
        let found = self.ledger.look_up_ahead(id, next, ahead).await;
        if found.is_ok() && ahead.is_fresh() {
            self.control.store_is_read();
        }
        match found {
            Ok(Some(transaction)) if transaction.pending_advice().is_some() => {
                return Ok(Some(transaction));
            }
            Ok(Some(_)) => self.schedule.forget(scheduled),
            // It is listed as damaged; what it held cannot be sent.
            Ok(None) | Err(LedgerError::Store(StoreError::Damaged { .. })) => {
                tracing::error!(request_id = %id, "an advice is damaged, and cannot be sent");
                self.schedule.set_aside(scheduled);
            }
            Err(error) => {
                tracing::error!(request_id = %id, %error, "an advice cannot be read");
                scheduled.unread = scheduled.unread.saturating_add(1);
                match scheduled.unread <= PATIENT_READS {
                    true => self.schedule.first_again(scheduled),
                    false => {
                        let pause = self.policy.pause_after(scheduled.unread);
                        self.schedule.again(scheduled, pause);
                    }
                }
                return Err(error);
            }
        }
        Ok(None)
    }

    /// Lets the schedule know more of the list, where it has little left to hand out.
    async fn read_on(&self) -> Result<(), LedgerError> {
        while let Some(unread) = self.schedule.unread() {
            let listed = self.ledger.pending_from(unread.from, PAGE).await?;
            // A page may come back short, and not be the last one.
            self.schedule.take_in(unread, &listed, listed.is_empty());
        }
        Ok(())
    }

    /// The queue cannot be read: it is asked again after a while, and not in circles.
    fn hold_up(&self, error: &LedgerError) -> Wait {
        tracing::error!(%error, "delivery is held up");
        Wait::Until(self.control.store_failed(error, Access::Read, &self.policy))
    }

    /// Sends one advice once. What is dropped before its outcome is recorded is sent again.
    async fn send(&self, scheduled: Scheduled, transaction: Arc<Transaction>) -> Option<Answered> {
        let hurries_before = self.schedule.hurries();
        let Some(advice) = transaction.pending_advice() else {
            self.schedule.forget(scheduled);
            return None;
        };
        // Judged before the sending: what arrives meanwhile proves nothing about the time before.
        let circumstances = circumstances(&transaction, advice, scheduled);
        let unrecorded = scheduled.unrecorded.saturating_add(1);
        let tries = advice.attempts.saturating_add(unrecorded);
        let place = Place {
            schedule: Arc::clone(&self.schedule),
            // Until the outcome is recorded, nothing but this tells that it may have arrived.
            scheduled: Scheduled {
                possibly_sent: true,
                unrecorded,
                ..scheduled
            },
            next: Next::Again(self.policy.pause_after(tries)),
        };
        let outcome = self.exchange(advice).await;
        let mut attempt = self.attempt_of(&outcome);
        let verdict = match judge(
            &transaction,
            advice,
            &outcome,
            circumstances,
            &*self.answers,
        ) {
            Verdict::LookUp => self.look_up(&transaction, &mut attempt).await,
            verdict => verdict,
        };
        let verdict = match self.suspend_or(verdict, &outcome).await {
            Ok(verdict) => verdict,
            Err(error) => {
                self.not_recorded(scheduled, &error);
                return None;
            }
        };
        let pause = self.pause(tries, &outcome);
        Some(Answered {
            place,
            before: scheduled,
            hurries_before,
            transaction,
            attempt,
            verdict,
            pause,
        })
    }

    async fn exchange(&self, advice: &Advice) -> AdviceOutcome {
        let body = Bytes::from(advice.body.clone());
        let call = Call::with_body(advice.operation, body, self.timeout);
        let answer = self.transport.exchange(call).await;
        let outcome = of_advice(answer, advice.operation, advice.id);
        self.hear(outcome.word());
        outcome
    }

    /// Makes durable what came of a sending, and schedules what follows.
    async fn record(&self, answered: Answered) {
        let Answered {
            mut place,
            transaction,
            attempt,
            verdict,
            ..
        } = answered;
        let event = match verdict {
            Verdict::Settle(settlement) => Event::Settled(attempt.clone(), settlement),
            Verdict::Repeat | Verdict::LookUp => Event::Attempted(attempt.clone()),
        };
        let recorded = match self.ledger.apply(transaction.request_id, event).await {
            Ok(recorded) => recorded,
            Err(error) => return self.not_recorded(answered.before, &error),
        };
        report(&transaction, verdict, &attempt);
        // Without room for it, an attempt leaves no trace.
        let is_written = is_counted(&transaction, &recorded);
        if is_written || matches!(verdict, Verdict::Settle(_)) {
            self.control.store_is_written();
        }
        if is_written {
            place.scheduled = answered.before;
        } else if attempt.outcome == AttemptOutcome::NotSent {
            place.scheduled.possibly_sent = answered.before.possibly_sent;
        }
        place.next = match verdict {
            Verdict::Settle(_) => Next::Done,
            Verdict::Repeat | Verdict::LookUp => {
                Next::Again(self.hurried(answered.pause, answered.hurries_before))
            }
        };
    }

    /// Whoever was in a hurry meanwhile, with another password perhaps, meant this advice, too.
    fn hurried(&self, pause: Duration, hurries_before: usize) -> Duration {
        if self.schedule.hurries() == hurries_before {
            return pause;
        }
        self.link.hurry();
        Duration::ZERO
    }

    fn not_recorded(&self, scheduled: Scheduled, error: &LedgerError) {
        tracing::error!(request_id = %scheduled.request_id, %error, "an outcome cannot be recorded");
        // Whatever else is sent could not be recorded either.
        self.control
            .store_failed(error, Access::Write, &self.policy);
    }

    /// Tells the link what was heard.
    fn hear(&self, word: Word) {
        if self.link.hear(word, Ear::Worker, self.clock.now()) {
            self.schedule.nudge();
        }
    }

    /// Keeps an advice that the upstream would refuse whatever was in it, and sends no other.
    async fn suspend_or(
        &self,
        verdict: Verdict,
        outcome: &AdviceOutcome,
    ) -> Result<Verdict, LedgerError> {
        let Verdict::Settle(settlement) = verdict else {
            return Ok(verdict);
        };
        let refusal = Kind::of(settlement, outcome);
        let Some(suspension) = self.control.follow(refusal, self.clock.now()) else {
            return Ok(verdict);
        };
        tracing::error!(status = suspension.status, error_type = ?suspension.error_type,
            "the upstream refuses whatever it is sent, delivery is suspended");
        self.control.keep_suspension(&self.ledger).await?;
        Ok(Verdict::Repeat)
    }

    /// Judges by the order itself, and notes in `attempt` what it said.
    async fn look_up(&self, transaction: &Transaction, attempt: &mut Attempt) -> Verdict {
        let query = LookupOrderQuery::builder()
            .maybe_receiver_id(transaction.receiver_id.clone())
            .maybe_order_redeem_ref(transaction.receipt.order_redeem_ref.clone())
            .build();
        let operation = Operation::LookupOrder;
        let call = Call::with_query(operation, query.to_query_pairs(), self.timeout);
        let answer = self.transport.exchange(call).await;
        let outcome: QueryOutcome<LookupOrderResponse> = of_query(answer, operation, None);
        self.hear(outcome.word());
        let looked_up = judge_lookup(transaction, &outcome, self.clock.now());
        *attempt = attempt
            .clone()
            .with_look(&what_it_said(&outcome), looked_up.finding);
        looked_up.verdict
    }

    fn pause(&self, attempts: u32, outcome: &AdviceOutcome) -> Duration {
        let asked = match outcome {
            AdviceOutcome::Unknown(unanswered) => unanswered.retry_after,
            AdviceOutcome::Refused(refusal) => refusal.retry_after,
            AdviceOutcome::NotSent(_) | AdviceOutcome::Accepted { .. } => None,
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

impl InFlight {
    fn len(&self) -> usize {
        self.sendings.len() + self.recordings.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Wait {
    async fn over(self) {
        match self {
            Wait::Until(at) => sleep_until(at).await,
            Wait::ForNews => std::future::pending().await,
        }
    }
}

/// The order that an advice is about, where its reference is known; where the receipt cannot be read, all
/// orders of which no more than the end is known are one.
fn order_of(transaction: &Transaction, keys: &OrderKeys) -> Option<OrderKey> {
    let reference = transaction.receipt.order_redeem_ref.as_ref();
    let reference = reference.map(Sensitive::expose);
    let end = transaction.masked_redeem_ref.as_deref();
    reference.or(end).map(|known| keys.key(known))
}

fn circumstances(
    transaction: &Transaction,
    advice: &Advice,
    scheduled: Scheduled,
) -> Circumstances {
    let known_for = Instant::now().saturating_duration_since(scheduled.known_since);
    Circumstances {
        possibly_sent_before: advice.possibly_sent || scheduled.possibly_sent,
        request_has_landed: known_for >= transaction.timeout.saturating_mul(2).min(LONGEST_WAY),
    }
}

/// Whether the record tells of the attempt: without room on the disk it is not recorded.
fn is_counted(before: &Transaction, after: &Transaction) -> bool {
    let attempts = |one: &Transaction| one.advice().map_or(0, |advice| advice.attempts);
    attempts(after) > attempts(before)
}

/// Tells the log; ids and statuses only.
fn report(transaction: &Transaction, verdict: Verdict, attempt: &Attempt) {
    let Some(advice) = transaction.pending_advice() else {
        return;
    };
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
