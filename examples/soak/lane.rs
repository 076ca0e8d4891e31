//! One of the lanes of a till: makes a transaction, decides on it, and says what it was told.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use money_transfer_retailer::model::{AdviceId, RequestId, Sensitive};
use money_transfer_retailer::{
    Approved, Confirmable, Conflict, DecisionError, OrderOutcome, QueuedAdvice, RequestError,
};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::payloads::cancellation;
use super::said::Said;
use super::till::{Open, REASON};

/// How many lanes a till has.
pub(crate) const COUNT: usize = 8;

/// How many sold orders and undecided requests a lane remembers.
const REMEMBERED: usize = 16;

/// How long a lane follows an advice.
const FOLLOWED: Duration = Duration::from_secs(30);

/// One request at a time.
pub(crate) struct Lane {
    till: Arc<Open>,
    random: Rng,
    /// What was sold and confirmed: it can be paid out or cancelled.
    sold: VecDeque<Sensitive>,
    /// Approvals that were dropped.
    left: VecDeque<RequestId>,
    /// Whether an advice is being followed to its end.
    following: Option<tokio::task::JoinHandle<()>>,
}

impl Lane {
    pub(crate) fn new(till: Arc<Open>, random: Rng) -> Lane {
        Lane {
            till,
            random,
            sold: VecDeque::new(),
            left: VecDeque::new(),
            following: None,
        }
    }

    /// Makes its part of `rate` transactions a second.
    pub(crate) async fn run(mut self, rate: f64) {
        let pace = Duration::from_secs_f64(COUNT as f64 / rate);
        sleep(pace.mul_f64(self.random.f64())).await;
        let mut pace = interval(pace);
        // A lane that a hanging upstream held up does not make up for it.
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            pace.tick().await;
            match self.random.u8(..100) {
                0..10 => self.pay_out().await,
                10..14 => self.cancel().await,
                14..20 => self.decide_late().await,
                _ => self.sell().await,
            }
        }
    }

    async fn sell(&mut self) {
        let request = self.till.secrets.order(RequestId::random());
        let id = request.id;
        Said::Requested(id).say();
        let outcome = self.till.client.create_order(request).await;
        let Some(order) = tell(&self.till, id, outcome) else {
            return;
        };
        let reference = order.response().order_redeem_ref.clone();
        let is_confirmed = self.decide(order).await;
        if let (true, Some(reference)) = (is_confirmed, reference) {
            remember(&mut self.sold, reference);
        }
    }

    async fn pay_out(&mut self) {
        let Some(reference) = self.sold.pop_front() else {
            return;
        };
        let id = RequestId::random();
        let request = self.till.secrets.redemption(id, &reference);
        Said::Requested(id).say();
        let outcome = self.till.client.redeem_order(request).await;
        if let Some(redemption) = tell(&self.till, id, outcome) {
            self.decide(redemption).await;
        }
    }

    async fn cancel(&mut self) {
        let Some(reference) = self.sold.pop_front() else {
            return;
        };
        let id = RequestId::random();
        Said::Requested(id).say();
        let request = cancellation(id, &reference);
        let outcome = self.till.client.cancel_order(request).await;
        match tell(&self.till, id, outcome) {
            None => {}
            Some(_) if self.random.bool() => complete(&self.till, id).await,
            Some(_) => reverse(&self.till, id).await,
        }
    }

    /// Decides, or leaves that for later. Says whether it was confirmed.
    async fn decide<R: Confirmable>(&mut self, approved: Approved<R>) -> bool {
        let id = approved.request_id();
        let choice = self.random.u8(..100);
        if choice < 8 {
            remember(&mut self.left, id);
            return false;
        }
        if choice < 16
            && let Err(error) = approved.tender_started().await
        {
            self.till.trouble(error);
        }
        let is_confirmed = choice < 70;
        let decided = match is_confirmed {
            true => approved.confirm().await,
            false => approved.reverse(REASON).await,
        };
        let decided = decided.map_err(|back| back.error);
        let Some(queued) = tell_decided(&self.till, decided, is_confirmed) else {
            return false;
        };
        if self.random.u8(..100) < 4 {
            self.contradict(id, is_confirmed).await;
        }
        self.follow(queued.advice_id);
        is_confirmed
    }

    async fn decide_late(&mut self) {
        let Some(id) = self.left.pop_front() else {
            return;
        };
        match self.random.bool() {
            true => confirm(&self.till, id).await,
            false => reverse(&self.till, id).await,
        }
    }

    /// The opposite of what was decided must be refused.
    async fn contradict(&self, id: RequestId, was_confirmed: bool) {
        let client = &self.till.client;
        let opposite = match was_confirmed {
            true => client.reverse(id, REASON).await,
            false => client.confirm(id).await,
        };
        match opposite {
            Ok(_) => Said::OppositeTaken(id).say(),
            Err(DecisionError::Conflict(Conflict::Completed)) => Said::OppositeTaken(id).say(),
            Err(DecisionError::Conflict(_)) => Said::OppositeRefused(id).say(),
            Err(error) => self.till.trouble(error),
        }
    }

    /// Says when the queue calls the advice settled; one at a time, as each costs a look at every change.
    fn follow(&mut self, id: AdviceId) {
        let is_busy = |task: &tokio::task::JoinHandle<()>| !task.is_finished();
        if self.following.as_ref().is_some_and(is_busy) {
            return;
        }
        let till = Arc::clone(&self.till);
        self.following = Some(tokio::spawn(async move {
            let settled = till.client.advices().wait(id, FOLLOWED).await;
            if let Ok(Some(record)) = settled
                && !record.is_pending()
            {
                Said::Settled(id).say();
            }
        }));
    }
}

