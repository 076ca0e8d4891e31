//! A repeat is the same bytes, whatever the client is set up with when it is opened again.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "http/mod.rs"]
mod raw;
mod support;

use money_transfer_retailer::model::Institution;
use money_transfer_retailer::policy::InterfaceTable;
use money_transfer_retailer::{Client, ClientBuilder, Credentials};
use raw::answers::{bare, good};
use raw::server::{Received, Upstream};
use std::path::Path;
use support::{PATIENCE, approved, order, till};

/// Takes no confirmation of the old password, whatever comes with it.
fn answer(request: &Received) -> Vec<u8> {
    let is_old = request.header("authorization") == Some("Basic MTIzNDU2NzpwYXNzd29yZA==");
    match request.path() {
        "/orders/confirmations" if is_old => bare(500, ""),
        _ => good(request),
    }
}

fn changed(builder: ClientBuilder) -> ClientBuilder {
    builder
        .credentials(Credentials::new("1234567", "another"))
        .client(Institution::new("1234567", "Another name"))
        .receiver(Institution::new("999999", "Another provider"))
        .settlement_entity(Institution::new("888888", "Another settler"))
        .user_agent("another/2")
        .in_order()
        .answer_policy(InterfaceTable)
}

async fn reopened(till: Client, base_url: &str, queue: &Path) -> Client {
    till.shutdown(PATIENCE).await;
    changed(support::till(base_url, queue))
        .open()
        .await
        .unwrap()
}

#[tokio::test]
async fn repeats_are_the_same_bytes_across_a_restart_with_other_defaults_and_another_password() {
    let upstream = Upstream::answering(answer).await;
    let (base_url, queue) = (upstream.base_url(), tempfile::tempdir().unwrap());
    let first = till(&base_url, queue.path()).open().await.unwrap();
    let sold = approved(first.create_order(order()).await.unwrap());
    sold.confirm().await.unwrap();
    upstream.wait_for(4).await;
    let second = reopened(first, &base_url, queue.path()).await;
    second.advices().wait_empty(PATIENCE).await.unwrap();

    let sent = upstream.received_at("POST", "/orders/confirmations");
    assert!(sent.len() >= 4);
    assert!(sent.iter().all(|one| one.body == sent[0].body));
    let last = sent.last().unwrap();
    assert_eq!(last.header("user-agent"), Some("another/2"));
    assert_ne!(
        last.header("authorization"),
        sent[0].header("authorization")
    );
    // What is new is written with what is new.
    let _ = approved(second.create_order(order()).await.unwrap());
    let asked = upstream.received_at("POST", "/orders");
    assert_ne!(asked[0].json()["receiver"], asked[1].json()["receiver"]);
}
