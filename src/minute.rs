//! One minute of the calendar, the smallest window that is counted and scored.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, Sub};

/// A minute as the number of whole minutes since 1970-01-01T00:00Z. It covers `[start, start + 60 s)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Minute(pub i64);

impl Minute {
    /// Minutes in an hour, a day and a week.
    pub const HOUR: i64 = 60;
    pub const DAY: i64 = 24 * 60;
    pub const WEEK: i64 = 7 * 24 * 60;

    /// The minute that `time` falls into.
    pub fn of(time: DateTime<Utc>) -> Self {
        Minute(time.timestamp().div_euclid(60))
    }

    /// The first instant of the minute.
    pub fn start(self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.0.saturating_mul(60), 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// The instant at which the minute closes: the start of the next one.
    pub fn close(self) -> DateTime<Utc> {
        (self + 1).start()
    }

    /// The hour of the UTC week, 0..168, counted from Monday 00:00.
    pub fn hour_of_week(self) -> usize {
        // 1970-01-01 was a Thursday, three days after a Monday.
        ((self.0 + 3 * Self::DAY).rem_euclid(Self::WEEK) / Self::HOUR) as usize
    }
}

impl Add<i64> for Minute {
    type Output = Minute;
    fn add(self, minutes: i64) -> Minute {
        Minute(self.0.saturating_add(minutes))
    }
}

impl Sub<i64> for Minute {
    type Output = Minute;
    fn sub(self, minutes: i64) -> Minute {
        Minute(self.0.saturating_sub(minutes))
    }
}

impl Sub<Minute> for Minute {
    type Output = i64;
    fn sub(self, other: Minute) -> i64 {
        self.0.saturating_sub(other.0)
    }
}

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.start().format("%Y-%m-%dT%H:%MZ"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_covers_its_sixty_seconds() {
        let time: DateTime<Utc> = "2021-07-06T19:29:59.999Z".parse().unwrap();
        let minute = Minute::of(time);
        assert_eq!(minute.to_string(), "2021-07-06T19:29Z");
        assert_eq!(Minute::of(minute.close()), minute + 1);
    }

    #[test]
    fn the_week_begins_on_monday() {
        let monday: DateTime<Utc> = "2021-07-05T00:00:00Z".parse().unwrap();
        assert_eq!(Minute::of(monday).hour_of_week(), 0);
        assert_eq!((Minute::of(monday) - 1).hour_of_week(), 167);
    }
}
