//! Which advices are about the same order: these go one after the other.
//!
//! Those in the window are known one by one. Of those that were left out only a sieve remains, which
//! may hold back an advice of another order until the next round, and never lets one of the same
//! order through.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};

/// How many places a sieve has.
const PLACES: usize = 1 << 16;

/// An order, by a keyed hash of its reference: nobody who looks at this memory can collect anything
/// with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct OrderKey(u64);

#[derive(Debug, Default)]
pub(super) struct Orders {
    in_window: HashMap<OrderKey, BTreeSet<u64>>,
    /// Left out in this round.
    left_out: Sieve,
    /// Left out in the round before, and not looked at again yet.
    left_out_before: Sieve,
    /// Held back by what was left out in the round before.
    waiting_for_round: Vec<u64>,
}

/// Keys the hashes of this process.
#[derive(Debug, Default)]
pub(crate) struct OrderKeys(RandomState);

impl OrderKeys {
    pub(crate) fn key(&self, reference: &str) -> OrderKey {
        OrderKey(self.0.hash_one(reference))
    }
}

impl Orders {
    /// Notes an advice of `order`, and says whether it is the first of them. Everything below
    /// `cursor` was looked at in this round.
    pub(super) fn enter(&mut self, order: OrderKey, number: u64, cursor: u64) -> bool {
        let numbers = self.in_window.entry(order).or_default();
        numbers.insert(number);
        let is_first = numbers.first() == Some(&number);
        let waits_for_round = number > cursor && self.left_out_before.has_older(order, number);
        if waits_for_round {
            self.waiting_for_round.push(number);
        }
        is_first && !waits_for_round && !self.left_out.has_older(order, number)
    }

    /// Takes a settled advice out. Returns the next one of its order.
    pub(super) fn leave(&mut self, order: OrderKey, number: u64) -> Option<u64> {
        let numbers = self.in_window.get_mut(&order)?;
        numbers.remove(&number);
        let next = numbers.first().copied();
        if next.is_none() {
            self.in_window.remove(&order);
        }
        next
    }

    pub(super) fn leave_out(&mut self, order: OrderKey, number: u64) {
        self.leave(order, number);
        self.left_out.add(order, number);
    }

    pub(super) fn begin_round(&mut self) {
        self.left_out_before = std::mem::take(&mut self.left_out);
    }

    /// Everything that had been left out was looked at again. Returns what waited for that.
    pub(super) fn end_round(&mut self) -> Vec<u64> {
        self.left_out_before = Sieve::default();
        std::mem::take(&mut self.waiting_for_round)
    }
}

/// The oldest advice of each order that was left out; orders that fall into one place share it.
#[derive(Debug, Default)]
struct Sieve {
    /// Empty as long as nothing was added.
    oldest: Vec<u64>,
}

impl Sieve {
    fn add(&mut self, order: OrderKey, number: u64) {
        if self.oldest.is_empty() {
            self.oldest = vec![u64::MAX; PLACES];
        }
        let oldest = &mut self.oldest[order.place()];
        *oldest = number.min(*oldest);
    }

    /// Whether it may have an advice of `order` that is older than `number`.
    fn has_older(&self, order: OrderKey, number: u64) -> bool {
        let oldest = self.oldest.get(order.place());
        oldest.is_some_and(|oldest| *oldest < number)
    }
}

impl OrderKey {
    fn place(self) -> usize {
        (self.0 % PLACES as u64) as usize
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn of_one_order_the_oldest_goes_first_and_then_the_next() {
        let (keys, mut orders) = (OrderKeys::default(), Orders::default());
        let order = keys.key("one");
        assert!(orders.enter(order, 4, 10));
        assert!(!orders.enter(order, 7, 10));
        assert!(orders.enter(keys.key("another"), 8, 10));
        assert_eq!(orders.leave(order, 4), Some(7));
        assert!(orders.enter(order, 7, 10));
        assert_eq!(orders.leave(order, 7), None);
    }

    #[test]
    fn what_was_left_out_holds_back_the_younger_ones_of_its_order() {
        let (keys, mut orders) = (OrderKeys::default(), Orders::default());
        let order = keys.key("one");
        assert!(orders.enter(order, 4, 10));
        orders.leave_out(order, 4);
        assert!(!orders.enter(order, 7, 10), "in the same round");
        orders.begin_round();
        assert!(
            !orders.enter(order, 7, 4),
            "before the older one is looked at again"
        );
        assert!(orders.enter(order, 4, 5));
        assert!(
            !orders.enter(order, 7, 8),
            "while the older one is unsettled"
        );
        assert_eq!(orders.end_round(), [7]);
        assert_eq!(orders.leave(order, 4), Some(7));
        assert!(orders.enter(order, 7, 8));
    }
}
