//! Words of a text as the tables of places write them: lower case, without accents.

use crate::region::Region;
use std::str::FromStr;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// What stands between a token and the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    /// Another phrase begins: the start, a full stop, a slash, an emoji.
    Hard,
    Comma,
    /// A space, a hyphen, a change of script.
    Soft,
    /// `Xi'an` is one word, `İstanbul'da` a word with its ending.
    Apostrophe,
}

/// A word, or a flag.
#[derive(Clone, Debug)]
pub(super) struct Token<'a> {
    pub raw: &'a str,
    /// The byte of the text at which `raw` begins.
    pub start: usize,
    /// `raw` as the tables write it.
    pub key: String,
    pub gap: Gap,
    /// The word follows a `#`.
    pub hashtag: bool,
    /// The country or part whose flag this is.
    pub flag: Option<Region>,
    /// The word is of a service's name.
    pub service: bool,
}

impl Token<'_> {
    /// Whether the word is written as a name; scripts without capitals always are.
    pub fn is_capitalised(&self) -> bool {
        self.raw.chars().next().is_some_and(|first| !first.is_lowercase())
    }

    /// Whether no letter is small: `UK`, `U.S.`, but also a word of a script without capitals.
    pub fn is_upper(&self) -> bool {
        !self.raw.chars().any(char::is_lowercase)
    }
}

/// A name as a key of the tables: lower case, compatibility forms and accents gone. `data/places/build.py` folds the
/// tables' keys in the same way.
pub(super) fn fold(word: &str) -> String {
    if word.is_ascii() {
        return word.chars().filter(|c| *c != '.').map(|c| c.to_ascii_lowercase()).collect();
    }
    let mut folded = String::with_capacity(word.len());
    for char in word.nfkd().flat_map(char::to_lowercase) {
        match char {
            'ß' => folded.push_str("ss"),
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'đ' | 'ð' => folded.push('d'),
            'ı' => folded.push('i'),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'þ' => folded.push_str("th"),
            '.' | '\u{300}'..='\u{36f}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{640}' => {}
            _ => folded.push(char),
        }
    }
    folded.nfc().collect()
}

/// Whether the script writes its words without spaces: Han, kana, Thai, Lao, Khmer, Burmese.
pub(super) fn is_spaceless(char: char) -> bool {
    matches!(char, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}')
}

fn is_word(char: char) -> bool {
    let of_emoji = matches!(char, '\u{fe00}'..='\u{fe0f}' | '\u{20e3}');
    char.is_alphanumeric() || is_combining_mark(char) && !of_emoji
}

/// Splits a text into words and flags. Handles and links are left out.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens: Vec<Token<'_>> = Vec::new();
    let mut gap = Gap::Hard;
    let mut hashtag = false;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let start = text.len() - rest.len();
        if first == '@' || rest.starts_with("http://") || rest.starts_with("https://") {
            rest = rest.trim_start_matches(|c: char| !c.is_whitespace());
            gap = Gap::Hard;
            continue;
        }
        if let Some((flag, length)) = flag(rest) {
            let (raw, after) = rest.split_at(length);
            tokens.push(Token {
                raw,
                start,
                key: String::new(),
                gap: Gap::Hard,
                hashtag: false,
                flag: Some(flag),
                service: false,
            });
            (rest, gap) = (after, Gap::Hard);
            continue;
        }
        if is_word(first) {
            let (raw, after) = rest.split_at(word_length(rest, first));
            tokens.push(Token { raw, start, key: fold(raw), gap, hashtag, flag: None, service: false });
            (rest, gap, hashtag) = (after, Gap::Soft, false);
            if is_abbreviation(raw) {
                rest = rest.trim_start_matches('.');
            }
            continue;
        }
        rest = rest.strip_prefix(first).unwrap_or_default();
        hashtag = matches!(first, '#' | '＃');
        gap = widened(gap, first, rest);
    }
    tokens
}

