//! Advices that no till of ours sends: about requests that nobody made, and against what was decided
//! before. The client refuses to, so they are sent past it.

use money_transfer_retailer::Operation;
use money_transfer_retailer::model::{
    AdviceId, Confirmation, ErrorType, RequestId, Reversal, ReversalReason, ThirdPartyIdentifiers,
};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{IntoUrl, Method, RequestBuilder};
use serde_json::Value;

use super::evidence::{Verdict, now};
use super::expectation::{is_about_the_message, names};
use super::walk::{Stop, Walk, Walked};
use super::wire::{End, Exchange};

/// A server that takes an advice has not processed it yet: what counts is what becomes of the order.
const WITHOUT_EFFECT: &str = "refused, or taken without effect";

impl Walk {
    /// Sends an advice that must have no effect.
    pub(crate) async fn contradict(
        &mut self,
        what: &str,
        operation: Operation,
        request_id: RequestId,
    ) -> Walked {
        let id = AdviceId::random();
        let draft = self.draft(what, Some(operation), WITHOUT_EFFECT);
        let mut draft = draft.about(Some(request_id));
        draft.step.advice_id = Some(id.to_string());
        let identifiers = self.identifiers(request_id);
        let json = match operation.is_confirmation() {
            true => serde_json::to_vec(&confirmation(id, request_id, identifiers)),
            false => serde_json::to_vec(&reversal(id, request_id, identifiers)),
        };
        self.post(operation, json.map_err(|_| Stop::Flow)?).await;
        draft.exchanges = self.wire().claim_id(&id.to_string());
        let (verdict, words) = judged(draft.exchanges.last(), id);
        let end = draft.exchanges.last().map(|exchange| exchange.end.clone());
        self.note(draft, verdict, words);
        match end {
            Some(End::NotConnected(_)) => Err(Stop::Run),
            _ => Ok(()),
        }
    }

    /// Those of the response, so that nothing but the decision itself is wrong with the advice.
    fn identifiers(&self, request_id: RequestId) -> ThirdPartyIdentifiers {
        let request = self.wire().of(&request_id.to_string()).pop();
        let response = request.map(|exchange| exchange.response());
        let identifiers = response.map(|response| response["thirdPartyIdentifiers"].clone());
        let identifiers = identifiers.and_then(|json| serde_json::from_value(json).ok());
        identifiers.unwrap_or_default()
    }

    /// Sends a message as the till does.
    async fn post(&self, operation: Operation, body: Vec<u8>) {
        let server = &self.world.server;
        let url = format!("{}{}", self.till.relay.base_url(), operation.path());
        let sending = self
            .past_the_client(operation.method(), url)
            .basic_auth(&server.user, Some(server.password.expose()))
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        left_to_the_wire(sending).await;
    }

    /// A message that the client has no part in, and that nobody has signed yet.
    pub(super) fn past_the_client(&self, method: Method, url: impl IntoUrl) -> RequestBuilder {
        let sending = self.world.upstream.client().request(method, url);
        sending
            .header(ACCEPT, "application/json")
            .timeout(self.world.server.timeout)
    }
}

/// Sends a message, and leaves what came of it to the wire.
pub(super) async fn left_to_the_wire(sending: RequestBuilder) {
    if let Ok(response) = sending.send().await {
        let _body = response.bytes().await;
    }
}

fn confirmation(
    id: AdviceId,
    request_id: RequestId,
    identifiers: ThirdPartyIdentifiers,
) -> Confirmation {
    Confirmation::builder()
        .id(id)
        .request_id(request_id)
        .third_party_identifiers(identifiers)
        .time(now())
        .build()
}

fn reversal(id: AdviceId, request_id: RequestId, identifiers: ThirdPartyIdentifiers) -> Reversal {
    Reversal::builder()
        .id(id)
        .request_id(request_id)
        .third_party_identifiers(identifiers)
        .time(now())
        .reversal_reason(ReversalReason::Cancelled)
        .build()
}

fn judged(exchange: Option<&Exchange>, id: AdviceId) -> (Verdict, String) {
    let Some(exchange) = exchange else {
        return (Verdict::Fail, "not sent".to_owned());
    };
    let (Some(head), true) = (&exchange.head, exchange.is_whole()) else {
        return (Verdict::Fail, "no answer".to_owned());
    };
    let status = head.status;
    let response = exchange.response();
    match response["errorType"].as_str().map(ErrorType::from) {
        None if (200..300).contains(&status) => match not_acknowledged(exchange, id) {
            None => (Verdict::Pass, format!("taken (HTTP {status})")),
            Some(why) => (Verdict::Fail, format!("{why} (HTTP {status})")),
        },
        Some(reason) if is_a_refusal(status, &reason) => {
            (Verdict::Pass, format!("refused: {reason} (HTTP {status})"))
        }
        // The interface allows an empty one.
        None if status == 400 => (Verdict::Pass, "refused (HTTP 400)".to_owned()),
        Some(reason) => (Verdict::Fail, format!("{reason} (HTTP {status})")),
        None => (Verdict::Fail, format!("HTTP {status} without ErrorDetail")),
    }
}

/// Why a success does not acknowledge the advice, if it does not: a body that carries an id has to carry the
/// advice's own.
fn not_acknowledged(exchange: &Exchange, id: AdviceId) -> Option<&'static str> {
    if exchange.received.trim_ascii().is_empty() {
        return None;
    }
    let response = exchange.response();
    match response.get("id") {
        _ if !response.is_object() => Some("an acknowledgement that is no JSON object"),
        None | Some(Value::Null) => None,
        Some(_) if names(&response, &id.to_string()) => None,
        Some(_) => Some("an acknowledgement with another id than the advice's"),
    }
}

/// A format that is refused says nothing about the decision.
fn is_a_refusal(status: u16, reason: &ErrorType) -> bool {
    let says_no = (400..500).contains(&status) && *reason != ErrorType::FormatError;
    says_no && (is_about_the_message(reason) || *reason == ErrorType::DuplicateRecord)
}
