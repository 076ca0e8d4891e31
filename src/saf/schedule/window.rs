//! The advices that the schedule knows by heart.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use super::ages::Ages;
use super::orders::{OrderKey, Orders};
use super::{ROUND, Scheduled, WINDOW};
use crate::model::RequestId;

#[derive(Debug)]
pub(super) struct Entries {
    /// The window.
    pub(super) all: HashMap<RequestId, Entry>,
    /// The window by age.
    pub(super) numbers: BTreeMap<u64, RequestId>,
    /// Not yet due, by due time.
    pub(super) waiting: BTreeSet<(Instant, u64, RequestId)>,
    /// Due, by age.
    pub(super) due: BTreeMap<u64, RequestId>,
    pub(super) orders: Orders,
    /// The list was looked at up to here.
    pub(super) cursor: u64,
    /// The first number that is not on the list yet.
    pub(super) end: u64,
    /// How long what was left out waits for the next round: as long as anything that is repeated.
    pub(super) round: Duration,
    pub(super) left_out: Option<LeftOut>,
    /// The first number that was not pending when the queue was opened.
    pub(super) opened_before: u64,
    /// When what was pending then may be sent.
    pub(super) backlog_due_at: Instant,
    pub(super) ages: Ages,
    /// On the list, and not pending: their records are damaged.
    pub(super) set_aside: HashSet<RequestId>,
    /// How often in a row the records of those could not be read that there was no room for since.
    pub(super) unread: HashMap<RequestId, u32>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) scheduled: Scheduled,
    /// `None` while it is in flight.
    pub(super) due_at: Option<Instant>,
    pub(super) order: Option<OrderKey>,
}

/// What there was no room for in the window.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeftOut {
    pub(super) first: u64,
    pub(super) round_at: Instant,
}

impl Entries {
    pub(super) fn new(now: Instant) -> Entries {
        Entries {
            all: HashMap::new(),
            numbers: BTreeMap::new(),
            waiting: BTreeSet::new(),
            due: BTreeMap::new(),
            orders: Orders::default(),
            cursor: 0,
            end: 0,
            round: ROUND,
            left_out: None,
            opened_before: 0,
            backlog_due_at: now,
            ages: Ages::new(now),
            set_aside: HashSet::new(),
            unread: HashMap::new(),
        }
    }

    pub(super) fn note_added(&mut self, number: u64, id: RequestId) {
        self.ages.note(number, Instant::now());
        // What follows right behind what was read need not be read.
        let is_next = self.cursor == self.end && number == self.end && self.all.len() < WINDOW;
        self.end = self.end.max(number + 1);
        if is_next {
            self.take_in(number, id);
            self.cursor = self.end;
        }
    }

    pub(super) fn take_in(&mut self, number: u64, request_id: RequestId) {
        if self.all.contains_key(&request_id) || self.set_aside.contains(&request_id) {
            return;
        }
        let now = Instant::now();
        let is_backlog = number < self.opened_before;
        let scheduled = Scheduled {
            request_id,
            number,
            known_since: self.ages.known_since(number),
            possibly_sent: is_backlog,
            unrecorded: 0,
            unread: self.unread.remove(&request_id).unwrap_or_default(),
        };
        let due_at = if is_backlog { self.backlog_due_at } else { now };
        let entry = Entry {
            scheduled,
            due_at: Some(due_at),
            order: None,
        };
        self.all.insert(request_id, entry);
        self.numbers.insert(number, request_id);
        self.waiting.insert((due_at, number, request_id));
    }

    /// When what was pending at the open is due, if that is older than `number` and still to come: it may
    /// be about the same order, and nobody has looked yet.
    pub(super) fn older_wait_until(&self, number: u64) -> Option<Instant> {
        let (oldest, _) = self.numbers.first_key_value()?;
        let is_behind = *oldest < self.opened_before && self.opened_before <= number;
        (is_behind && self.backlog_due_at > Instant::now()).then_some(self.backlog_due_at)
    }

    /// Whether what was pending at the open fills the window, and waits for its time: what follows it would
    /// be left out untried, and overtaken.
    pub(super) fn is_full_of_backlog(&self, now: Instant) -> bool {
        self.all.len() >= WINDOW && self.backlog_due_at > now
    }

    /// Moves what has become due from the order of time to the order of age.
    pub(super) fn promote(&mut self, now: Instant) {
        while let Some(first) = self.waiting.first().copied() {
            let (due_at, number, request_id) = first;
            if due_at > now {
                return;
            }
            self.waiting.remove(&first);
            self.due.insert(number, request_id);
        }
    }

