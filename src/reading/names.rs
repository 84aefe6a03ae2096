//! Which services a text names, and where.

use super::catalogue::Catalogue;
use super::fold::{Folded, is_boundary, is_word};
use super::lexicon::Lexicon;
use super::phrases::{OPAQUE_SIGN, SERVICE_SIGN};
use super::place::Places;
use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError, Match};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use unicode_normalization::char::{decompose_canonical, is_combining_mark};

/// A post with more hashtags than this, and with more of them than of other words, is spam.
const MOST_TAGS: usize = 5;
/// So many names of a text are read: what names more is a list, and each is held against all phrases.
const MOST_MENTIONS: usize = 64;
/// A name shorter than this, in characters, takes no ending.
const SHORTEST_WITH_ENDING: usize = 4;
/// How much may follow a down-hashtag, in bytes: `#tiktokdown2021`, `#instagramdownaustralia`.
const LONGEST_TAIL: usize = 24;

/// How a text of the automaton names a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    /// Counts wherever it stands.
    Name,
    /// Counts where its surroundings show that the service is meant.
    Word,
    /// As `Word`, and only with a capital.
    Capital,
    /// Counts in a hashtag only.
    Tag,
    /// Counts after `@` only.
    Account,
    /// Holds a name and is something else: hides the name.
    Other,
}

/// One service's use of a text of the automaton.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Use {
    /// The service's place in the catalogue.
    service: usize,
    form: Form,
    /// Whether the catalogue writes it with accents.
    accented: bool,
}

/// Whether a name's capitals matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// They do not.
    Any,
    /// An ordinary word, to be believed with a capital; it has one.
    Capital,
    /// Such a word in small letters: it counts beside a word of its field only.
    Small,
}

/// A service named in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// The service's place in the catalogue.
    pub service: usize,
    /// Bytes of the text that was searched.
    pub range: Range<usize>,
    /// Whether the name alone shows that the service is meant.
    pub sure: bool,
    pub case: Case,
    /// Whether it is a hashtag that says that the service is down.
    pub down_tag: bool,
    /// Whether it only holds a name: 'X Window System'.
    other: bool,
}

/// All names of all services, ready to be looked for.
pub struct Names {
    automaton: AhoCorasick,
    /// For each text of the automaton, whose it is and as what.
    uses: Vec<Vec<Use>>,
    endings: HashSet<String>,
    beginnings: HashSet<String>,
    /// What stands before and after the name in a down-hashtag.
    templates: HashSet<(String, String)>,
    accounts: HashMap<(String, String), usize>,
}

