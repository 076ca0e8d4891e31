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
use super::ledger::Note;
use super::link::{Ear, Link, Permit};
use super::pace::Pace;
use super::schedule::{OrderKey, OrderKeys, Scheduled};
use super::verdict::{Circumstances, Verdict, judge, judge_lookup};
use super::{
    Advice, Attempt, AttemptOutcome, Event, Ledger, LedgerError, RetryPolicy, Schedule, Severity,
    Transaction,
};
use crate::api::outcome::{AdviceOutcome, QueryOutcome, of_advice, of_query};
use crate::api::{AnswerPolicy, Call, Transport, Word};
use crate::model::{LookupOrderQuery, LookupOrderResponse, Operation};
use crate::store::StoreError;

/// How many entries of the list of pending advices are read at a time.
const PAGE: usize = 64;

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
            Next::Done => self.schedule.forget(self.scheduled.request_id),
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
        loop {
            self.read_on().await?;
            let taken = match self.link.is_down() {
                true => self.schedule.take_longest_due(),
                false => self.schedule.take_due(),
            };
            let Some(scheduled) = taken else {
                return Ok(None);
            };
            let found = self.pending(scheduled).await?;
            self.control.store_is_read();
            let Some(transaction) = found else { continue };
            let order = order_of(&transaction, &pacing.keys);
            if self.schedule.may_go(scheduled, order) {
                return Ok(Some((scheduled, transaction)));
            }
        }
    }

    /// The transaction whose advice was taken from the schedule; `None` if that is not to be sent.
    async fn pending(&self, scheduled: Scheduled) -> Result<Option<Arc<Transaction>>, LedgerError> {
        let id = scheduled.request_id;
        match self.ledger.look_up(id).await {
            Ok(Some(transaction)) if transaction.pending_advice().is_some() => {
                return Ok(Some(transaction));
            }
            Ok(Some(_)) => self.schedule.forget(id),
            // It is listed as damaged; what it held cannot be sent.
            Ok(None) | Err(LedgerError::Store(StoreError::Damaged { .. })) => {
                tracing::error!(request_id = %id, "an advice is damaged, and cannot be sent");
                self.schedule.set_aside(id);
            }
            Err(error) => {
                self.schedule.again(scheduled, Duration::ZERO);
                return Err(error);
            }
        }
        Ok(None)
    }

    /// Lets the schedule know more of the list, where it has nothing to hand out.
    async fn read_on(&self) -> Result<(), LedgerError> {
        while let Some(unread) = self.schedule.unread() {
            let listed = self.ledger.pending_from(unread.from, PAGE).await?;
            let is_all = listed.len() < PAGE;
            self.schedule.take_in(unread, &listed, is_all);
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
        let mut place = Place {
            schedule: Arc::clone(&self.schedule),
            scheduled,
            next: Next::Again(self.policy.max),
        };
        let Some(advice) = transaction.pending_advice() else {
            place.next = Next::Done;
            return None;
        };
        // Judged before the sending: what arrives meanwhile proves nothing about the time before.
        let circumstances = circumstances(&transaction, advice, scheduled);
        // Until the outcome is recorded, nothing but this tells that it may have arrived.
        place.scheduled.possibly_sent = true;
        let outcome = self.exchange(advice).await;
        let verdict = match judge(
            &transaction,
            advice,
            &outcome,
            circumstances,
            &*self.answers,
        ) {
            Verdict::LookUp => self.look_up(&transaction).await,
            verdict => verdict,
        };
        let verdict = match self.suspend_or(verdict, &outcome).await {
            Ok(verdict) => verdict,
            Err(error) => {
                self.not_recorded(scheduled, &error);
                return None;
            }
        };
        let pause = self.pause(advice.attempts.saturating_add(1), &outcome);
        Some(Answered {
            place,
            before: scheduled,
            hurries_before,
            transaction,
            attempt: self.attempt_of(&outcome),
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
        self.control.store_is_written();
        report(&transaction, verdict, &attempt);
        place.scheduled.possibly_sent = answered.before.possibly_sent
            || left_no_trace(&transaction, &recorded, attempt.outcome);
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
        let note = serde_json::to_vec(&suspension).ok();
        self.ledger.keep_note(Note::Suspension, note).await?;
        // Somebody may have ended it before it was written.
        if self.control.suspension().is_none() {
            self.ledger.keep_note(Note::Suspension, None).await?;
        }
        Ok(Verdict::Repeat)
    }

    async fn look_up(&self, transaction: &Transaction) -> Verdict {
        let query = LookupOrderQuery::builder()
            .maybe_receiver_id(transaction.receiver_id.clone())
            .maybe_order_redeem_ref(transaction.receipt.order_redeem_ref.clone())
            .build();
        let operation = Operation::LookupOrder;
        let call = Call::with_query(operation, query.to_query_pairs(), self.timeout);
        let answer = self.transport.exchange(call).await;
        let outcome: QueryOutcome<LookupOrderResponse> = of_query(answer, operation, None);
        self.hear(outcome.word());
        judge_lookup(transaction, &outcome)
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
                .with_error(&refusal.for_the_record()),
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

/// The order that an advice is about, where its reference is known.
fn order_of(transaction: &Transaction, keys: &OrderKeys) -> Option<OrderKey> {
    let reference = transaction.receipt.order_redeem_ref.as_ref()?;
    Some(keys.key(reference.expose()))
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

/// Whether the advice may have arrived and nothing tells of it: without room on the disk an attempt is
/// not recorded.
fn left_no_trace(before: &Transaction, after: &Transaction, outcome: AttemptOutcome) -> bool {
    let attempts = |one: &Transaction| one.advice().map_or(0, |advice| advice.attempts);
    attempts(after) <= attempts(before) && outcome != AttemptOutcome::NotSent
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
