//! The program with keys, from outside: they reach the servers that they are for, and nothing else.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const KEYS: [(&str, &str); 7] = [
    ("WHATSDOWN_X_TOKEN", "S3cr3t-of-x"),
    ("WHATSDOWN_REDDIT_ID", "S3cr3t-id-of-reddit"),
    ("WHATSDOWN_REDDIT_SECRET", "S3cr3t-of-reddit"),
    ("WHATSDOWN_THREADS_TOKEN", "S3cr3t-of-threads"),
    ("WHATSDOWN_TUMBLR_KEY", "S3cr3t-of-tumblr"),
    ("WHATSDOWN_MASTODON_TOKEN", "S3cr3t-of-mastodon"),
    ("WHATSDOWN_RADAR_TOKEN", "S3cr3t-of-radar"),
];
/// What the server gives Reddit's source.
const GIVEN: &str = "S3cr3t-that-was-given";

/// A server that gives a token, and refuses all else in words that repeat the request.
fn server(requests: Arc<Mutex<String>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let requests = requests.clone();
            std::thread::spawn(move || answer(stream.ok()?, &requests));
        }
    });
    address
}

fn answer(mut stream: TcpStream, requests: &Mutex<String>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    if head.starts_with("POST") {
        reader.read_exact(&mut [0; "grant_type=client_credentials".len()]).ok()?;
    }
    requests.lock().unwrap().push_str(&head);
    let (status, body) = if head.contains("access_token ") {
        (200, format!("{{\"access_token\":\"{GIVEN}\",\"expires_in\":3600}}"))
    } else if head.contains("/api/v2/instance") {
        (200, "{}".to_owned())
    } else {
        (401, head.replace(['\r', '\n'], " "))
    };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}").ok()
}

fn whatsdown(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_whatsdown"));
    command.args(words).args(["--db", "live.db", "--config", "config.toml"]).current_dir(folder);
    command.env_clear().env("HOME", folder).envs(KEYS);
    command
}

fn no_secret(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let found = KEYS.iter().map(|(_, key)| *key).chain([GIVEN]).find(|key| text.contains(key));
    assert!(found.is_none(), "{what} holds {found:?}: {text}");
}

fn ran(folder: &Path, words: &[&str]) -> Output {
    let output = whatsdown(folder, words).output().unwrap();
    no_secret(&format!("{words:?}"), &output.stdout);
    no_secret(&format!("{words:?}"), &output.stderr);
    output
}

#[test]
fn keys_reach_their_servers_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let requests: Arc<Mutex<String>> = Arc::default();
    let addresses: Vec<String> = (0..6).map(|_| server(requests.clone())).collect();
    let section = |(name, address): (&str, &String)| {
        format!("[sources.{name}]\nserver = \"http://{address}\"\nservices = [\"tiktok\"]\n")
    };
    let servers: String = ["x", "threads", "tumblr", "reddit"].into_iter().zip(&addresses).map(section).collect();
    let config = format!(
        "[sources.http]\nlocal_hosts = {addresses:?}\n[sources.bluesky]\nenabled = false\n\
         [sources.mastodon]\nenabled = false\n[sources.status]\nenabled = false\n[sources.lemmy]\nenabled = false\n\
         [sources.hackernews]\nenabled = false\n[sources.ioda]\nenabled = false\n[sources.mastodon_streaming]\ninstance = \"http://{}\"\n\
         [sources.radar]\nserver = \"http://{}\"\n{servers}token_server = \"http://{}\"\npace = {{ spacing_seconds = 0.1 }}\n\
         [sources.x.search]\npace = {{ spacing_seconds = 0.1 }}\n",
        addresses[4], addresses[5], addresses[3]
    );
    std::fs::write(folder.path().join("config.toml"), config).unwrap();
    ran(folder.path(), &["check"]);

    let mut job = whatsdown(folder.path(), &["run", "-vvv"]).stderr(Stdio::piped()).spawn().unwrap();
    let sent = |key: &str| {
        let requests = requests.lock().unwrap();
        let basic = "basic uznjcjn0lwlklw9mlxjlzgrpddptm2nym3qtb2ytcmvkzgl0"; // the id and the secret of Reddit
        requests.contains(key) || key.contains("reddit") && requests.to_lowercase().contains(basic)
    };
    let begun = Instant::now();
    let all = || KEYS.iter().map(|(_, key)| *key).chain([GIVEN]).all(sent);
    while !all() && begun.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(Duration::from_millis(500));
    assert!(Command::new("kill").arg(job.id().to_string()).status().unwrap().success());
    let mut log = Vec::new();
    job.stderr.take().unwrap().read_to_end(&mut log).unwrap();
    job.wait().unwrap();
    assert!(all(), "{}", requests.lock().unwrap());
    let log_text = String::from_utf8_lossy(&log);
    assert!(log_text.contains("docs/keys.md") && log_text.contains("DEBUG"), "{log_text}");
    no_secret("the log", &log);

    for words in [&["sources"][..], &["sources", "--json"], &["check", "--json"], &["status", "--json"]] {
        ran(folder.path(), words);
    }
    let said = String::from_utf8(ran(folder.path(), &["sources"]).stdout).unwrap();
    assert_eq!(said.matches("401").count(), 7, "{said}");
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            no_secret(&path.display().to_string(), &std::fs::read(&path).unwrap());
        }
    }
}
