//! Times and durations in the reader's words.

use crate::incident::Interval;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

/// `15:29 EDT`.
pub fn clock(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%H:%M %Z").to_string()
}

/// `15:29 EDT (19:29 UTC)`, with the UTC day where it is another one; for a reader in UTC just `19:29 UTC`.
pub fn both_clocks(at: DateTime<Utc>, zone: Tz) -> String {
    let local = at.with_timezone(&zone);
    let shown = clock(at, zone);
    if shown.ends_with(" UTC") {
        return shown;
    }
    let day = if local.date_naive() == at.date_naive() { "" } else { " on %-d %B" };
    format!("{shown} ({})", at.format(&format!("%H:%M UTC{day}")))
}

/// `6 July 2021, 15:29 EDT (19:29 UTC)`.
pub fn moment(at: DateTime<Utc>, zone: Tz) -> String {
    format!("{}, {}", at.with_timezone(&zone).format("%-d %B %Y"), both_clocks(at, zone))
}

/// `Tuesday 6 July 2021`.
pub fn day(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%A %-d %B %Y").to_string()
}

/// `2021-07-06 15:29 EDT`, for tables.
pub fn stamp(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%Y-%m-%d %H:%M %Z").to_string()
}

/// `19:25 and 19:33 UTC`: the bounds of an interval, to stand after 'between'.
pub fn bounds(interval: &Interval, zone: Tz) -> String {
    let (low, high) = (interval.low.with_timezone(&zone), interval.high.with_timezone(&zone));
    if low.date_naive() == high.date_naive() {
        format!("{} and {}", low.format("%H:%M"), high.format("%H:%M %Z"))
    } else {
        format!("{} and {}", low.format("%-d %B %H:%M"), high.format("%-d %B %H:%M %Z"))
    }
}

/// `4 h 42 min`, `58 min`, `3 d 2 h`; the sign is dropped.
pub fn duration(length: TimeDelta) -> String {
    let minutes = length.abs().num_minutes();
    let (days, hours, rest) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    match (days, hours, rest) {
        (0, 0, 0) => "less than a minute".to_owned(),
        (0, 0, rest) => format!("{rest} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, rest) => format!("{hours} h {rest} min"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// `12 min ago`, `in 3 h`, `just now`.
pub fn relative(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let length = now - at;
    match length.num_minutes() {
        0 => "just now".to_owned(),
        1.. => format!("{} ago", duration(length)),
        _ => format!("in {}", duration(length)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> DateTime<Utc> {
        time.parse().unwrap()
    }

    #[test]
    fn times_are_told_in_the_readers_zone_and_in_utc() {
        let zone = Tz::America__New_York;
        assert_eq!(moment(at("2021-07-06T19:29:00Z"), zone), "6 July 2021, 15:29 EDT (19:29 UTC)");
        assert_eq!(moment(at("2021-07-07T00:10:00Z"), zone), "6 July 2021, 20:10 EDT (00:10 UTC on 7 July)");
        assert_eq!(moment(at("2021-07-07T00:10:00Z"), Tz::UTC), "7 July 2021, 00:10 UTC");
    }

    #[test]
    fn durations_are_short() {
        for (seconds, words) in
            [(30, "less than a minute"), (3480, "58 min"), (16_920, "4 h 42 min"), (86_400, "1 d"), (93_600, "1 d 2 h")]
        {
            assert_eq!(duration(TimeDelta::seconds(seconds)), words);
            assert_eq!(duration(TimeDelta::seconds(-seconds)), words);
        }
        assert_eq!(relative(at("2021-07-06T19:00:00Z"), at("2021-07-06T19:12:00Z")), "12 min ago");
        assert_eq!(relative(at("2021-07-06T19:12:00Z"), at("2021-07-06T19:00:00Z")), "in 12 min");
    }
}
