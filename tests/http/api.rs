//! The API answers as the commands do, and refuses what they refuse.

use crate::support::{ask, get, header, incident, recording, serve, serve_with, whatsdown, written};
use serde_json::Value;
use whatsdown::http::Config;
use whatsdown::minute::Minute;
use whatsdown::reading::ServiceId;
use whatsdown::store::writer::SpikeRow;
use whatsdown::store::{Append, Stamp, Writer};

#[tokio::test(flavor = "multi_thread")]
async fn the_api_answers_as_the_commands_do() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("replayed.db");
    whatsdown(&database, &["replay", recording().to_str().unwrap(), "-q"]);
    let address = serve(&database).await;

    for (path, words) in [
        ("/api/v1/status", vec!["status", "--json"]),
        ("/api/v1/status?service=tiktok", vec!["status", "tiktok", "--json"]),
        ("/api/v1/incidents", vec!["incidents", "--json"]),
        ("/api/v1/incidents?service=youtube", vec!["incidents", "--service", "youtube", "--json"]),
        ("/api/v1/spikes?limit=1", vec!["spikes", "--limit", "1", "--json"]),
        (
            "/api/v1/series?service=tiktok&since=2h&step=10m",
            vec!["series", "tiktok", "--since", "2h", "--step", "10m", "--json"],
        ),
        ("/api/v1/sources", vec!["sources", "--json"]),
        ("/api/v1/services", vec!["services", "--json"]),
    ] {
        let (code, _, body) = get(&address, path, "").await;
        assert_eq!(code, 200, "{path}: {body}");
        let told: Value = serde_json::from_slice(&whatsdown(&database, &words)).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), told, "{path}");
    }

    let incidents: Value = serde_json::from_slice(&whatsdown(&database, &["incidents", "--json"])).unwrap();
    let id = incidents[0]["id"].as_str().unwrap();
    let (_, _, body) = get(&address, &format!("/api/v1/incidents/{id}"), "").await;
    let told: Value = serde_json::from_slice(&whatsdown(&database, &["timeline", id, "--json"])).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), told);

    let (_, head, _) = get(&address, "/api/v1/status", "").await;
    assert!(head.to_ascii_lowercase().contains("content-security-policy: default-src 'none'"), "{head}");
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    assert_eq!(get(&address, "/api/v1/status", &format!("If-None-Match: {tag}\r\n")).await.0, 304);
    let (_, head, _) = get(&address, "/api/v1/status", "Accept-Encoding: gzip\r\n").await;
    assert!(head.contains("content-encoding: gzip"), "{head}");

    for (path, wanted) in [
        ("/api/v1/status?service=tiktik", 400),
        ("/api/v1/incidents?region=XX", 400),
        ("/api/v1/incidents?since=soon", 400),
        ("/api/v1/incidents?no_such=1", 400),
        ("/api/v1/series", 400),
        ("/api/v1/series?service=tiktok&since=1y&step=1m", 400),
        ("/api/v1/incidents?limit=0", 400),
        ("/api/v1/incidents?limit=1001", 400),
        ("/api/v1/incidents?cursor=soon", 400),
        ("/api/v1/incidents?open=perhaps", 400),
        ("/api/v1/incidents?service=tiktok&service=aws", 400),
        ("/api/v1/status?since=2h", 400),
        ("/api/v1/services?service=tiktok", 400),
        ("/api/v1/series?service=tiktok&since=1000y&step=10000w", 400),
        ("/api/v1/series?service=tiktok&until=-262143-01-01", 400),
        ("/api/v1/events?service=tiktok", 400),
        ("/feed.atom?since=2h", 400),
        ("/api/v1/incidents/nothing", 404),
        ("/api/v1/incidents/%ff", 400),
        ("/nothing", 404),
    ] {
        let (code, head, body) = get(&address, path, "").await;
        assert_eq!(code, wanted, "{path}: {body}");
        assert!(head.contains("application/problem+json"), "{path}: {head}");
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["status"], wanted, "{path}");
    }
    assert_eq!(get(&address, "/healthz", "").await.0, 200);
    assert_eq!(get(&address, "/readyz", "").await.0, 200);
    assert_eq!(get(&address, "/api/v1/status", "Host: evil.example\r\n").await.0, 421);
}

