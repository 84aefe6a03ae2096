//! `whatsdown sources`: how each source fares, for people who ask whether silence means anything.

use super::context::Context;
use super::failure::{Exit, Stop};
use super::format::Format;
use super::style::Style;
use super::table::{Cell, Table};
use crate::answer::{Promptness, SourceAnswer};
use crate::report::ink::Ink;
use crate::report::{escape, time, words};
use crate::source::State;
use crate::source::keyed::Off;
use crate::store::Stamp;
use chrono::TimeDelta;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A job that lives hears of each source more often than this.
const UNATTENDED: TimeDelta = TimeDelta::minutes(15);
/// The gaps that are listed, the latest.
const GAPS_SHOWN: usize = 5;

/// Each source: how it does, since when, how far behind, how prompt, what to do, when it was not heard
#[derive(clap::Args)]
pub struct Args {}

pub fn run(_: &Args, context: &mut Context) -> Result<Exit, Stop> {
    let format = context.format(&[Format::Text, Format::Json])?;
    let store = context.store()?;
    let now = store.now()?;
    let sources = store.sources()?;
    match format {
        Format::Json => context.out.json_array(&sources)?,
        _ if sources.is_empty() => context.note("No source has been heard yet."),
        _ => {
            let style = context.style(now);
            let live = store.stamp == Stamp::Live;
            let off = if live { off(&sources, context)? } else { Vec::new() };
            context.out.text(&render(&sources, &off, live, &style))?;
        }
    }
    Ok(Exit::Done)
}

/// The sources that want a key which neither this command nor the job was given.
fn off(sources: &[SourceAnswer], context: &Context) -> Result<Vec<Off>, Stop> {
    let off = context.keyed(&BTreeMap::new())?.off;
    Ok(off.into_iter().filter(|off| !sources.iter().any(|heard| is_of(&heard.source, off.source))).collect())
}

/// Whether a source is of a kind: `mastodon:social.example:streaming` of `mastodon:streaming`.
fn is_of(source: &str, kind: &str) -> bool {
    let ends = |name: &str| (name.split(':').next().map(str::to_owned), name.rsplit(':').next().map(str::to_owned));
    ends(source) == ends(kind)
}

fn render(sources: &[SourceAnswer], off: &[Off], live: bool, style: &Style) -> String {
    let columns =
        ["source", "how it does", "since", "#behind", "#posts", "#in the last hour", "read within", "#errors"];
    let mut table = Table::new(&columns);
    let (folded, named) = fold(sources, live, style);
    for source in named {
        let health = &source.health;
        let behind = |seconds: i64| time::duration(TimeDelta::seconds(seconds));
        table.row([
            source.source.as_str().into(),
            state(how(source, live, style)),
            health.since.map_or_else(|| "–".to_owned(), |at| style.when(at)).into(),
            source.lag_seconds.map_or_else(|| "–".to_owned(), behind).into(),
            words::thousands(source.posts).into(),
            words::thousands(source.posts_last_hour).into(),
            source.promptness.as_ref().map_or_else(|| "–".to_owned(), within).into(),
            words::thousands(health.errors).into(),
        ]);
    }
    if !folded.is_empty() {
        let sum = |number: fn(&SourceAnswer) -> u64| words::thousands(folded.iter().copied().map(number).sum());
        table.row([
            format!("{} status pages", folded.len()).into(),
            state(How::Said(State::Ok)),
            "–".into(),
            "–".into(),
            sum(|source| source.posts).into(),
            sum(|source| source.posts_last_hour).into(),
            "–".into(),
            sum(|source| source.health.errors).into(),
        ]);
    }
    for off in off {
        let cells = ["–"; 6].map(Cell::from);
        table.row([off.source.into(), Cell::painted("off", Ink::dim)].into_iter().chain(cells).collect::<Vec<_>>());
    }
    let mut out = table.render(style);
    for source in sources {
        if let Some(advice) = advice(source, how(source, live, style), style) {
            let _ = writeln!(out, "\n{}: {}", escape::plain(&source.source), escape::plain(&advice));
        }
        if !source.gaps.is_empty() {
            gaps(source, style, &mut out);
        }
    }
    if !off.is_empty() {
        let _ = writeln!(out, "\nOff, which is no fault (docs/keys.md):");
        for off in off {
            let _ = writeln!(out, "  {}: {}", off.source, escape::plain(&off.why));
        }
    }
    out
}

