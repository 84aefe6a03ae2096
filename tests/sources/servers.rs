//! Servers of our own on loopback that count what they are asked, and fail as told.

use futures_util::{SinkExt, StreamExt};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

/// What is done with one connection to an [`Http`] server.
#[derive(Clone)]
pub enum Answer {
    /// Status, header lines, body.
    Whole(u16, &'static str, String),
    /// Promises more than it sends.
    Cut,
    /// Sends a header and no more.
    Slow,
    /// Never stops.
    Endless,
    /// Closes at once.
    Nothing,
}

pub fn ok(body: &str) -> Answer {
    Answer::Whole(200, "", body.to_owned())
}

/// An HTTP server that takes each request's path to its `respond`, and notes when it came.
pub struct Http {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<(Instant, String)>>>,
    /// Every request, whole.
    pub requests: Arc<Mutex<Vec<String>>>,
}

impl Http {
    pub async fn start(respond: impl Fn(usize, &str) -> Answer + Send + Sync + 'static) -> Http {
        Http::of_instance("{}".to_owned(), respond).await
    }

    /// `instance` is what it says of itself, as an instance of Mastodon does.
    pub async fn of_instance(
        instance: String,
        respond: impl Fn(usize, &str) -> Answer + Send + Sync + 'static,
    ) -> Http {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<(Instant, String)>>> = Arc::default();
        let noted = asked.clone();
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let whole = requests.clone();
        let instance = ok(&instance);
        let respond = Arc::new(
            move |number, path: &str| {
                if path.contains("/instance") { instance.clone() } else { respond(number, path) }
            },
        );
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (noted, whole, respond) = (noted.clone(), whole.clone(), respond.clone());
                tokio::spawn(async move { serve(stream, &noted, &whole, &*respond).await });
            }
        });
        Http { address, asked, requests }
    }

    /// The paths of all requests, but those for the instance's rules.
    pub fn asked(&self) -> Vec<(Instant, String)> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(_, path)| !path.contains("/instance")).cloned().collect()
    }
}

async fn serve(
    mut stream: TcpStream,
    noted: &Mutex<Vec<(Instant, String)>>,
    whole: &Mutex<Vec<String>>,
    respond: &(dyn Fn(usize, &str) -> Answer + Send + Sync),
) -> Option<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.ok()?);
    }
    let mut request = String::from_utf8(request).unwrap();
    if let Some((_, length)) = request.to_lowercase().split_once("content-length: ") {
        let mut body = vec![0; length.lines().next()?.parse().ok()?];
        stream.read_exact(&mut body).await.ok()?;
        request.push_str(&String::from_utf8(body).unwrap());
    }
    assert!(request.to_lowercase().contains("user-agent: whatsdown/"), "{request}");
    let path = request.split(' ').nth(1)?.to_owned();
    whole.lock().unwrap().push(request);
    let number = {
        let mut noted = noted.lock().unwrap();
        if !path.contains("/instance") {
            noted.push((Instant::now(), path.clone()));
        }
        noted.len()
    };
    match respond(number, &path) {
        Answer::Whole(status, headers, body) => {
            let length = body.len();
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n");
            stream.write_all(format!("{head}{body}").as_bytes()).await.ok()
        }
        Answer::Cut => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n[{\"id\":").await.ok(),
        Answer::Slow => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n[").await.ok()?;
            tokio::time::sleep(Duration::from_secs(60)).await;
            None
        }
        Answer::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
            let spaces = vec![b' '; 1 << 16];
            loop {
                stream.write_all(&spaces).await.ok()?;
            }
        }
        Answer::Nothing => None,
    }
}

/// What a [`Stream`] server does with a connection after it has replayed from the cursor.
#[derive(Clone, Copy)]
pub enum Ending {
    /// Goes away without a word after so many frames.
    Drop(usize),
    /// Says so, and closes.
    Close,
    /// Sends nothing more.
    Stall,
    /// Sends what nobody understands, for ever.
    Rubbish,
    /// Sends bytes that are no frame.
    Noise,
    /// Sends a message that is too long.
    Huge,
    /// Begins a frame and never ends it.
    Half,
}

/// What opens a stream that wants a key.
pub const STREAM_KEY: &str = "S3cr3t-of-the-stream";

/// A WebSocket server that replays frames from a cursor, as Jetstream does. The last ending stays.
pub struct Stream {
    pub address: SocketAddr,
    /// The cursor of each connection, and when it came.
    pub cursors: Arc<Mutex<Vec<(Instant, i64)>>>,
}

/// Which version of Jetstream is spoken, and with what version 2 packs its frames.
#[derive(Clone)]
pub enum Wire {
    One,
    Two(Vec<u8>),
}

/// A dictionary as zstd makes it, of made frames. `number` tells one from another.
pub fn dictionary(number: u32) -> Vec<u8> {
    let samples: Vec<String> = (0..400).map(|sample| two(sample, &update_of(sample))).collect();
    let mut made = zstd::dict::from_samples(&samples, 4096).unwrap();
    // Its number follows the four bytes by which it is known. (RFC 8878, 5)
    made[4..8].copy_from_slice(&number.to_le_bytes());
    made
}

fn update_of(number: i64) -> String {
    let record = serde_json::json!({"text": format!("synthetic {number}"), "createdAt": "2026-01-01T00:00:00Z"});
    let commit = serde_json::json!({"operation": "create", "collection": "app.bsky.feed.post",
        "rkey": number.to_string(), "record": record});
    serde_json::json!({"did": "did:plc:synthetic", "time_us": 1_767_225_600_000_000_i64 + number, "kind": "commit",
        "commit": commit})
    .to_string()
}

