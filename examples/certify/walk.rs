//! Walking a flow: one step after another, each with its evidence.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use money_transfer_retailer::Operation;
use money_transfer_retailer::model::{AdviceId, Defaults, OrderStatus, RequestId};
use tokio::time::{Instant, sleep};

use super::evidence::{Step, Verdict, millis, now};
use super::expectation::Expectation;
use super::inventions::Order;
use super::masking::{Secrets, shown};
use super::message::{Answer, Message};
use super::seen::Seen;
use super::server::{Server, Till};
use super::{Trouble, told};

/// The pause before a server is asked again that may take a moment.
const PAUSE: Duration = Duration::from_millis(200);

/// What the flows of a run share.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) secrets: Secrets,
    /// How each order was left, for a last look at all of them.
    pub(crate) left: RefCell<Vec<LeftOrder>>,
    /// The advices whose refusal was expected, so that nobody is told of it twice.
    pub(crate) foreseen: RefCell<BTreeSet<AdviceId>>,
    defaults: Defaults,
}

/// An order as a flow left it.
#[derive(Clone)]
pub(crate) struct LeftOrder {
    pub(crate) flow: &'static str,
    pub(crate) order: Order,
    pub(crate) status: OrderStatus,
}

/// A flow under way.
pub(crate) struct Walk {
    pub(crate) world: Rc<World>,
    pub(crate) flow: &'static str,
    pub(super) till: Till,
    steps: Vec<Step>,
    /// How long the last exchange took.
    pub(super) round_trip: Duration,
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
            foreseen: RefCell::default(),
            defaults: server.defaults(),
        })
    }
}

impl Walk {
    pub(crate) async fn begin(world: &Rc<World>, flow: &'static str) -> Result<Walk, Trouble> {
        Ok(Walk {
            world: Rc::clone(world),
            flow,
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
        let mut other = match Walk::begin(&self.world, self.flow).await {
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

    /// How the last step ended.
    pub(crate) fn last_verdict(&self) -> Option<Verdict> {
        self.steps.last().map(|step| step.verdict)
    }

    /// Something that no message is about.
    pub(crate) fn find(&mut self, what: &str, expected: &str, found: Result<String, String>) {
        let draft = self.draft(what, None, expected);
        match found {
            Ok(seen) => self.note(draft, Verdict::Pass, seen),
            Err(seen) => self.note(draft, Verdict::Fail, seen),
        }
    }
}

/// A step that has begun.
pub(super) struct Draft {
    pub(super) step: Step,
    began: Instant,
}

impl Draft {
    pub(super) fn about(mut self, id: Option<RequestId>) -> Draft {
        self.step.request_id = id.map(|id| id.to_string());
        self
    }
}

impl Walk {
    pub(super) fn draft(
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
                advice: None,
            },
            began: Instant::now(),
        }
    }

    /// The message as it will leave, and the beginning of its step.
    pub(super) fn prepared<M: Message>(
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

    pub(super) fn judge<A: Answer>(
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

    /// Ends a step. Whatever a server may have quoted is struck out here.
    pub(super) fn note(&mut self, draft: Draft, verdict: Verdict, seen: impl Into<String>) {
        let Draft { mut step, began } = draft;
        let secrets = &self.world.secrets;
        let masked = |text: String| secrets.strike_out(&text);
        step.duration_millis = millis(began.elapsed());
        step.verdict = verdict;
        step.seen = masked(seen.into());
        step.request = step.request.map(masked);
        step.response = step.response.map(masked);
        self.steps.push(step);
    }
}
