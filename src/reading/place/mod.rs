//! Where a post's author is: from the post's words, else from the author's location text, else, weakly, from the
//! language. The tables lie in data/places; docs/regions.md tells how they are made and what they cannot tell.

mod fold;
mod location;
mod names;
mod resolve;
mod table;
mod text;

use super::{Place, PlaceSource};
use crate::region::Region;
use names::{LANGUAGES, REGIONS, is_known};
use std::ops::Range;

/// From this confidence on, a place is sure enough to count its post in the region. A place read from the language
/// alone stays below: what a network gives as the language is often the default of the account.
pub const COUNTED_CONFIDENCE: f64 = 0.5;

/// What is left of a language's share of speakers in one country, since the language is often wrong.
const LANGUAGE_TRUST: f64 = 0.45;

/// What is known of the services that a post names.
#[derive(Clone, Debug, Default)]
pub struct Services {
    /// The bytes of the text that name them.
    pub names: Vec<Range<usize>>,
    /// The country that they serve, if it is one.
    pub country: Option<Region>,
}

/// The reader of places. It holds nothing: the tables are searched where they lie in the program.
#[derive(Clone, Copy, Debug)]
pub struct Places(());

impl Places {
    /// The tables that the program carries.
    pub fn embedded() -> Places {
        Places(())
    }

    /// Where the author of a post is. `location` is the author's own words on it, `lang` a BCP 47 tag.
    pub fn read(&self, text: &str, services: &Services, location: Option<&str>, lang: Option<&str>) -> Option<Place> {
        let place = |from: PlaceSource| move |(code, confidence): (Region, f64)| Place { code, from, confidence };
        let said = text::read(text, services, lang).map(|said| (said.region, said.confidence));
        said.map(place(PlaceSource::Text))
            .or_else(|| location.and_then(location::read).map(place(PlaceSource::Location)))
            .or_else(|| lang.and_then(language).map(place(PlaceSource::Language)))
    }

    /// The bytes of a post's own words that say where its author is, empty where they do not.
    pub fn said(&self, text: &str, services: &Services, lang: Option<&str>) -> Vec<Range<usize>> {
        text::read(text, services, lang).map(|said| said.ranges).unwrap_or_default()
    }

    /// Whether the end of a hashtag is a place: `uk` in `#tiktokdownuk`.
    pub fn ends_tag(&self, end: &str) -> bool {
        text::tagged(end).is_some()
    }

    /// The English name: `United States`, `Texas, US`, `the world`. None for a region that is never read.
    pub fn name(&self, region: Region) -> Option<&'static str> {
        if region == Region::WORLD { Some("the world") } else { REGIONS.get(region.as_str()) }
    }

    /// How an author would write the region as a location, so that it is read back surely; none where that cannot be.
    pub fn words(&self, region: Region) -> Option<String> {
        let code = region.as_str();
        let name = REGIONS.get(code)?;
        let part = code.contains('-').then(|| code.to_owned());
        let ways = part.into_iter().chain([name.to_owned(), format!("{name}, {code}")]);
        let sure = |place: Place| place.code == region && place.confidence >= COUNTED_CONFIDENCE;
        ways.into_iter().find(|words| self.read("", &Services::default(), Some(words), None).is_some_and(sure))
    }

    /// Whether a post can be counted in the region.
    pub fn known(&self, region: Region) -> bool {
        is_known(region)
    }
}

/// The country that a tag names (`en-GB`), or where most who speak the language live (`ja`). `US` in a tag says
/// nothing: it is the default of too many programs.
fn language(tag: &str) -> Option<(Region, f64)> {
    let mut subtags = tag.split(['-', '_']);
    let language = subtags.next()?.to_ascii_lowercase();
    let country = subtags.find(|subtag| subtag.len() == 2).filter(|country| !country.eq_ignore_ascii_case("US"));
    if let Some(region) = country.and_then(|country| country.parse().ok()).filter(|region| is_known(*region)) {
        return Some((region, LANGUAGE_TRUST));
    }
    let (country, share) = LANGUAGES.get(&language)?.split_once('\t')?;
    Some((country.parse().ok()?, share.parse::<f64>().ok()? * LANGUAGE_TRUST))
}

#[cfg(test)]
mod tests;
