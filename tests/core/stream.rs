//! Synthetic recordings: everyday talk about a few services from a few places, and outages within it.

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use std::ops::Range;
use whatsdown::post::Post;

/// What ordinary people say; `{}` is the service.
const REPORTS: &[&str] = &[
    "is {} down?",
    "{} not working for anyone else?",
    "can't log in to {} at all",
    "{} won't load, the feed is empty",
    "{} down again",
    "the {} app keeps crashing",
];
const RECOVERIES: &[&str] = &["{} is back", "{} works again for me", "ok {} is working again"];
const CHATTER: &[&str] = &["good morning", "watching the rain", "what a match", "tea first, then everything else"];
const PLACES: &[Option<&str>] =
    &[None, None, Some("London"), Some("Manchester, UK"), Some("Austin, Texas"), Some("Lyon")];
pub const SOURCES: &[&str] = &["bluesky", "mastodon"];

/// Monday, 2024-03-04, 00:00 UTC: minute 0 of every stream.
pub fn at(minute: f64) -> DateTime<Utc> {
    let monday: DateTime<Utc> = "2024-03-04T00:00:00Z".parse().unwrap();
    monday + TimeDelta::milliseconds((minute * 60_000.0) as i64)
}

/// A recording in the making.
pub struct Stream {
    rng: Rng,
    pub posts: Vec<Post>,
}

impl Stream {
    pub fn new(seed: u64) -> Stream {
        Stream { rng: Rng::with_seed(seed), posts: Vec::new() }
    }

    /// Ten hours with everyday reports of three services; tiktok fails from minute 400 to 470, everywhere.
    pub fn with_outage(seed: u64) -> Stream {
        let mut stream = Stream::new(seed);
        stream.everyday(0..600);
        stream.outage("TikTok", 400..470, 6.0);
        stream
    }

    /// Chatter on every source, and a few reports of three services.
    pub fn everyday(&mut self, minutes: Range<u32>) {
        self.talk(minutes.clone(), 0.6, "", CHATTER);
        for service in ["TikTok", "Discord", "Spotify"] {
            self.talk(minutes.clone(), 0.05, service, REPORTS);
        }
    }

    /// So many more people a minute report, and afterwards some say that it is back.
    pub fn outage(&mut self, service: &str, minutes: Range<u32>, per_minute: f64) {
        let end = minutes.end;
        self.talk(minutes, per_minute, service, REPORTS);
        self.talk(end..end + 15, per_minute / 2.0, service, RECOVERIES);
    }

    /// Posts at random moments of random people, so many a minute.
    pub fn talk(&mut self, minutes: Range<u32>, per_minute: f64, service: &str, texts: &[&str]) {
        let (mut moment, until) = (f64::from(minutes.start), f64::from(minutes.end));
        loop {
            moment += -(1.0 - self.rng.f64()).ln() / per_minute;
            if moment >= until {
                return;
            }
            let text = self.one_of(texts).replace("{}", service);
            let author = format!("synthetic-{}", self.rng.u32(0..5000));
            self.post(moment, &author, &text);
        }
    }

    /// One post of one person, of a random source and place.
    pub fn post(&mut self, moment: f64, author: &str, text: &str) -> &mut Post {
        let id = format!("synthetic-post-{}", self.posts.len());
        let source = self.one_of(SOURCES);
        let location = self.one_of(PLACES).map(str::to_owned);
        self.posts.push(Post {
            source: (*source).to_owned(),
            location,
            url: Some(format!("https://synthetic.example/{id}")),
            id,
            created_at: at(moment),
            author: author.to_owned(),
            text: text.to_owned(),
            lang: Some("en".to_owned()),
            ..Post::default()
        });
        self.posts.last_mut().unwrap()
    }

    fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.rng.usize(0..choices.len())]
    }

    /// The lines in the order of the posts' arrival.
    pub fn lines(&self) -> Vec<String> {
        let mut posts: Vec<&Post> = self.posts.iter().collect();
        posts.sort_by_key(|post| post.arrived_at());
        posts.into_iter().map(line).collect()
    }
}

pub fn line(post: &Post) -> String {
    serde_json::to_string(post).unwrap()
}

pub fn gap(source: &str, from: f64, until: f64) -> String {
    let (from, until) = (at(from), at(until));
    serde_json::json!({"gap": {"source": source, "from": from, "until": until}}).to_string()
}

pub fn deleted(post: &Post) -> String {
    serde_json::json!({"deleted": {"source": post.source, "id": post.id}}).to_string()
}
