//! Across services: whose reports are explained by another's outage, and whose outages have one cause.
//!
//! While one service is down, people accuse others. Blame is expected in proportion to the outage that causes it, so it
//! is added to what the accused expects; posts and people that also tell of the outage are left out; what still stands
//! out, stands on its own. `docs/detection.md` gives the formula and its figures.

use super::view::View;
use super::{Related, Relation};
use crate::count::{KeyHash, Mention, Tally};
use crate::detect::focus::Focus;
use crate::detect::{Expected, Score};
use crate::minute::Minute;
use crate::reading::ServiceId;
use crate::reading::catalogue::{Group, Tie};
use crate::region::Region;
use std::collections::{BTreeMap, BTreeSet};

/// Minutes of reports that are held against an outage.
pub const HORIZON: i64 = 3 * Minute::HOUR;
/// Minutes over which an outage's reports are averaged to say how much blame it brings, and over which blame lasts.
const BLAME_FROM: i64 = 10;
const BLAME_LASTS: i64 = 45;
/// How many times as loud as the accused the service is that explains the blame.
const LOUDER: f64 = 2.0;
/// Unlinked accusations for each report of the outage, at the most.
const BLAME_OF_RIVALS: f64 = 0.10;
const BLAME_OF_THE_GROUND: f64 = 0.10;
const BLAME_OF_STRANGERS: f64 = 0.03;
const BLAME_AMONG_SIBLINGS: f64 = 0.02;
/// Over-dispersion of blame, as that of reports before any were learnt.
const OVERDISPERSION: f64 = 0.25;
/// So many services down at once are not all wrong about what they stand on.
const FEWEST_ON_THE_GROUND: usize = 2;
/// Minutes between starts that may be one.
const TOGETHER: i64 = 20;
/// The share of the smaller outage's people who tell of both.
const LINKED: f64 = 0.2;
/// The share of the threshold below which what was called an outage was none.
const RETRACTED_BELOW: f64 = 0.5;
/// Distinct people whose own word an outage needs.
const FEWEST_PEOPLE: f64 = 5.0;

/// What is known of services that hang together.
#[derive(Clone, Debug, Default)]
pub struct Ties {
    groups: Vec<(Tie, BTreeSet<ServiceId>)>,
}

/// How an accused service stands to one that is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Siblings,
    Rivals,
    /// The accused is what others stand on.
    Beneath,
    /// The accused stands on what is down.
    Above,
    Strangers,
}

impl Ties {
    pub fn of(groups: &[Group]) -> Ties {
        let ids = |group: &Group| group.services.iter().map(|word| ServiceId::new(&word.text)).collect();
        Ties { groups: groups.iter().map(|group| (group.tie, ids(group))).collect() }
    }

    fn of_kind(&self, tie: Tie) -> impl Iterator<Item = &BTreeSet<ServiceId>> {
        self.groups.iter().filter(move |group| group.0 == tie).map(|group| &group.1)
    }

    fn share(&self, tie: Tie, one: &ServiceId, other: &ServiceId) -> bool {
        self.of_kind(tie).any(|group| group.contains(one) && group.contains(other))
    }

    fn is_ground(&self, service: &ServiceId) -> bool {
        self.of_kind(Tie::Beneath).any(|group| group.contains(service))
    }

    fn standing(&self, accused: &ServiceId, down: &ServiceId) -> Standing {
        if self.share(Tie::Siblings, accused, down) {
            return Standing::Siblings;
        }
        match (self.is_ground(accused), self.is_ground(down)) {
            (true, false) => Standing::Beneath,
            (false, true) => Standing::Above,
            _ if self.share(Tie::Rivals, accused, down) => Standing::Rivals,
            _ => Standing::Strangers,
        }
    }
}

/// A service with an alarm, or with an incident that lasts or lasted until lately.
pub struct Loud<'a> {
    pub view: View<'a>,
    /// Where it is loudest.
    pub region: Region,
    /// The first minute of its excess.
    pub from: Minute,
    /// The score from which it is an alarm.
    pub threshold: f64,
    /// Its incident, when that was opened, and whether it lasts.
    pub incident: Option<(&'a str, Minute, bool)>,
}

/// How a loud service stands among the others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judgement {
    /// The outage that explains its reports.
    pub echo: Option<Echo>,
    /// Incidents of other services with the same cause.
    pub same_cause: Vec<Related>,
}

/// Reports that are blame.
#[derive(Clone, Debug, PartialEq)]
pub struct Echo {
    /// The service that is down in truth, and its incident, where it has one yet.
    pub service: ServiceId,
    pub incident: Option<String>,
    /// Distinct people who reported, and those of them who told of the other outage too.
    pub people: usize,
    pub linked: usize,
    /// Whether there never was enough to call it an outage.
    pub never_stood: bool,
}

impl Echo {
    /// Why it is no outage, as a sentence's end.
    pub fn why(&self) -> String {
        let Echo { service, people, linked, .. } = self;
        format!("{linked} of {people} people told of {service}'s outage too, and it explains as many as the others")
    }
}

