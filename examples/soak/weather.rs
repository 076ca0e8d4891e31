//! The weather between the tills and their upstream, drawn from a seed.

use std::time::Duration;

use fastrand::Rng;
use money_transfer_retailer::model::RequestId;
use money_transfer_retailer::simulator::{CannedAnswer, Copy, Fault, Operation, Rule, Simulator};
use tokio::time::{Instant, sleep};

use super::Trouble;
use super::witness::{Outage, Witness};

/// What kind of weather it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sky {
    Calm,
    /// Every fault there is, now and then.
    Showers,
    /// Every fault there is, for every third message.
    Storm,
    /// A gateway answers everything with 503.
    Gateway,
    /// Everything is taken and nothing answered, so that all that is being sent can be counted.
    Silence,
    /// Nobody listens.
    Down,
    /// The service refuses everything for the same reason, which is about no message.
    Refusals,
}

impl Sky {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Sky::Calm => "calm",
            Sky::Showers => "showers",
            Sky::Storm => "storm",
            Sky::Gateway => "gateway",
            Sky::Silence => "silence",
            Sky::Down => "down",
            Sky::Refusals => "refusals",
        }
    }

    /// Every kind of weather in its proportion, in any order.
    fn deck(random: &mut Rng) -> Vec<Sky> {
        use Sky as S;
        let mut deck = [
            [S::Calm; 4].as_slice(),
            &[S::Showers; 3],
            &[S::Storm; 2],
            &[S::Gateway; 2],
            &[S::Down; 2],
            &[S::Silence, S::Refusals],
        ]
        .concat();
        random.shuffle(&mut deck);
        deck
    }

    fn length(self, random: &mut Rng) -> Duration {
        Duration::from_millis(match self {
            Sky::Refusals => random.u64(500..1_500),
            _ => random.u64(2_000..7_000),
        })
    }
}

/// Makes the weather until `end`, and leaves it calm but for the stuck advices.
pub(crate) async fn run(
    upstream: &Simulator,
    witness: &Witness,
    stuck: &[RequestId],
    mut random: Rng,
    end: Instant,
) -> Result<(), Trouble> {
    let mut deck = Vec::new();
    while Instant::now() < end {
        if deck.is_empty() {
            deck = Sky::deck(&mut random);
        }
        let sky = deck.pop().unwrap_or(Sky::Calm);
        let length = sky.length(&mut random);
        let length = length.min(end.saturating_duration_since(Instant::now()));
        change(upstream, stuck, sky);
        witness.sky(sky);
        let from = Instant::now();
        if sky == Sky::Down {
            upstream.go_down().await?;
        }
        sleep(length).await;
        if sky == Sky::Gateway {
            let to = Instant::now();
            witness.outage(Outage { from, to });
        }
        if sky == Sky::Down {
            upstream.come_up().await?;
        }
    }
    change(upstream, stuck, Sky::Calm);
    witness.sky(Sky::Calm);
    Ok(())
}

fn change(upstream: &Simulator, stuck: &[RequestId], sky: Sky) {
    upstream.clear_faults();
    hold(upstream, stuck);
    for rule in rules(sky) {
        upstream.inject(rule);
    }
}

/// The advices of these requests are never taken.
pub(crate) fn hold(upstream: &Simulator, stuck: &[RequestId]) {
    for id in stuck {
        for advice in [Operation::ConfirmPayment, Operation::ReversePayment] {
            upstream.inject(Rule::on(advice).request(id).fault(busy()));
        }
    }
}

fn rules(sky: Sky) -> Vec<Rule> {
    match sky {
        Sky::Calm | Sky::Down => Vec::new(),
        Sky::Showers => everything(0.004),
        Sky::Storm => everything(0.018),
        Sky::Gateway => vec![Rule::any().fault(busy())],
        Sky::Silence => vec![Rule::any().fault(Fault::Hang)],
        Sky::Refusals => vec![Rule::any().fault(Fault::error("FORMAT_ERROR"))],
    }
}

fn everything(probability: f64) -> Vec<Rule> {
    let mut rules: Vec<Rule> = faults()
        .into_iter()
        .map(|fault| Rule::any().probability(probability).fault(fault))
        .collect();
    rules.extend(refusals(probability));
    rules
}

/// Final words about single advices: these stay in the queue for an operator.
fn refusals(probability: f64) -> impl Iterator<Item = Rule> {
    let advices = [
        Operation::ConfirmPayment,
        Operation::ReversePayment,
        Operation::ConfirmRedeem,
    ];
    let refused = move |advice| {
        let refusal = Fault::error("INVALID_AMOUNT");
        Rule::on(advice).probability(probability).fault(refusal)
    };
    let not_offered = Fault::Error {
        status: 501,
        error_type: "FUNCTION_NOT_SUPPORTED".to_owned(),
    };
    let not_offered = Rule::on(Operation::ReverseRedeem)
        .probability(probability)
        .fault(not_offered);
    advices.into_iter().map(refused).chain([not_offered])
}

/// Every fault of the simulator.
fn faults() -> Vec<Fault> {
    let millis = Duration::from_millis;
    let page = CannedAnswer::status(200).body("text/html", "<h1>Please log in</h1>");
    let later = CannedAnswer::status(503).header("retry-after", "1");
    vec![
        Fault::Refuse,
        Fault::Hang,
        Fault::SlowHeaders(millis(300)),
        Fault::SlowHeaders(millis(3_000)),
        Fault::SlowBody(millis(500)),
        Fault::CloseBefore,
        Fault::CloseDuring,
        Fault::CloseAfter,
        Fault::LoseAnswer,
        Fault::ProcessAndHang,
        Fault::ProcessLate(millis(1_000)),
        Fault::ProcessTwice(Copy::First),
        Fault::ProcessTwice(Copy::Second),
        Fault::Garbage,
        Fault::HugeBody(2 * 1024 * 1024),
        Fault::WrongId,
        Fault::TlsFailure,
        Fault::error("AUTHENTICATION_ERROR"),
        Fault::status(404),
        Fault::status(429),
        Fault::status(500),
        Fault::status(502),
        page.into(),
        later.into(),
    ]
}

/// Whether a message that meets this fault is over later than it came.
pub(crate) fn holds(fault: &Fault) -> bool {
    use Fault as F;
    matches!(
        fault,
        F::Hang | F::SlowHeaders(_) | F::SlowBody(_) | F::ProcessAndHang | F::ProcessLate(_)
    )
}

fn busy() -> Fault {
    CannedAnswer::status(503)
        .body("text/html", "<h1>Busy</h1>")
        .into()
}
