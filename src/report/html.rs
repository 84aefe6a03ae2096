//! A timeline as one page that needs nothing else: no script, no outside request, light and dark.

use super::badge::Badge;
use super::escape::{html, link};
use super::{Entry, Timeline, map, svg, time, words};
use crate::answer::Quote;
use crate::region::Region;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use std::fmt::Write as _;

/// So many symptoms are told hour by hour.
const SYMPTOMS_TOLD: usize = 3;

/// What the timeline looks like, also within a page; charts bring `svg::STYLE` in addition.
pub const STYLE: &str = include_str!("document.css");

/// Of the file's own frame; within a page the site gives it.
const FRAME: &str = "main{max-width:76rem;margin:0 auto;padding:1rem 1.2rem 4rem}";

/// A page of its own.
pub(super) fn render(timeline: &Timeline) -> String {
    let headline = html(&timeline.headline);
    let chart = svg::STYLE;
    // The timelines of one database lie beside each other.
    let article = article(timeline, &|id| format!("{id}.html"));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{headline}</title>\n<style>{STYLE}{chart}{FRAME}</style>\n</head>\n<body>\n<main>\n{article}</main>\n\
         </body>\n</html>\n"
    )
}

/// The timeline as it stands within a page that brings the style. `address` says where the timeline of another incident
/// is, by its id.
pub(crate) fn article(timeline: &Timeline, address: &dyn Fn(&str) -> String) -> String {
    let badge = Badge::of_incident(&timeline.incident).html();
    let headline = html(&timeline.headline);
    let mut out = format!(
        "<article class=\"timeline\">\n<div class=\"told\">\n<p class=\"kicker\">{badge}</p>\n<h1>{headline}</h1>\n\
         <dl class=\"facts\">\n"
    );
    for fact in &timeline.facts {
        let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", fact.label, html(&fact.text));
    }
    let _ = write!(
        out,
        "</dl>\n<figure>\n{}\n{}</div></figure>\n",
        scroll("scroll latest", "Reports over time"),
        timeline.chart()
    );
    course(&mut out, timeline);
    out.push_str("</div>\n<div class=\"beside\">\n");
    places(&mut out, timeline);
    failures(&mut out, timeline);
    out.push_str("</div>\n<div class=\"notes\">\n");
    let related = related(timeline, address);
    let harmless = |lines: &[String]| lines.iter().map(|line| html(line)).collect::<Vec<_>>();
    for (title, lines) in [
        ("Related", related),
        ("How this was worked out", harmless(&timeline.method)),
        ("What is not known", harmless(&timeline.unknown)),
    ] {
        if lines.is_empty() {
            continue;
        }
        let _ = write!(out, "<h2>{title}</h2>\n<ul>\n");
        for line in lines {
            let _ = writeln!(out, "<li>{line}</li>");
        }
        out.push_str("</ul>\n");
    }
    out.push_str("</div>\n</article>\n");
    out
}

/// Opens a part that may be wider than the screen: it is scrolled alone, by the keyboard too.
fn scroll(class: &str, label: &str) -> String {
    format!("<div class=\"{class}\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\">")
}

/// The sentences on related incidents; the ids that they begin with lead there.
fn related(timeline: &Timeline, address: &dyn Fn(&str) -> String) -> Vec<String> {
    let linked = |line: &String| {
        let ids = timeline.incident.related.iter().map(|related| related.incident.as_str());
        let named = ids.filter(|id| is_id(id)).find_map(|id| Some((id, line.strip_prefix(id)?)));
        match named {
            Some((id, rest)) => format!("<a href=\"{}\">{id}</a>{}", address(id), html(rest)),
            None => html(line),
        }
    };
    timeline.related.iter().map(linked).collect()
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The reader's clock, and UTC below it where that is another.
fn clocks(at: DateTime<Utc>, timeline: &Timeline) -> String {
    let machine = at.format("%Y-%m-%dT%H:%M:%SZ");
    let shown = html(&time::clock(at, timeline.zone));
    let utc = time::clock(at, Tz::UTC);
    let beside = if shown == utc { String::new() } else { format!("<small>{utc}</small>") };
    format!("<time datetime=\"{machine}\">{shown}{beside}</time>")
}

/// For tables: the reader's clock alone, with UTC where it is pointed at.
fn short(at: DateTime<Utc>, timeline: &Timeline) -> String {
    let machine = at.format("%Y-%m-%dT%H:%M:%SZ");
    let shown = html(&time::clock(at, timeline.zone));
    format!("<time datetime=\"{machine}\" title=\"{machine}\">{shown}</time>")
}

fn places(out: &mut String, timeline: &Timeline) {
    out.push_str("<h2>Where</h2>\n");
    let countries = timeline.places.iter().filter(|row| row.region.is_country());
    let marks: Vec<map::Mark> = countries.map(|row| map::Mark::new(row.region, &row.name, row.reports)).collect();
    let map = map::map(&marks);
    if !map.is_empty() {
        let _ = writeln!(out, "<figure>\n{map}<figcaption>The larger the dot, the more reports.</figcaption></figure>");
    }
    out.push_str(&scroll("scroll", "Places"));
    out.push_str(
        "<table>\n<thead><tr><th scope=\"col\">where</th>\
         <th scope=\"col\">from</th><th scope=\"col\">until</th><th scope=\"col\" class=\"n\">reports</th></tr></thead>\n",
    );
    for row in &timeline.places {
        let end = row.end.map_or_else(|| "still".to_owned(), |end| short(end.estimate, timeline));
        let part = row.region.parent().is_some_and(Region::is_country);
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\"{}>{}</th><td>{}</td><td>{end}</td><td class=\"n\">{}</td></tr>",
            if part { " class=\"part\"" } else { "" },
            html(&row.name),
            short(row.start.estimate, timeline),
            words::thousands(row.reports)
        );
        if row.left_out > 0 {
            let _ = writeln!(out, "<tr><td class=\"part\" colspan=\"4\">and {} more</td></tr>", row.left_out);
        }
    }
    out.push_str("</table></div>\n");
}

