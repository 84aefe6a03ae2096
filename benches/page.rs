//! How long an answer over HTTP takes, beside the bare SQL query that it needs: over a made-up year of 100 services in
//! 60 regions. Prints a table, and fails where an answer takes more than 3 times its query and is not within 20 ms (a page)
//! or 10 ms (an answer for programs).
//!
//!     cargo bench --bench page

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that cannot be made fails, and prints")]

use rusqlite::{Connection, params};
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};
use whatsdown::http::{self, App, Config};
use whatsdown::reading::{Catalogue, Lexicon};
use whatsdown::store::{Stamp, Writer};

const SERVICES: usize = 100;
const REGIONS: &[&str] = &[
    "US", "GB", "DE", "FR", "ES", "IT", "NL", "BE", "PL", "SE", "NO", "DK", "FI", "IE", "PT", "AT", "CH", "CZ", "GR",
    "RO", "TR", "UA", "IN", "JP", "KR", "ID", "PH", "TH", "VN", "MY", "SG", "AU", "NZ", "BR", "MX", "AR", "CL", "CO",
    "PE", "CA", "ZA", "NG", "KE", "EG", "MA", "SA", "AE", "IL", "US-CA", "US-TX", "US-NY", "US-FL", "US-IL", "US-WA",
    "GB-SCT", "GB-WLS", "CA-ON", "CA-QC", "AU-NSW", "AU-VIC",
];
/// 2026-01-01T00:00Z and a year before, in minutes since 1970.
const END: i64 = 1_767_225_600 / 60;
const BEGIN: i64 = END - 365 * 24 * 60;
const RUNS: usize = 15;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("year.db");
    let services = services();
    let rows = fill(&database, &services);
    println!("{rows} rows, {} MB\n", std::fs::metadata(&database).unwrap().len() / 1_000_000);
    let sql = Connection::open(&database).unwrap();
    let newest: String =
        sql.query_row("SELECT id FROM incident ORDER BY from_second DESC LIMIT 1", [], |row| row.get(0)).unwrap();

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let lexicons = Lexicon::embedded().unwrap();
    runtime
        .spawn(http::serve(listener, App::new(database, Catalogue::embedded().unwrap(), &lexicons, Config::default())));

    let (day, week) = (END - 24 * 60, END - 7 * 24 * 60);
    let body = |condition: &str| format!("SELECT body FROM incident {condition}");
    let since = |second: i64| {
        format!("id IN (SELECT id FROM incident WHERE coalesce(until_second, 9223372036854775807) >= {second})")
    };
    let now = body(&format!("WHERE {}", since(END * 60)));
    let counts = |since: i64, region: &str| {
        format!(
            "SELECT minute, sum(authors) FROM bucket WHERE service = 'tiktok' AND region = '{region}' AND tally = 'report'
             AND minute >= {since} AND minute < {END} GROUP BY minute"
        )
    };
    let one = body(&format!("WHERE id = '{newest}'"));
    let questions = [
        ("/api/v1/status".to_owned(), now.clone()),
        (
            "/api/v1/incidents?open=true".to_owned(),
            body("WHERE body ->> 'state' <> 'resolved' AND body ->> 'retracted_at' IS NULL"),
        ),
        ("/api/v1/incidents?limit=100".to_owned(), body("ORDER BY from_second DESC LIMIT 101")),
        ("/api/v1/incidents".to_owned(), body("ORDER BY from_second DESC LIMIT 101")),
        ("/api/v1/incidents?service=tiktok".to_owned(), body("WHERE service = 'tiktok' ORDER BY from_second DESC")),
        (
            "/api/v1/incidents?region=GB&since=7d".to_owned(),
            body(&format!("WHERE {} ORDER BY from_second DESC", since(week * 60))),
        ),
        (format!("/api/v1/incidents/{newest}"), one.clone()),
        ("/api/v1/spikes".to_owned(), format!("SELECT * FROM spike WHERE until_minute > {day}")),
        ("/api/v1/series?service=tiktok".to_owned(), counts(day, "world")),
        ("/api/v1/series?service=tiktok&region=US-TX&since=7d&step=1h".to_owned(), counts(week, "US-TX")),
        ("/api/v1/series?service=tiktok&since=1y&step=1d".to_owned(), counts(BEGIN, "world")),
        (
            "/api/v1/sources".to_owned(),
            "SELECT * FROM source_state, listening WHERE source_state.instance = listening.instance".to_owned(),
        ),
        ("/feed.atom".to_owned(), body("ORDER BY from_second DESC LIMIT 50")),
        ("/metrics".to_owned(), now.clone()),
        ("/".to_owned(), now),
        ("/services/tiktok".to_owned(), counts(week, "world")),
        (format!("/incidents/{newest}"), one),
    ];
    println!("| question | answer, ms | SQL, ms | times |\n|---|---|---|---|");
    let mut missed = 0;
    for (path, query) in &questions {
        if ask(&address, path).0 == 404 {
            continue;
        }
        let answered = median(|| assert_eq!(ask(&address, path).0, 200, "{path}"));
        let queried = median(|| {
            let mut statement = sql.prepare(query).unwrap();
            let columns = statement.column_count();
            let mut rows = statement.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                for column in 0..columns {
                    std::hint::black_box(row.get_ref(column).unwrap());
                }
            }
        });
        let bound = if path.starts_with("/api/") { 10.0 } else { 20.0 };
        let (answer, bare) = (answered.as_secs_f64() * 1e3, queried.as_secs_f64() * 1e3);
        let fine = answer <= 3.0 * bare || answer <= bound;
        missed += usize::from(!fine);
        println!(
            "| `{path}` | {answer:.1} | {bare:.1} | {:.1}{} |",
            answer / bare,
            if fine { "" } else { " **missed**" }
        );
    }
    assert_eq!(missed, 0, "some answers take too long");
}

