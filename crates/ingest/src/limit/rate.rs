//! How many requests a tenant may send. Pure: time is an argument.
//!
//! A bucket fills at the tenant's rate up to its burst, and a request takes one from it. The lowest quarter of the
//! bucket is kept for requests that take access away: while a backfill keeps the bucket at that mark and is asked
//! to come back, a leaver finds a quarter of the burst at once and, after that, the whole rate, since nobody else
//! is served below the mark. So a tenant's own backfill never holds its leavers up.

/// The least rate that can be set, in requests per second: what Entra ID's gallery and IPSIE ask of a server.
pub const REQUESTS_PER_SECOND_MIN: u32 = 25;
/// One part in this many of the burst is kept for requests that take access away.
pub const LEAVER_RESERVE_PARTS: u64 = 4;
/// Longest `Retry-After`, in seconds: the bucket is never further from its mark than a burst.
const RETRY_AFTER_MAX: u64 = 60;

/// The rate of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests per second that can be kept up; 0 counts as 1.
    pub per_second: u32,
    /// Requests that may come at once after a pause.
    pub burst: u32,
}

/// A tenant's bucket, in thousandths of a request.
#[derive(Debug)]
pub(super) struct Bucket {
    limit: RateLimit,
    level: u64,
    at_ms: u64,
}

/// One request, in thousandths.
const ONE: u64 = 1000;

impl Bucket {
    /// A full bucket.
    pub(super) fn new(limit: RateLimit) -> Self {
        let limit = RateLimit {
            per_second: limit.per_second.max(1),
            burst: limit.burst.max(1),
        };
        Self {
            limit,
            level: u64::from(limit.burst) * ONE,
            at_ms: 0,
        }
    }

    fn fill(&mut self, now_ms: u64) {
        let passed = now_ms.saturating_sub(self.at_ms);
        self.at_ms = self.at_ms.max(now_ms);
        let more = passed.saturating_mul(u64::from(self.limit.per_second)); // per second × ms = thousandths
        self.level = self
            .level
            .saturating_add(more)
            .min(u64::from(self.limit.burst) * ONE);
    }

    /// Takes one request at `now_ms`, on a clock that does not go back.
    ///
    /// # Errors
    /// Seconds after which it is worth coming back.
    pub(super) fn take(&mut self, takes_away: bool, now_ms: u64) -> Result<(), u32> {
        self.fill(now_ms);
        let kept = if takes_away {
            0
        } else {
            u64::from(self.limit.burst) * ONE / LEAVER_RESERVE_PARTS
        };
        let needed = kept.saturating_add(ONE).min(u64::from(self.limit.burst) * ONE);
        if self.level >= needed {
            self.level -= ONE;
            return Ok(());
        }
        let missing = needed - self.level;
        let seconds = missing.div_ceil(u64::from(self.limit.per_second) * ONE);
        Err(u32::try_from(seconds.clamp(1, RETRY_AFTER_MAX)).unwrap_or(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: RateLimit = RateLimit {
        per_second: 50,
        burst: 100,
    };

    #[test]
    fn the_set_rate_is_kept_up_and_no_more() {
        let mut bucket = Bucket::new(LIMIT);
        let mut served = 0;
        for ms in 0..100_000 {
            served += u32::from(bucket.take(false, ms).is_ok()); // a thousand a second are asked for
        }
        assert!((5_000..=5_100).contains(&served), "{served} in 100 seconds");
    }

    #[test]
    fn a_refused_request_is_told_when_to_come_back_and_is_served_then() {
        let mut bucket = Bucket::new(RateLimit {
            per_second: 25,
            burst: 200,
        });
        while bucket.take(false, 0).is_ok() {}
        assert_eq!(bucket.take(false, 0), Err(1));
        assert_eq!(bucket.take(false, 1_000), Ok(()));
        while bucket.take(true, 1_000).is_ok() {}
        let Err(seconds) = bucket.take(false, 1_000) else {
            return assert_eq!("served", "refused");
        };
        assert_eq!(seconds, 3, "a quarter of the burst and one, at 25 a second");
        assert_eq!(bucket.take(false, 1_000 + u64::from(seconds) * 1_000), Ok(()));
    }

    #[test]
    fn a_leaver_is_served_at_once_however_long_its_own_backfill_goes_on() {
        let mut bucket = Bucket::new(LIMIT);
        for ms in 0..60_000 {
            let _ = bucket.take(false, ms);
            let _ = bucket.take(false, ms);
            if ms % 25 == 0 {
                assert_eq!(bucket.take(true, ms), Ok(()), "a leaver at {ms} ms"); // 40 a second
            }
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config {
            failure_persistence: None,
            cases: 64,
            ..proptest::test_runner::Config::default()
        })]

        /// However requests arrive: in no stretch of time are more served than the burst and what the rate adds in it,
        /// and a leaver is refused only when nothing is left at all.
        #[test]
        fn no_stretch_of_time_has_more_than_burst_and_rate(
            per_second in 1u32..200,
            burst in 1u32..300,
            arrivals in proptest::collection::vec((0u64..120, proptest::bool::ANY), 1..400),
        ) {
            let mut bucket = Bucket::new(RateLimit { per_second, burst });
            let (mut now, mut served) = (0, Vec::new());
            for (pause, leaver) in arrivals {
                now += pause;
                if bucket.take(leaver, now).is_ok() {
                    served.push(now);
                } else if leaver {
                    // Counted anew, from all that was served: what one stretch at least has used up.
                    let full = served.iter().any(|from| {
                        let within = served.iter().filter(|at| *at >= from).count() as u64;
                        within * ONE + ONE > u64::from(burst) * ONE + (now - from) * u64::from(per_second)
                    });
                    proptest::prop_assert!(full, "a leaver was refused at {} although there was room", now);
                }
            }
            for (index, from) in served.iter().enumerate() {
                for (more, to) in served.iter().skip(index).enumerate() {
                    let most = u64::from(burst) * ONE + (to - from) * u64::from(per_second);
                    proptest::prop_assert!((more as u64 + 1) * ONE <= most, "{} ms to {} ms", from, to);
                }
            }
        }
    }

    #[test]
    fn leavers_are_limited_too() {
        let mut bucket = Bucket::new(LIMIT);
        let served = (0..10_000).filter(|_| bucket.take(true, 0).is_ok()).count();
        assert_eq!(served, 100);
    }

    #[test]
    fn the_smallest_bucket_serves_everybody() {
        let mut bucket = Bucket::new(RateLimit {
            per_second: 0,
            burst: 0,
        });
        assert_eq!(bucket.take(false, 0), Ok(()));
        assert_eq!(bucket.take(false, 0), Err(1));
        assert_eq!(bucket.take(false, 1_000), Ok(()));
    }
}
