//! Walking a flow: one step after another, each with its evidence.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use money_transfer_retailer::model::{AdviceId, Defaults, OrderStatus, RequestId, ReversalReason};
use money_transfer_retailer::{
    AdviceRecord, Approved, Confirmable, HandedBack, Operation, QueuedAdvice,
};
use tokio::time::{Instant, sleep};

use super::evidence::{Step, Verdict, now};
use super::expectation::Expectation;
use super::inventions::Order;
use super::masking::{Secrets, shown};
use super::message::{Answer, Approval, Message};
use super::seen::Seen;
use super::server::{Server, Till};
use super::{Trouble, told};

/// The pause before a server is asked again that may take a moment.
const PAUSE: Duration = Duration::from_millis(200);

/// How often a request is sent until its answer is late: a server on this machine needs luck.
const TRIES: usize = 60;

/// The shortest timeout that is tried.
const SHORTEST: Duration = Duration::from_micros(1);

const DELIVERED: &str = "delivered: nothing pending, nothing rejected";

/// What the flows of a run share.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) secrets: Secrets,
    /// How each order was left, for a last look at all of them.
    pub(crate) left: RefCell<Vec<(Order, OrderStatus)>>,
    defaults: Defaults,
}

/// A flow under way.
pub(crate) struct Walk {
    pub(crate) world: Rc<World>,
    till: Till,
    steps: Vec<Step>,
    /// How long the last exchange took.
    round_trip: Duration,
}

/// The rest of a flow cannot be walked; its last step says why.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Flow,
    /// There is no server to go on with.
    Run,
}

pub(crate) type Walked<T = ()> = Result<T, Stop>;

impl World {
    pub(crate) fn new(server: &Server) -> Rc<World> {
        let secrets = Secrets::default();
        secrets.hide(&server.password);
        Rc::new(World {
            server: server.clone(),
            secrets,
            left: RefCell::default(),
            defaults: server.defaults(),
        })
    }
}

impl Walk {
    pub(crate) async fn begin(world: &Rc<World>) -> Result<Walk, Trouble> {
        Ok(Walk {
            world: Rc::clone(world),
            till: Till::open(&world.server).await?,
            steps: Vec::new(),
            round_trip: Duration::ZERO,
        })
    }

    pub(crate) fn end(self) -> (Vec<Step>, Till) {
        (self.steps, self.till)
    }

    /// Walks a part of the flow at another till of the same retailer, with a queue of its own.
    pub(crate) async fn at_another_till(
        &mut self,
        errand: impl AsyncFnOnce(&mut Walk) -> Walked,
    ) -> Walked {
        let mut other = match Walk::begin(&self.world).await {
            Ok(other) => other,
            Err(trouble) => {
                self.find("another till opens", "open", Err(told(&*trouble)));
                return Err(Stop::Flow);
            }
        };
        let ended = errand(&mut other).await;
        let (steps, till) = other.end();
        self.steps.extend(steps);
        if let Err(error) = till.close(self.world.server.patience()).await {
            self.find("the other till closes", "closed", Err(told(&error)));
        }
        ended
    }

    /// Sends a message and holds what comes of it against what was expected. Gives the answer where it
    /// was the expected one.
    pub(crate) async fn step<M: Message>(
        &mut self,
        what: impl Into<String>,
        message: M,
        expected: Expectation<'_, M::Answer>,
    ) -> Walked<Option<M::Answer>> {
        let (message, draft) = self.prepared(what, message, &expected.words);
        let began = Instant::now();
        let seen = self.exchange(&message, &expected).await;
        self.round_trip = began.elapsed();
        self.judge(draft, M::OPERATION, &expected, seen)
    }

    /// As [`step`](Walk::step), where the flow cannot go on without the answer.
    pub(crate) async fn ask<M: Message>(
        &mut self,
        what: impl Into<String>,
        message: M,
        words: impl Into<String>,
        test: impl Fn(&M::Answer) -> bool,
    ) -> Walked<M::Answer> {
        let expected = Expectation::answer(words, test);
        let answer = self.step(what, message, expected).await?;
        answer.ok_or(Stop::Flow)
    }

    /// Confirms, and waits until the confirmation is delivered.
    pub(crate) async fn confirm<R>(&mut self, what: &str, approved: Approved<R>) -> Walked
    where
        R: Approval + Confirmable,
    {
        let draft = self.draft(what, R::REQUEST.confirmed_by(), DELIVERED);
        let decided = approved.confirm().await;
        self.decided(draft, None, decided).await
    }