    /// What came after the open counts as due no earlier than what was pending then: nobody may have
    /// looked yet whether that is about the same order.
    pub(super) fn longest_due(&self) -> Option<u64> {
        let due_at = |number, id| {
            let due_at = self.all.get(id).and_then(|entry| entry.due_at)?;
            match number < self.opened_before {
                true => Some(due_at),
                false => Some(due_at.max(self.backlog_due_at)),
            }
        };
        let due = self.due.iter();
        let longest = due.min_by_key(|(number, id)| (due_at(**number, id), **number));
        longest.map(|(number, _)| *number)
    }

    pub(super) fn make_due(&mut self, number: u64, id: RequestId, now: Instant) {
        if let Some(entry) = self.all.get_mut(&id) {
            entry.due_at = Some(now);
            self.due.insert(number, id);
        }
    }

    pub(super) fn put_back(&mut self, scheduled: Scheduled, due_at: Instant) {
        let Some(entry) = self.all.get_mut(&scheduled.request_id) else {
            return;
        };
        if entry.scheduled.number != scheduled.number {
            return;
        }
        let Scheduled {
            number, request_id, ..
        } = scheduled;
        entry.scheduled = scheduled;
        if let Some(before) = entry.due_at.replace(due_at) {
            self.waiting.remove(&(before, number, request_id));
            self.due.remove(&number);
        }
        self.waiting.insert((due_at, number, request_id));
    }

    /// Removes the advice that was the `number`th decision; what a person put on the list again in its
    /// place stays.
    pub(super) fn remove(&mut self, number: u64, request_id: RequestId) {
        let known = self.all.get(&request_id);
        if known.is_none_or(|entry| entry.scheduled.number != number) {
            return;
        }
        let Some(entry) = self.drop_entry(request_id) else {
            return;
        };
        let Some(order) = entry.order else { return };
        if let Some(next) = self.orders.leave(order, entry.scheduled.number) {
            self.wake(next);
        }
    }

    /// Makes the advice due that waited for an older one of its order.
    pub(super) fn wake(&mut self, number: u64) {
        let Some(id) = self.numbers.get(&number).copied() else {
            return;
        };
        let due_at = self.all.get(&id).and_then(|entry| entry.due_at);
        if let Some(due_at) = due_at
            && self.waiting.remove(&(due_at, number, id))
        {
            self.make_due(number, id, Instant::now());
        }
    }

    pub(super) fn drop_entry(&mut self, request_id: RequestId) -> Option<Entry> {
        let entry = self.all.remove(&request_id)?;
        let number = entry.scheduled.number;
        self.numbers.remove(&number);
        self.due.remove(&number);
        if let Some(due_at) = entry.due_at {
            self.waiting.remove(&(due_at, number, request_id));
        }
        Some(entry)
    }

    /// Whether there is no room, and none can be made.
    pub(super) fn is_stuck(&self) -> bool {
        self.all.len() >= WINDOW && self.last_to_leave_out().is_none()
    }

    /// Leaves out what waits longest, until the window has its size.
    pub(super) fn shrink(&mut self) {
        while self.all.len() > WINDOW {
            let Some(last) = self.last_to_leave_out() else {
                return;
            };
            self.leave_out(last);
        }
    }

    /// What may have been sent without a trace stays: only this window knows of it.
    pub(super) fn last_to_leave_out(&self) -> Option<RequestId> {
        let waiting = self.waiting.iter().rev();
        let can_go = |id: &RequestId| {
            self.all.get(id).is_some_and(|entry| {
                let scheduled = entry.scheduled;
                !scheduled.possibly_sent || scheduled.number < self.opened_before
            })
        };
        waiting.map(|(_, _, id)| *id).find(can_go)
    }

    pub(super) fn leave_out(&mut self, request_id: RequestId) {
        let Some(entry) = self.drop_entry(request_id) else {
            return;
        };
        let Scheduled { number, unread, .. } = entry.scheduled;
        if let Some(order) = entry.order {
            self.orders.leave_out(order, number);
        }
        if unread > 0 {
            self.unread.insert(request_id, unread);
        }
        let left_out = self.left_out.get_or_insert_with(|| LeftOut {
            first: number,
            round_at: Instant::now() + self.round,
        });
        left_out.first = left_out.first.min(number);
    }

    pub(super) fn begin_round_if_due(&mut self, now: Instant) {
        if self.cursor < self.end {
            return;
        }
        if let Some(left_out) = self.left_out.take_if(|left_out| left_out.round_at <= now) {
            self.cursor = left_out.first;
            self.orders.begin_round();
        }
    }
}
