//! Setting a client up.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::binding::Binding;
use super::expiry::Expiry;
use super::recovery::{RecoveryReport, unreadable};
use super::{Client, Core, Limits, OpenError, WorkerOrder};
use zeroize::Zeroizing;

use crate::api::{
    AnswerPolicy, ClientIdentity, Credentials, HttpSettings, HttpTransport, InDoubt, Transport,
};
#[cfg(feature = "simulator")]
use crate::model::Timestamp;
use crate::model::{Check, Defaults, Institution, Originator, Sensitive};
use crate::saf::clock::{Clock, SystemClock, uptime};
use crate::saf::delivery::Delivery;
use crate::saf::ledger::Insistence;
use crate::saf::link::Link;
use crate::saf::{Discipline, Ledger, RetryPolicy, Schedule, TillReference, findings};
use crate::store::{DirectoryLock, JournaledStore, ReceiptKey, Recovery, Store, StoreOptions};

/// The timeout that the interface names, unless something else was agreed.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Time enough for two repeats of a query that hangs.
const DEADLINE: Duration = TIMEOUT.saturating_mul(3);

/// Long enough for a connection, and shorter than the interface's timeout.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// For how long of running time the parts of the queue that are not needed any more are kept.
const AUDIT_RETENTION: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// The settings of a [`Client`]. Base URL, credentials and queue directory have no defaults.
#[derive(Clone)]
#[must_use = "nothing happens before open()"]
pub struct ClientBuilder {
    base_url: Option<String>,
    credentials: Option<Credentials>,
    queue_dir: Option<PathBuf>,
    defaults: Defaults,
    timeout: Duration,
    deadline: Duration,
    connect_timeout: Option<Duration>,
    body_limit_bytes: Option<usize>,
    allow_plain_http: bool,
    root_certificates: Vec<Vec<u8>>,
    identity: Option<ClientIdentity>,
    proxy: Option<Sensitive>,
    user_agent: Option<String>,
    policy: RetryPolicy,
    instance: Option<String>,
    receipt_key: Option<ReceiptKey>,
    audit_retention: Duration,
    discipline: Discipline,
    answers: Arc<dyn AnswerPolicy>,
    fail_fast: bool,
    limits: Limits,
    reverse_undecided_after: Option<Duration>,
    clock: Arc<dyn Clock>,
}

impl ClientBuilder {
    pub(super) fn new() -> Self {
        ClientBuilder {
            base_url: None,
            credentials: None,
            queue_dir: None,
            defaults: Defaults::default(),
            timeout: TIMEOUT,
            deadline: DEADLINE,
            connect_timeout: None,
            body_limit_bytes: None,
            allow_plain_http: false,
            root_certificates: Vec::new(),
            identity: None,
            proxy: None,
            user_agent: None,
            policy: RetryPolicy::default(),
            instance: None,
            receipt_key: None,
            audit_retention: AUDIT_RETENTION,
            discipline: Discipline::OldestFirst,
            answers: Arc::new(InDoubt),
            fail_fast: false,
            limits: Limits::default(),
            reverse_undecided_after: None,
            clock: Arc::new(SystemClock),
        }
    }

    /// Where the service lives, for example `https://host/moneytransfer/v2`.
    ///
    /// Plain `http` is accepted for this machine only, unless
    /// [`allow_plain_http`](ClientBuilder::allow_plain_http) is called.
    pub fn base_url(mut self, base_url: impl Into<String>) -> Self {
        self.base_url = Some(base_url.into());
        self
    }

    /// The HTTP Basic user name and password.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// The directory that holds the queue: on a local disk, used by this client alone. It is
    /// created where needed.
    pub fn queue_dir(mut self, queue_dir: impl Into<PathBuf>) -> Self {
        self.queue_dir = Some(queue_dir.into());
        self
    }

    /// Who sends every message that does not say otherwise: institution, till and merchant.
    pub fn originator(mut self, originator: Originator) -> Self {
        self.defaults.originator = Some(originator);
        self
    }

    /// The `client` institution of every message that does not say otherwise; default is one whose
    /// id is the user name.
    pub fn client(mut self, client: Institution) -> Self {
        self.defaults.client = Some(client);
        self
    }

