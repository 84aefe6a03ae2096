//! A database of its own for every test, replays into it, and everything that it says.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use whatsdown::incident::Incident;
use whatsdown::pipeline::input::{Merged, Reject};
use whatsdown::pipeline::replay::{self, ReplayError, Summary};
use whatsdown::pipeline::{Pipeline, PipelineError, Retention};
use whatsdown::reading::{Catalogue, Lexicon, Reader, ServiceId};
use whatsdown::region::Region;
use whatsdown::store::{self, Filter, Stamp};
use whatsdown::track::Settings;

pub const SERVICES: &[&str] = &["tiktok", "discord", "spotify"];
pub const RETENTION: Retention = Retention { unquoted: TimeDelta::days(2), quoted: TimeDelta::days(30) };
/// Mentions to a commit: small, so that there are many.
const BATCH: usize = 40;

/// A folder with a database.
pub struct Lab {
    folder: TempDir,
}

/// What a replay told beside what it stored.
pub struct Ran {
    pub result: Result<Summary, ReplayError>,
    /// Every rejected line: its number and why.
    pub rejects: Vec<(u64, String)>,
}

impl Ran {
    pub fn summary(&self) -> Summary {
        *self.result.as_ref().unwrap_or_else(|error| panic!("{error}"))
    }
}

pub fn reader() -> Reader {
    Reader::new(Catalogue::embedded().unwrap(), &Lexicon::embedded().unwrap()).unwrap()
}

pub fn open(database: &Path, stamp: Stamp) -> Result<Pipeline, PipelineError> {
    let settings = Settings { false_alarms_per_month: 1.0 };
    Ok(Pipeline::open(database, stamp, reader(), settings, RETENTION)?.0)
}

/// Replays files as the command does.
pub fn replay(database: &Path, files: &[PathBuf], batch: usize) -> Ran {
    let rejects = RefCell::new(Vec::new());
    let run = || {
        let mut pipeline = open(database, Stamp::Replayed)?;
        let latest = DateTime::<Utc>::MAX_UTC;
        let mut input = Merged::open(files, latest).map_err(ReplayError::Input)?;
        let mut keep = |reject: &Reject| {
            rejects.borrow_mut().push((reject.line, reject.why.to_string()));
            // A line that says so stops the replay where it stands, without a last commit.
            if reject.bytes == b"STOP" { Err(std::io::Error::other("stopped")) } else { Ok(()) }
        };
        replay::replay(&mut pipeline, &mut input, batch, &mut keep, &mut |_| {})
    };
    let result = run();
    Ran { result, rejects: rejects.into_inner() }
}

impl Lab {
    pub fn new() -> Lab {
        Lab { folder: tempfile::tempdir().unwrap() }
    }

    /// A database into which `lines` were replayed.
    pub fn of(lines: &[String]) -> Lab {
        let lab = Lab::new();
        lab.replay(lines).summary();
        lab
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn database(&self) -> PathBuf {
        self.path("test.db")
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Replays lines from one file.
    pub fn replay(&self, lines: &[String]) -> Ran {
        self.replay_files(&[lines.to_vec()])
    }

    /// Replays several files together.
    pub fn replay_files(&self, files: &[Vec<String>]) -> Ran {
        let write = |(index, lines): (usize, &Vec<String>)| {
            let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
            self.write(&format!("{index}.jsonl"), text.as_bytes())
        };
        let paths: Vec<PathBuf> = files.iter().enumerate().map(write).collect();
        replay(&self.database(), &paths, BATCH)
    }

    pub fn reader(&self) -> store::Reader {
        store::Reader::open(&self.database()).unwrap()
    }

    /// Incidents, the oldest first.
    pub fn incidents(&self) -> Vec<Incident> {
        let mut found = self.reader().incidents(&Filter::default()).unwrap();
        found.reverse();
        found
    }

    /// Sum of the counter's posts of the region `world`, of one service.
    pub fn counted(&self, service: &str) -> u64 {
        let filter = Filter { service: Some(ServiceId::new(service)), ..Filter::default() };
        let mut posts = 0;
        let mut add = |row: whatsdown::answer::CountRow| {
            posts += if row.region == Region::WORLD { row.posts } else { 0 };
            Ok(())
        };
        self.reader().counts(&filter, &mut add).unwrap().unwrap();
        posts
    }

    /// Everything that the database says.
    pub fn says(&self) -> Value {
        says(&self.database())
    }
}

pub fn says(database: &Path) -> Value {
    let reader = store::Reader::open(database).unwrap();
    let all = Filter::default();
    let now = reader.now().unwrap();
    let services: Vec<ServiceId> = SERVICES.iter().map(|id| ServiceId::new(id)).collect();
    let mut counts = Vec::new();
    let mut keep = |row| {
        counts.push(serde_json::to_value(row).unwrap());
        Ok(())
    };
    reader.counts(&all, &mut keep).unwrap().unwrap();
    let incidents = reader.incidents(&all).unwrap();
    let files: Vec<_> = incidents.iter().map(|incident| reader.incident_file(&incident.id).unwrap()).collect();
    let regions = [Region::WORLD, "GB".parse().unwrap(), "US-TX".parse().unwrap()];
    let series = services.iter().flat_map(|service| regions.map(|region| (service, region)));
    let series =
        series.map(|(service, region)| reader.series(service, region, now - TimeDelta::days(1), now, 5).unwrap());
    let status = (0..12).map(|hours| reader.status(&services, Some(now - TimeDelta::hours(hours))).unwrap());
    json!({
        "now": now,
        "counts": counts,
        "incidents": incidents,
        "files": files,
        "spikes": reader.spikes(&all).unwrap(),
        "series": series.collect::<Vec<_>>(),
        "status": status.collect::<Vec<_>>(),
        "sources": reader.sources().unwrap(),
    })
}

/// Fails with the first place in which two answers differ.
pub fn assert_same(one: &Value, other: &Value, what: &str) {
    if let Some(difference) = difference(one, other) {
        panic!("{what}: {difference}");
    }
}

pub fn difference(one: &Value, other: &Value) -> Option<String> {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            a.iter().find_map(|(key, value)| Some(format!("{key}.{}", difference(value, &b[key])?)))
        }
        (Value::Array(a), Value::Array(b)) => {
            let mut pairs = a.iter().zip(b).enumerate();
            let first = pairs.find_map(|(at, (a, b))| Some(format!("{at}.{}", difference(a, b)?)));
            first.or_else(|| (a.len() != b.len()).then(|| format!("{} and {} entries", a.len(), b.len())))
        }
        _ => (one != other).then(|| format!("{one} and {other}")),
    }
}
