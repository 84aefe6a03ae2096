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

impl Stream {
    /// `frames` with their times in microseconds.
    pub async fn start(frames: Vec<(i64, String)>, endings: Vec<Ending>) -> Stream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cursors: Arc<Mutex<Vec<(Instant, i64)>>> = Arc::default();
        let noted = cursors.clone();
        let frames = Arc::new(frames);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (noted, frames, endings) = (noted.clone(), frames.clone(), endings.clone());
                tokio::spawn(async move { replay(stream, &noted, &frames, &endings).await });
            }
        });
        Stream { address, cursors }
    }
}

async fn replay(
    stream: TcpStream,
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
            assert!(query.contains("wantedCollections=app.bsky.feed.post"), "{query}");
            cursor = query.split_once("cursor=").unwrap().1.parse().unwrap();
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
    for (_, frame) in after.take(limit) {
        socket.send(Message::text(frame.clone())).await.ok()?;
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
