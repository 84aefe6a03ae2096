use super::*;
use crate::alert::rule::Rule;
use crate::incident::{Correction, RegionalImpact, State};
use crate::report::fixture;

fn rule(text: &str) -> Rule {
    toml::from_str(&format!("send_to = [\"ops\"]\n{text}")).unwrap()
}

fn desk(text: &str) -> Desk {
    Desk::new(vec![rule(text)], Vec::new())
}

fn at(clock: &str) -> DateTime<Utc> {
    fixture::at(clock)
}

/// An incident that began at 20:02 and is seen in so many countries.
fn ongoing(countries: usize) -> Incident {
    let mut incident = fixture::finished().incident;
    incident.state = State::Ongoing;
    incident.end = None;
    let world = incident.regions[0].clone();
    let codes = ["US", "GB", "JP", "BR", "FR", "DE"].map(|code| code.parse().unwrap());
    incident.regions =
        codes[..countries].iter().map(|region| RegionalImpact { region: *region, ..world.clone() }).collect();
    incident.regions.insert(0, world);
    incident
}

fn over() -> Incident {
    Incident { state: State::Resolved, end: fixture::finished().incident.end, ..ongoing(1) }
}

/// What is sent at once by the clock; everything arrives.
fn sent(desk: &mut Desk, now: DateTime<Utc>) -> Vec<(String, News)> {
    let mut all = Vec::new();
    loop {
        let tasks = desk.next(now);
        if tasks.is_empty() {
            return all;
        }
        for task in tasks {
            desk.settle(&task.row, Outcome::Delivered { handle: None }, now);
            all.push((task.row.key(), task.row.body.news));
        }
    }
}

fn news_at(desk: &mut Desk, incident: &Incident, clock: &str) -> Vec<News> {
    desk.consider(incident, at(clock));
    sent(desk, at(clock)).into_iter().map(|(_, news)| news).collect()
}

#[test]
fn opening_and_recovery_are_told_once() {
    let mut desk = desk("");
    assert_eq!(news_at(&mut desk, &ongoing(1), "20:06"), [News::Opening]);
    assert_eq!(news_at(&mut desk, &ongoing(1), "20:07"), []);
    assert_eq!(news_at(&mut desk, &over(), "21:50"), [News::Recovery]);
    assert_eq!(news_at(&mut desk, &over(), "21:51"), []);
}

#[test]
fn more_countries_are_gathered_and_told_together() {
    let mut desk = desk("");
    assert_eq!(news_at(&mut desk, &ongoing(1), "20:06"), [News::Opening]);
    assert_eq!(news_at(&mut desk, &ongoing(2), "20:08"), [], "gathered first");
    assert_eq!(news_at(&mut desk, &ongoing(3), "20:20"), []);
    // Nothing changes any more: it is due by itself, and tells of all.
    let tasks = desk.next(at("20:23"));
    assert_eq!(tasks.len(), 1);
    assert_eq!((tasks[0].row.body.news, tasks[0].row.number), (News::Escalation, 2));
    assert_eq!(tasks[0].row.body.said.countries.len(), 3);
    desk.settle(&tasks[0].row, Outcome::Delivered { handle: None }, at("20:23"));
    assert_eq!(news_at(&mut desk, &ongoing(4), "20:50"), [], "one more after three is no news");
    assert!(desk.next(at("21:30")).is_empty());
}

#[test]
fn flapping_is_not_told() {
    let mut desk = desk("");
    let mut told = Vec::new();
    for minute in 0..120 {
        let incident = if minute % 3 == 2 { over() } else { ongoing(1) };
        let now = at("20:06") + TimeDelta::minutes(minute);
        desk.consider(&incident, now);
        told.extend(sent(&mut desk, now).into_iter().map(|(_, news)| news));
    }
    assert_eq!(told, [News::Opening, News::Recovery, News::Relapse], "then it must settle");
    // Once it has, that is told.
    desk.consider(&over(), at("22:10"));
    assert_eq!(sent(&mut desk, at("22:30")).len(), 1);
}

#[test]
fn corrections_and_a_retraction_are_told() {
    let mut desk = desk("");
    assert_eq!(news_at(&mut desk, &ongoing(1), "20:06"), [News::Opening]);
    let mut corrected = ongoing(1);
    let correction = |what: &str| Correction {
        at: at("20:20"),
        what: what.to_owned(),
        from: "a".to_owned(),
        to: "b".to_owned(),
        why: "more is known".to_owned(),
    };
    corrected.corrections.push(correction("start"));
    desk.consider(&corrected, at("20:20"));
    assert_eq!(sent(&mut desk, at("20:35")), [("examplegram-20240305T2002Z.2".to_owned(), News::Correction)]);
    corrected.retracted_at = Some(at("20:40"));
    assert_eq!(news_at(&mut desk, &corrected, "20:40"), [News::Retraction]);
    assert_eq!(news_at(&mut desk, &corrected, "20:50"), []);
    assert_eq!(news_at(&mut self::desk(""), &corrected, "20:40"), [], "who knew nothing hears nothing");
}

