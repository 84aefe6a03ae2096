//! Where a list was cut off, so that it can be gone on with.

use std::fmt;
use std::str::FromStr;

/// The last row that was given: its time, as the table counts it, and its names. In text `1625599500.tiktok-20210706T1925Z`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub time: i64,
    pub name: String,
}

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no mark in a list: take it from the `Link` of an answer")]
pub struct NotAMark(String);

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.time, self.name)
    }
}

impl FromStr for Mark {
    type Err = NotAMark;

    fn from_str(text: &str) -> Result<Mark, NotAMark> {
        let wrong = || NotAMark(text.to_owned());
        let (time, name) = text.split_once('.').ok_or_else(wrong)?;
        Ok(Mark { time: time.parse().map_err(|_| wrong())?, name: name.to_owned() })
    }
}
