//! `whatsdown check`: configuration, catalogue and words, read strictly.

use super::context::Context;
use super::failure::{Exit, Stop};
use super::format::Format;
use super::style::Style;
use crate::alert::config::ConfigError as AlertError;
use crate::clock;
use crate::config::{Config, ConfigError};
use crate::reading::{Catalogue, Lexicon, Problem};
use crate::report::escape;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// Read configuration, catalogue and words strictly, and list every problem
#[derive(clap::Args)]
pub struct Args {}

#[derive(Debug, PartialEq, Serialize)]
struct Found {
    file: String,
    /// Counted from 1; `null` where the file cannot be read at all.
    line: Option<usize>,
    message: String,
    hint: String,
}

impl From<Problem> for Found {
    fn from(problem: Problem) -> Found {
        Found { file: problem.file, line: Some(problem.line), message: problem.message, hint: problem.hint }
    }
}

impl From<ConfigError> for Found {
    fn from(error: ConfigError) -> Found {
        let file = error.file.display().to_string();
        Found { file, line: error.place.map(|(line, _)| line), message: error.message, hint: error.hint }
    }
}

impl From<AlertError> for Found {
    fn from(error: AlertError) -> Found {
        Found { file: "configuration".to_owned(), line: None, message: error.to_string(), hint: error.hint }
    }
}

pub fn run(_: &Args, context: &mut Context) -> Result<Exit, Stop> {
    let format = context.format(&[Format::Text, Format::Json])?;
    let file = context.config_file();
    let mut found = Vec::new();
    let mut off = Vec::new();
    match Config::load(file.as_deref()) {
        Ok(config) => {
            found.extend(in_words(&config));
            if found.is_empty() {
                match context.sources(&BTreeMap::new()).and_then(|_| context.keyed(&BTreeMap::new())) {
                    Ok(keyed) => off = keyed.off,
                    Err(stop) => found.extend(in_sources(stop, file.as_deref())),
                }
            }
        }
        Err(error) => {
            found.push(error.into());
            found.extend(Config::load(None).map_or_else(|error| vec![error.into()], |config| in_words(&config)));
        }
    }
    if format == Format::Json {
        context.out.json_array(&found)?;
    } else {
        let style = context.style(clock::now());
        context.out.text(&render(&found, &style))?;
    }
    match &file {
        Some(file) => context.note(&format!("Configuration: {}", file.display())),
        None => context.note("Configuration: the defaults, since there is no file of your own."),
    }
    for off in off {
        context.note(&format!("Off: {}: {}", off.source, off.why));
    }
    Ok(if found.is_empty() { Exit::Done } else { Exit::Usage })
}

/// What is wrong with the sources that the configuration names, or with their keys.
fn in_sources(stop: Stop, file: Option<&Path>) -> Option<Found> {
    let Stop::Failure(failure) = stop else { return None };
    let file = file.unwrap_or(Path::new("data/default.toml")).display().to_string();
    Some(Found { file, line: None, message: failure.message, hint: failure.hint.unwrap_or_default() })
}

/// The problems of the catalogue and the lexicons, those that the configuration names among them.
fn in_words(config: &Config) -> Vec<Found> {
    let mut found = Vec::new();
    let mut catalogue = Catalogue::embedded().map_err(|problem| found.push(problem.into())).unwrap_or_default();
    for file in &config.reading.services {
        match read(file).and_then(|text| Ok(Catalogue::parse(&file.display().to_string(), &text)?)) {
            Ok(more) => catalogue = catalogue.with(more),
            Err(problem) => found.push(problem),
        }
    }
    found.extend(catalogue.problems().into_iter().map(Found::from));
    let mut lexicons = Lexicon::embedded().map_err(|problem| found.push(problem.into())).unwrap_or_default();
    for file in &config.reading.lexicons {
        match read(file).and_then(|text| Ok(Lexicon::parse(&file.display().to_string(), &text)?)) {
            Ok(more) => lexicons.push(more),
            Err(problem) => found.push(problem),
        }
    }
    found.extend(Lexicon::problems(&lexicons).into_iter().map(Found::from));
    found.extend(config.alerts.check(&catalogue).err().map(Found::from));
    found.extend(config.alerts.receivers().err().map(Found::from));
    found
}

fn read(file: &std::path::Path) -> Result<String, Found> {
    std::fs::read_to_string(file).map_err(|error| Found {
        file: file.display().to_string(),
        line: None,
        message: format!("cannot be read: {error}"),
        hint: "the configuration names this file under [reading]; correct the path or take it out".to_owned(),
    })
}

fn render(found: &[Found], style: &Style) -> String {
    let mut out = String::new();
    for problem in found {
        let line = problem.line.map_or_else(String::new, |line| format!(":{line}"));
        let place = style.ink.bold(&format!("{}{line}", escape::plain(&problem.file)));
        let _ = writeln!(out, "{place}: {}", escape::plain(&problem.message));
        let _ = writeln!(out, "  hint: {}", escape::plain(&problem.hint));
    }
    match found.len() {
        0 => out.push_str("No problems.\n"),
        1 => out.push_str("1 problem.\n"),
        more => {
            let _ = writeln!(out, "{more} problems.");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::style;

    #[test]
    fn words_of_ones_own_are_checked_for_what_is_dead_shadowed_or_clashing() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("my.toml", "[reading]\nservices = [\"services.toml\"]\nlexicons = [\"words.toml\"]\n");
        write("services.toml", "[[service]]\nid = \"mine\"\nnames = [\"TikTok\"]\nnot = [\"other\"]\n");
        write(
            "words.toml",
            "language = \"en\"\n[phrases]\nreport = [\"is kaput\", \"Is Kaput\", \"is toast\", \"is toast today\"]\nfine = [\"is kaput\"]\n",
        );
        let config = Config::load(Some(&folder.path().join("my.toml"))).unwrap();
        let mut told: Vec<String> = in_words(&config).into_iter().map(|found| found.message).collect();
        told.sort();
        assert_eq!(
            told,
            [
                "`Is Kaput` is there twice",
                "`TikTok` is `tiktok` too",
                "`is kaput` says that it works here and says that it fails in line 3",
                "`is toast today` changes nothing",
                "`other` changes nothing: no name of `mine` is in it",
            ]
        );
    }

    #[test]
    fn a_problem_has_a_place_and_a_hint() {
        let found = |line| Found {
            file: "my.toml".to_owned(),
            line,
            message: "there is no key `x`".to_owned(),
            hint: "did you mean `y`?".to_owned(),
        };
        let text = render(&[found(Some(3)), found(None)], &style::plain("2024-03-05T21:00:00Z"));
        insta::assert_snapshot!(text, @"
        my.toml:3: there is no key `x`
          hint: did you mean `y`?
        my.toml: there is no key `x`
          hint: did you mean `y`?
        2 problems.
        ");
    }
}
