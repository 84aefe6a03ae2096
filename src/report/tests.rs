use super::fixture::{finished, hostile, in_progress, reader};
use super::*;
use crate::incident::State;

const NEW_YORK: Tz = Tz::America__New_York;

fn told(file: &IncidentFile, zone: Tz) -> Timeline {
    Timeline::new(file, &reader(zone))
}

#[test]
fn a_finished_incident_reads_as_a_report() {
    insta::assert_snapshot!("finished.txt", told(&finished(), NEW_YORK).text(100, Ink::default()));
    insta::assert_snapshot!("finished.md", told(&finished(), Tz::UTC).markdown());
}

#[test]
fn an_incident_in_progress_reads_as_one() {
    insta::assert_snapshot!("in_progress.txt", told(&in_progress(), Tz::UTC).text(80, Ink::default()));
}

#[test]
fn the_facts_stand_in_a_column() {
    let mut file = finished();
    file.incident.state = State::Recovering;
    let text = told(&file, Tz::UTC).text(100, Ink::default());
    assert!(text.contains("\n  Probably ended  5 March 2024,"), "{text}");
    assert!(text.contains("\n  State           recovering,"), "{text}");
}

#[test]
fn a_retraction_is_said_in_the_open() {
    let mut file = finished();
    file.incident.retracted_at = Some(fixture::at("22:00"));
    let text = told(&file, Tz::UTC).text(100, Ink::default());
    assert!(text.starts_with("Retracted: what looked like an outage of Examplegram was none\n"), "{text}");
    assert!(text.contains("22:00 UTC  Retracted: this was no outage."), "{text}");
}

#[test]
fn the_headline_is_as_sure_as_the_incident() {
    let mut file = finished();
    let mut headline = |confidence, state| {
        file.incident.confidence = confidence;
        file.incident.state = state;
        told(&file, Tz::UTC).headline.split(',').next().unwrap_or_default().to_owned()
    };
    assert_eq!(headline(0.999, State::Resolved), "Examplegram was down for 1 h 42 min");
    assert_eq!(headline(0.95, State::Resolved), "Examplegram was very likely down for 1 h 42 min");
    assert_eq!(headline(0.8, State::Ongoing), "Examplegram is probably down: 1 h 42 min so far");
    assert_eq!(headline(0.5, State::Recovering), "Examplegram may be recovering after 1 h 42 min");
    assert_eq!(headline(0.5, State::Resolved), "Examplegram may have been down for 1 h 42 min");
}

#[test]
fn the_company_may_be_first() {
    let mut file = finished();
    file.incident.acknowledged_at = Some(fixture::at("19:50"));
    let company = |timeline: &Timeline| timeline.facts.iter().find(|fact| fact.label == "The company").cloned();
    let text = company(&told(&file, Tz::UTC)).unwrap().text;
    assert_eq!(text, "owned up to it at 19:50 UTC: the company was 12 min ahead of people");
    file.incident.acknowledged_at = None;
    assert_eq!(company(&told(&file, Tz::UTC)).unwrap().text, "has said nothing that was heard");
}

#[test]
fn every_entry_rests_on_posts_or_counts_or_says_what_we_did() {
    for file in [finished(), in_progress()] {
        for entry in told(&file, Tz::UTC).entries {
            let own = ["silence", "correction", "retracted", "symptoms"].contains(&entry.kind);
            assert!(own || !entry.evidence.is_empty() || !entry.counts.is_empty(), "{entry:?}");
        }
    }
}

#[test]
fn the_counts_of_an_entry_are_those_of_the_course() {
    let file = finished();
    let timeline = told(&file, Tz::UTC);
    let recovery = timeline.entries.iter().find(|entry| entry.kind == "recovery").unwrap();
    let count = &recovery.counts[0];
    let within = |point: &&SeriesPoint| count.from <= point.at && point.at < count.until;
    assert_eq!(count.observed, file.course.iter().filter(within).map(|point| point.observed).sum::<u64>());
    assert!(recovery.text.contains(&format!("{} reports in the 15 min before", count.observed)), "{}", recovery.text);
}

#[test]
fn related_incidents_lead_on_and_hostile_ids_do_not() {
    let page = told(&finished(), Tz::UTC).html();
    assert!(page.contains("<a href=\"othergram-20240305T2010Z.html\">othergram-20240305T2010Z</a>: likely"), "{page}");
    assert!(!told(&hostile(), Tz::UTC).html().contains(".html\""));
}

#[test]
fn a_corrected_time_is_told_as_times_are() {
    let mut file = finished();
    file.incident.corrections[0].from = "2024-03-05T20:04:00Z".to_owned();
    let timeline = told(&file, Tz::America__New_York);
    let entry = timeline.entries.iter().find(|entry| entry.kind == "correction").unwrap();
    assert!(entry.text.contains("was said to be 5 March 2024, 15:04 EST (20:04 UTC)"), "{}", entry.text);
}

#[test]
fn silence_is_said_and_is_not_zero() {
    let timeline = told(&finished(), Tz::UTC);
    let silence = timeline.entries.iter().find(|entry| entry.kind == "silence").unwrap();
    assert_eq!(silence.at, fixture::at("21:10"));
    assert!(silence.text.contains("21:20 UTC"), "{}", silence.text);
    assert!(timeline.svg().contains("nobody listened"));
}

#[test]
fn json_is_the_incident_and_its_entries() {
    let json: serde_json::Value = serde_json::from_str(&told(&finished(), Tz::UTC).json().unwrap()).unwrap();
    assert_eq!(json["id"], "examplegram-20240305T2002Z");
    assert_eq!(json["end"]["low"], "2024-03-05T21:38:00Z");
    for entry in json["entries"].as_array().unwrap() {
        assert!(entry["at"].as_str().unwrap().ends_with('Z') && entry["kind"].is_string());
        assert!(entry["text"].is_string() && entry["evidence"].is_array());
    }
    assert_eq!(json["entries"][0]["evidence"][0], "https://social.example/1");
}

