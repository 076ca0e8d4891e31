//! Sell and pay out money transfers from a till.

pub mod api;
mod client;
pub mod model;
mod saf;
#[cfg(feature = "simulator")]
pub mod simulator;
mod store;

pub use client::*;
