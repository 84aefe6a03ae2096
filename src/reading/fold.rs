//! Text as it is compared: lower case, without accents or odd forms, and with a way back to the original bytes.

use std::ops::Range;
use unicode_normalization::char::{canonical_combining_class, compose, decompose_compatible, is_combining_mark};

/// A text folded for comparison. Every byte knows the range of original bytes it came from.
#[derive(Debug, Default)]
pub struct Folded {
    pub text: String,
    origin: Vec<(u32, u32)>,
}

impl Folded {
    pub fn new(text: &str) -> Self {
        let mut folder = Folder::new(text, true);
        for (start, ch) in text.char_indices() {
            folder.from = (start as u32, (start + ch.len_utf8()) as u32);
            fold_char(ch, &mut |ch| folder.push(ch));
        }
        folder.out
    }

    /// The folded text alone, for a first look and for the words of catalogue and lexicons.
    pub fn text_of(text: &str) -> String {
        let mut folder = Folder::new(text, false);
        for ch in text.chars() {
            fold_char(ch, &mut |ch| folder.push(ch));
        }
        folder.out.text
    }

    /// Appends one character that stands for `range` of another folded text.
    pub fn push_sign(&mut self, sign: char, other: &Folded, range: Range<usize>) {
        let from = other.origin(range);
        self.text.push(sign);
        self.origin.resize(self.text.len(), from);
    }

    /// Appends `range` of another folded text, origin included.
    pub fn push_part(&mut self, other: &Folded, range: Range<usize>) {
        if let (Some(text), Some(origin)) = (other.text.get(range.clone()), other.origin.get(range)) {
            self.text.push_str(text);
            self.origin.extend_from_slice(origin);
        }
    }

    /// The original bytes that `range` of the folded text came from.
    pub fn origin(&self, range: Range<usize>) -> (u32, u32) {
        let part = self.origin.get(range).unwrap_or_default();
        let first = part.iter().map(|from| from.0).min().unwrap_or_default();
        let last = part.iter().map(|from| from.1).max().unwrap_or_default();
        (first, last)
    }
}

struct Folder {
    out: Folded,
    with_origin: bool,
    from: (u32, u32),
    last: char,
    /// How many times `last` has come in a row.
    run: usize,
}

impl Folder {
    fn new(text: &str, with_origin: bool) -> Self {
        let origin = Vec::with_capacity(if with_origin { text.len() } else { 0 });
        let out = Folded { text: String::with_capacity(text.len()), origin };
        Folder { out, with_origin, from: (0, 0), last: '\n', run: 0 }
    }

    fn push(&mut self, ch: char) {
        if ch == ' ' && matches!(self.last, ' ' | '\n') {
            return;
        }
        if !ch.is_ascii()
            && composes(ch)
            && let Some(whole) = compose(self.last, ch)
        {
            let first = self.out.origin.last().map_or(self.from.0, |from| from.0);
            self.pop();
            self.from.0 = first;
            return self.put(whole);
        }
        self.run = if ch == self.last { self.run + 1 } else { 1 };
        // 'downnnn' is 'down': three and more of a letter are one. 'www' has a meaning.
        match self.run {
            3 if ch.is_ascii_lowercase() && ch != 'w' => self.pop(),
            4.. if ch.is_ascii_lowercase() && ch != 'w' => {}
            _ => self.put(ch),
        }
    }

    fn put(&mut self, ch: char) {
        self.out.text.push(ch);
        self.last = ch;
        if self.with_origin {
            self.out.origin.resize(self.out.text.len(), self.from);
        }
    }

    fn pop(&mut self) {
        self.out.text.pop();
        self.out.origin.truncate(self.out.text.len());
    }
}

/// Whether a character may join the one before it: marks, and the vowels and finals of Korean letters.
fn composes(ch: char) -> bool {
    matches!(ch, '\u{1161}'..='\u{11FF}') || canonical_combining_class(ch) != 0
}

fn fold_char(ch: char, emit: &mut impl FnMut(char)) {
    match ch {
        '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => emit('\n'),
        // What is quoted is read as if it were not: 'stuck on "connecting"'.
        '"' | '\u{201C}'..='\u{201F}' | '«' | '»' => emit(' '),
        _ if ch.is_ascii_control() => emit(' '),
        _ if ch.is_ascii() => emit(ch.to_ascii_lowercase()),
        // Invisible: soft hyphen, joiners, direction marks, variation selectors.
        '\u{AD}'
        | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{2069}'
        | '\u{FE00}'..='\u{FE0F}'
        | '\u{FEFF}' => {}
        '\u{2018}' | '\u{2019}' | '\u{201B}' | '\u{B4}' | '\u{2BC}' | '\u{2BB}' | '\u{2032}' => emit('\''),
        _ => decompose_compatible(ch, |part| fold_part(part, emit)),
    }
}

