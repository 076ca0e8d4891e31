//! A server that approves redemptions which a simulator refuses for one reason, and takes their reversals: one
//! of version 2.5, which lets the same order be redeemed twice, or one that pays out what was reversed.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::between::{self, Answer, Asked};

/// The server; it ends with this.
pub struct Server {
    server: between::Server,
    anyway: Arc<Anyway>,
}

/// The redemptions that it should not have approved.
struct Anyway {
    reason: &'static str,
    approved: Mutex<Vec<String>>,
    reversed: Mutex<Vec<String>>,
}

impl Server {
    /// Pays where the simulator refuses to for this reason.
    pub async fn in_spite_of(reason: &'static str) -> Server {
        let anyway = Arc::new(Anyway {
            reason,
            approved: Mutex::default(),
            reversed: Mutex::default(),
        });
        let shared = Arc::clone(&anyway);
        let change = move |asked: &Asked, answer: Answer| match shared.answer(asked, &answer) {
            Some((status, json)) => Answer {
                status,
                body: json.to_string().into(),
                ..answer
            },
            None => answer,
        };
        Server {
            server: between::Server::start(change).await,
            anyway,
        }
    }

    pub fn base_url(&self) -> String {
        self.server.base_url()
    }

    /// The requests of these redemptions that were reversed.
    pub fn reversed(&self) -> Vec<String> {
        self.anyway.reversed.lock().unwrap().clone()
    }
}

impl Anyway {
    /// An answer of our own, where the simulator's is another than that version's.
    fn answer(&self, asked: &Asked, answer: &Answer) -> Option<(u16, Value)> {
        let body = &asked.json;
        let id = |name: &str| body[name].as_str().unwrap().to_owned();
        let is_refused = String::from_utf8_lossy(&answer.body).contains(self.reason);
        if asked.is("POST /orders/redemptions") && is_refused {
            self.approved.lock().unwrap().push(id("id"));
            let members = ["id", "time", "originator", "client", "receiver", "amount"];
            let echoed = members.map(|name| (name.to_owned(), body[name].clone()));
            return Some((201, Value::Object(echoed.into_iter().collect())));
        }
        let is_reversal = asked.is("POST /orders/redemptions/reversals");
        if is_reversal && self.approved.lock().unwrap().contains(&id("requestId")) {
            self.reversed.lock().unwrap().push(id("requestId"));
            return Some((202, json!({ "id": id("id"), "requestId": id("requestId") })));
        }
        None
    }
}
