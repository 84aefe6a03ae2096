//! Blame and common cause: services that are accused while another is down, and services that fall together.

use crate::stream::{Stream, at};
use crate::support::Lab;
use whatsdown::incident::{Incident, Relation};
use whatsdown::reading::ServiceId;
use whatsdown::store::Filter;

const BLAME: &[&str] = &[
    "is {} down?",
    "{} and T-Mobile both down?",
    "is it {} or T-Mobile that is down, nobody can call me",
    "{} not working for anyone else?",
];
const DOWN: &[&str] = &["is {} down?", "{} not working for anyone else?", "{} down again", "no service on {} at all"];

/// Ten hours of everyday posts in which T-Mobile fails from minute 400 to 520.
fn with_t_mobile_down(seed: u64) -> Stream {
    let mut stream = Stream::new(seed);
    stream.everyday(0..600);
    stream.talk(0..600, 0.05, "T-Mobile", DOWN);
    stream.talk(0..600, 0.05, "Verizon", DOWN);
    stream.talk(400..520, 10.0, "T-Mobile", DOWN);
    stream
}

fn of<'a>(incidents: &'a [Incident], service: &str) -> Vec<&'a Incident> {
    incidents.iter().filter(|incident| incident.service.as_str() == service).collect()
}

fn is_related(one: &Incident, other: &Incident, relation: Relation) -> bool {
    one.related.iter().any(|related| related.incident == other.id && related.relation == relation)
}

#[test]
fn who_is_blamed_is_not_down_and_the_spike_says_why() {
    for seed in 0..3 {
        let mut stream = with_t_mobile_down(seed);
        stream.talk(410..540, 0.8, "Verizon", BLAME);
        let lab = Lab::of(&stream.lines());
        let incidents = lab.incidents();
        let standing: Vec<&str> = incidents
            .iter()
            .filter(|incident| incident.retracted_at.is_none())
            .map(|incident| incident.service.as_str())
            .collect();
        assert_eq!(standing, ["t-mobile"], "seed {seed}");
        let cause = &of(&incidents, "t-mobile")[0].id;
        let verizon = Filter { service: Some(ServiceId::new("verizon")), ..Filter::default() };
        let spikes = lab.reader().spikes(&verizon).unwrap();
        assert!(spikes.iter().any(|spike| spike.echo_of.as_ref() == Some(cause)), "seed {seed}: {spikes:?}");
    }
}

#[test]
fn who_is_really_down_at_the_same_time_is_found_too() {
    for seed in 0..3 {
        let mut stream = with_t_mobile_down(seed);
        stream.talk(440..500, 4.0, "Verizon", DOWN);
        let incidents = Lab::of(&stream.lines()).incidents();
        let found = of(&incidents, "verizon");
        assert_eq!(found.len(), 1, "seed {seed}: {incidents:?}");
        assert!(found[0].retracted_at.is_none() && found[0].detected_at <= at(455.0), "seed {seed}: {found:?}");
    }
}

#[test]
fn siblings_fall_together_and_say_so() {
    let mut stream = Stream::new(4);
    stream.everyday(0..600);
    for (service, per_minute) in [("Instagram", 9.0), ("Facebook", 5.0), ("WhatsApp", 2.0)] {
        stream.talk(0..600, 0.05, service, DOWN);
        stream.outage(service, 400..470, per_minute);
    }
    let incidents = Lab::of(&stream.lines()).incidents();
    assert_eq!(incidents.len(), 3, "{incidents:?}");
    for one in &incidents {
        assert!(one.retracted_at.is_none());
        for other in incidents.iter().filter(|other| other.id != one.id) {
            assert!(is_related(one, other, Relation::SameCause), "{} and {}", one.id, other.id);
        }
    }
}

#[test]
fn a_cloud_under_two_and_more_is_down_with_them() {
    for fallen in [&["TikTok", "Discord"][..], &["TikTok", "Discord", "Spotify"]] {
        let mut stream = Stream::new(5);
        stream.everyday(0..600);
        stream.talk(0..600, 0.02, "Cloudflare", DOWN);
        for service in fallen {
            stream.outage(service, 400..470, 7.0);
        }
        stream.talk(403..470, 0.7, "Cloudflare", DOWN);
        let incidents = Lab::of(&stream.lines()).incidents();
        let cloud = of(&incidents, "cloudflare");
        assert_eq!((incidents.len(), cloud.len()), (fallen.len() + 1, 1), "{incidents:?}");
        let others = incidents.iter().filter(|it| it.id != cloud[0].id);
        assert!(others.into_iter().all(|it| is_related(it, cloud[0], Relation::SameCause)));
    }
}

#[test]
fn what_is_taken_back_stays_visible_says_why_and_may_come_again() {
    let mut stream = Stream::new(6);
    stream.everyday(0..700);
    stream.talk(0..700, 0.05, "T-Mobile", DOWN);
    stream.talk(0..700, 0.05, "Verizon", DOWN);
    // At first few write, and they tell of both; only later it shows who is down.
    let both = [
        "{} and T-Mobile both down?",
        "is it {} or T-Mobile that is down?",
        "{} down too, or just T-Mobile?",
        "is {} down?",
    ];
    stream.talk(400..520, 1.6, "Verizon", &both);
    stream.talk(415..560, 25.0, "T-Mobile", DOWN);
    let incidents = Lab::of(&stream.lines()).incidents();
    let taken_back: Vec<&Incident> = incidents.iter().filter(|it| it.retracted_at.is_some()).collect();
    assert_eq!(taken_back.len(), 1, "{incidents:?}");
    let mistaken = taken_back[0];
    assert!(mistaken.retracted_at.unwrap() > mistaken.detected_at && mistaken.retracted_at.unwrap() <= at(410.0));
    let explains = incidents.iter().find(|it| is_related(mistaken, it, Relation::EchoOf)).unwrap();
    assert!(explains.retracted_at.is_none() && explains.service != mistaken.service);
    let said =
        |it: &whatsdown::incident::Correction| it.to == "retracted" && it.why.contains(explains.service.as_str());
    assert!(mistaken.corrections.iter().any(said), "{:?}", mistaken.corrections);
    assert!(of(&incidents, "t-mobile").iter().any(|it| it.retracted_at.is_none()), "{incidents:?}");

    // Cut where it still stood, with its last minute unclosed, it was said just the same.
    let until = mistaken.retracted_at.unwrap();
    let posts = stream.posts.iter().filter(|post| post.created_at < until);
    let mut cut: Vec<_> = posts.collect();
    cut.sort_by_key(|post| post.arrived_at());
    let before = Lab::of(&cut.into_iter().map(crate::stream::line).collect::<Vec<_>>()).incidents();
    assert!(before.iter().any(|it| (&it.id, it.detected_at) == (&mistaken.id, mistaken.detected_at)), "{before:?}");
}
