//! At which pace advices are sent and repeated.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff;

/// The longest time for which an upstream can ask to be left alone.
pub(super) const RETRY_AFTER_LIMIT: Duration = Duration::from_secs(60 * 60);

/// At which pace advices are sent and repeated, and how many at the same time.
///
/// The pause before repeat *k* is `initial` doubled *k* - 1 times, give or take a random part, and never
/// longer than `max`. There is no last repeat.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// The first pause; default 1 s.
    pub initial: Duration,
    /// The longest pause; default 5 min.
    pub max: Duration,
    /// How far a pause may be off, as a part of itself from 0.0 to 1.0; default 0.5.
    pub jitter: f64,
    /// How many advices are sent at the same time; default 4.
    pub parallel: usize,
    /// How many advices are sent in a second, at the most; default 50. A backlog goes out at this rate.
    pub rate: f64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy {
            initial: Duration::from_secs(1),
            max: Duration::from_secs(5 * 60),
            jitter: 0.5,
            parallel: 4,
            rate: 50.0,
        }
    }
}

/// Why a retry policy cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RetryPolicyError {
    /// Without a pause an upstream in trouble would be hammered.
    #[error("the first pause is zero: give at least a millisecond")]
    NoPause,
    /// The bounds are the wrong way round.
    #[error("the longest pause is shorter than the first one")]
    MaxBelowInitial,
    /// The random part must be a part.
    #[error("the jitter is not between 0.0 and 1.0")]
    Jitter,
    /// Nothing would ever be sent.
    #[error("no advice may be sent at a time: give at least 1")]
    NotParallel,
    /// Nothing would ever be sent, or nobody knows how fast.
    #[error("the rate is not above 0 advices per second")]
    Rate,
}

impl RetryPolicy {
    /// Sets the first and the longest pause.
    pub fn pauses(mut self, initial: Duration, max: Duration) -> Self {
        self.initial = initial;
        self.max = max;
        self
    }

    /// Sets how far a pause may be off, as a part of itself.
    pub fn jitter(mut self, jitter: f64) -> Self {
        self.jitter = jitter;
        self
    }

    /// Sets how many advices are sent at the same time.
    pub fn parallel(mut self, parallel: usize) -> Self {
        self.parallel = parallel;
        self
    }

    /// Sets how many advices are sent in a second, at the most.
    pub fn rate(mut self, per_second: f64) -> Self {
        self.rate = per_second;
        self
    }

    pub(crate) fn check(&self) -> Result<(), RetryPolicyError> {
        if self.initial < Duration::from_millis(1) {
            Err(RetryPolicyError::NoPause)
        } else if self.max < self.initial {
            Err(RetryPolicyError::MaxBelowInitial)
        } else if !(0.0..=1.0).contains(&self.jitter) {
            Err(RetryPolicyError::Jitter)
        } else if self.parallel == 0 {
            Err(RetryPolicyError::NotParallel)
        } else if self.rate.is_nan() || self.rate <= 0.0 {
            Err(RetryPolicyError::Rate)
        } else {
            Ok(())
        }
    }

    /// The pause after attempt number `attempts`, where the other side asked to be left alone for so long.
    ///
    /// Never shorter than without being asked, so that nobody can ask to be hammered.
    pub(crate) fn pause_as_asked(&self, attempts: u32, retry_after: Option<Duration>) -> Duration {
        self.pause_after(attempts).max(as_asked(retry_after))
    }

    /// The pause before what was pending at an open is sent: half of the first pause, give or take twice the
    /// random part, and so anything up to the first pause with the default.
    pub(crate) fn opening_pause(&self) -> Duration {
        let half = self.initial / 2;
        let around_half = RetryPolicy {
            initial: half,
            max: self.initial,
            ..*self
        };
        let jitter = (self.jitter * 2.0).min(1.0);
        around_half.jitter(jitter).pause_after(1)
    }

