//! A run: fair weather to begin with, bad weather, fair weather again, and the audit.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use money_transfer_retailer::model::RequestId;
use money_transfer_retailer::simulator::Simulator;
use tokio::time::{Instant, sleep};

use super::arguments::{Options, Part};
use super::audit::{Audit, Evidence};
use super::fleet::Fleet;
use super::payloads::Secrets;
use super::thirds::Thirds;
use super::witness::Witness;
use super::{Trouble, gauge, search, weather};

/// How many of the newest messages the simulator keeps: those of the longest fault by far.
const REMEMBERED: usize = 20_000;

/// How long settled queues are watched.
const WATCHED: Duration = Duration::from_secs(3);

/// Runs, audits, and says whether every check holds.
pub(crate) async fn soak(options: Options) -> Result<bool, Trouble> {
    let home = tempfile::tempdir()?;
    let mut random = Rng::with_seed(options.seed);
    let witness = Arc::new(Witness::new());
    let upstream = {
        let witness = Arc::clone(&witness);
        let simulator = Simulator::builder().seed(options.seed);
        let simulator = simulator.remember(REMEMBERED);
        simulator.observe(move |message| witness.heard(message))
    };
    let upstream = upstream.start().await?;
    let stuck: Vec<RequestId> = (0..options.tills).map(|_| RequestId::random()).collect();
    let fleet = Fleet::new(
        options,
        upstream.base_url(),
        home.path(),
        stuck.clone(),
        Arc::clone(&witness),
    );
    announce(&options);
    let rows = storm(&options, &upstream, &fleet, &witness, &stuck, &mut random).await?;
    let heard_while_watched = settle(&upstream, &fleet, &witness).await?;

    let thirds = Thirds::of(&rows);
    thirds.print();
    let book = upstream.book();
    let leaked = leaks(&options, &fleet, &book)?;
    let seen = witness.seen();
    let audit = Audit::of(&Evidence {
        options,
        seen: &seen,
        book: &book,
        stuck: &stuck,
        heard_while_watched,
        leaked,
        is_flat: thirds.is_flat(),
    });
    audit.print();
    if !audit.holds() {
        println!("the queues are kept: {}", home.keep().display());
    }
    Ok(audit.holds())
}

fn announce(options: &Options) {
    println!(
        "{:.1} minutes, {} tills, {} transactions a second each, seed {}",
        options.duration.as_secs_f64() / 60.0,
        options.tills,
        options.rate,
        options.seed
    );
}

/// The tills trade in bad weather, and are killed all the time.
async fn storm(
    options: &Options,
    upstream: &Simulator,
    fleet: &Fleet,
    witness: &Witness,
    stuck: &[RequestId],
    random: &mut Rng,
) -> Result<Vec<gauge::Reading>, Trouble> {
    let end = Instant::now() + options.duration;
    weather::hold(upstream, stuck);
    for till in fleet.tills() {
        fleet.start(till, Part::Traffic)?;
    }
    let (weather_random, unrest_random) = (random.fork(), random.fork());
    let weather = async {
        sleep(Duration::from_secs(3)).await;
        weather::run(upstream, witness, stuck, weather_random, end).await
    };
    let unrest = fleet.unrest(unrest_random, end);
    let (weather, unrest, rows) =
        tokio::join!(weather, unrest, gauge::run(fleet, witness, stuck, end));
    weather?;
    unrest?;
    fleet.stop_all().await;
    Ok(rows)
}

/// Lets everything be delivered, the stuck advices last. Returns what the settled queues sent after that.
async fn settle(upstream: &Simulator, fleet: &Fleet, witness: &Witness) -> Result<u64, Trouble> {
    println!("\nfair weather: every till delivers what it has, but for the stuck advices");
    fleet.all_do(Part::DrainOthers).await?;
    println!("the stuck advices are taken");
    upstream.clear_faults();
    fleet.all_do(Part::Drain).await?;
    println!("every queue is opened once more, and should have nothing to say");
    let before = witness.seen().counts.messages;
    for till in fleet.tills() {
        fleet.start(till, Part::Watch)?;
    }
    sleep(WATCHED).await;
    fleet.stop_all().await;
    Ok(witness.seen().counts.messages - before)
}

/// What must not be in the files of the queues, and is.
fn leaks(
    options: &Options,
    fleet: &Fleet,
    book: &money_transfer_retailer::simulator::Book,
) -> Result<Vec<String>, Trouble> {
    let references: HashSet<&[u8]> = book
        .orders()
        .map(|order| order.order_redeem_ref().as_bytes())
        .collect();
    let mut leaked = Vec::new();
    for till in fleet.tills() {
        let queue = fleet.queue_of(till);
        leaked.extend(search::secrets(
            &queue,
            &Secrets::of(options.seed, till).all(),
        )?);
        leaked.extend(search::references(&queue, &references)?);
    }
    Ok(leaked)
}
