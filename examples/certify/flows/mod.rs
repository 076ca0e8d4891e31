//! The flows of the transaction guide, as a table; and walking them one after another.

mod asking;
mod changing;
mod contradicting;
mod order_steps;
mod others;
mod paying_out;
mod repeating;
mod selling;

use std::io::Write;
use std::pin::Pin;
use std::rc::Rc;

use money_transfer_retailer::{DecisionError, Operation};
use tokio::task::JoinSet;

use super::Trouble;
use super::advice::fate;
use super::demands::{faults, minimum};
use super::evidence::{Evidence, FlowEvidence, Verdict, now};
use super::exchange_evidence::ExchangeEvidence;
use super::server::{Left, Server};
use super::table;
use super::walk::{Stop, Walk, Walked, World, distinct, evidence_of};
use super::wire::{Exchange, Wire};

pub(crate) type Walking<'a> = Pin<Box<dyn Future<Output = Walked> + 'a>>;

/// A row of the table.
pub(crate) struct Flow {
    name: &'static str,
    about: &'static str,
    walk: for<'a> fn(&'a mut Walk) -> Walking<'a>,
}

/// The last look at every order of the run: always taken, as what it looks at is the other flows' work.
const LAST_LOOK: &str = "orders-as-left";

/// In the order in which they are walked.
const FLOWS: &[Flow] = &[
    flow("create-order", "createOrder successful", |walk| {
        Box::pin(selling::successful(walk))
    }),
    flow("create-order-declined", "createOrder declined", |walk| {
        Box::pin(selling::declined(walk))
    }),
    flow(
        "create-order-duplicate",
        "createOrder with an id that was used before",
        |walk| Box::pin(selling::duplicate(walk)),
    ),
    flow(
        "create-order-reversed",
        "createOrder approved, reversed by the cashier",
        |walk| Box::pin(selling::reversed(walk)),
    ),
    flow(
        "create-order-timed-out",
        "createOrder without an answer in time, reversed",
        |walk| Box::pin(selling::timed_out(walk)),
    ),
    flow(
        "create-order-answer-lost",
        "createOrder approved, which the till never hears of, reversed",
        |walk| Box::pin(repeating::order_answer_lost(walk)),
    ),
    flow(
        "lookup-order",
        "lookupOrder of an order that does not exist",
        |walk| Box::pin(asking::unknown_order(walk)),
    ),
    flow("redeem-order", "redeemOrder successful", |walk| {
        Box::pin(paying_out::successful(walk))
    }),
    flow("redeem-order-declined", "redeemOrder declined", |walk| {
        Box::pin(paying_out::declined(walk))
    }),
    flow(
        "redeem-order-pin-retries",
        "redeemOrder with wrong PINs until the retries are used up",
        |walk| Box::pin(paying_out::pin_retries(walk)),
    ),
    flow(
        "redeem-order-reversed",
        "redeemOrder approved, reversed by the cashier",
        |walk| Box::pin(paying_out::reversed(walk)),
    ),
    flow(
        "redeem-order-timed-out",
        "redeemOrder without an answer in time, reversed",
        |walk| Box::pin(paying_out::timed_out(walk)),
    ),
    flow(
        "redeem-order-answer-lost",
        "redeemOrder approved, which the till never hears of, reversed",
        |walk| Box::pin(repeating::redemption_answer_lost(walk)),
    ),
    flow(
        "confirmations-repeated",
        "confirmPayment and confirmRedeem whose first answer is lost",
        |walk| Box::pin(repeating::confirmations(walk)),
    ),
    flow(
        "reversals-repeated",
        "reversePayment and reverseRedeem whose first answer is lost",
        |walk| Box::pin(repeating::reversals(walk)),
    ),
    flow(
        "advices-about-nothing",
        "confirmations and reversals of requests that nobody made",
        |walk| Box::pin(contradicting::about_nothing(walk)),
    ),
    flow(
        "order-decided-once",
        "what was reversed is not confirmed, and the other way round",
        |walk| Box::pin(contradicting::of_an_order(walk)),
    ),
    flow(
        "redemption-decided-once",
        "the same of a redemption",
        |walk| Box::pin(contradicting::of_a_redemption(walk)),
    ),
    flow(
        "cancel-order",
        "cancelOrder before the redemption, completed",
        |walk| Box::pin(changing::cancelled(walk)),
    ),
    flow(
        "cancel-order-reversed",
        "cancelOrder approved, reversed by the cashier",
        |walk| Box::pin(changing::cancel_reversed(walk)),
    ),
    flow(
        "cancel-order-timed-out",
        "cancelOrder without an answer in time, reversed",
        |walk| Box::pin(changing::cancel_timed_out(walk)),
    ),
    flow(
        "cancel-order-answer-lost",
        "cancelOrder approved, which the till never hears of, reversed",
        |walk| Box::pin(changing::cancel_answer_lost(walk)),
    ),
    flow(
        "update-order-pin",
        "updateOrderPin takes effect at the next redemption",
        |walk| Box::pin(changing::pin_updated(walk)),
    ),
    flow(
        "update-order-status",
        "updateOrderStatus is taken, and a repeat of it",
        |walk| Box::pin(changing::status_updated(walk)),
    ),
    flow(
        "customers",
        "createOrUpdateCustomer and getCustomerInfo",
        |walk| Box::pin(asking::customers(walk)),
    ),
    flow("fee-quote", "getFeeQuote by query", |walk| {
        Box::pin(asking::fee_quote(walk))
    }),
    flow("fee-quote-by-post", "getFeeQuote by body", |walk| {
        Box::pin(asking::fee_quote_by_post(walk))
    }),
    flow("exchange-rate", "getExchangeRate", |walk| {
        Box::pin(asking::exchange_rate(walk))
    }),
    flow("order-history", "getCustomerOrderHistory", |walk| {
        Box::pin(asking::order_history(walk))
    }),
    flow(
        "other-parties",
        "createOrder of another client, and for another receiver",
        |walk| Box::pin(others::parties(walk)),
    ),
    // Late, as a server may lock out whom it does not trust.
    flow(
        "strangers",
        "lookupOrder with a wrong password, and without credentials",
        |walk| Box::pin(others::strangers(walk)),
    ),
    flow(
        LAST_LOOK,
        "lookupOrder of every order, as the flows left it",
        |walk| Box::pin(asking::orders_as_left(walk)),
    ),
];

