//! What a till decides, and what the client decides for it: confirmations and reversals, until they are
//! settled.

use std::time::Duration;

use money_transfer_retailer::model::{
    AdviceId, ErrorType, RequestId, ReversalReason, ThirdPartyIdentifiers,
};
use money_transfer_retailer::{
    AdviceRecord, AdviceState, Approved, Confirmable, HandedBack, Operation, QueuedAdvice,
    WaitError,
};

use super::advice::{self, AdviceEvidence, fate};
use super::evidence::Verdict;
use super::expectation::Expectation;
use super::message::{Approval, Message};
use super::seen::Seen;
use super::told;
use super::walk::{Draft, Stop, Walk, Walked};

/// How often a request is sent until its answer is late: a server on this machine needs luck.
const TRIES: usize = 60;

/// The shortest timeout that is tried.
const SHORTEST: Duration = Duration::from_micros(1);

/// What should become of an advice.
const SETTLED: &str = "delivered or inferred";

/// What should become of the reversal of a request that may never have arrived, by the interface's own
/// table: that infers from a 404 only.
const SETTLED_BY_TABLE: &str = "delivered, inferred, or rejected: UNABLE_TO_LOCATE_RECORD";

/// An advice that was decided on.
struct Decision {
    id: AdviceId,
    request_id: RequestId,
    /// What it carries.
    identifiers: ThirdPartyIdentifiers,
    /// Whether the server may say that there is no such request.
    request_may_be_lost: bool,
}

impl Walk {
    /// Confirms, and waits until the confirmation is settled.
    pub(crate) async fn confirm<R>(&mut self, what: &str, approved: Approved<R>) -> Walked
    where
        R: Approval + Confirmable,
    {
        let draft = self.draft(what, R::REQUEST.confirmed_by(), SETTLED);
        let identifiers = approved.response().identifiers().clone();
        let decided = approved.confirm().await;
        self.decided(draft, identifiers, decided).await
    }

    /// Reverses as a cashier does who cancels, and waits until the reversal is settled.
    pub(crate) async fn reverse<R: Approval>(
        &mut self,
        what: impl Into<String>,
        approved: Approved<R>,
    ) -> Walked {
        let draft = self.draft(what, R::REQUEST.reversed_by(), SETTLED);
        let identifiers = approved.response().identifiers().clone();
        let decided = approved.reverse(ReversalReason::Cancelled).await;
        self.decided(draft, identifiers, decided).await
    }

    /// Sends requests, with shorter and shorter timeouts, until the answer to one of them is late; the
    /// client then reverses it by itself. Those that were answered in time are reversed as by a cashier,
    /// before there is another request about the same order.
    pub(crate) async fn time_out<M, R>(&mut self, what: &str, make: impl Fn() -> M) -> Walked
    where
        M: Message<Answer = Approved<R>>,
        R: Approval,
    {
        let mut timeout = self.round_trip;
        for number in 1..=TRIES {
            timeout = (timeout / 2).max(SHORTEST);
            let words = format!("{what}, try {number}");
            let Some(approved) = self.hurry(words, make(), timeout, number == TRIES).await? else {
                return Ok(());
            };
            let what = format!("try {number} was answered, and is taken back");
            self.reverse(what, approved).await?;
        }
        Err(Stop::Flow)
    }

