//! The till of the damage trials as a program of its own, which can be built to abort on a panic.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub
)]

#[path = "../support/mod.rs"]
mod support;
#[path = "till.rs"]
mod till;

#[tokio::main]
async fn main() {
    till::open_and_deliver().await;
}