fn services() -> Vec<String> {
    let catalogue = Catalogue::embedded().unwrap();
    let known = catalogue.services().iter().map(|service| service.id.to_string());
    known.chain((0..SERVICES).map(|number| format!("made-up-{number}"))).take(SERVICES).collect()
}

fn median(mut run: impl FnMut()) -> Duration {
    run();
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let begin = Instant::now();
            run();
            begin.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[RUNS / 2]
}

fn ask(address: &str, path: &str) -> (u16, usize) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    (String::from_utf8_lossy(&answer[9..12]).parse().unwrap(), answer.len())
}

/// Writes the year; gives the number of rows.
fn fill(database: &Path, services: &[String]) -> usize {
    drop(Writer::open(database, Stamp::Replayed).unwrap());
    let mut connection = Connection::open(database).unwrap();
    connection.execute_batch("PRAGMA synchronous = OFF").unwrap();
    let all = connection.transaction().unwrap();
    let mut rows = 0;
    {
        let mut bucket = all.prepare("INSERT INTO bucket VALUES (?1, ?2, 'bluesky', 'report', ?3, ?4, ?4)").unwrap();
        let mut expected = all.prepare("INSERT INTO expected VALUES (?1, ?2, ?3, 0.2, 1.3)").unwrap();
        let mut spike = all.prepare("INSERT INTO spike VALUES (?1, ?2, ?3, ?3 + 30, 12, 0.6, 25.0, ?4, NULL)").unwrap();
        let mut incident = all.prepare("INSERT INTO incident VALUES (?1, ?2, ?3, ?4, ?5, ?6)").unwrap();
        for (number, service) in services.iter().enumerate() {
            // All over the world somebody reports every hour; in a region every day.
            for (region, every) in [("world", 60)].into_iter().chain(REGIONS.iter().map(|region| (*region, 24 * 60))) {
                for minute in (BEGIN..END).step_by(every) {
                    bucket.execute(params![service, region, minute + (number as i64 % 60), 1 + minute % 3]).unwrap();
                    rows += 1;
                }
                for minute in (BEGIN..END).step_by(24 * 60) {
                    expected.execute(params![service, region, minute]).unwrap();
                    rows += 1;
                }
            }
            // An outage a week; the last one of every tenth service lasts.
            for week in 0..52 {
                let minute = BEGIN + 7 * 24 * 60 * (week + 1) - 60 * (1 + number as i64 % 24);
                let lasts = week == 51 && number % 10 == 0;
                let (id, until, body) = outage(service, minute, lasts);
                let revision = number as i64 * 52 + week;
                incident.execute(params![id, service, (minute - 1) * 60, until, body, revision]).unwrap();
                for region in ["world", "US", "GB", "DE", "US-CA", "GB-SCT"] {
                    spike.execute(params![service, region, minute, id]).unwrap();
                    rows += 1;
                }
                rows += 1;
            }
        }
        let mut listening = all.prepare("INSERT INTO listening VALUES (?1, ?2, ?3, ?4, ?5, NULL)").unwrap();
        let health = json!({"state": "ok", "last_success": null, "heard_until": null, "budget_left": null, "errors": 0,
            "odd": 0, "last_error": null});
        for (network, instance) in [("bluesky", "bluesky"), ("mastodon", "mastodon.one"), ("mastodon", "mastodon.two")]
        {
            all.execute(
                "INSERT INTO source_state VALUES (?1, ?2, NULL, 1, ?3)",
                params![instance, network, health.to_string()],
            )
            .unwrap();
            for minute in (BEGIN..END).step_by(24 * 60) {
                listening.execute(params![network, instance, 1, minute * 60, (minute + 24 * 60 - 5) * 60]).unwrap();
                listening
                    .execute(params![network, instance, 0, (minute + 24 * 60 - 5) * 60, (minute + 24 * 60) * 60])
                    .unwrap();
                rows += 2;
            }
        }
        let now = END * 60_000;
        all.execute(
            "INSERT INTO meta VALUES ('now', ?1), ('closed_through', ?2)",
            params![now.to_string(), (END - 1).to_string()],
        )
        .unwrap();
    }
    all.commit().unwrap();
    rows
}

