//! Reads a post: which services it names, and what it says of each.

use super::catalogue::Catalogue;
use super::fold::Folded;
use super::judge::{Verdict, judge, strongest};
use super::lexicon::{Lexicon, Sense};
use super::names::{Mention, Names, mask};
use super::phrases::{Hit, Pattern, Phrases, PhrasesBuilder};
use super::place::Places;
use super::problem::Word;
use super::{Kind, PostReading, Reading, Span, Stage, Surface, Symptom};
use crate::post::Post;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

/// Reads posts by the words of a catalogue and of lexicons.
pub struct Reader {
    catalogue: Catalogue,
    names: Names,
    phrases: Phrases,
    joiners: HashSet<String>,
    places: Places,
    /// The place of each language's lexicon.
    languages: HashMap<String, usize>,
}

/// Why no reader can be made.
#[derive(Debug, thiserror::Error)]
pub enum ReaderError {
    #[error("the words of the catalogue and the lexicons are too many: {0}")]
    TooManyWords(#[from] aho_corasick::BuildError),
}

impl Reader {
    /// # Errors
    /// When the words are too many for an automaton.
    pub fn new(catalogue: Catalogue, lexicons: &[Lexicon]) -> Result<Reader, ReaderError> {
        let names = Names::new(&catalogue, lexicons)?;
        let mut builder = PhrasesBuilder::default();
        let mut add = |word: &Word, sense, lexicon| {
            // Lexicons are checked when they are parsed; of the catalogue an empty word says nothing.
            if let Ok(pattern) = Pattern::parse(&word.text) {
                builder.add(&pattern, sense, lexicon);
            }
        };
        for (place, lexicon) in lexicons.iter().enumerate() {
            lexicon.entries().for_each(|(word, sense)| add(word, sense, Some(place)));
        }
        for (place, service) in catalogue.services().iter().enumerate() {
            service.near.iter().for_each(|word| add(word, Sense::Near(place), None));
            for (symptom, words) in &service.parts {
                words.iter().for_each(|word| add(word, Sense::PartOf(place, *symptom), None));
            }
        }
        let joiners = lexicons.iter().flat_map(|lexicon| &lexicon.joiners);
        let joiners = joiners.map(|word| Folded::text_of(&word.text)).collect();
        let languages = lexicons.iter().enumerate().map(|(place, lexicon)| (lexicon.language.clone(), place)).collect();
        Ok(Reader { phrases: builder.build()?, catalogue, names, joiners, places: Places::embedded(), languages })
    }

    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// What the post says. Symptoms and surfaces are empty where none is stated.
    pub fn read(&self, post: &Post) -> PostReading {
        let text = post.read_text();
        let speaks_for = self.names.account(&post.source, &post.author);
        let readings = if post.official || speaks_for.is_some() {
            self.official(text, post, speaks_for)
        } else if self.names.any(&Folded::text_of(text)) {
            self.readings(text, post)
        } else {
            Vec::new()
        };
        // Where the author is matters only for a post that is counted, and takes longer to read.
        let place = || self.places.read(text, post.location.as_deref(), post.lang.as_deref());
        let region = if readings.is_empty() { None } else { place() };
        PostReading { readings, region }
    }

    fn language(&self, post: &Post) -> Option<usize> {
        let tag = post.lang.as_deref()?;
        let primary = tag.split(['-', '_']).next()?;
        self.languages.get(&primary.to_ascii_lowercase()).copied()
    }

    fn readings(&self, text: &str, post: &Post) -> Vec<Reading> {
        let folded = Folded::new(text);
        let (mentions, opaque) = self.names.find(text, &folded);
        if mentions.is_empty() {
            return Vec::new();
        }
        let (masked, mentions) = mask(&folded, mentions, &opaque);
        let hits = self.phrases.find(&masked.text, self.language(post));
        let verdicts = judge(&masked.text, mentions, hits, &self.joiners);
        verdicts.into_iter().filter_map(|verdict| self.reading(text, &masked, verdict, None)).collect()
    }

