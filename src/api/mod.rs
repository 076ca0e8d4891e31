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

mod answer_policy;
mod body;
mod credentials;
mod failure;
mod http;
pub(crate) mod outcome;
mod retry_after;
mod settings;
mod transport;
mod word;

pub use answer_policy::{
    AdviceMeaning, AnswerPolicy, AnsweredAdvice, AnsweredRequest, InDoubt, InterfaceTable,
    RequestMeaning,
};
pub(crate) use body::json_body;
pub use credentials::Credentials;
pub use failure::{Declined, NotSent, NotSentReason, Problem, Unanswered, Unusable};
pub(crate) use http::HttpTransport;
pub use settings::HttpSetupError;
pub(crate) use settings::{ClientIdentity, HttpSettings};
pub(crate) use transport::{Answer, BodyEnd, Call, Exchange, NoAnswer, Now, Transport};
pub use word::Trouble;
pub(crate) use word::Word;