fn failures(out: &mut String, timeline: &Timeline) {
    if timeline.symptoms.is_empty() && timeline.surfaces.is_empty() {
        return;
    }
    out.push_str("<h2>What people say fails</h2>\n<table>\n");
    for share in timeline.symptoms.iter().chain(&timeline.surfaces) {
        let (name, percent, width) = (share.name, words::percent(share.share), 100.0 * share.share);
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{name}</th><td class=\"n\">{percent}</td><td class=\"bar\"><svg viewBox=\"0 0 100 8\" \
             preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect width=\"{width:.1}\" height=\"8\"/></svg></td></tr>"
        );
    }
    out.push_str("</table>\n");
    if let Some(named) = &timeline.named {
        let _ = writeln!(out, "<p>{named}</p>");
    }
    hours(out, timeline);
}

/// What failed over time: the symptoms that were named most as columns, an hour a row, the leading one set off.
fn hours(out: &mut String, timeline: &Timeline) {
    let columns: Vec<&str> = timeline.symptoms.iter().take(SYMPTOMS_TOLD).map(|share| share.name).collect();
    if timeline.hours.is_empty() || columns.is_empty() {
        return;
    }
    out.push_str("<h3>Reports that name it, hour by hour</h3>\n");
    out.push_str(&scroll("scroll", "Hour by hour"));
    out.push_str("<table>\n");
    out.push_str("<thead><tr><th scope=\"col\">from</th>");
    for name in &columns {
        let _ = write!(out, "<th scope=\"col\" class=\"n\">{name}</th>");
    }
    out.push_str("</tr></thead>\n");
    for hour in &timeline.hours {
        let _ = write!(out, "<tr><th scope=\"row\">{}</th>", short(hour.at, timeline));
        let leads = hour.symptoms.first().map(|(name, _)| *name);
        for column in &columns {
            let count = hour.symptoms.iter().find(|(name, _)| name == column).map_or(0, |(_, count)| *count);
            let count = words::thousands(count);
            let count = if leads == Some(column) { format!("<strong>{count}</strong>") } else { count };
            let _ = write!(out, "<td class=\"n\">{count}</td>");
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table></div>\n");
}

fn course(out: &mut String, timeline: &Timeline) {
    out.push_str("<h2>The course</h2>\n");
    let mut day = String::new();
    for entry in &timeline.entries {
        let this = time::day(entry.at, timeline.zone);
        if this != day {
            let _ = writeln!(out, "<h3>{this}</h3>");
            day = this;
        }
        told(out, timeline, entry);
    }
}

fn told(out: &mut String, timeline: &Timeline, entry: &Entry) {
    let _ = write!(
        out,
        "<div class=\"entry {}\">{}<div><p>{}</p>",
        entry.kind,
        clocks(entry.at, timeline),
        html(&entry.text)
    );
    for quote in &entry.quotes {
        let is_tag = |lang: &&String| lang.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let lang = quote.lang.as_ref().filter(is_tag).map_or_else(String::new, |lang| format!(" lang=\"{lang}\""));
        let words = html(&words::quotation(quote));
        let _ = write!(out, "\n<blockquote><span dir=\"auto\"{lang}>{words}</span> {}</blockquote>", credit(quote));
    }
    let unquoted = entry.evidence.iter().filter(|reference| !entry.quotes.iter().any(|q| q.reference == **reference));
    for reference in unquoted {
        let _ = write!(out, "\n<small>{}</small>", reference_to(reference, "evidence"));
    }
    out.push_str("</div></div>\n");
}

fn credit(quote: &Quote) -> String {
    format!("<cite>{}</cite>", reference_to(&quote.reference, &quote.source))
}

fn reference_to(reference: &str, name: &str) -> String {
    match link(reference) {
        Some(address) => {
            format!("<a href=\"{}\" rel=\"noopener noreferrer nofollow ugc\">{}</a>", html(&address), html(name))
        }
        None => format!("{}: {}", html(name), html(reference)),
    }
}
