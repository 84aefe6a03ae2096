//! From names and phrases to what is said of each service.

use super::clauses::{Clause, clause_at, clauses};
use super::lexicon::{Contest, Group, Sense};
use super::names::{Case, Mention};
use super::phrases::Hit;
use super::{Kind, fold};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;

/// What is said of one service, and what showed it.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    pub service: usize,
    pub kind: Kind,
    pub mentions: Vec<Mention>,
    pub hits: Vec<Hit>,
}

/// Names that stand in a list share what is said of them: 'Facebook, Instagram and WhatsApp are down'.
struct List {
    range: Range<usize>,
    mentions: Vec<Mention>,
    clause: usize,
    /// What is said of it, by the clause that says so.
    hits: Vec<(usize, Hit)>,
}

/// How far from an ordinary word may stand what shows that it is a name, in bytes, where a comma lies between.
const CLOSE: usize = 60;

/// How far from each other may stand the hints of one report, in bytes.
const BESIDE: usize = 100;

/// How far after a part may stand the trouble that it is in, in bytes: 'my reels just spin'.
const NEXT_TO: usize = 12;

/// Judges a masked text.
pub fn judge(text: &str, mentions: Vec<Mention>, hits: Vec<Hit>, joiners: &HashSet<String>) -> Vec<Verdict> {
    let hits = strongest(hits);
    if hits.iter().any(|hit| hit.sense == Sense::Says(Group::Veto)) {
        return Vec::new();
    }
    let mut lists = lists(text, mentions, joiners);
    let ranges: Vec<Range<usize>> = lists.iter().map(|list| list.range.clone()).collect();
    let clauses = clauses(text, &hits, &ranges);
    for list in &mut lists {
        list.clause = clause_at(&clauses, list.range.start);
    }
    let lists = meant(text, lists, &hits, &clauses);
    let lists = attribute(lists, &hits, &clauses);
    let echoes: Vec<&Hit> = hits.iter().filter(|hit| hit.sense == Sense::Says(Group::Echo)).collect();
    by_service(lists).into_iter().filter_map(|(service, said)| said.verdict(service, &echoes, &clauses)).collect()
}

/// Drops a phrase that lies within a longer one of its contest, and all that an idiom overlaps. Beside hints and what is in no
/// contest, all phrases are of one.
pub fn strongest(hits: Vec<Hit>) -> Vec<Hit> {
    let mut kept: Vec<Hit> = Vec::new();
    // Sorted by start, then the longer first: what is contained comes after what contains it.
    let mut reach: Option<Range<usize>> = None;
    let mut reached_by = Sense::Contrast;
    // How far the phrases reach that say which part fails.
    let mut exact: Option<Range<usize>> = None;
    for hit in hits {
        if matches!(hit.sense.contest(), None | Some(Contest::Hints)) {
            kept.push(hit);
            continue;
        }
        let within = |longer: &Option<Range<usize>>| longer.as_ref().is_some_and(|longer| hit.range.end <= longer.end);
        let alike = |longer: &Option<Range<usize>>| longer.as_ref() == Some(&hit.range);
        let names_part = matches!(hit.sense, Sense::Fails(_));
        // 'It fails' around 'log-in fails' takes nothing away from it.
        let more_exact = names_part && is_failing(reached_by) && !within(&exact);
        if !within(&reach) || more_exact || alike(&reach) {
            // News about an outage still speaks of an outage.
            if !within(&reach) && hit.sense != Sense::Says(Group::Echo) {
                reach = Some(hit.range.clone());
                reached_by = hit.sense;
            }
            if names_part {
                exact = Some(hit.range.clone());
            }
            kept.push(hit);
        } else if let Sense::Fails(part) = hit.sense {
            kept.push(Hit { sense: Sense::Part(part), ..hit });
        } else if stays_within(hit.sense) && is_failing(reached_by) {
            kept.push(hit);
        }
    }
    undo(kept)
}