/// The newest few are enough.
fn remember<T>(list: &mut VecDeque<T>, one: T) {
    list.push_back(one);
    if list.len() > REMEMBERED {
        list.pop_front();
    }
}

/// Says what a request came to, and returns the approval where there is one.
fn tell<R>(
    till: &Open,
    id: RequestId,
    outcome: Result<OrderOutcome<R>, RequestError>,
) -> Option<Approved<R>> {
    match outcome {
        Ok(OrderOutcome::Approved(approved)) => {
            Said::Approved(id).say();
            return Some(approved);
        }
        Ok(OrderOutcome::Declined(_) | OrderOutcome::NotSent(_))
        | Err(RequestError::EarlierReversalPending { .. }) => Said::Ended(id).say(),
        Ok(OrderOutcome::Unknown(unknown)) => Said::Unknown(id, unknown.reversal_id).say(),
        Ok(OrderOutcome::Earlier(record)) => till.trouble(format!("{id} was new: {record:?}")),
        Err(error) => till.trouble(error),
    }
    None
}

/// Says that a decision was acknowledged.
fn tell_decided(
    till: &Open,
    decided: Result<QueuedAdvice, DecisionError>,
    is_confirmed: bool,
) -> Option<QueuedAdvice> {
    match decided {
        Ok(queued) if is_confirmed => {
            Said::Confirmed(queued.request_id, queued.advice_id).say();
            Some(queued)
        }
        Ok(queued) => {
            Said::Reversed(queued.request_id, queued.advice_id).say();
            Some(queued)
        }
        Err(error) => {
            till.trouble(error);
            None
        }
    }
}

pub(crate) async fn confirm(till: &Open, id: RequestId) {
    let decided = till.client.confirm(id).await;
    tell_decided(till, decided, true);
}

pub(crate) async fn reverse(till: &Open, id: RequestId) {
    let decided = till.client.reverse(id, REASON).await;
    tell_decided(till, decided, false);
}

pub(crate) async fn complete(till: &Open, id: RequestId) {
    match till.client.complete(id).await {
        Ok(()) => Said::Completed(id).say(),
        Err(error) => till.trouble(error),
    }
}

/// Sells and confirms.
pub(crate) async fn sell_for_certain(till: &Open, id: RequestId) {
    Said::Requested(id).say();
    let outcome = till.client.create_order(till.secrets.order(id)).await;
    if tell(till, id, outcome).is_some() {
        confirm(till, id).await;
    }
}
