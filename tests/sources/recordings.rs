//! What `whatsdown record` keeps: nothing of anybody, and all that the sources read.

use crate::keyed::{KEY, Lab};
use crate::{build, config, page, time};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use whatsdown::post::Event;
use whatsdown::source::recording::{Line, Recorder, play};
use whatsdown::source::{Found, Reply, Source};

const FRAMES: &str = include_str!("../../fixtures/sources/jetstream/frames.jsonl");
const INSTANCE: &str = include_str!("../../fixtures/sources/mastodon/instance.json");
const TAG: &str = include_str!("../../fixtures/sources/mastodon/tag.json");
const TWEETS: &str = include_str!("../../fixtures/sources/x/search.json");
const COUNTS: &str = include_str!("../../fixtures/sources/x/counts.json");
const LISTING: &str = include_str!("../../fixtures/sources/reddit/search.json");
const TOKEN: &str = include_str!("../../fixtures/sources/reddit/token.json");
const THREADS: &str = include_str!("../../fixtures/sources/threads/keyword_search.json");
const OUTAGES: &str = include_str!("../../fixtures/sources/radar/outages.json");
const HITS: &str = include_str!("../../fixtures/sources/hackernews/search_by_date.json");
const LEMMY: &str = include_str!("../../fixtures/sources/lemmy/v3-posts.json");
const NEWS: &str = include_str!("../../fixtures/sources/feed/news.xml");
const STATUSPAGE: &str = include_str!("../../fixtures/sources/status/statuspage.json");
const TAGGED: &str = include_str!("../../fixtures/sources/tumblr/tagged.json");

/// The source of this name, as at its first start.
fn fresh(name: &str, now: DateTime<Utc>) -> Box<dyn Source> {
    match name {
        "bluesky" => crate::bluesky(None),
        "mastodon:social.example" => {
            let mut config = config();
            config.bluesky.enabled = false;
            config.mastodon.instances = vec!["social.example".to_owned()];
            build(&config, &["tiktokdown".to_owned()], name, None, now)
        }
        "hackernews" | "lemmy:api.example" | "feed:news" | "status:statuspage" => {
            let lab = Lab::new("api.example");
            crate::build_all(&lab.config, &["tiktokdown".to_owned()], &BTreeMap::new(), now)
                .into_iter()
                .find(|source| source.name() == name)
                .unwrap()
        }
        _ => Lab::new("api.example").source(name, &BTreeMap::new(), now),
    }
}

/// Of each kind of event how many, and how many posts were odd.
fn shape(found: &Found) -> (usize, usize, usize, u64, u64) {
    let count = |kind: fn(&Event) -> bool| found.events.iter().filter(|event| kind(event)).count();
    (
        count(|event| matches!(event, Event::Post(_))),
        count(|event| matches!(event, Event::Deleted(_))),
        count(|event| matches!(event, Event::Volume(_))),
        found.seen,
        found.odd,
    )
}

fn play_all(name: &str, lines: &[Line]) -> Found {
    let mut source = fresh(name, lines[0].at);
    let mut found = Found::default();
    for line in lines {
        play(&mut *source, line, &mut found).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    found
}

#[test]
fn a_recording_names_nobody_and_reads_as_what_was_recorded() {
    let now = time("2026-07-04T14:38:09Z");
    let later = time("2026-10-14T19:11:00Z");
    let status = time("2026-11-20T14:00:00Z");
    for (name, now, answers) in [
        ("bluesky", now, FRAMES.lines().collect::<Vec<_>>()),
        ("mastodon:social.example", later, vec![INSTANCE, TAG]),
        ("x:search", now, vec![TWEETS]),
        ("x:counts", now, vec![COUNTS]),
        ("reddit", now, vec![TOKEN, LISTING]),
        ("threads", now, vec![THREADS]),
        ("tumblr", now, vec![TAGGED]),
        ("radar", now, vec![OUTAGES]),
        ("hackernews", status, vec![HITS]),
        ("lemmy:api.example", status, vec![LEMMY]),
        ("feed:news", status, vec![NEWS]),
        ("status:statuspage", status, vec![STATUSPAGE]),
    ] {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let mut recorder = Recorder::new(fresh(name, now), [7; 32], lines.clone(), 100);
        let mut found = Found::default();
        recorder.next(now);
        for answer in answers {
            let page = page(200, answer, now);
            let reply = if name == "bluesky" { Reply::Frame(answer) } else { Reply::Page(&page) };
            recorder.read(reply, now, &mut found).unwrap();
            if name != "bluesky" {
                recorder.next(now);
            }
        }
        let lines = lines.lock().unwrap();
        let text: String = lines.iter().map(|line| serde_json::to_string(line).unwrap()).collect();
        let lower = text.to_lowercase();
        for gone in ["synthetic", "did:plc:gkv7p3", "leeds", "bogot", "117440841601474392", "1900000000000000003", KEY]
        {
            assert!(!lower.contains(&gone.to_lowercase()), "{name}: {gone} is left in {text}");
        }
        let read_back: Vec<Line> =
            lines.iter().map(|line| serde_json::from_str(&serde_json::to_string(line).unwrap()).unwrap()).collect();
        assert_eq!(shape(&play_all(name, &read_back)), shape(&found), "{name}");
    }
}

#[test]
fn enough_is_recorded_and_no_more_is_asked() {
    let now = time("2026-07-04T14:38:09Z");
    let lines = Arc::new(Mutex::new(Vec::new()));
    let mut recorder = Recorder::new(fresh("tumblr", now), [7; 32], lines.clone(), 2);
    for _ in 0..3 {
        recorder.next(now);
        recorder.read(Reply::Page(&page(200, TAGGED, now)), now, &mut Found::default()).unwrap();
    }
    assert_eq!(lines.lock().unwrap().len(), 2);
    assert!(recorder.next(now).at - now > chrono::TimeDelta::days(300));
}

/// Whoever puts a recording into the folder has it read by the source that it is named after.
#[test]
fn recordings_in_the_folder_are_read() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sources/recorded");
    let mut read = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let Some(name) = path.file_stem().and_then(|name| name.to_str()).filter(|_| path.extension().is_some()) else {
            continue;
        };
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<Line> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let found = play_all(&name.replacen('_', ":", 1), &lines);
        assert_eq!(found.odd, 0, "{}: posts that are not understood", path.display());
        assert!(found.seen > 0 || !found.events.is_empty(), "{}: nothing in it is read", path.display());
        read += 1;
    }
    assert!(read > 0);
}
