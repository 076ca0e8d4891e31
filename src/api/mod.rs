//! One call, one exchange: the operations of the interface over HTTP, without a memory.
//!
//! ```text
//!  Call ──▶ Transport ──▶ Answer ───▶ outcome ──▶ approved, declined, refused, unknown …
//!              │
//!              └────────▶ NoAnswer ─▶ outcome ──▶ not sent, unknown
//! ```
//!
//! 1. This room never remembers: what must survive is the business of the rooms above.
//! 2. Only `http.rs` knows which HTTP library is used; everything else sees [`Transport`].
//! 3. What an answer *means* is decided in `outcome.rs` and nowhere else.

mod body;
mod credentials;
mod http;
pub(crate) mod outcome;
mod retry_after;
mod settings;
mod transport;

pub(crate) use body::json_body;
pub use credentials::Credentials;
pub(crate) use http::HttpTransport;
pub use outcome::{Declined, NotSent, NotSentReason, Problem, Unanswered, Unusable};
pub use settings::HttpSetupError;
pub(crate) use settings::{ClientIdentity, HttpSettings};
pub(crate) use transport::{Answer, BodyEnd, Call, Exchange, NoAnswer, Now, Transport};
