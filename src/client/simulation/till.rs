//! The till: what the people at it do, as the seed has it.

use std::sync::Arc;

use tokio::time::{sleep, timeout};

use super::message::request_id;
use super::sales::{Decision, Sale, numbers};
use super::upstream::LIMIT;
use super::world::{About, DAY, HOUR, MINUTE, Millis, SECOND, World, millis};
use crate::client::tests::order;
use crate::client::{Client, OrderOutcome, RequestError};
use crate::model::{CancelOrderRequest, Money, Operation, RedeemOrderRequest, ReversalReason};
use crate::saf::Standing;

/// How long the weather is fair now and then, and how much of that it takes to deliver what can be
/// delivered: an hour that a gateway asked for, and a probe for each advice that fares badly itself.
const CALM: Millis = 3 * HOUR;
const DELIVERED_WITHIN: Millis = 100 * MINUTE;

/// The people at a till, and the client that is open there.
#[derive(Clone)]
pub(super) struct Till {
    pub(super) world: Arc<World>,
    pub(super) client: Client,
    pub(super) life: u64,
    pub(super) is_in_order: bool,
}

impl Till {
    /// Does one thing after the other, up to the action number `last`, or until the process is stopped.
    pub(super) async fn work(&self, next: &mut u64, last: u64) {
        while *next < last {
            let mut dice = self.world.dice(About::Action, *next);
            *next += 1;
            sleep(millis(gap(&mut dice))).await;
            self.look_after(&mut dice).await;
            if self.act(&mut dice).await {
                return;
            }
        }
    }

    /// Says whether the process ends by it.
    async fn act(&self, dice: &mut fastrand::Rng) -> bool {
        if self.world.disk.has_failed() && dice.bool() {
            return self.shut_down(dice).await;
        }
        match dice.u8(..100) {
            0..40 => self.sell(dice),
            40..52 => self.pay_out(dice),
            52..58 => self.cancel(dice),
            58..72 => self.decide_again(dice),
            72..77 => self.clear_undecided(dice).await,
            77..80 => self.pause(dice).await,
            80..83 => self.hurry(),
            83..86 => self.set_clock(dice),
            86..89 => self.look(),
            89..93 => self.world.die_after(Some(dice.u32(1..16))),
            93..96 => return self.shut_down(dice).await,
            96..98 => return self.abandon(dice).await,
            _ => self.enjoy_calm().await,
        }
        false
    }

    /// Somebody who sees that nothing is delivered does something about it, sooner or later.
    async fn look_after(&self, dice: &mut fastrand::Rng) {
        if self.client.health().suspension.is_some() && dice.u8(..4) == 0 {
            self.resume().await;
        }
        if dice.u8(..10) == 0 {
            self.settle_refused(dice).await;
        }
    }

    async fn resume(&self) {
        self.world.audit().intervene();
        self.world.note(|| "resume".to_owned());
        // A disk that is full leaves the delivery suspended.
        if self.client.resume().await.is_ok() {
            self.world.audit().hold(None);
        }
    }

    fn hurry(&self) {
        self.world.note(|| "deliver now".to_owned());
        self.world.audit().intervene();
        self.client.deliver_now();
    }

    async fn pause(&self, dice: &mut fastrand::Rng) {
        self.world.note(|| "pause".to_owned());
        self.client.pause();
        let now = self.world.now();
        self.world.audit().hold(Some(now));
        sleep(millis(dice.u64(MINUTE..3 * HOUR))).await;
        if self.world.lives(self.life) {
            self.resume().await;
        }
    }

    fn set_clock(&self, dice: &mut fastrand::Rng) {
        let years = dice.i64(-30..30);
        self.world
            .note(|| format!("the clock jumps by {years} years"));
        self.world
            .jump(years * 365 * DAY as i64 + dice.i64(0..DAY as i64));
    }

