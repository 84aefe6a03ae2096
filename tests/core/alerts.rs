//! Alerts from the recording of an outage to receivers on loopback, which fail, vanish and return. Slack's and Discord's
//! servers are acted by their documented answers; the signature is worked out anew.

use crate::support::{self, Lab};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use base64::Engine as _;
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use whatsdown::alert::desk::{Desk, Outcome};
use whatsdown::alert::sender::Sender;
use whatsdown::alert::{Change, News, Row};
use whatsdown::config::Config;
use whatsdown::pipeline::input::Merged;
use whatsdown::pipeline::replay;
use whatsdown::reading::Catalogue;
use whatsdown::source::http::Client;
use whatsdown::store::Stamp;

const KEY: &str = "c2lnbmVkIHdpdGggdGhpcw==";

struct Request {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

/// A receiver: takes everything, after it has answered 503 so many times.
#[derive(Clone, Default)]
struct Server {
    taken: Arc<Mutex<Vec<Request>>>,
    busy: Arc<Mutex<u32>>,
}

impl Server {
    async fn listen(&self, port: u16) -> (u16, JoinHandle<()>) {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = Router::new().fallback(take).with_state(self.clone());
        (port, tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }))
    }
}

async fn take(
    State(server): State<Server>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let mut busy = server.busy.lock().unwrap();
    if *busy > 0 {
        *busy -= 1;
        return (StatusCode::SERVICE_UNAVAILABLE, String::new());
    }
    let mut taken = server.taken.lock().unwrap();
    taken.push(Request { method, uri, headers, body });
    (StatusCode::OK, format!(r#"{{"id":"{}","ok":true}}"#, 1000 + taken.len()))
}

/// What the recording of TikTok's outage puts into the outbox for a receiver.
fn outbox(receiver: &str) -> Vec<Row> {
    static ALL: LazyLock<Vec<Row>> = LazyLock::new(|| {
        let lab = Lab::new();
        let rule = "send_to = [\"ops\", \"discord\", \"ntfy\", \"prometheus\", \"mail\"]";
        let mut pipeline = support::open(&lab.database(), Stamp::Replayed).unwrap();
        pipeline.tell(vec![toml::from_str(rule).unwrap()]).unwrap();
        let posts = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tiktok-2021-07-06/posts.jsonl.zst");
        let mut input = Merged::open(&[posts], DateTime::<Utc>::MAX_UTC).unwrap();
        replay::replay(&mut pipeline, &mut input, 40, &mut |_| Ok(()), &mut |_| {}).unwrap();
        lab.reader().alerts().unwrap()
    });
    ALL.iter().filter(|row| row.receiver == receiver).cloned().collect()
}

/// The configuration, with a key in the file `key` beside it.
fn configured(text: &str) -> (Lab, Config) {
    let lab = Lab::new();
    lab.write("key", KEY.as_bytes());
    let config = Config::load(Some(&lab.write("config.toml", text.as_bytes()))).unwrap();
    (lab, config)
}

fn sender(config: &Config) -> Sender {
    let client = Client::new(&config.sources.http).unwrap();
    Sender::new(config.alerts.receivers().unwrap(), client, Catalogue::embedded().unwrap(), String::new())
}

/// Sends what is due, in the way of the job but with a clock that leaps over the waits. Gives how many attempts failed.
async fn drain(desk: &mut Desk, sender: &mut Sender, mut now: DateTime<Utc>) -> u32 {
    let mut failed = 0;
    for _ in 0..200 {
        let tasks = desk.next(now);
        for task in tasks {
            sender.send(task.clone());
            let (row, outcome) = sender.answer().await;
            failed += u32::from(matches!(outcome, Outcome::Failed { .. }));
            desk.settle(&row, outcome, now);
        }
        now += chrono::TimeDelta::seconds(60);
    }
    failed
}

#[tokio::test]
async fn a_killed_receiver_loses_and_doubles_nothing() {
    let server = Server::default();
    *server.busy.lock().unwrap() = 2;
    let (port, task) = server.listen(0).await;
    let (_lab, config) = configured(&format!(
        "[sources.http]\nlocal_hosts = [\"127.0.0.1:{port}\"]\n[[alerts.webhook]]\nname = \"ops\"\n\
         url = \"http://127.0.0.1:{port}/hook\"\nkey = {{ file = \"key\" }}\n[[alerts.rules]]\nsend_to = [\"ops\"]\n"
    ));
    let rows = outbox("ops");
    let news: Vec<News> = rows.iter().map(|row| row.body.news).collect();
    assert!(news.first() == Some(&News::Opening) && news.last() == Some(&News::Recovery), "{news:?}");
    assert!(news.contains(&News::Escalation), "{news:?}");
    let now = rows.last().unwrap().due;
    let mut sender = sender(&config);

    // The first message is taken after two refusals; then the receiver is gone, and all that is known is lost with it.
    let mut desk = Desk::new(config.alerts.rules.clone(), rows.clone());
    let first = loop {
        let task = desk.next(now + chrono::TimeDelta::minutes(30)).remove(0);
        let outcome = sender.deliver(&task).await;
        let taken = matches!(outcome, Outcome::Delivered { .. });
        let Some(Change::Put(row)) = desk.settle(&task.row, outcome, now) else { panic!() };
        if taken {
            break *row;
        }
    };
    task.abort();
    let _ = task.await;
    let kept = rows.iter().map(|row| if row.key() == first.key() { first.clone() } else { row.clone() });
    let mut desk = Desk::new(config.alerts.rules.clone(), kept.collect());
    let failed = drain(&mut desk, &mut sender, now).await;
    assert!(failed > 3, "it was tried again and again: {failed}");
    assert_eq!(server.taken.lock().unwrap().len(), 1);

    let (_, task) = server.listen(port).await;
    assert_eq!(drain(&mut desk, &mut sender, now + chrono::TimeDelta::hours(5)).await, 0);
    task.abort();
    let taken = server.taken.lock().unwrap();
    let keys: Vec<&str> = taken.iter().map(|request| request.headers["webhook-id"].to_str().unwrap()).collect();
    let expected: Vec<String> = rows.iter().map(Row::key).collect();
    assert_eq!(keys, expected, "all, in order, once");
    for request in taken.iter() {
        let header = |name: &str| request.headers[name].to_str().unwrap();
        let signed =
            [header("webhook-id").as_bytes(), b".", header("webhook-timestamp").as_bytes(), b".", &request.body];
        let base64 = base64::engine::general_purpose::STANDARD;
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &base64.decode(KEY).unwrap());
        let mac = base64.decode(header("webhook-signature").strip_prefix("v1,").unwrap()).unwrap();
        ring::hmac::verify(&key, &signed.concat(), &mac).unwrap();
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["data"]["incident"]["service"], "tiktok");
        assert!(!String::from_utf8_lossy(&request.body).contains("twitter.example"), "nobody is quoted");
    }
}