/// The official status pages that do well and share one row, since there are many; and the sources with a row of their own.
fn fold<'a>(sources: &'a [SourceAnswer], live: bool, style: &Style) -> (Vec<&'a SourceAnswer>, Vec<&'a SourceAnswer>) {
    let well = |source: &SourceAnswer| {
        source.source.starts_with("status:") && how(source, live, style) == How::Said(State::Ok)
    };
    let (folded, named): (Vec<_>, Vec<_>) = sources.iter().partition(|source| well(source));
    if folded.len() > 1 { (folded, named) } else { (Vec::new(), sources.iter().collect()) }
}

/// How a source does, for a reader who does not know whether the job still runs.
#[derive(Clone, Copy, PartialEq)]
enum How {
    Said(State),
    /// It was well when it was last heard of, but that is long ago.
    Unattended,
}

fn how(source: &SourceAnswer, live: bool, style: &Style) -> How {
    let health = &source.health;
    let well = matches!(health.state, State::Ok | State::Backfilling);
    // A source that costs money may rest until tomorrow; it then brings no time that is heard.
    let old = health.heard_until.is_some() && health.last_success.is_some_and(|at| style.now - at > UNATTENDED);
    if live && well && old { How::Unattended } else { How::Said(health.state) }
}

/// What is wrong with it and what to do, where anything is.
fn advice(source: &SourceAnswer, how: How, style: &Style) -> Option<String> {
    let health = &source.health;
    let error = health.last_error.as_ref();
    let why = error.map_or("nothing is known of why", |error| error.message.as_str());
    let heard = health.heard_until.map_or_else(|| "never".to_owned(), |until| style.when(until));
    match how {
        How::Said(State::Ok | State::Replayed) => None,
        How::Said(State::Backfilling) => Some(format!(
            "reads what was written while nobody listened, and has heard up to {heard}. Nothing need be done."
        )),
        How::Said(State::Degraded) => Some(match error.and_then(|error| error.retry_at) {
            Some(at) => format!(
                "{why}. It is asked again {}; nothing need be done, unless this lasts for hours. Last heard {heard}.",
                style.when(at)
            ),
            None => {
                format!("{why}. It is not asked again until `whatsdown run` is started anew. Last heard {heard}.")
            }
        }),
        How::Said(State::Silent) => Some(format!(
            "{why}. Its time counts as not heard, until posts come again. If this lasts, see whether the server works for others, or name another."
        )),
        How::Said(State::Stopped) => Some("the job was ended in order. Start it with `whatsdown run`.".to_owned()),
        How::Unattended => Some(format!(
            "last heard {heard}, and it did not fail: the job does not seem to run. Start it with `whatsdown run`."
        )),
    }
}

/// `2 s (9 in 10: 10 s)`
fn within(promptness: &Promptness) -> String {
    let seconds = |share: f64| promptness.of(share).map_or_else(|| "over 6 h".to_owned(), short);
    format!("{} (9 in 10: {})", seconds(0.5), seconds(0.9))
}

fn short(seconds: i64) -> String {
    if seconds < 60 { format!("{seconds} s") } else { time::duration(TimeDelta::seconds(seconds)) }
}

/// When it was not heard.
fn gaps(source: &SourceAnswer, style: &Style, out: &mut String) {
    let _ = writeln!(out, "\n{} was not heard:", escape::plain(&source.source));
    let earlier = source.gaps.len().saturating_sub(GAPS_SHOWN);
    if earlier > 0 {
        let _ = writeln!(out, "  {earlier} earlier times (`--json` has all)");
    }
    for gap in source.gaps.iter().skip(earlier) {
        let (from, until) = (time::stamp(gap.from, style.zone), time::stamp(gap.until, style.zone));
        let why = gap.why.as_deref().map_or_else(String::new, |why| format!(": {}", escape::plain(why)));
        let _ = writeln!(out, "  {from} to {until}, {}{why}", time::duration(gap.until - gap.from));
    }
}

