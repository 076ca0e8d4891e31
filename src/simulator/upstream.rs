//! The upstream's state: accounts, script and book under one lock, which is never held across an await.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use fastrand::Rng;
use tokio::{sync::watch, task::JoinSet};

use crate::model::Kind;

use super::{
    accounts::{Account, Desk},
    answer::{Answer, Problem},
    book::{Book, Message},
    call::{AccountName, Call},
    checks,
    faults::Fault,
    outcome::{Outcome, Refusal},
    routes,
    script::Script,
    stray::Stray,
};

/// Who is told of what comes in.
#[derive(Default)]
pub(super) struct Observers {
    /// Called with each message as it comes in.
    pub(super) received: Option<Observer<Message>>,
    /// Called with each message once it is over: answered, given up, or cut.
    pub(super) message: Option<Observer<Message>>,
    /// Called with each HTTP request that is no message.
    pub(super) stray: Option<Observer<Stray>>,
}

type Observer<T> = Box<dyn Fn(&T) + Send + Sync>;

/// What is chosen before the start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) provider_quirks: bool,
    pub(super) seed: Option<u64>,
    /// How many messages the book keeps.
    pub(super) remembered: usize,
}

/// What the connections and the simulator's owner share.
pub(super) struct Shared {
    state: Mutex<Upstream>,
    changes: watch::Sender<()>,
    observers: Observers,
    late: Mutex<JoinSet<()>>,
}

/// The accounts, the script and what was seen.
pub(super) struct Upstream {
    accounts: HashMap<AccountName, Account>,
    pub(super) script: Script,
    messages: VecDeque<Arc<Message>>,
    /// How many messages were dropped from the front, so that numbers stay what they were.
    dropped: usize,
    remembered: usize,
    strays: u64,
    random: Rng,
    orders_made: u64,
    provider_quirks: bool,
}

impl Shared {
    pub(super) fn new(settings: Settings, observers: Observers) -> Self {
        let upstream = Upstream {
            accounts: HashMap::new(),
            script: Script::default(),
            messages: VecDeque::new(),
            dropped: 0,
            remembered: settings.remembered,
            strays: 0,
            random: settings.seed.map_or_else(Rng::new, Rng::with_seed),
            orders_made: 0,
            provider_quirks: settings.provider_quirks,
        };
        Shared {
            state: Mutex::new(upstream),
            changes: watch::Sender::new(()),
            observers,
            late: Mutex::default(),
        }
    }

    /// The state. A rule that panicked leaves it usable: the records of its message may be incomplete, no more.
    pub(super) fn state(&self) -> MutexGuard<'_, Upstream> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Books a message as received, and says which fault it meets.
    pub(super) fn receive(&self, call: &Call) -> (usize, Option<Fault>) {
        let received = self.state().receive(call);
        self.changes.send_replace(());
        self.show(received.0, self.observers.received.as_ref());
        received
    }

    /// Runs the rules on a received message.
    pub(super) fn process(&self, number: usize, call: &Call) -> Answer {
        let answer = self.state().process(number, call);
        self.changes.send_replace(());
        answer
    }

    /// Books that an answer goes out whole.
    pub(super) fn answered(&self, number: usize, answer: &Answer) {
        self.state().answered(number, answer);
        self.changes.send_replace(());
    }

    /// Books an HTTP request that named no operation, or came with a body that is not read.
    pub(super) fn stray(&self, stray: &Stray) {
        self.state().strays += 1;
        self.changes.send_replace(());
        self.tell(stray);
    }

    /// Tells the observer of an HTTP request that is no message.
    pub(super) fn tell(&self, stray: &Stray) {
        if let Some(observer) = &self.observers.stray {
            observer(stray);
        }
    }

    /// Tells the observer that a message is over.
    pub(super) fn over(&self, number: usize) {
        self.show(number, self.observers.message.as_ref());
    }

    /// Shows a message to an observer, if there is one.
    fn show(&self, number: usize, observer: Option<&Observer<Message>>) {
        let Some(observer) = observer else {
            return;
        };
        let message = self.state().message(number).cloned();
        if let Some(message) = message {
            observer(&message);
        }
    }

    /// Forgets everything of a user.
    pub(super) fn forget(&self, user: &str) {
        self.state().accounts.retain(|name, _| name.user != user);
        self.changes.send_replace(());
    }