    /// What is shown is what is durable.
    fn look(&self) {
        let shown = self.client.advices().pending_count();
        let durable = self.world.audit().pending().count();
        self.world.note(|| format!("{shown} pending"));
        self.accuse(match shown == durable {
            true => Ok(()),
            false => Err(format!("{shown} are shown as pending, and {durable} are")),
        });
    }

    /// A while without trouble: whatever can be delivered is.
    async fn enjoy_calm(&self) {
        let world = &self.world;
        if world.disk.has_failed() || self.is_in_order {
            return;
        }
        world.die_after(None);
        let now = world.now();
        world.note(|| "calm".to_owned());
        world.weather.be_fair_until(now + CALM);
        self.resume().await;
        sleep(millis(CALM - 1)).await;
        let now = world.now();
        let is_cursed = |request: u32, first_at| {
            let mut dice = world.dice(About::Message, request.into());
            world.weather.curse(&mut dice, first_at).is_some()
        };
        let calm = world.audit().check_calm(now - DELIVERED_WITHIN, is_cursed);
        self.accuse(calm);
    }

    /// Goes through the list of what waits for a decision, as somebody does after a restart.
    async fn clear_undecided(&self, dice: &mut fastrand::Rng) {
        let Ok(undecided) = self.client.advices().undecided() else {
            return;
        };
        for number in numbers(&undecided) {
            if dice.u8(..3) > 0 {
                self.decide(number, self.decision_on(number, dice)).await;
            }
        }
    }

    /// Looks what became of those that the service knew already, and reverses them.
    pub(super) async fn clear_duplicates(&self) {
        let duplicates = self.client.advices().duplicates();
        for number in numbers(&duplicates.unwrap_or_default()) {
            self.decide(number, Decision::Reverse).await;
        }
    }

    /// Stops in good order, and says so when it does not get to the end of it.
    async fn shut_down(&self, dice: &mut fastrand::Rng) -> bool {
        let world = &self.world;
        let under_way = *self.client.core.exchanges.borrow();
        // Whom the word to break off wakes first is not for the seed to say, so it is one at the most.
        let deadline = match under_way {
            0 | 1 => dice.u64(0..90 * SECOND),
            _ => 5 * MINUTE,
        };
        let now = world.now();
        world.note(|| format!("shutdown within {deadline} ms, {under_way} under way"));
        world.audit().hold(Some(now));
        let left = self.client.clone().shutdown(millis(deadline)).await;
        if !world.lives(self.life) {
            return true;
        }
        world.note(|| format!("{left:?}"));
        let durable = world.audit().pending().count();
        self.accuse(match left.broken_off || left.pending == durable {
            true => Ok(()),
            false => Err(format!("{durable} are pending, and {left:?}")),
        });
        true
    }

    /// Walks away without a word.
    async fn abandon(&self, dice: &mut fastrand::Rng) -> bool {
        self.world.note(|| "abandoned".to_owned());
        if dice.bool() {
            sleep(millis(dice.u64(0..MINUTE))).await;
        }
        true
    }

    pub(super) fn accuse(&self, violation: Result<(), String>) {
        if self.world.lives(self.life) {
            self.world.accuse(violation);
        }
    }
}

/// # Selling
impl Till {
    fn sell(&self, dice: &mut fastrand::Rng) {
        let amount = dice.i64(1_000..LIMIT + LIMIT / 10);
        let sale = |number| Sale::new(Operation::CreateOrder, number, amount);
        self.ask(self.world.sales().add(sale), dice);
    }

    fn pay_out(&self, dice: &mut fastrand::Rng) {
        self.collect(Operation::RedeemOrder, dice);
    }

    fn cancel(&self, dice: &mut fastrand::Rng) {
        self.collect(Operation::CancelOrder, dice);
    }

