//! The flows of the transaction guide, as a table; and walking them one after another.

mod asking;
mod changing;
mod order_steps;
mod paying_out;
mod selling;

use std::io::Write;
use std::pin::Pin;
use std::rc::Rc;

use money_transfer_retailer::DecisionError;
use tokio::task::JoinSet;

use super::Trouble;
use super::advice::fate;
use super::evidence::{Evidence, FlowEvidence, now};
use super::server::{Left, Server};
use super::table;
use super::walk::{Stop, Walk, Walked, World};

type Walking<'a> = Pin<Box<dyn Future<Output = Walked> + 'a>>;

/// A row of the table.
struct Flow {
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
        LAST_LOOK,
        "lookupOrder of every order, as the flows left it",
        |walk| Box::pin(asking::orders_as_left(walk)),
    ),
];

const fn flow(
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
    let (world, started_at) = (World::new(server), now());
    let named = |flow: &&Flow| {
        only.is_empty() || flow.name == LAST_LOOK || only.iter().any(|name| name == flow.name)
    };
    // Tills that have something left to deliver close at the same time, and hold up no flow.
    let mut closing = JoinSet::new();
    let mut walked = Vec::new();
    for flow in FLOWS.iter().filter(named) {
        let mut walk = Walk::begin(&world, flow.name).await?;
        let ended = (flow.walk)(&mut walk).await;
        let (steps, till) = walk.end();
        closing.spawn(till.close(server.patience()));
        let evidence = FlowEvidence::new(flow.name, flow.about, steps);
        show(evidence, &mut walked, out)?;
        if ended == Err(Stop::Run) {
            writeln!(out, "broken off: the server cannot be reached")?;
            break;
        }
    }
    let queues = look_at_queues(&world, closing).await?;
    show(queues, &mut walked, out)?;
    Ok(Evidence::new(server, started_at, walked))
}

/// What the tills could not deliver, once all of them are closed.
async fn look_at_queues(
    world: &Rc<World>,
    closing: JoinSet<Result<Left, DecisionError>>,
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
    let (steps, _till) = walk.end();
    Ok(FlowEvidence::new(
        "queues",
        "what the tills had to deliver",
        steps,
    ))
}

fn show(
    flow: FlowEvidence,
    walked: &mut Vec<FlowEvidence>,
    out: &mut dyn Write,
) -> Result<(), Trouble> {
    if flow.steps.is_empty() {
        return Ok(());
    }
    if walked.is_empty() {
        table::head(out)?;
    }
    table::flow(out, &flow)?;
    walked.push(flow);
    Ok(())
}
