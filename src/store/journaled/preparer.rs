//! The thread that makes segments before they are needed.

use std::sync::PoisonError;
use std::time::Duration;

use super::{Shared, Signals, lock};

/// How long to wait before another attempt, when the disk has no room.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Works until the store is closed. Asleep while there are enough segments.
pub(super) fn prepare_spares(shared: &Shared) {
    let mut pause = SHORTEST_PAUSE;
    while wait_for_work(shared) {
        match shared.journal.prepare() {
            Ok(are_enough) => {
                pause = SHORTEST_PAUSE;
                lock(&shared.signals).wants_spare = !are_enough;
            }
            Err(error) => {
                tracing::warn!(%error, "the queue has no room to grow");
                wait_for(shared, pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Whether there is something to do; otherwise the store is closed.
fn wait_for_work(shared: &Shared) -> bool {
    let is_idle = |signals: &mut Signals| !signals.is_closing && !signals.wants_spare;
    let signals = shared.changed.wait_while(lock(&shared.signals), is_idle);
    !signals.unwrap_or_else(PoisonError::into_inner).is_closing
}

fn wait_for(shared: &Shared, pause: Duration) {
    let is_open = |signals: &mut Signals| !signals.is_closing;
    let signals = lock(&shared.signals);
    // Whether it timed out does not matter: whoever waits looks again.
    drop(shared.changed.wait_timeout_while(signals, pause, is_open));
}
