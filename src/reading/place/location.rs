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
    let mut found = Found::default();
    let mut start = 0;
    while start < tokens.len() {
        let end = segment_end(&tokens, start);
        found.read_segment(&tokens, start, end);
        start = end;
    }
    found.resolve().map(|(region, sure)| (region, sure * TRUST))
}

/// The end of the phrase that starts at a token.
fn segment_end(tokens: &[Token], start: usize) -> usize {
    let next = tokens.iter().skip(start + 1).position(|token| matches!(token.gap, Gap::Hard | Gap::Comma));
    next.map_or(tokens.len(), |offset| start + 1 + offset)
}

/// What the phrases of a location text name.
#[derive(Default)]
struct Found {
    names: Vec<Vec<Candidate>>,
    /// Flags and nations: said of oneself as often as of a place.
    nations: Vec<Vec<Candidate>>,
}

impl Found {
    fn read_segment(&mut self, tokens: &[Token], start: usize, end: usize) {
        let mut names: Vec<Name> = Vec::new();
        let mut nations: Vec<Name> = Vec::new();
        let mut strange = false; // a word that belongs to no place
        let mut at = start;
        while let Some(token) = tokens.get(at).filter(|_| at < end) {
            let cue = Cue::of(token);
            let joining = (cue.filler() || cue.before() || cue.before_name() || cue.after()) && !is_shouted(token);
            let name = name_at(tokens, at).filter(|name| !(joining && name.end == at + 1));
            let last = at + 1 == end;
            at += 1;
            if let Some(flag) = token.flag {
                self.nations.extend(is_known(flag).then(|| vec![Candidate { region: flag, weight: 1.0 }]));
            } else if let Some(name) = name.or_else(|| self.code(tokens, at - 1, last, &names)) {
                at = name.end;
                names.push(name);
            } else if let Some(nation) = demonym_at(tokens, at - 1) {
                at = nation.end;
                nations.push(nation);
            } else if let Some(name) = spaceless_name(token) {
                names.push(name);
            } else if !joining {
                strange = true;
            }
        }
        if strange {
            nations.clear();
            names.retain(|name| stands_out(tokens, start, name));
        }
        self.names.extend(names.into_iter().map(|name| name.candidates));
        self.nations.extend(nations.into_iter().map(|name| name.candidates));
    }

    /// A code in capitals, or the last word after a place.
    fn code(&self, tokens: &[Token], at: usize, last: bool, names: &[Name]) -> Option<Name> {
        let follows = last && !(self.names.is_empty() && names.is_empty());
        (is_shouted(tokens.get(at)?) || follows).then(|| code_at(tokens, at)).flatten()
    }

    fn resolve(mut self) -> Option<(Region, f64)> {
        self.names.truncate(MOST_NAMES);
        self.nations.truncate(MOST_NAMES);
        if let Some(place) = resolve(&self.names) {
            return Some(place);
        }
        if self.names.is_empty() {
            return resolve(&self.nations);
        }
        // A flag beside a name that means several places chooses among them, but never speaks against it.
        let both: Vec<_> = self.names.iter().chain(&self.nations).cloned().collect();
        let place = resolve(&both)?;
        let named = |name: &Vec<Candidate>| name.iter().any(|candidate| place.0.contains(candidate.region));
        (!self.nations.is_empty() && self.names.iter().all(named)).then_some(place)
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
fn spaceless_name(token: &Token) -> Option<Name> {
    if !token.key.starts_with(is_spaceless) {
        return None;
    }
    let bounds: Vec<usize> = token.key.char_indices().map(|(at, _)| at).chain([token.key.len()]).collect();
    for start in 0..bounds.len() {
        for length in (2..=12).rev() {
            let Some(end) = bounds.get(start + length) else { continue };
            if let Some(name) = token.key.get(bounds[start]..*end).and_then(name_of) {
                return Some(name);
            }
        }
    }
    None
}
