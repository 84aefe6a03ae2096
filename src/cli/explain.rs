//! `whatsdown explain`: how one post is read, and why.

use super::context::Context;
use super::failure::{Exit, Stop};
use super::format::Format;
use super::style::Style;
use crate::clock;
use crate::post::{Event, Post};
use crate::reading::{Kind, PlaceSource, PostReading, Reader, Reading, Span, Stage};
use crate::report::{Audience, escape, words};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, IsTerminal as _, Read as _};

/// A line of stdin longer than this is a bad one.
const LONGEST_LINE: u64 = 16 << 20;

/// How a post is read, and why
#[derive(clap::Args)]
pub struct Args {
    /// The post's text; without it, one post object a line is read from stdin and answered in a line each
    text: Option<String>,
    /// The author's own words on where they are
    #[arg(long, requires = "text")]
    location: Option<String>,
    /// The post's language (BCP 47: en, pt-BR)
    #[arg(long, requires = "text")]
    lang: Option<String>,
    /// The author's account, as its network writes it
    #[arg(long, requires = "text")]
    author: Option<String>,
}

pub fn run(args: &Args, context: &mut Context) -> Result<Exit, Stop> {
    let format = context.format(&[Format::Text, Format::Json])?;
    let reader = context.reader()?;
    let Some(text) = &args.text else { return lines(&reader, context) };
    let post = Post {
        text: text.clone(),
        location: args.location.clone(),
        lang: args.lang.clone(),
        author: args.author.clone().unwrap_or_default(),
        ..Post::default()
    };
    let reading = reader.read(&post);
    if format == Format::Json {
        context.out.json(&reading)?;
    } else {
        let style = context.style(clock::now());
        let heard = if reading.readings.is_empty() { reader.heard(&post) } else { Vec::new() };
        let text = context.telling(|audience| render(&reading, &heard, audience, &style))?;
        context.out.text(&text)?;
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Reading(PostReading),
    Error { error: String },
}

/// One post object a line in, one answer a line out, in order.
fn lines(reader: &Reader, context: &mut Context) -> Result<Exit, Stop> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        context.note("Reading post objects, one a line. `whatsdown explain TEXT` explains one text.");
    }
    let mut input = BufReader::new(stdin);
    while let Some(line) = next_line(&mut input).map_err(|error| unreadable(&error))? {
        if matches!(&line, Ok(bytes) if bytes.trim_ascii().is_empty()) {
            continue;
        }
        let answer = match line.and_then(|bytes| parse(&bytes)) {
            Ok(post) => Answer::Reading(reader.read(&post)),
            Err(error) => Answer::Error { error },
        };
        context.out.json(&answer)?;
        // Whoever writes a line and waits gets its answer.
        if input.buffer().is_empty() {
            context.out.finish()?;
        }
    }
    Ok(Exit::Done)
}

fn unreadable(error: &io::Error) -> Stop {
    Stop::failed(format!("cannot read standard input: {error}"))
}

/// The next line, or why it is not read: a line that is too long is skipped, not held in memory.
fn next_line(input: &mut impl BufRead) -> io::Result<Option<Result<Vec<u8>, String>>> {
    let mut line = Vec::new();
    if input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.ends_with(b"\n") || (line.len() as u64) < LONGEST_LINE {
        return Ok(Some(Ok(line)));
    }
    input.skip_until(b'\n')?;
    Ok(Some(Err(format!("longer than {} MiB", LONGEST_LINE >> 20))))
}

