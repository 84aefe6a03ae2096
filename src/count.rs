//! Readings counted: distinct people per minute, region and source, and the share of each minute that was heard.

use crate::minute::Minute;
use crate::post::PostKey;
use crate::reading::{Kind, ServiceId, Stage, Surface, Symptom, words};
use crate::region::Region;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

words! {
    /// Under what a mention is counted. Reposts and bots are counted apart: they are no evidence.
    Tally {
        Report = "report",
        Recovery = "recovery",
        Official = "official",
        Echo = "echo",
        Repost = "repost",
        Bot = "bot",
    }
}

impl From<Kind> for Tally {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Report => Tally::Report,
            Kind::Recovery => Tally::Recovery,
            Kind::Official => Tally::Official,
            Kind::Echo => Tally::Echo,
        }
    }
}

/// A post's identity as a hash of its source and id. In JSON it is 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash(pub [u8; 16]);

impl KeyHash {
    pub fn of(key: &PostKey) -> KeyHash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(key.source.as_bytes()).update(&[0]).update(key.id.as_bytes());
        let mut hash = [0; 16];
        hasher.finalize_xof().fill(&mut hash);
        KeyHash(hash)
    }
}

impl std::fmt::Display for KeyHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl Serialize for KeyHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_u128(u128::from_be_bytes(self.0))
        }
    }
}

impl<'de> Deserialize<'de> for KeyHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = if deserializer.is_human_readable() {
            u128::from_str_radix(&String::deserialize(deserializer)?, 16).map_err(serde::de::Error::custom)?
        } else {
            u128::deserialize(deserializer)?
        };
        Ok(KeyHash(number.to_be_bytes()))
    }
}

/// What is kept of one post about one service: everything that counting and detecting need, and nothing that names anyone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mention {
    pub key: KeyHash,
    /// When the post was written.
    pub at: DateTime<Utc>,
    pub service: ServiceId,
    pub source: String,
    pub region: Region,
    pub tally: Tally,
    pub symptoms: Vec<Symptom>,
    pub surfaces: Vec<Surface>,
    pub stage: Option<Stage>,
    /// The keyed hash of the author.
    pub author: u64,
    /// The keyed hash of a long text or one with a link, by which copies are known; else the author's, since the same
    /// few words from many people are many reports.
    pub print: u64,
    /// Whether the post may be quoted.
    pub quotable: bool,
}

impl Mention {
    pub fn minute(&self) -> Minute {
        Minute::of(self.at)
    }

    /// The order that does not depend on arrival: by time, source and identity.
    pub fn order(&self) -> (DateTime<Utc>, &str, KeyHash) {
        (self.at, &self.source, self.key)
    }
}

/// Distinct people behind a set of posts. The same long text counts as one person, and a person counts once.
#[derive(Clone, Debug, Default)]
pub struct People {
    authors: BTreeSet<u64>,
    prints: BTreeSet<u64>,
}

impl People {
    pub fn add(&mut self, mention: &Mention) {
        self.authors.insert(mention.author);
        self.prints.insert(mention.print);
    }

    pub fn count(&self) -> u64 {
        self.authors.len().min(self.prints.len()) as u64
    }

    /// Distinct people among mentions.
    pub fn among<'a>(mentions: impl IntoIterator<Item = &'a Mention>) -> u64 {
        let mut people = People::default();
        mentions.into_iter().for_each(|mention| people.add(mention));
        people.count()
    }
}

/// Distinct people who reported, and who said that it works again, in one minute of one region, by source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MinuteCount {
    pub reports: BTreeMap<String, u64>,
    pub recoveries: u64,
}

impl MinuteCount {
    pub fn all_reports(&self) -> u64 {
        self.reports.values().sum()
    }
}

/// Posts and distinct people of one service and minute, by region (with its parents), tally and source.
pub fn count_people(mentions: &[Mention]) -> BTreeMap<(Region, Tally, &str), (u64, u64)> {
    let mut people: BTreeMap<(Region, Tally, &str), (u64, People)> = BTreeMap::new();
    for mention in mentions {
        for region in mention.region.path() {
            let (posts, people) = people.entry((region, mention.tally, &mention.source)).or_default();
            *posts += 1;
            people.add(mention);
        }
    }
    people.into_iter().map(|(bucket, (posts, people))| (bucket, (posts, people.count()))).collect()
}

/// Counts one service's mentions of one minute for the detector, for every region that they fall into.
pub fn count_minute(mentions: &[Mention]) -> BTreeMap<Region, MinuteCount> {
    let mut counts: BTreeMap<Region, MinuteCount> = BTreeMap::new();
    for ((region, tally, source), (_, people)) in count_people(mentions) {
        match tally {
            Tally::Report => {
                counts.entry(region).or_default().reports.insert(source.to_owned(), people);
            }
            Tally::Recovery => counts.entry(region).or_default().recoveries += people,
            Tally::Official | Tally::Echo | Tally::Repost | Tally::Bot => {}
        }
    }
    counts
}

