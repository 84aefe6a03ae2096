//! Names of places in a row of words.

use super::fold::{Gap, Token};
use super::table::{Candidate, Table, candidates};
use crate::region::Region;

pub(super) static REGIONS: Table = Table::new(include_str!("../../../data/places/regions.tsv"));
pub(super) static LANGUAGES: Table = Table::new(include_str!("../../../data/places/languages.tsv"));
static ALIASES: Table = Table::new(include_str!("../../../data/places/aliases.tsv"));
static NAMES: Table = Table::new(include_str!("../../../data/places/names.tsv"));
static CITIES: Table = Table::new(include_str!("../../../data/places/cities.tsv"));
static DEMONYMS: Table = Table::new(include_str!("../../../data/places/demonyms.tsv"));
static ORDINARY: Table = Table::new(include_str!("../../../data/places/ordinary.tsv"));
static CUES: Table = Table::new(include_str!("../../../data/places/cues.tsv"));

/// A name has at most so many words.
const LONGEST: usize = 6;

/// The weight from which a city is taken in small letters, or at the end of a hashtag: some 300 000 people.
const LARGE: f64 = 5_000.0;

/// A name of a place in a text.
#[derive(Clone, Debug)]
pub(super) struct Name {
    /// The tokens that it spans.
    pub start: usize,
    pub end: usize,
    pub candidates: Vec<Candidate>,
    /// A country or a part, more than a city.
    pub wide: bool,
    /// A country, a part, or a city that many know.
    pub large: bool,
    /// What else the name is in everyday language: its row of data/places/ordinary.tsv.
    ordinary: &'static str,
}

impl Name {
    /// A name that is neither a city nor a word of everyday language.
    pub fn new(start: usize, end: usize, candidates: Vec<Candidate>) -> Name {
        Name { start, end, candidates, wide: true, large: true, ordinary: "" }
    }

    /// The same name over other tokens.
    pub fn spanning(self, start: usize, end: usize) -> Name {
        Name { start, end, ..self }
    }

    /// Also a word, in small letters: `turkey`.
    pub fn also_word(&self) -> bool {
        self.is_also("lower") || self.mostly_word()
    }

    /// Also a person's first name: `Jordan`.
    pub fn also_person(&self) -> bool {
        self.is_also("given")
    }

    /// So much a word that it is a place only beside another name: `Orange`.
    pub fn mostly_word(&self) -> bool {
        self.is_also("always")
    }

    fn is_also(&self, class: &str) -> bool {
        self.ordinary.split(' ').any(|own| own == class)
    }
}

/// What a word tells of the word beside it, by the column of data/places/cues.tsv.
#[derive(Clone, Copy)]
pub(super) struct Cue(&'static str);

impl Cue {
    pub fn of(token: &Token) -> Cue {
        Cue(if token.key.is_empty() { "" } else { CUES.get(&token.key).unwrap_or_default() })
    }

    /// `in`: a place follows, however it is written.
    pub fn before(self) -> bool {
        self.is("before")
    }

    /// `from`: a place follows if it is written as a name.
    pub fn before_name(self) -> bool {
        self.is("before-name")
    }

    /// `here`, `users`: the place before it is where the author is.
    pub fn after(self) -> bool {
        self.is("after")
    }

    /// `folks`, `users`: the name before it is a place, not a person, however it is written.
    pub fn people(self) -> bool {
        self.is("people")
    }

    /// `the`, `north`, `based`: may stand between a preposition and a place, and beside a place.
    pub fn filler(self) -> bool {
        self.is("filler")
    }

    /// Whether the word has any of these roles.
    pub fn is_some(self) -> bool {
        !self.0.is_empty()
    }

    fn is(self, role: &str) -> bool {
        self.0.split(' ').any(|own| own == role)
    }
}

/// What a key means in the tables.
struct Meaning {
    candidates: Vec<Candidate>,
    wide: bool,
    large: bool,
    ordinary: &'static str,
}

fn meaning(alias: Option<&'static str>, name: Option<&'static str>, city: Option<&'static str>, key: &str) -> Meaning {
    let ordinary = ORDINARY.get(key).unwrap_or_default();
    if let Some(alias) = alias {
        return Meaning { candidates: candidates(alias).collect(), wide: false, large: true, ordinary };
    }
    let heaviest = |value: Option<&'static str>| {
        value.into_iter().flat_map(candidates).map(|candidate| candidate.weight).fold(0.0, f64::max)
    };
    let wide = name.is_some() && heaviest(name) >= heaviest(city);
    let mut all: Vec<Candidate> = [name, city].into_iter().flatten().flat_map(candidates).collect();
    let large = name.is_some() || all.iter().any(|candidate| candidate.weight >= LARGE);
    if ordinary == "always" {
        for candidate in &mut all {
            candidate.weight = 0.0;
        }
    }
    Meaning { candidates: all, wide, large, ordinary }
}

/// The longest name that starts at a token.
pub(super) fn name_at(tokens: &[Token], start: usize) -> Option<Name> {
    let first = tokens.get(start)?;
    if first.key.is_empty() || first.hashtag {
        return None;
    }
    let mut key = String::new();
    let mut longest = None;
    for (offset, token) in tokens[start..].iter().take(LONGEST).enumerate() {
        match token.gap {
            _ if offset == 0 => {}
            Gap::Hard | Gap::Comma => break,
            Gap::Soft if token.hashtag => break,
            Gap::Soft => key.push(' '),
            Gap::Apostrophe => {}
        }
        key.push_str(&token.key);
        let (alias, name, city) = (ALIASES.find(&key), NAMES.find(&key), CITIES.find(&key));
        if alias.value.or(name.value).or(city.value).is_some() {
            longest = Some((start + offset + 1, meaning(alias.value, name.value, city.value, &key)));
        }
        if !(alias.longer || name.longer || city.longer) {
            break;
        }
    }
    let (end, found) = longest?;
    Some(found.into_name(start, end))
}

