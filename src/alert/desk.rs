//! Decides who is told what: a fold over the incidents as they change, without I/O or a clock.
//!
//! Of an incident a receiver is told at most one thing at a time. A message that is not due yet is held: it is written
//! anew with every change, and taken back when it no longer holds, so that what flaps is not told.

use super::rule::Rule;
use super::{Body, Change, News, Row, Said, is_down};
use crate::incident::Incident;
use crate::source::limits::backoff;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long more countries, and corrections, are gathered before they are told.
const GATHER: TimeDelta = TimeDelta::minutes(15);
/// How long a turn after a relapse must hold; twice as long after each further one.
const SETTLE: TimeDelta = TimeDelta::minutes(10);
/// It is not told of fewer new countries than this share of those told before.
const GROWTH: f64 = 0.5;
const RETRY: Duration = Duration::from_secs(5);
const RETRY_AT_MOST: Duration = Duration::from_secs(900);
/// What cannot be delivered for so long is given up.
const GIVE_UP: TimeDelta = TimeDelta::days(3);

/// What became of an attempt to deliver.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Delivered {
        handle: Option<String>,
    },
    /// The receiver will not take this message, however often it is sent.
    Refused(String),
    /// To be tried again, after so long where the receiver says it.
    Failed {
        why: String,
        wait: Option<Duration>,
    },
}

/// A message to deliver now.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    pub row: Row,
    /// The message that this one may replace.
    pub edits: Option<String>,
}

#[derive(Default)]
pub struct Desk {
    rules: Vec<Rule>,
    receivers: BTreeSet<String>,
    /// By receiver and incident, in the order of their numbers.
    threads: BTreeMap<(String, String), Vec<Row>>,
    /// Receivers that a message is under way to.
    busy: BTreeSet<String>,
    /// Receivers that are not tried before a time.
    resting: BTreeMap<String, DateTime<Utc>>,
}

impl Desk {
    /// Goes on where the stored rows stand.
    pub fn new(rules: Vec<Rule>, stored: Vec<Row>) -> Desk {
        let receivers = rules.iter().flat_map(|rule| rule.send_to.iter().cloned()).collect();
        let mut threads: BTreeMap<_, Vec<Row>> = BTreeMap::new();
        for row in stored {
            threads.entry((row.receiver.clone(), row.incident.clone())).or_default().push(row);
        }
        for rows in threads.values_mut() {
            rows.sort_by_key(|row| row.number);
        }
        Desk { rules, receivers, threads, busy: BTreeSet::new(), resting: BTreeMap::new() }
    }

    /// What is to be written because an incident stands as it does now.
    pub fn consider<E: Clone>(&mut self, incident: &Incident<E>, now: DateTime<Utc>) -> Vec<Change> {
        let mut changes = Vec::new();
        for receiver in &self.receivers {
            let key = (receiver.clone(), incident.id.clone());
            let rows = self.threads.entry(key).or_default();
            let held = rows.pop_if(|row| row.due > now && row.sent.is_none());
            let said = rows.last().map(|row| &row.body.said);
            let rule = self.rules.iter().find(|rule| rule.takes(receiver, incident, said.is_some()));
            let next = rule.and_then(|rule| Some((rule, news(rule, incident, said, held.as_ref(), now)?)));
            let Some((rule, news)) = next else {
                changes.extend(held.map(|row| Change::Drop {
                    receiver: row.receiver,
                    incident: row.incident,
                    number: row.number,
                }));
                continue;
            };
            let before = held.as_ref().filter(|row| row.body.news == news);
            let ripe = before.map_or_else(|| ripe(rule, incident, said, news, now), |row| row.body.ripe);
            let row = Row {
                receiver: receiver.clone(),
                incident: incident.id.clone(),
                number: rows.len() as u32 + 1,
                due: rule.awake(ripe.max(now)),
                sent: None,
                tries: 0,
                error: None,
                handle: None,
                body: Body { news, ripe, said: after(said, rule, incident, news), at: now, incident: bare(incident) },
            };
            rows.push(row.clone());
            changes.push(Change::Put(Box::new(row)));
        }
        changes
    }

