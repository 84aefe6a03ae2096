//! The places that a post's own words say: after a preposition (`down in Mumbai`), before a word for those who are
//! there (`UK users`), between marks (`all out, Leeds.`), as a flag, or at the end of a hashtag (`#tiktokdownuk`).

use super::Services;
use super::fold::{Gap, Token, is_spaceless, tokens};
use super::names::{Cue, Name, code_at, demonym_at, goes_on, is_known, name_at, name_of};
use super::resolve::resolve;
use super::table::Candidate;
use crate::region::Region;
use std::ops::Range;

/// How often a place that is said so is where the author is.
const WORDS_TRUST: f64 = 0.85;
const FLAG_TRUST: f64 = 0.7;

/// Words such as `the` and `northern` that may stand between a preposition and its place.
const MOST_FILLERS: usize = 3;

/// A post that names more places than this speaks of the world.
const MOST_NAMES: usize = 12;

/// In a run of a script without spaces, the first cues are looked at.
const MOST_CUES: usize = 8;

/// How a hashtag says that something is down, before the place: `#tiktokdownindia`.
const TAG_WORDS: [&str; 4] = ["down", "caido", "caida", "caiu"];

/// After a place, in languages whose prepositions follow: Japanese and Chinese, and Korean on the same word.
const SPACELESS_AFTER: [&str; 18] = [
    "で",
    "だけど",
    "ですが",
    "住み",
    "在住",
    "民だ",
    "这边",
    "這邊",
    "这里",
    "這裡",
    "地区",
    "的兄弟",
    "的朋友",
    "的同学",
    "的小伙伴",
    "有冇人",
    "有没有人",
    "有沒有人",
];
const KOREAN_AFTER: [&str; 11] =
    ["에서", "에서도", "에서는", "에선", "인데", "인데요", "사는데", "임", "쪽", "이에요", "입니다"];
/// In Turkish, on the same word or after an apostrophe; the longer first.
const TURKISH_IN: [&str; 8] = ["dan", "den", "tan", "ten", "da", "de", "ta", "te"];
/// Before a place in Chinese and Thai, which leave no space.
const SPACELESS_BEFORE: [&str; 8] = ["在", "住", "坐标", "坐標", "ใน", "ที่", "อยู่", "แถว"];
/// Prepositions that keep their accent: without it they are words of other languages.
const ACCENTED_BEFORE: [&str; 2] = ["à", "ở"];
/// Prepositions that are believed in posts tagged as their language alone; a place after them may be in small letters.
const LANGUAGE_BEFORE: [(&str, &[&str]); 5] = [
    ("it", &["a", "ad"]),
    ("id", &["di", "se", "daerah", "area", "wilayah"]),
    ("tl", &["sa"]),
    ("de", &["ganz", "halb", "raum", "aus"]),
    ("pl", &["w", "we"]),
];
/// Prepositions that are believed whatever the tag says, before a place of the countries where they are spoken.
const HOME_BEFORE: [(&str, &[&str]); 2] = [("di", &["ID", "MY"]), ("sa", &["PH"])];
/// Whose place is not the author's: `my mate in Leeds`.
const OTHERS: [&str; 28] = [
    "friend",
    "friends",
    "mate",
    "mates",
    "buddy",
    "sister",
    "brother",
    "sis",
    "bro",
    "mum",
    "mom",
    "mother",
    "dad",
    "father",
    "parents",
    "family",
    "cousin",
    "cousins",
    "aunt",
    "uncle",
    "wife",
    "husband",
    "boyfriend",
    "girlfriend",
    "colleague",
    "colleagues",
    "daughter",
    "son",
];
/// What follows a place that is written in Latin letters, in posts tagged as its language.
const LANGUAGE_AFTER: [(&str, &[&str]); 1] = [("hi", &["me", "mein", "mai", "se"])];

