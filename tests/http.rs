//! The promise: whatever the network and the upstream do, a message is sent once at the most, waits no longer than it may,
//! and its outcome is never taken for better than it is.
//!
//! The upstream is a raw socket here, so that it can break every rule.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "http/mod.rs"]
mod raw;
mod support;

#[path = "http/addresses.rs"]
mod addresses;
#[path = "http/broken_answers.rs"]
mod broken_answers;
#[path = "http/connections.rs"]
mod connections;
#[path = "http/proxies.rs"]
mod proxies;
#[path = "http/secrets.rs"]
mod secrets;
#[path = "http/waiting.rs"]
mod waiting;