/// Judges all that is loud at the close of a minute, in the order given.
pub fn judge(loud: &[Loud<'_>], ties: &Ties) -> Vec<Judgement> {
    let mut judgements = vec![Judgement::default(); loud.len()];
    if loud.len() < 2 {
        return judgements;
    }
    let voices: Vec<Voice<'_>> = loud.iter().map(Voice::of).collect();
    let mut order: Vec<usize> = (0..loud.len()).collect();
    order.sort_by(|a, b| voices[*b].excess.total_cmp(&voices[*a].excess).then(a.cmp(b)));
    let mut standing: Vec<usize> = Vec::new();
    for index in order {
        let accused = &voices[index];
        let causes: Vec<&Voice<'_>> = standing.iter().map(|other| &voices[*other]).collect();
        match accused.explained_by(&causes, ties) {
            Some(echo) => judgements[index].echo = Some(echo),
            None => standing.push(index),
        }
    }
    for (place, one) in standing.iter().enumerate() {
        for other in &standing[place + 1..] {
            let (one, other) = (*one, *other);
            let both = (voices[one].loud.incident, voices[other].loud.incident);
            if let (Some((first, _, true)), Some((second, _, true))) = both
                && voices[one].has_one_cause_with(&voices[other], ties)
            {
                let same = |id: &str| Related { incident: id.to_owned(), relation: Relation::SameCause };
                judgements[one].same_cause.push(same(second));
                judgements[other].same_cause.push(same(first));
            }
        }
    }
    judgements
}

/// A loud service and what it said of late.
struct Voice<'a> {
    loud: &'a Loud<'a>,
    first: Minute,
    /// Excess of reports over everyday life, minute by minute from `first`, and their sum.
    by_minute: Vec<f64>,
    excess: f64,
}

