//! Phrases as data files write them, and what finds all of them in one pass.

use super::fold::{Folded, is_boundary};
use super::lexicon::Sense;
use super::texts::Texts;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Stands for a service's name in a masked text and in a phrase (there written `{s}`).
pub const SERVICE_SIGN: char = '\u{E000}';
/// Stands for what is not read: links, other people's handles.
pub const OPAQUE_SIGN: char = '\u{E001}';
/// The widest gap that `..` bridges, in characters.
const GAP: usize = 25;

/// How phrases are written, for hints.
pub const SYNTAX: &str = "words with single spaces; `{s}` is a service's name, ` .. ` a gap of a few words, `(a|b)` either of them, \
     a last `*` any ending, a first `~` counts only in texts of this language";

/// A piece of a masked text as a data file would write it.
pub fn written(text: &str) -> String {
    text.replace(SERVICE_SIGN, "{s}")
}

/// The most spellings that the alternatives of one run may make.
const MOST_SPELLINGS: usize = 1000;

/// A phrase as it is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// Found in this order, with a gap between.
    pub runs: Vec<Run>,
    /// Whether the text must be in the phrase's language.
    pub only_in_language: bool,
}

/// A run of text without a gap, in each of its spellings. They are many, so they lie in one piece.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// The spellings, folded, one after the other.
    texts: String,
    /// Where each ends in `texts`.
    spellings: Vec<(u32, Ending)>,
}

/// How a spelling ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Where a word does.
    Whole,
    /// Perhaps within a word.
    Open,
}

impl Pattern {
    /// # Errors
    /// What is wrong with the phrase, in words.
    pub fn parse(phrase: &str) -> Result<Pattern, &'static str> {
        let (only_in_language, phrase) = phrase.strip_prefix('~').map_or((false, phrase), |rest| (true, rest));
        let runs: Vec<Run> = phrase.split("..").map(Run::parse).collect::<Result<_, _>>()?;
        if runs.len() > usize::from(u8::MAX) {
            return Err("it has too many gaps");
        }
        Ok(Pattern { runs, only_in_language })
    }
}

impl Run {
    fn parse(text: &str) -> Result<Run, &'static str> {
        // Folded before it is multiplied.
        let text = Folded::text_of(&text.replace("{s}", SERVICE_SIGN.encode_utf8(&mut [0; 4])));
        let pieces = pieces(text.trim())?;
        let number: usize = pieces.iter().map(Vec::len).fold(1, usize::saturating_mul);
        if number > MOST_SPELLINGS {
            return Err("it has too many alternatives");
        }
        let mut run = Run::default();
        let mut text = String::new();
        for mut which in 0..number {
            text.clear();
            let mut combinations = number;
            for choices in &pieces {
                combinations /= choices.len();
                text.push_str(choices.get(which / combinations).copied().unwrap_or_default());
                which %= combinations;
            }
            run.add(&text)?;
        }
        Ok(run)
    }

    /// Adds one choice of alternatives in all the ways that people write it.
    fn add(&mut self, text: &str) -> Result<(), &'static str> {
        let text = text.trim();
        let (ending, text) = text.strip_suffix('*').map_or((Ending::Whole, text), |rest| (Ending::Open, rest));
        if text.contains('*') {
            return Err("`*` may only stand at the end of a part");
        }
        if text.contains(['|', '(', ')']) {
            return Err("`|` may only stand within `(` and `)`");
        }
        let text = text.trim();
        // A choice may bring spaces and letters together.
        let text = if is_run_together(text) { Cow::Owned(Folded::text_of(text)) } else { Cow::Borrowed(text) };
        if text.is_empty() {
            return Err("there is nothing to look for");
        }
        self.push([&*text], ending);
        if text.contains('\'') {
            // 'cant' is as common as 'can't', and some write it out.
            self.push(text.split('\''), ending);
            for text in &written_out(&text) {
                self.push([text.as_str()], ending);
            }
        }
        Ok(())
    }

    fn push<'a>(&mut self, pieces: impl IntoIterator<Item = &'a str>, ending: Ending) {
        self.texts.extend(pieces);
        self.spellings.push((self.texts.len() as u32, ending));
    }

    /// Each spelling.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.spellings().map(|(text, _)| text)
    }

    fn spellings(&self) -> impl Iterator<Item = (&str, Ending)> {
        let mut start = 0;
        self.spellings.iter().map(move |&(end, ending)| {
            let text = self.texts.get(start..end as usize).unwrap_or_default();
            start = end as usize;
            (text, ending)
        })
    }
}