#[tokio::test]
async fn one_message_is_edited_where_the_receiver_can() {
    let server = Server::default();
    let (port, _task) = server.listen(0).await;
    let host = format!("http://127.0.0.1:{port}");
    let lab = Lab::new();
    lab.write("key", KEY.as_bytes());
    lab.write("discord", format!("{host}/api/webhooks/1/token").as_bytes());
    let text = format!(
        "[sources.http]\nlocal_hosts = [\"127.0.0.1:{port}\"]\n\
         [[alerts.discord]]\nname = \"discord\"\nwebhook = {{ file = \"discord\" }}\n\
         [[alerts.ntfy]]\nname = \"ntfy\"\nserver = \"{host}/\"\ntopic = {{ file = \"key\" }}\n\
         [[alerts.alertmanager]]\nname = \"prometheus\"\nurl = \"{host}\"\n\
         [[alerts.rules]]\nsend_to = [\"discord\", \"ntfy\", \"prometheus\"]\n"
    );
    let config = Config::load(Some(&lab.write("sending.toml", text.as_bytes()))).unwrap();
    config.alerts.check(&Catalogue::embedded().unwrap()).unwrap();
    let rows = ["discord", "ntfy", "prometheus"].map(outbox).concat();
    let now = rows.last().unwrap().due;
    let mut desk = Desk::new(config.alerts.rules.clone(), rows);
    assert_eq!(drain(&mut desk, &mut sender(&config), now).await, 0);
    let taken = server.taken.lock().unwrap();
    let to = |path: &str| taken.iter().filter(|request| request.uri.path().starts_with(path)).collect::<Vec<_>>();
    let discord = to("/api/webhooks");
    assert!(discord.len() > 2 && discord[0].method == Method::POST && discord[0].uri.query() == Some("wait=true"));
    for edit in &discord[1..] {
        assert!(edit.method == Method::PATCH && edit.uri.path().starts_with("/api/webhooks/1/token/messages/1"));
        let body: Value = serde_json::from_slice(&edit.body).unwrap();
        assert_eq!(body["allowed_mentions"]["parse"], serde_json::json!([]));
    }
    let alerts: Vec<Value> =
        to("/api/v2/alerts").iter().map(|request| serde_json::from_slice(&request.body).unwrap()).collect();
    assert!(alerts.windows(2).all(|pair| pair[0][0]["labels"] == pair[1][0]["labels"]), "one alert, said again");
    let over: DateTime<Utc> = alerts.last().unwrap()[0]["endsAt"].as_str().unwrap().parse().unwrap();
    assert!(over < now, "its end is told");
    let pushed: Value = serde_json::from_slice(&taken.iter().find(|r| r.uri.path() == "/").unwrap().body).unwrap();
    let title = pushed["title"].as_str().unwrap();
    assert!(pushed["topic"] == KEY && title.starts_with("TikTok is ") && title.contains("down: "), "{pushed}");
}

