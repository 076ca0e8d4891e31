//! When each pending advice is to be sent next: a window on the list of them in the store.
//!
//! ```text
//!  the list    1  2  3  4  5  6  7  8  9 …
//!              left out ╰─ window ─╯  ▲
//!                                     cursor: from here on nobody has looked yet
//! ```
//!
//! 1. Due times are on the monotonic clock: a wall clock that jumps stalls nothing.
//! 2. Of what is due, the oldest goes first; with [`Discipline::InOrder`] nothing overtakes the oldest.
//! 3. An entry that is being sent is in nobody's way and is not handed out twice.
//! 4. Advices of one order go strictly one after the other.
//! 5. The window has a bound, however many are pending. What waits longest is left out of it first,
//!    and is looked at again in the next round, which begins at the oldest that was left out.
//! 6. Nothing here is durable: at open everything pending is due, after a pause of its own.
//! 7. A schedule that is held is complete, and hands nothing out.

mod ages;
mod orders;
mod window;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::model::RequestId;
pub(crate) use orders::{OrderKey, OrderKeys};
use window::Entries;

/// Far beyond any sensible delay, and far from where the monotonic clock overflows.
pub(super) const LONGEST_DELAY: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How many advices the window holds.
const WINDOW: usize = 1_024;

/// With so few due, the list is read on: whoever reads records ahead has to know which.
const FEW: usize = 64;

/// How long what was left out of the window waits for the next round, at the most.
const ROUND: Duration = Duration::from_secs(5 * 60);

/// However short the pauses are, the list is not read in circles.
const SHORTEST_ROUND: Duration = Duration::from_secs(1);

/// Whether an advice may overtake an older one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Discipline {
    /// One that waits holds up no other, except those of its own order.
    OldestFirst,
    /// Only the oldest of all is sent.
    InOrder,
}

/// The due times of pending advices, shared by the committer, the worker and the reader.
#[derive(Debug)]
pub(crate) struct Schedule {
    discipline: Discipline,
    entries: Mutex<Entries>,
    /// Whether nothing may be sent for now.
    is_held: AtomicBool,
    /// How often somebody was in a hurry.
    hurries: AtomicUsize,
    /// Told whenever something may have become due, so that the worker need not poll.
    changed: Notify,
    /// How many advices are pending, for those who wait for none.
    pending: watch::Sender<usize>,
}

/// What the worker has to know of an advice before it reads the record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scheduled {
    pub(crate) request_id: RequestId,
    /// Its place in the order of decisions.
    pub(crate) number: u64,
    /// Since when this process knows the advice; its request was sent before.
    pub(crate) known_since: Instant,
    /// Whether it may have been sent without a trace in its record: by an earlier process, or in an
    /// attempt whose outcome could not be recorded.
    pub(crate) possibly_sent: bool,
    /// How many attempts left no trace in its record.
    pub(crate) unrecorded: u32,
    /// How often in a row its record could not be read.
    pub(crate) unread: u32,
}

/// Where an advice stands on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    Waiting(Duration),
    InFlight,
    Held,
}

impl Default for Schedule {
    fn default() -> Self {
        Schedule::new(Discipline::OldestFirst)
    }
}

impl Schedule {
    pub(crate) fn new(discipline: Discipline) -> Schedule {
        let now = Instant::now();
        Schedule {
            discipline,
            entries: Mutex::new(Entries::new(now)),
            is_held: AtomicBool::new(false),
            hurries: AtomicUsize::new(0),
            changed: Notify::new(),
            pending: watch::Sender::new(0),
        }
    }

    /// Lets what there is no room for in the window wait no longer than what is in it: for `pause`.
    pub(crate) fn with_rounds_of(self, pause: Duration) -> Schedule {
        self.entries().round = pause.clamp(SHORTEST_ROUND, ROUND);
        self
    }

    /// Hands nothing out until it is released.
    pub(crate) fn hold(&self) {
        self.is_held.store(true, Ordering::Release);
    }

    pub(crate) fn release(&self) {
        self.is_held.store(false, Ordering::Release);
        self.nudge();
    }

    fn is_held(&self) -> bool {
        self.is_held.load(Ordering::Acquire)
    }

    /// Begins with a list of so many advices, whose numbers are all below `end`.
    pub(crate) fn begin(&self, pending: usize, end: u64) {
        let mut entries = self.entries();
        entries.end = end;
        entries.opened_before = end;
        entries.ages.begin(end);
        self.pending.send_replace(pending);
    }

    /// Lets what was pending at the open wait for so long, so that not all tills that got their power
    /// back at the same moment send at the same moment.
    pub(crate) fn hold_backlog(&self, pause: Duration) {
        self.entries().backlog_due_at = Instant::now() + pause.min(LONGEST_DELAY);
    }

