//! What a till decides, and what the client decides for it: confirmations and reversals, until they are
//! settled.

use std::time::Duration;

use money_transfer_retailer::model::{AdviceId, ErrorType, Money, RequestId, ReversalReason};
use money_transfer_retailer::{
    AdviceRecord, AdviceState, Approved, Confirmable, HandedBack, Operation, QueuedAdvice,
    WaitError,
};
use serde_json::Value;

use super::advice::{self, AdviceEvidence, fate};
use super::conduct::{self, Matter};
use super::evidence::Verdict;
use super::expectation::{Expectation, names, same};
use super::message::{Approval, Message};
use super::seen::Seen;
use super::told;
use super::walk::{Draft, Stop, Walk, Walked};
use super::wire::{End, Exchange};

/// How often a request is sent until its answer is late: a server on this machine needs luck.
const TRIES: usize = 60;

/// The shortest timeout that is tried.
const SHORTEST: Duration = Duration::from_micros(1);

/// What should become of an advice.
const SETTLED: &str = "delivered, or arrived earlier";

/// What should become of the reversal of a request that may never have arrived.
const SETTLED_IF_ANY: &str = "delivered, or nothing to reverse";

/// What should become of the reversal of a request that may never have arrived, by the interface's own
/// table: that infers from a 404 only.
const SETTLED_BY_TABLE: &str =
    "delivered, nothing to reverse, or rejected: UNABLE_TO_LOCATE_RECORD";

/// What should become of an advice whose first answer was lost.
const REPEATED: &str = "repeated with the same bytes; delivered, or arrived earlier";

/// The same by the interface's own table, which infers nothing from the repeat's refusal.
const REPEATED_BY_TABLE: &str =
    "repeated with the same bytes; delivered, or rejected: DUPLICATE_RECORD";

/// What is wrong with a server that does not offer the advices of a request that it takes.
const HALF_OFFERED: &str =
    "a server that takes a request has to take its confirmation and its reversal";

/// An advice that was decided on.
struct Decision {
    id: AdviceId,
    request_id: RequestId,
    /// Whether the till has the approval of the request.
    is_approved: bool,
    /// `None` for a confirmation.
    reason: Option<ReversalReason>,
    allowed: Allowed,
}

/// What else may come of an advice than that the server takes it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Allowed {
    Nothing,
    /// The server may say that there is no such request.
    RequestIsLost,
    /// The server has had it once, and may say so.
    IsRepeated,
}

impl Allowed {
    /// Why the interface's own table, which infers nothing from it, has the advice rejected.
    fn refusal(self) -> Option<ErrorType> {
        match self {
            Allowed::Nothing => None,
            Allowed::RequestIsLost => Some(ErrorType::UnableToLocateRecord),
            Allowed::IsRepeated => Some(ErrorType::DuplicateRecord),
        }
    }
}

impl Walk {
    /// Confirms, and waits until the confirmation is settled.
    pub(crate) async fn confirm<R>(&mut self, what: &str, approved: Approved<R>) -> Walked
    where
        R: Approval + Confirmable,
    {
        let draft = self.draft(what, R::REQUEST.confirmed_by(), SETTLED);
        let decided = approved.confirm().await;
        self.decided(draft, None, Allowed::Nothing, decided).await
    }

    /// Reverses as a cashier does who cancels, and waits until the reversal is settled.
    pub(crate) async fn reverse<R: Approval>(
        &mut self,
        what: impl Into<String>,
        approved: Approved<R>,
    ) -> Walked {
        let draft = self.draft(what, R::REQUEST.reversed_by(), SETTLED);
        let reason = ReversalReason::Cancelled;
        let decided = approved.reverse(reason.clone()).await;
        self.decided(draft, Some(reason), Allowed::Nothing, decided)
            .await
    }

    /// As [`confirm`](Walk::confirm), but the first answer to the confirmation is lost: it is repeated.
    pub(crate) async fn confirm_repeatedly<R>(
        &mut self,
        what: &str,
        approved: Approved<R>,
    ) -> Walked
    where
        R: Approval + Confirmable,
    {
        let operation = R::REQUEST.confirmed_by();
        let draft = self.losing_the_first_answer(what, operation);
        let decided = approved.confirm().await;
        self.decided(draft, None, Allowed::IsRepeated, decided)
            .await
    }