    /// There is nothing to reverse where the server does not know the request: it is not sent, and as
    /// little supported.
    pub(crate) fn reversal_not_offered_either(&mut self, request: Operation) {
        if self.last_verdict() != Some(Verdict::NotSupported) {
            return;
        }
        let draft = self.draft(
            "there is nothing to reverse",
            request.reversed_by(),
            SETTLED,
        );
        let seen = format!("not sent: the server does not offer {request}");
        self.note(draft, Verdict::NotSupported, seen);
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

impl Walk {
    /// One request that has too little time for its answer, and its reversal. Gives the approval where
    /// the answer came all the same.
    async fn hurry<M, R>(
        &mut self,
        what: String,
        message: M,
        timeout: Duration,
        is_last: bool,
    ) -> Walked<Option<Approved<R>>>
    where
        M: Message<Answer = Approved<R>>,
        R: Approval,
    {
        let words = format!("unknown: no answer within {timeout:?}");
        let mut expected = Expectation::seeing(words, Seen::is_timeout);
        if !is_last {
            expected = expected.or(Expectation::answer("approved and taken back", |_| true));
        }
        let (message, draft) = self.prepared(what, message, &expected.words);
        let request_id = message.id().ok_or(Stop::Flow)?;
        let seen = message.send(&self.till.client.with_timeout(timeout)).await;
        let reversal = match &seen {
            Seen::Unknown { reversal, .. } if seen.is_timeout() => *reversal,
            _ => None,
        };
        if let Some(approved) = self.judge(draft, M::OPERATION, &expected, seen)? {
            return Ok(Some(approved));
        }
        let id = reversal.ok_or(Stop::Flow)?;
        self.reversed_by_client::<R>(id, request_id).await?;
        Ok(None)
    }

    async fn reversed_by_client<R: Approval>(
        &mut self,
        id: AdviceId,
        request_id: RequestId,
    ) -> Walked {
        let expected = match self.world.server.interface_table {
            true => SETTLED_BY_TABLE,
            false => SETTLED,
        };
        let what = "the client reverses it by itself";
        let draft = self.draft(what, R::REQUEST.reversed_by(), expected);
        let decision = Decision {
            id,
            request_id,
            // Those of a response that never came: none, as our requests carry none.
            identifiers: ThirdPartyIdentifiers::default(),
            request_may_be_lost: true,
        };
        self.settled(draft, decision).await
    }

    async fn decided<R>(
        &mut self,
        draft: Draft,
        identifiers: ThirdPartyIdentifiers,
        decided: Result<QueuedAdvice, Box<HandedBack<R>>>,
    ) -> Walked {
        match decided {
            Ok(queued) => {
                let decision = Decision {
                    id: queued.advice_id,
                    request_id: queued.request_id,
                    identifiers,
                    request_may_be_lost: false,
                };
                self.settled(draft, decision).await
            }
            Err(handed_back) => {
                self.note(draft, Verdict::Fail, told(&handed_back.error));
                Err(Stop::Flow)
            }
        }
    }

    /// Waits until the advice is settled, and tells how, with every sending of it.
    async fn settled(&mut self, draft: Draft, decision: Decision) -> Walked {
        let mut draft = draft.about(Some(decision.request_id));
        draft.step.advice_id = Some(decision.id.to_string());
        let record = match self.outcome(&decision).await {
            Ok(record) => record,
            Err(words) => {
                self.note(draft, Verdict::Fail, words);
                return Err(Stop::Flow);
            }
        };
        let verdict = self.verdict(&record, decision.request_may_be_lost);
        if verdict != Verdict::Fail {
            self.world.foreseen.borrow_mut().insert(record.advice_id);
        }
        draft.step.request = advice::message(&record, decision.identifiers);
        draft.step.advice = Some(AdviceEvidence::of(&record));
        self.note(draft, verdict, advice::ending(&record));
        match verdict {
            Verdict::Pass => Ok(()),
            _ => Err(Stop::Flow),
        }
    }

    /// Where the advice stands once it is settled, or once patience is at its end.
    async fn outcome(&self, decision: &Decision) -> Result<AdviceRecord, String> {
        let client = &self.till.client;
        let patience = self.world.server.patience();
        match client.advices().wait(decision.id, patience).await {
            Ok(Some(record)) => return Ok(record),
            Ok(None) | Err(WaitError::StillPending) => {}
            Err(error) => return Err(told(&error)),
        }
        let transaction = client.transaction(decision.request_id);
        let transaction = transaction.map_err(|error| told(&error))?;
        let advice = transaction.and_then(|transaction| transaction.advice);
        advice.ok_or_else(|| "the queue does not know it".to_owned())
    }

    fn verdict(&self, record: &AdviceRecord, request_may_be_lost: bool) -> Verdict {
        let last = record.last_attempts.last().and_then(advice::error_type);
        let is_unknown = last == Some(&ErrorType::UnableToLocateRecord);
        let by_table = self.world.server.interface_table;
        match record.state {
            AdviceState::Accepted | AdviceState::ArrivedEarlier => Verdict::Pass,
            AdviceState::NothingToReverse if request_may_be_lost => Verdict::Pass,
            AdviceState::Rejected if by_table && request_may_be_lost && is_unknown => Verdict::Pass,
            // The only advice that came later.
            AdviceState::NotOffered if record.operation == Operation::CancelOrderReversal => {
                Verdict::NotSupported
            }
            _ => Verdict::Fail,
        }
    }
}