impl Names {
    pub fn new(catalogue: &Catalogue, lexicons: &[Lexicon]) -> Result<Names, BuildError> {
        let mut texts: BTreeMap<String, Vec<Use>> = BTreeMap::new();
        let mut accounts = HashMap::new();
        for (service, entry) in catalogue.services().iter().enumerate() {
            let mut add = |written: &str, form| {
                let uses = texts.entry(Folded::text_of(written)).or_default();
                let own = Use { service, form, accented: is_accented(written) };
                if !uses.contains(&own) {
                    uses.push(own);
                }
            };
            let forms = [
                (&entry.names, Form::Name),
                (&entry.words, Form::Word),
                (&entry.capitals, Form::Capital),
                (&entry.not, Form::Other),
            ];
            for (words, form) in forms {
                for word in words {
                    add(&word.text, form);
                }
            }
            for tag in entry.tags() {
                add(&tag, Form::Tag);
            }
            for (network, words) in &entry.accounts {
                for word in words {
                    add(&word.text, Form::Account);
                    accounts.insert((network.clone(), Folded::text_of(&word.text)), service);
                }
            }
        }
        texts.remove("");
        let automaton = AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).build(texts.keys())?;
        let folded = |words: &[super::problem::Word]| -> HashSet<String> {
            words.iter().map(|word| Folded::text_of(&word.text)).collect()
        };
        Ok(Names {
            automaton,
            uses: texts.into_values().collect(),
            endings: lexicons.iter().flat_map(|lexicon| folded(&lexicon.endings)).collect(),
            beginnings: lexicons.iter().flat_map(|lexicon| folded(&lexicon.beginnings)).collect(),
            templates: lexicons
                .iter()
                .flat_map(|lexicon| folded(&lexicon.hashtags))
                .filter_map(|text| template(&text))
                .collect(),
            accounts,
        })
    }

    pub fn automaton_bytes(&self) -> usize {
        self.automaton.memory_usage()
    }

    /// The service that an account speaks for, by its network and name.
    pub fn account(&self, network: &str, author: &str) -> Option<usize> {
        let author = Folded::text_of(author.trim_start_matches('@'));
        self.accounts.get(&(network.to_owned(), author)).copied()
    }

    /// Whether a folded text may name a service: a cheap first look that misses none.
    pub fn any(&self, folded: &str) -> bool {
        self.automaton.find_overlapping_iter(folded).any(|found| {
            let word_start = found.start() - word_before(folded, found.start()).len();
            self.bounded(folded, &found) || folded.get(..word_start).is_some_and(|before| before.ends_with('#'))
        })
    }

    /// Every service that a text names, in its order; of names within names the longest.
    pub fn find(&self, original: &str, folded: &Folded) -> (Vec<Mention>, Vec<Range<usize>>) {
        let text = folded.text.as_str();
        let specials = specials(text);
        let mut mentions = Vec::new();
        for found in self.automaton.find_overlapping_iter(text) {
            let after = specials.partition_point(|special| special.range.start <= found.start());
            let special = after.checked_sub(1).and_then(|place| specials.get(place));
            let special = special.filter(|special| found.start() < special.range.end);
            let (start, end) = folded.origin(found.range());
            let written = original.get(start as usize..end as usize).unwrap_or_default();
            for &Use { service, form, accented } in self.uses.get(found.pattern().as_usize()).into_iter().flatten() {
                // 'über' is not Uber.
                if !accented && is_accented(written) {
                    continue;
                }
                let mention = match special {
                    Some(special) => self.in_special(text, special, &found, form),
                    None => self.in_words(text, &found, form),
                };
                if let Some(mention) = mention {
                    let small = form == Form::Capital && !mention.sure && !written.starts_with(char::is_uppercase);
                    let case = match (small, form) {
                        (true, _) => Case::Small,
                        (false, Form::Capital) => Case::Capital,
                        (false, _) => Case::Any,
                    };
                    mentions.push(Mention { service, case, ..mention });
                }
            }
        }
        // In small letters 'no signal' names nothing beside a service that is named for sure.
        if mentions.iter().any(|mention| mention.case != Case::Small && !mention.other) {
            mentions.retain(|mention| mention.case != Case::Small);
        }
        let mut mentions = longest(mentions);
        mentions.retain(|mention| !mention.other);
        mentions.truncate(MOST_MENTIONS);
        (mentions, specials.into_iter().filter(|special| special.kind != Kind::Hashtag).map(|s| s.range).collect())
    }

    fn in_words(&self, text: &str, found: &Match, form: Form) -> Option<Mention> {
        if matches!(form, Form::Tag | Form::Account) || !self.bounded(text, found) {
            return None;
        }
        let start = found.start() - word_before(text, found.start()).len();
        let end = found.end() + word_after(text, found.end()).len();
        let range = if is_whole(text, found) { found.start()..self.possessive(text, found.end()) } else { start..end };
        let other = form == Form::Other;
        Some(Mention { service: 0, range, sure: form == Form::Name || other, case: Case::Any, down_tag: false, other })
    }

    /// Where a name with an ending after an apostrophe ends: 'TikTok's', 'Instagram'da'.
    fn possessive(&self, text: &str, end: usize) -> usize {
        let after = if text.get(end..).is_some_and(|rest| rest.starts_with('\'')) { end + 1 } else { return end };
        let ending = word_after(text, after);
        if self.endings.contains(ending) { after + ending.len() } else { end }
    }

    fn in_special(&self, text: &str, special: &Special, found: &Match, form: Form) -> Option<Mention> {
        let body = special.range.start + 1..special.range.end;
        let before = text.get(body.start..found.start())?;
        let after = text.get(found.end()..body.end)?;
        let whole = before.is_empty() && after.is_empty();
        let sure = match special.kind {
            Kind::Link => return None,
            Kind::Account => whole && matches!(form, Form::Account | Form::Name),
            Kind::Hashtag => whole && form == Form::Name,
        };
        let down_tag = special.kind == Kind::Hashtag && form == Form::Tag && self.is_down_tag(before, after);
        let word = special.kind == Kind::Hashtag && whole && matches!(form, Form::Word | Form::Capital | Form::Tag);
        (sure || down_tag || word).then(|| Mention {
            service: 0,
            range: special.range.clone(),
            sure: sure || down_tag,
            case: Case::Any,
            down_tag,
            other: false,
        })
    }

    fn is_down_tag(&self, before: &str, after: &str) -> bool {
        let cuts = (0..=LONGEST_TAIL.min(after.len())).filter_map(|tail| after.split_at_checked(after.len() - tail));
        let dated = |tail: &str| tail.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
        cuts.into_iter().any(|(down, tail)| {
            self.templates.contains(&(before.to_owned(), down.to_owned()))
                && (dated(tail) || Places::embedded().ends_tag(tail))
        })
    }

    /// Whether a name is found as a word of its own, if with an ending or a beginning that may hang on it.
    fn bounded(&self, text: &str, found: &Match) -> bool {
        if is_whole(text, found) {
            return true;
        }
        let name = text.get(found.range()).unwrap_or_default();
        let before = word_before(text, found.start());
        let after = word_after(text, found.end());
        name.chars().count() >= SHORTEST_WITH_ENDING
            && (before.is_empty() || self.beginnings.contains(before))
            && (after.is_empty() || self.endings.contains(after))
    }
}