/// A mail server that knows no more than it must. Gives each mail as it came.
async fn mail_server(listener: TcpListener, mails: Arc<Mutex<Vec<String>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let mails = mails.clone();
        tokio::spawn(async move {
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            write.write_all(b"220 test\r\n").await?;
            let mut mail: Option<String> = None;
            while let Some(line) = lines.next_line().await? {
                let answer = match &mut mail {
                    Some(text) if line == "." => {
                        mails.lock().unwrap().push(std::mem::take(text));
                        mail = None;
                        "250 taken\r\n"
                    }
                    Some(text) => {
                        text.push_str(&line);
                        text.push('\n');
                        continue;
                    }
                    None if line.starts_with("DATA") => {
                        mail = Some(String::new());
                        "354 go on\r\n"
                    }
                    None if line.starts_with("QUIT") => "221 bye\r\n",
                    None => "250 ok\r\n",
                };
                write.write_all(answer.as_bytes()).await?;
            }
            Ok::<(), std::io::Error>(())
        });
    }
}

#[tokio::test]
async fn mail_arrives_and_its_headers_are_ours() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mails = Arc::new(Mutex::new(Vec::new()));
    tokio::spawn(mail_server(listener, mails.clone()));
    let (_lab, config) = configured(&format!(
        "[[alerts.email]]\nname = \"mail\"\nserver = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\n\
         from = \"whatsdown@example.org\"\nto = [\"ops@example.org\"]\n[[alerts.rules]]\nsend_to = [\"mail\"]\n"
    ));
    let mut rows = outbox("mail");
    let now = rows.last().unwrap().due;
    // A service's name may come from a user's own file.
    rows[0].body.incident.service = whatsdown::reading::ServiceId::new("x\r\nBcc: victim@example.org\r\n\r\nhello");
    let count = rows.len();
    let mut desk = Desk::new(config.alerts.rules.clone(), rows);
    assert_eq!(drain(&mut desk, &mut sender(&config), now).await, 0);
    let mails = mails.lock().unwrap();
    assert_eq!(mails.len(), count);
    for mail in mails.iter() {
        let head = mail.split("\n\n").next().unwrap();
        assert!(!head.lines().any(|line| line.to_ascii_lowercase().starts_with("bcc")), "{head}");
        assert!(head.contains("To: ops@example.org") && head.contains("Message-ID: <tiktok-2021"), "{head}");
    }
    assert!(mails[1].contains("In-Reply-To: <tiktok-2021"), "{}", mails[1]);
}

#[test]
fn rules_and_keys_that_are_wrong_are_told_without_the_key() {
    let lab = Lab::new();
    let wrong = |text: &str| {
        let config = Config::load(Some(&lab.write("config.toml", text.as_bytes())));
        match config {
            Err(error) => error.to_string(),
            Ok(config) => {
                let checked = config.alerts.check(&Catalogue::embedded().unwrap());
                checked.err().or_else(|| config.alerts.receivers().err()).map(|error| error.to_string()).unwrap()
            }
        }
    };
    assert!(wrong("[[alerts.rules]]\nsend_to = [\"nobody\"]").contains("there is no receiver `nobody`"));
    let discord = |key: &str| format!("[[alerts.discord]]\nname = \"d\"\nwebhook = {key}\n");
    assert!(!wrong(&discord("\"https://discord.example/s3cr3t\"")).contains("s3cr3t"));
    assert!(wrong(&discord("{ env = \"WHATSDOWN_TEST_NEVER_SET\" }")).contains("the key of `d` is missing"));
    let service = format!("{}[[alerts.rules]]\nsend_to = [\"d\"]\nservices = [\"tiktik\"]", discord("{ env = \"A\" }"));
    assert!(wrong(&service).contains("there is no service `tiktik`"));
}
