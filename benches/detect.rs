//! What one node's minute and one incident's intervals cost: `cargo bench --bench detect`.

#[expect(dead_code, reason = "shared with the tests, which use the rest")]
#[path = "../tests/sim/mod.rs"]
mod sim;

use divan::{Bencher, black_box};
use fastrand::Rng;
use sim::{Life, Outage, Shape};
use whatsdown::detect::interval::{end, start};
use whatsdown::detect::{Baseline, Node, Sample};
use whatsdown::minute::Minute;

const FIRST: Minute = Minute(27_000_000);

fn main() {
    divan::main();
}

/// A baseline that has learnt two weeks of this rate, and the minute after.
fn learnt(rate: f64) -> (Baseline, Minute) {
    let counts = Life::steady(rate).counts(&mut Rng::with_seed(1), &vec![rate; 20_000]);
    let (mut baseline, mut minute) = (Baseline::new(FIRST), FIRST);
    for count in counts {
        baseline.learn(minute, count, 1.0, None);
        minute = minute + 1;
    }
    (baseline, minute)
}

#[divan::bench(args = [0.02, 2.0])]
fn expect_a_minute(bencher: Bencher, rate: f64) {
    let (baseline, minute) = learnt(rate);
    bencher.bench(|| black_box(&baseline).expected(minute, None));
}

#[divan::bench(args = [0.02, 2.0])]
fn learn_a_minute(bencher: Bencher, rate: f64) {
    let (mut baseline, mut minute) = learnt(rate);
    bencher.bench_local(|| {
        minute = minute + 1;
        baseline.learn(minute, black_box(rate), 1.0, None);
    });
}

#[divan::bench]
fn step_a_quiet_node(bencher: Bencher) {
    let (baseline, minute) = learnt(0.02);
    let expected = baseline.expected(minute, None);
    let mut node = Node::default();
    bencher.bench_local(|| node.step(black_box(0.0), expected));
}

/// A clone over the unsettled quarter of an hour, as each new minute asks for.
#[divan::bench]
fn step_fifteen_busy_minutes(bencher: Bencher) {
    let (baseline, minute) = learnt(2.0);
    let expected = baseline.expected(minute, None);
    let counts = Life::steady(2.0).counts(&mut Rng::with_seed(2), &[2.0; 15]);
    let node = Node::default();
    bencher.bench_local(|| {
        let mut node = black_box(&node).clone();
        counts.iter().map(|count| node.step(*count, expected).llr).fold(0.0, f64::max)
    });
}

fn samples(minutes: usize) -> Vec<Sample> {
    let length = minutes as f64 - 240.0;
    let outage = Outage { start: 180.0, minutes: length, adds: 6.0, shape: Shape::Step, talk: 10.0, back: 0.3 };
    let mut rates = vec![2.0; minutes];
    let recoveries = outage.apply(&mut rates);
    let counts = Life::steady(2.0).counts(&mut Rng::with_seed(3), &rates);
    let sample = |(minute, (reports, recoveries))| Sample {
        minute: Minute(FIRST.0 + minute),
        reports,
        recoveries: f64::round(recoveries),
        expected: 2.0,
        exposure: 1.0,
    };
    (0..).zip(counts.into_iter().zip(recoveries)).map(sample).collect()
}

#[divan::bench(args = [300, 1500])]
fn date_the_start(bencher: Bencher, minutes: usize) {
    let samples = samples(minutes);
    bencher.bench(|| start(black_box(&samples), FIRST + 185));
}

#[divan::bench(args = [300, 1500])]
fn date_the_end(bencher: Bencher, minutes: usize) {
    let samples = samples(minutes);
    bencher.bench(|| end(black_box(&samples), (FIRST + 180).start(), None));
}