#[test]
fn who_is_not_quoted_is_not_quoted() {
    let timeline = told(&finished(), Tz::UTC);
    for told in [timeline.text(100, Ink::default()), timeline.markdown(), timeline.html()] {
        assert!(told.contains("a post by an author who is not quoted"), "{told}");
    }
}

/// What stands outside tags, and what stands in them, of well-formed XML or HTML.
fn tags(document: &str) -> Vec<&str> {
    document.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or(rest)).collect()
}

#[test]
fn hostile_posts_do_nothing_in_any_format() {
    let timeline = told(&hostile(), Tz::UTC);
    for document in [timeline.text(100, Ink::default()), timeline.markdown(), timeline.html(), timeline.svg()] {
        let dangerous =
            |letter: char| letter.is_control() && letter != '\n' || ('\u{202a}'..='\u{202e}').contains(&letter);
        assert_eq!(document.chars().find(|letter| dangerous(*letter)), None, "{document}");
    }
    let known = [
        "!doctype",
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "h1",
        "h2",
        "h3",
        "dl",
        "dt",
        "dd",
        "figure",
        "svg",
        "polygon",
        "polyline",
        "line",
        "rect",
        "text",
        "div",
        "table",
        "tr",
        "th",
        "td",
        "p",
        "thead",
        "strong",
        "path",
        "circle",
        "figcaption",
        "article",
        "time",
        "blockquote",
        "span",
        "cite",
        "small",
        "a",
        "ul",
        "li",
    ];
    for document in [timeline.html(), timeline.svg()] {
        for tag in tags(&document) {
            let name = tag.trim_start_matches('/').split([' ', '\n']).next().unwrap_or_default();
            assert!(known.contains(&name), "<{tag}>");
            // Every other part of a tag stands between quotation marks.
            let outside: String = tag.split('"').step_by(2).collect();
            assert!(!outside.contains("onerror"), "<{tag}>");
            assert!(tag.split(" href=\"").skip(1).all(|address| address.starts_with("https://")), "<{tag}>");
        }
    }
    let mut markdown = timeline.markdown();
    while let Some(escaped) = markdown.find('\\') {
        markdown.replace_range(escaped..(escaped + 2).min(markdown.len()), "");
    }
    assert!(!markdown.contains("](javascript:") && !markdown.contains("<script") && !markdown.contains("\n# heading"));
    assert_eq!(markdown.matches("```").count(), 2, "only our own chart is a code block: {markdown}");
}

#[test]
fn colour_is_the_only_control_and_only_where_asked_for() {
    let timeline = told(&in_progress(), Tz::UTC);
    assert!(timeline.text(80, Ink { colour: true }).contains("\u{1b}[31m"));
    assert!(!timeline.text(80, Ink::default()).contains('\u{1b}'));
}

#[test]
fn an_incident_without_counts_or_posts_is_still_told() {
    let mut file = finished();
    (file.course, file.quotes, file.symptoms_by_hour) = (Vec::new(), Vec::new(), Vec::new());
    let timeline = told(&file, Tz::UTC);
    for document in [timeline.text(100, Ink::default()), timeline.markdown(), timeline.html()] {
        assert!(document.contains("Examplegram was down for 1 h 42 min"), "{document}");
    }
    assert!(timeline.svg().ends_with("</svg>\n"));
}

/// What has broken pages, viewers and terminals before.
const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "</title></style></svg></blockquote><img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)>",
    "' onmouseover='alert(1)",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<!-- --><![CDATA[ ]]><?xml?>",
    "[click](javascript:alert(1)) ![x](https://evil.example/track.png)",
    "`code` **bold** <https://evil.example> | a | b |",
    "\n# heading\n---\n> quote\n```\nfence",
    "\x1b]0;title\x07\x1b[2J\x1b[31m\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\u{9b}2J\u{9d}0;x\u{9c}\u{90}q",
    "\u{202e}gnp.exe\u{202c}\u{2066}\u{2069}",
    "a\0b\r\nc\u{b}d\u{c}e\u{7f}",
    "{{7*7}} ${7*7} #{7*7} {% raw %}",
    "=HYPERLINK(\"https://evil.example\")",
];

#[test]
fn no_words_change_the_shape_of_a_document() {
    let with = |words: &str| {
        let mut file = finished();
        for quote in &mut file.quotes {
            quote.text = Some(words.to_owned());
            quote.source = words.to_owned();
        }
        told(&file, Tz::UTC)
    };
    let shape = |document: &str| document.matches(['<', '>', '"']).count();
    let plain = with("words");
    assert!(!finished().quotes.is_empty() && plain.html().contains("words"));
    for words in HOSTILE {
        let timeline = with(words);
        assert_eq!(shape(&timeline.html()), shape(&plain.html()), "{words:?}");
        assert_eq!(timeline.svg(), plain.svg(), "{words:?}");
        let (markdown, text) = (timeline.markdown(), timeline.text(100, Ink::default()));
        assert_eq!(markdown.lines().count(), plain.markdown().lines().count(), "{words:?}");
        let bare = |document: &str| document.replace("\\<", "").matches('<').count();
        assert_eq!(bare(&markdown), bare(&plain.markdown()), "{words:?}\n{markdown}");
        for document in [markdown, text, timeline.html()] {
            assert!(!document.chars().any(|letter| letter.is_control() && letter != '\n'), "{words:?}");
        }
    }
}