pub(crate) const fn flow(
    name: &'static str,
    about: &'static str,
    walk: for<'a> fn(&'a mut Walk) -> Walking<'a>,
) -> Flow {
    Flow { name, about, walk }
}

pub(crate) fn is_known(name: &str) -> bool {
    FLOWS.iter().any(|flow| flow.name == name)
}

/// The flows for the help text.
pub(crate) fn list() -> String {
    let line = |flow: &Flow| format!("\n  {:<26}{}", flow.name, flow.about);
    FLOWS
        .iter()
        .map(line)
        .fold("Flows:".to_owned(), |list, line| list + &line)
}

/// Walks the flows named (all where none is), and shows each as soon as it is over.
pub(crate) async fn walk_all(
    server: &Server,
    only: &[String],
    out: &mut dyn Write,
) -> Result<Evidence, Trouble> {
    walk_these(FLOWS, server, only, out).await
}

/// The same with a table of one's own.
pub(crate) async fn walk_these(
    flows: &[Flow],
    server: &Server,
    only: &[String],
    out: &mut dyn Write,
) -> Result<Evidence, Trouble> {
    let (world, started_at) = (World::new(server).await?, now());
    let named = |flow: &&Flow| {
        only.is_empty() || flow.name == LAST_LOOK || only.iter().any(|name| name == flow.name)
    };
    // Tills that have something left to deliver close at the same time, and hold up no flow.
    let mut closing = JoinSet::new();
    let mut walked = Vec::new();
    let mut is_complete = only.is_empty();
    for flow in flows.iter().filter(named) {
        let mut walk = Walk::begin(&world, flow.name).await?;
        let ended = (flow.walk)(&mut walk).await;
        let (steps, till) = walk.end();
        closing.spawn(till.close(server.patience()));
        // Where no flow left an order, there is nothing to look at.
        if flow.name != LAST_LOOK || !steps.is_empty() || ended.is_err() {
            let evidence = FlowEvidence::new(flow.name, flow.about, steps, ended);
            show(evidence, &mut walked, out)?;
        }
        if ended == Err(Stop::Run) {
            writeln!(out, "broken off: the server cannot be reached")?;
            is_complete = false;
            break;
        }
    }
    let queues = look_at_queues(&world, closing, &mut walked).await?;
    show(queues, &mut walked, out)?;
    if let Some(offer) = look_at_offer(&world, &walked).await? {
        show(offer, &mut walked, out)?;
    }
    if is_complete {
        show(look_at_minimum(&world, &walked).await?, &mut walked, out)?;
    }
    Ok(Evidence::new(server, only, started_at, walked))
}

