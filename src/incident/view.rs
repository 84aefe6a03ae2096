//! What the course of an incident may look at when a minute has closed.

use crate::count::{Exposure, Mention, Tally};
use crate::detect::Sample;
use crate::minute::Minute;
use crate::reading::ServiceId;
use crate::region::Region;
use crate::track::{NodeTrack, find};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// One service at the close of one minute.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub service: &'a ServiceId,
    pub minute: Minute,
    /// The clock at which what is found is said.
    pub said_at: DateTime<Utc>,
    pub exposure: &'a Exposure,
    /// Sorted by region.
    pub nodes: &'a [(Region, NodeTrack)],
    pub mentions: &'a BTreeMap<Minute, Vec<Mention>>,
}

impl<'a> View<'a> {
    /// Mentions of one kind in `[from, until]`, in the order of time.
    pub fn mentions(&self, tally: Tally, from: Minute, until: Minute) -> impl Iterator<Item = &'a Mention> + use<'a> {
        let minutes = if from <= until { Some(self.mentions.range(from..=until)) } else { None };
        minutes.into_iter().flatten().flat_map(|(_, mentions)| mentions).filter(move |mention| mention.tally == tally)
    }

    /// A region's minutes `[from, until]` for the interval estimators.
    pub fn samples(&self, region: Region, from: Minute, until: Minute) -> Vec<Sample> {
        let Some(node) = find(self.nodes, region) else { return Vec::new() };
        let parent = region.parent().and_then(|parent| find(self.nodes, parent));
        node.samples(from, until, parent, self.exposure)
    }
}