/// Whether a text is little else than hashtags: spam that borrows the names of what people look for.
pub fn is_stuffed(folded: &str) -> bool {
    let words = || folded.split_whitespace();
    let tags = words().filter(|word| word.starts_with('#')).map(|word| word.matches('#').count()).sum::<usize>();
    let others = words().filter(|word| word.starts_with(is_word)).count();
    tags > MOST_TAGS && tags > others
}

/// Whether a Latin letter has an accent. The dot of a Turkish capital is none: İnstagram.
fn is_accented(text: &str) -> bool {
    let accented = |ch: char| {
        let (mut letter, mut mark) = (false, false);
        decompose_canonical(ch, |part| {
            letter |= part.is_ascii_alphabetic();
            mark |= is_combining_mark(part);
        });
        letter && mark && ch != 'İ'
    };
    !text.is_ascii() && text.chars().any(accented)
}

fn is_whole(text: &str, found: &Match) -> bool {
    [found.start(), found.end()].into_iter().all(|at| match (text.get(..at), text.get(at..)) {
        (Some(before), Some(after)) => is_boundary(before.chars().next_back(), after.chars().next()),
        _ => false,
    })
}

fn template(text: &str) -> Option<(String, String)> {
    text.split_once("{s}").map(|(before, after)| (before.to_owned(), after.to_owned()))
}

/// The longest ending or beginning that is looked at, in bytes: no language needs more, and hostile text is long.
const LONGEST_AFFIX: usize = 24;

fn word_after(text: &str, at: usize) -> &str {
    let rest = text.get(at..).unwrap_or_default();
    let end = rest.char_indices().find(|(place, ch)| *place > LONGEST_AFFIX || !is_word(*ch));
    rest.get(..end.map_or(rest.len(), |(place, _)| place)).unwrap_or_default()
}

fn word_before(text: &str, at: usize) -> &str {
    let rest = text.get(..at).unwrap_or_default();
    let far = |place: usize| rest.len() - place > LONGEST_AFFIX;
    let start = rest.char_indices().rev().find(|(place, ch)| far(*place) || !is_word(*ch));
    rest.get(start.map_or(0, |(place, ch)| place + ch.len_utf8())..).unwrap_or_default()
}

