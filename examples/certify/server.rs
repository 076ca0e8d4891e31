//! The server that is certified, and the tills that talk to it.

use std::time::Duration;

use money_transfer_retailer::model::{
    Defaults, Institution, Merchant, MerchantName, Originator, ReversalReason, Sensitive,
};
use money_transfer_retailer::policy::InterfaceTable;
use money_transfer_retailer::simulator::Simulator;
use money_transfer_retailer::{
    AdviceRecord, Client, ClientBuilder, Credentials, DecisionError, RetryPolicy,
};
use tempfile::TempDir;

use super::Trouble;
use super::arguments::Options;
use super::relay::{Relay, Upstream};

/// Pauses of a run that somebody waits for.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The server, and who talks to it.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) base_url: String,
    pub(crate) user: String,
    pub(crate) password: Sensitive,
    pub(crate) allow_plain_http: bool,
    pub(crate) timeout: Duration,
    /// Whether answers are read by the interface's own table, to the letter.
    pub(crate) interface_table: bool,
    pub(crate) parties: Parties,
    pub(crate) is_simulator: bool,
}

/// The ids of those who take part.
#[derive(Clone)]
pub(crate) struct Parties {
    pub(crate) receiver: String,
    pub(crate) settlement_entity: String,
    pub(crate) institution: String,
    pub(crate) merchant: String,
    pub(crate) terminal: String,
}

impl Default for Parties {
    fn default() -> Self {
        Parties {
            receiver: "627821".to_owned(),
            settlement_entity: "777000".to_owned(),
            institution: "588892".to_owned(),
            merchant: "100000000012345".to_owned(),
            terminal: "TILL0007".to_owned(),
        }
    }
}

impl Server {
    pub(crate) fn in_process(simulator: &Simulator, options: &Options) -> Server {
        Server {
            base_url: simulator.base_url(),
            user: "1234567".to_owned(),
            password: "password".into(),
            allow_plain_http: false,
            timeout: options.timeout,
            interface_table: options.interface_table,
            parties: options.parties.clone(),
            is_simulator: true,
        }
    }

    /// Host and port, for the report: a base URL can hold more than anybody should read.
    pub(crate) fn host(&self) -> String {
        let url = url::Url::parse(&self.base_url).ok();
        let host = url
            .as_ref()
            .and_then(|url| Some((url.host_str()?, url.port())));
        match host {
            Some((host, Some(port))) => format!("{host}:{port}"),
            Some((host, None)) => host.to_owned(),
            None => "unknown".to_owned(),
        }
    }

    /// The scheme of the base URL, for the report.
    pub(crate) fn transport(&self) -> String {
        let url = url::Url::parse(&self.base_url);
        url.map_or("unknown".to_owned(), |url| url.scheme().to_owned())
    }

    /// How answers are read, for the report.
    pub(crate) fn answer_policy(&self) -> &'static str {
        match self.interface_table {
            true => "the interface's own table, to the letter",
            false => "in doubt repeat, in doubt reverse",
        }
    }

    /// What the client puts into every message.
    pub(crate) fn defaults(&self) -> Defaults {
        let name: String = self.user.chars().take(40).collect();
        let parties = &self.parties;
        Defaults::builder()
            .originator(parties.originator())
            .client(Institution::new(&self.user, name))
            .receiver(Institution::new(&parties.receiver, "Provider"))
            .settlement_entity(Institution::new(&parties.settlement_entity, "Settler"))
            .build()
    }

    /// How long a decision may take to arrive: a reversal that finds nothing to reverse is settled
    /// after twice the timeout only, and one more sending may be under way by then.
    pub(crate) fn patience(&self) -> Duration {
        3 * self.timeout + 2 * LONGEST_PAUSE
    }
}

impl Parties {
    fn originator(&self) -> Originator {
        let name = MerchantName::builder()
            .name("Certification Shop")
            .city("Cape Town")
            .region("WC")
            .country("ZA")
            .build();
        let merchant = Merchant::builder()
            .merchant_type("5411")
            .merchant_id(&self.merchant)
            .merchant_name(name)
            .build();
        Originator::builder()
            .institution(Institution::new(&self.institution, "Retailer"))
            .terminal_id(&self.terminal)
            .merchant(merchant)
            .build()
    }
}

/// A till of one flow, with a queue that ends with it.
pub(crate) struct Till {
    pub(crate) client: Client,
    pub(crate) relay: Relay,
    // Dropped after the client, which owns the directory.
    _queue: TempDir,
}

impl Till {
    pub(crate) async fn open(server: &Server, upstream: &Upstream) -> Result<Till, Trouble> {
        let queue = tempfile::tempdir()?;
        let relay = Relay::start(upstream.clone()).await?;
        let builder = builder(server, &relay.base_url(), &queue);
        Ok(Till {
            client: builder.open().await?,
            relay,
            _queue: queue,
        })
    }

    /// Leaves nothing behind: what is undecided is reversed, and delivered where that is possible.
    pub(crate) async fn close(self, patience: Duration) -> Result<Left, DecisionError> {
        let advices = self.client.advices();
        for undecided in advices.undecided()? {
            let id = undecided.request_id;
            self.client.reverse(id, ReversalReason::Cancelled).await?;
        }
        // What is left when the time is over is listed.
        let _still_pending = advices.wait_empty(patience).await;
        let left = Left {
            pending: advices.pending()?,
            rejected: advices.rejected()?,
        };
        self.client.shutdown(Duration::from_secs(1)).await;
        Ok(left)
    }
}

/// The advices that a flow could not bring to an end.
pub(crate) struct Left {
    pub(crate) pending: Vec<AdviceRecord>,
    pub(crate) rejected: Vec<AdviceRecord>,
}

/// Says what is wrong with the settings before anybody is asked, in the crate's own words: the tills
/// themselves know nothing but their relays.
pub(crate) async fn check(server: &Server) -> Result<(), Trouble> {
    let queue = tempfile::tempdir()?;
    let client = builder(server, &server.base_url, &queue).open().await?;
    client.shutdown(Duration::ZERO).await;
    Ok(())
}

fn builder(server: &Server, base_url: &str, queue: &TempDir) -> ClientBuilder {
    let defaults = server.defaults();
    let mut builder = Client::builder()
        .base_url(base_url)
        .credentials(Credentials::new(&server.user, server.password.clone()))
        .queue_dir(queue.path())
        .timeout(server.timeout)
        .deadline(2 * server.timeout)
        .retry_policy(RetryPolicy::default().pauses(FIRST_PAUSE, LONGEST_PAUSE));
    if let (Some(originator), Some(receiver), Some(settlement_entity)) = (
        defaults.originator,
        defaults.receiver,
        defaults.settlement_entity,
    ) {
        builder = builder
            .originator(originator)
            .receiver(receiver)
            .settlement_entity(settlement_entity);
    }
    if server.allow_plain_http {
        builder = builder.allow_plain_http();
    }
    if server.interface_table {
        builder = builder.answer_policy(InterfaceTable);
    }
    builder
}