/// The gap so far, with one more character that is no word in it.
fn widened(gap: Gap, char: char, rest: &str) -> Gap {
    let spaced_hyphen = matches!(char, '-' | '–' | '—') && rest.starts_with(char::is_whitespace);
    match (gap, char) {
        (Gap::Hard, _) => Gap::Hard,
        _ if spaced_hyphen => Gap::Hard,
        (Gap::Comma, ' ' | ',') | (Gap::Soft | Gap::Apostrophe, ',' | '،' | '、') => Gap::Comma,
        (Gap::Soft, '\'' | '’' | '‘' | '`') if rest.starts_with(is_word) => Gap::Apostrophe,
        (_, ' ' | '-' | '_' | '\u{a0}' | '\u{200b}'..='\u{200f}' | '\u{fe0f}' | '‐' | '‑') => gap,
        _ => Gap::Hard,
    }
}

/// The bytes of the word at the start of `text`, the dots of `U.S.A` taken in.
fn word_length(text: &str, first: char) -> usize {
    let spaceless = is_spaceless(first);
    let mut length = 0;
    let mut letters = 0; // since the last dot
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        if is_word(char) && (is_spaceless(char) == spaceless || is_combining_mark(char)) {
            letters += 1;
        } else if char == '.' && letters == 1 && !spaceless && chars.peek().is_some_and(|next| next.is_alphabetic()) {
            letters = 0;
        } else {
            break;
        }
        length += char.len_utf8();
    }
    length
}

/// Whether a dot after the word belongs to it: `St. Louis`, `U.S. users`.
fn is_abbreviation(word: &str) -> bool {
    word.contains('.') || ["st", "ft", "mt", "sta", "sto"].iter().any(|short| word.eq_ignore_ascii_case(short))
}

/// The flag at the start of `text` and its bytes: two regional indicators, or a black flag with tags (`gbsct`).
fn flag(text: &str) -> Option<(Region, usize)> {
    let mut chars = text.chars();
    let first = chars.next()?;
    if let Some(first) = indicator(first) {
        let code: String = [first, indicator(chars.next()?)?].iter().collect();
        return Some((Region::from_str(&code).ok()?, text.len() - chars.as_str().len()));
    }
    if first != '\u{1f3f4}' {
        return None;
    }
    let mut code = String::new();
    for char in chars.by_ref() {
        match char {
            '\u{e007f}' if code.len() > 2 => {
                code.insert(2, '-');
                return Some((Region::from_str(&code).ok()?, text.len() - chars.as_str().len()));
            }
            '\u{e0030}'..='\u{e007a}' if code.len() < 5 => code.push((char as u32 - 0xe0000) as u8 as char),
            _ => return None,
        }
    }
    None
}

/// The letter of a regional indicator.
fn indicator(char: char) -> Option<char> {
    matches!(char, '\u{1f1e6}'..='\u{1f1ff}').then(|| (b'A' + (char as u32 - 0x1f1e6) as u8) as char)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        tokens(text).into_iter().map(|t| t.flag.map_or(t.key, |region| region.to_string())).collect()
    }

    #[test]
    fn case_accents_and_forms_are_folded() {
        for (raw, folded) in [
            ("São", "sao"),
            ("ÎLE", "ile"),
            ("İstanbul", "istanbul"),
            ("Łódź", "lodz"),
            ("ＵＫ", "uk"),
            ("東京", "東京"),
        ] {
            assert_eq!(fold(raw), folded);
        }
    }

    #[test]
    fn flags_words_and_acronyms_are_told_apart() {
        assert_eq!(words("U.S.A. 🇬🇧🇺🇸 St. Louis"), ["usa", "GB", "US", "st", "louis"]);
        assert_eq!(words("🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}!"), ["GB-SCT"]);
        assert_eq!(words("see @paris https://x.org/London ok"), ["see", "ok"]);
        assert_eq!(words("UKで東京"), ["uk", "で東京"]);
    }

    #[test]
    fn gaps_part_phrases() {
        let gaps: Vec<Gap> = tokens("Rio-de Janeiro, RJ - Xi'an / x").iter().map(|token| token.gap).collect();
        let expected = [Gap::Hard, Gap::Soft, Gap::Soft, Gap::Comma, Gap::Hard, Gap::Apostrophe, Gap::Hard];
        assert_eq!(gaps, expected);
    }
}
