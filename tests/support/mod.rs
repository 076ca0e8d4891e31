//! A till, its upstream, and what they say to each other: shared by the tests.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs
)]

use std::path::Path;
use std::time::Duration;

use money_transfer_retailer::model::{
    CancelOrderRequest, CreateOrderRequest, CreateOrderResponse, EncryptedPin,
    EncryptionParameters, Institution, Merchant, MerchantName, Money, Originator, PersonalDetails,
    RedeemOrderRequest, Sensitive,
};
use money_transfer_retailer::simulator::Simulator;
use money_transfer_retailer::{
    Approved, Client, ClientBuilder, Credentials, OrderOutcome, RetryPolicy,
};
use tempfile::TempDir;

/// Long enough for every machine; a test that waits so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The timeout of the tests' tills.
pub const TIMEOUT: Duration = Duration::from_secs(1);

/// A till with an upstream of its own.
pub struct Shop {
    pub upstream: Simulator,
    pub till: Client,
    pub queue: TempDir,
}

impl Shop {
    pub async fn open() -> Shop {
        Shop::open_with(|till| till).await
    }

    pub async fn open_with(settings: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Shop {
        let upstream = Simulator::start().await.unwrap();
        let queue = tempfile::tempdir().unwrap();
        let till = settings(till(&upstream.base_url(), queue.path()));
        Shop {
            upstream,
            till: till.open().await.unwrap(),
            queue,
        }
    }

    /// Shuts the till down and opens it again on the same queue.
    pub async fn reopen(self) -> Shop {
        self.reopen_with(|till| till).await
    }

    pub async fn reopen_with(self, settings: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Shop {
        self.till.shutdown(PATIENCE).await;
        let till = settings(till(&self.upstream.base_url(), self.queue.path()));
        Shop {
            till: till.open().await.unwrap(),
            ..self
        }
    }

    pub async fn approved(&self) -> Approved<CreateOrderResponse> {
        approved(self.till.create_order(order()).await.unwrap())
    }

    /// Sells an order with a [`pin`], and returns its redeem reference.
    pub async fn sold(&self) -> Sensitive {
        let mut request = order();
        request.pin = Some(pin("0123456789ABCDEF"));
        let order = approved(self.till.create_order(request).await.unwrap());
        let reference = order.response().order_redeem_ref.clone().unwrap();
        order.confirm().await.unwrap();
        self.drained().await;
        reference
    }

    pub async fn drained(&self) {
        self.till.advices().wait_empty(PATIENCE).await.unwrap();
    }
}

pub fn approved<R: std::fmt::Debug>(outcome: OrderOutcome<R>) -> Approved<R> {
    match outcome {
        OrderOutcome::Approved(approved) => approved,
        other => panic!("not approved: {other:?}"),
    }
}

pub fn till(base_url: &str, queue_dir: &Path) -> ClientBuilder {
    Client::builder()
        .base_url(base_url)
        .credentials(Credentials::new("1234567", "password"))
        .queue_dir(queue_dir)
        .originator(originator())
        .receiver(Institution::new("627821", "Provider"))
        .settlement_entity(Institution::new("777000", "Settler"))
        .timeout(TIMEOUT)
        .retry_policy(impatient())
}

/// Pauses that a test can wait for.
pub fn impatient() -> RetryPolicy {
    let (first, longest) = (Duration::from_millis(10), Duration::from_millis(50));
    RetryPolicy::default().pauses(first, longest).rate(2_000.0)
}

pub fn originator() -> Originator {
    let name = MerchantName::builder()
        .name("Corner Shop")
        .city("Cape Town")
        .region("WC")
        .country("ZA")
        .build();
    let merchant = Merchant::builder()
        .merchant_type("5411")
        .merchant_id("100000000012345")
        .merchant_name(name)
        .build();
    Originator::builder()
        .institution(Institution::new("588892", "Retailer"))
        .terminal_id("TILL0007")
        .merchant(merchant)
        .build()
}

pub fn order() -> CreateOrderRequest {
    order_of(79_995)
}

pub fn order_of(minor_units: i64) -> CreateOrderRequest {
    CreateOrderRequest::builder()
        .amount(Money::zar(minor_units))
        .new_customer(true)
        .sender_details(
            PersonalDetails::builder()
                .first_name("Thandi")
                .last_name("Nkosi")
                .id_number("8001015009087")
                .contact_number("+27821234567")
                .build(),
        )
        .build()
}

/// Pays out what [`Shop::sold`] sold.
pub fn redemption(reference: &Sensitive) -> RedeemOrderRequest {
    RedeemOrderRequest::builder()
        .order_redeem_ref(reference.clone())
        .amount(Money::zar(79_995))
        .pin(pin("0123456789ABCDEF"))
        .build()
}

pub fn cancellation(reference: &Sensitive) -> CancelOrderRequest {
    CancelOrderRequest::builder()
        .order_redeem_ref(reference.clone())
        .build()
}

pub fn pin(block: &str) -> EncryptedPin {
    let parameters = EncryptionParameters::builder()
        .account_number("123456789012")
        .build();
    EncryptedPin::builder()
        .pin_block(block)
        .encryption_parameters(parameters)
        .build()
}