    pub(super) fn book(&self) -> Book {
        self.state().book()
    }

    pub(super) fn watch(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Runs something that outlives the connection it came by, and ends with the simulator.
    pub(super) fn later(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        while late.try_join_next().is_some() {}
        late.spawn(work);
    }

    pub(super) fn drop_late(&self) {
        self.late
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .abort_all();
    }
}

impl Upstream {
    fn receive(&mut self, call: &Call) -> (usize, Option<Fault>) {
        let fault = self
            .script
            .choose(call.operation, call.request_id(), &mut self.random);
        self.messages.push_back(Arc::new(Message {
            operation: call.operation,
            user: call.user().to_owned(),
            body: call.body.clone(),
            request_id: call.request_id().map(str::to_owned),
            advice_id: call.advice_id().map(str::to_owned),
            processed: 0,
            accepted: 0,
            answered: None,
            error_type: None,
            fault: fault.clone(),
        }));
        let number = self.dropped + self.messages.len() - 1;
        while self.messages.len() > self.remembered {
            self.messages.pop_front();
            self.dropped += 1;
        }
        (number, fault)
    }

    /// The message of this number, as long as it is remembered.
    fn message(&mut self, number: usize) -> Option<&mut Arc<Message>> {
        self.messages.get_mut(number.checked_sub(self.dropped)?)
    }

    fn process(&mut self, number: usize, call: &Call) -> Answer {
        let answer = match self.decide(call) {
            Ok(answer) => answer,
            Err(Refusal::Answer(answer)) => *answer,
            Err(Refusal::Problem(problem)) => self.error(problem, call),
        };
        if let Some(message) = self.message(number) {
            let message = Arc::make_mut(message);
            message.processed += 1;
            message.accepted += u32::from(answer.is_success());
            message.error_type.clone_from(&answer.error_type);
        }
        answer
    }

    /// First what any server looks at (the path, content type, credentials, syntax), then the rules.
    fn decide(&mut self, call: &Call) -> Outcome {
        if self.provider_quirks
            && let Some(answer) = routes::unknown_to_the_provider(call.operation)
        {
            return Ok(answer);
        }
        let has_body = call.operation.method() != http::Method::GET;
        if has_body && !call.says_json {
            return Err(Answer::html(415).into());
        }
        let account = call.account.clone().ok_or(NOT_AUTHENTICATED)?;
        if has_body && !call.is_json {
            return Err(Answer::unparsable("the body is no JSON").into());
        }
        let call = checks::checked(call)?;
        let mut desk = Desk {
            account: self.accounts.entry(account).or_default(),
            random: &mut self.random,
            orders_made: &mut self.orders_made,
            provider_quirks: self.provider_quirks,
        };
        routes::run(&mut desk, &call)
    }

    /// A format error does not tell the message's id: whoever found it had not read so far.
    fn error(&mut self, problem: Problem, call: &Call) -> Answer {
        let original = call
            .request_id()
            .filter(|_| call.operation.kind() == Kind::Advice);
        match call.id().filter(|_| !problem.is_format_error()) {
            Some(id) => problem.answer(id, original),
            None => problem.answer(&random_uuid(&mut self.random), original),
        }
    }

    fn answered(&mut self, number: usize, answer: &Answer) {
        if let Some(message) = self.message(number) {
            let message = Arc::make_mut(message);
            message.answered = Some(answer.status);
            if answer.error_type.is_some() {
                message.error_type.clone_from(&answer.error_type);
            }
        }
    }

    fn book(&self) -> Book {
        let stored = self.accounts.values().flat_map(|account| &account.orders);
        let mut orders: Vec<_> = stored.map(|order| Arc::clone(&order.shown)).collect();
        orders.sort_unstable_by_key(|order| order.number);
        Book {
            messages: self.messages.iter().cloned().collect(),
            orders,
            strays: self.strays,
        }
    }
}

const NOT_AUTHENTICATED: Problem = Problem::new(
    "AUTHENTICATION_ERROR",
    "User name and password are required",
);

pub(super) fn random_uuid(random: &mut Rng) -> String {
    let bytes = random.u128(..).to_be_bytes();
    uuid::Builder::from_random_bytes(bytes)
        .into_uuid()
        .to_string()
}
