//! A timeline in Markdown (CommonMark with tables).

use super::escape::{link, markdown};
use super::{Entry, Timeline, chart, time, words};
use crate::answer::Quote;

pub(super) fn render(timeline: &Timeline) -> String {
    let mut out = vec![format!("# {}", markdown(&timeline.headline)), String::new()];
    for fact in &timeline.facts {
        out.push(format!("- **{}**: {}", fact.label, markdown(&fact.text)));
    }
    spark(&mut out, timeline);
    places(&mut out, timeline);
    failures(&mut out, timeline);
    out.extend(["## The course".to_owned(), String::new()]);
    let mut day = String::new();
    for entry in &timeline.entries {
        let this = time::day(entry.at, timeline.zone);
        if this != day {
            out.extend([format!("### {this}"), String::new()]);
            day = this;
        }
        told(&mut out, timeline, entry);
    }
    for (title, lines) in [
        ("Related", &timeline.related),
        ("How this was worked out", &timeline.method),
        ("What is not known", &timeline.unknown),
    ] {
        if !lines.is_empty() {
            out.extend([format!("## {title}"), String::new()]);
            out.extend(lines.iter().map(|line| format!("- {}", markdown(line))));
            out.push(String::new());
        }
    }
    while out.last().is_some_and(String::is_empty) {
        out.pop();
    }
    out.join("\n") + "\n"
}

fn spark(out: &mut Vec<String>, timeline: &Timeline) {
    out.push(String::new());
    let (Some(first), Some(last)) = (timeline.course.first(), timeline.course.last()) else { return };
    let step = chart::step_for(last.at - first.at, 60);
    let points = chart::resample(&timeline.course, step);
    let (from, until) = (time::clock(first.at, timeline.zone), time::clock(last.at, timeline.zone));
    let length = time::duration(chrono::TimeDelta::minutes(step));
    let line = chart::sparkline(&points);
    out.extend(["```text".to_owned(), line.trim_end().to_owned(), "```".to_owned(), String::new()]);
    out.extend([format!("Reports in every {length}, from {from} to {until}."), String::new()]);
}

fn places(out: &mut Vec<String>, timeline: &Timeline) {
    out.extend(["## Where", "", "| where | from | until | reports |", "|---|---|---|---:|"].map(str::to_owned));
    for row in &timeline.places {
        let start = time::both_clocks(row.start.estimate, timeline.zone);
        let end = row.end.map_or_else(|| "now".to_owned(), |end| time::both_clocks(end.estimate, timeline.zone));
        out.push(format!("| {} | {start} | {end} | {} |", markdown(&row.name), words::thousands(row.reports)));
        if row.left_out > 0 {
            out.push(format!("| and {} more | | | |", row.left_out));
        }
    }
    out.push(String::new());
}

fn failures(out: &mut Vec<String>, timeline: &Timeline) {
    if timeline.symptoms.is_empty() && timeline.surfaces.is_empty() {
        return;
    }
    out.extend(["## What people say fails", "", "| what | share |", "|---|---:|"].map(str::to_owned));
    for share in timeline.symptoms.iter().chain(&timeline.surfaces) {
        out.push(format!("| {} | {} |", share.name, words::percent(share.share)));
    }
    out.push(String::new());
    if let Some(named) = &timeline.named {
        out.extend([named.clone(), String::new()]);
    }
    for hour in &timeline.hours {
        let named: Vec<String> =
            hour.symptoms.iter().take(4).map(|(name, reports)| format!("{name} {reports}")).collect();
        out.push(format!("- From {}: {}", time::clock(hour.at, timeline.zone), named.join(", ")));
    }
    if !timeline.hours.is_empty() {
        out.push(String::new());
    }
}

fn told(out: &mut Vec<String>, timeline: &Timeline, entry: &Entry) {
    let clock = time::both_clocks(entry.at, timeline.zone);
    out.extend([format!("**{clock}** {}", markdown(&entry.text)), String::new()]);
    for quote in &entry.quotes {
        out.extend([format!("> {}", markdown(&words::quotation(quote))), ">".to_owned()]);
        out.extend([format!("> {}", credit(quote)), String::new()]);
    }
    let unquoted = entry.evidence.iter().filter(|reference| !entry.quotes.iter().any(|q| q.reference == **reference));
    let named: Vec<String> = unquoted.map(|reference| reference_to(reference, "evidence")).collect();
    if !named.is_empty() {
        out.extend([named.join(", "), String::new()]);
    }
}

fn credit(quote: &Quote) -> String {
    reference_to(&quote.reference, &quote.source)
}

fn reference_to(reference: &str, name: &str) -> String {
    match link(reference) {
        Some(address) => format!("[{}]({address})", markdown(name)),
        None => format!("{}: {}", markdown(name), markdown(reference)),
    }
}