/// An outage of an hour in as many regions as one has: its id, its last second, its body.
fn outage(service: &str, minute: i64, lasts: bool) -> (String, Option<i64>, String) {
    let at = |minute: i64| chrono::DateTime::from_timestamp(minute * 60, 0).unwrap();
    let around = |minute: i64| json!({"estimate": at(minute), "low": at(minute - 1), "high": at(minute + 1)});
    let end = if lasts { json!(null) } else { around(minute + 60) };
    let peak = json!({"at": at(minute + 9), "observed": 41, "expected": 0.3});
    let regions: Vec<_> = ["world", "US", "GB", "DE", "FR", "US-CA", "US-TX", "US-NY", "GB-SCT", "CA-ON"]
        .iter()
        .map(|region| json!({"region": region, "start": around(minute), "end": end, "peak": peak, "reports": 80}))
        .collect();
    let evidence: Vec<String> = (0..5).map(|number| format!("{:032x}", minute * 10 + number)).collect();
    let phases: Vec<_> = ["onset", "acknowledged", "partial_recovery", "recovery", "resolved"]
        .iter()
        .enumerate()
        .take(if lasts { 2 } else { 5 })
        .map(|(number, phase)| json!({"phase": phase, "at": at(minute + 12 * number as i64), "evidence": evidence}))
        .collect();
    let id = format!("{service}-{}", at(minute).format("%Y%m%dT%H%MZ"));
    let body = json!({
        "id": id, "service": service, "state": if lasts { "ongoing" } else { "resolved" }, "start": around(minute),
        "detected_at": at(minute + 4), "acknowledged_at": at(minute + 12), "end": end, "peak": peak, "reports": 812,
        "authors": 797, "confidence": 0.999, "regions": regions, "phases": phases,
        "symptoms": [{"symptom": "login", "share": 0.6}, {"symptom": "feed", "share": 0.3}],
        "surfaces": [{"surface": "app", "share": 0.8}], "related": [], "corrections": [], "retracted_at": null,
    });
    (id, (!lasts).then_some((minute + 61) * 60), body.to_string())
}