/// When one source was listened to. A minute that was not heard says nothing; it is not a minute without posts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Listening {
    /// Disjoint spans in which the source was heard, in seconds since 1970, `[from, until)`.
    heard: Vec<(i64, i64)>,
    /// Disjoint spans that were lost, which win over those heard.
    lost: Vec<(i64, i64)>,
    /// The first second ever heard.
    first: Option<i64>,
}

/// The end of a span that goes on for as long as is known.
pub const OPEN_END: i64 = i64::MAX;

impl Listening {
    pub fn hear(&mut self, from: i64, until: i64) {
        insert_span(&mut self.heard, from, until);
        if from < until {
            self.first = Some(self.first.map_or(from, |first| first.min(from)));
        }
    }

    pub fn lose(&mut self, from: i64, until: i64) {
        insert_span(&mut self.lost, from, until);
    }

    /// Adds a span of listening or of loss.
    pub fn note(&mut self, span: &ListeningSpan) {
        if span.heard {
            self.hear(span.from, span.until);
        } else {
            self.lose(span.from, span.until);
        }
    }

    /// The share of the minute that was heard, 0..1.
    pub fn exposure(&self, minute: Minute) -> f64 {
        let (from, until) = (minute.0 * 60, minute.0 * 60 + 60);
        let never_lost_since = self.lost.last().is_none_or(|span| span.1 <= from);
        if never_lost_since && self.heard.last().is_some_and(|span| span.0 <= from && until <= span.1) {
            return 1.0; // by far the most frequent case, and asked for most
        }
        let lost = |from: i64, until: i64| overlap(&self.lost, from, until);
        let heard: i64 =
            spans_within(&self.heard, from, until).map(|(from, until)| until - from - lost(from, until)).sum();
        heard as f64 / 60.0
    }

    /// The first second after `second` in which it may not be heard; `second` itself where it is not heard then.
    fn heard_on_until(&self, second: i64) -> i64 {
        let heard = self.heard.partition_point(|span| span.1 <= second);
        let heard_until = self.heard.get(heard).filter(|span| span.0 <= second).map_or(second, |span| span.1);
        let lost = self.lost.partition_point(|span| span.1 <= second);
        self.lost.get(lost).map_or(heard_until, |span| heard_until.min(span.0.max(second)))
    }

    /// The first second ever heard.
    pub fn first(&self) -> Option<i64> {
        self.first
    }

    /// Forgets the spans that end before `second`.
    pub fn forget_before(&mut self, second: i64) {
        self.heard.retain(|(_, until)| *until > second);
        self.lost.retain(|(_, until)| *until > second);
    }
}

/// A span in which an instance of a network was heard, or lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListeningSpan {
    pub network: String,
    pub instance: String,
    pub heard: bool,
    /// Seconds since 1970, `[from, until)`.
    pub from: i64,
    pub until: i64,
    pub why: Option<String>,
}

/// How much of each network was heard, minute by minute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Exposure {
    networks: BTreeMap<String, BTreeMap<String, Listening>>,
}

impl Exposure {
    /// Says that there is such an instance, whether it is heard or not.
    pub fn expect(&mut self, network: String, instance: String) {
        self.networks.entry(network).or_default().entry(instance).or_default();
    }

    pub fn add(&mut self, span: &ListeningSpan) {
        let instances = self.networks.entry(span.network.clone()).or_default();
        instances.entry(span.instance.clone()).or_default().note(span);
    }

    /// The networks that were ever listened to.
    pub fn networks(&self) -> impl Iterator<Item = &str> {
        self.networks.keys().map(String::as_str)
    }

    /// The share of a network that was heard in a minute, 0..1: the mean over its instances.
    pub fn of(&self, network: &str, minute: Minute) -> f64 {
        self.by_minute(network)(minute)
    }

    /// The same for many minutes of one network.
    pub fn by_minute(&self, network: &str) -> impl Fn(Minute) -> f64 + '_ {
        let instances = self.networks.get(network);
        move |minute| instances.map_or(0.0, |instances| mean_exposure(instances, minute))
    }

    /// The share of a minute in which any network was heard, 0..1.
    pub fn any(&self, minute: Minute) -> f64 {
        let mut most = 0.0;
        for instances in self.networks.values() {
            most = mean_exposure(instances, minute).max(most);
            if most == 1.0 {
                break;
            }
        }
        most
    }

    /// The first minute from `minute` on that is not wholly heard on any one network; `minute` itself where that is none.
    pub fn wholly_until(&self, minute: Minute) -> Minute {
        let second = minute.0 * 60;
        let of_network = |instances: &BTreeMap<String, Listening>| {
            instances.values().map(|listening| listening.heard_on_until(second)).min().unwrap_or(second)
        };
        Minute(self.networks.values().map(of_network).max().unwrap_or(second).div_euclid(60))
    }

    /// The first minute in which a network was heard.
    pub fn first(&self, network: &str) -> Option<Minute> {
        let firsts = self.networks.get(network)?.values().filter_map(Listening::first);
        firsts.min().map(|second| Minute(second.div_euclid(60)))
    }

    /// The first minute in which anything was heard.
    pub fn first_of_all(&self) -> Option<Minute> {
        self.networks.keys().filter_map(|network| self.first(network)).min()
    }

    /// Forgets what ended before a minute, but for when each began.
    pub fn forget_before(&mut self, minute: Minute) {
        for listening in self.networks.values_mut().flat_map(BTreeMap::values_mut) {
            listening.forget_before(minute.0 * 60);
        }
    }
}

