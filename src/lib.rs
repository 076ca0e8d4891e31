//! Sell and pay out money transfers from a till.

pub mod model;
#[cfg(feature = "simulator")]
pub mod simulator;
