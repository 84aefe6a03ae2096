//! The API answers as the commands do, and refuses what they refuse.

use crate::support::{get, recording, serve, whatsdown};
use serde_json::Value;

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
