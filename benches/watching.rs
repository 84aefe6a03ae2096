//! What it costs to watch, a minute at a time, and to start again: `cargo bench --bench watching`.
//!
//! Figures are stated as ratios to the time in which the same machine steps one alarm statistic by one minute, so that
//! they can be compared between machines.

#![allow(clippy::print_stdout, reason = "a table is what this program is for")]

#[expect(dead_code, reason = "shared with the tests, which use the rest")]
#[path = "../tests/sim/mod.rs"]
mod sim;

use fastrand::Rng;
use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};
use whatsdown::count::{KeyHash, ListeningSpan, Mention, Tally};
use whatsdown::detect::{Expected, Node};
use whatsdown::incident::related::Ties;
use whatsdown::minute::Minute;
use whatsdown::region::Region;
use whatsdown::track::{Settings, Track};

const FIRST: Minute = Minute(27_000_000);
const SERVICES: usize = 8;
const REGIONS: [&str; 10] = ["US", "GB", "DE", "FR", "JP", "IN", "BR", "CA", "AU", "US-TX"];
const SETTINGS: Settings = Settings { false_alarms_per_month: 1.0 };
const LEARNT: i64 = 14 * Minute::DAY;
const MEASURED: i64 = 2 * Minute::DAY;

fn main() -> Result<(), Box<dyn Error>> {
    if !std::env::args().any(|word| word == "--bench") {
        return Ok(()); // `cargo test --benches` only wants to know that it starts
    }
    let step = one_step();
    println!("a step of one quiet statistic: {step:?}\n");
    println!(
        "| reports a minute and service | live series | a minute of one series | as steps | snapshot | restored in | as steps |"
    );
    println!("|---|---|---|---|---|---|---|");
    for rate in [0.02, 0.2, 2.0] {
        let mut rng = Rng::with_seed(1);
        let mut track = Track::default();
        track.listen(&ListeningSpan {
            network: "bluesky".into(),
            instance: "bluesky".into(),
            heard: true,
            from: FIRST.start().timestamp(),
            until: (FIRST + LEARNT + MEASURED).start().timestamp(),
            why: None,
        });
        live(&mut track, &mut rng, rate, FIRST, LEARNT)?;
        let taken = live(&mut track, &mut rng, rate, FIRST + LEARNT, MEASURED)?;
        // Each region that was ever named is a series, and so is the world.
        let series = SERVICES * (REGIONS.len() + 1);
        let one = taken / u32::try_from(MEASURED)? / u32::try_from(series)?;
        let snapshot = postcard::to_stdvec(&track)?;
        let started = Instant::now();
        let restored: Track = postcard::from_bytes(&snapshot)?;
        let restoring = started.elapsed();
        assert!(restored == track, "a snapshot holds the whole state");
        let steps = |time: Duration| time.as_secs_f64() / step.as_secs_f64();
        println!(
            "| {rate} | {series} | {one:?} | {:.1} | {} kB | {restoring:?} | {:.0} |",
            steps(one),
            snapshot.len() / 1000,
            steps(restoring)
        );
    }
    Ok(())
}

/// The time of one step of an alarm statistic, the mean of a million.
fn one_step() -> Duration {
    let (mut node, expected) = (Node::default(), Expected { mean: 0.02, upper: 0.05, dispersion: 1.0 });
    let started = Instant::now();
    for minute in 0..1_000_000_u32 {
        black_box(node.step(f64::from(u8::from(minute % 50 == 0)), expected));
    }
    started.elapsed() / 1_000_000
}

/// Feeds everyday reports and closes the minutes; gives the time that the closing took.
fn live(track: &mut Track, rng: &mut Rng, rate: f64, from: Minute, minutes: i64) -> Result<Duration, Box<dyn Error>> {
    let regions: Vec<Region> = REGIONS.iter().map(|code| code.parse()).collect::<Result<_, _>>()?;
    let mut closing = Duration::ZERO;
    for minute in (0..minutes).map(|offset| from + offset) {
        for service in 0..SERVICES {
            for _ in 0..sim::poisson(rng, rate) as u32 {
                let author = rng.u64(..);
                track.add(&Mention {
                    key: KeyHash(rng.u128(..).to_le_bytes()),
                    at: minute.start() + chrono::TimeDelta::seconds(rng.i64(0..60)),
                    service: format!("service{service}").into(),
                    source: "bluesky".into(),
                    region: regions[rng.usize(..regions.len())],
                    tally: Tally::Report,
                    symptoms: Vec::new(),
                    surfaces: Vec::new(),
                    stage: None,
                    author,
                    print: author,
                    quotable: false,
                });
            }
        }
        let started = Instant::now();
        black_box(track.close_through(minute, None, &SETTINGS, &Ties::default()));
        closing += started.elapsed();
    }
    Ok(closing)
}
