//! Which posts stand for a turn in an incident.

use super::view::View;
use crate::count::{KeyHash, Mention, Tally};
use crate::minute::Minute;
use std::collections::BTreeSet;

/// How many posts stand for one turn.
const EVIDENCE: usize = 5;

/// The first quotable posts of different people in `[from, until]`.
pub fn soonest(view: &View<'_>, tally: Tally, from: Minute, until: Minute) -> Vec<KeyHash> {
    pick(view.mentions(tally, from, until))
}

/// Posts that name what they speak of, from `[from, until]`; else the first ones.
pub fn quotable_between(view: &View<'_>, tally: Tally, from: Minute, until: Minute) -> Vec<KeyHash> {
    let telling = pick(view.mentions(tally, from, until).filter(|mention| !mention.surfaces.is_empty()));
    if telling.is_empty() { soonest(view, tally, from, until) } else { telling }
}

fn pick<'a>(mentions: impl Iterator<Item = &'a Mention>) -> Vec<KeyHash> {
    let (mut authors, mut prints) = (BTreeSet::new(), BTreeSet::new());
    mentions
        .filter(|mention| mention.quotable && authors.insert(mention.author) && prints.insert(mention.print))
        .take(EVIDENCE)
        .map(|mention| mention.key)
        .collect()
}
