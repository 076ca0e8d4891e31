//! Sell and pay out money transfers from a till, over the Money Transfer Retailer Interface.
//!
//! A till asks the upstream to create an order, the customer pays, and the till *confirms*: an
//! advice that has to arrive whatever happens to the network, the power or the process. This crate
//! is the typed client for that interface, with a durable queue that keeps every such promise.
//!
//! ```
//! use money_transfer_retailer::model::{CreateOrderRequest, Money, PersonalDetails, ReversalReason};
//! use money_transfer_retailer::{Client, OrderOutcome};
//!
//! async fn sell(till: &Client, sender: PersonalDetails) -> Result<(), Box<dyn std::error::Error>> {
//!     let request = CreateOrderRequest::builder()
//!         .amount(Money::zar(79_995))
//!         .sender_details(sender)
//!         .new_customer(true)
//!         .build();
//!     match till.create_order(request).await? {
//!         OrderOutcome::Approved(order) if customer_pays(order.response().amount.minor_units) => {
//!             order.confirm().await?; // on the disk, and sent until the upstream has it
//!         }
//!         OrderOutcome::Approved(order) => {
//!             order.reverse(ReversalReason::Cancelled).await?;
//!         }
//!         OrderOutcome::Declined(why) => println!("declined: {why}"),
//!         OrderOutcome::NotSent(why) => println!("nothing happened: {why}"),
//!         OrderOutcome::Unknown(_) => println!("take no money: the order is being reversed"),
//!     }
//!     for advice in till.advices().pending()? {
//!         println!("{} tried {} times, {}", advice.operation, advice.attempts, advice.state);
//!     }
//!     Ok(())
//! }
//! # fn customer_pays(_: i64) -> bool { true }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! #     use money_transfer_retailer::model::{Institution, Merchant, MerchantName, Originator};
//! #     use money_transfer_retailer::{Credentials, simulator::{Operation, Simulator}};
//! #     let upstream = Simulator::start().await?;
//! #     let queue = tempfile::tempdir()?;
//! #     let shop = MerchantName::builder().name("Shop").city("Cape Town").region("WC").country("ZA").build();
//! #     let merchant = Merchant::builder().merchant_type("5411").merchant_id("100000000012345").merchant_name(shop).build();
//! #     let originator = Originator::builder().institution(Institution::new("588892", "Retailer")).terminal_id("TILL0007").merchant(merchant).build();
//! #     let till = Client::builder().base_url(upstream.base_url()).credentials(Credentials::new("1234567", "password"))
//! #         .queue_dir(queue.path()).originator(originator).receiver(Institution::new("627821", "Provider")).settlement_entity(Institution::new("777000", "Settler")).open().await?;
//! #     sell(&till, PersonalDetails::builder().id_number("8001015009087").build()).await?;
//! #     till.advices().wait_empty(std::time::Duration::from_secs(10)).await?;
//! #     assert_eq!(upstream.book().count(Operation::ConfirmPayment), 1);
//! #     Ok(())
//! # }
//! ```
//!
//! # What is guaranteed
//! 1. When `confirm` or `reverse` returns `Ok`, the decision is on the disk and is sent until the
//!    upstream gives a final answer: the same bytes every time.
//! 2. A financial request is on the disk before its first byte leaves. If its outcome stays unknown
//!    it is reversed without anyone asking, after a crash too.
//! 3. A transaction is confirmed or reversed, never both.
//! 4. No PIN, identity number, personal detail or password reaches a file or a log.
//!
//! # Layout
//! * [`Client`]: what a till uses; [`Approved`]: an order that waits for the till's decision.
//! * [`Advices`]: what is pending, rejected or undecided.
//! * [`model`]: the messages of the interface.
//! * `simulator` (feature): an upstream in the same process, with a book and scripted faults.
//!
//! Below them, unseen: `api` (one call, one exchange), `store` (durable bytes on sled) and `saf`
//! (store-and-forward: the ledger, the schedule and the delivery worker).

mod api;
mod client;
pub mod model;
mod saf;
#[cfg(feature = "simulator")]
pub mod simulator;
mod store;

pub use api::{
    Credentials, Declined, HttpSetupError, NotSent, NotSentReason, Problem, Unanswered, Unusable,
};
pub use client::{
    Advices, Approved, CancelOrderOutcome, Client, ClientBuilder, Confirmable, CreateOrderOutcome,
    DecisionError, HandedBack, OpenError, OrderOutcome, QueryError, QueuedAdvice,
    RedeemOrderOutcome, Remaining, RequestError, StillPending, Undecided, Unknown,
};
pub use model::{AdviceId, Operation, RequestId};
pub use saf::{
    AdviceRecord, AdviceState, Attempt, AttemptOutcome, Conflict, DamagedRecord, RetryPolicy,
    RetryPolicyError,
};
pub use store::StoreError;