/// Drops what an idiom overlaps, and of 'fine' and 'fails' that overlap the later: a negation comes first.
fn undo(hits: Vec<Hit>) -> Vec<Hit> {
    let idioms = ranges(&hits, |sense| sense == Sense::Says(Group::Idiom));
    let fine = ranges(&hits, |sense| sense == Sense::Says(Group::Fine));
    let failing = ranges(&hits, is_failing);
    let undone = |hit: &Hit| {
        let beside = |ranges: &[Range<usize>]| {
            let other = overlapping(ranges, &hit.range)?;
            let contains = hit.range.start <= other.start && other.end <= hit.range.end;
            (!contains).then_some(other.start < hit.range.start)
        };
        let last = hit.last.clone();
        let holds_last = |idiom: &Range<usize>| idiom.start <= last.start && last.end <= idiom.end && *idiom != last;
        let by_idiom = (beside(&idioms).is_some() || overlapping(&idioms, &last).is_some_and(holds_last))
            && hit.sense != Sense::Says(Group::Idiom);
        let fails = is_failing(hit.sense) || hit.sense == Sense::Says(Group::Trouble);
        let by_fine = fails && beside(&fine) == Some(true);
        let by_failing = hit.sense == Sense::Says(Group::Fine) && beside(&failing) == Some(true);
        by_idiom && hit.sense != Sense::Contrast || by_fine || by_failing
    };
    let undone: Vec<bool> = hits.iter().map(undone).collect();
    hits.into_iter().zip(undone).filter(|(_, undone)| !undone).map(|(hit, _)| hit).collect()
}

/// Whether the gap of a longer phrase does not take a phrase away: what speaks of the post as a whole, and an idiom,
/// which may undo the longer one's last part.
fn stays_within(sense: Sense) -> bool {
    matches!(sense, Sense::Says(Group::Echo | Group::Veto | Group::Idiom))
}

/// Whether a phrase says or asks that something fails.
fn is_failing(sense: Sense) -> bool {
    matches!(sense, Sense::Says(Group::Report | Group::Question) | Sense::Fails(_))
}

fn ranges(hits: &[Hit], wanted: impl Fn(Sense) -> bool) -> Vec<Range<usize>> {
    hits.iter().filter(|hit| wanted(hit.sense)).map(|hit| hit.range.clone()).collect()
}

/// The first of sorted ranges, none within another, that overlaps `range`.
fn overlapping<'a>(ranges: &'a [Range<usize>], range: &Range<usize>) -> Option<&'a Range<usize>> {
    let first = ranges.partition_point(|other| other.end <= range.start);
    ranges.get(first).filter(|other| other.start < range.end)
}

fn lists(text: &str, mentions: Vec<Mention>, joiners: &HashSet<String>) -> Vec<List> {
    let mut lists: Vec<List> = Vec::new();
    for mention in mentions {
        match lists.last_mut() {
            Some(list) if joins(text.get(list.range.end..mention.range.start), joiners) => {
                list.range.end = list.range.end.max(mention.range.end);
                list.mentions.push(mention);
            }
            _ => {
                lists.push(List { range: mention.range.clone(), mentions: vec![mention], clause: 0, hits: Vec::new() });
            }
        }
    }
    lists
}

/// Whether what stands between two names makes a list of them. `None` is the same name of two services.
fn joins(between: Option<&str>, joiners: &HashSet<String>) -> bool {
    const LONGEST: usize = 16;
    let Some(between) = between else { return true };
    between.len() <= LONGEST
        && !between.contains(['.', '!', '?', '\n', ';', ':'])
        && between.split(|ch| !fold::is_word(ch)).filter(|word| !word.is_empty()).all(|word| joiners.contains(word))
}