/// What a post's words say of where its author is.
pub(super) struct Said {
    pub region: Region,
    /// The probability that the author is there.
    pub confidence: f64,
    /// The bytes of the text that say it.
    pub ranges: Vec<Range<usize>>,
}

/// Places that one cue leads to.
struct Found {
    /// What each name may mean.
    names: Vec<Vec<Candidate>>,
    /// The bytes that say it, the cue too.
    range: Range<usize>,
    /// Somebody else is there, not the author.
    of_another: bool,
}

/// The region that a post's words name. `lang` is the post's own language tag.
pub(super) fn read(text: &str, services: &Services, lang: Option<&str>) -> Option<Said> {
    let mut tokens = tokens(text);
    for token in &mut tokens {
        token.service = services.names.iter().any(|name| name.contains(&token.start));
    }
    let lang = lang.and_then(|tag| tag.split(['-', '_']).next()).unwrap_or_default();
    let mut found: Vec<Found> = Vec::new();
    let mut flags: Vec<Region> = Vec::new();
    let mut of_flags = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if let Some(flag) = token.flag {
            if is_known(flag) {
                flags.push(flag);
                of_flags.push(token.start..token.start + token.raw.len());
            }
            at += 1;
            continue;
        }
        let (places, end) = places_at(&tokens, at, lang);
        if !places.iter().all(Name::mostly_word) {
            let of_another = at.checked_sub(1).is_some_and(|before| OTHERS.contains(&tokens[before].key.as_str()));
            let last = tokens.get(end.saturating_sub(1)).unwrap_or(token);
            let range = token.start..last.start + last.raw.len();
            let names = places.into_iter().map(|name| name.candidates).collect();
            found.push(Found { names, range, of_another });
        }
        at = end;
        if found.iter().map(|found| found.names.len()).sum::<usize>() > MOST_NAMES {
            return None;
        }
    }
    if found.is_empty() {
        flags.dedup();
        let [region] = flags.as_slice() else { return None };
        return Some(Said { region: *region, confidence: FLAG_TRUST, ranges: of_flags });
    }
    if found.iter().any(|found| !found.of_another) {
        found.retain(|found| !found.of_another);
    }
    let ranges = found.iter().map(|found| found.range.clone()).collect();
    let mut names: Vec<Vec<Candidate>> = found.into_iter().flat_map(|found| found.names).collect();
    // Of the places of one name, those that the service serves: Optus is down in the Newcastle of Australia.
    for name in &mut names {
        let served = |place: &Candidate| services.country.is_some_and(|country| country.contains(place.region));
        if name.iter().any(served) {
            name.retain(served);
        }
    }
    let (region, sure) = resolve(&names)?;
    Some(Said { region, confidence: sure * WORDS_TRUST, ranges })
}

/// The places that a cue at a token leads to, and the token after them.
fn places_at(tokens: &[Token], at: usize, lang: &str) -> (Vec<Name>, usize) {
    let token = &tokens[at];
    let next = |name: Option<Name>| (Vec::from_iter(name), at + 1);
    if token.hashtag {
        return next(in_hashtag(&token.key));
    }
    if token.key.starts_with(is_spaceless) {
        return next(in_run(&token.key).or_else(|| before_another_script(tokens, at)).or_else(|| by_itself(token)));
    }
    let cue = Cue::of(token);
    let plain = cue.before() || leads_in(token, lang) || of_people(tokens, at);
    let leads = (plain || cue.before_name()).then(|| after_preposition(tokens, at, plain));
    // In Indonesian and Italian the same word is a filler elsewhere.
    if let Some(first) = leads.filter(|first| first.is_some() || !cue.filler()) {
        let mut places = Vec::from_iter(first);
        while let Some(name) = places.last().and_then(|last| beside(tokens, last.end)) {
            places.push(name);
        }
        let end = places.last().map_or(at + 1, |last| last.end);
        return (places, end);
    }
    let name = by_itself(token)
        .map(|name| name.spanning(at, at + 1))
        .or_else(|| at_home(tokens, at))
        .or_else(|| with_ending(tokens, at))
        .or_else(|| with_turkish_ending(tokens, at, lang))
        .or_else(|| with_arabic_beginning(token).map(|name| name.spanning(at, at + 1)))
        .or_else(|| before_people(tokens, at))
        .or_else(|| before_postposition(tokens, at, lang));
    if name.is_none() {
        let places = alone(tokens, at);
        if let Some(last) = places.last() {
            let end = last.end;
            return (places, end);
        }
    }
    let end = name.as_ref().map_or(at + 1, |name| name.end);
    (Vec::from_iter(name), end)
}