/// What the tills could not deliver, once all of them are closed.
async fn look_at_queues(
    world: &Rc<World>,
    closing: JoinSet<Result<Left, DecisionError>>,
    walked: &mut [FlowEvidence],
) -> Result<FlowEvidence, Trouble> {
    let (mut pending, mut rejected) = (Vec::new(), Vec::new());
    for left in closing.join_all().await {
        let left = left?;
        pending.extend(left.pending.iter().map(fate));
        let foreseen = world.foreseen.borrow();
        let surprises = left
            .rejected
            .iter()
            .filter(|record| !foreseen.contains(&record.advice_id));
        rejected.extend(surprises.map(fate));
    }
    let mut walk = Walk::begin(world, "queues").await?;
    for (what, fates) in [
        ("nothing is pending", pending),
        ("nothing was rejected", rejected),
    ] {
        let found = match fates.len() {
            0 => Ok("none".to_owned()),
            _ => Err(fates.join("; ")),
        };
        walk.find(what, "none", found);
    }
    let rest: Vec<Exchange> = world
        .wires
        .borrow()
        .iter()
        .flat_map(Wire::claim_rest)
        .collect();
    let faults = distinct(&rest, faults);
    if !faults.is_empty() {
        let what = "what was sent outside of the steps";
        let expected = "answered as the interface has it";
        walk.find(what, expected, Err(faults.join("; ")));
    }
    let (mut steps, _till) = walk.end();
    let of_no_step = attach(world, rest, walked);
    if let Some(step) = steps.first_mut() {
        step.exchanges = of_no_step;
    }
    Ok(FlowEvidence::new(
        "queues",
        "what the tills had to deliver",
        steps,
        Ok(()),
    ))
}

/// Gives what no step has as its evidence to the step that it belongs to: a message that left too late
/// to its own step, and what a till sent while it was closed to the one about the same request. Gives
/// what belongs to none.
fn attach(
    world: &World,
    rest: Vec<Exchange>,
    walked: &mut [FlowEvidence],
) -> Vec<ExchangeEvidence> {
    let mut of_no_step = Vec::new();
    for exchange in rest {
        let evidence = evidence_of(std::slice::from_ref(&exchange), &world.secrets);
        let (own, about) = (exchange.id(), exchange.about());
        let steps = || walked.iter().flat_map(|flow| &flow.steps);
        let place = steps()
            .position(|step| own.is_some() && [&step.request_id, &step.advice_id].contains(&&own))
            .or_else(|| steps().position(|step| about.is_some() && step.request_id == about));
        let mut steps = walked.iter_mut().flat_map(|flow| &mut flow.steps);
        match place.and_then(|place| steps.nth(place)) {
            Some(step) => step.exchanges.extend(evidence),
            None => of_no_step.extend(evidence),
        }
    }
    of_no_step
}

/// What was missing at first, and worked later on: there is nothing to say of a server without such.
async fn look_at_offer(
    world: &Rc<World>,
    walked: &[FlowEvidence],
) -> Result<Option<FlowEvidence>, Trouble> {
    let was_missing = |operation: &Operation| {
        let mut steps = walked.iter().flat_map(|flow| &flow.steps);
        let missing = (Some(*operation), Verdict::NotSupported);
        steps.any(|step| (step.operation, step.verdict) == missing)
    };
    let known = world.known.borrow().clone();
    let at_times = Operation::ALL.into_iter();
    let at_times = at_times.filter(|operation| known.contains(operation) && was_missing(operation));
    let names: Vec<&str> = at_times.map(|operation| operation.name()).collect();
    if names.is_empty() {
        return Ok(None);
    }
    let mut walk = Walk::begin(world, "offer").await?;
    let found = format!("at times only: {}", names.join(", "));
    let what = "an operation is offered every time, or never";
    walk.find(what, "every time, or never", Err(found));
    let (steps, _till) = walk.end();
    let about = "what the server offers at times only";
    Ok(Some(FlowEvidence::new("offer", about, steps, Ok(()))))
}

/// Whether the server offers what every server has to: a run in which it could not be tried is none.
async fn look_at_minimum(
    world: &Rc<World>,
    walked: &[FlowEvidence],
) -> Result<FlowEvidence, Trouble> {
    let steps = || walked.iter().flat_map(|flow| &flow.steps);
    let works = |operation: &Operation| {
        steps().any(|step| step.operation == Some(*operation) && step.verdict == Verdict::Pass)
    };
    let (working, others): (Vec<Operation>, Vec<Operation>) = minimum().partition(works);
    let others: Vec<&str> = others.iter().map(|operation| operation.name()).collect();
    let all = working.len() + others.len();
    let found = match others.len() {
        0 => Ok(format!("all {all} work")),
        _ => Err(format!(
            "{} of {all} work; no step passed for {}",
            working.len(),
            others.join(", ")
        )),
    };
    let mut walk = Walk::begin(world, "minimum").await?;
    let what = "the operations of version 2.5 are offered, and work";
    walk.find(what, &format!("all {all} work"), found);
    let (steps, _till) = walk.end();
    Ok(FlowEvidence::new(
        "minimum",
        "what every server has to offer",
        steps,
        Ok(()),
    ))
}

fn show(
    flow: FlowEvidence,
    walked: &mut Vec<FlowEvidence>,
    out: &mut dyn Write,
) -> Result<(), Trouble> {
    if walked.is_empty() {
        table::head(out)?;
    }
    table::flow(out, &flow)?;
    walked.push(flow);
    Ok(())
}
