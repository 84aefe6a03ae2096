//! What is wrong with a data file, said so that whoever edits it can put it right.

use std::fmt;
use std::ops::Range;

/// A mistake in a file of the catalogue, of the lexicons or of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    pub message: String,
    pub hint: String,
}

impl std::error::Error for Problem {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}\n  hint: {}", self.file, self.line, self.message, self.hint)
    }
}

/// A word of a data file and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    pub text: String,
    pub file: std::sync::Arc<str>,
    pub line: usize,
}

impl Word {
    pub fn problem(&self, message: String, hint: &str) -> Problem {
        Problem { file: self.file.to_string(), line: self.line, message, hint: hint.to_owned() }
    }
}

/// A data file while it is read: turns byte ranges into lines.
pub struct DataFile<'a> {
    name: std::sync::Arc<str>,
    text: &'a str,
    /// Where each line ends, in bytes.
    line_ends: Vec<usize>,
}

impl<'a> DataFile<'a> {
    pub fn new(name: &str, text: &'a str) -> Self {
        let line_ends = text.match_indices('\n').map(|(end, _)| end).collect();
        DataFile { name: name.into(), text, line_ends }
    }

    /// Reads the file strictly: an unknown key is an error.
    pub fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T, Problem> {
        toml::from_str(self.text).map_err(|error| Problem {
            file: self.name.to_string(),
            line: self.line(error.span().unwrap_or_default()),
            message: error.message().to_owned(),
            hint: "see docs/reading.md for the keys of this file and what each means".to_owned(),
        })
    }

    pub fn word(&self, word: toml::Spanned<String>) -> Word {
        let line = self.line(word.span());
        Word { text: word.into_inner(), file: self.name.clone(), line }
    }

    pub fn words(&self, words: Vec<toml::Spanned<String>>) -> Vec<Word> {
        words.into_iter().map(|word| self.word(word)).collect()
    }

    fn line(&self, span: Range<usize>) -> usize {
        1 + self.line_ends.partition_point(|end| *end < span.start)
    }
}
