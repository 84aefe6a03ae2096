//! Holds the reader against labelled posts. `cargo test --test reading -- --nocapture` prints the error tables.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test that fails says so")]

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use whatsdown::post::Post;
use whatsdown::reading::{Catalogue, Kind, Lexicon, PlaceSource, Reader, Stage, Surface, Symptom};
use whatsdown::region::Region;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Labelled {
    text: String,
    /// The language that it is written in.
    lang: String,
    /// The post's own language tag, where it is another.
    tag: Option<String>,
    #[serde(default)]
    author: String,
    #[serde(default)]
    official: bool,
    readings: Vec<Label>,
    /// Where its words say that the author is; `world` where they say nothing, absent where that was not judged.
    region: Option<Region>,
}

/// What a post was read as.
struct Got {
    labels: Vec<Label>,
    /// The region that its words state.
    region: Region,
}

#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(deny_unknown_fields)]
struct Label {
    service: String,
    kind: Kind,
    #[serde(default)]
    stage: Option<Stage>,
    symptoms: BTreeSet<Symptom>,
    surfaces: BTreeSet<Surface>,
}

#[derive(Default)]
struct Tally {
    posts: usize,
    kind_right: usize,
    negatives: usize,
    false_reports: usize,
    symptoms: usize,
    symptoms_right: usize,
    surfaces_right: usize,
    places_stated: usize,
    /// Those of posts that are heard.
    places: usize,
    places_right: usize,
    no_places: usize,
    places_invented: usize,
}

fn reader() -> Reader {
    Reader::new(Catalogue::embedded().unwrap(), &Lexicon::embedded().unwrap()).unwrap()
}