    /// Somebody comes with the reference of an order that was paid for here.
    fn collect(&self, operation: Operation, dice: &mut fastrand::Rng) {
        let number = {
            let mut sales = self.world.sales();
            let audit = self.world.audit();
            let is_settled = |number| !audit.pending().any(|one| one.request == number);
            let paid: Vec<Sale> = sales
                .iter()
                .filter(|(_, sale)| sale.operation == Operation::CreateOrder && sale.is_confirmed())
                // A cancelled order says nothing of a confirmation that is still under way.
                .filter(|(number, _)| operation == Operation::RedeemOrder || is_settled(*number))
                .map(|(_, sale)| sale.clone())
                .collect();
            let Some(of) = dice.choice(paid) else { return };
            sales.add(|_| Sale::about(operation, &of))
        };
        self.ask(number, dice);
    }

    /// Asks in a task of its own, and decides after a while.
    fn ask(&self, number: u32, dice: &mut fastrand::Rng) {
        let (till, mut dice) = (self.clone(), dice.fork());
        tokio::spawn(async move {
            if till.is_approved(number, &mut dice).await {
                sleep(millis(thought(&mut dice))).await;
                if dice.u8(..10) > 0 {
                    till.decide(number, till.decision_on(number, &mut dice))
                        .await;
                }
            }
        });
    }

    async fn is_approved(&self, number: u32, dice: &mut fastrand::Rng) -> bool {
        let Some(sale) = self.world.sales().get(number).cloned() else {
            return false;
        };
        self.world.audit().is_about(number, sale.order.clone());
        let patience = (dice.u8(..12) == 0).then(|| dice.u64(0..90 * SECOND));
        let patience = millis(patience.unwrap_or(DAY));
        let client = match dice.bool() {
            true => self.client.despite_earlier_reversal(),
            false => self.client.clone(),
        };
        let (id, amount) = (request_id(number), Money::zar(sale.amount));
        let order_redeem_ref = sale.order;
        match sale.operation {
            Operation::CreateOrder => {
                let mut request = order();
                (request.id, request.amount) = (id, amount);
                self.told(
                    number,
                    timeout(patience, client.create_order(request)).await.ok(),
                )
            }
            Operation::RedeemOrder => {
                let request = RedeemOrderRequest::builder().id(id).amount(amount);
                let request = request.order_redeem_ref(order_redeem_ref).build();
                self.told(
                    number,
                    timeout(patience, client.redeem_order(request)).await.ok(),
                )
            }
            _ => {
                let request = CancelOrderRequest::builder().id(id);
                let request = request.order_redeem_ref(order_redeem_ref).build();
                self.told(
                    number,
                    timeout(patience, client.cancel_order(request)).await.ok(),
                )
            }
        }
    }

    /// Takes note of what the till is told, and says whether that is an approval.
    fn told<R>(&self, number: u32, told: Option<Result<OrderOutcome<R>, RequestError>>) -> bool {
        if !self.world.lives(self.life) {
            return false;
        }
        let Some(outcome) = told else {
            self.world.note(|| format!("{number}: nobody waits"));
            return false;
        };
        self.accuse(self.world.sales().told(number, &outcome));
        let is_approved = matches!(outcome, Ok(OrderOutcome::Approved(_)));
        self.world.note(|| format!("{number}: {}", words(&outcome)));
        if is_approved {
            self.accuse(self.check_approved(number));
        }
        if matches!(outcome, Err(RequestError::NotJournaled { .. }))
            && self.world.audit().was_requested(number)
        {
            self.accuse(Err(format!(
                "{number} was sent, and the till was told otherwise"
            )));
        }
        is_approved
    }

    /// That an approval is durable before the till sees it.
    fn check_approved(&self, number: u32) -> Result<(), String> {
        let standing = match self.client.transaction(request_id(number)) {
            Ok(record) => record.map(|record| record.standing),
            // The disk cannot be read.
            Err(_) => return Ok(()),
        };
        match standing {
            Some(Standing::Undecided) => Ok(()),
            _ => Err(format!(
                "the till sees {number} approved, and it is {standing:?}"
            )),
        }
    }
}

