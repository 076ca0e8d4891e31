//! The promise: every schema, field, enumeration value and query parameter of the interface is spoken as the interface
//! has it.
//!
//! The facts are in `contract/mtri-2.22.openapi.json`. Nothing here repeats them: examples are made from the facts, read
//! into our types, written again and held against the facts. A fact without a counterpart in our types fails a test.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "contract/boundaries.rs"]
mod boundaries;
#[path = "contract/coverage.rs"]
mod coverage;
#[path = "contract/facts.rs"]
mod facts;
#[path = "contract/queries.rs"]
mod queries;
#[path = "contract/refused.rs"]
mod refused;
#[path = "contract/rules.rs"]
mod rules;
mod support;
#[path = "contract/types.rs"]
mod types;
#[path = "contract/written.rs"]
mod written;
