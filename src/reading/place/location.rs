//! The author's own words on where they are: `she/her | Toronto`, `Paris, TX`, `somewhere in Texas`.

use super::fold::{Gap, Token, is_spaceless, tokens};
use super::names::{Cue, Name, code_at, demonym_at, goes_on, is_known, name_at, name_of};
use super::resolve::resolve;
use super::table::Candidate;
use crate::region::Region;

/// The share of authors who are where their location text says.
const TRUST: f64 = 0.9;

/// No profile names more places than this and still says where the author is.
const MOST_NAMES: usize = 12;

/// A location text is a line; what goes on longer is prose.
const LONGEST: usize = 300;

/// The region that a location text names, and the probability that it is right.
pub(super) fn read(text: &str) -> Option<(Region, f64)> {
    let end = (0..=text.len().min(LONGEST)).rev().find(|end| text.is_char_boundary(*end))?;
    let tokens = tokens(&text[..end]);
    let mut found = Found { tokens: &tokens, names: Vec::new(), nations: Vec::new() };
    let mut start = 0;
    while start < tokens.len() {
        let end = phrase_end(&tokens, start);
        found.read_phrase(start, end);
        start = end;
    }
    found.resolve().map(|(region, sure)| (region, sure * TRUST))
}

/// The end of the phrase that starts at a token.
fn phrase_end(tokens: &[Token], start: usize) -> usize {
    let next = tokens.iter().skip(start + 1).position(|token| matches!(token.gap, Gap::Hard | Gap::Comma));
    next.map_or(tokens.len(), |offset| start + 1 + offset)
}

/// What a word of a location text is.
enum Word {
    Place(Name),
    /// A flag or a nation: said of oneself as often as of a place.
    Nation(Name),
    /// `in`, `the`, `north`: stands beside places.
    Joining,
    /// Belongs to no place.
    Strange,
}

/// What a location text names.
struct Found<'a> {
    tokens: &'a [Token<'a>],
    names: Vec<Name>,
    nations: Vec<Name>,
}

impl Found<'_> {
    fn read_phrase(&mut self, start: usize, end: usize) {
        let (known_names, known_nations) = (self.names.len(), self.nations.len());
        let mut strange = false;
        let mut at = start;
        while at < end {
            match self.word(at, start, end) {
                Word::Place(name) => {
                    at = name.end;
                    self.names.push(name);
                    continue;
                }
                Word::Nation(name) => {
                    at = name.end;
                    self.nations.push(name);
                    continue;
                }
                Word::Joining => {}
                Word::Strange => strange = true,
            }
            at += 1;
        }
        if strange {
            self.nations.truncate(known_nations);
            let of_phrase = self.names.split_off(known_names);
            self.names.extend(of_phrase.into_iter().filter(|name| stands_out(self.tokens, start, name)));
        }
    }

    /// The word at a token of the phrase `start..end`.
    fn word(&self, at: usize, start: usize, end: usize) -> Word {
        let tokens = self.tokens;
        let Some(token) = tokens.get(at) else { return Word::Strange };
        if let Some(flag) = token.flag {
            let meaning = vec![Candidate { region: flag, weight: 1.0 }];
            return if is_known(flag) { Word::Nation(Name::new(at, at + 1, meaning)) } else { Word::Joining };
        }
        let last = at + 1 == end;
        let alone = last && at == start;
        let joining = Cue::of(token).is_some() && !is_shouted(token);
        if let Some(name) = name_at(tokens, at).filter(|name| alone || !joining || name.end > at + 1) {
            return Word::Place(name);
        }
        // A code is written in capitals, or is the last word after a place.
        let follows = last && !self.names.is_empty();
        if let Some(code) = code_at(tokens, at).filter(|_| is_shouted(token) || follows) {
            return Word::Place(code);
        }
        if let Some(nation) = demonym_at(tokens, at) {
            return Word::Nation(nation);
        }
        if let Some(name) = spaceless_name(tokens, at) {
            return Word::Place(name);
        }
        if joining { Word::Joining } else { Word::Strange }
    }

    fn resolve(&self) -> Option<(Region, f64)> {
        let meanings = |names: &[Name]| -> Vec<Vec<Candidate>> {
            names.iter().take(MOST_NAMES).map(|name| name.candidates.clone()).collect()
        };
        let names = self.region_of_namesake().map_or_else(|| meanings(&self.names), |region| vec![region]);
        let nations = meanings(&self.nations);
        if self.names.iter().all(Name::mostly_word) {
            return resolve(&nations);
        }
        if let Some(place) = resolve(&names) {
            return Some(place);
        }
        // A flag beside a name that means several places chooses among them, but never speaks against it.
        let both: Vec<_> = names.iter().chain(&nations).cloned().collect();
        let place = resolve(&both).filter(|_| !nations.is_empty())?;
        let meant = |name: &Vec<Candidate>| name.iter().any(|candidate| place.0.contains(candidate.region));
        names.iter().all(meant).then_some(place)
    }

    /// What the region means in `Scarborough, Ontario`, where the tables know towns of that name elsewhere only.
    fn region_of_namesake(&self) -> Option<Vec<Candidate>> {
        let [town, region] = self.names.as_slice() else { return None };
        let follows = self.tokens.get(region.start)?.gap == Gap::Comma && town.end == region.start;
        let wide = region.wide || code_at(self.tokens, region.start).is_some();
        let has = |place: &Candidate| region.candidates.iter().any(|region| region.region.contains(place.region));
        if !follows || !wide || town.wide || town.candidates.iter().any(has) {
            return None;
        }
        Some(region.candidates.iter().map(|region| Candidate { weight: region.weight.max(1.0), ..*region }).collect())
    }
}

fn is_shouted(token: &Token) -> bool {
    token.is_upper() && token.raw.chars().any(char::is_uppercase) && token.raw.len() > 1
}

/// Whether a name among other words is where the author is: a preposition leads to it, and no further name follows it
/// (`in Paris Hilton's closet`).
fn stands_out(tokens: &[Token], start: usize, name: &Name) -> bool {
    let before = tokens.get(start..name.start).unwrap_or_default();
    let cue = before.iter().rev().map(Cue::of).find(|cue| !cue.filler() || cue.before() || cue.before_name());
    cue.is_some_and(|cue| cue.before() || cue.before_name()) && !goes_on(tokens, name)
}

/// The first name inside a run of a script without spaces, the longest where several start together.
fn spaceless_name(tokens: &[Token], at: usize) -> Option<Name> {
    let key = tokens.get(at)?.key.as_str();
    if !key.starts_with(is_spaceless) {
        return None;
    }
    let bounds: Vec<usize> = key.char_indices().map(|(at, _)| at).chain([key.len()]).collect();
    for (index, start) in bounds.iter().enumerate() {
        for end in bounds.iter().skip(index + 2).take(11).rev() {
            if let Some(found) = key.get(*start..*end).and_then(name_of) {
                return Some(found.spanning(at, at + 1));
            }
        }
    }
    None
}
