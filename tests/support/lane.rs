//! A cashier at a till: sells, pays out and cancels, and decides on each. One traffic for the proofs that
//! kill a till and for those that cut its power.
//!
//! Where the upstream takes no advice there are no orders that could be paid out: a [`stock`] of some that
//! were sold before is the lane's then.

#![allow(dead_code)]

use std::time::Duration;

use money_transfer_retailer::model::{CancelOrderResponse, RequestId, ReversalReason, Sensitive};
use money_transfer_retailer::simulator::Simulator;
use money_transfer_retailer::{
    Approved, Client, Confirmable, OrderOutcome, QueuedAdvice, RequestError,
};

use super::support::{PATIENCE, approved, cancellation, order, pin, redemption, till};

/// That of every order.
const PIN: &str = "0123456789ABCDEF";

/// How long a lane waits for a confirmation to arrive.
const MOMENT: Duration = Duration::from_millis(200);

/// How many orders a lane remembers.
const SOLD: usize = 16;

/// What a lane tells of, as soon as it is so.
pub(crate) enum Event<'a> {
    Requested(RequestId),
    Confirmed(&'a QueuedAdvice),
    Reversed(&'a QueuedAdvice),
    /// About to be completed.
    Completing(RequestId),
    Completed(RequestId),
}

/// What got no Ok, and ended a step.
#[derive(Debug)]
pub(crate) enum Stopped {
    Request,
    Decision(RequestId, Wanted),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    Confirmation,
    Reversal,
    Completion,
}

pub(crate) struct Lane {
    till: Client,
    pub(crate) random: fastrand::Rng,
    /// The orders that were paid for: those of this lane with the request that sold them.
    sold: Vec<(Option<RequestId>, Sensitive)>,
    has_stock: bool,
    /// How many requests were approved.
    pub(crate) approved: usize,
    tell: fn(Event<'_>),
}

impl Lane {
    pub(crate) fn new(till: &Client, seed: u64, tell: fn(Event<'_>)) -> Lane {
        Lane {
            till: till.clone(),
            random: fastrand::Rng::with_seed(seed),
            sold: Vec::new(),
            has_stock: false,
            approved: 0,
            tell,
        }
    }

    /// Pays out and cancels these orders instead of its own.
    pub(crate) fn with_stock(mut self, references: &[String]) -> Lane {
        let references = references.iter();
        self.sold = references
            .map(|one| (None, Sensitive::from(one.as_str())))
            .collect();
        self.has_stock = true;
        self
    }

    /// Serves one customer.
    pub(crate) async fn step(&mut self) -> Result<(), Stopped> {
        match self.random.u8(..10) {
            0..5 => self.sell().await,
            5..7 => self.pay_out().await,
            _ => self.cancel().await,
        }
    }

    async fn sell(&mut self) -> Result<(), Stopped> {
        let mut request = order();
        request.pin = Some(pin(PIN));
        let id = request.id;
        (self.tell)(Event::Requested(id));
        let outcome = self.till.create_order(request).await;
        let Some(order) = self.answer(outcome)? else {
            return Ok(());
        };
        let reference = order.response().order_redeem_ref.clone().unwrap();
        if self.decide(order).await? && !self.has_stock {
            self.sold.truncate(SOLD);
            self.sold.insert(0, (Some(id), reference));
        }
        Ok(())
    }

    async fn pay_out(&mut self) -> Result<(), Stopped> {
        let Some((_, reference)) = self.random.choice(&self.sold).cloned() else {
            return Ok(());
        };
        let request = redemption(&reference);
        (self.tell)(Event::Requested(request.id));
        let outcome = self.till.redeem_order(request).await;
        if let Some(order) = self.answer(outcome)? {
            self.decide(order).await?;
        }
        Ok(())
    }

    async fn cancel(&mut self) -> Result<(), Stopped> {
        let Some((sale, reference)) = self.random.choice(&self.sold).cloned() else {
            return Ok(());
        };
        if !self.has_arrived(sale).await {
            return Ok(());
        }
        let request = cancellation(&reference);
        (self.tell)(Event::Requested(request.id));
        let outcome = self.till.cancel_order(request).await;
        match self.answer(outcome)? {
            Some(order) => self.finish(order).await,
            None => Ok(()),
        }
    }

    /// The upstream says the same of an order that was reversed: a confirmation that is repeated then is
    /// one for a person.
    async fn has_arrived(&self, sale: Option<RequestId>) -> bool {
        let Some(sale) = sale else { return true };
        let sale = self.till.transaction(sale).unwrap().unwrap();
        let (advices, advice) = (self.till.advices(), sale.advice.unwrap());
        advices.wait(advice.advice_id, MOMENT).await.is_ok()
    }

    async fn finish(&mut self, order: Approved<CancelOrderResponse>) -> Result<(), Stopped> {
        let id = order.request_id();
        match self.random.u8(..10) {
            0 => Ok(()),
            1..6 => {
                (self.tell)(Event::Completing(id));
                let completed = order.complete().await;
                completed.map_err(|_| Stopped::Decision(id, Wanted::Completion))?;
                (self.tell)(Event::Completed(id));
                Ok(())
            }
            _ => self.reverse(order).await,
        }
    }

    /// Decides, mostly, and says whether it is confirmed.
    pub(crate) async fn decide<R: Confirmable>(
        &mut self,
        order: Approved<R>,
    ) -> Result<bool, Stopped> {
        match self.random.u8(..10) {
            0 => Ok(false),
            1..6 => self.confirm(order).await.map(|()| true),
            _ => self.reverse(order).await.map(|()| false),
        }
    }

    async fn confirm<R: Confirmable>(&self, order: Approved<R>) -> Result<(), Stopped> {
        let id = order.request_id();
        let queued = order.confirm().await;
        let queued = queued.map_err(|_| Stopped::Decision(id, Wanted::Confirmation))?;
        (self.tell)(Event::Confirmed(&queued));
        Ok(())
    }

    async fn reverse<R>(&self, order: Approved<R>) -> Result<(), Stopped> {
        let id = order.request_id();
        let queued = order.reverse(ReversalReason::Cancelled).await;
        let queued = queued.map_err(|_| Stopped::Decision(id, Wanted::Reversal))?;
        (self.tell)(Event::Reversed(&queued));
        Ok(())
    }

    /// Nothing is asked about an order while it may be reopened by a late reversal.
    fn answer<R>(
        &mut self,
        outcome: Result<OrderOutcome<R>, RequestError>,
    ) -> Result<Option<Approved<R>>, Stopped> {
        match outcome {
            Ok(outcome) => {
                let order = outcome.approved();
                self.approved += usize::from(order.is_some());
                Ok(order)
            }
            Err(RequestError::EarlierReversalPending { .. }) => Ok(None),
            Err(_) => Err(Stopped::Request),
        }
    }
}

/// Sells so many orders by a till of its own, and returns their references once they are paid for.
pub(crate) async fn stock(upstream: &Simulator, orders: usize) -> Vec<String> {
    let queue = tempfile::tempdir().unwrap();
    let seller = till(&upstream.base_url(), queue.path()).open().await;
    let seller = seller.unwrap();
    let mut references = Vec::new();
    for _ in 0..orders {
        let mut request = order();
        request.pin = Some(pin(PIN));
        let order = approved(seller.create_order(request).await.unwrap());
        let reference = order.response().order_redeem_ref.clone().unwrap();
        references.push(reference.expose().to_owned());
        order.confirm().await.unwrap();
    }
    seller.advices().wait_empty(PATIENCE).await.unwrap();
    seller.shutdown(PATIENCE).await;
    references
}