    /// Takes note of what was put on the list, and of what was taken off.
    pub(crate) fn follow(&self, added: &[(u64, RequestId)], settled: &[(u64, RequestId)]) {
        if added.is_empty() && settled.is_empty() {
            return;
        }
        let mut entries = self.entries();
        // What was refused may be on the list again, under another number.
        for (number, id) in settled {
            entries.remove(*number, *id);
        }
        for (number, id) in added {
            entries.note_added(*number, *id);
        }
        let counts = (added.len(), settled.len());
        self.pending
            .send_modify(|pending| *pending = (*pending + counts.0).saturating_sub(counts.1));
        drop(entries);
        self.changed.notify_one();
    }

    /// Where the list has to be read on before more is handed out; `None` where it need not be.
    pub(crate) fn unread(&self) -> Option<Unread> {
        let mut entries = self.entries();
        let now = Instant::now();
        entries.promote(now);
        let is_busy = match self.discipline {
            Discipline::OldestFirst => {
                entries.due.len() > FEW || entries.is_full_of_backlog(now) || entries.is_stuck()
            }
            Discipline::InOrder => !entries.all.is_empty(),
        };
        if is_busy {
            return None;
        }
        entries.begin_round_if_due(now);
        (entries.cursor < entries.end).then_some(Unread {
            from: entries.cursor,
            end: entries.end,
        })
    }

    /// Takes in what the list has from `unread` on; `is_all` where that was all of it.
    pub(crate) fn take_in(&self, unread: Unread, listed: &[(u64, RequestId)], is_all: bool) {
        let mut entries = self.entries();
        for (number, id) in listed {
            entries.take_in(*number, *id);
        }
        let read = listed.last().map_or(unread.from, |(last, _)| last + 1);
        entries.cursor = if is_all { read.max(unread.end) } else { read };
        entries.shrink();
        if entries.cursor >= entries.end {
            for number in entries.orders.end_round() {
                entries.wake(number);
            }
        }
    }

    /// Hands out the oldest advice that is due, which is in flight from then on.
    pub(crate) fn take_due(&self) -> Option<Scheduled> {
        self.take(|entries| entries.due.first_key_value().map(|(number, _)| *number))
    }

    /// Hands out the advice that has been due for longest. One that nobody ever answers is not the
    /// next one again, however old it is.
    pub(crate) fn take_longest_due(&self) -> Option<Scheduled> {
        self.take(Entries::longest_due)
    }

    /// The oldest advices that are due, at most so many.
    pub(crate) fn due_next(&self, count: usize) -> Vec<RequestId> {
        let entries = self.entries();
        entries.due.values().take(count).copied().collect()
    }

    fn take(&self, choose: impl FnOnce(&Entries) -> Option<u64>) -> Option<Scheduled> {
        if self.is_held() {
            return None;
        }
        let mut entries = self.entries();
        entries.promote(Instant::now());
        let number = match self.discipline {
            Discipline::OldestFirst => choose(&entries)?,
            Discipline::InOrder => *entries.numbers.first_key_value()?.0,
        };
        let request_id = entries.due.remove(&number)?;
        let entry = entries.all.get_mut(&request_id)?;
        entry.due_at = None;
        Some(entry.scheduled)
    }

    /// The record of what is in flight could be read, at last.
    pub(crate) fn was_read(&self, request_id: RequestId) {
        if let Some(entry) = self.entries().all.get_mut(&request_id) {
            entry.scheduled.unread = 0;
        }
    }

    /// Whether no older advice of the same order is unsettled. If there is one, this one is due when
    /// that is settled; where nobody knows yet, when that can be told.
    pub(crate) fn may_go(&self, scheduled: Scheduled, order: Option<OrderKey>) -> bool {
        let Some(order) = order else { return true };
        let mut entries = self.entries();
        if let Some(due_at) = entries.older_wait_until(scheduled.number) {
            entries.put_back(scheduled, due_at);
            return false;
        }
        if let Some(entry) = entries.all.get_mut(&scheduled.request_id) {
            entry.order = Some(order);
        }
        let cursor = entries.cursor;
        let is_first = entries.orders.enter(order, scheduled.number, cursor);
        if !is_first {
            let round_at = Instant::now() + entries.round;
            entries.put_back(scheduled, round_at);
        }
        is_first
    }

    /// Puts an advice back that was in flight, due again after `delay`.
    pub(crate) fn again(&self, scheduled: Scheduled, delay: Duration) {
        let due_at = Instant::now() + delay.min(LONGEST_DELAY);
        let mut entries = self.entries();
        entries.put_back(scheduled, due_at);
        entries.shrink();
    }

    /// Puts an advice back that was taken, before all others: it has been due for as long as it is known.
    pub(crate) fn first_again(&self, scheduled: Scheduled) {
        self.entries().put_back(scheduled, scheduled.known_since);
    }

