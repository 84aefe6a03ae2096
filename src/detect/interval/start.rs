//! The start: the posterior of a ramp's beginning over a known baseline.

use super::noise::{Table, running_sum, size};
use super::{Interval, Sample, log_sum, normalised, sane};
use crate::detect::Expected;
use crate::detect::focus::Focus;
use crate::minute::Minute;

/// The alarm may wait this long for the reports that date the start, and is dated by no more of them than this.
const MOST_WAIT: i64 = 60;
const LEAST_AFTER: i64 = 25;
const ENOUGH_REPORTS: f64 = 100.0;
/// Life before the first guess that is looked at: so many minutes, or as many as come after it.
const LEAST_BEFORE: i64 = 60;
/// Lengths of the ramp with their prior weights: in minutes, or this share of the minutes looked at where they are more.
const RAMPS: [(f64, f64); 6] = [(0.0, 0.35), (2.0, 0.2), (6.0, 0.15), (15.0, 0.1), (40.0, 0.1), (100.0, 0.1)];
const LONG_RAMP: f64 = 0.8;
/// The plateau, as ratios to the mean excess since the first guess.
const HEIGHTS: [f64; 7] = [0.5, 0.71, 1.0, 1.4, 2.0, 2.8, 4.0];
/// Bins that an interval is computed in.
const BINS: i64 = 120;

/// The 90% interval of the start of the outage that was first noticed at `alarm`. Provisional while few reports have
/// come; it settles within the hour. Nothing where no sample up to the alarm shows any excess.
///
/// Baseline up to the start, then a ramp of unknown length to a plateau of unknown height, negative binomial noise;
/// length and height are summed out over a grid with even prior weights.
pub fn start(samples: &[Sample], alarm: Minute) -> Option<Interval> {
    let samples = &sane(samples);
    let guess = first_guess(samples, alarm)?;
    let last = last_used(samples, guess, alarm);
    let length = last - guess + 1;
    let first = guess - length.max(LEAST_BEFORE);
    let used: Vec<Sample> =
        samples.iter().filter(|sample| first <= sample.minute && sample.minute <= last).copied().collect();
    let zero = used.first()?.minute;
    let (mut bins, width) = binned(&used, zero, BINS);
    let everyday = everyday(samples, zero);
    for bin in &mut bins {
        bin.expected *= everyday;
    }

    let after = used.iter().filter(|sample| sample.minute >= guess);
    let (excess, heard) = after.fold((0.0, 0.0), |(excess, heard), sample| {
        (excess + sample.reports - sample.expected, heard + sample.exposure)
    });
    let mean = (excess / heard.max(1.0)).max(0.02) * width;
    let table = Table::new(&bins, size(&bins), mean * HEIGHTS[HEIGHTS.len() - 1]);
    let longest = LONG_RAMP * bins.len() as f64;
    // Candidates lie in the middle of cells of half a bin, or of a bin where there are many.
    let cells_a_bin = if bins.len() > 80 { 1 } else { 2 };
    let mut log_weights = vec![f64::NEG_INFINITY; bins.len() * cells_a_bin];
    for (ramp, prior) in RAMPS {
        let ramp = (ramp / width).min(longest);
        let ascents: Vec<Vec<f64>> =
            (0..cells_a_bin).map(|cell| ascent((cell as f64 + 0.5) / cells_a_bin as f64, ramp)).collect();
        for height in HEIGHTS {
            let top = Table::position(mean * height);
            let plateau = running_sum(bins.len(), |bin| table.at(bin, top));
            for (cell, log_weight) in log_weights.iter_mut().enumerate() {
                let from = cell / cells_a_bin;
                let ascent = &ascents[cell % cells_a_bin];
                let to = (from + ascent.len()).min(bins.len());
                let rising: f64 = (from..to).zip(ascent).map(|(bin, offset)| table.at(bin, top + offset)).sum();
                let term = table.baseline(0, from) + rising + plateau[bins.len()] - plateau[to];
                *log_weight = log_sum([*log_weight, term + prior.ln()].into_iter());
            }
        }
    }
    Interval::of_weights(zero, 0.0, width / cells_a_bin as f64, &normalised(&log_weights))
}

/// What everyday life was before `zero`, as a ratio to what was expected.
fn everyday(samples: &[Sample], zero: Minute) -> f64 {
    let before = samples.iter().filter(|sample| sample.minute < zero && zero - sample.minute <= 120);
    let (reports, expected) =
        before.fold((0.0, 0.0), |(reports, expected), sample| (reports + sample.reports, expected + sample.expected));
    ((reports + 20.0) / (expected + 20.0)).clamp(0.5, 2.0)
}

/// Table offsets of a ramp's height in its first bin, which it begins at `phase`, and those after, until it is up.
fn ascent(phase: f64, length: f64) -> Vec<f64> {
    let bins = (phase + length).ceil() as usize;
    let share = |bin: usize| risen((bin + 1) as f64 - phase, length) - risen(bin as f64 - phase, length);
    (0..bins).map(|bin| share(bin).ln() / Table::log_step()).collect()
}

/// Integral of a ramp of this length to 1, from its beginning.
fn risen(age: f64, length: f64) -> f64 {
    if age <= 0.0 {
        0.0
    } else if age < length {
        age * age / (2.0 * length)
    } else {
        age - length / 2.0
    }
}

/// The minute from which the samples up to the alarm exceed their baseline most clearly.
fn first_guess(samples: &[Sample], alarm: Minute) -> Option<Minute> {
    let mut focus = Focus::default();
    let mut guess = None;
    for sample in samples.iter().take_while(|sample| sample.minute <= alarm) {
        let upper = 1.5 * sample.expected + 0.02 * sample.exposure;
        let score = focus.step(sample.reports, Expected { mean: sample.expected, upper, dispersion: 1.0 });
        guess = (score.since > 0).then(|| sample.minute - (score.since - 1)).or(guess);
    }
    guess
}

/// The last minute that helps to date the start: enough reports have come, or the alarm is long ago.
fn last_used(samples: &[Sample], guess: Minute, alarm: Minute) -> Minute {
    let mut excess = 0.0;
    let mut last = alarm;
    for sample in samples.iter().filter(|sample| sample.minute >= guess) {
        let dated = excess >= ENOUGH_REPORTS && sample.minute - guess >= LEAST_AFTER && sample.minute > alarm;
        if dated || sample.minute - alarm > MOST_WAIT {
            break;
        }
        excess += sample.reports - sample.expected;
        last = sample.minute;
    }
    last
}

/// Samples summed into bins of whole minutes, at most `most` of them, and the width of one; a gap was not heard.
fn binned(samples: &[Sample], zero: Minute, most: i64) -> (Vec<Sample>, f64) {
    let minutes = samples.last().map_or(0, |last| last.minute - zero) + 1;
    let width = (minutes + most - 1) / most;
    let empty =
        |bin| Sample { minute: zero + bin * width, reports: 0.0, recoveries: 0.0, expected: 0.0, exposure: 0.0 };
    let mut bins: Vec<Sample> = (0..(minutes + width - 1) / width).map(empty).collect();
    for sample in samples {
        if let Some(bin) = bins.get_mut(((sample.minute - zero) / width) as usize) {
            bin.reports += sample.reports;
            bin.recoveries += sample.recoveries;
            bin.expected += sample.expected;
            bin.exposure += sample.exposure / width as f64;
        }
    }
    (bins, width as f64)
}
