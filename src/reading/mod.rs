//! Post in, reading out: which service, report or recovery or echo, which symptom, which region, and why.

pub mod catalogue;
mod clauses;
mod compose;
mod fold;
mod judge;
pub mod lexicon;
mod names;
mod phrases;
pub mod place;
pub mod problem;
mod reader;
mod texts;

pub use catalogue::{Catalogue, Notices, Service};
pub use lexicon::Lexicon;
pub use problem::Problem;
pub use reader::{Reader, ReaderError};

use crate::region::Region;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A service of the catalogue, by its id: `tiktok`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct ServiceId(std::sync::Arc<str>);

impl From<String> for ServiceId {
    fn from(id: String) -> Self {
        ServiceId(id.into())
    }
}

impl From<ServiceId> for String {
    fn from(id: ServiceId) -> Self {
        id.as_str().to_owned()
    }
}

impl ServiceId {
    pub fn new(id: &str) -> Self {
        ServiceId(id.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Declares an enum of fixed words: how each is written, in JSON, in the database and to people.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$inner:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        pub enum $name { $($(#[$inner])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::reading::UnknownWord;
            fn from_str(text: &str) -> Result<Self, $crate::reading::UnknownWord> {
                match text {
                    $($word => Ok($name::$variant),)+
                    _ => Err($crate::reading::UnknownWord { word: text.to_owned(), known: &[$($word),+] }),
                }
            }
        }
    };
}
pub(crate) use words;

/// A word outside a fixed list.
#[derive(Debug, thiserror::Error)]
#[error("`{word}` is not one of: {}", known.join(", "))]
pub struct UnknownWord {
    pub word: String,
    pub known: &'static [&'static str],
}

words! {
    /// What a post says of a service.
    Kind {
        /// It fails for me, or asking whether it is down.
        Report = "report",
        /// It works again.
        Recovery = "recovery",
        /// The service's own words.
        Official = "official",
        /// News, relays, anniversaries.
        Echo = "echo",
    }
}

words! {
    /// How far an official post goes.
    Stage { Acknowledged = "acknowledged", Resolved = "resolved" }
}

words! {
    /// How a status page speaks to programs: whose software it is.
    Dialect {
        /// Atlassian Statuspage and those that answer as it does, such as incident.io.
        Statuspage = "statuspage",
        Instatus = "instatus",
        BetterStack = "betterstack",
        Slack = "slack",
        /// Google Cloud and Google Workspace.
        Google = "google",
        Aws = "aws",
        Azure = "azure",
    }
}

words! {
    /// What fails.
    Symptom {
        Login = "login", Feed = "feed", Search = "search",
        /// Followers, account data gone or wrong.
        Profile = "profile",
        Upload = "upload", Playback = "playback", Messaging = "messaging", Crash = "crash", Slow = "slow",
        Payment = "payment", Notifications = "notifications", Connection = "connection", Other = "other",
    }
}

words! {
    /// Where it fails.
    Surface { App = "app", Web = "web", Api = "api" }
}

words! {
    /// What a region was read from.
    PlaceSource { Text = "text", Location = "location", Language = "language", Source = "source" }
}

/// What one post says of one service.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reading {
    pub service: ServiceId,
    pub kind: Kind,
    pub symptoms: Vec<Symptom>,
    pub surfaces: Vec<Surface>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    pub why: Vec<Span>,
}

/// A part of the text that decided a reading. `start` and `end` count bytes of the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Span {
    pub text: String,
    pub start: usize,
    pub end: usize,
    pub means: String,
}

/// Where a post's author is, as far as it can be told.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Place {
    pub code: Region,
    pub from: PlaceSource,
    /// The probability that the code is right, 0..1.
    pub confidence: f64,
}

/// How a post is read. `readings` is empty for a post about no outage now.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PostReading {
    pub readings: Vec<Reading>,
    pub region: Option<Place>,
}