    /// Reverses as a cashier does who cancels, and waits until the reversal is delivered.
    pub(crate) async fn reverse<R: Approval>(
        &mut self,
        what: &str,
        approved: Approved<R>,
    ) -> Walked {
        let draft = self.draft(what, R::REQUEST.reversed_by(), DELIVERED);
        let reason = ReversalReason::Cancelled;
        let decided = approved.reverse(reason.clone()).await;
        self.decided(draft, Some(reason), decided).await
    }

    /// Sends requests until the answer to one of them is late; the client then reverses it by itself.
    /// Those that were answered in time are reversed as by a cashier.
    pub(crate) async fn time_out<M, R>(&mut self, what: &str, make: impl Fn() -> M) -> Walked
    where
        M: Message<Answer = Approved<R>>,
        R: Approval,
    {
        let expected = Expectation::seeing("unknown: no answer in time", Seen::is_timeout);
        let mut timeout = (self.round_trip / 2).max(SHORTEST);
        let mut in_time = 0;
        let (mut draft, seen) = loop {
            let (message, draft) = self.prepared(what, make(), &expected.words);
            let id = message.id();
            let hurried = self.till.client.with_timeout(timeout);
            match message.send(&hurried).await {
                Seen::Answered(approved) if in_time < TRIES => {
                    in_time += 1;
                    timeout = (timeout / 2).max(SHORTEST);
                    self.take_back(approved).await;
                }
                seen => break (draft.about(id), seen),
            }
        };
        if in_time > 0 {
            draft.remark = format!(" ({in_time} earlier answers came in time, and were reversed)");
        }
        let reversal = match &seen {
            Seen::Unknown { reversal, cause: _ } => *reversal,
            _ => None,
        };
        let request_id = draft.step.request_id.clone();
        self.judge(draft, M::OPERATION, &expected, seen)?;
        let reversal = reversal.ok_or(Stop::Flow)?;
        let what = "the client reverses it by itself";
        let draft = self.draft(what, R::REQUEST.reversed_by(), DELIVERED);
        let advice = (reversal, request_id.unwrap_or_default());
        self.delivered(draft, Some(ReversalReason::Timeout), advice)
            .await
    }

    /// Something that no message is about.
    pub(crate) fn find(&mut self, what: &str, expected: &str, found: Result<String, String>) {
        let draft = self.draft(what, None, expected);
        match found {
            Ok(seen) => self.note(draft, Verdict::Pass, seen),
            Err(seen) => self.note(draft, Verdict::Fail, seen),
        }
    }

    /// What the till's queue waits for, in words; the error if it waits for anything.
    pub(crate) fn queue(&self) -> Result<String, String> {
        let advices = self.till.client.advices();
        let lists = advices.pending().and_then(|mut list| {
            list.extend(advices.rejected()?);
            Ok((list, advices.undecided()?.len()))
        });
        match lists {
            Ok((list, 0)) if list.is_empty() => Ok("the queue is empty".to_owned()),
            Ok((list, 0)) => Err(list.iter().map(fate).collect::<Vec<_>>().join("; ")),
            Ok((_, undecided)) => Err(format!("{undecided} undecided")),
            Err(error) => Err(told(&error)),
        }
    }
}

/// A step that has begun.
struct Draft {
    step: Step,
    began: Instant,
    remark: String,
}

impl Draft {
    fn about(mut self, id: Option<RequestId>) -> Draft {
        self.step.request_id = id.map(|id| id.to_string());
        self
    }
}

impl Walk {
    fn draft(
        &self,
        what: impl Into<String>,
        operation: Option<Operation>,
        expected: &str,
    ) -> Draft {
        Draft {
            step: Step {
                number: 0,
                step: what.into(),
                operation,
                request_id: None,
                advice_id: None,
                started_at: now(),
                duration_millis: 0,
                expected: expected.to_owned(),
                seen: String::new(),
                verdict: Verdict::Fail,
                request: None,
                response: None,
            },
            began: Instant::now(),
            remark: String::new(),
        }
    }

    /// The message as it will leave, and the beginning of its step.
    fn prepared<M: Message>(
        &self,
        what: impl Into<String>,
        mut message: M,
        expected: &str,
    ) -> (M, Draft) {
        message.fill(&self.world.defaults);
        let mut draft = self.draft(what, Some(M::OPERATION), expected);
        draft = draft.about(message.id());
        draft.step.request = Some(shown(&message));
        (message, draft)
    }

