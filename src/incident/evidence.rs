//! Which posts stand for a turn in an incident.

use super::view::View;
use crate::count::{KeyHash, Tally};
use crate::minute::Minute;
use std::collections::BTreeSet;

/// How many posts stand for one turn.
const EVIDENCE: usize = 5;

/// The first quotable posts of different people in `[from, until]`.
pub fn soonest(view: &View<'_>, tally: Tally, from: Minute, until: Minute) -> Vec<KeyHash> {
    let (mut authors, mut prints) = (BTreeSet::new(), BTreeSet::new());
    view.mentions(tally, from, until)
        .filter(|mention| mention.quotable && authors.insert(mention.author) && prints.insert(mention.print))
        .take(EVIDENCE)
        .map(|mention| mention.key)
        .collect()
}
