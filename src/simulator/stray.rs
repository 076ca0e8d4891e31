//! What reaches the server and is no message: unknown paths, other methods, bodies that are too long, resets.

use http::Method;

/// An HTTP request that is no message of the interface.
#[derive(Clone, Debug)]
pub struct Stray {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) status: u16,
}

impl Stray {
    /// Its HTTP method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Its path, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The status that it is answered with.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }
}