/// A text with its English negations as whole words: `can't load` → `cannot load`, `can not load`.
fn written_out(text: &str) -> Vec<String> {
    if !text.contains("n't") {
        return Vec::new();
    }
    let with = |of_can: &str| {
        let words = text.split(' ').map(|word| match word.strip_suffix("n't") {
            Some("ca") => of_can.to_owned(),
            Some("wo") => "will not".to_owned(),
            Some(verb) => format!("{verb} not"),
            None => word.to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    };
    let mut made = vec![with("cannot"), with("can not")];
    made.dedup();
    made
}

/// What follows each other in a text, with the choices of each `(a|b)`.
fn pieces(text: &str) -> Result<Vec<Vec<&str>>, &'static str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('(') {
        let (choices, after) = after.split_once(')').ok_or("`(` without `)`")?;
        pieces.extend([vec![before], choices.split('|').collect()]);
        rest = after;
    }
    pieces.push(vec![rest]);
    Ok(pieces)
}

/// Whether a text may have two spaces or three of a letter in a row.
fn is_run_together(text: &str) -> bool {
    text.as_bytes().windows(2).any(|pair| pair[0] == pair[1] && pair[0].is_ascii())
}

fn bounded(text: &str, at: usize) -> bool {
    match (text.get(..at), text.get(at..)) {
        (Some(before), Some(after)) => is_boundary(before.chars().next_back(), after.chars().next()),
        _ => false,
    }
}

/// A phrase found in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    pub range: Range<usize>,
    /// The run after the last gap: all of it where there is none.
    pub last: Range<usize>,
    pub sense: Sense,
    /// Whether `{s}` is in what was found of it: not all of its spellings need have it.
    pub names_service: bool,
}

struct Phrase {
    sense: Sense,
    /// The place of the lexicon that it is from.
    lexicon: Option<usize>,
    runs: u8,
    only_in_language: bool,
}

/// One phrase's use of a text: as a spelling of which of its runs.
struct Use {
    phrase: u32,
    run: u8,
    ending: Ending,
}

/// A phrase that all runs of were found.
struct Found {
    phrase: usize,
    range: Range<usize>,
    last: Range<usize>,
    names_service: bool,
}

/// All phrases, ready to be looked for.
pub struct Phrases {
    texts: Texts<Use>,
    phrases: Vec<Phrase>,
}