    async fn exchange<M: Message>(
        &self,
        message: &M,
        expected: &Expectation<'_, M::Answer>,
    ) -> Seen<M::Answer> {
        let give_up = Instant::now() + self.world.server.timeout;
        loop {
            let seen = message.clone().send(&self.till.client).await;
            let ask_again = expected.takes_time
                && matches!(seen, Seen::Answered(_))
                && !expected.accepts(&seen)
                && Instant::now() < give_up;
            if !ask_again {
                return seen;
            }
            sleep(PAUSE).await;
        }
    }

    fn judge<A: Answer>(
        &mut self,
        mut draft: Draft,
        operation: Operation,
        expected: &Expectation<'_, A>,
        seen: Seen<A>,
    ) -> Walked<Option<A>> {
        if let Seen::Answered(answer) = &seen {
            for reference in answer.references() {
                self.world.secrets.hide(reference);
            }
        }
        let verdict = expected.verdict(operation, &seen);
        draft.step.response = seen.message();
        self.note(draft, verdict, seen.words());
        match (verdict, seen) {
            (Verdict::Pass, Seen::Answered(answer)) => Ok(Some(answer)),
            (Verdict::NotSupported, _) => Err(Stop::Flow),
            (_, Seen::NotSent(_)) => Err(Stop::Run),
            _ => Ok(None),
        }
    }

    /// An answer that came when none was wanted: taken back without a step of its own, and out of the
    /// way before the next request about the same order.
    async fn take_back<R>(&self, approved: Approved<R>) {
        // An approval that cannot be reversed now is undecided, and reversed at the end of the flow.
        let _decided = approved.reverse(ReversalReason::Cancelled).await;
        let patience = self.world.server.patience();
        // What is still pending then is found by the step that follows.
        let _delivered = self.till.client.advices().wait_empty(patience).await;
    }

    async fn decided<R>(
        &mut self,
        draft: Draft,
        reason: Option<ReversalReason>,
        decided: Result<QueuedAdvice, Box<HandedBack<R>>>,
    ) -> Walked {
        match decided {
            Ok(queued) => {
                let advice = (queued.advice_id, queued.request_id.to_string());
                self.delivered(draft, reason, advice).await
            }
            Err(handed_back) => {
                self.note(draft, Verdict::Fail, told(&handed_back.error));
                Err(Stop::Flow)
            }
        }
    }

    async fn delivered(
        &mut self,
        mut draft: Draft,
        reason: Option<ReversalReason>,
        (id, request_id): (AdviceId, String),
    ) -> Walked {
        let patience = self.world.server.patience();
        // What is still pending then is told from the queue itself.
        let _delivered = self.till.client.advices().wait_empty(patience).await;
        let reason = reason.map_or(String::new(), |reason| {
            format!("    reversalReason: {reason},\n")
        });
        draft.step.request = Some(format!(
            "BasicAdvice {{\n    id: {id},\n    requestId: {request_id},\n{reason}}}"
        ));
        draft.step.advice_id = Some(id.to_string());
        draft.step.request_id = Some(request_id);
        match self.queue() {
            Ok(_) => self.note(draft, Verdict::Pass, "delivered"),
            Err(fates) => {
                self.note(draft, Verdict::Fail, fates);
                return Err(Stop::Flow);
            }
        }
        Ok(())
    }

    /// Ends a step. Whatever a server may have quoted is struck out here.
    fn note(&mut self, draft: Draft, verdict: Verdict, seen: impl Into<String>) {
        let Draft {
            mut step,
            began,
            remark,
        } = draft;
        let secrets = &self.world.secrets;
        let masked = |text: String| secrets.strike_out(&text);
        step.duration_millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        step.verdict = verdict;
        step.seen = masked(seen.into() + &remark);
        step.request = step.request.map(masked);
        step.response = step.response.map(masked);
        self.steps.push(step);
    }
}

/// Where an advice stands that should have been delivered, in words.
pub(crate) fn fate(advice: &AdviceRecord) -> String {
    let last = advice.last_attempts.last();
    let error = last.and_then(|attempt| attempt.error.as_deref());
    let why: String = error.unwrap_or("no answer yet").chars().take(120).collect();
    let (operation, attempts) = (advice.operation, advice.attempts);
    format!(
        "{operation} {} after {attempts} attempts: {why}",
        advice.state
    )
}
