//! Incident out, alert in: who is told of which turn, when, and that it arrives.
//!
//! [`desk`] decides, as a pure fold over incidents, and its rows are stored in the transaction that stores the incident;
//! [`message`] puts a row into words; [`receiver`] sends it. At least once, in order, one at a time for each receiver.

mod chat;
pub mod config;
pub mod desk;
mod mail;
pub mod message;
mod push;
pub mod receiver;
pub mod rule;
pub mod sender;
mod webhook;

use crate::incident::{Incident, State};
use crate::reading::words;
use crate::region::Region;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

words! {
    /// A turn that people are told of.
    News {
        Opening = "opening",
        /// It shows in more countries.
        Escalation = "escalation",
        Recovery = "recovery",
        /// After a recovery.
        Relapse = "relapse",
        /// What was said before is said otherwise now.
        Correction = "correction",
        /// It was no outage.
        Retraction = "retraction",
        /// Nothing is down: somebody tries the receiver out.
        Test = "test",
    }
}

/// One message to one receiver, and how far it has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub receiver: String,
    pub incident: String,
    /// From 1 for each incident and receiver.
    pub number: u32,
    /// Before it the row is not sent, and may be replaced.
    pub due: DateTime<Utc>,
    /// When it was delivered, or given up with an `error`.
    pub sent: Option<DateTime<Utc>>,
    /// Failed ones.
    pub tries: u32,
    pub error: Option<String>,
    /// What the receiver calls the message, where it can be edited.
    pub handle: Option<String>,
    pub body: Body,
}

impl Row {
    /// Names the message everywhere and always, so that a receiver can tell that it has it already.
    pub fn key(&self) -> String {
        format!("{}.{}", self.incident, self.number)
    }
}

/// What a message tells. It names no post: a deletion could not follow it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Body {
    pub news: News,
    /// When it would be due without quiet hours.
    pub ripe: DateTime<Utc>,
    pub said: Said,
    /// When the incident stood so.
    pub at: DateTime<Utc>,
    /// Without evidence.
    pub incident: Incident,
}

/// What a receiver knows of an incident once it has a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    pub down: bool,
    pub retracted: bool,
    pub countries: BTreeSet<Region>,
    pub corrections: usize,
    /// Recoveries and relapses that were told.
    pub turns: u32,
}

fn is_down<E>(incident: &Incident<E>) -> bool {
    incident.state != State::Resolved
}

/// A row to write, or one that was never due to take back.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    Put(Box<Row>),
    Drop { receiver: String, incident: String, number: u32 },
}
