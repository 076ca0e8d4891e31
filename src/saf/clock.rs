//! The one place that reads the time of day.
//!
//! Waiting is done on the runtime's monotonic clock; the time of day is only ever written down.

use std::sync::Arc;

use crate::model::Timestamp;
use crate::store::Uptime;

/// Tells the time of day.
pub(crate) trait Clock: Send + Sync {
    /// Now, with milliseconds.
    fn now(&self) -> Timestamp;
}

/// The operating system's clock, in UTC.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one place")]
    fn now(&self) -> Timestamp {
        let now = chrono::Utc::now();
        // A clock beyond the year 9999 has no RFC 3339 form.
        Timestamp::from_unix_millis(now.timestamp_millis()).unwrap_or(Timestamp::unix_epoch())
    }
}

/// Whatever tells the time of day, for programs that let it jump.
#[cfg(feature = "simulator")]
pub(crate) struct AnyClock<F>(pub(crate) F);

#[cfg(feature = "simulator")]
impl<F: Fn() -> Timestamp + Send + Sync> Clock for AnyClock<F> {
    fn now(&self) -> Timestamp {
        (self.0)()
    }
}

/// Tells for how long it has been since this was called, on the monotonic clock.
#[allow(clippy::disallowed_methods, reason = "the one place")]
pub(crate) fn uptime() -> Uptime {
    let started = std::time::Instant::now();
    Arc::new(move || started.elapsed())
}
