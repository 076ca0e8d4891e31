//! An upstream in your own process: stateful, over real sockets, and broken on demand.
//!
//! ```text
//!  client ──HTTP──▶ server ──▶ exchange ──▶ script: which fault?
//!                                │   ▲            │
//!                                ▼   └────────────┘ hang, cut, delay, another answer …
//!                              checks ──▶ routes ──▶ orders, advices, customers …  ──▶ answer
//!                                             └────▶ book: what was seen and what stands
//! ```
//!
//! 1. A message is in the book before any fault meets it, and before it is answered.
//! 2. What a fault leaves *unprocessed* has changed no record.
//! 3. Each pair of user name and password has records of its own; any pair that is not empty is an account.
//! 4. State survives [`Simulator::go_down`]; dropping the [`Simulator`] ends it, with all its connections.
//! 5. Nothing printed (`Debug`) holds personal data, a PIN or a redeem reference.
//!
//! # Example
//! ```
//! use money_transfer_retailer::simulator::{Fault, Operation, Rule, Simulator};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let simulator = Simulator::start().await?;
//! simulator.inject(Rule::on(Operation::CreateOrder).next(1).fault(Fault::LoseAnswer));
//! println!("point a client at {}", simulator.base_url());
//! assert!(simulator.book().is_empty());
//! # Ok(())
//! # }
//! ```

mod accounts;
mod advices;
mod answer;
mod book;
mod call;
mod cancellations;
mod checks;
mod customers;
mod echo;
mod exchange;
mod faults;
mod fees;
mod grammar;
mod history;
mod orders;
mod outcome;
mod rates;
mod records;
mod redemptions;
mod routes;
mod script;
mod server;
mod shapes;
mod stray;
mod takeover;
mod time;
mod updates;
mod upstream;

use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use tokio::sync::Mutex;

pub use self::{
    book::{Book, Message, Tally},
    faults::{CannedAnswer, Copy, Fault},
    grammar::RuleError,
    records::{Leg, LegState, Order, OrderState},
    script::{Rule, RuleDraft},
    stray::Stray,
};
use self::{
    server::Server,
    upstream::{Observers, Settings, Shared},
};
pub use crate::model::Operation;

/// Where the operations live on the server.
pub const BASE_PATH: &str = "/moneytransfer/v2";

/// A running upstream.
pub struct Simulator {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: Mutex<Server>,
}

impl Simulator {
    /// Starts a simulator on a free port of this machine, on the tokio runtime that this is called from (with I/O and
    /// time enabled).
    ///
    /// # Errors
    /// No port could be had.
    pub async fn start() -> io::Result<Simulator> {
        Simulator::builder().start().await
    }

    /// Starts one with settings of your own.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The URL that a client is pointed at, such as `http://127.0.0.1:40123/moneytransfer/v2`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}{BASE_PATH}", self.address)
    }

    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was seen and what stands, as of now.
    #[must_use]
    pub fn book(&self) -> Book {
        self.shared.book()
    }

    /// Waits until the book is as wanted, and returns it. Waits for ever if it never is: bound it with a timeout.
    pub async fn wait_until(&self, mut wanted: impl FnMut(&Book) -> bool) -> Book {
        let mut changes = self.shared.watch();
        loop {
            // Marked as seen before looking, so that a change in between is not missed.
            changes.mark_unchanged();
            let book = self.book();
            if wanted(&book) || changes.changed().await.is_err() {
                return book;
            }
        }
    }

    /// Waits until at least this many messages of an operation were received, and returns the book.
    pub async fn received(&self, operation: Operation, at_least: usize) -> Book {
        self.wait_until(|book| book.count(operation) >= at_least)
            .await
    }

    /// Adds a rule to the script. Where several rules apply to a message, the oldest decides.
    pub fn inject(&self, rule: Rule) {
        self.shared.state().script.add(rule);
    }

    /// Empties the script. Messages that a fault already holds stay held.
    pub fn clear_faults(&self) {
        self.shared.state().script.clear();
    }

    /// Stops listening and cuts every connection: from now on connections are refused. The port stays reserved, the
    /// records stay. Does nothing where it is down already.
    ///
    /// # Errors
    /// The port could not be reserved: another process took it in that instant. It is down all the same.
    pub async fn go_down(&self) -> io::Result<()> {
        self.server.lock().await.down().await
    }

    /// Listens again, on the same port and with the same records. Does nothing where it is up already.
    ///
    /// # Errors
    /// The port could not be had back.
    pub async fn come_up(&self) -> io::Result<()> {
        self.server.lock().await.up(Arc::clone(&self.shared))
    }
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.shared.drop_late();
    }
}

/// The settings of a simulator.
#[must_use = "a simulator runs once it is started"]
pub struct Builder {
    address: SocketAddr,
    settings: Settings,
    rules: Vec<Rule>,
    observers: Observers,
}

impl Default for Builder {
    fn default() -> Self {
        Builder {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            settings: Settings {
                provider_quirks: false,
                seed: None,
                remembered: usize::MAX,
            },
            rules: Vec::new(),
            observers: Observers::default(),
        }
    }
}

impl Builder {
    /// Where to listen; 127.0.0.1 and a free port unless set.
    pub fn listen(mut self, address: impl Into<SocketAddr>) -> Self {
        self.address = address.into();
        self
    }

    /// Whether to show the faults of the provider's test server too: it breaks (500 and a page) where fields are
    /// missing that the interface calls optional, and does not know the operations that came after its version.
    pub fn provider_quirks(mut self, on: bool) -> Self {
        self.settings.provider_quirks = on;
        self
    }

    /// The seed of all that is random: references, profile ids, fees, and faults with a probability.
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = Some(seed);
        self
    }

    /// How many of the newest messages the book keeps; all of them unless set. For simulators that run for long.
    pub fn remember(mut self, messages: usize) -> Self {
        self.settings.remembered = messages;
        self
    }

    /// A rule that is in force from the start.
    pub fn inject(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Called with each message as it comes in, before it is processed and before a fault meets it; the message names
    /// the fault. A message that hangs is over only when its client gives up, so this is where to learn of it.
    pub fn observe_received(mut self, observer: impl Fn(&Message) + Send + Sync + 'static) -> Self {
        self.observers.received = Some(Box::new(observer));
        self
    }

    /// Called with each message once it is over: answered, given up by the client, or cut.
    pub fn observe(mut self, observer: impl Fn(&Message) + Send + Sync + 'static) -> Self {
        self.observers.message = Some(Box::new(observer));
        self
    }

    /// Called with each HTTP request that is no message: an unknown path, a method that a path does not have, a body
    /// that is too long, a reset.
    pub fn observe_strays(mut self, observer: impl Fn(&Stray) + Send + Sync + 'static) -> Self {
        self.observers.stray = Some(Box::new(observer));
        self
    }

    /// Starts it, on the tokio runtime that this is called from.
    ///
    /// # Errors
    /// The address could not be listened on.
    pub async fn start(self) -> io::Result<Simulator> {
        let shared = Arc::new(Shared::new(self.settings, self.observers));
        for rule in self.rules {
            shared.state().script.add(rule);
        }
        let server = Server::start(self.address, Arc::clone(&shared))?;
        Ok(Simulator {
            address: server.address(),
            shared,
            server: Mutex::new(server),
        })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("address", &self.address)
            .field("settings", &self.settings)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}
