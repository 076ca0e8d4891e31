//! How fast advices go out: so many per second, and a few at once after a rest.

use std::time::Duration;

use tokio::time::Instant;

use super::schedule::LONGEST_DELAY;

/// A bucket of permits that fills up with time.
#[derive(Debug)]
pub(crate) struct Pace {
    interval: Duration,
    /// How far ahead of the pace sendings may be.
    slack: Duration,
    /// When the next permit is due at the pace.
    next_at: Instant,
}

impl Pace {
    pub(crate) fn new(per_second: f64, at_once: usize) -> Pace {
        let interval = Duration::try_from_secs_f64(1.0 / per_second).unwrap_or(LONGEST_DELAY);
        let interval = interval.min(LONGEST_DELAY);
        let burst = u32::try_from(at_once.saturating_sub(1)).unwrap_or(u32::MAX);
        Pace {
            interval,
            slack: interval.saturating_mul(burst),
            next_at: Instant::now(),
        }
    }

    /// When the next sending may begin, if that is not now.
    pub(crate) fn wait_until(&self, now: Instant) -> Option<Instant> {
        // Not the slack before the next permit: there may be no such time on the clock.
        let ahead = now.checked_add(self.slack)?;
        let wait = self.next_at.checked_duration_since(ahead)?;
        (!wait.is_zero()).then(|| now + wait)
    }

    /// Takes a permit.
    pub(crate) fn take(&mut self, now: Instant) {
        let from = self.next_at.max(now);
        self.next_at = from.checked_add(self.interval).unwrap_or(from);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn after_a_rest_a_few_go_at_once_and_then_one_at_a_time() {
        let mut pace = Pace::new(10.0, 3);
        let start = Instant::now();
        let mut began_after = Vec::new();
        for _ in 0..6 {
            if let Some(at) = pace.wait_until(Instant::now()) {
                tokio::time::sleep_until(at).await;
            }
            pace.take(Instant::now());
            began_after.push((Instant::now() - start).as_millis());
        }
        assert_eq!(began_after, [0, 0, 0, 100, 200, 300]);
        tokio::time::advance(Duration::from_secs(3_600)).await;
        for _ in 0..3 {
            assert_eq!(pace.wait_until(Instant::now()), None);
            pace.take(Instant::now());
        }
        assert!(pace.wait_until(Instant::now()).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_pace_beyond_any_clock_is_kept_all_the_same() {
        let mut slow = Pace::new(f64::MIN_POSITIVE, 4);
        for _ in 0..4 {
            assert_eq!(slow.wait_until(Instant::now()), None);
            slow.take(Instant::now());
        }
        assert!(slow.wait_until(Instant::now()).is_some());
        let mut fast = Pace::new(f64::INFINITY, 4);
        for _ in 0..1_000 {
            assert_eq!(fast.wait_until(Instant::now()), None);
            fast.take(Instant::now());
        }
    }
}