impl Phrases {
    /// Each with what it says, and the place of the lexicon that it is from.
    pub fn new<'a>(patterns: impl IntoIterator<Item = (&'a Pattern, Sense, Option<usize>)>) -> Phrases {
        let mut phrases: Vec<Phrase> = Vec::new();
        let texts = patterns.into_iter().flat_map(|(pattern, sense, lexicon)| {
            let phrase = phrases.len() as u32;
            let &Pattern { ref runs, only_in_language } = pattern;
            phrases.push(Phrase { sense, lexicon, runs: runs.len() as u8, only_in_language });
            runs.iter().enumerate().flat_map(move |(place, run)| {
                let used = move |ending| Use { phrase, run: place as u8, ending };
                run.spellings().map(move |(text, ending)| (text, used(ending)))
            })
        });
        Phrases { texts: Texts::new(texts), phrases }
    }

    /// The memory that the texts take, in bytes.
    pub fn memory(&self) -> usize {
        self.texts.memory()
    }

    /// Every phrase in a masked text, by where it begins. `language` is the place of the lexicon that the post's
    /// own language tag names.
    pub fn find(&self, text: &str, language: Option<usize>) -> Vec<Hit> {
        let mut whole: Vec<Found> = Vec::new();
        let mut pieces: Vec<(usize, (usize, Range<usize>))> = Vec::new();
        // How many runs of each phrase were found one after the other. Hits come by where they begin, so a run whose
        // forerunner has not come yet has none.
        let mut begun = vec![0_u8; self.phrases.len()];
        for (range, uses) in self.texts.find(text, |start| bounded(text, start)) {
            let ends_word = bounded(text, range.end);
            for used in uses {
                let phrase = used.phrase as usize;
                let Some(begun) = begun.get_mut(phrase).filter(|begun| **begun >= used.run) else { continue };
                if used.ending == Ending::Whole && !ends_word {
                    continue;
                }
                if self.runs(phrase) == 1 {
                    let names_service = names(text, &range);
                    whole.push(Found { phrase, range: range.clone(), last: range.clone(), names_service });
                } else {
                    *begun = (*begun).max(used.run + 1);
                    pieces.push((phrase, (usize::from(used.run), range.clone())));
                }
            }
        }
        pieces.retain(|(phrase, _)| begun.get(*phrase).is_some_and(|begun| *begun == self.runs(*phrase)));
        pieces.sort_by_key(|(phrase, (run, range))| (*phrase, range.start, *run));
        for of_one in pieces.chunk_by(|one, next| one.0 == next.0) {
            let Some((phrase, _)) = of_one.first() else { continue };
            let pieces: Vec<(usize, Range<usize>)> = of_one.iter().map(|(_, piece)| piece.clone()).collect();
            let runs = usize::from(self.runs(*phrase));
            whole.extend((0..pieces.len()).filter_map(|first| chain(text, *phrase, &pieces, first, runs)));
        }
        self.in_language(whole, language)
    }

    fn runs(&self, phrase: usize) -> u8 {
        self.phrases.get(phrase).map_or(0, |phrase| phrase.runs)
    }

    fn in_language(&self, whole: Vec<Found>, language: Option<usize>) -> Vec<Hit> {
        // 'is' is a word of Dutch too: what shows the most of its words is the language.
        let mut shown: BTreeMap<Option<usize>, BTreeSet<usize>> = BTreeMap::new();
        for found in &whole {
            if let Some(phrase) = self.phrases.get(found.phrase).filter(|phrase| phrase.sense == Sense::Common) {
                shown.entry(phrase.lexicon).or_default().insert(found.phrase);
            }
        }
        let tagged = |lexicon: Option<usize>| usize::from(lexicon.is_some() && lexicon == language);
        let words = |lexicon: Option<usize>| shown.get(&lexicon).map_or(0, BTreeSet::len) + tagged(lexicon);
        let most = shown.keys().map(|lexicon| words(*lexicon)).max().unwrap_or(0);
        let believed = |lexicon: Option<usize>| lexicon == language || most > 0 && words(lexicon) == most;
        let mut hits: Vec<Hit> = whole
            .into_iter()
            .filter_map(|found| self.phrases.get(found.phrase).map(|phrase| (phrase, found)))
            .filter(|(phrase, _)| !phrase.only_in_language || believed(phrase.lexicon))
            .map(|(phrase, Found { range, last, names_service, .. })| Hit {
                range,
                last,
                sense: phrase.sense,
                names_service,
            })
            .collect();
        hits.sort_by_key(|hit| (hit.range.start, std::cmp::Reverse(hit.range.end), hit.sense, hit.names_service));
        hits.dedup();
        hits
    }
}

/// A phrase with gaps that begins with the piece `first`, if all its runs follow.
fn chain(text: &str, phrase: usize, pieces: &[(usize, Range<usize>)], first: usize, runs: usize) -> Option<Found> {
    let (0, start) = pieces.get(first)? else { return None };
    let mut last = start.clone();
    let mut names_service = names(text, start);
    let mut passes_service = false;
    for wanted in 1..runs {
        let end = last.end;
        let near = pieces.get(first..)?.iter().map_while(|piece| (piece.1.start <= end + 4 * GAP).then_some(piece));
        let (_, next) = near.filter(|(place, range)| *place == wanted && range.start >= end).take(1).next()?;
        let gap = text.get(end..next.start)?;
        if !bridges(gap) {
            return None;
        }
        passes_service |= gap.contains(SERVICE_SIGN);
        names_service |= names(text, next);
        last = next.clone();
    }
    // 'X is fine but Y is down' says of Y that it is down, not of X.
    let found = Found { phrase, range: start.start..last.end, last, names_service };
    (!(names_service && passes_service)).then_some(found)
}

/// Whether a service is named in a piece.
fn names(text: &str, piece: &Range<usize>) -> bool {
    text.get(piece.clone()).is_some_and(|piece| piece.contains(SERVICE_SIGN))
}