/// A frame of version 1 as version 2 writes it.
pub fn two(number: i64, frame: &str) -> String {
    let frame: serde_json::Value = serde_json::from_str(frame).unwrap();
    let kind = frame["kind"].as_str().unwrap();
    let at = chrono::DateTime::from_timestamp_micros(frame["time_us"].as_i64().unwrap()).unwrap();
    let mut payload = serde_json::json!({"$type": format!("network.bsky.jetstream.subscribeEvents#{kind}"), "seq": number,
        "did": frame["did"], "time": at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)});
    match &frame["commit"] {
        serde_json::Value::Object(commit) => payload.as_object_mut().unwrap().extend(commit.clone()),
        _ => payload[kind] = frame[kind].clone(),
    }
    serde_json::json!({"$type": "message", "payload": payload}).to_string()
}

impl Stream {
    /// `frames` with their times in microseconds, of version 1.
    pub async fn start(frames: Vec<(i64, String)>, endings: Vec<Ending>) -> Stream {
        Stream::speaking(Wire::One, frames, endings).await
    }

    pub async fn speaking(wire: Wire, frames: Vec<(i64, String)>, endings: Vec<Ending>) -> Stream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cursors: Arc<Mutex<Vec<(Instant, i64)>>> = Arc::default();
        let noted = cursors.clone();
        let frames = Arc::new(frames);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (wire, noted, frames, endings) = (wire.clone(), noted.clone(), frames.clone(), endings.clone());
                tokio::spawn(async move {
                    let mut start = [0; 80];
                    let length = stream.peek(&mut start).await.ok()?;
                    if String::from_utf8_lossy(&start[..length]).contains("getZstdDictionary") {
                        return tell_dictionary(stream, &wire).await;
                    }
                    replay(stream, &wire, &noted, &frames, &endings).await
                });
            }
        });
        Stream { address, cursors }
    }
}

async fn tell_dictionary(mut stream: TcpStream, wire: &Wire) -> Option<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.ok()?);
    }
    let (status, body) = match wire {
        Wire::One => (404, &b"{\"message\":\"Not Found\"}"[..]),
        Wire::Two(dictionary) => (200, &dictionary[..]),
    };
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(body).await.ok()
}

async fn replay(
    stream: TcpStream,
    wire: &Wire,
    noted: &Mutex<Vec<(Instant, i64)>>,
    frames: &[(i64, String)],
    endings: &[Ending],
) -> Option<()> {
    let mut cursor = 0;
    #[expect(clippy::result_large_err, reason = "the signature that tungstenite asks for")]
    let handshake = |request: &Request, response: Response| {
        let agent = request.headers()["user-agent"].to_str().unwrap();
        assert!(agent.starts_with("whatsdown/") && agent.contains("(+https://"), "{agent}");
        let query = request.uri().query().unwrap_or_default();
        if query == "stream=public" {
            assert_eq!(request.headers()["authorization"], format!("Bearer {STREAM_KEY}"));
        } else {
            let (path, collections, packed) = match wire {
                Wire::One => ("/subscribe", "wantedCollections", String::new()),
                Wire::Two(dictionary) => {
                    let number = u32::from_le_bytes(dictionary[4..8].try_into().unwrap());
                    let path = "/xrpc/network.bsky.jetstream.subscribeEvents";
                    (path, "collections", format!("&zstdDictionary={number}"))
                }
            };
            let limit = "maxMessageSizeBytes=1048576";
            let (asked, from) = query.split_once("&cursor=").unwrap();
            assert_eq!(request.uri().path(), path);
            assert_eq!(asked, format!("{collections}=app.bsky.feed.post&{limit}{packed}"));
            cursor = from.parse().unwrap();
        }
        Ok(response)
    };
    let mut socket = tokio_tungstenite::accept_hdr_async(stream, handshake).await.ok()?;
    let number = {
        let mut noted = noted.lock().unwrap();
        noted.push((Instant::now(), cursor));
        noted.len()
    };
    let ending = endings[(number - 1).min(endings.len() - 1)];
    let after = frames.iter().filter(|(time, _)| *time >= cursor);
    let limit = if let Ending::Drop(count) = ending { count } else { usize::MAX };
    let mut packer = match wire {
        Wire::One => None,
        Wire::Two(dictionary) => Some(zstd::bulk::Compressor::with_dictionary(3, dictionary).unwrap()),
    };
    for (number, (_, frame)) in after.take(limit).enumerate() {
        let message = match &mut packer {
            None => Message::text(frame.clone()),
            Some(packer) => Message::binary(packer.compress(two(number as i64, frame).as_bytes()).unwrap()),
        };
        socket.send(message).await.ok()?;
    }
    match ending {
        Ending::Drop(_) => None,
        Ending::Close => socket.close(None).await.ok(),
        Ending::Noise => {
            socket.get_mut().write_all(&[0xff; 4096]).await.ok()?;
            tokio::time::sleep(Duration::from_secs(60)).await;
            None
        }
        Ending::Huge => {
            socket.send(Message::text("x".repeat(4 << 20))).await.ok()?;
            tokio::time::sleep(Duration::from_secs(60)).await;
            None
        }
        Ending::Half => {
            // A text of 100 bytes of which two come.
            socket.get_mut().write_all(&[0x81, 100, b'{', b'"']).await.ok()?;
            tokio::time::sleep(Duration::from_secs(60)).await;
            None
        }
        Ending::Stall => {
            while socket.next().await?.is_ok() {}
            None
        }
        Ending::Rubbish => loop {
            for rubbish in [Message::text("{\"did\":"), Message::binary(vec![0xff; 9]), Message::text("💥")] {
                socket.send(rubbish).await.ok()?;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        },
    }
}
