//! The configuration: the documented defaults of `data/default.toml`, and over them the user's own file, read strictly.

use crate::{alert, http, source};
use serde::Deserialize;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// All defaults stand here and nowhere else.
pub const DEFAULTS: &str = include_str!("../data/default.toml");

/// What the keys mean is told in [`DEFAULTS`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub store: Store,
    pub detect: Detect,
    pub timelines: Timelines,
    pub reading: Reading,
    pub sources: source::Config,
    pub http: http::Config,
    pub alerts: alert::config::Config,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// Empty for the default place.
    pub path: PathBuf,
    pub text_hours: u32,
    pub evidence_days: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detect {
    /// Over all series together. Above 0.
    #[serde(deserialize_with = "positive")]
    pub false_alarms_per_month: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timelines {
    /// Empty for the default place.
    pub folder: PathBuf,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    pub services: Vec<PathBuf>,
    pub lexicons: Vec<PathBuf>,
}

fn positive<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let number = f64::deserialize(deserializer)?;
    if number > 0.0 && number.is_finite() {
        Ok(number)
    } else {
        Err(serde::de::Error::custom(format!("{number} is not a number above 0")))
    }
}

/// What is wrong with a configuration, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{place}: {message}", file = file.display(), place = place.map_or_else(String::new, |(line, column)| format!(":{line}:{column}")))]
pub struct ConfigError {
    pub file: PathBuf,
    /// Line and column, counted from 1; `None` where the file cannot be read at all.
    pub place: Option<(usize, usize)>,
    pub message: String,
    pub hint: String,
}

/// The file to read where none is named: the user's own, if it exists.
pub fn default_file() -> Option<PathBuf> {
    use etcetera::BaseStrategy as _;
    let file = etcetera::choose_base_strategy().ok()?.config_dir().join("whatsdown").join("config.toml");
    file.exists().then_some(file)
}

/// The database to use where none is named.
pub fn default_database() -> Option<PathBuf> {
    use etcetera::BaseStrategy as _;
    let strategy = etcetera::choose_base_strategy().ok()?;
    Some(strategy.state_dir().unwrap_or_else(|| strategy.data_dir()).join("whatsdown").join("whatsdown.db"))
}

impl Config {
    /// The defaults, under what `file` says otherwise. Paths in it become relative to its folder.
    ///
    /// # Errors
    /// A file that cannot be read, is not TOML, or has an unknown key or a value of the wrong kind.
    pub fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
        let Some(file) = file else { return Config::read(Path::new("data/default.toml"), "") };
        let text = std::fs::read_to_string(file).map_err(|error| ConfigError {
            file: file.to_owned(),
            place: None,
            message: format!("cannot be read: {error}"),
            hint: "name a readable file of UTF-8 text with --config or WHATSDOWN_CONFIG".to_owned(),
        })?;
        let mut config = Config::read(file, &text)?;
        config.resolve(file.parent().unwrap_or(Path::new("")));
        Ok(config)
    }

    /// Reads `text` over the defaults. `file` is only what errors call it.
    fn read(file: &Path, text: &str) -> Result<Config, ConfigError> {
        let defaults_bad = |error: toml::de::Error| problem(Path::new("data/default.toml"), DEFAULTS, &error);
        let mut merged = DeTable::parse(DEFAULTS).map_err(defaults_bad)?;
        let own = DeTable::parse(text).map_err(|error| problem(file, text, &error))?.into_inner();
        if let Some(unknown) = unknown_key(&own, merged.get_ref(), "") {
            return Err(ConfigError {
                file: file.to_owned(),
                place: Some(place(text, unknown.span.start)),
                message: format!("there is no key `{}{}`", unknown.table, unknown.key),
                hint: nearest_hint(&unknown.key, &unknown.known),
            });
        }
        merge(merged.get_mut(), own);
        // The defaults are sound (a test reads them), so that any error lies in the user's text.
        Config::deserialize(toml::Deserializer::from(merged)).map_err(|error| problem(file, text, &error))
    }

    fn resolve(&mut self, folder: &Path) {
        let own = [&mut self.store.path, &mut self.timelines.folder].into_iter().chain(self.sources.files());
        let files = self.reading.services.iter_mut().chain(&mut self.reading.lexicons);
        for path in own.chain(files).chain(self.alerts.files()).filter(|path| !path.as_os_str().is_empty()) {
            *path = folder.join(&*path);
        }
    }
}

fn problem(file: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    ConfigError {
        file: file.to_owned(),
        place: error.span().map(|span| place(text, span.start)),
        message: error.message().trim().replace('\n', ": "),
        hint:
            "data/default.toml shows every key with a value of the right kind; `whatsdown check` reads the file again"
                .to_owned(),
    }
}