/// A large place that is all of a run of Korean letters or of a script without spaces, as posts begin there: `부산 카톡 안됨`.
fn by_itself(token: &Token) -> Option<Name> {
    let run = token.key.chars().all(|ch| is_spaceless(ch) || matches!(ch, '\u{ac00}'..='\u{d7a3}'));
    name_of(&token.key).filter(|name| run && name.large && !name.also_word() && !name.also_person())
}

/// The place after a preposition of the language of its country: `mati di Surabaya`.
fn at_home(tokens: &[Token], at: usize) -> Option<Name> {
    let (_, countries) = HOME_BEFORE.iter().find(|(word, _)| tokens[at].key == *word)?;
    let name = after_preposition(tokens, at, false).filter(|name| name.large)?;
    let here = |candidate: &Candidate| countries.iter().any(|country| candidate.region.as_str().starts_with(country));
    name.candidates.iter().all(here).then_some(name)
}

/// Whether a word says where those before it are: `people of Leeds`, `guys from cebu`.
fn of_people(tokens: &[Token], at: usize) -> bool {
    let people = at.checked_sub(1).and_then(|before| tokens.get(before)).is_some_and(|before| Cue::of(before).people());
    people && matches!(tokens[at].key.as_str(), "of" | "from" | "de")
}

/// Whether a word is a preposition in the post's language, though it is none everywhere.
fn leads_in(token: &Token, lang: &str) -> bool {
    let of_language = LANGUAGE_BEFORE.iter().filter(|(language, _)| *language == lang);
    of_language.flat_map(|(_, words)| *words).any(|word| token.key == *word)
        || ACCENTED_BEFORE.iter().any(|word| token.raw.to_lowercase() == *word)
}

/// The place before a postposition of the post's language: `mumbai me`.
fn before_postposition(tokens: &[Token], at: usize, lang: &str) -> Option<Name> {
    let (_, words) = LANGUAGE_AFTER.iter().find(|(language, _)| *language == lang)?;
    let name = name_at(tokens, at).filter(|name| name.large && !name.also_word() && !name.also_person())?;
    let next = tokens.get(name.end).filter(|next| next.gap == Gap::Soft)?;
    words.contains(&next.key.as_str()).then_some(name)
}

/// A place that stands alone before a name in Latin letters: `台灣LINE`.
fn before_another_script(tokens: &[Token], at: usize) -> Option<Name> {
    let (token, next) = (tokens.get(at)?, tokens.get(at + 1)?);
    let beside = next.start == token.start + token.raw.len() && !next.key.starts_with(is_spaceless);
    name_of(&token.key).filter(|name| beside && name.large).map(|name| name.spanning(at, at + 1))
}

/// The place after a preposition, fillers between. `plain` prepositions lead to names in small letters too.
fn after_preposition(tokens: &[Token], at: usize, plain: bool) -> Option<Name> {
    for next in at + 1..=at + 1 + MOST_FILLERS {
        let token = tokens.get(next).filter(|token| token.gap == Gap::Soft)?;
        let name = name_at(tokens, next).filter(|name| is_written_as_place(tokens, name, plain));
        if let Some(name) = name.filter(|name| plain || !name.also_person()) {
            return (!goes_on(tokens, &name)).then_some(name);
        }
        let between = Cue::of(token);
        if !(between.filler() || between.before() || token.service) {
            return None;
        }
    }
    None
}