fn fold_part(ch: char, emit: &mut impl FnMut(char)) {
    match ch {
        // Accents of the Latin, Greek and Cyrillic scripts; vowel signs and the long stroke of Arabic.
        '\u{300}'..='\u{36F}' | '\u{64B}'..='\u{65F}' | '\u{670}' | '\u{640}' => {}
        'ی' | 'ى' => emit('ي'),
        'ک' => emit('ك'),
        'ة' => emit('ه'),
        _ => ch.to_lowercase().for_each(|lower| match lower {
            'ı' => emit('i'),
            'đ' => emit('d'),
            'ł' => emit('l'),
            'ø' => emit('o'),
            'ß' => "ss".chars().for_each(&mut *emit),
            'æ' => "ae".chars().for_each(&mut *emit),
            'œ' => "oe".chars().for_each(&mut *emit),
            '\u{300}'..='\u{36F}' => {}
            _ if lower.is_whitespace() => emit(' '),
            _ => emit(lower),
        }),
    }
}

/// Whether a character belongs to a word.
pub fn is_word(ch: char) -> bool {
    ch.is_ascii_alphanumeric() || ch == '_' || !ch.is_ascii() && (ch.is_alphanumeric() || is_combining_mark(ch))
}

/// Whether a script writes its words without spaces between them, or hangs endings on them (Korean).
pub fn is_unspaced(ch: char) -> bool {
    matches!(ch, '\u{E00}'..='\u{EFF}' | '\u{1000}'..='\u{109F}' | '\u{1100}'..='\u{11FF}' | '\u{1780}'..='\u{17FF}'
        | '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7AF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{3FFFF}')
}

fn is_katakana(ch: char) -> bool {
    matches!(ch, '\u{30A0}'..='\u{30FF}')
}

/// Whether one word ends and another begins between two neighbouring characters.
pub fn is_boundary(before: Option<char>, after: Option<char>) -> bool {
    let (Some(before), Some(after)) = (before, after) else { return true };
    if !is_word(before) || !is_word(after) {
        return true;
    }
    if is_combining_mark(after) {
        return false;
    }
    // Borrowed words of Japanese stand in runs of katakana: ライン is no part of オンライン.
    (is_unspaced(before) || is_unspaced(after)) && !(is_katakana(before) && is_katakana(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_the_same_words_fold_alike() {
        for (odd, plain) in [
            ("ＴｉｋＴｏｋ　DOWN", "tiktok down"),
            ("está caído", "esta caido"),
            ("cai\u{301}do", "caido"),
            ("𝐓𝐢𝐤𝐓𝐨𝐤", "tiktok"),
            ("can’t", "can't"),
            ("down\u{200b}nnnn", "down"),
            ("a \t b", "a b"),
            ("on “connecting”", "on connecting "),
            ("ÇÖKTÜ Iı İ", "coktu ii i"),
            ("틱톡", "틱톡"),
            ("먹통", "먹통"),
            ("ダウン", "ダウン"),
            ("ﾀﾞｳﾝ", "ダウン"),
            ("أعطال", "اعطال"),
        ] {
            assert_eq!(Folded::text_of(odd), plain);
            assert_eq!(Folded::new(odd).text, plain);
        }
    }

    #[test]
    fn words_end_where_a_reader_sees_them_end() {
        let boundary = |a: char, b: char| is_boundary(Some(a), Some(b));
        assert!(boundary('k', ' ') && boundary('k', 'が') && boundary('톡', '안') && boundary('ก', 'ข'));
        assert!(!boundary('k', 's') && !boundary('オ', 'ラ') && !boundary('क', 'ि'));
    }

    #[test]
    fn a_folded_part_leads_back_to_its_bytes() {
        let text = "x é ＴｉｋTok 틱톡";
        let folded = Folded::new(text);
        let at = folded.text.find("tiktok").unwrap();
        let (start, end) = folded.origin(at..at + 6);
        assert_eq!(&text[start as usize..end as usize], "ＴｉｋTok");
    }
}