#[test]
fn a_rule_limits_what_is_told() {
    for (text, told) in [
        ("services = [\"examplegram\"]", true),
        ("services = [\"tiktok\"]", false),
        ("regions = [\"GB\"]", true),
        ("regions = [\"US-TX\"]", false),
        ("regions = [\"BR\"]", false),
        ("confidence = 0.999", true),
        ("confidence = 0.9999", false),
        ("tell = [\"recovery\"]", false),
        ("minutes = 3", true),
    ] {
        let mut desk = desk(text);
        let expected: &[News] = if told { &[News::Opening] } else { &[] };
        assert_eq!(news_at(&mut desk, &ongoing(2), "20:06"), expected, "{text}");
    }
}

#[test]
fn what_is_over_too_soon_is_not_told() {
    let mut desk = desk("minutes = 30");
    assert_eq!(news_at(&mut desk, &ongoing(1), "20:06"), []);
    let changes = desk.consider(&over(), at("20:20"));
    assert!(matches!(changes[..], [Change::Drop { number: 1, .. }]), "{changes:?}");
    assert!(desk.next(at("23:00")).is_empty());
    assert_eq!(news_at(&mut self::desk("minutes = 30"), &ongoing(1), "20:32"), [News::Opening]);
}

#[test]
fn quiet_hours_hold_back_and_lose_nothing() {
    let quiet = "quiet = { from = \"20:00\", until = \"22:00\", zone = \"UTC\" }";
    let mut held = desk(quiet);
    assert_eq!(news_at(&mut held, &ongoing(1), "20:06"), []);
    assert_eq!(sent(&mut held, at("22:00")).len(), 1, "told when they are over");
    let mut missed = desk(quiet);
    assert_eq!(news_at(&mut missed, &ongoing(1), "20:06"), []);
    assert_eq!(news_at(&mut missed, &over(), "21:50"), []);
    let told: Vec<News> = sent(&mut missed, at("22:00")).into_iter().map(|(_, news)| news).collect();
    assert_eq!(told, [News::Recovery], "in one message");
}

#[test]
fn a_failing_receiver_gets_everything_in_order_and_once() {
    let mut desk = desk("");
    desk.consider(&ongoing(1), at("20:06"));
    let fail = || Outcome::Failed { why: "refused".to_owned(), wait: Some(Duration::from_secs(60)) };
    let first = desk.next(at("20:06"));
    assert!(desk.next(at("20:06")).is_empty(), "one at a time");
    assert!(desk.settle(&first[0].row, fail(), at("20:06")).is_some());
    desk.consider(&over(), at("21:50"));
    let again = desk.next(at("21:50"));
    assert_eq!(again[0].row.body.news, News::Opening, "the opening goes first");
    let stored = desk.settle(&again[0].row, fail(), at("21:50"));
    assert!(matches!(&stored, Some(Change::Put(row)) if row.tries == 2 && row.error.is_some()));
    assert!(desk.next(at("21:50")).is_empty(), "it rests");
    let told: Vec<News> = sent(&mut desk, at("21:52")).into_iter().map(|(_, news)| news).collect();
    assert_eq!(told, [News::Opening, News::Recovery]);
}

#[test]
fn a_restart_goes_on_from_the_rows() {
    let mut before = desk("");
    let mut rows = Vec::new();
    for change in before.consider(&ongoing(1), at("20:06")) {
        let Change::Put(row) = change else { panic!("nothing was held") };
        rows.push(*row);
    }
    let mut after = Desk::new(vec![rule("")], rows);
    assert!(after.consider(&ongoing(1), at("20:07")).is_empty(), "it is written already");
    assert_eq!(sent(&mut after, at("20:07")).len(), 1);
    assert!(after.next(at("20:08")).is_empty());
}

#[test]
fn what_cannot_be_delivered_is_given_up_after_days() {
    let mut desk = desk("");
    desk.consider(&ongoing(1), at("20:06"));
    let late = at("20:06") + TimeDelta::days(4);
    let task = desk.next(late).remove(0);
    desk.settle(&task.row, Outcome::Failed { why: "gone".to_owned(), wait: None }, late);
    assert!(desk.next(late + TimeDelta::hours(1)).is_empty());
}
