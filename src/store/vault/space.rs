//! Which sectors of the vault are taken, and which are free.
//!
//! Nothing here goes through all entries: a till that has been offline for days has a hundred thousand.

use std::collections::BTreeMap;

use super::LONGEST;

#[derive(Debug, Default)]
pub(super) struct Space {
    /// The number of sectors of each entry, by its first.
    taken: BTreeMap<u32, u32>,
    /// The runs of free sectors before `end`, by their first; no two of them touch.
    free: BTreeMap<u32, u32>,
    /// From here on nothing is taken, nor certain.
    end: u32,
    /// How many sectors from the first on the disk is certain to take, whatever else fills it.
    certain: u32,
    /// How many of the longest entries are certain to find room.
    fits: u32,
}

impl Space {
    pub(super) fn of(taken: BTreeMap<u32, u32>) -> Space {
        let mut space = Space::default();
        for (first, count) in taken {
            space.take(first, count);
        }
        space
    }

    pub(super) fn firsts(&self) -> Vec<u32> {
        self.taken.keys().copied().collect()
    }

    /// How many sectors the entry takes that begins at `first`.
    pub(super) fn count_at(&self, first: u32) -> Option<u32> {
        self.taken.get(&first).copied()
    }

    pub(super) fn certain(&self) -> u32 {
        self.certain
    }

    pub(super) fn end(&self) -> u32 {
        self.end
    }

    /// How many of the longest entries are certain to find room. Each entry, wherever [`find`](Space::find)
    /// puts it, takes the room of one of them at the most.
    pub(super) fn fits(&self) -> u32 {
        self.fits
    }

    /// The first of `count` free sectors in a row.
    pub(super) fn find(&self, count: u32) -> u32 {
        let run = self.free.iter().find(|(_, length)| **length >= count);
        let last = || {
            self.free
                .last_key_value()
                .filter(|run| ends_at(*run, self.end))
        };
        run.or_else(last).map_or(self.end, |(first, _)| *first)
    }

    /// Takes sectors that are free.
    pub(super) fn take(&mut self, first: u32, count: u32) {
        let until = first + count;
        self.grow(until);
        let run = self.free.range(..=first).next_back();
        if let Some((run, length)) = run.map(|(run, length)| (*run, *length)) {
            self.drop_run(run, length);
            self.add_run(run, first - run);
            self.add_run(until, (run + length).saturating_sub(until));
        }
        self.taken.insert(first, count);
    }

    /// Gives back what the entry took that begins at `first`.
    pub(super) fn release(&mut self, first: u32) {
        if let Some(count) = self.taken.remove(&first) {
            self.free_up(first, count);
        }
    }

    /// From now on the disk is certain to take everything before `end`.
    pub(super) fn make_certain(&mut self, end: u32) {
        self.grow(end);
        self.certain = end;
        let runs = self.free.iter();
        self.fits = runs.map(|(run, length)| self.fit(*run, *length)).sum();
    }

    /// The runs of free sectors from `begin` to `end`, in order: where each begins, and its length.
    pub(super) fn free_between(&self, begin: u32, end: u32) -> Vec<(u32, u32)> {
        let behind = (self.end, end.saturating_sub(self.end));
        let runs = self.free.iter().map(|(run, length)| (*run, *length));
        let clipped = runs.chain([behind]).map(|(run, length)| {
            let first = run.max(begin);
            (first, (run + length).min(end).saturating_sub(first))
        });
        clipped.filter(|(_, length)| *length > 0).collect()
    }

    fn grow(&mut self, end: u32) {
        if end > self.end {
            let (first, count) = (self.end, end - self.end);
            self.end = end;
            self.free_up(first, count);
        }
    }

    fn free_up(&mut self, mut first: u32, mut count: u32) {
        let before = self.free.range(..first).next_back();
        if let Some((run, length)) = before.filter(|run| ends_at(*run, first)) {
            let (run, length) = (*run, *length);
            self.drop_run(run, length);
            (first, count) = (run, count + length);
        }
        if let Some(length) = self.free.get(&(first + count)).copied() {
            self.drop_run(first + count, length);
            count += length;
        }
        self.add_run(first, count);
    }

    fn add_run(&mut self, run: u32, length: u32) {
        if length > 0 {
            self.free.insert(run, length);
            self.fits += self.fit(run, length);
        }
    }

    fn drop_run(&mut self, run: u32, length: u32) {
        self.free.remove(&run);
        self.fits -= self.fit(run, length);
    }

    fn fit(&self, run: u32, length: u32) -> u32 {
        (run + length).min(self.certain).saturating_sub(run) / LONGEST
    }
}

fn ends_at((run, length): (&u32, &u32), end: u32) -> bool {
    run + length == end
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same, sector by sector.
    #[derive(Default)]
    struct Plain {
        taken: Vec<bool>,
        certain: usize,
    }

    impl Plain {
        fn is_free(&self, sector: usize) -> bool {
            !self.taken.get(sector).copied().unwrap_or(false)
        }

        fn find(&self, count: usize) -> usize {
            let fits = |first: &usize| (*first..first + count).all(|sector| self.is_free(sector));
            (0..).find(fits).expect("there is always room at the end")
        }

        fn set(&mut self, first: usize, count: usize, taken: bool) {
            if self.taken.len() < first + count {
                self.taken.resize(first + count, false);
            }
            self.taken[first..first + count].fill(taken);
        }

        fn runs(&self, begin: usize, end: usize) -> Vec<(u32, u32)> {
            let mut runs: Vec<(u32, u32)> = Vec::new();
            for sector in (begin..end).filter(|sector| self.is_free(*sector)) {
                match runs.last_mut() {
                    Some((first, length)) if (*first + *length) as usize == sector => *length += 1,
                    _ => runs.push((sector as u32, 1)),
                }
            }
            runs
        }

        fn fits(&self) -> u32 {
            let runs = self.runs(0, self.certain).into_iter();
            runs.map(|(_, length)| length / LONGEST).sum()
        }
    }

    #[test]
    fn it_is_what_one_finds_by_going_through_all_sectors() {
        for seed in 0..300 {
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut space, mut plain) = (Space::default(), Plain::default());
            for _ in 0..60 {
                let count = random.u32(1..=LONGEST);
                match random.u8(..8) {
                    0..4 => {
                        let first = space.find(count);
                        assert_eq!(first as usize, plain.find(count as usize), "seed {seed}");
                        space.take(first, count);
                        plain.set(first as usize, count as usize, true);
                    }
                    4..6 => {
                        if let Some(first) = random.choice(space.firsts()) {
                            let count = space.count_at(first).expect("it is taken");
                            space.release(first);
                            plain.set(first as usize, count as usize, false);
                        }
                    }
                    6 => {
                        let end = space.certain() + random.u32(1..4 * LONGEST);
                        space.make_certain(end);
                        plain.certain = end as usize;
                    }
                    _ => {
                        let begin = random.u32(..=space.end());
                        let end = begin + random.u32(..6 * LONGEST);
                        let sectors = |runs: Vec<(u32, u32)>| -> Vec<u32> {
                            let runs = runs.into_iter();
                            runs.flat_map(|(run, length)| run..run + length).collect()
                        };
                        assert_eq!(
                            sectors(space.free_between(begin, end)),
                            sectors(plain.runs(begin as usize, end as usize)),
                            "seed {seed}"
                        );
                    }
                }
                assert_eq!(space.fits(), plain.fits(), "seed {seed}");
            }
            let again = Space::of(space.taken.clone());
            assert_eq!(again.firsts(), space.firsts());
        }
    }
}