    /// The money transfer provider of every message that does not say otherwise.
    pub fn receiver(mut self, receiver: Institution) -> Self {
        self.defaults.receiver = Some(receiver);
        self
    }

    /// The settlement entity of every message that does not say otherwise.
    pub fn settlement_entity(mut self, settlement_entity: Institution) -> Self {
        self.defaults.settlement_entity = Some(settlement_entity);
        self
    }

    /// How long an exchange may take before its outcome is unknown; default 60 s, as the
    /// interface names it.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long a query or an update is sent again while it has no final answer; default 180 s. One that
    /// is not answered at all takes a whole [`timeout`](ClientBuilder::timeout) of that.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How long making a connection may take; default 10 s, or half the timeout if that is shorter. A
    /// connection that was not made proves
    /// that nothing was sent.
    pub fn connect_timeout(mut self, connect_timeout: Duration) -> Self {
        self.connect_timeout = Some(connect_timeout);
        self
    }

    /// Trusts the certificates of a PEM bundle, beside those of the system. Can be called again.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificates.push(pem.into());
        self
    }

    /// The certificate by which the upstream knows this till (mutual TLS): certificate and key as
    /// PEM, the key as PKCS #8.
    pub fn client_certificate(
        mut self,
        certificate_pem: impl Into<Vec<u8>>,
        key_pem: impl Into<Vec<u8>>,
    ) -> Self {
        self.identity = Some(ClientIdentity {
            certificate: certificate_pem.into(),
            key: Zeroizing::new(key_pem.into()),
        });
        self
    }

    /// The HTTP proxy on the way, for example `http://proxy:3128`. Without it there is none, whatever
    /// the environment says.
    pub fn proxy(mut self, proxy: impl Into<Sensitive>) -> Self {
        self.proxy = Some(proxy.into());
        self
    }

    /// What to send as `User-Agent`; default is the name and version of this crate.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = Some(user_agent.into());
        self
    }

    /// The longest answer that is read, in bytes; default 1 MiB. A longer one is read no further.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit_bytes = Some(bytes);
        self
    }

    /// At which pace advices are repeated, and how many are sent at the same time.
    pub fn retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// What this installation is called, for example the number of the till. A queue that was made under
    /// another name, such as one in a copied disk image, is quarantined when it is opened
    /// ([`Client::adopt`]).
    pub fn instance(mut self, instance: impl Into<String>) -> Self {
        self.instance = Some(instance.into());
        self
    }

    /// Seals the redeem references and slips that the queue keeps for receipts. They are erased when
    /// their transactions are settled; without a key they are readable until then by whoever may read
    /// the queue's directory.
    pub fn receipt_key(mut self, key: ReceiptKey) -> Self {
        self.receipt_key = Some(key);
        self
    }

    /// For how long the parts of the queue that are not needed any more are kept as an audit trail,
    /// below its `audit` directory; default 90 days. Only the time counts in which the queue is open.
    pub fn audit_retention(mut self, retention: Duration) -> Self {
        self.audit_retention = retention;
        self
    }

    /// Sends advices strictly in the order of the decisions, one at a time, as the interface describes
    /// a queue. One that the upstream neither takes nor refuses then blocks all others:
    /// [`Health::blocked_by`](crate::Health) names it.
    pub fn in_order(mut self) -> Self {
        self.discipline = Discipline::InOrder;
        self
    }

    /// How answers are read; [`InDoubt`] unless this is called.
    pub fn answer_policy(mut self, policy: impl AnswerPolicy + 'static) -> Self {
        self.answers = Arc::new(policy);
        self
    }

    /// Does not even try financial requests while the upstream is known to be down: they come back as
    /// [`OrderOutcome::NotSent`](crate::OrderOutcome) at once. Off by default: each try is a chance to
    /// find it up again.
    pub fn fail_fast(mut self) -> Self {
        self.fail_fast = true;
        self
    }

    /// How much may be pending before no new financial request is sent; see [`Limits`]. None by default.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Reverses orders that were approved so long ago without anybody deciding on them. Off by default:
    /// they wait in [`undecided`](crate::Advices::undecided) for ever.
    ///
    /// Only the time counts in which the queue is open. An order whose tender is
    /// [marked as started](crate::Approved::tender_started) is never reversed by itself, nor are
    /// redemptions and cancellations. Who confirms too late gets [`Conflict::Reversed`](crate::Conflict).
    pub fn reverse_undecided_after(mut self, age: Duration) -> Self {
        self.reverse_undecided_after = Some(age);
        self
    }

    /// Accepts plain HTTP to any host. Credentials and customers are then readable on the way, so
    /// protect it by other means.
    pub fn allow_plain_http(mut self) -> Self {
        self.allow_plain_http = true;
        self
    }

    /// Asks `now` for the time of day: for programs that let it jump, to see what a till does.
    #[cfg(feature = "simulator")]
    #[doc(hidden)]
    pub fn wall_clock(mut self, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(crate::saf::clock::AnyClock(now));
        self
    }

    /// Opens the queue, takes up what an earlier process left, and starts the worker.
    ///
    /// # Errors
    /// [`OpenError`] says which setting is wrong, who else uses the queue, or what the disk says.
    /// Nothing was sent.
    pub async fn open(self) -> Result<Client, OpenError> {
        let runtime = Handle::try_current().map_err(|_| OpenError::NoRuntime)?;
        self.check_settings()?;
        let clock = Arc::clone(&self.clock);
        let transport = self.transport(Arc::clone(&clock))?;
        let defaults = self.checked_defaults()?;
        let queue_dir = self.queue_dir.ok_or(missing("queue_dir"))?;
        let schedule = Schedule::new(self.discipline).with_rounds_of(self.policy.max);
        let schedule = Arc::new(schedule);
        let binding = Binding::new(
            self.base_url.as_deref().unwrap_or_default(),
            self.credentials.as_ref().map_or("", Credentials::user),
            self.instance.as_deref(),
        );
        let options = StoreOptions {
            retention: self.audit_retention,
            receipt_key: self.receipt_key,
        };
        let opened = {
            let schedule = Arc::clone(&schedule);
            let has_sums = self.limits.have_sums();
            runtime.spawn_blocking(move || open_ledger(queue_dir, options, schedule, has_sums))
        };
        let (ledger, recovery) = opened.await.map_err(OpenError::broken_off)??;
        let (worker_orders, orders) = watch::channel(WorkerOrder::Work);
        let (ended, worker_ended) = watch::channel(false);
        let mut core = Core {
            ledger: Arc::new(ledger),
            schedule,
            transport,
            clock,
            defaults,
            policy: self.policy,
            binding,
            link: Arc::new(Link::new(self.policy)),
            control: Arc::default(),
            answers: self.answers,
            fail_fast: self.fail_fast,
            limits: self.limits,
            expiry: Expiry::new(self.reverse_undecided_after),
            report: RecoveryReport {
                findings: findings(&recovery),
                ..RecoveryReport::default()
            },
            runtime,
            worker_orders,
            worker_ended,
            exchanges: watch::Sender::new(0),
        };
        core.begin().await?;
        core.start_worker(self.timeout, orders, ended);
        let core = Arc::new(core);
        core.expiry.start(&core);
        Ok(Client {
            core,
            timeout: self.timeout,
            deadline: self.deadline,
            till_reference: TillReference::default(),
            insistence: Insistence::Wait,
        })
    }

    fn check_settings(&self) -> Result<(), OpenError> {
        self.policy.check()?;
        let given = [
            ("timeout", self.timeout.is_zero()),
            ("deadline", self.deadline.is_zero()),
            (
                "connect_timeout",
                self.connect_timeout == Some(Duration::ZERO),
            ),
            ("body_limit", self.body_limit_bytes == Some(0)),
            (
                "reverse_undecided_after",
                self.reverse_undecided_after == Some(Duration::ZERO),
            ),
        ];
        for (setting, is_zero) in given {
            if is_zero {
                return Err(OpenError::Zero { setting });
            }
        }
        if self
            .connect_timeout
            .is_some_and(|connect| connect > self.timeout)
        {
            return Err(OpenError::ConnectTimeout);
        }
        match &self.queue_dir {
            Some(_) => Ok(()),
            None => Err(missing("queue_dir")),
        }
    }

    fn transport(&self, clock: Arc<dyn Clock>) -> Result<Arc<dyn Transport>, OpenError> {
        let base_url = self.base_url.clone().ok_or(missing("base_url"))?;
        let mut settings = HttpSettings::new(base_url, self.checked_credentials()?);
        settings.allow_plain_http = self.allow_plain_http;
        settings
            .root_certificates
            .clone_from(&self.root_certificates);
        settings.identity.clone_from(&self.identity);
        settings.proxy.clone_from(&self.proxy);
        settings.user_agent.clone_from(&self.user_agent);
        if let Some(limit) = self.body_limit_bytes {
            settings.body_limit_bytes = limit;
        }
        settings.connect_timeout = self
            .connect_timeout
            .unwrap_or(CONNECT_TIMEOUT.min(self.timeout / 2));
        let now = Box::new(move || clock.now());
        Ok(Arc::new(HttpTransport::new(settings, now)?))
    }

    fn checked_credentials(&self) -> Result<Credentials, OpenError> {
        self.credentials.clone().ok_or(missing("credentials"))
    }

    /// The provider's test server wants the client's id to be the user name; a default, no rule.
    fn checked_defaults(&self) -> Result<Defaults, OpenError> {
        let mut defaults = self.defaults.clone();
        if defaults.client.is_none() {
            let credentials = self.checked_credentials()?;
            let user = credentials.user();
            let name: String = user.chars().take(40).collect();
            defaults.client = Some(Institution::new(user, name));
        }
        defaults.check()?;
        Ok(defaults)
    }
}