/// Leaves out the places that writers only came to, and ordinary words that name no service here.
fn meant(text: &str, lists: Vec<List>, hits: &[Hit], clauses: &[Clause]) -> Vec<List> {
    let says = |hit: &Hit, group| hit.sense == Sense::Says(group);
    let mut kept = Vec::new();
    for mut list in lists {
        let here = |hit: &&Hit| clause_at(clauses, hit.range.start) == list.clause;
        let refuge = hits.iter().any(|hit| says(hit, Group::Refuge) && names(hit, &list));
        let failing = |hit: &&Hit| is_failing(hit.sense);
        let beside =
            |hit: &Hit| hit.range.start.abs_diff(list.range.end) <= 1 || hit.range.end.abs_diff(list.range.start) <= 1;
        let stated = |hit: &Hit| matches!(hit.sense, Sense::Fails(_)) && here(&hit);
        let reported = hits
            .iter()
            .filter(failing)
            .any(|hit| names(hit, &list) || !hit.names_service && beside(hit) || stated(hit));
        let recalled = hits.iter().any(|hit| says(hit, Group::Echo) && names(hit, &list));
        // 'Is max down', and 'max down?'.
        let as_question = |hit: &Hit| {
            hit.range.start < list.range.start || text.get(hit.range.clone()).is_some_and(|said| said.ends_with('?'))
        };
        let asked = hits.iter().any(|hit| says(hit, Group::Question) && names(hit, &list) && as_question(hit));
        // 'my signal login codes never arrive'.
        let named = hits.iter().any(|hit| matches!(hit.sense, Sense::Fails(_)) && names(hit, &list));
        let well = |hit: &Hit| says(hit, Group::Recovery) || says(hit, Group::Fine);
        let sentence = |clause: usize| clauses.get(clause).map_or(0, |clause| clause.sentence);
        let same_sentence = |hit: &Hit| sentence(clause_at(clauses, hit.range.start)) == sentence(list.clause);
        let close = |hit: &Hit| distance(&hit.range, &list.range) <= CLOSE;
        let part_fails = |hit: &Hit| matches!(hit.sense, Sense::Fails(_)) && close(hit);
        let spoken = reported
            || hits.iter().any(|hit| part_fails(hit) && same_sentence(hit))
            || hits.iter().filter(here).any(|hit| is_failing(hit.sense))
            || hits.iter().any(|hit| well(hit) && (names(hit, &list) || beside(hit)));
        let near: BTreeSet<usize> = hits
            .iter()
            .filter(here)
            .filter_map(|hit| if let Sense::Near(service) = hit.sense { Some(service) } else { None })
            .collect();
        list.mentions.retain(|mention| {
            let shown = recalled || if mention.case == Case::Any { spoken } else { reported };
            let near = near.contains(&mention.service);
            let meant = if mention.case == Case::Small {
                asked || named || near && (spoken || hits.iter().any(part_fails))
            } else {
                mention.sure || shown || near
            };
            mention.down_tag || !refuge && meant
        });
        if !list.mentions.is_empty() {
            kept.push(list);
        }
    }
    kept
}

/// The bytes between two ranges.
fn distance(a: &Range<usize>, b: &Range<usize>) -> usize {
    a.start.saturating_sub(b.end).max(b.start.saturating_sub(a.end))
}

/// Whether a phrase with `{s}` in it speaks of this list.
fn names(hit: &Hit, list: &List) -> bool {
    hit.names_service
        && list.mentions.iter().any(|named| hit.range.start <= named.range.start && named.range.end <= hit.range.end)
}

/// Gives each phrase to the services that it speaks of: those it names, else the nearest.
fn attribute(mut lists: Vec<List>, hits: &[Hit], clauses: &[Clause]) -> Vec<List> {
    for hit in hits {
        let clause = clause_at(clauses, hit.range.start);
        if hit.names_service {
            let named = lists.iter_mut().filter(|list| names(hit, list));
            named.for_each(|list| list.hits.push((clause, hit.clone())));
        } else if let Some(list) = nearest(&lists, hit, clause, clauses).and_then(|place| lists.get_mut(place)) {
            list.hits.push((clause, hit.clone()));
        }
    }
    lists
}

