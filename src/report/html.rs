//! A timeline as one page that needs nothing else: no script, no outside request, light and dark.

use super::escape::{html, link};
use super::{Entry, Timeline, time, words};
use crate::answer::Quote;
use crate::incident::State;
use crate::region::Region;
use chrono::{DateTime, Utc};
use std::fmt::Write as _;

pub(super) fn render(timeline: &Timeline) -> String {
    let headline = html(&timeline.headline);
    let state = match timeline.incident.state {
        _ if timeline.incident.retracted_at.is_some() => "retracted",
        State::Ongoing => "ongoing",
        State::Recovering => "recovering",
        State::Resolved => "resolved",
    };
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{headline}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1 class=\"{state}\">{headline}</h1>\n<dl>\n"
    );
    for fact in &timeline.facts {
        let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", fact.label, html(&fact.text));
    }
    let _ = write!(out, "</dl>\n<figure class=\"wide\">\n{}</figure>\n", timeline.svg());
    course(&mut out, timeline);
    places(&mut out, timeline);
    failures(&mut out, timeline);
    for (title, lines) in [
        ("Related", &timeline.related),
        ("How this was worked out", &timeline.method),
        ("What is not known", &timeline.unknown),
    ] {
        if lines.is_empty() {
            continue;
        }
        let _ = write!(out, "<h2>{title}</h2>\n<ul>\n");
        for line in lines {
            let _ = writeln!(out, "<li>{}</li>", html(line));
        }
        out.push_str("</ul>\n");
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

const STYLE: &str = "
:root{color-scheme:light dark;--soft:#666;--line:#ccc;--down:#b42318;--turning:#8a5a00;--over:#1a6b3a}
@media(prefers-color-scheme:dark){:root{--soft:#aaa;--line:#444;--down:#ff8a7a;--turning:#f0b429;--over:#7ed6a0}}
body{font:17px/1.5 system-ui,sans-serif;margin:0}main{max-width:48rem;margin:0 auto;padding:1rem}
h1{line-height:1.2;font-size:1.6rem}h1.ongoing{color:var(--down)}h1.recovering{color:var(--turning)}
h1.resolved{color:var(--over)}h2{margin-top:2rem;font-size:1.2rem}h3{color:var(--soft);font-size:1rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}dt{color:var(--soft)}dd{margin:0}
figure{margin:1rem 0}svg{width:100%;min-width:34rem;height:auto}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.25rem .6rem .25rem 0;border-bottom:1px solid var(--line)}td.n,th.n{text-align:right}
td.part{padding-left:1.2rem}blockquote{margin:.4rem 0 .4rem 0;padding-left:.8rem;border-left:3px solid var(--line)}
article{margin:.8rem 0}article>time{font-weight:600}cite,small{color:var(--soft);font-style:normal}
.wide{overflow-x:auto}";

fn moment(at: DateTime<Utc>, timeline: &Timeline) -> String {
    let machine = at.format("%Y-%m-%dT%H:%M:%SZ");
    format!("<time datetime=\"{machine}\">{}</time>", html(&time::both_clocks(at, timeline.zone)))
}

/// For tables: the reader's clock alone, with UTC where it is pointed at.
fn short(at: DateTime<Utc>, timeline: &Timeline) -> String {
    let machine = at.format("%Y-%m-%dT%H:%M:%SZ");
    let shown = html(&time::clock(at, timeline.zone));
    format!("<time datetime=\"{machine}\" title=\"{machine}\">{shown}</time>")
}

fn places(out: &mut String, timeline: &Timeline) {
    out.push_str(
        "<h2>Where</h2>\n<div class=\"wide\"><table>\n<tr><th scope=\"col\">where</th><th scope=\"col\">from</th>",
    );
    out.push_str("<th scope=\"col\">until</th><th scope=\"col\" class=\"n\">reports</th></tr>\n");
    for row in &timeline.places {
        let end = row.end.map_or_else(|| "now".to_owned(), |end| short(end.estimate, timeline));
        let part = row.region.parent().is_some_and(Region::is_country);
        let _ = writeln!(
            out,
            "<tr><td{}>{}</td><td>{}</td><td>{end}</td><td class=\"n\">{}</td></tr>",
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
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td class=\"n\">{}</td><td><meter value=\"{:.3}\" aria-label=\"{}\"></meter></td></tr>",
            share.name,
            words::percent(share.share),
            share.share,
            share.name
        );
    }
    out.push_str("</table>\n");
    if timeline.hours.is_empty() {
        return;
    }
    out.push_str("<table>\n");
    for hour in &timeline.hours {
        let named: Vec<String> =
            hour.symptoms.iter().take(4).map(|(name, reports)| format!("{name} {reports}")).collect();
        let _ = writeln!(out, "<tr><td>from {}</td><td>{}</td></tr>", short(hour.at, timeline), named.join(", "));
    }
    out.push_str("</table>\n");
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
    let _ = write!(out, "<article class=\"{}\">{} {}", entry.kind, moment(entry.at, timeline), html(&entry.text));
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
    out.push_str("</article>\n");
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
