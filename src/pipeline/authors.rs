//! Where authors are whose profiles were looked up: kept as regions under the authors' keyed hashes, as long as the keys
//! of their posts.

use super::person::Persons;
use crate::minute::Minute;
use crate::post::Post;
use crate::reading::place::{COUNTED_CONFIDENCE, Places, Services};
use crate::reading::{Kind, Reader};
use crate::region::Region;
use crate::source::profiles::{self, Place};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An author's region, `world` where the profile says none, and when it was learnt.
pub type Known = BTreeMap<u64, (Region, Minute)>;

/// Shared between the sources, which ask, and the pipeline, which stores.
pub struct Authors {
    reader: Arc<Reader>,
    persons: Persons,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    known: Known,
    /// Not stored yet.
    new: Known,
}

impl Authors {
    pub fn new(reader: Arc<Reader>, persons: Persons, known: Known) -> Authors {
        Authors { reader, persons, memory: Mutex::new(Memory { known, new: Known::new() }) }
    }

    /// What was learnt since this was last asked.
    pub fn take_new(&self) -> Known {
        std::mem::take(&mut self.memory().new)
    }

    pub fn forget_before(&self, minute: Minute) {
        self.memory().known.retain(|_, (_, learnt)| *learnt >= minute);
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl profiles::Authors for Authors {
    fn place(&self, post: &Post) -> Place {
        if post.location.is_some() {
            return Place::Settled;
        }
        let read = self.reader.read(post);
        let reports = read.readings.iter().any(|reading| reading.kind == Kind::Report);
        if !reports || read.region.is_some_and(|place| place.confidence >= COUNTED_CONFIDENCE) {
            return Place::Settled;
        }
        match self.memory().known.get(&self.persons.author(&post.source, &post.author)) {
            None => Place::Unknown,
            Some((region, _)) => Places::embedded().words(*region).map_or(Place::Settled, Place::Known),
        }
    }

    fn learn(&self, post: &Post, about: Option<&str>, now: DateTime<Utc>) {
        let place = about.and_then(|about| Places::embedded().read("", &Services::default(), Some(about), None));
        let region =
            place.filter(|place| place.confidence >= COUNTED_CONFIDENCE).map_or(Region::WORLD, |place| place.code);
        let author = self.persons.author(&post.source, &post.author);
        let mut memory = self.memory();
        memory.known.insert(author, (region, Minute::of(now)));
        memory.new.insert(author, (region, Minute::of(now)));
    }
}
