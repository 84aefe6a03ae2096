//! Changes reach those who listen, and those who come back.

use crate::support::{incident, serve, whatsdown, written};
use serde_json::Value;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use whatsdown::incident::State;
use whatsdown::store::Append;

/// An event as a browser would give it to a page.
#[derive(Debug)]
pub struct Event {
    pub id: i64,
    pub kind: String,
    pub data: Value,
}

pub struct Listener {
    lines: Lines<BufReader<OwnedReadHalf>>,
    _write: OwnedWriteHalf,
}

impl Listener {
    pub async fn new(address: &str, extra: &str) -> Listener {
        let (read, mut write) = TcpStream::connect(address).await.unwrap().into_split();
        let request = format!("GET /api/v1/events HTTP/1.1\r\nHost: {address}\r\n{extra}\r\n");
        write.write_all(request.as_bytes()).await.unwrap();
        Listener { lines: BufReader::new(read).lines(), _write: write }
    }

    async fn line(&mut self) -> String {
        tokio::time::timeout(Duration::from_secs(60), self.lines.next_line()).await.unwrap().unwrap().unwrap()
    }

    /// The next event, whatever heartbeats, chunk sizes and heads stand before it.
    pub async fn next(&mut self) -> Event {
        let (mut id, mut kind) = (None, String::new());
        loop {
            let line = self.line().await;
            if let Some(value) = line.strip_prefix("id: ") {
                id = Some(value.parse().unwrap());
            } else if let Some(value) = line.strip_prefix("event: ") {
                value.clone_into(&mut kind);
            } else if let Some(value) = line.strip_prefix("data: ") {
                return Event { id: id.unwrap(), kind, data: serde_json::from_str(value).unwrap() };
            }
        }
    }
}

fn state<'a>(status: &'a Value, service: &str) -> &'a str {
    let services = status["services"].as_array().unwrap();
    services.iter().find(|it| it["service"] == service).unwrap()["state"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_told_as_they_come_and_to_those_who_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("written.db");
    let old = incident("spotify", 900);
    let mut writer = written(&database, Append { incidents: vec![old.clone()], ..Append::default() });
    let address = serve(&database).await;

    let mut listener = Listener::new(&address, "").await;
    let first = listener.next().await;
    assert_eq!((first.kind.as_str(), state(&first.data, "tiktok")), ("status", "up"), "{first:?}");
    assert_eq!(state(&first.data, "spotify"), "down");
    // The server has looked once, so that what comes now is a change.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut say = |incidents: Vec<_>| {
        writer.append(&Append { incidents, ..Append::default() }).unwrap();
    };
    // What is written again as it was is no change.
    say(vec![incident("tiktok", 10), old]);
    let opened = listener.next().await;
    assert_eq!((opened.kind.as_str(), opened.data["service"].as_str()), ("incident", Some("tiktok")), "{opened:?}");
    assert!(opened.id > first.id, "{opened:?}");
    let turned = listener.next().await;
    assert_eq!((turned.kind.as_str(), state(&turned.data, "tiktok")), ("status", "down"), "{turned:?}");
    assert_eq!(turned.data["services"].as_array().unwrap().len(), 1, "those that turned alone: {turned:?}");
    let mut recovering = incident("tiktok", 10);
    recovering.state = State::Recovering;
    say(vec![recovering]);
    let changed = listener.next().await;
    assert_eq!((changed.kind.as_str(), changed.data["state"].as_str()), ("incident", Some("recovering")));
    assert!(changed.id > opened.id, "{changed:?}");

    // One who comes back hears of what was missed, each incident once and as it now is, then how everything stands.
    let mut back = Listener::new(&address, &format!("Last-Event-ID: {}\r\n", first.id)).await;
    let missed = back.next().await;
    assert_eq!((missed.id, &missed.data), (changed.id, &changed.data));
    let incidents: Value = serde_json::from_slice(&whatsdown(&database, &["incidents", "--json"])).unwrap();
    assert!(incidents.as_array().unwrap().contains(&missed.data), "{missed:?}");
    let now = back.next().await;
    let status: Value = serde_json::from_slice(&whatsdown(&database, &["status", "--json"])).unwrap();
    assert_eq!((now.id, now.data), (changed.id, status));

    // One who has missed nothing, and one whose id is another database's, hear how everything stands and no more.
    for id in [now.id, now.id + 1000] {
        let event = Listener::new(&address, &format!("Last-Event-ID: {id}\r\n")).await.next().await;
        assert_eq!((event.kind.as_str(), event.id), ("status", now.id), "{event:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_are_bounded_and_places_become_free() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("written.db");
    drop(written(&database, Append::default()));
    let address = serve(&database).await;
    let mut listeners = Vec::new();
    for _ in 0..200 {
        let mut listener = Listener::new(&address, "").await;
        assert!(listener.line().await.contains("200 OK"));
        listeners.push(listener);
    }
    assert!(Listener::new(&address, "").await.line().await.contains("503"));
    listeners.clear();
    for _ in 0..50 {
        if Listener::new(&address, "").await.line().await.contains("200 OK") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no place has become free");
}
