//! Walking a flow: one step after another, each with its evidence.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashSet};
use std::rc::Rc;
use std::time::Duration;

use money_transfer_retailer::Operation;
use money_transfer_retailer::model::{AdviceId, Defaults, OrderStatus, RequestId};
use tokio::time::{Instant, sleep};

use super::demands::{self, came_later, missing_words};
use super::echoes::OrderIds;
use super::evidence::{Step, Verdict, millis};
use super::exchange_evidence::ExchangeEvidence;
use super::expectation::Expectation;
use super::inventions::Order;
use super::masked_json::remember_references;
use super::masking::Secrets;
use super::message::{Answer, Message};
use super::relay::Upstream;
use super::seen::Seen;
use super::server::{self, Server, Till};
use super::wire::{End, Exchange, Wire};
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
    /// The operations that the server has shown to know: from then on none of them may be missing.
    pub(crate) known: RefCell<HashSet<Operation>>,
    order_ids: RefCell<OrderIds>,
    /// What every till of the run sends and receives.
    pub(crate) wires: RefCell<Vec<Wire>>,
    pub(crate) upstream: Upstream,
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

/// The rest of a flow cannot be walked; its last step says why, or the flow has failed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Flow,
    /// There is no server to go on with.
    Run,
}

pub(crate) type Walked<T = ()> = Result<T, Stop>;

impl World {
    pub(crate) async fn new(server: &Server) -> Result<Rc<World>, Trouble> {
        server::check(server).await?;
        let upstream = Upstream::new(server)?;
        let secrets = Secrets::default();
        secrets.hide_credentials(&server.password, &upstream.authorization(server)?);
        Ok(Rc::new(World {
            server: server.clone(),
            secrets,
            left: RefCell::default(),
            foreseen: RefCell::default(),
            known: RefCell::default(),
            order_ids: RefCell::default(),
            wires: RefCell::default(),
            upstream,
            defaults: server.defaults(),
        }))
    }
}

impl Walk {
    pub(crate) async fn begin(world: &Rc<World>, flow: &'static str) -> Result<Walk, Trouble> {
        let till = Till::open(&world.server, &world.upstream).await?;
        world.wires.borrow_mut().push(till.relay.wire().clone());
        Ok(Walk {
            world: Rc::clone(world),
            flow,
            till,
            steps: Vec::new(),
            round_trip: Duration::ZERO,
        })
    }

    /// What the till of this flow sends and receives.
    pub(crate) fn wire(&self) -> &Wire {
        self.till.relay.wire()
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
        let draft = self.with_exchanges(draft, M::OPERATION);
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

    /// Something about the last step that is worth a look, and no failure.
    pub(crate) fn remark(&mut self, remark: &str) {
        if let Some(step) = self.steps.last_mut() {
            step.remarks.push(remark.to_owned());
        }
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
    pub(super) exchanges: Vec<Exchange>,
    began: Instant,
    /// What was on the wire before.
    mark: usize,
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
                operation,
                expected: expected.to_owned(),
                ..Step::begun(what)
            },
            exchanges: Vec::new(),
            began: Instant::now(),
            mark: self.wire().mark(),
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

    /// With what went over the wire for an operation since the step began.
    pub(super) fn with_exchanges(&self, mut draft: Draft, operation: Operation) -> Draft {
        let more = self.wire().claim_since(draft.mark, operation);
        draft.exchanges.extend(more);
        draft
    }

    pub(super) fn judge<A: Answer>(
        &mut self,
        draft: Draft,
        operation: Operation,
        expected: &Expectation<'_, A>,
        seen: Seen<A>,
    ) -> Walked<Option<A>> {
        let seen = as_sent(seen, &draft.exchanges);
        if let Seen::Answered(answer) = &seen {
            for reference in answer.references() {
                self.world.secrets.hide(reference);
            }
        }
        let is_known = self.world.known.borrow().contains(&operation);
        let may_be_missing = came_later(operation) && !is_known;
        let verdict = expected.verdict(may_be_missing, &seen);
        let words = match &seen {
            Seen::NotSupported { status } if verdict == Verdict::Fail => {
                missing_words(*status, operation)
            }
            seen => seen.words(),
        };
        if seen.shows_the_operation() {
            self.world.known.borrow_mut().insert(operation);
        }
        let words = withheld_words(&draft.exchanges).unwrap_or_default() + &words;
        self.note(draft, verdict, words);
        match (verdict, seen) {
            (Verdict::Pass, Seen::Answered(answer)) => Ok(Some(answer)),
            (Verdict::NotSupported, _) | (_, Seen::NotSupported { .. }) => Err(Stop::Flow),
            (_, Seen::NotSent(_)) => Err(Stop::Run),
            _ => Ok(None),
        }
    }

    /// Ends a step: with the verdict, unless HTTP itself has something against the answers. Whatever a
    /// server may have quoted is struck out here.
    pub(super) fn note(&mut self, draft: Draft, verdict: Verdict, seen: impl Into<String>) {
        let Draft {
            mut step,
            exchanges,
            began,
            ..
        } = draft;
        let secrets = &self.world.secrets;
        step.exchanges = evidence_of(&exchanges, secrets);
        let mut seen = vec![seen.into()];
        seen.extend(distinct(&exchanges, demands::faults));
        step.verdict = match seen.len() {
            1 => verdict,
            _ => Verdict::Fail,
        };
        step.duration_millis = millis(began.elapsed());
        step.seen = secrets.strike_out(&seen.join("; "));
        let order_ids = &self.world.order_ids;
        exchanges
            .iter()
            .for_each(|exchange| order_ids.borrow_mut().learn(exchange));
        let remarks = |exchange: &Exchange| demands::remarks(exchange, &order_ids.borrow());
        let remarks = distinct(&exchanges, remarks).into_iter();
        step.remarks = remarks.map(|remark| secrets.strike_out(&remark)).collect();
        if let Some(advice) = &mut step.advice {
            advice.strike_out(secrets);
        }
        self.steps.push(step);
    }
}

/// The evidence of exchanges; what they tell is hidden before any of it is shown.
pub(crate) fn evidence_of(exchanges: &[Exchange], secrets: &Secrets) -> Vec<ExchangeEvidence> {
    for exchange in exchanges {
        remember_references(&exchange.received, secrets);
    }
    let evidence = |exchange| ExchangeEvidence::of(exchange, secrets);
    exchanges.iter().map(evidence).collect()
}

/// What is said of the exchanges, once.
pub(crate) fn distinct(
    exchanges: &[Exchange],
    say: impl Fn(&Exchange) -> Vec<String>,
) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for words in exchanges.iter().flat_map(say) {
        if !said.contains(&words) {
            said.push(words);
        }
    }
    said
}

/// What the till was not to have, and cannot tell.
fn withheld_words(exchanges: &[Exchange]) -> Option<String> {
    let last = exchanges.last().filter(|last| last.end == End::Withheld)?;
    let status = last.head.as_ref()?.status;
    Some(format!("HTTP {status}, kept from the till; to the till "))
}

/// A till knows only its relay: whether there was a connection to the server, the relay knows.
fn as_sent<A>(seen: Seen<A>, exchanges: &[Exchange]) -> Seen<A> {
    match (exchanges.last().map(|exchange| &exchange.end), &seen) {
        (Some(End::NotConnected(why)), Seen::Unknown { .. }) => Seen::NotSent(why.clone()),
        _ => seen,
    }
}
