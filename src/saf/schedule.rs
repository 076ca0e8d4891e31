//! When each pending advice is to be sent next.
//!
//! 1. Due times are on the monotonic clock: a wall clock that jumps stalls nothing.
//! 2. Of what is due, the oldest goes first.
//! 3. An entry that is being sent is in nobody's way and is not handed out twice.
//! 4. Nothing here is durable: at open everything pending is due.
//! 5. A schedule that is held is complete, and hands nothing out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::model::RequestId;

/// Far beyond any sensible delay, and far from where the monotonic clock overflows.
const LONGEST_DELAY: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The due times of all pending advices, shared by the committer, the worker and the reader.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    entries: Mutex<Entries>,
    /// Whether nothing may be sent for now.
    is_held: AtomicBool,
    /// Told after every addition, so that the worker need not poll.
    added: Notify,
    /// How many advices are pending, for those who wait for none.
    pending: watch::Sender<usize>,
}

/// What the worker has to know of an advice before it reads the record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scheduled {
    pub(crate) request_id: RequestId,
    /// Its place in the order of age.
    pub(crate) sequence: u64,
    /// Since when this process knows the advice; its request was sent before.
    pub(crate) known_since: Instant,
    /// Whether it may have been sent without a trace in its record: by an earlier process, or in an
    /// attempt whose outcome could not be recorded.
    pub(crate) possibly_sent: bool,
}

/// Where an advice stands on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    Waiting(Duration),
    InFlight,
    Held,
}

#[derive(Debug, Default)]
struct Entries {
    all: HashMap<RequestId, Entry>,
    /// Not yet due, by due time.
    waiting: BTreeSet<(Instant, u64, RequestId)>,
    /// Due, by age.
    due: BTreeMap<u64, RequestId>,
}

#[derive(Debug)]
struct Entry {
    scheduled: Scheduled,
    /// `None` while it is in flight.
    due_at: Option<Instant>,
}

impl Schedule {
    /// Hands nothing out until it is released.
    pub(crate) fn hold(&self) {
        self.is_held.store(true, Ordering::Release);
    }

    pub(crate) fn release(&self) {
        self.is_held.store(false, Ordering::Release);
        self.added.notify_one();
    }

    fn is_held(&self) -> bool {
        self.is_held.load(Ordering::Acquire)
    }

    /// Adds an advice, due now. One that is there already stays as it is.
    pub(crate) fn add(&self, request_id: RequestId, sequence: u64, possibly_sent: bool) {
        let now = Instant::now();
        let scheduled = Scheduled {
            request_id,
            sequence,
            known_since: now,
            possibly_sent,
        };
        let due_at = Some(now);
        let mut entries = self.entries();
        if entries.all.contains_key(&request_id) {
            return;
        }
        entries.all.insert(request_id, Entry { scheduled, due_at });
        entries.waiting.insert((now, sequence, request_id));
        self.pending.send_replace(entries.all.len());
        drop(entries);
        self.added.notify_one();
    }

    /// Hands out the oldest advice that is due, which is in flight from then on.
    pub(crate) fn take_due(&self) -> Option<Scheduled> {
        if self.is_held() {
            return None;
        }
        let mut entries = self.entries();
        entries.promote(Instant::now());
        let (_, request_id) = entries.due.pop_first()?;
        let entry = entries.all.get_mut(&request_id)?;
        entry.due_at = None;
        Some(entry.scheduled)
    }

    /// Puts an advice back that was in flight, due again after `delay`.
    pub(crate) fn again(&self, scheduled: Scheduled, delay: Duration) {
        let due_at = Instant::now() + delay.min(LONGEST_DELAY);
        let mut entries = self.entries();
        let Some(entry) = entries.all.get_mut(&scheduled.request_id) else {
            return;
        };
        entry.scheduled = scheduled;
        entry.due_at = Some(due_at);
        let key = (due_at, scheduled.sequence, scheduled.request_id);
        entries.waiting.insert(key);
    }

    /// Forgets an advice that is settled.
    pub(crate) fn remove(&self, request_id: RequestId) {
        let mut entries = self.entries();
        entries.all.remove(&request_id);
        self.pending.send_replace(entries.all.len());
    }