fn mean_exposure(instances: &BTreeMap<String, Listening>, minute: Minute) -> f64 {
    let sum: f64 = instances.values().map(|listening| listening.exposure(minute)).sum();
    sum / instances.len().max(1) as f64
}

fn spans_within(spans: &[(i64, i64)], from: i64, until: i64) -> impl Iterator<Item = (i64, i64)> {
    let first = spans.partition_point(|span| span.1 <= from);
    spans[first..]
        .iter()
        .take_while(move |span| span.0 < until)
        .map(move |span| (span.0.max(from), span.1.min(until)))
        .filter(|span| span.0 < span.1)
}

fn overlap(spans: &[(i64, i64)], from: i64, until: i64) -> i64 {
    spans_within(spans, from, until).map(|span| span.1 - span.0).sum()
}

/// Adds a span and joins it with those that it touches.
fn insert_span(spans: &mut Vec<(i64, i64)>, from: i64, until: i64) {
    if from >= until {
        return;
    }
    let first = spans.partition_point(|span| span.1 < from);
    let last = spans.partition_point(|span| span.0 <= until).max(first);
    let joined =
        spans[first..last].iter().fold((from, until), |joined, span| (joined.0.min(span.0), joined.1.max(span.1)));
    spans.splice(first..last, [joined]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mention(author: u64, print: u64, region: &str) -> Mention {
        Mention {
            key: KeyHash([author as u8; 16]),
            at: DateTime::from_timestamp(0, 0).unwrap(),
            service: ServiceId::new("tiktok"),
            source: "mastodon".into(),
            region: region.parse().unwrap(),
            tally: Tally::Report,
            symptoms: vec![],
            surfaces: vec![],
            stage: None,
            author,
            print,
            quotable: true,
        }
    }

    fn world(mentions: &[Mention]) -> u64 {
        count_minute(mentions).get(&Region::WORLD).map_or(0, MinuteCount::all_reports)
    }

    #[test]
    fn people_are_counted_not_posts() {
        let short: Vec<Mention> = (0..5).map(|author| mention(author, author, "GB")).collect();
        assert_eq!(world(&short), 5);
        let copies: Vec<Mention> = (0..5).map(|author| mention(author, 99, "GB")).collect();
        assert_eq!(world(&copies), 1);
        let flood: Vec<Mention> = (0..5).map(|print| mention(7, print, "GB")).collect();
        assert_eq!(world(&flood), 1);
    }

    #[test]
    fn a_part_counts_in_its_country_and_the_world() {
        let counts = count_minute(&[mention(1, 1, "US-TX"), mention(2, 2, "US"), mention(3, 3, "world")]);
        let reports: Vec<(String, u64)> =
            counts.iter().map(|(region, count)| (region.to_string(), count.all_reports())).collect();
        assert_eq!(reports, [("world".into(), 3), ("US".into(), 2), ("US-TX".into(), 1)]);
    }

    #[test]
    fn what_was_lost_was_not_heard() {
        let mut listening = Listening::default();
        listening.hear(0, OPEN_END);
        listening.lose(90, 180);
        let exposures: Vec<f64> = (0..4).map(|minute| listening.exposure(Minute(minute))).collect();
        assert_eq!(exposures, [1.0, 0.5, 0.0, 1.0]);
        listening.forget_before(180);
        assert_eq!((listening.first(), listening.exposure(Minute(3))), (Some(0), 1.0));
    }

    proptest! {
        #[test]
        fn spans_cover_what_was_put_in_whatever_the_order(spans in prop::collection::vec((0i64..300, 1i64..60), 0..12)) {
            let mut listening = Listening::default();
            let mut seconds = BTreeSet::new();
            for (from, length) in spans {
                listening.hear(from, from + length);
                seconds.extend(from..from + length);
            }
            for minute in 0..7 {
                let expected = seconds.range(minute * 60..minute * 60 + 60).count() as f64 / 60.0;
                prop_assert!((listening.exposure(Minute(minute)) - expected).abs() < 1e-9);
            }
            prop_assert!(listening.heard.windows(2).all(|pair| pair[0].1 < pair[1].0));
        }
    }
}