impl Meaning {
    fn into_name(self, start: usize, end: usize) -> Name {
        let Meaning { candidates, wide, large, ordinary } = self;
        Name { start, end, candidates, wide, large, ordinary }
    }
}

/// A name by its key alone.
pub(super) fn name_of(key: &str) -> Option<Name> {
    let (alias, name, city) = (ALIASES.get(key), NAMES.get(key), CITIES.get(key));
    alias.or(name).or(city)?;
    Some(meaning(alias, name, city, key).into_name(0, 1))
}

/// A nation's word for its people: `Canadian`.
pub(super) fn demonym_at(tokens: &[Token], start: usize) -> Option<Name> {
    let token = tokens.get(start)?;
    let pair = tokens.get(start + 1).filter(|next| next.gap == Gap::Soft);
    let pair = pair.and_then(|next| DEMONYMS.get(&format!("{} {}", token.key, next.key)));
    let (length, value) = match pair {
        Some(value) => (2, value),
        None => (1, DEMONYMS.get(&token.key)?),
    };
    Some(Name::new(start, start + length, candidates(value).collect()))
}

/// The regions that a code of two or three letters may mean: `ON` is Ontario, `CA` is California or Canada. They
/// weigh nothing: only a name beside it makes a code count.
pub(super) fn code_at(tokens: &[Token], start: usize) -> Option<Name> {
    let code = tokens.get(start)?.key.to_ascii_uppercase();
    if !(2..=3).contains(&code.len()) || !code.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let regions = REGIONS.lines().filter(|(region, _)| *region == code || region.get(3..) == Some(&code));
    let candidates: Vec<Candidate> = regions
        .filter_map(|(region, _)| Some(Candidate { region: region.parse::<Region>().ok()?, weight: 0.0 }))
        .collect();
    (!candidates.is_empty()).then(|| Name::new(start, start + 1, candidates))
}

/// Whether a capitalised word that is no place follows directly, so that the name may be a person's or a team's. A
/// country's name seldom is.
pub(super) fn goes_on(tokens: &[Token], name: &Name) -> bool {
    if name.wide && !name.also_person() {
        return false;
    }
    let Some(next) = tokens.get(name.end).filter(|next| next.gap == Gap::Soft && next.flag.is_none()) else {
        return false;
    };
    let small = next.raw.chars().next().is_some_and(|first| !first.is_uppercase());
    let word = next.is_upper() || small || next.service || Cue::of(next).is_some();
    !word && name_at(tokens, name.end).is_none()
}

/// Whether posts can be counted in the region.
pub(super) fn is_known(region: Region) -> bool {
    region == Region::WORLD || REGIONS.get(region.as_str()).is_some()
}

#[cfg(test)]
mod tests {
    use super::super::fold::fold;
    use super::*;

    const TABLES: [(&str, &Table); 8] = [
        ("regions", &REGIONS),
        ("languages", &LANGUAGES),
        ("aliases", &ALIASES),
        ("names", &NAMES),
        ("cities", &CITIES),
        ("demonyms", &DEMONYMS),
        ("ordinary", &ORDINARY),
        ("cues", &CUES),
    ];

    #[test]
    fn tables_are_sorted_without_doubles() {
        for (table, lines) in TABLES {
            let keys: Vec<&str> = lines.lines().map(|(key, _)| key).collect();
            assert!(!keys.is_empty(), "{table}");
            for pair in keys.windows(2) {
                assert!(pair[0].as_bytes() < pair[1].as_bytes(), "{table}: {} before {}", pair[0], pair[1]);
            }
        }
    }

    #[test]
    fn keys_are_folded_as_texts_are() {
        for (table, lines) in TABLES.into_iter().skip(2) {
            for (key, _) in lines.lines() {
                assert_eq!(fold(key), key, "{table}");
            }
        }
    }

    #[test]
    fn every_candidate_is_a_known_region() {
        for (table, lines) in [("aliases", &ALIASES), ("names", &NAMES), ("cities", &CITIES), ("demonyms", &DEMONYMS)] {
            for (key, value) in lines.lines() {
                let cells = value.split(' ').count();
                let read: Vec<Candidate> = candidates(value).collect();
                assert_eq!(read.len(), cells, "{table}: {key}");
                for candidate in read {
                    assert!(REGIONS.get(candidate.region.as_str()).is_some(), "{table}: {key}: {}", candidate.region);
                }
            }
        }
    }

    #[test]
    fn every_large_city_lies_where_it_should() {
        for (key, region) in [
            ("toronto", "CA-ON"),
            ("mumbai", "IN-MH"),
            ("guadalajara", "MX-JAL"),
            ("belo horizonte", "BR-MG"),
            ("brisbane", "AU-QLD"),
            ("munich", "DE-BY"),
            ("belfast", "GB-NIR"),
            ("houston", "US-TX"),
            ("osaka", "JP"),
        ] {
            let heaviest = name_of(key).unwrap().candidates.into_iter().max_by(|a, b| a.weight.total_cmp(&b.weight));
            assert_eq!(heaviest.unwrap().region.as_str(), region, "{key}");
        }
    }
}