/// Follows the links from one answer to the next; gives the rows and how many answers it took.
async fn follow(address: &str, path: &str) -> (Vec<Value>, usize) {
    let (mut rows, mut answers, mut path) = (Vec::new(), 0, path.to_owned());
    loop {
        let (code, head, body) = get(address, &path, "").await;
        assert_eq!(code, 200, "{path}: {body}");
        rows.extend(serde_json::from_str::<Vec<Value>>(&body).unwrap());
        answers += 1;
        let Some(link) = header(&head, "link") else { return (rows, answers) };
        link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().clone_into(&mut path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_lists_come_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("written.db");
    let services = ["tiktok", "t-mobile", "aws", "x"];
    // Several begin in the same second, and several spikes in the same minute.
    let incidents = (0..20).flat_map(|at| services.map(|service| incident(service, 100 * (at / 2) + 60 * (at % 2))));
    let spikes = (0..20).flat_map(|at| {
        ["GB", "world"].iter().flat_map(move |region| {
            services.map(|service| SpikeRow {
                service: ServiceId::new(service),
                region: region.parse().unwrap(),
                from: Minute::of(crate::support::NOW.parse().unwrap()) - 50 * at - 10,
                until: Minute::of(crate::support::NOW.parse().unwrap()) - 50 * at,
                observed: 9,
                expected: 0.5,
                score: 12.0,
                incident: None,
                echo_of: None,
            })
        })
    });
    drop(written(&database, Append { incidents: incidents.collect(), spikes: spikes.collect(), ..Append::default() }));
    let address = serve(&database).await;
    for (path, part, expected) in [
        ("/api/v1/incidents", 7, 80_usize),
        ("/api/v1/incidents?service=aws", 3, 20),
        ("/api/v1/incidents?region=GB&since=2d&open=true", 16, 80),
        ("/api/v1/spikes", 13, 160),
        ("/api/v1/spikes?region=GB", 80, 80),
    ] {
        let (whole, answers) = follow(&address, path).await;
        // An answer has a hundred rows at the most.
        assert_eq!((whole.len(), answers), (expected, expected.div_ceil(100)), "{path}");
        let join = if path.contains('?') { '&' } else { '?' };
        let (parts, answers) = follow(&address, &format!("{path}{join}limit={part}")).await;
        assert_eq!((answers, parts), (expected.div_ceil(part), whole), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_on_the_network_can_change_anything() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("written.db");
    drop(written(&database, Append { incidents: vec![incident("tiktok", 30)], ..Append::default() }));
    let before = std::fs::read(&database).unwrap();
    let address = serve(&database).await;
    let (_, _, document) = get(&address, "/openapi.json", "").await;
    let document: Value = serde_json::from_str(&document).unwrap();
    let id = incident("tiktok", 30).id;
    let mut paths: Vec<String> =
        document["paths"].as_object().unwrap().keys().map(|path| path.replace("{id}", &id)).collect();
    assert!(paths.len() > 10, "{paths:?}");
    paths.push(format!("/incidents/{id}"));
    for path in &paths {
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
            let (code, head, body) = ask(&address, method, path, "Content-Length: 0\r\n").await;
            assert_eq!((code, header(&head, "allow")), (405, Some("GET,HEAD")), "{method} {path}: {body}");
        }
        let (code, head, body) = match path.as_str() {
            // Its answer has no end.
            "/api/v1/events" => continue,
            "/api/v1/series" => ask(&address, "HEAD", "/api/v1/series?service=tiktok", "").await,
            path => ask(&address, "HEAD", path, "").await,
        };
        assert_eq!((code, body.as_str()), (200, ""), "HEAD {path}: {head}");
    }
    assert_eq!(std::fs::read(&database).unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_origins_and_names_are_let_in_only_as_configured() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("written.db");
    drop(written(&database, Append::default()));
    let origin = "Origin: https://dashboard.example.org\r\n";
    let (_, head, _) = get(&serve(&database).await, "/api/v1/status", origin).await;
    assert_eq!(header(&head, "access-control-allow-origin"), None);
    let config = Config {
        cors_origins: vec!["https://dashboard.example.org".to_owned()],
        names: vec!["status.example.org".to_owned()],
        requests_a_minute: 4,
        ..Config::default()
    };
    let address = serve_with(&database, config).await;
    let (_, head, _) = get(&address, "/api/v1/status", origin).await;
    assert_eq!(header(&head, "access-control-allow-origin"), Some("https://dashboard.example.org"));
    let (_, head, _) = get(&address, "/api/v1/status", "Origin: https://evil.example\r\n").await;
    assert_eq!(header(&head, "access-control-allow-origin"), None);
    assert_eq!(get(&address, "/healthz", "Host: status.example.org\r\n").await.0, 200);
    assert_eq!(get(&address, "/healthz", "").await.0, 200);
    // One asks too often, and is told when to come back.
    let (code, head, _) = get(&address, "/healthz", "").await;
    assert_eq!(code, 429);
    assert!((1..=16).contains(&header(&head, "retry-after").unwrap().parse().unwrap()), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ready_is_said_only_where_the_job_keeps_up() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("live.db");
    let mut writer = Writer::open(&database, Stamp::Live).unwrap();
    let address = serve(&database).await;
    let (code, _, body) = get(&address, "/readyz", "").await;
    assert!(code == 503 && body.contains("no minute is counted yet"), "{body}");
    for (minutes_ago, wanted, says) in [(42, 503, "42 min ago"), (2, 200, "ready")] {
        let closed_through = Some(Minute::of(chrono::Utc::now()) - minutes_ago - 1);
        writer.append(&Append { closed_through, ..Append::default() }).unwrap();
        let (code, _, body) = get(&address, "/readyz", "").await;
        assert!(code == wanted && body.contains(says), "{code} {body}");
    }
    assert_eq!(get(&address, "/healthz", "").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_feed_and_the_metrics_tell_of_the_incident() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("written.db");
    let open = incident("tiktok", 30);
    drop(written(&database, Append { incidents: vec![open.clone()], ..Append::default() }));
    let config = Config { page: "https://status.example.org/".to_owned(), ..Config::default() };
    let address = serve_with(&database, config).await;
    let (code, head, body) = get(&address, "/feed.atom", "").await;
    assert_eq!((code, header(&head, "content-type")), (200, Some("application/atom+xml; charset=utf-8")));
    let feed = feed_rs::parser::parse(body.as_bytes()).unwrap();
    assert_eq!(feed.entries.len(), 1);
    let entry = &feed.entries[0];
    assert_eq!(entry.title.as_ref().unwrap().content, "TikTok is down: 30 min so far, in the United Kingdom");
    assert_eq!(entry.links[0].href, format!("https://status.example.org/incidents/{}", open.id));
    assert_eq!(entry.updated, Some(open.detected_at));
    assert!(entry.id.starts_with("urn:uuid:") && feed.id.starts_with("urn:uuid:"));
    let (_, _, none) = get(&address, "/feed.atom?service=aws", "").await;
    assert!(feed_rs::parser::parse(none.as_bytes()).unwrap().entries.is_empty());

    let (_, head, metrics) = get(&address, "/metrics", "").await;
    assert_eq!(header(&head, "content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for line in [
        "whatsdown_service_down{service=\"tiktok\"} 1",
        "whatsdown_service_down{service=\"aws\"} 0",
        "whatsdown_services{state=\"down\"} 1",
        "whatsdown_incidents_open 1",
        "whatsdown_reports_per_minute{service=\"tiktok\"} 0",
        "whatsdown_clock_lag_seconds 0",
        "whatsdown_http_requests_total{code=\"200\"} 2",
        "whatsdown_http_listeners 0",
    ] {
        assert!(metrics.lines().any(|it| it == line), "{line} is not in\n{metrics}");
    }
}