/// The list that a phrase without a name speaks of: the nearest in its clause, else the last one before it, else the
/// first after it, at most a sentence away.
fn nearest(lists: &[List], hit: &Hit, clause: usize, clauses: &[Clause]) -> Option<usize> {
    let here = lists.iter().enumerate().filter(|(_, list)| list.clause == clause);
    if let Some((place, _)) = here.min_by_key(|(_, list)| distance(&list.range, &hit.range)) {
        return Some(place);
    }
    let sentence = |clause: usize| clauses.get(clause).map_or(0, |clause| clause.sentence);
    let close = |list: &List| sentence(list.clause).abs_diff(sentence(clause)) <= 1;
    let after = lists.partition_point(|list| list.range.start < hit.range.start);
    let before = after.checked_sub(1).filter(|place| lists.get(*place).is_some_and(close));
    before.or_else(|| lists.get(after).filter(|list| close(list)).map(|_| after))
}

#[derive(Default)]
struct Said {
    mentions: Vec<Mention>,
    hits: Vec<(usize, Hit)>,
}

fn by_service(lists: Vec<List>) -> BTreeMap<usize, Said> {
    let mut services: BTreeMap<usize, Said> = BTreeMap::new();
    for list in lists {
        for mention in list.mentions {
            let said = services.entry(mention.service).or_default();
            said.mentions.push(mention);
            said.hits.extend(list.hits.iter().cloned());
        }
    }
    services
}

impl Said {
    fn clauses_with(&self, groups: &[Group]) -> BTreeSet<usize> {
        let hits = self.hits.iter().filter(|(_, hit)| groups.iter().any(|group| hit.sense == Sense::Says(*group)));
        hits.map(|(clause, _)| *clause).collect()
    }

    /// Keeps the hints where they decide: trouble of one alone may be the own device's, but what others have too is a
    /// report, if nothing says so better. `unreal` are the clauses that only remember or suppose.
    fn weigh_hints(&mut self, unreal: &BTreeSet<usize>) {
        let real = self.hits.iter().filter(|(clause, _)| !unreal.contains(clause)).map(|(_, hit)| hit);
        let that_say = |group| real.clone().filter(move |hit| hit.sense == Sense::Says(group));
        let stated =
            that_say(Group::Report).next().is_some() || real.clone().any(|hit| matches!(hit.sense, Sense::Fails(_)));
        let beside =
            |trouble: &Hit| that_say(Group::Shared).any(|shared| distance(&trouble.range, &shared.range) <= BESIDE);
        if stated || !that_say(Group::Trouble).any(beside) {
            self.hits.retain(|(_, hit)| hit.sense.contest() != Some(Contest::Hints));
        }
    }

    /// The parts of which the next words say that something is wrong. `self.hits` are sorted.
    fn parts_in_trouble(&self, unreal: &BTreeSet<usize>) -> HashSet<Range<usize>> {
        let real = |wanted: &dyn Fn(Sense) -> bool| -> Vec<(usize, Range<usize>)> {
            let real = self.hits.iter().filter(|(clause, hit)| wanted(hit.sense) && !unreal.contains(clause));
            real.map(|(clause, hit)| (*clause, hit.range.clone())).collect()
        };
        let troubles = real(&|sense| sense == Sense::Says(Group::Trouble));
        let in_trouble = |(clause, part): &(usize, Range<usize>)| {
            let next = troubles.get(troubles.partition_point(|(_, trouble)| trouble.start < part.end));
            next.is_some_and(|(other, trouble)| other == clause && distance(trouble, part) <= NEXT_TO)
        };
        real(&is_part).into_iter().filter(in_trouble).map(|(_, part)| part).collect()
    }