/// Line and column of a byte, both counted from 1, the column in characters.
fn place(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// A key that the defaults do not have.
struct UnknownKey {
    /// `store.`, or nothing at the top.
    table: String,
    key: String,
    span: Range<usize>,
    /// The keys that the table has.
    known: Vec<String>,
}

fn unknown_key(own: &DeTable, known: &DeTable, table: &str) -> Option<UnknownKey> {
    let mut keys: Vec<_> = own.iter().collect();
    keys.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in keys {
        match known.get(key.get_ref().as_ref()).map(Spanned::get_ref) {
            None => {
                return Some(UnknownKey {
                    table: table.to_owned(),
                    key: key.get_ref().to_string(),
                    span: key.span(),
                    known: known.keys().map(|key| key.get_ref().to_string()).collect(),
                });
            }
            Some(DeValue::Table(known)) => {
                let own = value.get_ref().as_table();
                let found = own.and_then(|own| unknown_key(own, known, &format!("{table}{}.", key.get_ref())));
                if found.is_some() {
                    return found;
                }
            }
            Some(_) => {}
        }
    }
    None
}

/// Puts the user's values over the defaults, table by table.
fn merge<'a>(defaults: &mut DeTable<'a>, own: DeTable<'a>) {
    for (key, value) in own {
        match (defaults.get_mut(key.get_ref().as_ref()).map(Spanned::get_mut), value) {
            (Some(DeValue::Table(known)), value) if value.get_ref().is_table() => {
                if let DeValue::Table(own) = value.into_inner() {
                    merge(known, own);
                }
            }
            (_, value) => {
                defaults.insert(key, value);
            }
        }
    }
}

/// `did you mean …?`, or all that there is.
pub fn nearest_hint(word: &str, known: &[String]) -> String {
    match nearest(word, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")),
    }
}

/// The known word that is most like this one, if any is alike enough to have been meant.
pub fn nearest<'a>(word: &str, known: &'a [String]) -> Option<&'a str> {
    let scored = known.iter().map(|known| (strsim::normalized_damerau_levenshtein(word, known), known));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= 0.5).then_some(best.1.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> ConfigError {
        Config::read(Path::new("my.toml"), text).unwrap_err()
    }

    #[test]
    fn the_defaults_are_sound_and_an_empty_file_is_them() {
        let whole = Config::read(Path::new("data/default.toml"), DEFAULTS).unwrap();
        assert_eq!(format!("{:?}", Config::load(None).unwrap()), format!("{whole:?}"));
    }

    #[test]
    fn what_is_not_said_stays_as_it_was() {
        let config = Config::read(Path::new("my.toml"), "[store]\ntext_hours = 1\n").unwrap();
        let defaults = Config::load(None).unwrap();
        assert_eq!(config.store.text_hours, 1);
        assert_eq!(config.store.evidence_days, defaults.store.evidence_days);
    }

    #[test]
    fn a_wrong_key_is_shown_with_the_nearest() {
        let wrong = error("[detect]\n  false_alarm_per_month = 2\n");
        assert_eq!(wrong.to_string(), "my.toml:2:3: there is no key `detect.false_alarm_per_month`");
        assert_eq!(wrong.hint, "did you mean `false_alarms_per_month`?");
        assert_eq!(error("[store]\nqqq = 1").hint.matches('`').count(), 6, "all keys of the table");
    }

    #[test]
    fn paths_are_relative_to_the_file_that_names_them() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, "[store]\npath = \"a.db\"\n[reading]\nservices = [\"more.toml\"]\n").unwrap();
        let config = Config::load(Some(&file)).unwrap();
        assert_eq!(config.store.path, folder.path().join("a.db"));
        assert_eq!(config.reading.services, [folder.path().join("more.toml")]);
        assert_eq!(config.timelines.folder, Path::new(""), "empty stays empty");
    }

    #[test]
    fn valid_files_are_read() {
        for (file, _) in fixtures("valid") {
            Config::load(Some(&file)).unwrap_or_else(|error| panic!("{error}"));
        }
    }

    /// Every invalid file says in its first line what the error is: `# line:column: message`.
    #[test]
    fn invalid_files_are_refused_at_the_right_place() {
        for (file, text) in fixtures("invalid") {
            let expected = text.lines().next().unwrap().trim_start_matches("# ").to_owned();
            let error = Config::load(Some(&file)).expect_err(&file.display().to_string());
            let (line, column) = error.place.unwrap();
            assert_eq!(format!("{line}:{column}: {}", error.message), expected, "{}", file.display());
            assert!(!error.hint.is_empty());
        }
    }

    fn fixtures(kind: &str) -> Vec<(PathBuf, String)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/config").join(kind);
        let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(files.len() >= 3, "there are files to read");
        files.into_iter().map(|file| (file.clone(), std::fs::read_to_string(&file).unwrap())).collect()
    }
}
