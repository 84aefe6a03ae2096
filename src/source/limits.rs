//! How long to wait: what servers say of it, backoff where they say nothing, and a budget for each host.

use chrono::{DateTime, Utc};
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What a server may make us wait: no less, no more.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(3600);

/// Unix times are larger than this, seconds left are smaller.
const EPOCH_FROM: f64 = 1e9;

/// How many requests the server still allows, where it says so.
pub fn remaining(headers: &HeaderMap) -> Option<u32> {
    let value = first(headers, &["x-ratelimit-remaining", "x-rate-limit-remaining", "ratelimit-remaining"])?;
    // Some count in fractions.
    value.parse::<f64>().ok().filter(|left| left.is_finite() && *left >= 0.0).map(|left| left as u32)
}

/// How long the server asks us to wait, within 1 s and 1 h: `Retry-After` (seconds or a date), else the reset
/// of its rate limit (ISO 8601, Unix seconds or seconds left). Times are taken relative to the answer's own
/// `Date`, so that neither clock need be right.
pub fn wait(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let server_now = headers.get(DATE).and_then(|date| http_date(date.to_str().ok()?)).unwrap_or(now);
    let value = first(headers, &[RETRY_AFTER.as_str(), "x-ratelimit-reset", "x-rate-limit-reset", "ratelimit-reset"])?;
    let seconds = match value.parse::<f64>() {
        Ok(epoch) if epoch >= EPOCH_FROM => epoch - server_now.timestamp_millis() as f64 / 1000.0,
        Ok(left) => left,
        Err(_) => {
            let until = DateTime::parse_from_rfc3339(value).map(|time| time.to_utc()).ok().or_else(|| http_date(value));
            (until? - server_now).as_seconds_f64()
        }
    };
    let wait = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(LONGEST);
    Some(wait.clamp(SHORTEST, LONGEST))
}

fn first<'a>(headers: &'a HeaderMap, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| headers.get(*name)?.to_str().ok()).map(str::trim)
}

fn http_date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text).map(|time| time.to_utc()).ok()
}

/// Exponential backoff with full jitter: any time up to `base · 2^(failures − 1)`, at most `cap`.
/// (M. Brooker, "Exponential Backoff And Jitter", 2015.)
pub fn backoff(failures: u32, base: Duration, cap: Duration) -> Duration {
    let doubled = base.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    doubled.min(cap).mul_f64(fastrand::f64())
}

/// `interval`, up to a fifth shorter or longer.
pub fn jittered(interval: Duration) -> Duration {
    interval.mul_f64(0.8 + 0.4 * fastrand::f64())
}

/// The requests that each host is allowed, shared by all sources.
#[derive(Default)]
pub struct Budgets {
    hosts: Mutex<BTreeMap<String, Arc<Budget>>>,
}

struct Budget {
    limiter: RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>,
    clock: TokioClock,
    held_until: Mutex<Instant>,
}

impl Budgets {
    /// Waits until a request to `host` is due. Two requests to one host are at least `spacing` apart.
    pub async fn admit(&self, host: &str, spacing: Duration) {
        let budget = self.budget(host, spacing);
        loop {
            let held_until = *budget.held_until.lock().unwrap_or_else(PoisonError::into_inner);
            if held_until > Instant::now() {
                tokio::time::sleep_until(held_until).await;
                continue;
            }
            match budget.limiter.check() {
                Ok(()) => return,
                Err(not_until) => {
                    tokio::time::sleep(not_until.wait_time_from(budget.clock.now())).await;
                }
            }
        }
    }

    /// Lets nobody ask `host` for `wait`.
    pub fn hold(&self, host: &str, wait: Duration, spacing: Duration) {
        let budget = self.budget(host, spacing);
        let mut held_until = budget.held_until.lock().unwrap_or_else(PoisonError::into_inner);
        *held_until = (*held_until).max(Instant::now() + wait);
    }

    fn budget(&self, host: &str, spacing: Duration) -> Arc<Budget> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            // A burst of one: the requests of any span are at most its length over the spacing, plus one.
            let quota = Quota::with_period(spacing.max(Duration::from_millis(1)));
            let quota = quota.unwrap_or_else(|| Quota::per_second(std::num::NonZeroU32::MIN));
            let clock = TokioClock { start: Instant::now() };
            let limiter = RateLimiter::direct_with_clock(quota, clock.clone());
            Arc::new(Budget { limiter, clock, held_until: Mutex::new(Instant::now()) })
        };
        hosts.entry(host.to_owned()).or_insert_with(new).clone()
    }
}