fn posts(set: &str) -> Vec<Labelled> {
    let path = format!("{}/fixtures/posts/{set}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let lines = std::fs::read_to_string(path).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn read(reader: &Reader, labelled: &Labelled) -> Got {
    let post = Post {
        source: "x".into(),
        author: labelled.author.clone(),
        text: labelled.text.clone(),
        lang: Some(labelled.tag.clone().unwrap_or_else(|| labelled.lang.clone())),
        official: labelled.official,
        ..Post::default()
    };
    let read = reader.read(&post);
    for span in read.readings.iter().flat_map(|reading| &reading.why) {
        assert_eq!(span.text, labelled.text[span.start..span.end]);
    }
    let label = |reading: whatsdown::reading::Reading| Label {
        service: reading.service.as_str().to_owned(),
        kind: reading.kind,
        stage: reading.stage,
        symptoms: reading.symptoms.into_iter().collect(),
        surfaces: reading.surfaces.into_iter().collect(),
    };
    let stated = read.region.filter(|place| place.from == PlaceSource::Text);
    Got {
        labels: read.readings.into_iter().map(label).collect(),
        region: stated.map_or(Region::WORLD, |place| place.code),
    }
}

impl Tally {
    fn add(&mut self, wanted: &Labelled, got: &Got) -> bool {
        let (region, got) = (got.region, &got.labels);
        let kinds = |labels: &[Label]| -> BTreeSet<_> {
            labels.iter().map(|label| (label.service.clone(), label.kind, label.stage)).collect()
        };
        self.posts += 1;
        let right = kinds(&wanted.readings) == kinds(got);
        self.kind_right += usize::from(right);
        if wanted.readings.is_empty() {
            self.negatives += 1;
            self.false_reports += usize::from(got.iter().any(|label| label.kind == Kind::Report));
        }
        for label in &wanted.readings {
            if let Some(found) = got.iter().find(|found| found.service == label.service && found.kind == label.kind) {
                self.symptoms += 1;
                self.symptoms_right += usize::from(found.symptoms == label.symptoms);
                self.surfaces_right += usize::from(found.surfaces == label.surfaces);
            }
        }
        let states_place = wanted.region.is_some_and(|region| region != Region::WORLD);
        self.places_stated += usize::from(states_place);
        // A region is read only of a post that is counted.
        match wanted.region {
            Some(Region::WORLD) if !got.is_empty() => {
                self.no_places += 1;
                self.places_invented += usize::from(region != Region::WORLD);
            }
            Some(stated) if !got.is_empty() => {
                self.places += 1;
                self.places_right += usize::from(region == stated);
            }
            _ => {}
        }
        right
    }

    fn share(part: usize, whole: usize) -> f64 {
        100.0 * part as f64 / whole.max(1) as f64
    }

    fn row(&self, name: &str) -> String {
        format!(
            "| {name} | {} | {:.1}% | {} | {:.1}% | {:.1}% | {:.1}% |",
            self.posts,
            Tally::share(self.kind_right, self.posts),
            self.negatives,
            Tally::share(self.false_reports, self.negatives),
            Tally::share(self.symptoms_right, self.symptoms),
            Tally::share(self.surfaces_right, self.symptoms),
        )
    }
}

/// Reads a set, prints its table, and gives the tally of all languages.
fn measure(set: &str, show_wrong: bool) -> Tally {
    let reader = reader();
    let mut all = Tally::default();
    let mut rows: BTreeMap<String, Tally> = BTreeMap::new();
    for labelled in posts(set) {
        let got = read(&reader, &labelled);
        let right = all.add(&labelled, &got);
        rows.entry(labelled.lang.clone()).or_default().add(&labelled, &got);
        let kind = labelled.readings.first().map_or("nothing", |label| label.kind.as_str());
        rows.entry(format!("~{kind}")).or_default().add(&labelled, &got);
        let exact = got.labels.iter().collect::<BTreeSet<_>>() == labelled.readings.iter().collect();
        let placed = got.labels.is_empty() || labelled.region.is_none_or(|region| region == got.region);
        if show_wrong && !(exact && placed) {
            let wrong = if right { "" } else { "WRONG KIND " };
            println!("{wrong}{}: {}\n   got {:?} in {}", labelled.lang, labelled.text, got.labels, got.region);
        }
    }
    println!("\n{set}.jsonl\n\n| | posts | kind right | negatives | false reports | symptoms right | surfaces right |");
    println!("|---|---|---|---|---|---|---|");
    for (name, tally) in &rows {
        println!("{}", tally.row(name.trim_start_matches('~')));
    }
    println!("{}", all.row("all"));
    println!(
        "\nregion: {:.1}% right of {} that state one, {:.1}% of those {} that are heard; {:.1}% wrong of {} that state none",
        Tally::share(all.places_right, all.places_stated),
        all.places_stated,
        Tally::share(all.places_right, all.places),
        all.places,
        Tally::share(all.places_invented, all.no_places),
        all.no_places,
    );
    all
}

/// The least that a set must reach, in percent; of false reports and invented places the most.
struct Floor {
    kinds: f64,
    false_reports: f64,
    symptoms: f64,
    surfaces: f64,
    places: f64,
}

impl Tally {
    fn assert_reaches(&self, floor: &Floor) {
        assert!(Tally::share(self.kind_right, self.posts) >= floor.kinds);
        assert!(Tally::share(self.false_reports, self.negatives) <= floor.false_reports);
        assert!(Tally::share(self.symptoms_right, self.symptoms) >= floor.symptoms);
        assert!(Tally::share(self.surfaces_right, self.symptoms) >= floor.surfaces);
        assert!(Tally::share(self.places_right, self.places) >= floor.places);
        assert!(Tally::share(self.places_invented, self.no_places) <= 2.0);
    }
}

#[test]
fn the_set_to_tune_on_is_read_well() {
    let tally = measure("tune", true);
    assert!(Tally::share(tally.kind_right, tally.posts) >= 99.0);
    let strangers = measure("strangers-tune", true);
    assert!(Tally::share(strangers.kind_right, strangers.posts) >= 98.0);
    let hard = measure("hard-tune", true);
    assert!(Tally::share(hard.kind_right, hard.posts) >= 94.5);
    let plain = measure("plain-tune", true);
    assert!(Tally::share(plain.kind_right, plain.posts) >= 97.0);
    let manner = measure("manner-tune", true);
    assert!(Tally::share(manner.kind_right, manner.posts) >= 92.8);
}

#[test]
fn the_reported_set_is_read_no_worse_than_measured() {
    let floor = Floor { kinds: 96.0, false_reports: 2.2, symptoms: 92.0, surfaces: 98.6, places: 96.5 };
    measure("report", false).assert_reaches(&floor);
}

#[test]
fn strangers_posts_are_read_no_worse_than_measured() {
    let floor = Floor { kinds: 85.9, false_reports: 12.4, symptoms: 87.4, surfaces: 98.8, places: 76.3 };
    measure("strangers-report", false).assert_reaches(&floor);
}

#[test]
fn hard_posts_are_read_no_worse_than_measured() {
    let floor = Floor { kinds: 79.1, false_reports: 11.3, symptoms: 78.7, surfaces: 97.7, places: 75.2 };
    measure("hard-report", false).assert_reaches(&floor);
}
