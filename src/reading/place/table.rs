//! The embedded tables: sorted lines `key<TAB>value`. The text stays where it lies in the program; the first search
//! notes where its lines begin.

use crate::region::Region;
use std::str::FromStr;
use std::sync::OnceLock;

/// A sorted table of lines.
pub(super) struct Table {
    text: &'static str,
    /// The byte at which each line begins.
    starts: OnceLock<Vec<u32>>,
}

/// What a search in a [`Table`] found.
#[derive(Clone, Copy, Default)]
pub(super) struct Found {
    pub value: Option<&'static str>,
    /// Whether a key goes on where this one ends, by a further word or an apostrophe's ending.
    pub longer: bool,
}

impl Table {
    /// A table whose lines are sorted by the bytes of their keys. No byte of a key sorts before a tab.
    pub const fn new(text: &'static str) -> Self {
        Table { text, starts: OnceLock::new() }
    }

    pub fn get(&self, key: &str) -> Option<&'static str> {
        self.find(key).value
    }

    pub fn find(&self, key: &str) -> Found {
        let starts = self.starts.get_or_init(|| self.line_starts());
        let bytes = self.text.as_bytes();
        let head = |start: u32| &bytes[start as usize..bytes.len().min(start as usize + key.len())];
        let at = starts.partition_point(|start| head(*start) < key.as_bytes());
        let begins = |line: usize| starts.get(line).is_some_and(|start| head(*start) == key.as_bytes());
        if !begins(at) {
            return Found::default();
        }
        let line = starts.get(at).and_then(|start| self.text.get(*start as usize..)?.lines().next());
        match line.and_then(|line| line.get(key.len()..)?.strip_prefix('\t')) {
            Some(value) => Found { value: Some(value), longer: begins(at + 1) },
            None => Found { value: None, longer: true },
        }
    }

    pub fn lines(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.text.lines().filter_map(|line| line.split_once('\t'))
    }

    fn line_starts(&self) -> Vec<u32> {
        let ends = self.text.match_indices('\n').map(|(newline, _)| newline + 1);
        [0].into_iter().chain(ends).filter(|start| *start < self.text.len()).map(|start| start as u32).collect()
    }
}

/// A region that a name may mean. The weight says how likely, against the other meanings of the same name; a name
/// whose meanings all weigh nothing counts only where another name beside it agrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub region: Region,
    pub weight: f64,
}

/// Reads `GE=94771 US-GA=77415`; a code without a weight weighs 1.
pub(super) fn candidates(value: &str) -> impl Iterator<Item = Candidate> {
    value.split(' ').filter_map(|cell| {
        let (code, weight) = cell.split_once('=').unwrap_or((cell, "1"));
        Some(Candidate { region: Region::from_str(code).ok()?, weight: weight.parse().ok()? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    static TABLE: Table = Table::new("a\t1\nnew\t2\nnew york\t3\nnewark\t4\nz\t5\n");

    #[test]
    fn every_key_is_found_and_no_other() {
        for (key, value) in TABLE.lines() {
            assert_eq!(TABLE.get(key), Some(value));
        }
        for key in ["", "0", "ne", "new yor", "new z", "zz", "\u{10ffff}"] {
            assert_eq!(TABLE.get(key), None, "{key}");
        }
        assert_eq!(Table::new("").get("a"), None);
    }

    #[test]
    fn a_key_says_whether_it_goes_on() {
        assert!(TABLE.find("new").longer && TABLE.find("n").longer);
        assert!(!TABLE.find("new york").longer && !TABLE.find("z").longer && !TABLE.find("q").longer);
    }
}