    /// As [`reverse`](Walk::reverse), but the first answer to the reversal is lost: it is repeated.
    pub(crate) async fn reverse_repeatedly<R: Approval>(
        &mut self,
        what: &str,
        approved: Approved<R>,
    ) -> Walked {
        let operation = R::REQUEST.reversed_by();
        let draft = self.losing_the_first_answer(what, operation);
        let reason = ReversalReason::Cancelled;
        let decided = approved.reverse(reason.clone()).await;
        self.decided(draft, Some(reason), Allowed::IsRepeated, decided)
            .await
    }

    /// Sends a request that the server approves with this amount, but the till never hears of it, and
    /// reverses it by itself. Gives what the server answered.
    pub(crate) async fn lose_answer<M, R>(
        &mut self,
        what: &str,
        message: M,
        amount: &Money,
    ) -> Walked<Value>
    where
        M: Message<Answer = Approved<R>>,
        R: Approval,
    {
        let words = format!("approved {amount}, and unknown to the till");
        let (message, draft) = self.prepared(what, message, &words);
        let request_id = message.id().ok_or(Stop::Flow)?;
        self.wire().withhold_next(M::OPERATION);
        let seen = message.send(&self.till.client).await;
        let draft = self.with_exchanges(draft, M::OPERATION);
        let answered = draft.exchanges.last().cloned();
        let not_approved = |exchange| not_approved(exchange, request_id, amount);
        if let Some(words) = answered.as_ref().and_then(not_approved) {
            self.note(draft, Verdict::Fail, words);
            return Err(Stop::Flow);
        }
        let withheld = answered.filter(|exchange| exchange.end == End::Withheld);
        let reversal = seen.reversal();
        let expected =
            Expectation::seeing(words, |seen: &Seen<_>| withheld.is_some() && seen.is_late());
        self.judge(draft, M::OPERATION, &expected, seen)?;
        let withheld = withheld.as_ref().ok_or(Stop::Flow)?;
        let decision = Decision {
            id: reversal.ok_or(Stop::Flow)?,
            request_id,
            is_approved: false,
            reason: Some(ReversalReason::Timeout),
            // It is known to have arrived.
            allowed: Allowed::Nothing,
        };
        self.reversed_by_client::<R>(decision, SETTLED).await?;
        Ok(withheld.response())
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
        let mut expected = Expectation::seeing(words, Seen::is_late);
        if !is_last {
            expected = expected.or(Expectation::answer("approved and taken back", |_| true));
        }
        let (message, draft) = self.prepared(what, message, &expected.words);
        let request_id = message.id().ok_or(Stop::Flow)?;
        let seen = message.send(&self.till.client.with_timeout(timeout)).await;
        let draft = self.with_exchanges(draft, M::OPERATION);
        let reversal = seen.reversal().filter(|_| seen.is_late());
        let reason = seen.reversal_reason();
        if let Some(approved) = self.judge(draft, M::OPERATION, &expected, seen)? {
            return Ok(Some(approved));
        }
        let decision = Decision {
            id: reversal.ok_or(Stop::Flow)?,
            request_id,
            is_approved: false,
            reason: Some(reason),
            allowed: Allowed::RequestIsLost,
        };
        let expected = match self.world.server.interface_table {
            true => SETTLED_BY_TABLE,
            false => SETTLED_IF_ANY,
        };
        self.reversed_by_client::<R>(decision, expected).await?;
        Ok(None)
    }

    async fn reversed_by_client<R: Approval>(
        &mut self,
        decision: Decision,
        expected: &str,
    ) -> Walked {
        let reason = decision.reason.as_ref().map_or("", ReversalReason::as_str);
        let expected = format!("{reason}; {expected}");
        let what = "the client reverses it by itself";
        let draft = self.draft(what, R::REQUEST.reversed_by(), &expected);
        self.settled(draft, decision).await
    }

    fn losing_the_first_answer(&self, what: &str, operation: Option<Operation>) -> Draft {
        let expected = match self.world.server.interface_table {
            true => REPEATED_BY_TABLE,
            false => REPEATED,
        };
        if let Some(operation) = operation {
            self.wire().withhold_next(operation);
        }
        self.draft(what, operation, expected)
    }