    /// An account speaks for its service; else for the services that it names.
    fn official(&self, text: &str, post: &Post, speaks_for: Option<usize>) -> Vec<Reading> {
        let folded = Folded::new(text);
        let (mentions, opaque) = self.names.find(text, &folded);
        let (masked, mentions) = mask(&folded, mentions, &opaque);
        let mut hits = self.phrases.find(&masked.text, self.language(post));
        hits.retain(|hit| !matches!(hit.sense, Sense::Says(_)));
        let hits = strongest(hits);
        let says = |stage| hits.iter().any(|hit| hit.sense == Sense::Stage(stage));
        let stage = match (says(Stage::Resolved), says(Stage::Acknowledged)) {
            (true, _) => Stage::Resolved,
            (false, true) => Stage::Acknowledged,
            (false, false) => return Vec::new(),
        };
        let speaks_for = speaks_for.or_else(|| self.named_by(&post.author));
        let named = || mentions.iter().filter(|mention| mention.sure).map(|mention| mention.service);
        let services: BTreeSet<usize> = speaks_for.map_or_else(|| named().collect(), |service| [service].into());
        let told = |hit: &&Hit| {
            matches!(hit.sense, Sense::Fails(_) | Sense::Part(_) | Sense::PartOf(..) | Sense::On(_))
                || hit.sense == Sense::Stage(stage)
        };
        let verdicts = services.into_iter().map(|service| Verdict {
            service,
            kind: Kind::Official,
            mentions: mentions.iter().filter(|mention| mention.service == service).cloned().collect(),
            hits: hits.iter().filter(told).cloned().collect(),
        });
        verdicts.filter_map(|verdict| self.reading(text, &masked, verdict, Some(stage))).collect()
    }

    /// The service that an account's name begins with: `tiktoksupport`.
    fn named_by(&self, author: &str) -> Option<usize> {
        let author = Folded::text_of(author);
        let begins = |tag: &String| author.trim_start_matches('@').starts_with(tag.as_str());
        let length = |tags: BTreeSet<String>| tags.into_iter().filter(&begins).map(|tag| tag.len()).max();
        let services = self.catalogue.services().iter().enumerate();
        services.filter_map(|(place, service)| Some((length(service.tags())?, place))).max().map(|(_, place)| place)
    }

    fn reading(&self, text: &str, masked: &Folded, verdict: Verdict, stage: Option<Stage>) -> Option<Reading> {
        let service = self.catalogue.services().get(verdict.service)?;
        let mut symptoms = BTreeSet::new();
        let mut surfaces: BTreeSet<Surface> = BTreeSet::new();
        let mut why: Vec<Span> = Vec::new();
        let span = |range: Range<usize>, means: String| {
            let (start, end) = masked.origin(range);
            let (start, end) = (start as usize, end as usize);
            text.get(start..end).map(|part| Span { text: part.to_owned(), start, end, means })
        };
        why.extend(
            verdict.mentions.iter().filter_map(|mention| span(mention.range.clone(), names(mention, &service.name))),
        );
        for hit in verdict.hits {
            match hit.sense {
                Sense::PartOf(other, _) if other != verdict.service => continue,
                Sense::Fails(symptom) | Sense::Part(symptom) | Sense::PartOf(_, symptom) => {
                    symptoms.insert(symptom);
                }
                Sense::On(surface) => {
                    surfaces.insert(surface);
                }
                _ => {}
            }
            why.extend(span(hit.range, hit.sense.means()));
        }
        why.sort_by(|a, b| (a.start, a.end, &a.means).cmp(&(b.start, b.end, &b.means)));
        why.dedup();
        let symptoms: Vec<Symptom> = symptoms.into_iter().collect();
        let surfaces = surfaces.into_iter().collect();
        Some(Reading { service: service.id.clone(), kind: verdict.kind, symptoms, surfaces, stage, why })
    }
}

fn names(mention: &Mention, name: &str) -> String {
    if mention.down_tag { format!("a hashtag that says that {name} is down") } else { format!("names {name}") }
}