fn state(how: How) -> Cell {
    match how {
        How::Said(State::Ok) => Cell::painted("heard as it comes", Ink::green),
        How::Said(State::Replayed) => Cell::painted("replayed", Ink::green),
        How::Said(State::Backfilling) => Cell::painted("reading up", Ink::yellow),
        How::Said(State::Degraded) => Cell::painted("failing", Ink::red),
        How::Said(State::Silent) => Cell::painted("silent", Ink::red),
        How::Said(State::Stopped) => Cell::painted("stopped", Ink::red),
        How::Unattended => Cell::painted("not attended to", Ink::red),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::GapAnswer;
    use crate::cli::style;
    use crate::report::fixture::at;
    use crate::source::{Failure, Health};

    #[test]
    fn a_source_that_was_heard_is_not_called_off() {
        assert!(is_of("mastodon:social.example:streaming", "mastodon:streaming"));
        assert!(is_of("x:counts", "x:counts") && is_of("reddit", "reddit"));
        assert!(!is_of("mastodon:social.example", "mastodon:streaming") && !is_of("x:search", "x:counts"));
    }

    fn source(name: &str, state: State) -> SourceAnswer {
        SourceAnswer {
            source: name.to_owned(),
            health: Health {
                state,
                since: Some(at("20:55")),
                last_success: Some(at("20:59")),
                heard_until: Some(at("20:59")),
                ..Health::default()
            },
            lag_seconds: Some(75),
            heard_last_hour: 1.0,
            posts_last_hour: 12,
            promptness: None,
            cursor: None,
            posts: 1234,
            gaps: Vec::new(),
        }
    }

    #[test]
    fn status_pages_that_do_well_share_a_row_and_those_that_fail_are_named() {
        let pages = ["status:discord", "status:github", "status:slack"];
        let [one, two, mut failing] = pages.map(|name| source(name, State::Ok));
        let mut style = style::plain("2024-03-05T21:00:00Z");
        style.width = None;
        let all = render(&[one.clone(), two.clone(), failing.clone()], &[], true, &style);
        assert!(all.contains("3 status pages") && !all.contains("status:"), "{all}");
        failing.health.state = State::Degraded;
        let some = render(&[one.clone(), two, failing.clone()], &[], true, &style);
        let row = some.lines().find(|line| line.starts_with("2 status pages")).unwrap_or_default();
        assert!(row.contains("heard as it comes") && row.contains("2,468"), "{some}");
        assert!(some.contains("status:slack") && !some.contains("status:github"), "{some}");
        let single = render(&[one, failing], &[], true, &style);
        assert!(single.contains("status:discord") && !single.contains("status pages"), "{single}");
    }

    #[test]
    fn a_source_says_how_it_fares_and_what_to_do() {
        let mut bluesky = source("bluesky", State::Ok);
        bluesky.promptness = Some(Promptness { posts: 10, within: vec![(2, 0.6), (120, 0.95), (600, 1.0)] });
        let failed = |message: &str, retry_at| Some(Failure { at: at("20:55"), message: message.to_owned(), retry_at });
        let mut refused = source("mastodon:social.example", State::Degraded);
        refused.health.last_error = failed("social.example answered 401: take it off the list", None);
        refused.gaps = vec![GapAnswer { from: at("20:10"), until: at("20:20"), why: Some("answered 500".to_owned()) }];
        let mut busy = source("reddit", State::Degraded);
        busy.health.last_error = failed("reddit.example answered 503", Some(at("21:05")));
        let mut dead = source("tumblr", State::Ok);
        (dead.health.last_success, dead.health.heard_until) = (Some(at("20:20")), Some(at("20:20")));
        let off = Off { source: "threads", why: "no key: set WHATSDOWN_THREADS_TOKEN".to_owned() };
        let mut style = style::plain("2024-03-05T21:00:00Z");
        style.width = None;
        insta::assert_snapshot!(render(&[bluesky, refused, busy, dead], &[off], true, &style), @"
        source                   how it does        since                  behind  posts  in the last hour  read within           errors
        bluesky                  heard as it comes  5 min ago (20:55 UTC)   1 min  1,234                12  2 s (9 in 10: 2 min)       0
        mastodon:social.example  failing            5 min ago (20:55 UTC)   1 min  1,234                12  –                          0
        reddit                   failing            5 min ago (20:55 UTC)   1 min  1,234                12  –                          0
        tumblr                   not attended to    5 min ago (20:55 UTC)   1 min  1,234                12  –                          0
        threads                  off                –                           –      –                 –  –                          –

        mastodon:social.example: social.example answered 401: take it off the list. It is not asked again until `whatsdown run` is started anew. Last heard 1 min ago (20:59 UTC).

        mastodon:social.example was not heard:
          2024-03-05 20:10 UTC to 2024-03-05 20:20 UTC, 10 min: answered 500

        reddit: reddit.example answered 503. It is asked again in 5 min (21:05 UTC); nothing need be done, unless this lasts for hours. Last heard 1 min ago (20:59 UTC).

        tumblr: last heard 40 min ago (20:20 UTC), and it did not fail: the job does not seem to run. Start it with `whatsdown run`.

        Off, which is no fault (docs/keys.md):
          threads: no key: set WHATSDOWN_THREADS_TOKEN
        ");
    }
}
