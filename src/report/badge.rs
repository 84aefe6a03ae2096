//! A state in a word and a mark, so that it is never told by colour alone.

use crate::answer::Health;
use crate::incident::{Incident, State};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Badge {
    /// Its class in the style.
    pub class: &'static str,
    /// A sign of its own shape.
    pub mark: &'static str,
    pub word: &'static str,
}

impl Badge {
    const fn new(class: &'static str, mark: &'static str, word: &'static str) -> Badge {
        Badge { class, mark, word }
    }

    pub fn of_health(health: Health) -> Badge {
        match health {
            Health::Up => Badge::new("up", "✓", "up"),
            Health::Down => Badge::new("down", "▼", "down"),
            Health::Recovering => Badge::new("recovering", "◐", "recovering"),
            Health::Unknown => Badge::new("unknown", "?", "not known"),
        }
    }

    pub fn of_incident<E>(incident: &Incident<E>) -> Badge {
        match incident.state {
            _ if incident.retracted_at.is_some() => Badge::new("retracted", "✕", "retracted"),
            State::Ongoing => Badge::new("down", "▼", "going on"),
            State::Recovering => Badge::new("recovering", "◐", "recovering"),
            State::Resolved => Badge::new("over", "✓", "over"),
        }
    }

    pub fn html(self) -> String {
        let Badge { class, mark, word } = self;
        format!("<span class=\"badge {class}\"><span aria-hidden=\"true\">{mark}</span> {word}</span>")
    }
}
