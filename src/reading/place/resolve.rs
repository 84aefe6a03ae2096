//! From the names that a text holds to the one region that they mean together.

use super::table::Candidate;
use crate::region::Region;

/// The share of a name's weight that must lie in one region, for the name alone to mean it.
const DOMINANCE: f64 = 0.75;

/// What is left of the confidence where names in different parts of a country leave only the country.
const APART: f64 = 0.9;

/// The smallest region that the names agree on, and how sure the choice among their meanings is, 0..1.
/// None where they disagree about the country, or where no meaning dominates.
pub(super) fn resolve(names: &[Vec<Candidate>]) -> Option<(Region, f64)> {
    let names = supported(names);
    if names.is_empty() {
        return None;
    }
    let agreeing = agreeing(&names);
    let apart = agreeing.iter().any(Vec::is_empty);
    let meanings = if apart { &names } else { &agreeing };
    let chosen: Option<Vec<(Region, f64)>> = meanings.iter().map(|name| dominant(name)).collect();
    let chosen = chosen?;
    let deepest = *chosen.iter().max_by_key(|(region, _)| region.path().count())?;
    if chosen.iter().all(|(region, _)| region.contains(deepest.0)) {
        return Some(deepest);
    }
    let mut common = deepest.0;
    for (region, _) in &chosen {
        common = common.path().find(|ancestor| ancestor.contains(*region))?;
    }
    let share = chosen.iter().map(|(_, share)| *share).fold(1.0, f64::min);
    (common != Region::WORLD).then_some((common, share * APART))
}

/// The names without those of no weight that nothing beside them supports.
fn supported(names: &[Vec<Candidate>]) -> Vec<Vec<Candidate>> {
    let mut kept = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let others = names.iter().enumerate().filter(|(other, _)| *other != index).flat_map(|(_, other)| other);
        if name.iter().any(|candidate| candidate.weight > 0.0) {
            kept.push(name.clone());
        } else if others.into_iter().any(|other| name.iter().any(|candidate| agree(candidate.region, other.region))) {
            kept.push(name.iter().map(|candidate| Candidate { weight: 1.0, ..*candidate }).collect());
        }
    }
    kept
}

/// Each name's meanings that agree with some meaning of every other name.
fn agreeing(names: &[Vec<Candidate>]) -> Vec<Vec<Candidate>> {
    let agrees = |candidate: &Candidate| {
        names.iter().all(|other| other.iter().any(|meaning| agree(candidate.region, meaning.region)))
    };
    names.iter().map(|name| name.iter().filter(|candidate| agrees(candidate)).copied().collect()).collect()
}

/// Whether one region lies in the other.
fn agree(one: Region, other: Region) -> bool {
    one.contains(other) || other.contains(one)
}

/// The smallest region, `world` aside, that holds enough of a name's weight, and its share.
fn dominant(name: &[Candidate]) -> Option<(Region, f64)> {
    let total: f64 = name.iter().map(|candidate| candidate.weight).sum();
    let share = |region: Region| {
        name.iter().filter(|c| region.contains(c.region)).map(|c| c.weight).sum::<f64>() / total.max(f64::MIN_POSITIVE)
    };
    let heaviest = name.iter().max_by(|a, b| a.weight.total_cmp(&b.weight))?.region;
    let path = heaviest.path().filter(|region| *region != Region::WORLD);
    path.map(|region| (region, share(region))).find(|(_, share)| *share >= DOMINANCE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::place::table::candidates;

    fn resolved(names: &[&str]) -> Option<String> {
        let names: Vec<Vec<Candidate>> = names.iter().map(|name| candidates(name).collect()).collect();
        resolve(&names).map(|(region, _)| region.to_string())
    }

    #[test]
    fn a_name_alone_means_what_dominates() {
        assert_eq!(resolved(&["FR=2100 US-TX=25"]).as_deref(), Some("FR"));
        assert_eq!(resolved(&["US-MO=170 US-IL=114 US-MA=150"]).as_deref(), Some("US"));
        assert_eq!(resolved(&["GE=95 US-GA=77"]), None);
        assert_eq!(resolved(&["US-IN=0 IN=0"]), None);
        assert_eq!(resolved(&[]), None);
    }

    #[test]
    fn names_beside_each_other_decide() {
        assert_eq!(resolved(&["FR=2100 US-TX=25", "US-TX=0"]).as_deref(), Some("US-TX"));
        assert_eq!(resolved(&["US-AL=0 FR=0", "AL=0 US-AL=0", "US=1"]).as_deref(), Some("US-AL"));
        assert_eq!(resolved(&["US-NY=9", "US-CA=9"]).as_deref(), Some("US"));
        assert_eq!(resolved(&["US-NY=9", "GB-ENG=9"]), None);
    }
}