    fn verdict(mut self, service: usize, echoes: &[&Hit], clauses: &[Clause]) -> Option<Verdict> {
        self.hits.sort_by_key(|(_, hit)| (hit.range.start, hit.range.end));
        self.hits.dedup();
        let tagged = self.mentions.iter().any(|mention| mention.down_tag);
        let unreal = self.clauses_with(&[Group::Past, Group::Hypothetical]);
        let fine = self.clauses_with(&[Group::Fine]);
        let in_trouble = self.parts_in_trouble(&unreal);
        self.weigh_hints(&unreal);
        let last = |wanted: &dyn Fn(Sense) -> bool| {
            let real = self.hits.iter().filter(|(clause, _)| !unreal.contains(clause));
            real.filter(|(_, hit)| wanted(hit.sense)).map(|(_, hit)| hit.range.start).max()
        };
        let report = last(&|sense| matches!(sense, Sense::Says(Group::Report | Group::Trouble) | Sense::Fails(_)));
        let question = last(&|sense| sense == Sense::Says(Group::Question));
        let recovery = last(&|sense| sense == Sense::Says(Group::Recovery));
        let mentioned = self.hits.iter().any(|(_, hit)| {
            matches!(
                hit.sense,
                Sense::Says(Group::Report | Group::Question | Group::Recovery | Group::Past) | Sense::Fails(_)
            )
        });
        let kind = if !echoes.is_empty() {
            (tagged || mentioned).then_some(Kind::Echo)?
        } else if recovery.is_some() && recovery >= report {
            Kind::Recovery
        } else if report.is_some() || fine.is_empty() && (question.is_some() || tagged && unreal.is_empty()) {
            Kind::Report
        } else {
            return None;
        };
        let deciding = |sense| decides(sense, kind) && !is_part(sense);
        let mut stated: BTreeSet<usize> =
            self.hits.iter().filter(|(_, hit)| deciding(hit.sense)).map(|(clause, _)| *clause).collect();
        if kind == Kind::Recovery {
            // 'It is back, four bars': what works again is told in the same breath.
            let sentence = |clause: &usize| clauses.get(*clause).map(|clause| clause.sentence);
            let sentences: BTreeSet<Option<usize>> = stated.iter().map(sentence).collect();
            let told = self.hits.iter().map(|(clause, _)| clause);
            stated.extend(told.filter(|clause| sentences.contains(&sentence(clause))));
        }
        let exact: BTreeSet<usize> = self
            .hits
            .iter()
            .filter(|(_, hit)| matches!(hit.sense, Sense::Fails(_)))
            .map(|(clause, _)| *clause)
            .collect();
        let told: BTreeSet<usize> =
            exact.union(&self.clauses_with(&[Group::Report, Group::Question, Group::Recovery])).copied().collect();
        // 'Can't log in' says more than a word for a part, and a word counts only beside what happened to it.
        let heard = |clause: &usize, hit: &Hit| {
            if let Sense::On(_) = hit.sense {
                // 'the app works' says nothing of what fails.
                return told.contains(clause) || !fine.contains(clause);
            }
            let fails = || tagged && exact.is_empty() || stated.contains(clause) || in_trouble.contains(&hit.range);
            !is_part(hit.sense) || !exact.contains(clause) && fails()
        };
        let hits = self.hits.into_iter().filter(|(clause, hit)| decides(hit.sense, kind) && heard(clause, hit));
        let mut hits: Vec<Hit> = hits.map(|(_, hit)| hit).collect();
        if kind == Kind::Echo {
            hits.extend(echoes.iter().map(|hit| (*hit).clone()));
        }
        Some(Verdict { service, kind, mentions: self.mentions, hits })
    }
}

/// Whether a phrase only names a part.
fn is_part(sense: Sense) -> bool {
    matches!(sense, Sense::Part(_))
}

/// Whether a phrase belongs to the reasons for a reading of this kind.
fn decides(sense: Sense, kind: Kind) -> bool {
    match sense {
        Sense::Says(Group::Report | Group::Question) => kind != Kind::Recovery,
        Sense::Says(Group::Recovery) => kind != Kind::Report,
        Sense::Says(Group::Trouble | Group::Shared) => kind == Kind::Report,
        Sense::Fails(_) | Sense::Part(_) | Sense::On(_) => true,
        _ => false,
    }
}
