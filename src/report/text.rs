//! A timeline for the terminal and for plain files.

use super::escape::plain;
use super::ink::Ink;
use super::{Entry, Timeline, chart, time, words};
use crate::answer::SeriesPoint;
use crate::incident::State;
use crate::region::Region;
use chrono::TimeDelta;
use unicode_width::UnicodeWidthStr as _;

/// Lines longer than this are hard to read.
const READABLE: usize = 100;
/// Bars of the chart: at most so many lines of this many columns.
const BARS: usize = 32;
const BAR_WIDTH: usize = 32;

pub(super) fn render(timeline: &Timeline, width: usize, ink: Ink) -> String {
    let mut page = Page { out: String::new(), width: width.clamp(40, READABLE), ink };
    let headline = plain(&timeline.headline);
    for line in wrap(&headline, page.width) {
        page.line(&match timeline.incident.state {
            _ if timeline.incident.retracted_at.is_some() => ink.bold(&line),
            State::Ongoing => ink.bold(&ink.red(&line)),
            State::Recovering => ink.bold(&ink.yellow(&line)),
            State::Resolved => ink.bold(&line),
        });
    }
    page.line("");
    let widest = timeline.facts.iter().map(|fact| fact.label.width()).max().unwrap_or(0);
    for fact in &timeline.facts {
        page.hanging(&format!("  {:<widest$}  ", fact.label), &fact.text);
    }
    bars(&mut page, timeline);
    places(&mut page, timeline);
    failures(&mut page, timeline);
    page.heading("The course");
    course(&mut page, timeline);
    for (title, lines) in [
        ("Related", &timeline.related),
        ("How this was worked out", &timeline.method),
        ("What is not known", &timeline.unknown),
    ] {
        if !lines.is_empty() {
            page.heading(title);
        }
        for line in lines {
            page.hanging("  - ", line);
        }
    }
    page.out
}

struct Page {
    out: String,
    width: usize,
    ink: Ink,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    fn heading(&mut self, title: &str) {
        let title = self.ink.bold(title);
        self.line("");
        self.line(&title);
    }

    /// The text, made harmless, wrapped behind a label, its further lines indented as far.
    fn hanging(&mut self, label: &str, text: &str) {
        let indent = label.width();
        for (number, line) in wrap(&plain(text), self.width.saturating_sub(indent).max(20)).iter().enumerate() {
            let before = if number == 0 { label.to_owned() } else { " ".repeat(indent) };
            self.line(&format!("{before}{line}"));
        }
    }
}

/// Breaks at spaces into lines of at most `width` columns; a longer word stays whole.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut column = 0;
    for word in text.split(' ') {
        let length = word.width();
        if column > 0 && column + 1 + length > width {
            lines.push(String::new());
            column = 0;
        }
        let Some(line) = lines.last_mut() else { break };
        if column > 0 {
            line.push(' ');
            column += 1;
        }
        line.push_str(word);
        column += length;
    }
    lines
}

fn bars(page: &mut Page, timeline: &Timeline) {
    let (Some(first), Some(last)) = (timeline.course.first(), timeline.course.last()) else { return };
    let step = chart::step_for(last.at - first.at, BARS);
    let length = TimeDelta::minutes(step);
    let points = chart::resample(&timeline.course, step);
    let zone = first.at.with_timezone(&timeline.zone).format("%Z").to_string();
    page.heading(&format!("Reports in every {}", time::duration(length)));
    page.line(&format!("  {zone:<6}  │ is the most that is usual"));
    let top = points.iter().map(|point| (point.observed as f64).max(point.high)).fold(0.0, f64::max);
    let clock = if step < 1440 { "%H:%M" } else { "%b %-d" };
    for point in &points {
        let label = point.at.with_timezone(&timeline.zone).format(clock).to_string();
        let turns: Vec<&str> = (timeline.marks().iter())
            .filter(|(at, _)| point.at <= *at && *at < point.at + length)
            .map(|(_, name)| *name)
            .collect();
        let count = if point.heard <= 0.0 { "?".to_owned() } else { words::thousands(point.observed) };
        let line = format!("  {label:<6}  {} {count:>6}  {}", bar(page.ink, point, top), turns.join(", "));
        page.line(&line);
    }
}

