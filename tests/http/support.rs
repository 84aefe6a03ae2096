//! A database, a server over it, and requests as bytes.

use assert_cmd::Command;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use whatsdown::count::{KeyHash, ListeningSpan};
use whatsdown::http::{self, App, Config};
use whatsdown::incident::Incident;
use whatsdown::minute::Minute;
use whatsdown::reading::{Catalogue, Lexicon};
use whatsdown::store::{Append, Stamp, Writer};

pub fn whatsdown(database: &Path, words: &[&str]) -> Vec<u8> {
    let mut command = Command::cargo_bin("whatsdown").unwrap();
    command.env("WHATSDOWN_DB", database).env_remove("WHATSDOWN_CONFIG").args(words);
    command.assert().success().get_output().stdout.clone()
}

/// Status, head and body of an answer.
pub async fn get(address: &str, path: &str, extra: &str) -> (u16, String, String) {
    ask(address, "GET", path, extra).await
}

pub async fn ask(address: &str, method: &str, path: &str, extra: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let host = if extra.contains("Host:") { String::new() } else { format!("Host: {address}\r\n") };
    let request = format!("{method} {path} HTTP/1.1\r\n{host}{extra}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes)).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), head.to_owned(), body.to_owned())
}

/// The recorded outage, packed.
pub fn recording() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tiktok-2021-07-06/posts.jsonl.zst")
}

/// Serves the database until the test ends; gives the address.
pub async fn serve(database: &Path) -> String {
    serve_with(database, Config::default()).await
}

pub async fn serve_with(database: &Path, config: Config) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let lexicons = Lexicon::embedded().unwrap();
    let app = App::new(database.to_owned(), Catalogue::embedded().unwrap(), &lexicons, config);
    tokio::spawn(http::serve(listener, app));
    address
}

/// A header of an answer's head.
pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find_map(|(known, value)| known.eq_ignore_ascii_case(name).then_some(value))
}

/// When the databases end that are written row by row.
pub const NOW: &str = "2026-03-01T12:00:00Z";

/// A replayed database that is written row by row, heard through the last day.
pub fn written(database: &Path, batch: Append) -> Writer {
    let now: DateTime<Utc> = NOW.parse().unwrap();
    let mut writer = Writer::open(database, Stamp::Replayed).unwrap();
    let heard = ListeningSpan {
        network: "made-up".to_owned(),
        instance: "made-up".to_owned(),
        heard: true,
        from: (now - TimeDelta::days(1)).timestamp(),
        until: now.timestamp(),
        why: None,
    };
    let closed_through = Some(Minute::of(now) - 1);
    writer.append(&Append { now: Some(now), closed_through, listening: vec![heard], ..batch }).unwrap();
    writer
}

/// An incident that began so many minutes before [`NOW`] and lasts.
pub fn incident(service: &str, minutes_ago: i64) -> Incident<KeyHash> {
    let start = NOW.parse::<DateTime<Utc>>().unwrap() - TimeDelta::minutes(minutes_ago);
    let around =
        json!({"estimate": start, "low": start - TimeDelta::minutes(1), "high": start + TimeDelta::minutes(1)});
    let peak = json!({"at": start + TimeDelta::minutes(5), "observed": 40, "expected": 0.5});
    let value = json!({
        "id": format!("{service}-{}", start.format("%Y%m%dT%H%MZ")), "service": service, "state": "ongoing",
        "start": around, "detected_at": start + TimeDelta::minutes(4), "acknowledged_at": null, "end": null,
        "peak": peak, "reports": 120, "authors": 110, "confidence": 0.998,
        "regions": [
            {"region": "world", "start": around, "end": null, "peak": peak, "reports": 120},
            {"region": "GB", "start": around, "end": null, "peak": peak, "reports": 30},
        ],
        "symptoms": [{"symptom": "login", "share": 0.6}], "surfaces": [{"surface": "app", "share": 1.0}],
        "phases": [{"phase": "onset", "at": start, "evidence": []}],
        "related": [], "corrections": [], "retracted_at": null,
    });
    serde_json::from_value(value).unwrap()
}