/// Of overlapping mentions the longest, and of equals the surest; the same range may name two services.
fn longest(mut mentions: Vec<Mention>) -> Vec<Mention> {
    mentions.sort_by_key(|mention| {
        let (start, end) = (mention.range.start, std::cmp::Reverse(mention.range.end));
        (start, end, !mention.down_tag, !mention.other, !mention.sure, mention.service)
    });
    let mut kept: Vec<Mention> = Vec::new();
    for mention in mentions {
        match kept.last() {
            Some(last) if mention.range.start < last.range.end => {
                let equal = mention.range == last.range && mention.sure == last.sure && !last.other;
                if equal && mention.service != last.service {
                    kept.push(mention);
                }
            }
            _ => kept.push(mention),
        }
    }
    kept
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Hashtag,
    Account,
    Link,
}

/// A run of text with rules of its own.
#[derive(Debug)]
struct Special {
    range: Range<usize>,
    kind: Kind,
}

/// Hashtags, accounts, addresses and links, in their order, without overlap.
fn specials(text: &str) -> Vec<Special> {
    let mut specials: Vec<Special> = Vec::new();
    for (at, mark) in text.match_indices(['#', '@', ':', '.']) {
        let free = specials.last().map_or(0, |last| last.range.end);
        let Some(rest) = text.get(at..).filter(|_| at >= free) else { continue };
        let (kind, start, end) = match mark {
            "#" => (Kind::Hashtag, at, at + 1 + run(rest, is_word)),
            "@" => (Kind::Account, at, at + 1 + run(rest, |ch| is_word(ch) || matches!(ch, '.' | '-' | '@'))),
            ":" if rest.starts_with("://") => (Kind::Link, link_start(text, at, free), at + link_length(rest)),
            "." if text.get(free..at).is_some_and(|before| before.ends_with("www")) => {
                (Kind::Link, at - 3, at + link_length(rest))
            }
            _ => continue,
        };
        let body = text.get(start..end).unwrap_or_default();
        let end = start + if kind == Kind::Account { body.trim_end_matches(['.', '-', '@']).len() } else { body.len() };
        if end > start + 1 {
            specials.push(Special { range: start..end, kind });
        }
    }
    specials
}

/// How many bytes after a first mark belong to it.
fn run(rest: &str, belongs: impl Fn(char) -> bool) -> usize {
    let body = rest.get(1..).unwrap_or_default();
    body.find(|ch| !belongs(ch)).unwrap_or(body.len())
}

fn link_length(rest: &str) -> usize {
    rest.find(|ch: char| ch.is_whitespace() || !ch.is_ascii()).unwrap_or(rest.len())
}

fn link_start(text: &str, at: usize, free: usize) -> usize {
    let before = text.get(free..at).unwrap_or_default();
    at - before.bytes().rev().take_while(u8::is_ascii_alphabetic).count()
}

/// The text with one sign for each service and one for what is not read, and where the mentions stand in it.
pub fn mask(folded: &Folded, mut mentions: Vec<Mention>, opaque: &[Range<usize>]) -> (Folded, Vec<Mention>) {
    let mut masked = Folded::default();
    let mut done = 0;
    let mut opaque = opaque.iter().peekable();
    let mut last: Option<(Range<usize>, Range<usize>)> = None;
    for mention in &mut mentions {
        if let Some((from, to)) = &last
            && *from == mention.range
        {
            mention.range = to.clone();
            continue;
        }
        while let Some(range) = opaque.next_if(|range| range.start < mention.range.start) {
            cover(&mut masked, folded, &mut done, range, OPAQUE_SIGN);
        }
        let from = mention.range.clone();
        mention.range = cover(&mut masked, folded, &mut done, &from, SERVICE_SIGN);
        last = Some((from, mention.range.clone()));
    }
    for range in opaque {
        cover(&mut masked, folded, &mut done, range, OPAQUE_SIGN);
    }
    masked.push_part(folded, done..folded.text.len());
    (masked, mentions)
}

fn cover(masked: &mut Folded, folded: &Folded, done: &mut usize, range: &Range<usize>, sign: char) -> Range<usize> {
    if range.start < *done {
        return masked.text.len()..masked.text.len();
    }
    masked.push_part(folded, *done..range.start);
    let start = masked.text.len();
    masked.push_sign(sign, folded, range.clone());
    *done = range.end;
    start..masked.text.len()
}
