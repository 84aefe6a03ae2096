//! `whatsdown sources`: how each source fares, for people who ask whether silence means anything.

use super::context::Context;
use super::failure::{Exit, Stop};
use super::format::Format;
use super::style::Style;
use super::table::{Cell, Table};
use crate::answer::SourceAnswer;
use crate::report::ink::Ink;
use crate::report::{escape, time, words};
use crate::source::State;
use crate::store::Stamp;
use chrono::TimeDelta;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The gaps that are listed, the latest.
const GAPS_SHOWN: usize = 5;

/// Each source: last success, lag, posts, errors, gaps
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
            context.out.text(&render(&sources, &style))?;
        }
    }
    // Of a recording nobody asks for keys.
    if store.stamp == Stamp::Live && format == Format::Text {
        let off = context.keyed(&BTreeMap::new())?.off;
        // The job may have been given keys that this command was not.
        for off in off.iter().filter(|off| !sources.iter().any(|heard| is_of(&heard.source, off.source))) {
            context.note(&format!("Off: {}: {}", off.source, off.why));
        }
    }
    Ok(Exit::Done)
}

/// Whether a source is of a kind: `mastodon:social.example:streaming` of `mastodon:streaming`.
fn is_of(source: &str, kind: &str) -> bool {
    let ends = |name: &str| (name.split(':').next().map(str::to_owned), name.rsplit(':').next().map(str::to_owned));
    ends(source) == ends(kind)
}

fn render(sources: &[SourceAnswer], style: &Style) -> String {
    let columns = ["source", "state", "last success", "#lag", "#posts", "#errors", "#budget", "cursor", "last error"];
    let mut table = Table::new(&columns);
    for source in sources {
        let health = &source.health;
        let budget = health.budget_left.map_or_else(|| "–".to_owned(), |left| words::thousands(left.into()));
        let lag = |seconds: i64| time::duration(TimeDelta::seconds(seconds));
        let error = health.last_error.as_ref().map_or("", |error| &error.message);
        table.row([
            source.source.as_str().into(),
            state(health.state),
            health.last_success.map_or_else(|| "never".to_owned(), |at| style.when(at)).into(),
            source.lag_seconds.map_or_else(|| "–".to_owned(), lag).into(),
            words::thousands(source.posts).into(),
            words::thousands(health.errors).into(),
            budget.into(),
            source.cursor.as_deref().unwrap_or_default().into(),
            error.into(),
        ]);
    }
    let mut out = table.render(style);
    for source in sources.iter().filter(|source| !source.gaps.is_empty()) {
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
    out
}

fn state(state: State) -> Cell {
    match state {
        State::Ok => Cell::painted("ok", Ink::green),
        State::Replayed => Cell::painted("replayed", Ink::green),
        State::Backfilling => Cell::painted("backfilling", Ink::yellow),
        State::Degraded => Cell::painted("degraded", Ink::red),
        State::Silent => Cell::painted("silent", Ink::red),
        State::Stopped => Cell::painted("stopped", Ink::red),
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

    #[test]
    fn a_source_says_how_it_fares_and_when_it_was_not_heard() {
        let source = SourceAnswer {
            source: "mastodon@social.example".to_owned(),
            health: Health {
                state: State::Degraded,
                last_success: Some(at("20:50")),
                budget_left: Some(12),
                errors: 3,
                last_error: Some(Failure {
                    at: at("20:55"),
                    message: "401: asks for a key".to_owned(),
                    retry_at: None,
                }),
                ..Health::default()
            },
            lag_seconds: Some(75),
            cursor: None,
            posts: 1234,
            gaps: vec![GapAnswer { from: at("20:10"), until: at("20:20"), why: Some("answered 500".to_owned()) }],
        };
        let mut style = style::plain("2024-03-05T21:00:00Z");
        style.width = None;
        insta::assert_snapshot!(render(&[source], &style), @"
        source                   state     last success              lag  posts  errors  budget  cursor  last error
        mastodon@social.example  degraded  10 min ago (20:50 UTC)  1 min  1,234       3      12          401: asks for a key

        mastodon@social.example was not heard:
          2024-03-05 20:10 UTC to 2024-03-05 20:20 UTC, 10 min: answered 500
        ");
    }
}
