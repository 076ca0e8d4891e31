//! What can happen to a till, at random.

use std::time::Duration;

use money_transfer_retailer::simulator::Fault;
use proptest::prelude::*;

use super::TIMEOUT;

/// What happens next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// The till asks for an order, and waits to be told.
    Ask(Order),
    /// The till asks, and stops waiting.
    Abandon(Order),
    /// The till crashes while it waits for the answer.
    AskAndCrash(Order),
    /// The till decides on one of its requests.
    Decide(usize, Decision),
    /// The till crashes while it waits for its decision to be durable.
    DecideAndCrash(usize, Decision),
    Crash,
    Restart,
    /// How every message fares from now on.
    Turn(Weather),
    Wait,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Decision {
    Confirm,
    ConfirmPart,
    Reverse,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub(super) is_acceptable: bool,
    /// How this request fares, whatever becomes of others.
    pub(super) weather: Weather,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Weather {
    Clear,
    /// Connections are refused.
    Down,
    /// Connections are cut before a message is taken up.
    Reset,
    Hang,
    /// The answer takes a while.
    Slow,
    LoseAnswer,
    Error,
    /// A message is taken up when the till has given it up.
    Late,
}

impl Weather {
    pub(super) fn fault(self) -> Option<Fault> {
        match self {
            Weather::Clear | Weather::Down => None,
            Weather::Reset => Some(Fault::Refuse),
            Weather::Hang => Some(Fault::Hang),
            Weather::Slow => Some(Fault::SlowHeaders(TIMEOUT / 3)),
            Weather::LoseAnswer => Some(Fault::LoseAnswer),
            Weather::Error => Some(Fault::status(500)),
            Weather::Late => Some(Fault::ProcessLate(TIMEOUT + Duration::from_millis(20))),
        }
    }
}

pub(super) fn lives() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 4..16)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => order().prop_map(Step::Ask),
        1 => order().prop_map(Step::Abandon),
        1 => order().prop_map(Step::AskAndCrash),
        6 => (0..8_usize, decision()).prop_map(|(which, it)| Step::Decide(which, it)),
        1 => (0..8_usize, decision()).prop_map(|(which, it)| Step::DecideAndCrash(which, it)),
        1 => Just(Step::Crash),
        1 => Just(Step::Restart),
        2 => weather().prop_map(Step::Turn),
        2 => Just(Step::Wait),
    ]
}

fn order() -> impl Strategy<Value = Order> {
    let parts = (prop::bool::weighted(0.9), weather());
    parts.prop_map(|(is_acceptable, weather)| Order {
        is_acceptable,
        weather,
    })
}

fn decision() -> impl Strategy<Value = Decision> {
    prop_oneof![
        3 => Just(Decision::Confirm),
        1 => Just(Decision::ConfirmPart),
        2 => Just(Decision::Reverse),
    ]
}

fn weather() -> impl Strategy<Value = Weather> {
    prop_oneof![
        6 => Just(Weather::Clear),
        1 => Just(Weather::Down),
        1 => Just(Weather::Reset),
        1 => Just(Weather::Hang),
        2 => Just(Weather::Slow),
        2 => Just(Weather::LoseAnswer),
        1 => Just(Weather::Error),
        1 => Just(Weather::Late),
    ]
}
