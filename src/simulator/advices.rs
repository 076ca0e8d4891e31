//! The five advices are one: find the request, refuse what was decided otherwise, answer with the advice itself.

use crate::model::Operation;

use super::{
    accounts::{Advice, DECIDED_OTHERWISE, Desk, Place},
    answer::{Answer, Problem},
    call::Call,
    outcome::Outcome,
    records::LegState,
};

/// Confirms or reverses a request.
pub(super) fn advise(desk: &mut Desk<'_>, call: &Call) -> Outcome {
    let (about, decision, conflict) = terms(call.operation);
    let advice = Advice {
        id: call.id().unwrap_or_default(),
        request_id: call.request_id().unwrap_or_default(),
        about,
        decision,
        conflict,
    };
    desk.account.advise(&advice)?;
    Ok(Answer::json(202, call.json.clone()))
}

type Terms = (fn(&Place) -> bool, LegState, Problem);

fn terms(operation: Operation) -> Terms {
    match operation {
        Operation::ConfirmRedeem => (is_redemption, LegState::Confirmed, REDEMPTION_REVERSED),
        Operation::ReverseRedeem => (is_redemption, LegState::Reversed, REDEMPTION_CONFIRMED),
        Operation::CancelOrderReversal => (is_cancellation, LegState::Reversed, DECIDED_OTHERWISE),
        Operation::ReversePayment => (is_order, LegState::Reversed, DECIDED_OTHERWISE),
        _ => (is_order, LegState::Confirmed, DECIDED_OTHERWISE),
    }
}

const REDEMPTION_REVERSED: Problem =
    Problem::new("UNABLE_TO_REDEEM", "The redemption was reversed");
const REDEMPTION_CONFIRMED: Problem =
    Problem::new("ALREADY_REDEEMED", "The redemption was confirmed");

fn is_order(place: &Place) -> bool {
    matches!(place, Place::Order(_))
}

fn is_redemption(place: &Place) -> bool {
    matches!(place, Place::Redemption(..))
}

fn is_cancellation(place: &Place) -> bool {
    matches!(place, Place::Cancellation(..))
}