fn parse(line: &[u8]) -> Result<Post, String> {
    match Event::parse(line, DateTime::<Utc>::MAX_UTC) {
        Ok(Event::Post(post)) => Ok(post),
        Ok(_) => Err("not a post, but a gap or a deletion".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// `heard` is what a post that is about nothing says nevertheless.
fn render(reading: &PostReading, heard: &[Span], audience: &Audience, style: &Style) -> String {
    let mut out = String::new();
    let decided = |out: &mut String, why: &[Span]| {
        for why in why {
            let (quoted, means) = (escape::plain(&why.text), escape::plain(&why.means));
            let place = style.ink.dim(&format!("bytes {}–{}", why.start, why.end));
            let _ = writeln!(out, "  “{quoted}” {means} ({place})");
        }
    };
    if reading.readings.is_empty() {
        out.push_str("This is about no outage now: it counts nowhere.\n");
        decided(&mut out, heard);
    }
    for reading in &reading.readings {
        let name = escape::plain(&(audience.service)(&reading.service));
        let _ = writeln!(out, "{}: {}", style.ink.bold(&name), said(reading));
        decided(&mut out, &reading.why);
    }
    match &reading.region {
        None => out.push_str("Where: not known; it counts for the world alone.\n"),
        Some(place) => {
            let name = escape::plain(&(audience.region)(place.code));
            let sure = words::percent(place.confidence);
            let _ = writeln!(out, "Where: {name} ({}), from the {}, {sure} sure", place.code, from(place.from));
        }
    }
    out
}

/// `a report that logging in fails, in the app`.
fn said(reading: &Reading) -> String {
    let kind = match (reading.kind, reading.stage) {
        (Kind::Report, _) => "a report that it fails",
        (Kind::Recovery, _) => "says that it works again",
        (Kind::Official, Some(Stage::Resolved)) => "the service says that it is over",
        (Kind::Official, _) => "the service owns up to it",
        (Kind::Echo, _) => "an echo (news, a relay): not counted as a report",
    };
    let symptoms: Vec<String> = reading.symptoms.iter().map(|symptom| words::symptom(*symptom).to_owned()).collect();
    let surfaces: Vec<String> = reading.surfaces.iter().map(|surface| words::surface(*surface).to_owned()).collect();
    let mut said = kind.to_owned();
    if !symptoms.is_empty() {
        let _ = write!(said, "; what: {}", words::list(&symptoms));
    }
    if !surfaces.is_empty() {
        let _ = write!(said, "; on: {}", words::list(&surfaces));
    }
    said
}

fn from(source: PlaceSource) -> &'static str {
    match source {
        PlaceSource::Text => "text",
        PlaceSource::Location => "author's location",
        PlaceSource::Language => "language",
        PlaceSource::Source => "network",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::style;
    use crate::reading::{Place, ServiceId, Surface, Symptom};
    use crate::report::fixture;
    use chrono_tz::Tz;

    #[test]
    fn a_reading_says_what_was_read_and_why() {
        let why =
            Span { text: "can't log in".to_owned(), start: 7, end: 19, means: "says that login fails".to_owned() };
        let reading = Reading {
            service: ServiceId::new("examplegram"),
            kind: Kind::Report,
            symptoms: vec![Symptom::Login],
            surfaces: vec![Surface::App],
            stage: None,
            why: vec![why],
        };
        let place = Place { code: "GB".parse().unwrap(), from: PlaceSource::Location, confidence: 0.9 };
        let answer = PostReading { readings: vec![reading], region: Some(place) };
        let style = style::plain("2024-03-05T21:00:00Z");
        insta::assert_snapshot!(render(&answer, &[], &fixture::reader(Tz::UTC), &style), @"
        Examplegram: a report that it fails; what: logging in; on: the app
          “can't log in” says that login fails (bytes 7–19)
        Where: United Kingdom (GB), from the author's location, 90% sure
        ");
    }

    #[test]
    fn of_a_post_about_nothing_it_is_said_what_was_heard() {
        let heard = [Span { text: "down bad".to_owned(), start: 3, end: 11, means: "means something else".to_owned() }];
        let answer = PostReading { readings: Vec::new(), region: None };
        let style = style::plain("2024-03-05T21:00:00Z");
        insta::assert_snapshot!(render(&answer, &heard, &fixture::reader(Tz::UTC), &style), @"
        This is about no outage now: it counts nowhere.
          “down bad” means something else (bytes 3–11)
        Where: not known; it counts for the world alone.
        ");
    }

    #[test]
    fn a_bad_line_says_what_is_wrong_with_it() {
        assert!(parse(b"{\"text\":\"x\"}").unwrap_err().starts_with("not a post: missing field"));
        assert!(parse(b"\xff").unwrap_err().contains("UTF-8"));
        let gap = br#"{"gap":{"source":"s","from":"2024-03-05T21:00:00Z","until":"2024-03-05T21:01:00Z"}}"#;
        assert_eq!(parse(gap).unwrap_err(), "not a post, but a gap or a deletion");
    }

    #[test]
    fn a_line_without_end_is_skipped_not_held() {
        let long = vec![b'x'; LONGEST_LINE as usize + 10];
        let mut input = [&long[..], b"\nnext\nlast"].concat();
        let mut input = io::Cursor::new(&mut input);
        let mut next = || next_line(&mut input).unwrap();
        assert!(next().unwrap().unwrap_err().contains("16 MiB"));
        assert_eq!(next().unwrap().unwrap(), b"next\n");
        assert_eq!(next().unwrap().unwrap(), b"last");
        assert!(next().is_none());
    }
}
