//! Durations and times as people type them.

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use std::str::FromStr;

/// A point in time: so long ago, or a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Ago(TimeDelta),
    At(DateTime<Utc>),
}

#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is no duration (90s, 15m, 2h, 3d, 1w, 1y) and no time (2021-07-06, 2021-07-06T19:29, 2021-07-06T19:29:00Z)"
)]
pub struct NotATime(String);

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no duration: use 90s, 15m, 2h, 3d, 1w or 1y")]
pub struct NotADuration(String);

impl When {
    /// The time that is meant when it is `now`. Longer ago than the first of all computer clocks is at its start.
    pub fn resolve(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            When::Ago(length) => now.checked_sub_signed(length).unwrap_or_default().max(DateTime::UNIX_EPOCH),
            When::At(time) => time,
        }
    }
}

impl FromStr for When {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<When, NotATime> {
        if let Ok(length) = duration(text) {
            return Ok(When::Ago(length));
        }
        // Years of four digits, as everywhere that a time is written.
        let time = time(text).filter(|time| (0..=9999).contains(&time.year()));
        time.map(When::At).ok_or_else(|| NotATime(text.to_owned()))
    }
}

/// A time; without a zone it is UTC.
pub fn time(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    let text = text.strip_suffix('Z').unwrap_or(text).replace(' ', "T");
    let with_seconds = NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f");
    let time = with_seconds.or_else(|_| NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M"));
    let day = || NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0);
    time.ok().or_else(day).map(|time| time.and_utc())
}

/// `90s`, `15m`, `2h`, `3d`, `1w`, `1y`, or several after each other: `1h30m`. A year has 365 days.
pub fn duration(text: &str) -> Result<TimeDelta, NotADuration> {
    let wrong = || NotADuration(text.to_owned());
    let mut rest = text;
    let mut seconds: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.chars().next().ok_or_else(wrong)?;
        let length: i64 = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 7 * 86_400,
            'y' => 365 * 86_400,
            _ => return Err(wrong()),
        };
        let number: i64 = number.parse().map_err(|_| wrong())?;
        seconds = number.checked_mul(length).and_then(|part| seconds.checked_add(part)).ok_or_else(wrong)?;
        rest = &tail[unit.len_utf8()..];
    }
    match TimeDelta::try_seconds(seconds) {
        Some(length) if !text.is_empty() => Ok(length),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_count_back_from_now() {
        let now: DateTime<Utc> = "2021-07-06T19:29:00Z".parse().unwrap();
        for (text, seconds) in [("90s", 90), ("2h", 7200), ("1h30m", 5400), ("3d", 259_200), ("1y", 31_536_000)] {
            let when: When = text.parse().unwrap();
            assert_eq!(now - when.resolve(now), TimeDelta::seconds(seconds), "{text}");
        }
        let long: When = "9999y".parse().unwrap();
        assert_eq!(long.resolve(now), DateTime::UNIX_EPOCH);
    }

    #[test]
    fn times_without_a_zone_are_utc() {
        let expected = When::At("2021-07-06T19:29:00Z".parse().unwrap());
        for text in ["2021-07-06T19:29:00Z", "2021-07-06T15:29:00-04:00", "2021-07-06T19:29", "2021-07-06 19:29:00"] {
            assert_eq!(text.parse::<When>().unwrap(), expected, "{text}");
        }
        assert_eq!("2021-07-06".parse::<When>().unwrap(), When::At("2021-07-06T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn what_is_neither_is_refused() {
        for text in [
            "",
            "2",
            "h",
            "2 h",
            "-2h",
            "2x",
            "2é",
            "99999999999999999999y",
            "9223372036854775807y",
            "2021-13-01",
            "+262142-12-31",
            "-262143-01-01",
        ] {
            assert!(text.parse::<When>().is_err(), "{text}");
        }
    }
}