/// Whether a name is written so that it means the place. Short names are in capitals (`UK`, never `us`); in small
/// letters only places that many know, and that are no words otherwise.
fn is_written_as_place(tokens: &[Token], name: &Name, small_too: bool) -> bool {
    let Some(words) = tokens.get(name.start..name.end) else { return false };
    let letters: usize = words.iter().map(|word| word.raw.chars().filter(|c| c.is_alphanumeric()).count()).sum();
    let latin = words.iter().any(|word| word.key.is_ascii());
    if latin && letters <= 2 {
        return words.iter().all(Token::is_upper);
    }
    let capitalised = words.first().is_some_and(Token::is_capitalised);
    if latin && letters == 3 {
        return capitalised;
    }
    capitalised || small_too && name.large && !name.also_word()
}

/// A place that goes on from the one before: `Austin, Texas`, `Paris TX`, `London and Leeds`.
fn beside(tokens: &[Token], at: usize) -> Option<Name> {
    let token = tokens.get(at).filter(|token| matches!(token.gap, Gap::Soft | Gap::Comma))?;
    let joined = matches!(token.key.as_str(), "and" | "y" | "e" | "et" | "und");
    let start = if joined { at + 1 } else { at };
    let first = tokens.get(start).filter(|first| first.flag.is_none() && first.is_capitalised())?;
    let name = name_at(tokens, start).filter(|name| is_written_as_place(tokens, name, false));
    let name = name.or_else(|| first.is_upper().then(|| code_at(tokens, start)).flatten())?;
    (!goes_on(tokens, &name)).then_some(name)
}

/// `UK users`, `Texas here`, `Canadian customers`, `vancouver folks`.
fn before_people(tokens: &[Token], at: usize) -> Option<Name> {
    let token = tokens.get(at)?;
    if at > 0 && token.gap == Gap::Soft && follows_a_name(tokens, at) {
        return None;
    }
    let next = |name: &Name| {
        let next = tokens.get(name.end).filter(|next| matches!(next.gap, Gap::Soft | Gap::Comma));
        next.map(Cue::of)
    };
    let fits = |name: &Name| {
        let people = next(name).is_some_and(Cue::people);
        (people || !name.also_person()) && is_written_as_place(tokens, name, people)
    };
    let name = name_at(tokens, at).filter(fits);
    let name = name.or_else(|| token.is_capitalised().then(|| demonym_at(tokens, at)).flatten())?;
    next(&name).is_some_and(Cue::after).then_some(name)
}

/// Places that stand for themselves between marks: `SOS only for the whole street, Toowoomba. Anyone else?` A large
/// one may also be written in small letters there, or be what a sentence in small letters ends with: `no bars Denver.`
fn alone(tokens: &[Token], at: usize) -> Vec<Name> {
    let apart = |at: usize| tokens.get(at).is_none_or(|token| matches!(token.gap, Gap::Hard | Gap::Comma));
    let small = |at: usize| tokens.get(at).is_some_and(|token| token.raw.chars().all(char::is_lowercase));
    let before = at.checked_sub(1);
    let service = |at: usize| tokens.get(at).is_some_and(|token| token.service);
    let trails = !apart(at)
        && before.is_some_and(|before| service(before) || small(before) && !Cue::of(&tokens[before]).is_some());
    let capitalised = tokens.get(at).is_some_and(Token::is_capitalised);
    let plain = |name: &Name| !name.also_word() && !name.also_person() && is_written_as_place(tokens, name, apart(at));
    let fits = |name: &Name| plain(name) && (apart(at) || capitalised && trails && name.large);
    let name = name_at(tokens, at);
    let mut places = Vec::from_iter(name.filter(fits));
    while let Some(next) = places.last().and_then(|last| beside(tokens, last.end)) {
        places.push(next);
    }
    if places.last().is_some_and(|last| apart(last.end)) { places } else { Vec::new() }
}

