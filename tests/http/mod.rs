//! What the tests over raw sockets share.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs
)]

pub mod answers;
pub mod desk;
pub mod server;