/// The runtime's clock, so that budgets follow it when a test pauses it.
#[derive(Clone, Debug)]
struct TokioClock {
    start: Instant,
}

impl Clock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.start.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn every_dialect_of_a_reset_is_read() {
        // Our clock is an hour off; only the answer's own date counts.
        let now: DateTime<Utc> = "2026-10-14T18:10:29Z".parse().unwrap();
        let date = ("date", "Wed, 14 Oct 2026 19:10:29 GMT");
        for (name, value, seconds) in [
            ("x-ratelimit-reset", "2026-10-14T19:15:00.402604Z", 271.402_604),
            ("x-ratelimit-reset", "1792005300", 271.0),
            ("x-rate-limit-reset", "1792005300", 271.0),
            ("x-ratelimit-reset", "271.5", 271.5),
            ("ratelimit-reset", "30", 30.0),
            ("retry-after", "120", 120.0),
            ("retry-after", "Wed, 14 Oct 2026 19:12:29 GMT", 120.0),
            ("retry-after", "0", 1.0),
            ("retry-after", "-5", 1.0),
            ("x-ratelimit-reset", "2026-10-14T18:00:00Z", 1.0),
            ("x-ratelimit-reset", "2030-01-01T00:00:00Z", 3600.0),
            ("retry-after", "1e300", 3600.0),
        ] {
            let wait = wait(&headers(&[date, (name, value)]), now).unwrap().as_secs_f64();
            assert!((wait - seconds).abs() < 1e-3, "{name}: {value} gave {wait}");
        }
        assert_eq!(wait(&headers(&[("retry-after", "soon")]), now), None);
        assert_eq!(wait(&headers(&[("retry-after", "NaN")]), now), Some(SHORTEST));
        assert_eq!(wait(&headers(&[]), now), None);
    }

    #[test]
    fn fractions_and_rubbish_of_a_remaining_budget() {
        assert_eq!(remaining(&headers(&[("x-ratelimit-remaining", "299")])), Some(299));
        assert_eq!(remaining(&headers(&[("x-ratelimit-remaining", "0.7")])), Some(0));
        assert_eq!(remaining(&headers(&[("x-ratelimit-remaining", "-1")])), None);
        assert_eq!(remaining(&headers(&[("x-ratelimit-remaining", "many")])), None);
    }

    #[test]
    fn backoff_grows_to_its_cap() {
        let (base, cap) = (Duration::from_secs(1), Duration::from_secs(300));
        for failures in [1, 2, 5, 9, 40, u32::MAX] {
            let bound = base.saturating_mul(2_u32.saturating_pow(failures - 1)).min(cap);
            let waits: Vec<Duration> = (0..200).map(|_| backoff(failures, base, cap)).collect();
            assert!(waits.iter().all(|wait| *wait <= bound));
            assert!(waits.iter().any(|wait| *wait > bound / 2) && waits.iter().any(|wait| *wait < bound / 2));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn requests_to_one_host_keep_their_distance() {
        let budgets = Arc::new(Budgets::default());
        let spacing = Duration::from_secs(3);
        let start = Instant::now();
        let ask = |host: &'static str| {
            let budgets = budgets.clone();
            async move {
                for _ in 0..50 {
                    budgets.admit(host, spacing).await;
                }
            }
        };
        // Two sources share the budget of `a`; `b` has its own.
        tokio::join!(ask("a"), ask("a"), ask("b"));
        let took = start.elapsed();
        assert!(took >= spacing * 99 && took < spacing * 99 + Duration::from_secs(1), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_is_held_is_not_asked() {
        let budgets = Budgets::default();
        let spacing = Duration::from_secs(3);
        let start = Instant::now();
        budgets.hold("a", Duration::from_secs(60), spacing);
        budgets.hold("a", Duration::from_secs(5), spacing);
        budgets.admit("b", spacing).await;
        assert!(start.elapsed() < Duration::from_secs(1));
        budgets.admit("a", spacing).await;
        assert!(start.elapsed() >= Duration::from_secs(60));
    }
}
