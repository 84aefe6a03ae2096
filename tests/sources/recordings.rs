//! What `whatsdown record` keeps: nothing of anybody, and all that the sources read.

use crate::keyed::{KEY, Lab};
use crate::{build, config, page, time};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use whatsdown::post::Event;
use whatsdown::source::recording::{Line, Recorder, play};
use whatsdown::source::{Found, Page, Reply, Source};

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
const LEMMY_4: &str = include_str!("../../fixtures/sources/lemmy/v4-comments.json");
const NETWORKS: &str = include_str!("../../fixtures/sources/ioda/events.json");
const OFFICIAL: &str = include_str!("../../fixtures/sources/feed/official.atom");
const SLACK: [&str; 2] = [
    include_str!("../../fixtures/sources/status/slack-current.json"),
    include_str!("../../fixtures/sources/status/slack-history.json"),
];
const GOOGLE: &str = include_str!("../../fixtures/sources/status/google.json");
const BETTER_STACK: &str = include_str!("../../fixtures/sources/status/betterstack.json");
const INSTATUS: &str = include_str!("../../fixtures/sources/status/instatus.json");
const AWS: &[u8] = include_bytes!("../../fixtures/sources/status/aws.json");
const AZURE: &str = include_str!("../../fixtures/sources/status/azure.xml");
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
        "hackernews" | "ioda" | "lemmy:api.example" | "feed:news" | "feed:tiktok" | "status:statuspage"
        | "status:slack" | "status:google" | "status:betterstack" | "status:instatus" | "status:aws"
        | "status:azure" => {
            let lab = Lab::new("api.example");
            crate::build_all(&lab.config, &["tiktokdown".to_owned()], &BTreeMap::new(), now)
                .into_iter()
                .find(|source| source.name() == name)
                .unwrap()
        }
        _ => Lab::new("api.example").source(name, &BTreeMap::new(), now),
    }
}

/// What was read, but for names, ids and words; how many ids there are; how many posts were seen, and how many were odd.
fn shape(found: &Found) -> (Vec<String>, usize, u64, u64) {
    let of = |event: &Event| match event {
        Event::Post(post) => {
            let stage = post.notice.as_ref().map(|notice| notice.stage);
            let kind =
                (post.bot, post.noindex, post.news, post.official, post.repost_of.is_some(), post.reply_to.is_some());
            format!("{} {:?} {stage:?} {kind:?} {}", post.created_at, post.lang, post.text.is_empty())
        }
        Event::Volume(volume) => format!("{} {}", volume.at, volume.posts),
        Event::Deleted(_) => "deleted".to_owned(),
        other => format!("{other:?}"),
    };
    let id = |event: &Event| if let Event::Post(post) = event { Some(post.id.clone()) } else { None };
    let ids: BTreeSet<String> = found.events.iter().filter_map(id).collect();
    (found.events.iter().map(of).collect(), ids.len(), found.seen, found.odd)
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
        ("bluesky", now, FRAMES.lines().map(str::as_bytes).collect::<Vec<_>>()),
        ("mastodon:social.example", later, vec![INSTANCE.as_bytes(), TAG.as_bytes()]),
        ("x:search", now, vec![TWEETS.as_bytes()]),
        ("x:counts", now, vec![COUNTS.as_bytes()]),
        ("reddit", now, vec![TOKEN.as_bytes(), LISTING.as_bytes()]),
        ("threads", now, vec![THREADS.as_bytes()]),
        ("tumblr", now, vec![TAGGED.as_bytes()]),
        ("radar", now, vec![OUTAGES.as_bytes()]),
        ("hackernews", status, vec![HITS.as_bytes()]),
        ("ioda", status, vec![NETWORKS.as_bytes()]),
        ("lemmy:api.example", status, vec![LEMMY.as_bytes()]),
        ("lemmy:api.example", status, vec![LEMMY_4.as_bytes()]),
        ("feed:news", status, vec![NEWS.as_bytes()]),
        ("feed:tiktok", status, vec![OFFICIAL.as_bytes()]),
        ("status:statuspage", status, vec![STATUSPAGE.as_bytes()]),
        ("status:slack", status, SLACK.map(str::as_bytes).to_vec()),
        ("status:google", status, vec![GOOGLE.as_bytes()]),
        ("status:betterstack", status, vec![BETTER_STACK.as_bytes()]),
        ("status:instatus", status, vec![INSTATUS.as_bytes()]),
        ("status:aws", status, vec![AWS]),
        ("status:azure", status, vec![AZURE.as_bytes()]),
    ] {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let mut recorder = Recorder::new(fresh(name, now), [7; 32], lines.clone(), 100);
        let mut found = Found::default();
        recorder.next(now);
        for answer in answers {
            let page = Page { body: answer.to_vec(), ..page(200, "", now) };
            let frame = std::str::from_utf8(answer).unwrap_or_default();
            let reply = if name == "bluesky" { Reply::Frame(frame) } else { Reply::Page(&page) };
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
