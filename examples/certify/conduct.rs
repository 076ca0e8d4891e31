//! What the interface demands of a till: that an advice is the right message, and every repeat of it
//! the same.

use money_transfer_retailer::model::ReversalReason;
use serde_json::{Value, json};

use super::masked_json::masked;
use super::masking::{MASK, Secrets};
use super::wire::Exchange;

/// What an advice is about, as the till saw it.
pub(crate) struct Matter {
    pub(crate) request_id: String,
    /// The exchange of the request, where it left.
    pub(crate) request: Option<Exchange>,
    /// Whether the till has the approval.
    pub(crate) is_approved: bool,
    /// `None` for a confirmation.
    pub(crate) reason: Option<ReversalReason>,
}

/// What is wrong with the advice that was sent in these exchanges.
pub(crate) fn faults(sendings: &[Exchange], matter: &Matter) -> Vec<String> {
    let Some(first) = sendings.first() else {
        return Vec::new();
    };
    let advice = first.request();
    let mut faults = Vec::new();
    let mut check = |is_right: bool, fault: &str| {
        if !is_right {
            faults.push(fault.to_owned());
        }
    };
    let is_the_same = |sending: &Exchange| sending.sent.body == first.sent.body;
    check(
        sendings.iter().all(is_the_same),
        "the till repeated the advice with other bytes",
    );
    check(
        advice["requestId"] == *matter.request_id,
        "the advice is about another request",
    );
    check(
        identifiers(&advice) == matter.identifiers(),
        "the advice carries other third-party identifiers than it has to",
    );
    let reason = matter.reason.as_ref().map(ReversalReason::as_str);
    check(
        advice["reversalReason"].as_str() == reason,
        "the advice gives another reason than the interface has for it",
    );
    check(
        matter.reason.is_none() || advice.get("amounts").is_none(),
        "the reversal carries amounts",
    );
    check(
        !is_personal(first),
        "the advice carries personal data or a PIN",
    );
    faults
}

impl Matter {
    /// Those of the response; those of the request where no response came, or it carried none.
    fn identifiers(&self) -> Value {
        let Some(request) = &self.request else {
            return json!([]);
        };
        let response = match self.is_approved {
            true => identifiers(&request.response()),
            false => json!([]),
        };
        match response == json!([]) {
            true => identifiers(&request.request()),
            false => response,
        }
    }
}

fn identifiers(message: &Value) -> Value {
    match &message["thirdPartyIdentifiers"] {
        Value::Null => json!([]),
        identifiers => identifiers.clone(),
    }
}

/// Whether anything in the message would have to be hidden. What a server gave as an identifier goes back to
/// it unaltered, whatever is in it.
fn is_personal(sending: &Exchange) -> bool {
    let mut own = sending.request();
    if let Some(members) = own.as_object_mut() {
        members.remove("thirdPartyIdentifiers");
    }
    let shown = masked(own.to_string().as_bytes(), &Secrets::default());
    shown.is_none_or(|shown| shown.get().contains(MASK))
}
