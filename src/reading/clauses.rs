//! Cuts a text where one statement ends and another begins.

use super::fold::{is_unspaced, is_word};
use super::lexicon::Sense;
use super::phrases::{Hit, OPAQUE_SIGN, SERVICE_SIGN};
use std::ops::Range;

/// A stretch of text that makes one statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    pub range: Range<usize>,
    /// Counts the sentences of the text.
    pub sentence: usize,
}

/// The clauses of a text, without gaps between them. `whole` are ranges that are not to be cut, in order.
pub fn clauses(text: &str, hits: &[Hit], whole: &[Range<usize>]) -> Vec<Clause> {
    let mut cuts: Vec<(usize, bool)> = punctuation(text).collect();
    cuts.extend(hits.iter().filter(|hit| hit.sense == Sense::Contrast).map(|hit| (hit.range.start, false)));
    cuts.sort_unstable();
    let mut clauses = Vec::new();
    let (mut start, mut sentence) = (0, 0);
    for (cut, ends_sentence) in cuts {
        // '??' ends one sentence, not two.
        let says_nothing = text.get(start..cut).is_none_or(|part| !part.contains(is_said));
        if says_nothing || within(cut, whole) {
            continue;
        }
        clauses.push(Clause { range: start..cut, sentence });
        start = cut;
        sentence += usize::from(ends_sentence);
    }
    clauses.push(Clause { range: start..text.len(), sentence });
    clauses
}

/// Whether a character is of a word, a number or what stands for a name.
fn is_said(ch: char) -> bool {
    is_word(ch) || matches!(ch, SERVICE_SIGN | OPAQUE_SIGN)
}

/// The clause that a place lies in.
pub fn clause_at(clauses: &[Clause], place: usize) -> usize {
    clauses.partition_point(|clause| clause.range.end <= place).min(clauses.len().saturating_sub(1))
}

fn within(place: usize, ranges: &[Range<usize>]) -> bool {
    let next = ranges.partition_point(|range| range.end <= place);
    ranges.get(next).is_some_and(|range| range.start < place)
}

/// Where punctuation cuts, and whether it ends a sentence there.
fn punctuation(text: &str) -> impl Iterator<Item = (usize, bool)> {
    let mut chars = text.char_indices().peekable();
    std::iter::from_fn(move || {
        loop {
            let (at, ch) = chars.next()?;
            let next = chars.peek().map(|(_, next)| *next);
            // A folded '，' has no space after it.
            let spaced =
                next.is_none_or(|next| next.is_whitespace() || matches!(next, '.' | '!' | '?') || is_unspaced(next));
            match ch {
                '\n' | '!' | '?' | ';' | '。' | '؟' | '।' => return Some((at + ch.len_utf8(), true)),
                '.' if spaced => return Some((at + 1, true)),
                ',' | ':' if spaced => return Some((at + 1, false)),
                '、' | '،' | '(' | ')' | '—' | '–' => return Some((at + ch.len_utf8(), false)),
                _ => {}
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_and_clauses_are_told_apart() {
        let text = "a, b. c.d! e";
        let found = clauses(text, &[], &[]);
        let parts: Vec<(&str, usize)> = found.iter().map(|c| (&text[c.range.clone()], c.sentence)).collect();
        assert_eq!(parts, [("a,", 0), (" b.", 0), (" c.d!", 1), (" e", 2)]);
        assert_eq!(clause_at(&found, 3), 1);
        let marks = clauses("a?? b... c!\n\nd", &[], &[]);
        assert_eq!(marks.iter().map(|clause| clause.sentence).collect::<Vec<_>>(), [0, 1, 2, 3]);
        let list = 0..4;
        assert_eq!(clauses(text, &[], std::slice::from_ref(&list))[0].range, 0..5);
    }
}