    /// When the next advice will be due; `None` while there is none, or all are held.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        if self.is_held() {
            return None;
        }
        let entries = self.entries();
        if entries.due.is_empty() {
            entries.waiting.first().map(|(due_at, ..)| *due_at)
        } else {
            Some(Instant::now())
        }
    }

    /// Where the advice of `request_id` stands.
    pub(crate) fn position(&self, request_id: RequestId) -> Option<Position> {
        let entries = self.entries();
        let entry = entries.all.get(&request_id)?;
        Some(match entry.due_at {
            _ if self.is_held() => Position::Held,
            Some(due_at) => Position::Waiting(due_at.saturating_duration_since(Instant::now())),
            None => Position::InFlight,
        })
    }

    /// How many advices are pending.
    pub(crate) fn len(&self) -> usize {
        *self.pending.borrow()
    }

    /// Returns once nothing is pending.
    pub(crate) async fn emptied(&self) {
        // Cannot fail: the sender lives in `self`.
        let _ = self
            .pending
            .subscribe()
            .wait_for(|pending| *pending == 0)
            .await;
    }

    /// Returns after the next addition, or at once if there was one since the last call.
    pub(crate) async fn added(&self) {
        self.added.notified().await;
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // No call below can panic half way through a change.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    /// Moves what has become due from the order of time to the order of age.
    fn promote(&mut self, now: Instant) {
        while let Some(first) = self.waiting.first().copied() {
            let (due_at, sequence, request_id) = first;
            if due_at > now {
                return;
            }
            self.waiting.remove(&first);
            self.due.insert(sequence, request_id);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn add(schedule: &Schedule, sequence: u64) -> RequestId {
        let id = RequestId::random();
        schedule.add(id, sequence, false);
        id
    }

    #[tokio::test(start_paused = true)]
    async fn of_what_is_due_the_oldest_goes_first() {
        let schedule = Schedule::default();
        let young = add(&schedule, 2);
        let old = add(&schedule, 1);
        assert_eq!(schedule.take_due().unwrap().request_id, old);
        assert_eq!(schedule.take_due().unwrap().request_id, young);
        assert!(schedule.take_due().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_put_back_is_due_after_its_delay_and_not_before() {
        let schedule = Schedule::default();
        let id = add(&schedule, 1);
        let delay = Duration::from_secs(5);
        schedule.again(schedule.take_due().unwrap(), delay);
        assert_eq!(schedule.position(id), Some(Position::Waiting(delay)));
        tokio::time::advance(delay - Duration::from_millis(1)).await;
        assert!(schedule.take_due().is_none());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(schedule.take_due().unwrap().request_id, id);
        assert_eq!(schedule.position(id), Some(Position::InFlight));
    }

    #[tokio::test(start_paused = true)]
    async fn an_advice_that_waits_holds_up_no_younger_one() {
        let schedule = Schedule::default();
        add(&schedule, 1);
        schedule.again(schedule.take_due().unwrap(), Duration::from_secs(60));
        let young = add(&schedule, 2);
        assert_eq!(schedule.take_due().unwrap().request_id, young);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_held_is_there_and_not_handed_out_until_it_is_released() {
        let schedule = Schedule::default();
        schedule.hold();
        let id = add(&schedule, 1);
        assert!(schedule.take_due().is_none() && schedule.next_due().is_none());
        assert_eq!(schedule.position(id), Some(Position::Held));
        assert_eq!(schedule.len(), 1);
        schedule.added().await;
        schedule.release();
        schedule.added().await;
        assert_eq!(schedule.take_due().unwrap().request_id, id);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_added_twice_is_handed_out_once() {
        let schedule = Schedule::default();
        let id = RequestId::random();
        for _ in 0..2 {
            schedule.add(id, 1, false);
        }
        assert!(schedule.take_due().is_some());
        schedule.add(id, 1, false);
        assert!(schedule.take_due().is_none(), "it is in flight");
    }

    #[tokio::test(start_paused = true)]
    async fn an_addition_before_the_wait_is_not_missed() {
        let schedule = Schedule::default();
        add(&schedule, 1);
        let waited = tokio::time::timeout(Duration::from_secs(1), schedule.added()).await;
        assert!(waited.is_ok());
    }
}
