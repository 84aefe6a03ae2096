//! The API over a real socket and a replayed database: a reconstruction of an outage, made by a script.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use assert_cmd::Command;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use whatsdown::http::{self, App};
use whatsdown::reading::Catalogue;

fn whatsdown(database: &Path, words: &[&str]) -> Vec<u8> {
    let mut command = Command::cargo_bin("whatsdown").unwrap();
    command.env("WHATSDOWN_DB", database).env_remove("WHATSDOWN_CONFIG").args(words);
    command.assert().success().get_output().stdout.clone()
}

/// Status, head and body of an answer.
async fn get(address: &str, path: &str, extra: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let host = if extra.contains("Host:") { String::new() } else { format!("Host: {address}\r\n") };
    let request = format!("GET {path} HTTP/1.1\r\n{host}{extra}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes)).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), head.to_owned(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_answers_as_the_commands_do() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("replayed.db");
    let posts = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tiktok-2021-07-06/posts.jsonl.zst");
    whatsdown(&database, &["replay", posts.to_str().unwrap(), "-q"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let app = App::new(database.clone(), Catalogue::embedded().unwrap());
    tokio::spawn(http::serve(listener, app));

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
    let (code, _, page) = get(&address, &format!("/incidents/{id}"), "").await;
    assert!(code == 200 && page.starts_with("<!doctype html>") && !page.contains("<script"), "{page}");

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