/// Whether the word before is capitalised too, so that this one may be a person's or a team's: `Paul England here`.
fn follows_a_name(tokens: &[Token], at: usize) -> bool {
    tokens.get(at.saturating_sub(1)).is_some_and(|before| {
        before.raw.chars().next().is_some_and(char::is_uppercase)
            && !before.service
            && before.gap == Gap::Soft
            && !Cue::of(before).is_some()
    })
}

/// A place with the ending that says `in`: `İstanbul'da`, `Türkiye'de`, `서울에서`.
fn with_ending(tokens: &[Token], at: usize) -> Option<Name> {
    let token = tokens.get(at)?;
    let korean = KOREAN_AFTER.iter().find_map(|ending| token.key.strip_suffix(ending));
    if let Some(name) = korean.and_then(name_of) {
        return Some(name.spanning(at, at + 1));
    }
    let ending = tokens.get(at + 1).filter(|next| next.gap == Gap::Apostrophe)?;
    if !TURKISH_IN.contains(&ending.key.as_str()) || !token.is_capitalised() {
        return None;
    }
    name_of(&token.key).filter(|name| name.large).map(|name| name.spanning(at, at + 2))
}

/// A place of Turkey with the same ending and no apostrophe, in posts tagged as Turkish: `istanbulda`. Elsewhere lie too many
/// that are Turkish words: `sabahtan` is since morning, not in Sabah.
fn with_turkish_ending(tokens: &[Token], at: usize, lang: &str) -> Option<Name> {
    let token = tokens.get(at).filter(|_| lang == "tr")?;
    let stem = TURKISH_IN.iter().find_map(|ending| token.key.strip_suffix(ending))?;
    let name = name_of(stem).filter(|name| name.large && !name.also_word())?;
    let turkish = name.candidates.iter().all(|candidate| candidate.region.as_str() == "TR");
    turkish.then(|| name.spanning(at, at + 1))
}

/// A place with the Arabic preposition that is written with it: `بالرياض`.
fn with_arabic_beginning(token: &Token) -> Option<Name> {
    let place = token.key.strip_prefix('ب')?;
    name_of(place).filter(|name| name.large && !name.also_word() && !name.also_person())
}

/// The place at the end of a hashtag that says that something is down: `tiktokdownuk`, `downinindia`.
fn in_hashtag(tag: &str) -> Option<Name> {
    let place = TAG_WORDS.iter().find_map(|word| Some(tag.split_once(word)?.1))?;
    tagged(place)
}

/// The place that the end of a hashtag is, `in` before it or not.
pub(super) fn tagged(end: &str) -> Option<Name> {
    let name = |key: &str| name_of(key).filter(|name| key.len() >= 2 && name.large && !name.also_word());
    name(end).or_else(|| end.strip_prefix("in").or_else(|| end.strip_prefix("en")).and_then(name))
}

/// A place in a run of a script without spaces, beside the word that says `in`.
fn in_run(run: &str) -> Option<Name> {
    let after = SPACELESS_AFTER.iter().flat_map(|cue| run.match_indices(cue));
    let before = after.take(MOST_CUES).find_map(|(at, _)| {
        let head = run.get(..at)?;
        let starts = head.char_indices().rev().map(|(start, _)| start).take(8).skip(1);
        starts.filter_map(|start| head.get(start..).and_then(name_of)).last()
    });
    before.or_else(|| {
        let cues = SPACELESS_BEFORE.iter().flat_map(|cue| run.match_indices(cue));
        cues.take(MOST_CUES).find_map(|(at, cue)| {
            let tail = run.get(at + cue.len()..)?;
            let ends = tail.char_indices().map(|(start, char)| start + char.len_utf8()).take(12).skip(1);
            ends.filter_map(|end| tail.get(..end).and_then(name_of)).last()
        })
    })
}
