//! What a till decides, and what the client decides for it: confirmations and reversals, until they are
//! delivered.

use std::time::Duration;

use money_transfer_retailer::model::{AdviceId, ErrorType, ReversalReason};
use money_transfer_retailer::{AdviceRecord, Approved, Confirmable, HandedBack, QueuedAdvice};

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

/// Neither pending nor rejected.
const DELIVERED: &str = "delivered";

impl Walk {
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
        let (draft, seen) = self.hurry(what, &expected, make).await;
        let request_id = draft.step.request_id.clone().unwrap_or_default();
        let reversal = match &seen {
            Seen::Unknown { reversal, .. } if seen.is_timeout() => *reversal,
            _ => None,
        };
        self.judge(draft, M::OPERATION, &expected, seen)?;
        let advice = (reversal.ok_or(Stop::Flow)?, request_id);
        let what = "the client reverses it by itself";
        let draft = self.draft(what, R::REQUEST.reversed_by(), DELIVERED);
        self.delivered(draft, Some(ReversalReason::Timeout), advice)
            .await
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
    /// The first request that is not answered in time, with shorter and shorter timeouts.
    async fn hurry<M, R>(
        &self,
        what: &str,
        expected: &Expectation<'_, M::Answer>,
        make: impl Fn() -> M,
    ) -> (Draft, Seen<M::Answer>)
    where
        M: Message<Answer = Approved<R>>,
    {
        let mut timeout = self.round_trip;
        let mut tries = 1;
        loop {
            timeout = (timeout / 2).max(SHORTEST);
            let (message, mut draft) = self.prepared(what, make(), &expected.words);
            match message.send(&self.till.client.with_timeout(timeout)).await {
                Seen::Answered(approved) if tries < TRIES => self.take_back(approved).await,
                seen => {
                    draft.remark = format!(" (try {tries}, {timeout:?})");
                    return (draft, seen);
                }
            }
            tries += 1;
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
}

/// Where an advice stands that should have been delivered, in words. Of what a server said only the error
/// type is told: nobody knows what else is in it.
pub(crate) fn fate(advice: &AdviceRecord) -> String {
    let (operation, attempts) = (advice.operation, advice.attempts);
    let mut words = format!("{operation} {} after {attempts} attempts", advice.state);
    if let Some(last) = advice.last_attempts.last() {
        words += &format!(", {}", last.outcome);
        let error = last.error.as_deref().unwrap_or_default();
        let named = |error_type: &&ErrorType| error.contains(error_type.as_str());
        if let Some(error_type) = ErrorType::ALL.iter().find(named) {
            words += &format!(": {error_type}");
        }
        if let Some(status) = last.status {
            words += &format!(" (HTTP {status})");
        }
    }
    words
}
