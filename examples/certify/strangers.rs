//! A message of somebody whom the server does not know, or who says nothing of who it is: sent past the client,
//! and once, as too many tries could lock the user out.

use money_transfer_retailer::Operation;
use money_transfer_retailer::model::{ErrorType, Sensitive};
use reqwest::Url;

use super::contradiction::left_to_the_wire;
use super::evidence::Verdict;
use super::walk::{Stop, Walk, Walked};
use super::wire::{End, Exchange};

/// The interface has HTTP Basic authentication on every call, and no more to say about it.
const REFUSED: &str = "refused: HTTP 401, or AUTHENTICATION_ERROR";

const NOT_FOR_CREDENTIALS: &str =
    "the refusal is not about the credentials: the server takes them for somebody else's";

impl Walk {
    /// Repeats the till's last lookupOrder as somebody else with this password, or as nobody.
    pub(crate) async fn look_as_a_stranger(
        &mut self,
        what: &str,
        password: Option<&Sensitive>,
    ) -> Walked {
        let operation = Operation::LookupOrder;
        let asked = self.wire().last_of(operation).ok_or(Stop::Flow)?;
        let url = self.url_of(&asked).ok_or(Stop::Flow)?;
        let draft = self.draft(what, Some(operation), REFUSED);
        let sending = self.past_the_client(operation.method(), url);
        let user = &self.world.server.user;
        left_to_the_wire(match password {
            Some(password) => sending.basic_auth(user, Some(password.expose())),
            None => sending,
        })
        .await;
        let draft = self.with_exchanges(draft, operation);
        let answered = draft.exchanges.last().cloned();
        let (verdict, words) = judged(answered.as_ref());
        self.note(draft, verdict, words);
        if verdict == Verdict::Pass && !answered.as_ref().is_some_and(is_about_credentials) {
            self.remark(NOT_FOR_CREDENTIALS);
        }
        match answered.map(|exchange| exchange.end) {
            Some(End::NotConnected(_)) => Err(Stop::Run),
            _ => Ok(()),
        }
    }

    fn url_of(&self, asked: &Exchange) -> Option<Url> {
        let base = self.till.relay.base_url();
        let mut url = Url::parse(&format!("{base}{}", asked.sent.path)).ok()?;
        url.query_pairs_mut().extend_pairs(&asked.sent.query);
        Some(url)
    }
}

fn judged(exchange: Option<&Exchange>) -> (Verdict, String) {
    let Some((exchange, head)) = exchange.and_then(|one| Some((one, one.head.as_ref()?))) else {
        return (Verdict::Fail, "no answer".to_owned());
    };
    let status = head.status;
    let is_refusal = (400..500).contains(&status) && exchange.is_whole();
    let words = match error_type(exchange) {
        Some(reason) => format!("refused: {reason} (HTTP {status})"),
        None => format!("refused (HTTP {status})"),
    };
    match status {
        _ if is_refusal => (Verdict::Pass, words),
        200..300 => (Verdict::Fail, format!("answered (HTTP {status})")),
        _ => (Verdict::Fail, format!("HTTP {status}")),
    }
}

fn is_about_credentials(exchange: &Exchange) -> bool {
    let status = exchange.head.as_ref().map(|head| head.status);
    matches!(status, Some(401 | 403))
        || error_type(exchange) == Some(ErrorType::AuthenticationError)
}

fn error_type(exchange: &Exchange) -> Option<ErrorType> {
    exchange.response()["errorType"]
        .as_str()
        .map(ErrorType::from)
}