    /// The messages that are due: for each receiver the first, unless one is under way to it.
    pub fn next(&mut self, now: DateTime<Utc>) -> Vec<Task> {
        let mut tasks = Vec::new();
        for receiver in &self.receivers {
            if self.busy.contains(receiver) || self.resting.get(receiver).is_some_and(|until| *until > now) {
                continue;
            }
            let of_receiver = self.threads.iter().filter(|((name, _), _)| name == receiver);
            let waiting = of_receiver.flat_map(|(_, rows)| rows).filter(|row| row.sent.is_none() && row.due <= now);
            let Some(row) = waiting.min_by_key(|row| (row.due, &row.incident, row.number)).cloned() else { continue };
            let thread = self.threads.get(&(row.receiver.clone(), row.incident.clone()));
            let edits = thread.and_then(|rows| rows.iter().rev().find_map(|row| row.handle.clone()));
            self.busy.insert(receiver.clone());
            tasks.push(Task { row, edits });
        }
        tasks
    }

    /// Takes note of what became of a message.
    pub fn settle(&mut self, row: &Row, outcome: Outcome, now: DateTime<Utc>) -> Option<Change> {
        self.busy.remove(&row.receiver);
        let rows = self.threads.get_mut(&(row.receiver.clone(), row.incident.clone()))?;
        let row = rows.iter_mut().find(|known| known.number == row.number)?;
        match outcome {
            Outcome::Delivered { handle } => {
                row.sent = Some(now);
                row.handle = handle;
                row.error = None;
            }
            Outcome::Refused(why) => {
                row.sent = Some(now);
                row.error = Some(why);
            }
            Outcome::Failed { why, wait } => {
                row.tries = row.tries.saturating_add(1);
                row.error = Some(why);
                let wait = wait.unwrap_or_else(|| backoff(row.tries, RETRY, RETRY_AT_MOST));
                self.resting.insert(row.receiver.clone(), now + TimeDelta::from_std(wait).unwrap_or(GATHER));
                if now - row.due > GIVE_UP {
                    row.sent = Some(now);
                }
            }
        }
        Some(Change::Put(Box::new(row.clone())))
    }
}

/// What is new for a receiver that knows `said`, if the rule tells it.
fn news<E>(
    rule: &Rule,
    incident: &Incident<E>,
    said: Option<&Said>,
    held: Option<&Row>,
    now: DateTime<Utc>,
) -> Option<News> {
    let down = is_down(incident);
    let Some(said) = said else {
        if incident.retracted_at.is_some() {
            return None;
        }
        // What only quiet hours have held back is told though it is over.
        let kept_quiet = held.is_some_and(|row| row.body.ripe <= now);
        return match (down, kept_quiet) {
            (true, _) => Some(News::Opening).filter(|news| rule.tells(*news)),
            (false, true) => Some(News::Recovery),
            (false, false) => None,
        };
    };
    if said.retracted {
        return None;
    }
    let fresh = countries(rule, incident).difference(&said.countries).count();
    let all = [
        (News::Retraction, incident.retracted_at.is_some()),
        (News::Recovery, said.down && !down),
        (News::Relapse, !said.down && down),
        (News::Escalation, down && fresh > 0 && fresh as f64 >= GROWTH * said.countries.len() as f64),
        (News::Correction, incident.corrections.len() > said.corrections),
    ];
    all.into_iter().find(|(news, holds)| *holds && rule.tells(*news)).map(|(news, _)| news)
}

fn countries<E>(rule: &Rule, incident: &Incident<E>) -> BTreeSet<crate::region::Region> {
    let covered = incident.regions.iter().filter(|impact| impact.region.is_country() && rule.covers(impact));
    covered.map(|impact| impact.region).collect()
}

/// When a message is due, quiet hours aside.
fn ripe<E>(rule: &Rule, incident: &Incident<E>, said: Option<&Said>, news: News, now: DateTime<Utc>) -> DateTime<Utc> {
    let turns = said.map_or(0, |said| said.turns);
    match news {
        News::Opening => incident.start.estimate + TimeDelta::minutes(rule.minutes.into()),
        News::Escalation | News::Correction => now + GATHER,
        // The first recovery and the first relapse are told at once.
        News::Recovery | News::Relapse if turns >= 2 => now + SETTLE * 2_i32.pow((turns - 2).min(5)),
        News::Recovery | News::Relapse | News::Retraction | News::Test => now,
    }
}

/// What the receiver knows when it has this message.
fn after<E>(said: Option<&Said>, rule: &Rule, incident: &Incident<E>, news: News) -> Said {
    let before = said.cloned().unwrap_or_default();
    let mut countries = countries(rule, incident);
    countries.extend(before.countries);
    Said {
        down: is_down(incident),
        retracted: incident.retracted_at.is_some(),
        countries,
        corrections: incident.corrections.len(),
        turns: before.turns + u32::from(matches!(news, News::Recovery | News::Relapse)),
    }
}

/// The incident without its evidence.
fn bare<E: Clone>(incident: &Incident<E>) -> Incident {
    incident.clone().map_evidence(|_| None)
}

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