impl Core {
    /// Takes up what an earlier process left, if that is ours.
    pub(super) async fn begin(&mut self) -> Result<(), OpenError> {
        let mut report = std::mem::take(&mut self.report);
        for finding in &report.findings {
            tracing::warn!(%finding, "the queue was not as it should be");
        }
        if !self.is_ours(&report).await? {
            tracing::error!("the queue belongs to somebody else, and is quarantined");
            report.quarantined = true;
            self.schedule.hold();
        }
        self.control.set_quarantined(report.quarantined);
        self.take_up_suspension()?;
        self.recover(&mut report).await?;
        self.report = report;
        Ok(())
    }

    pub(super) fn start_worker(
        &self,
        timeout: Duration,
        orders: watch::Receiver<WorkerOrder>,
        ended: watch::Sender<bool>,
    ) {
        let delivery = Arc::new(Delivery {
            ledger: Arc::clone(&self.ledger),
            schedule: Arc::clone(&self.schedule),
            link: Arc::clone(&self.link),
            control: Arc::clone(&self.control),
            answers: Arc::clone(&self.answers),
            transport: Arc::clone(&self.transport),
            clock: Arc::clone(&self.clock),
            policy: self.policy,
            timeout,
        });
        let pause = self.policy.pause_after(1);
        self.runtime.spawn(async move {
            loop {
                let worker = tokio::spawn(Arc::clone(&delivery).run(orders.clone()));
                match worker.await {
                    // What was in flight went back to the schedule, and all else is durable.
                    Err(error) if error.is_panic() => {
                        tracing::error!(%error, "the delivery was broken off, and begins anew");
                    }
                    _ => break,
                }
                tokio::time::sleep(pause).await;
            }
            // Nobody may be waiting for it.
            ended.send_replace(true);
        });
    }
}

fn missing(setting: &'static str) -> OpenError {
    OpenError::Missing { setting }
}

/// Blocks: it waits for a lock and for the disk.
fn open_ledger(
    queue_dir: PathBuf,
    options: StoreOptions,
    schedule: Arc<Schedule>,
    has_sums: bool,
) -> Result<(Ledger, Recovery), OpenError> {
    let lock = DirectoryLock::take(&queue_dir)?;
    let (store, recovery) = JournaledStore::open(lock, uptime(), options)?;
    let store: Arc<dyn Store> = Arc::new(store);
    if !recovery.missing.is_empty() || recovery.has_unknown_losses {
        Ledger::mend(&*store)?;
    }
    let ledger = Ledger::start(store, schedule)?;
    if has_sums {
        ledger.sum_up().map_err(unreadable)?;
    }
    Ok((ledger, recovery))
}

/// The base URL may have a password in it until it is checked, and keys are nobody's business.
impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("credentials", &self.credentials)
            .field("queue_dir", &self.queue_dir)
            .field("timeout", &self.timeout)
            .field("deadline", &self.deadline)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