/// Whether a gap is short and within one sentence.
pub(super) fn bridges(gap: &str) -> bool {
    gap.chars().take(GAP + 1).count() <= GAP
        && !gap.contains(['\n', '!', '?', ';', '。', '؟', '।'])
        && !gap.contains(". ")
}

#[cfg(test)]
mod tests {
    use super::super::lexicon::Group;
    use super::*;

    fn found(phrases: &[&str], text: &str) -> Vec<String> {
        let patterns: Vec<Pattern> = phrases.iter().map(|phrase| Pattern::parse(phrase).unwrap()).collect();
        let phrases = Phrases::new(patterns.iter().map(|pattern| (pattern, Sense::Says(Group::Report), Some(0))));
        let text = Folded::text_of(&text.replace("{s}", SERVICE_SIGN.encode_utf8(&mut [0; 4])));
        let hits = phrases.find(&text, None);
        hits.into_iter().map(|hit| written(&text[hit.range])).collect()
    }

    #[test]
    fn phrases_are_words_with_gaps_and_endings() {
        assert_eq!(found(&["{s} is down"], "look, {s} IS down!"), ["{s} is down"]);
        assert!(found(&["down"], "download the countdown").is_empty());
        assert_eq!(found(&["can't .. log in"], "i cant even seem to log in"), ["cant even seem to log in"]);
        assert!(found(&["can't .. log in"], "i can't. you log in").is_empty());
        assert!(found(&["can't .. log in"], "i can't say that on most days of the week i log in").is_empty());
        assert_eq!(found(&["(won't|can't) .. (load|open up)"], "it wont ever open up"), ["wont ever open up"]);
        assert_eq!(found(&["çök*"], "instagram çöktü"), ["coktu"].map(|_| "cok"));
        assert_eq!(found(&["落ちて"], "ツイッター落ちてる"), ["落ちて"]);
    }

    #[test]
    fn what_cannot_be_looked_for_is_refused() {
        for phrase in ["", "  ", "~", "a .. ", "a*b c", "*", "a (b", "a|b", "(a|)", "a) b"] {
            assert!(Pattern::parse(phrase).is_err(), "{phrase}");
        }
    }

    #[test]
    fn a_phrase_names_a_service_where_what_was_found_of_it_does() {
        let pattern = Pattern::parse("(it|{s}) .. (works|does {s} justice) again").unwrap();
        let phrases = Phrases::new([(&pattern, Sense::Says(Group::Recovery), Some(0))]);
        let names = |text: &str| {
            let text = text.replace("{s}", SERVICE_SIGN.encode_utf8(&mut [0; 4]));
            phrases.find(&text, None).into_iter().map(|hit| hit.names_service).collect::<Vec<_>>()
        };
        assert_eq!(names("it now works again"), [false]);
        assert_eq!(names("{s} now works again"), [true]);
        assert_eq!(names("it now does {s} justice again"), [true]);
    }

    #[test]
    fn the_language_that_shows_most_is_believed() {
        let [off, is, the, het] = ["~off", "is", "the", "het"].map(|word| Pattern::parse(word).unwrap());
        let common = |word, language| (word, Sense::Common, Some(language));
        let words = [common(&is, 0), common(&the, 0), common(&is, 1), common(&het, 1)];
        let phrases = Phrases::new(words.into_iter().chain([(&off, Sense::Says(Group::Report), Some(1))]));
        let off = |text: &str, tag| phrases.find(text, tag).iter().any(|hit| hit.sense != Sense::Common);
        assert!(!off("the line is off", None));
        assert!(off("het is off", None));
        assert!(off("it is off", None));
        assert!(!off("it is off", Some(0)));
        assert!(off("the line is off", Some(1)));
    }

    #[test]
    fn a_marked_phrase_needs_its_language() {
        let (off, nao) = (Pattern::parse("~off").unwrap(), Pattern::parse("não").unwrap());
        let phrases = Phrases::new([(&off, Sense::Says(Group::Report), Some(3)), (&nao, Sense::Common, Some(3))]);
        assert!(phrases.find("off", Some(1)).is_empty());
        assert_eq!(phrases.find("off", Some(3)).len(), 1);
        assert_eq!(phrases.find("nao off", None).len(), 2);
    }
}
