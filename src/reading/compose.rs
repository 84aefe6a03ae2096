//! Puts together what one phrase says of a part, and another of trouble.

use super::lexicon::{Group, Part, Sense};
use super::names::{Case, Mention};
use super::phrases::{Hit, SERVICE_SIGN, bridges};
use std::ops::Range;

/// How far a part may stand from the name of its service, in bytes: 'reels on Instagram'.
const BY_NAME: usize = 8;

/// How far after both the trouble may stand, in bytes: scripts whose letters take several say more with each.
const SOON: usize = 25;

/// Adds that a part fails where a service's name, the part and trouble follow each other: 'Instagram stories just vanish', and
/// 'stories on Instagram just vanish'. What a phrase says already is left alone.
pub fn compose(text: &str, mentions: &[Mention], mut hits: Vec<Hit>) -> Vec<Hit> {
    let that = |wanted: fn(Sense) -> bool| -> Vec<Range<usize>> {
        hits.iter().filter(|hit| wanted(hit.sense)).map(|hit| hit.range.clone()).collect()
    };
    let fails = that(|sense| matches!(sense, Sense::Fails(_)));
    let troubles = that(|sense| sense == Sense::Says(Group::Trouble));
    let between = |start: usize, end: usize| text.get(start..end).filter(|between| bridges(between));
    let composed = |hit: &Hit| {
        let sense = match hit.sense {
            Sense::Part(part) => Sense::Fails(part),
            Sense::On(_) => Sense::Says(Group::Report),
            _ => return None,
        };
        let has_part = |name: &&Mention| {
            let (first, second) = (hit.range.end.min(name.range.end), hit.range.start.max(name.range.start));
            let beside = between(first, second).is_some_and(|between| between.len() <= BY_NAME);
            // An ordinary word with a capital is a name where it stands before its part: 'Teams calls'.
            let meant = name.sure || name.case == Case::Any || name.range.end <= hit.range.start;
            let own = !matches!(hit.sense, Sense::Part(Part::Own(owner, _)) if owner != name.service);
            beside && meant && own
        };
        let name = mentions.iter().find(has_part)?;
        let (start, end) = (hit.range.start.min(name.range.start), hit.range.end.max(name.range.end));
        let trouble = troubles.get(troubles.partition_point(|trouble| trouble.start < end))?;
        let gap = between(end, trouble.start)?;
        let said = fails.iter().any(|said| said.start < trouble.end && hit.range.start < said.end);
        // After a comma it may be of something else.
        let found = gap.len() <= SOON && !gap.contains([SERVICE_SIGN, ',', '、', '،']) && !said;
        found.then(|| Hit { range: start..trouble.end, last: trouble.clone(), sense, names_service: true })
    };
    let composed: Vec<Hit> = hits.iter().filter_map(composed).collect();
    if !composed.is_empty() {
        hits.extend(composed);
        hits.sort_by_key(|hit| (hit.range.start, std::cmp::Reverse(hit.range.end)));
    }
    hits
}
