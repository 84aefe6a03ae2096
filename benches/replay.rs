//! Posts a second through the whole of `replay`, and as a ratio to parsing the same lines alone:
//! `cargo bench --bench replay`.

use std::error::Error;
use std::io::{BufRead, BufReader, Cursor};
use std::path::Path;
use std::time::{Duration, Instant};
use whatsdown::clock;
use whatsdown::pipeline::input::Merged;
use whatsdown::pipeline::replay::{BATCH, replay};
use whatsdown::pipeline::{Pipeline, Retention};
use whatsdown::post::Event;
use whatsdown::reading::{Catalogue, Lexicon, Reader};
use whatsdown::store::Stamp;
use whatsdown::track::Settings;

const RUNS: usize = 3;
const RECORDING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/tiktok-2021-07-06/posts.jsonl.zst");

fn main() -> Result<(), Box<dyn Error>> {
    let plain = zstd::decode_all(std::fs::File::open(RECORDING)?)?;
    let folder = tempfile::tempdir()?;
    let recording = folder.path().join("posts.jsonl");
    std::fs::write(&recording, &plain)?;

    let (mut parsing, mut replaying, mut posts) = (Duration::MAX, Duration::MAX, 0);
    for run in 0..RUNS {
        let started = Instant::now();
        posts = parse(&plain)?;
        parsing = parsing.min(started.elapsed());
        let started = Instant::now();
        replay_all(&recording, &folder.path().join(format!("{run}.db")))?;
        replaying = replaying.min(started.elapsed());
    }
    let rate = |time: Duration| posts as f64 / time.as_secs_f64();
    println!("posts            {posts}");
    println!("parsing alone    {:>10.0} posts/s", rate(parsing));
    println!("whole replay     {:>10.0} posts/s", rate(replaying));
    println!("ratio            {:>10.1}", replaying.as_secs_f64() / parsing.as_secs_f64());
    Ok(())
}

fn parse(plain: &[u8]) -> Result<usize, Box<dyn Error>> {
    let latest = clock::now();
    let mut posts = 0;
    for line in BufReader::new(Cursor::new(plain)).split(b'\n') {
        posts += usize::from(matches!(Event::parse(&line?, latest), Ok(Event::Post(_))));
    }
    Ok(posts)
}

fn replay_all(recording: &Path, database: &Path) -> Result<(), Box<dyn Error>> {
    let reader = Reader::new(Catalogue::embedded()?, &Lexicon::embedded()?)?;
    let settings = Settings { false_alarms_per_month: 1.0 };
    let retention = Retention { unquoted: chrono::TimeDelta::hours(48), quoted: chrono::TimeDelta::days(365) };
    let (mut pipeline, _) = Pipeline::open(database, Stamp::Replayed, reader, settings, retention)?;
    let mut input = Merged::open(&[recording.to_owned()], clock::now())?;
    replay(&mut pipeline, &mut input, BATCH, &mut |_| Ok(()), &mut |_| {})?;
    Ok(())
}
