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
fn a_cloud_under_many_is_down_with_them() {
    let mut stream = Stream::new(5);
    stream.everyday(0..600);
    stream.talk(0..600, 0.02, "Cloudflare", DOWN);
    for service in ["TikTok", "Discord", "Spotify"] {
        stream.outage(service, 400..470, 7.0);
    }
    stream.talk(403..470, 0.7, "Cloudflare", DOWN);
    let incidents = Lab::of(&stream.lines()).incidents();
    let cloud = of(&incidents, "cloudflare");
    assert_eq!((incidents.len(), cloud.len()), (4, 1), "{incidents:?}");
    assert!(incidents.iter().filter(|it| it.id != cloud[0].id).all(|it| is_related(it, cloud[0], Relation::SameCause)));
}

#[test]
fn blame_that_was_called_an_outage_is_taken_back() {
    let mut stream = Stream::new(6);
    stream.everyday(0..700);
    stream.talk(0..700, 0.05, "T-Mobile", DOWN);
    stream.talk(0..700, 0.05, "Verizon", DOWN);
    // At first both are told of alike, since the accused's people are the ones who are still connected.
    let both = [
        "{} and T-Mobile both down?",
        "is it {} or T-Mobile that is down, nobody can call me",
        "{} and T-Mobile both down again",
        "is {} down?",
    ];
    stream.talk(400..520, 1.6, "Verizon", &both);
    stream.talk(415..560, 25.0, "T-Mobile", DOWN);
    let lines = stream.lines();
    let incidents = Lab::of(&lines).incidents();
    let (accused, down) = (of(&incidents, "verizon"), of(&incidents, "t-mobile"));
    assert_eq!((accused.len(), down.len()), (1, 1), "{incidents:?}");
    let (accused, down) = (accused[0], down[0]);
    assert!(accused.detected_at < at(420.0), "{}", accused.detected_at);
    let retracted = accused.retracted_at.unwrap();
    assert!(retracted > accused.detected_at && retracted <= at(440.0), "{retracted}");
    assert!(is_related(accused, down, Relation::EchoOf), "{:?}", accused.related);
    assert!(accused.corrections.iter().any(|it| it.to == "retracted" && it.why.contains("t-mobile")));
    assert!(down.retracted_at.is_none());

    // Cut before it was taken back, it was said just the same.
    let until = at(420.0).to_rfc3339();
    let cut: Vec<String> =
        stream.posts.iter().filter(|post| post.created_at.to_rfc3339() < until).map(crate::stream::line).collect();
    let before = Lab::of(&cut).incidents();
    assert_eq!((&before[0].id, before[0].detected_at), (&accused.id, accused.detected_at));
}
