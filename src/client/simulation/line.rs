//! The line between the process and the service.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{sleep, timeout};

use super::message::{Leg, Message};
use super::upstream::{Reply, page};
use super::weather::{Back, Cargo, Fate, Noise};
use super::world::{About, Millis, World, millis};
use crate::api::{
    Answer, BodyEnd, Call, Credentials, Exchange, NoAnswer, NotSent, NotSentReason, Transport,
};

/// The line of one process.
pub(super) struct Line {
    world: Arc<World>,
    life: u64,
}

/// A message is under way for as long as this lives.
struct UnderWay<'a> {
    line: &'a Line,
    message: &'a Message,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.line.world.audit().came_back(self.message);
    }
}

impl Line {
    pub(super) fn new(world: &Arc<World>, life: u64) -> Line {
        Line {
            world: Arc::clone(world),
            life,
        }
    }

    async fn carry(&self, call: Call) -> Result<Answer, NoAnswer> {
        let world = &self.world;
        let now = world.now();
        let message = Message::of(&call);
        world.accuse(
            message
                .as_ref()
                .map(|_| ())
                .ok_or("an unreadable message".to_owned()),
        );
        let (Some(mut message), false) = (message, world.dies_here(self.life)) else {
            return pending().await;
        };
        let sent = world
            .audit()
            .sent(&message, call.body.as_ref(), now, &world.weather);
        let (attempt, first_at) = match sent {
            Ok(sent) => sent,
            Err(violation) => {
                world.accuse(Err(violation));
                return pending().await;
            }
        };
        let _under_way = UnderWay {
            line: self,
            message: &message.clone(),
        };
        message.is_refused = world.weather.is_refusing(now);
        if message.is_advice() {
            let mut dice = world.dice(About::Message, message.request.into());
            let is_cured = world
                .sales()
                .get(message.request)
                .is_some_and(|sale| sale.is_cured);
            let curse = world.weather.curse(&mut dice, first_at);
            message.curse = curse.filter(|_| !is_cured);
        }
        let fate = self.fate_of(&message, attempt, now);
        let name = message.name();
        world.note(|| format!("→ {name} #{attempt}: {fate:?}"));
        let travel = self.travel(message, fate);
        let answer = timeout(call.timeout, travel)
            .await
            .unwrap_or_else(|_| Err(NoAnswer::timed_out()));
        world.note(|| format!("← {name} #{attempt}: {}", words(&answer)));
        match world.dies_here(self.life) {
            true => pending().await,
            false => answer,
        }
    }

    fn fate_of(&self, message: &Message, attempt: u64, now: Millis) -> Fate {
        let cargo = match message.leg {
            Leg::Request => Cargo::Request,
            Leg::Confirmation | Leg::Reversal => Cargo::Advice,
            Leg::Query => Cargo::Query,
        };
        let number = u64::from(message.request) << 32 | attempt << 4 | message.leg as u64;
        let mut dice = self.world.dice(About::Fate, number);
        self.world.weather.fate(cargo, &mut dice, now)
    }

    async fn travel(&self, message: Message, fate: Fate) -> Result<Answer, NoAnswer> {
        let now = self.world.now();
        let posted = |way: Option<Millis>| {
            way.map(|way| self.world.upstream().post(message.clone(), now + way))
        };
        let (first, copy) = (posted(fate.arrives), posted(fate.copy));
        let way = fate.arrives.unwrap_or_default();
        match fate.back {
            Back::Answer(back) => Ok(self.reply(first, way + back).await),
            Back::Echo(back) => Ok(self.reply(copy, fate.copy.unwrap_or_default() + back).await),
            Back::Noise(back, noise) => {
                let reply = self.reply(first, way.min(100) + back).await;
                Ok(noisy(&message, reply, noise))
            }
            Back::NotConnected(after) => {
                sleep(millis(after)).await;
                Err(NoAnswer::NotSent(NotSent {
                    operation: message.operation,
                    request_id: None,
                    reason: NotSentReason::Connect,
                    source: "refused".into(),
                }))
            }
            Back::Torn(after) => {
                sleep(millis(after)).await;
                Err(NoAnswer::connection_lost())
            }
            Back::Silence => pending().await,
        }
    }

    /// What the service said to the message that was posted under `number`, after so long.
    async fn reply(&self, number: Option<u64>, after: Millis) -> Answer {
        sleep(millis(after)).await;
        let mut upstream = self.world.upstream();
        upstream.catch_up(self.world.now());
        let reply = number.and_then(|number| upstream.reply(number));
        answer(reply.unwrap_or_else(|| page(502)))
    }
}

impl Transport for Line {
    fn exchange(&self, call: Call) -> Exchange<'_> {
        Box::pin(self.carry(call))
    }

    fn replace_credentials(&self, _: Credentials) -> bool {
        true
    }
}

fn answer(reply: Reply) -> Answer {
    let is_json = reply.body.starts_with('{');
    let content_type = if is_json {
        "application/json"
    } else {
        "text/html"
    };
    Answer {
        status: reply.status,
        content_type: Some(content_type.to_owned()),
        retry_after: None,
        body: Bytes::from(reply.body),
        body_end: BodyEnd::Complete,
    }
}

/// What is left of the answer.
fn noisy(message: &Message, reply: Answer, noise: Noise) -> Answer {
    let success = message.operation.success()[0];
    let of = |status, body: String| answer(Reply { status, body });
    match noise {
        Noise::Page(status, asked) => Answer {
            retry_after: asked.map(Duration::from_secs),
            ..answer(page(status))
        },
        Noise::Unauthorised => of(401, error("AUTHENTICATION_ERROR", &message.id)),
        Noise::Truncated => of(success, "{\"id\":\"".to_owned()),
        Noise::OfAnother => of(success, "{\"id\":\"another\",\"amount\":{}}".to_owned()),
        // The rest of a refusal is as good as nothing, too.
        Noise::CutOff => Answer {
            status: success,
            body: reply.body.slice(..reply.body.len() / 2),
            body_end: BodyEnd::CutOff,
            ..reply
        },
    }
}

fn error(error_type: &str, id: &str) -> String {
    let body = serde_json::json!({ "errorType": error_type, "errorMessage": "no", "id": id });
    body.to_string()
}

fn words(answer: &Result<Answer, NoAnswer>) -> String {
    match answer {
        Ok(answer) => format!("{} ({} bytes)", answer.status, answer.body.len()),
        Err(NoAnswer::NotSent(_)) => "not sent".to_owned(),
        Err(problem) => format!("{problem:?}"),
    }
}
