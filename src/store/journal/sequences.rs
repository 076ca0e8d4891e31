//! A set of sequence numbers, small because they hang together.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Numbers, kept as the ranges that they form: first to last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sequences {
    ranges: BTreeMap<u64, u64>,
}

impl Sequences {
    /// `first` and all behind it.
    pub(crate) fn from_on(first: u64) -> Sequences {
        Sequences {
            ranges: BTreeMap::from([(first, u64::MAX)]),
        }
    }

    pub(crate) fn insert(&mut self, number: u64) {
        self.insert_all(number..=number);
    }

    pub(crate) fn insert_all(&mut self, numbers: RangeInclusive<u64>) {
        let (mut first, mut last) = numbers.into_inner();
        // Those that it overlaps, or touches, become one with it.
        while let Some((start, end)) = self.last_up_to(last.saturating_add(1))
            && end.saturating_add(1) >= first
        {
            self.ranges.remove(&start);
            first = first.min(start);
            last = last.max(end);
        }
        self.ranges.insert(first, last);
    }

    pub(crate) fn unite(&mut self, others: &Sequences) {
        for range in others.ranges() {
            self.insert_all(range);
        }
    }

    /// The last range that begins at `number`, or before it.
    fn last_up_to(&self, number: u64) -> Option<(u64, u64)> {
        let range = self.ranges.range(..=number).next_back();
        range.map(|(start, end)| (*start, *end))
    }

    pub(crate) fn contains(&self, number: u64) -> bool {
        let range = self.last_up_to(number);
        range.is_some_and(|(_, last)| last >= number)
    }

    pub(crate) fn contains_all(&self, others: &Sequences) -> bool {
        let mut ranges = others.ranges();
        ranges.all(|range| {
            self.missing_between(*range.start(), *range.end())
                .is_empty()
        })
    }

    pub(crate) fn first(&self) -> Option<u64> {
        self.ranges.first_key_value().map(|(first, _)| *first)
    }

    /// The greatest, or 0.
    pub(crate) fn last(&self) -> u64 {
        self.ranges.last_key_value().map_or(0, |(_, last)| *last)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    pub(crate) fn ranges(&self) -> impl Iterator<Item = RangeInclusive<u64>> {
        self.ranges.iter().map(|(first, last)| *first..=*last)
    }

    pub(crate) fn forget_below(&mut self, number: u64) {
        let kept = self.ranges.split_off(&number);
        let cut = self.ranges.values().next_back().copied();
        self.ranges = kept;
        if let Some(last) = cut
            && last >= number
        {
            self.ranges.insert(number, last);
        }
    }

    /// What is not in the set, from `first` to `last`.
    pub(crate) fn missing_between(&self, first: u64, last: u64) -> Sequences {
        let mut missing = Sequences::default();
        let mut next = first;
        for (start, end) in &self.ranges {
            if *start > last {
                break;
            }
            if *start > next {
                missing.ranges.insert(next, start - 1);
            }
            next = next.max(end.saturating_add(1));
        }
        if next <= last {
            missing.ranges.insert(next, last);
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(numbers: impl IntoIterator<Item = u64>) -> Sequences {
        let mut set = Sequences::default();
        for number in numbers {
            set.insert(number);
        }
        set
    }

    #[test]
    fn in_whatever_order_they_come_neighbours_hang_together() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..100 {
            let mut numbers: Vec<u64> = (5..40).collect();
            random.shuffle(&mut numbers);
            let set = set(numbers);
            assert_eq!(Vec::from_iter(set.ranges()), [5..=39]);
        }
    }

    #[test]
    fn ranges_that_overlap_or_touch_become_one() {
        let mut set = set([3, 7, 9]);
        set.insert_all(4..=5);
        assert_eq!(Vec::from_iter(set.ranges()), [3..=5, 7..=7, 9..=9]);
        set.insert_all(1..=8);
        assert_eq!(Vec::from_iter(set.ranges()), [1..=9]);
        set.insert_all(8..=u64::MAX);
        assert_eq!(Vec::from_iter(set.ranges()), [1..=u64::MAX]);
        let mut other = Sequences::default();
        other.unite(&set);
        assert_eq!(other, set);
    }

    #[test]
    fn a_set_contains_another_that_has_nothing_else() {
        let all = set([1, 2, 3, 7, 8]);
        assert!(all.contains_all(&set([2, 3, 8])));
        assert!(all.contains_all(&Sequences::default()));
        assert!(!all.contains_all(&set([3, 4])));
        assert!(!Sequences::default().contains_all(&all));
        assert_eq!(all.first(), Some(1));
    }

    #[test]
    fn what_is_missing_is_found_at_both_ends_and_between() {
        let set = set([3, 4, 7, 9]);
        let missing = set.missing_between(1, 11);
        assert_eq!(
            Vec::from_iter(missing.ranges()),
            [1..=2, 5..=6, 8..=8, 10..=11]
        );
        assert!(set.missing_between(3, 4).is_empty());
        assert!(!set.contains(5) && set.contains(7));
        assert_eq!(set.last(), 9);
    }

    #[test]
    fn what_is_below_a_number_is_forgotten_also_inside_a_range() {
        let mut set = set([1, 2, 3, 4, 8]);
        set.forget_below(3);
        assert_eq!(Vec::from_iter(set.ranges()), [3..=4, 8..=8]);
    }
}
