//! Many texts at once, found in another: a sorted list that is walked like a trie. An automaton over as many takes far
//! longer to make, which every command would wait for; only posts that name a service are looked through.

use std::ops::Range;

/// Texts without repetitions, each with all that it is used for.
pub struct Texts<T> {
    /// All texts, in their order, without anything between them.
    bytes: Vec<u8>,
    /// Where each text begins in `bytes`, and where the last one ends.
    starts: Vec<u32>,
    uses: Vec<T>,
    /// Where the uses of each text begin in `uses`, and where those of the last one end.
    use_starts: Vec<u32>,
    /// Where the texts begin that begin with each byte, and where those of the last byte end.
    first: Vec<u32>,
}

impl<T> Texts<T> {
    /// Texts in any order; empty ones are never found.
    pub fn new<'a>(entries: impl IntoIterator<Item = (&'a str, T)>) -> Texts<T> {
        // By what they begin with, so that few comparisons have to go and look for the texts themselves.
        let mut entries: Vec<(u128, &str, T)> =
            entries.into_iter().map(|(text, used)| (beginning(text), text, used)).collect();
        entries.sort_unstable_by(|one, other| (one.0, one.1).cmp(&(other.0, other.1)));
        let mut texts = Texts {
            bytes: Vec::new(),
            starts: Vec::new(),
            uses: Vec::with_capacity(entries.len()),
            use_starts: Vec::new(),
            first: Vec::with_capacity(257),
        };
        let mut last = "";
        for (_, text, used) in entries.into_iter().filter(|(_, text, _)| !text.is_empty()) {
            if text != last {
                let byte = usize::from(text.as_bytes().first().copied().unwrap_or_default());
                texts.first.resize(texts.first.len().max(byte + 1), texts.starts.len() as u32);
                texts.starts.push(texts.bytes.len() as u32);
                texts.use_starts.push(texts.uses.len() as u32);
                texts.bytes.extend_from_slice(text.as_bytes());
                last = text;
            }
            texts.uses.push(used);
        }
        texts.first.resize(257, texts.starts.len() as u32);
        texts.starts.push(texts.bytes.len() as u32);
        texts.use_starts.push(texts.uses.len() as u32);
        texts
    }

    /// The memory that they take, in bytes.
    pub fn memory(&self) -> usize {
        let numbers = self.starts.capacity() + self.use_starts.capacity() + self.first.capacity();
        self.bytes.capacity() + numbers * size_of::<u32>() + self.uses.capacity() * size_of::<T>()
    }

    /// Every occurrence of every text at the places where one may begin, by where it begins, the shorter first.
    pub fn find<'a>(
        &'a self,
        text: &'a str,
        begins: impl Fn(usize) -> bool + 'a,
    ) -> impl Iterator<Item = (Range<usize>, &'a [T])> {
        let starts = text.char_indices().map(|(start, _)| start).filter(move |start| begins(*start));
        starts.flat_map(move |start| self.at(text.as_bytes(), start))
    }

    /// The texts that begin at one place.
    fn at<'a>(&'a self, text: &'a [u8], start: usize) -> impl Iterator<Item = (Range<usize>, &'a [T])> {
        let byte = text.get(start).map_or(256, |byte| usize::from(*byte));
        let bound = |at: usize| self.first.get(at).map_or(0, |first| *first as usize);
        let (mut low, mut high) = if byte < 256 { (bound(byte), bound(byte + 1)) } else { (0, 0) };
        // Those from `low` to `high` begin with the `depth` bytes from `start`; the shortest of them is the first.
        let mut depth = 1;
        std::iter::from_fn(move || {
            while low < high {
                let whole = (self.length(low) == depth).then_some(low);
                low += usize::from(whole.is_some());
                let end = start + depth;
                match text.get(end) {
                    Some(byte) => {
                        let within = |most: u8| first_where(low, high, |at| self.byte(at, depth) >= Some(most));
                        let above = byte.checked_add(1).map_or(high, within);
                        (low, high) = (within(*byte), above);
                    }
                    None => high = low,
                }
                depth += 1;
                if let Some(found) = whole {
                    return Some((start..end, self.used(found)));
                }
            }
            None
        })
    }

    fn range(starts: &[u32], at: usize) -> Range<usize> {
        let start = |at: usize| starts.get(at).map_or(0, |start| *start as usize);
        start(at)..start(at + 1)
    }

    fn length(&self, at: usize) -> usize {
        Self::range(&self.starts, at).len()
    }

    /// A byte of a text that is longer than that.
    fn byte(&self, at: usize, depth: usize) -> Option<u8> {
        self.bytes.get(*self.starts.get(at)? as usize + depth).copied()
    }

    fn used(&self, at: usize) -> &[T] {
        self.uses.get(Self::range(&self.use_starts, at)).unwrap_or_default()
    }
}

/// The first 16 bytes of a text as a number that sorts as they do.
fn beginning(text: &str) -> u128 {
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(text.bytes()).for_each(|(byte, of_text)| *byte = of_text);
    u128::from_be_bytes(bytes)
}

/// The first number of a range from which on something is true.
fn first_where(mut low: usize, mut high: usize, is_true: impl Fn(usize) -> bool) -> usize {
    while low < high {
        let middle = low.midpoint(high);
        if is_true(middle) { high = middle } else { low = middle + 1 }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_text_is_found_at_each_place() {
        let texts = Texts::new([("is", 0), ("is down", 1), ("down", 2), ("is", 3), ("落ち", 4), ("", 5)]);
        let found: Vec<_> = texts.find("is down 落ち", |_| true).map(|(range, uses)| (range, uses.to_vec())).collect();
        assert_eq!(found, [(0..2, vec![0, 3]), (0..7, vec![1]), (3..7, vec![2]), (8..14, vec![4])]);
        assert_eq!(Texts::<u8>::new([]).find("is down", |_| true).count(), 0);
    }

    proptest! {
        #[test]
        fn as_if_each_were_searched_for(texts in prop::collection::vec("[abé\u{10ffff}]{1,4}", 0..40), text in "[abé\u{10ffff}]{0,30}") {
            let all: Texts<String> = Texts::new(texts.iter().map(|one| (one.as_str(), one.clone())));
            let mut found: Vec<(usize, String)> = all
                .find(&text, |_| true)
                .flat_map(|(range, uses)| uses.iter().map(move |one| (range.start, one.clone())))
                .collect();
            let starts = text.char_indices().map(|(start, _)| start);
            let mut wanted: Vec<(usize, String)> = starts
                .flat_map(|start| texts.iter().filter(|one| text[start..].starts_with(one.as_str())).map(move |one| (start, one.clone())).collect::<Vec<_>>())
                .collect();
            found.sort();
            wanted.sort();
            prop_assert_eq!(found, wanted);
        }
    }
}