    /// Forgets an advice that turned out to be settled.
    pub(crate) fn forget(&self, scheduled: Scheduled) {
        let mut entries = self.entries();
        entries.remove(scheduled.number, scheduled.request_id);
    }

    /// Gives up an advice whose record is damaged: it stays on the list, and is pending no more.
    pub(crate) fn set_aside(&self, scheduled: Scheduled) {
        let mut entries = self.entries();
        entries.remove(scheduled.number, scheduled.request_id);
        if !entries.set_aside.insert(scheduled.request_id) {
            return;
        }
        drop(entries);
        self.pending
            .send_modify(|pending| *pending = pending.saturating_sub(1));
    }

    /// Makes everything due that is not in flight.
    pub(crate) fn hurry(&self) {
        self.hurries.fetch_add(1, Ordering::AcqRel);
        let mut entries = self.entries();
        let now = Instant::now();
        entries.backlog_due_at = now;
        for (_, number, id) in std::mem::take(&mut entries.waiting) {
            entries.make_due(number, id, now);
        }
        if let Some(left_out) = &mut entries.left_out {
            left_out.round_at = now;
        }
        drop(entries);
        self.changed.notify_one();
    }

    /// How many of the pending advices nobody can read: for good, and for now, as far as was tried.
    pub(crate) fn unreadable(&self) -> (usize, usize) {
        let entries = self.entries();
        let all = entries.all.values();
        let unread = all.filter(|entry| entry.scheduled.unread > 0).count();
        (entries.set_aside.len(), unread + entries.unread.len())
    }

    /// How often somebody was in a hurry so far.
    pub(crate) fn hurries(&self) -> usize {
        self.hurries.load(Ordering::Acquire)
    }

    /// When the next advice will be due; `None` while there is none, or all are held.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        if self.is_held() {
            return None;
        }
        let entries = self.entries();
        let now = Instant::now();
        if self.discipline == Discipline::InOrder {
            let (_, oldest) = entries.numbers.first_key_value()?;
            let oldest = entries.all.get(oldest)?;
            return oldest.due_at.map(|due_at| due_at.max(now));
        }
        if !entries.due.is_empty() {
            return Some(now);
        }
        let waiting = entries.waiting.first().map(|(due_at, ..)| *due_at);
        let is_full = entries.is_full_of_backlog(now);
        let round = entries.left_out.map(|left_out| match is_full {
            // Nothing is read before that.
            true => left_out.round_at.max(entries.backlog_due_at),
            false => left_out.round_at,
        });
        waiting.into_iter().chain(round).min()
    }

    /// Where the advice of `request_id` stands; `None` while nobody has looked at it.
    pub(crate) fn position(&self, request_id: RequestId) -> Option<Position> {
        if self.is_held() {
            return Some(Position::Held);
        }
        let entries = self.entries();
        let entry = entries.all.get(&request_id)?;
        Some(match entry.due_at {
            Some(due_at) => Position::Waiting(due_at.saturating_duration_since(Instant::now())),
            None => Position::InFlight,
        })
    }

    /// The advice that all others wait for.
    pub(crate) fn blocking(&self) -> Option<RequestId> {
        let entries = self.entries();
        let oldest = entries.numbers.first_key_value()?;
        (self.discipline == Discipline::InOrder).then_some(*oldest.1)
    }

    /// How many advices are pending.
    pub(crate) fn len(&self) -> usize {
        *self.pending.borrow()
    }

    /// Tells whenever the list of pending advices changes.
    pub(crate) fn subscribe(&self) -> watch::Receiver<usize> {
        self.pending.subscribe()
    }

    /// Returns once nothing is pending, or `is_over` says so when it is asked again.
    pub(crate) async fn emptied_or(&self, is_over: impl Fn() -> bool) {
        let mut changes = self.pending.subscribe();
        // Cannot fail: the sender lives in `self`.
        let _ = changes.wait_for(|pending| *pending == 0 || is_over()).await;
    }

    #[cfg(test)]
    pub(super) async fn emptied(&self) {
        self.emptied_or(|| false).await;
    }

    /// Has everybody look again who waits for an advice.
    pub(crate) fn tell_waiting(&self) {
        self.pending.send_modify(|_| {});
    }

    /// How many advices the window holds.
    #[cfg(test)]
    pub(super) fn window(&self) -> usize {
        self.entries().all.len()
    }

    /// Has the worker look again.
    pub(crate) fn nudge(&self) {
        self.changed.notify_one();
    }

    /// Returns after the next change, or at once if there was one since the last call.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // No call below can panic half way through a change.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part of the list that was not read yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unread {
    pub(crate) from: u64,
    end: u64,
}

#[cfg(test)]
mod tests;
