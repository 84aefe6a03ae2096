//! Counts as something to look at: steps of a fitting width, blocks for a line of text.

use crate::answer::SeriesPoint;
use chrono::{DateTime, TimeDelta, Utc};

/// Steps that people read easily, in minutes.
const STEPS: [i64; 14] = [1, 2, 5, 10, 15, 30, 60, 120, 240, 360, 720, 1440, 2880, 10_080];

/// Eighths of a block, from empty to full.
const RISING: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const GROWING: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// The smallest readable step, in minutes, that cuts `length` into at most `most` parts.
pub fn step_for(length: TimeDelta, most: usize) -> i64 {
    let minutes = length.num_minutes().max(1).unsigned_abs();
    let fits = |step: &&i64| minutes <= step.unsigned_abs() * most as u64;
    STEPS.iter().find(fits).copied().unwrap_or(STEPS[STEPS.len() - 1])
}

/// The points summed to steps of `minutes` that begin at whole multiples of it. `heard` is averaged; the band's
/// width adds up as of independent counts: by squares.
pub fn resample(points: &[SeriesPoint], minutes: i64) -> Vec<SeriesPoint> {
    let seconds = minutes.max(1) * 60;
    let begin = |at: DateTime<Utc>| at.timestamp().div_euclid(seconds);
    let parts = points.chunk_by(|a, b| begin(a.at) == begin(b.at));
    parts
        .filter_map(|part| {
            let expected: f64 = part.iter().map(|point| point.expected).sum();
            let spread = |side: fn(&SeriesPoint) -> f64| part.iter().map(|p| side(p).powi(2)).sum::<f64>().sqrt();
            Some(SeriesPoint {
                at: DateTime::from_timestamp(begin(part.first()?.at) * seconds, 0)?,
                observed: part.iter().map(|point| point.observed).sum(),
                expected,
                low: (expected - spread(|p| p.expected - p.low)).max(0.0),
                high: expected + spread(|p| p.high - p.expected),
                heard: part.iter().map(|point| point.heard).sum::<f64>() / part.len() as f64,
                incident: part.iter().find_map(|point| point.incident.clone()),
            })
        })
        .collect()
}

/// One letter a point, the highest full; `·` where nobody listened.
pub fn sparkline(points: &[SeriesPoint]) -> String {
    let top = points.iter().map(|point| point.observed).max().unwrap_or(0).max(1);
    let letter = |point: &SeriesPoint| {
        if point.heard <= 0.0 {
            return '·';
        }
        RISING[(point.observed * 8).div_ceil(top).min(8) as usize]
    };
    points.iter().map(letter).collect()
}

/// A bar of `value` where `top` would be `width` letters long.
pub fn bar(value: f64, top: f64, width: usize) -> String {
    if top.is_nan() || top <= 0.0 || value.is_nan() || value <= 0.0 {
        return String::new();
    }
    let eighths = ((value / top).min(1.0) * width as f64 * 8.0).round().max(1.0) as usize;
    format!("{}{}", "█".repeat(eighths / 8), GROWING[eighths % 8])
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub fn point(at: &str, observed: u64) -> SeriesPoint {
        SeriesPoint {
            at: at.parse().unwrap(),
            observed,
            expected: 1.0,
            low: 0.0,
            high: 3.0,
            heard: 1.0,
            incident: None,
        }
    }

    #[test]
    fn steps_are_readable_and_few() {
        assert_eq!(step_for(TimeDelta::minutes(24), 24), 1);
        assert_eq!(step_for(TimeDelta::minutes(25), 24), 2);
        assert_eq!(step_for(TimeDelta::hours(7), 30), 15);
        assert_eq!(step_for(TimeDelta::days(3650), 24), 10_080);
    }

    #[test]
    fn counts_add_up_and_bands_by_their_squares() {
        let points: Vec<_> = (0..4).map(|m| point(&format!("2021-07-06T19:1{m}:00Z"), m)).collect();
        let sums = resample(&points, 2);
        assert_eq!(sums.iter().map(|point| point.observed).collect::<Vec<_>>(), [1, 5]);
        assert!((sums[0].expected - 2.0).abs() < 1e-9 && (sums[0].high - (2.0 + 8f64.sqrt())).abs() < 1e-9);
        assert_eq!(sums[1].at, points[2].at);
    }

    #[test]
    fn silence_does_not_look_like_zero() {
        let mut points: Vec<_> = [0, 1, 4, 8].map(|count| point("2021-07-06T19:10:00Z", count)).to_vec();
        points[0].heard = 0.0;
        assert_eq!(sparkline(&points), "·▁▄█");
        assert_eq!([bar(8.0, 8.0, 3), bar(1.0, 8.0, 4), bar(0.001, 8.0, 4), bar(0.0, 8.0, 4)], ["███", "▌", "▏", ""]);
    }
}
