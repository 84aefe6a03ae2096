//! The embedded tables: sorted lines `key<TAB>value`, searched where they lie, so that nothing is loaded at start-up.

use crate::region::Region;
use std::cmp::Ordering;
use std::str::FromStr;

/// A sorted table of lines.
#[derive(Clone, Copy)]
pub(super) struct Table(&'static str);

/// What a search in a [`Table`] found.
#[derive(Clone, Copy, Default)]
pub(super) struct Found {
    pub value: Option<&'static str>,
    /// Whether a key goes on where this one ends, by a further word or an apostrophe's ending.
    pub longer: bool,
}

impl Table {
    /// A table whose lines are sorted by the bytes of their keys.
    pub const fn new(text: &'static str) -> Self {
        Table(text)
    }

    pub fn get(self, key: &str) -> Option<&'static str> {
        self.find(key).value
    }

    pub fn find(self, key: &str) -> Found {
        let (mut low, mut high) = (0, self.0.len());
        while low < high {
            let (start, end) = self.line_around(low, low.midpoint(high));
            if self.key_at(start).as_bytes().cmp(key.as_bytes()) == Ordering::Less {
                low = end;
            } else {
                high = start;
            }
        }
        let (line, after) = split_at_newline(&self.0[low..]);
        match line.split_once('\t') {
            Some((found, value)) if found == key => Found { value: Some(value), longer: after.starts_with(key) },
            Some((found, _)) => Found { value: None, longer: found.starts_with(key) },
            None => Found::default(),
        }
    }

    pub fn lines(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.0.lines().filter_map(|line| line.split_once('\t'))
    }

    /// The start of the line that holds byte `at`, not before `low`, and the start of the next line.
    fn line_around(self, low: usize, at: usize) -> (usize, usize) {
        let bytes = self.0.as_bytes();
        let start = bytes[low..at].iter().rposition(|byte| *byte == b'\n').map_or(low, |newline| low + newline + 1);
        let end = bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |newline| at + newline + 1);
        (start, end)
    }

    fn key_at(self, start: usize) -> &'static str {
        let line = split_at_newline(&self.0[start..]).0;
        line.split_once('\t').map_or(line, |(key, _)| key)
    }
}

fn split_at_newline(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
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

    const TABLE: Table = Table::new("a\t1\nnew\t2\nnew york\t3\nnewark\t4\nz\t5\n");

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
