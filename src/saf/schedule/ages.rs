//! Since when this process knows an advice, to within some seconds and on the late side.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// How far a time may be late.
const COARSENESS: Duration = Duration::from_secs(10);

/// How many times are remembered: of two hours in which advices are added all the time.
const REMEMBERED: usize = 720;

/// When numbers were added, oldest first.
#[derive(Debug)]
pub(super) struct Ages {
    marks: VecDeque<Mark>,
}

/// All numbers below `end` were added by `until`.
#[derive(Debug)]
struct Mark {
    end: u64,
    since: Instant,
    until: Instant,
}

impl Ages {
    pub(super) fn new(opened_at: Instant) -> Ages {
        let mark = Mark {
            end: 0,
            since: opened_at,
            until: opened_at,
        };
        Ages {
            marks: VecDeque::from([mark]),
        }
    }

    /// Everything below `end` was there from the beginning.
    pub(super) fn begin(&mut self, end: u64) {
        if let Some(first) = self.marks.front_mut() {
            first.end = end;
        }
    }

    pub(super) fn note(&mut self, number: u64, now: Instant) {
        // The first mark is that of the opening, and stays as it is.
        let is_last_the_first = self.marks.len() == 1;
        let last = self.marks.back_mut().filter(|_| !is_last_the_first);
        match last.filter(|mark| now - mark.since < COARSENESS) {
            Some(mark) => {
                mark.end = number + 1;
                mark.until = now;
            }
            None => self.marks.push_back(Mark {
                end: number + 1,
                since: now,
                until: now,
            }),
        }
        if self.marks.len() > REMEMBERED {
            // The first of those that are left is later: what is older is taken for younger.
            self.marks.pop_front();
        }
    }

    pub(super) fn known_since(&self, number: u64) -> Instant {
        let mark = self.marks.iter().find(|mark| mark.end > number);
        mark.map_or_else(Instant::now, |mark| mark.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_advice_is_never_taken_for_older_than_it_is() {
        let opened_at = Instant::now();
        let mut ages = Ages::new(opened_at);
        ages.begin(5);
        let mut added = Vec::new();
        for number in 5..2_000 {
            tokio::time::advance(Duration::from_secs(3)).await;
            added.push((number, Instant::now()));
            ages.note(number, Instant::now());
        }
        assert_eq!(ages.known_since(4), opened_at);
        for (number, at) in added {
            let known_since = ages.known_since(number);
            assert!(
                known_since >= at && known_since - at <= COARSENESS,
                "{number}"
            );
        }
        assert!(ages.marks.len() <= REMEMBERED);
    }
}