/// The bar of one step, padded, with the upper edge of the band.
fn bar(ink: Ink, point: &SeriesPoint, top: f64) -> String {
    let bar = chart::bar(point.observed as f64, top, BAR_WIDTH);
    let length = bar.chars().count();
    let edge = ((point.high / top) * BAR_WIDTH as f64).ceil() as usize;
    let unusual = point.observed as f64 > point.high;
    let shown = if unusual { ink.red(&bar) } else { ink.dim(&bar) };
    if edge < length || edge >= BAR_WIDTH {
        return format!("{shown}{}", " ".repeat(BAR_WIDTH - length));
    }
    format!("{shown}{}│{}", " ".repeat(edge - length), " ".repeat(BAR_WIDTH - edge - 1))
}

fn places(page: &mut Page, timeline: &Timeline) {
    page.heading("Where");
    let widest = timeline.places.iter().map(|row| plain(&row.name).width()).max().unwrap_or(0).min(32);
    for row in &timeline.places {
        let name = plain(&row.name);
        let part = if row.region.parent().is_some_and(Region::is_country) { "  " } else { "" };
        let pad = " ".repeat((widest + 2).saturating_sub(name.width() + part.len()));
        let start = time::clock(row.start.estimate, timeline.zone);
        let end = row.end.map_or_else(|| "now".to_owned(), |end| time::clock(end.estimate, timeline.zone));
        let span = format!("{start} to {end}");
        page.line(&format!("  {part}{name}{pad} {span:<24} {}", words::count(row.reports, "report")));
        if row.left_out > 0 {
            page.line(&format!("    and {} more", row.left_out));
        }
    }
}

fn failures(page: &mut Page, timeline: &Timeline) {
    if timeline.symptoms.is_empty() && timeline.surfaces.is_empty() {
        return;
    }
    page.heading("What people say fails");
    for share in timeline.symptoms.iter().chain(&timeline.surfaces) {
        let bar = chart::bar(share.share, 1.0, 20);
        page.line(&format!("  {:<26} {:>8}  {bar}", share.name, words::percent(share.share)));
    }
    if let Some(named) = &timeline.named {
        page.line(&format!("  {named}"));
    }
    for hour in &timeline.hours {
        let named: Vec<String> =
            hour.symptoms.iter().take(4).map(|(name, reports)| format!("{name} {reports}")).collect();
        page.hanging(&format!("  from {}  ", time::clock(hour.at, timeline.zone)), &named.join(", "));
    }
}

fn course(page: &mut Page, timeline: &Timeline) {
    let mut day = String::new();
    for entry in &timeline.entries {
        let this = time::day(entry.at, timeline.zone);
        if this != day {
            if !day.is_empty() {
                page.line("");
            }
            let title = page.ink.dim(&this);
            page.line(&format!("  {title}"));
            day = this;
        }
        told(page, timeline, entry);
    }
}

fn told(page: &mut Page, timeline: &Timeline, entry: &Entry) {
    let clock = time::both_clocks(entry.at, timeline.zone);
    page.hanging(&format!("  {clock}  "), &entry.text);
    for quote in &entry.quotes {
        page.hanging("      ", &words::quotation(quote));
        let reference = page.ink.dim(&plain(&quote.reference));
        page.line(&format!("        {} · {reference}", plain(&quote.source)));
    }
    let unquoted = entry.evidence.iter().filter(|reference| !entry.quotes.iter().any(|q| q.reference == **reference));
    for reference in unquoted {
        let reference = page.ink.dim(&plain(reference));
        page.line(&format!("      {reference}"));
    }
}