    /// The pause after attempt number `attempts`.
    pub(crate) fn pause_after(&self, attempts: u32) -> Duration {
        let doublings = attempts.saturating_sub(1).min(31);
        let unjittered = self.initial.saturating_mul(1 << doublings).min(self.max);
        if self.jitter == 0.0 {
            // The backoff crate would add a nanosecond now and then, and a timer makes a millisecond of it.
            return unjittered;
        }
        let seconds = unjittered.as_secs_f64();
        let shortest = seconds * (1.0 - self.jitter);
        let longest = (seconds * (1.0 + self.jitter)).min(self.max.as_secs_f64());
        // Cut off at the longest pause, half of all tills would come back at the same moment.
        let middle = f64::midpoint(shortest, longest);
        let spread = (longest - middle) / middle;
        let middle = Duration::try_from_secs_f64(middle).unwrap_or(self.max);
        let mut backoff = ExponentialBackoff {
            current_interval: middle,
            initial_interval: middle,
            randomization_factor: spread,
            max_interval: self.max,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        // Rounding may take it beyond.
        backoff.next_backoff().unwrap_or(self.max).min(self.max)
    }
}

/// For how long the other side is left alone that asked for so long.
pub(super) fn as_asked(retry_after: Option<Duration>) -> Duration {
    retry_after.unwrap_or_default().min(RETRY_AFTER_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_from_the_first_to_the_longest_and_never_end() {
        let policy = RetryPolicy::default().jitter(0.0);
        let seconds: Vec<u64> = (1..=11).map(|k| policy.pause_after(k).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(policy.pause_after(u32::MAX), policy.max);
    }

    #[test]
    fn without_jitter_a_pause_is_the_same_to_the_nanosecond_every_time() {
        let hour = Duration::from_secs(60 * 60);
        let policy = RetryPolicy::default().pauses(hour, 2 * hour).jitter(0.0);
        for _ in 0..100_000 {
            assert_eq!(policy.pause_after(1), hour);
        }
    }

    #[test]
    fn jitter_keeps_within_its_part_and_below_the_longest_pause() {
        let policy = RetryPolicy::default();
        for _ in 0..1_000 {
            let third = policy.pause_after(3);
            assert!((2..=6).contains(&third.as_secs()), "{third:?}");
            assert!(policy.pause_after(20) <= policy.max);
        }
    }

    #[test]
    fn tills_that_wait_for_the_longest_pause_do_not_come_back_at_the_same_moment() {
        let policy = RetryPolicy::default();
        let pauses: Vec<Duration> = (0..1_000).map(|_| policy.pause_after(20)).collect();
        let in_the_last_tenth = pauses.iter().filter(|one| one.as_secs() >= 285).count();
        // Of 150 seconds, over which they are spread.
        assert!(
            (50..150).contains(&in_the_last_tenth),
            "{in_the_last_tenth}"
        );
        assert!(pauses.iter().any(|one| one.as_secs() < 165));
    }

    #[test]
    fn a_policy_that_cannot_be_followed_is_refused() {
        let second = Duration::from_secs(1);
        let policy = RetryPolicy::default();
        let refused = |policy: RetryPolicy| policy.check().err();
        assert_eq!(refused(policy), None);
        let no_pause = policy.pauses(Duration::ZERO, second);
        assert_eq!(refused(no_pause), Some(RetryPolicyError::NoPause));
        let reversed = policy.pauses(2 * second, second);
        assert_eq!(refused(reversed), Some(RetryPolicyError::MaxBelowInitial));
        for jitter in [-0.1, 1.1, f64::NAN] {
            assert_eq!(
                refused(policy.jitter(jitter)),
                Some(RetryPolicyError::Jitter)
            );
        }
        assert_eq!(
            refused(policy.parallel(0)),
            Some(RetryPolicyError::NotParallel)
        );
        for rate in [0.0, -1.0, f64::NAN] {
            assert_eq!(refused(policy.rate(rate)), Some(RetryPolicyError::Rate));
        }
    }
}