/// # Deciding
impl Till {
    fn decision_on(&self, number: u32, dice: &mut fastrand::Rng) -> Decision {
        let sales = self.world.sales();
        let operation = sales.get(number).map(|sale| sale.operation);
        match (dice.u8(..4), operation) {
            (0, _) => Decision::Reverse,
            (_, Some(Operation::CancelOrder)) => Decision::Complete,
            _ => Decision::Confirm,
        }
    }

    /// Decides on whatever comes to somebody's mind, once more or the other way round.
    fn decide_again(&self, dice: &mut fastrand::Rng) {
        let count = self.world.sales().len() as u32;
        if count == 0 {
            return;
        }
        // The last ones, mostly.
        let number = count - dice.u32(..count.min(10));
        let decision = match dice.u8(..5) {
            0..2 => Decision::Confirm,
            2..4 => Decision::Reverse,
            _ => Decision::Complete,
        };
        let till = self.clone();
        // Somebody who waits for an answer cannot decide yet.
        let is_known = self.world.sales().get(number).is_some_and(Sale::was_told);
        if is_known {
            tokio::spawn(async move { till.decide(number, decision).await });
        }
    }

    async fn decide(&self, number: u32, decision: Decision) {
        let (world, id) = (&self.world, request_id(number));
        if !world.lives(self.life) {
            return;
        }
        world.sales().tries(number, decision);
        let decided = match decision {
            Decision::Confirm => self.client.confirm(id).await.map(Some),
            Decision::Reverse => {
                let reason = ReversalReason::Cancelled;
                self.client.reverse(id, reason).await.map(Some)
            }
            Decision::Complete => self.client.complete(id).await.map(|()| None),
        };
        if !world.lives(self.life) {
            return;
        }
        let outcome = decided
            .as_ref()
            .map(|_| "stored")
            .map_err(ToString::to_string);
        world.note(|| format!("{decision:?} {number}: {outcome:?}"));
        if let Ok(Some(queued)) = &decided
            && !world.audit().is_decided(number, queued.advice_id)
        {
            self.accuse(Err(format!(
                "{decision:?} of {number} is acknowledged, and not durable"
            )));
        }
        self.accuse(world.sales().decided(number, decision, &decided));
    }
}

fn words<R>(outcome: &Result<OrderOutcome<R>, RequestError>) -> String {
    match outcome {
        Ok(OrderOutcome::Approved(_)) => "approved".to_owned(),
        Ok(OrderOutcome::Declined(declined)) => format!("declined: {declined}"),
        Ok(OrderOutcome::NotSent(not_sent)) => not_sent.to_string(),
        Ok(OrderOutcome::Unknown(unknown)) => format!("unknown: {}", unknown.cause.problem),
        Ok(OrderOutcome::Earlier(_)) => "known".to_owned(),
        // It names one of several.
        Err(RequestError::EarlierReversalPending { .. }) => "earlier reversal pending".to_owned(),
        Err(error) => format!("error: {error}"),
    }
}

/// How long nothing happens.
fn gap(dice: &mut fastrand::Rng) -> Millis {
    match dice.u8(..20) {
        0..9 => dice.u64(0..5 * SECOND),
        9..14 => dice.u64(MINUTE..20 * MINUTE),
        14..18 => dice.u64(30 * MINUTE..4 * HOUR),
        _ => dice.u64(4 * HOUR..16 * HOUR),
    }
}

/// How long it takes to pay, or to think better of it.
fn thought(dice: &mut fastrand::Rng) -> Millis {
    match dice.u8(..10) {
        0..5 => dice.u64(0..20 * SECOND),
        5..8 => dice.u64(MINUTE..10 * MINUTE),
        _ => dice.u64(10 * MINUTE..10 * HOUR),
    }
}