    async fn decided<R>(
        &mut self,
        draft: Draft,
        reason: Option<ReversalReason>,
        allowed: Allowed,
        decided: Result<QueuedAdvice, Box<HandedBack<R>>>,
    ) -> Walked {
        match decided {
            Ok(queued) => {
                let decision = Decision {
                    id: queued.advice_id,
                    request_id: queued.request_id,
                    is_approved: true,
                    reason,
                    allowed,
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
        let outcome = self.outcome(&decision).await;
        draft.exchanges = self.wire().claim_id(&decision.id.to_string());
        let record = match outcome {
            Ok(record) => record,
            Err(words) => {
                self.note(draft, Verdict::Fail, words);
                return Err(Stop::Flow);
            }
        };
        let verdict = self.verdict(&record, &decision);
        if verdict != Verdict::Fail {
            self.world.foreseen.borrow_mut().insert(record.advice_id);
            self.world.known.borrow_mut().insert(record.operation);
        }
        if verdict == Verdict::Pass && record.state == AdviceState::Rejected {
            self.abandon(decision.request_id).await;
        }
        draft.step.advice = Some(AdviceEvidence::of(&record));
        let mut words = vec![advice::ending(&record)];
        if record.state == AdviceState::NotOffered {
            words.push(HALF_OFFERED.to_owned());
        }
        words.extend(self.conduct(&draft, &decision));
        let is_right = words.len() == 1;
        // Looked up by the client itself, to tell what a refusal meant.
        draft = self.with_exchanges(draft, Operation::LookupOrder);
        let shown = if is_right { verdict } else { Verdict::Fail };
        self.note(draft, shown, words.join("; "));
        match verdict {
            Verdict::Pass => Ok(()),
            _ => Err(Stop::Flow),
        }
    }

    /// Leaves a refusal at that, as an operator does who has looked the order up: the client sends nothing about
    /// an order whose reversal was refused.
    async fn abandon(&self, id: RequestId) {
        let why = "the refusal was foreseen";
        // What comes of it the next request about the order tells.
        let _abandoned = self.till.client.abandon(id, why, "certify").await;
    }

    /// What the till itself did wrong.
    fn conduct(&self, draft: &Draft, decision: &Decision) -> Vec<String> {
        let request_id = decision.request_id.to_string();
        let matter = Matter {
            request: self.wire().of(&request_id).pop(),
            request_id,
            is_approved: decision.is_approved,
            reason: decision.reason.clone(),
        };
        let mut faults = conduct::faults(&draft.exchanges, &matter);
        if decision.allowed == Allowed::IsRepeated && draft.exchanges.len() < 2 {
            faults.push("it was not repeated".to_owned());
        }
        faults
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

    fn verdict(&self, record: &AdviceRecord, decision: &Decision) -> Verdict {
        let allowed = decision.allowed;
        let last = record.last_attempts.last().and_then(advice::error_type);
        let is_foreseen = last.is_some() && last == allowed.refusal().as_ref();
        let by_table = self.world.server.interface_table;
        match record.state {
            AdviceState::Accepted | AdviceState::ArrivedEarlier => Verdict::Pass,
            AdviceState::NothingToReverse if allowed == Allowed::RequestIsLost => Verdict::Pass,
            AdviceState::Rejected if by_table && is_foreseen => Verdict::Pass,
            _ => Verdict::Fail,
        }
    }
}

/// What the server answered, if that was no approval of this request: the till cannot tell, as it did not
/// see it.
fn not_approved(exchange: &Exchange, id: RequestId, amount: &Money) -> Option<String> {
    let status = exchange.head.as_ref()?.status;
    let response = exchange.response();
    let approved = serde_json::from_value::<Money>(response["amount"].clone());
    let why = match response["errorType"].as_str() {
        Some(error_type) => error_type,
        None if exchange.end == End::CutOff => "the answer broke off",
        None if !(200..300).contains(&status) => "no ErrorDetail",
        None if !names(&response, &id.to_string()) => "another id than the request's",
        None if !approved.is_ok_and(|approved| same(&approved, amount)) => "another amount",
        None => return None,
    };
    Some(format!("not approved: {why} (HTTP {status})"))
}