impl<'a> Voice<'a> {
    fn of(loud: &'a Loud<'a>) -> Voice<'a> {
        let first = loud.view.minute - HORIZON - BLAME_LASTS;
        let samples = loud.view.samples(loud.region, first, loud.view.minute);
        let mut by_minute = vec![0.0; (HORIZON + BLAME_LASTS + 1) as usize];
        for sample in &samples {
            if let Some(excess) = by_minute.get_mut((sample.minute - first) as usize) {
                *excess = sample.reports - sample.expected;
            }
        }
        let since = (loud.from - first).max(0) as usize;
        let excess = by_minute.iter().skip(since).sum::<f64>().max(0.0);
        Voice { loud, first, by_minute, excess }
    }

    fn service(&self) -> &'a ServiceId {
        self.loud.view.service
    }

    fn reports(&self, from: Minute) -> impl Iterator<Item = &'a Mention> {
        let region = self.loud.region;
        let reports = self.loud.view.mentions(Tally::Report, from, self.loud.view.minute);
        reports.filter(move |mention| region.contains(mention.region))
    }

    /// Excess in a region, minute by minute from `first`.
    fn excess_in(&self, region: Region) -> Vec<f64> {
        if region == self.loud.region {
            return self.by_minute.clone();
        }
        let loud = Loud { view: self.loud.view, region, ..*self.loud };
        Voice::of(&loud).by_minute
    }

    /// The outages that explain these reports, if they leave too little that stands out.
    fn explained_by(&self, standing: &[&Voice<'_>], ties: &Ties) -> Option<Echo> {
        let louder: Vec<&&Voice<'_>> =
            standing.iter().filter(|voice| voice.excess >= LOUDER * self.excess.max(1.0)).collect();
        if louder.is_empty() {
            return None;
        }
        let believed = self.is_ground_of(standing, ties);
        let mut blame = vec![0.0; self.by_minute.len()];
        let mut links = Links::default();
        let mut most: Option<(f64, &Voice<'_>)> = None;
        for voice in louder {
            let standing = ties.standing(self.service(), voice.service());
            let (ratio, discounts) = match standing {
                Standing::Beneath if believed => (0.0, false),
                Standing::Beneath => (BLAME_OF_THE_GROUND, true),
                Standing::Rivals => (BLAME_OF_RIVALS, true),
                Standing::Strangers => (BLAME_OF_STRANGERS, true),
                Standing::Siblings | Standing::Above => (BLAME_AMONG_SIBLINGS, false),
            };
            for (minute, brought) in blame.iter_mut().zip(brought(&voice.excess_in(self.loud.region))) {
                *minute += ratio * brought;
            }
            if discounts {
                links.add(voice);
            }
            if most.is_none_or(|(weight, _)| ratio * voice.excess > weight) {
                most = Some((ratio * voice.excess, voice));
            }
        }
        let (_, cause) = most?;
        let (now, ever) = self.own_scores(&blame, &links);
        let enough = |score: Score, share: f64| {
            score.llr >= share * self.loud.threshold && score.observed_in_window >= FEWEST_PEOPLE
        };
        if enough(now, 1.0) {
            return None;
        }
        let people: BTreeSet<u64> = self.reports(self.loud.from).map(|mention| mention.author).collect();
        let linked: BTreeSet<u64> =
            self.reports(self.loud.from).filter(|mention| links.has(mention)).map(|mention| mention.author).collect();
        Some(Echo {
            service: cause.service().clone(),
            incident: cause.loud.incident.map(|(id, ..)| id.to_owned()),
            people: people.len(),
            linked: linked.len(),
            never_stood: !enough(ever, RETRACTED_BELOW),
        })
    }

    /// Whether so many that stand on it fell together that it is no scapegoat.
    fn is_ground_of(&self, standing: &[&Voice<'_>], ties: &Ties) -> bool {
        let above = |voice: &&&Voice<'_>| ties.standing(self.service(), voice.service()) == Standing::Beneath;
        let on_it: Vec<&&Voice<'_>> = standing.iter().filter(above).collect();
        let fell_with = |one: &&Voice<'_>| {
            let mut owners: Vec<&&Voice<'_>> = Vec::new();
            for other in on_it.iter().filter(|other| (other.loud.from - one.loud.from).abs() <= TOGETHER) {
                if !owners.iter().any(|owner| ties.share(Tie::Siblings, owner.service(), other.service())) {
                    owners.push(*other);
                }
            }
            owners.len()
        };
        on_it.iter().any(|one| fell_with(one) >= FEWEST_ON_THE_GROUND)
    }

    /// The test of what is left: now, and at its highest since its excess began.
    fn own_scores(&self, blame: &[f64], links: &Links) -> (Score, Score) {
        let mut people: BTreeMap<Minute, BTreeSet<u64>> = BTreeMap::new();
        let (mut authors, mut prints) = (BTreeSet::new(), BTreeSet::new());
        // A person and a text count once, as in the alarm's own confirmation.
        for mention in self.reports(self.first).filter(|mention| !links.has(mention)) {
            if authors.insert(mention.author) && prints.insert(mention.print) {
                people.entry(mention.minute()).or_default().insert(mention.author);
            }
        }
        let mut focus = Focus::default();
        let (mut now, mut ever) = (Score::default(), Score::default());
        let samples = self.loud.view.samples(self.loud.region, self.first, self.loud.view.minute);
        for (sample, blame) in samples.iter().zip(blame) {
            let observed = people.get(&sample.minute).map_or(0.0, |people| people.len() as f64);
            let mean = sample.expected + blame * sample.exposure;
            let upper = 1.5 * sample.expected + (0.02 + blame) * sample.exposure;
            now = focus.step(observed, Expected { mean, upper, dispersion: 1.0 + OVERDISPERSION * mean });
            if now.llr > ever.llr && sample.minute >= self.loud.from {
                ever = now;
            }
        }
        (now, ever)
    }

    fn has_one_cause_with(&self, other: &Voice<'_>, ties: &Ties) -> bool {
        if (self.loud.from - other.loud.from).abs() > TOGETHER {
            return false;
        }
        let standing = ties.standing(self.service(), other.service());
        matches!(standing, Standing::Siblings | Standing::Above | Standing::Beneath) || self.is_linked_with(other)
    }

    fn is_linked_with(&self, other: &Voice<'_>) -> bool {
        let (small, large) = if self.excess < other.excess { (self, other) } else { (other, self) };
        let mut links = Links::default();
        links.add(large);
        let (mut all, mut linked) = (0_usize, 0_usize);
        for mention in small.reports(small.loud.from) {
            all += 1;
            linked += usize::from(links.has(mention));
        }
        all > 0 && linked as f64 >= LINKED * all as f64
    }
}

/// The posts and the people that tell of an outage.
#[derive(Default)]
struct Links {
    posts: BTreeSet<KeyHash>,
    authors: BTreeSet<u64>,
}

impl Links {
    fn add(&mut self, voice: &Voice<'_>) {
        let from = voice.first.max(voice.loud.from - BLAME_FROM);
        for mentions in voice.loud.view.mentions.range(from..).map(|(_, mentions)| mentions) {
            self.posts.extend(mentions.iter().map(|mention| mention.key));
            let reports = mentions.iter().filter(|mention| mention.tally == Tally::Report);
            self.authors.extend(reports.map(|mention| mention.author));
        }
    }

    fn has(&self, mention: &Mention) -> bool {
        self.posts.contains(&mention.key) || self.authors.contains(&mention.author)
    }
}

/// How much blame an outage brings in each minute, for a ratio of 1: its mean excess of the last minutes, at its highest for as long as blame lasts.
fn brought(excess: &[f64]) -> Vec<f64> {
    let mean = |until: usize| {
        let last = &excess[(until + 1).saturating_sub(BLAME_FROM as usize)..=until];
        (last.iter().sum::<f64>() / last.len() as f64).max(0.0)
    };
    let means: Vec<f64> = (0..excess.len()).map(mean).collect();
    let lasting = |until: usize| {
        let last = &means[(until + 1).saturating_sub(BLAME_LASTS as usize)..=until];
        last.iter().copied().fold(0.0, f64::max)
    };
    (0..means.len()).map(lasting).collect()
}
