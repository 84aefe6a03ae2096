//! What the commands share: where things are, how they look, where data and words go.

use super::failure::{Exit, Stop};
use super::format::Format;
use super::out::Out;
use super::style::Style;
use super::{ColourChoice, Global};
use crate::alert::config::ConfigError as AlertError;
use crate::alert::sender::Sender;
use crate::clock;
use crate::config::{self, Config};
use crate::pipeline::replay::ReplayError;
use crate::pipeline::{PipelineError, Retention};
use crate::reading::place::Places;
use crate::reading::{self, Catalogue, Lexicon, Notices, Problem, ServiceId};
use crate::report::ink::Ink;
use crate::report::{Audience, escape};
use crate::select::{self, Wrong};
use crate::source::http::Client;
use crate::source::keyed::{self, Given, Keyed, Watched};
use crate::source::status::Readable;
use crate::source::{self, Cursor, Source};
use crate::store::{self, StoreError};
use crate::track::Settings;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

pub struct Context {
    pub global: Global,
    pub out: Out,
    config: OnceCell<Rc<Config>>,
    catalogue: OnceCell<Rc<Catalogue>>,
}

impl Context {
    pub fn new(global: Global, out: Out) -> Context {
        Context { global, out, config: OnceCell::new(), catalogue: OnceCell::new() }
    }

    /// The format that is wanted, of those that the command has.
    pub fn format(&self, has: &[Format]) -> Result<Format, Stop> {
        let wanted = if self.global.json { Some(Format::Json) } else { self.global.format };
        Format::choose(wanted, has)
    }

    pub fn config(&self) -> Result<Rc<Config>, Stop> {
        if let Some(config) = self.config.get() {
            return Ok(config.clone());
        }
        let file = self.config_file();
        let config = Rc::new(Config::load(file.as_deref())?);
        Ok(self.config.get_or_init(|| config).clone())
    }

    /// The file of the user's configuration, if there is one.
    pub fn config_file(&self) -> Option<PathBuf> {
        named(self.global.config.as_ref(), "WHATSDOWN_CONFIG").or_else(config::default_file)
    }

    /// The database, whether it exists or not.
    pub fn database(&self) -> Result<PathBuf, Stop> {
        if let Some(path) = named(self.global.db.as_ref(), "WHATSDOWN_DB") {
            return Ok(path);
        }
        let path = self.config()?.store.path.clone();
        if !path.as_os_str().is_empty() {
            return Ok(path);
        }
        config::default_database()
            .ok_or_else(|| Stop::usage("there is no home directory to keep the database in").hint("name it with --db"))
    }

    pub fn store(&self) -> Result<store::Reader, Stop> {
        Ok(store::Reader::open(&self.database()?)?)
    }

    /// The services that are known, the user's own among them.
    pub fn catalogue(&self) -> Result<Rc<Catalogue>, Stop> {
        if let Some(catalogue) = self.catalogue.get() {
            return Ok(catalogue.clone());
        }
        let mut catalogue = Catalogue::embedded()?;
        for file in &self.config()?.reading.services {
            catalogue = catalogue.with(Catalogue::parse(&file.display().to_string(), &read(file)?)?);
        }
        Ok(self.catalogue.get_or_init(|| Rc::new(catalogue)).clone())
    }

    /// The sources that are on.
    pub fn sources(&self, cursors: &BTreeMap<String, Cursor>) -> Result<Vec<Box<dyn Source>>, Stop> {
        let lexicons = self.lexicons()?;
        let hashtags: Vec<String> =
            self.catalogue()?.services().iter().flat_map(|service| service.followed_tags(&lexicons)).collect();
        let services = self.watched()?;
        let given = Given { services: &services, cursors, now: clock::now() };
        let mut sources = source::build(&self.config()?.sources, &hashtags, &given).map_err(wrong_sources)?;
        sources.append(&mut self.keyed(cursors)?.on);
        Ok(sources)
    }

    /// The services as sources know them.
    fn watched(&self) -> Result<Vec<Watched>, Stop> {
        let readable = |(notices, page): (&Notices, &str)| Readable {
            dialect: notices.dialect,
            page: page.to_owned(),
            parts: notices.parts.clone(),
        };
        let watched = |service: &reading::Service| Watched {
            id: service.id.to_string(),
            name: service.name.clone(),
            status: service.readable_page().map(readable),
            networks: service.networks.clone(),
        };
        Ok(self.catalogue()?.services().iter().map(watched).collect())
    }

    /// The sources that need a key, those that are on and those that are off.
    pub fn keyed(&self, cursors: &BTreeMap<String, Cursor>) -> Result<Keyed, Stop> {
        let services = self.watched()?;
        let given = Given { services: &services, cursors, now: clock::now() };
        keyed::build(&self.config()?.sources, &given).map_err(wrong_sources)
    }

    /// The words of all languages, the user's own among them.
    pub fn lexicons(&self) -> Result<Vec<Lexicon>, Stop> {
        let mut lexicons = Lexicon::embedded()?;
        for file in &self.config()?.reading.lexicons {
            lexicons.push(Lexicon::parse(&file.display().to_string(), &read(file)?)?);
        }
        Ok(lexicons)
    }

    /// What reads posts, with the user's own services and words.
    pub fn reader(&self) -> Result<reading::Reader, Stop> {
        let catalogue = Catalogue::clone(&*self.catalogue()?);
        reading::Reader::new(catalogue, &self.lexicons()?).map_err(Stop::failed)
    }

    /// The knobs of detection, and how long texts are kept.
    pub fn settings(&self) -> Result<(Settings, Retention), Stop> {
        let config = self.config()?;
        let settings = Settings { false_alarms_per_month: config.detect.false_alarms_per_month };
        let retention = Retention {
            unquoted: TimeDelta::hours(config.store.text_hours.into()),
            quoted: TimeDelta::days(config.store.evidence_days.into()),
        };
        Ok((settings, retention))
    }

    /// The receivers of alerts.
    pub fn alerts(&self, client: Client) -> Result<Sender, Stop> {
        let (alerts, page) = (&self.config()?.alerts, self.config()?.http.page.clone());
        let catalogue = Catalogue::clone(&*self.catalogue()?);
        alerts.check(&catalogue)?;
        Ok(Sender::new(alerts.receivers()?, client, catalogue, page))
    }

    /// The service of this id, which must be known.
    pub fn service(&self, id: &str) -> Result<ServiceId, Stop> {
        let catalogue = self.catalogue()?;
        Ok(select::service(&catalogue, id)?)
    }

    pub fn style(&self, now: DateTime<Utc>) -> Style {
        let terminal = io::stdout().is_terminal();
        let colour = match self.global.color {
            ColourChoice::Always => true,
            ColourChoice::Never => false,
            ColourChoice::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        };
        let width = if terminal { terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)) } else { None };
        Style { ink: Ink { colour }, width, zone: self.zone(), now }
    }

    /// The reader's zone: as told, else the system's, else UTC.
    fn zone(&self) -> Tz {
        let system = || iana_time_zone::get_timezone().ok()?.parse().ok();
        self.global.tz.or_else(system).unwrap_or(Tz::UTC)
    }

    /// Gives the names of services and regions, and the reader's zone.
    pub fn telling<T>(&self, tell: impl FnOnce(&Audience) -> T) -> Result<T, Stop> {
        let catalogue = self.catalogue()?;
        let places = Places::embedded();
        Ok(tell(&Audience {
            service: &|id| catalogue.get(id.as_str()).map_or_else(|| id.to_string(), |service| service.name.clone()),
            region: &|region| places.name(region).map_or_else(|| region.to_string(), str::to_owned),
            zone: self.zone(),
        }))
    }

    /// Says something beside the data, unless `-q`.
    pub fn note(&self, text: &str) {
        if !self.global.quiet {
            say(text);
        }
    }
}

/// What is said of sources that cannot be made as they are configured.
pub fn wrong_sources(error: source::ConfigError) -> Stop {
    Stop::usage(error).hint(
        "correct the configuration under [sources], or the key that it names (docs/keys.md); `whatsdown check` reads it again",
    )
}

/// A path that was named by an option, else by a variable of the environment; an empty one names none.
fn named(option: Option<&PathBuf>, variable: &str) -> Option<PathBuf> {
    option.cloned().or_else(|| std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from))
}

fn read(file: &Path) -> Result<String, Stop> {
    std::fs::read_to_string(file).map_err(|error| {
        Stop::usage(format!("cannot read {}: {error}", file.display()))
            .hint("the configuration names this file under [reading]; correct the path or take it out")
    })
}

/// Writes a line to stderr. Where nobody listens, nothing is lost.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Tells a failure, with its hint.
pub fn tell_failure(message: &str, hint: Option<&str>) {
    say(&format!("error: {}", escape::plain(message)));
    if let Some(hint) = hint {
        say(&format!(" hint: {}", escape::plain(hint)));
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Stop {
        let hint = error.hint();
        Stop::failed(error).hint(hint)
    }
}

impl From<AlertError> for Stop {
    fn from(error: AlertError) -> Stop {
        let hint = error.hint.clone();
        Stop::usage(error).hint(hint)
    }
}

impl From<PipelineError> for Stop {
    fn from(error: PipelineError) -> Stop {
        let hint = error.hint();
        Stop::failed(error).hint(hint)
    }
}

impl From<ReplayError> for Stop {
    fn from(error: ReplayError) -> Stop {
        let hint = error.hint();
        Stop::failed(error).hint(hint)
    }
}

impl From<Wrong> for Stop {
    fn from(wrong: Wrong) -> Stop {
        Stop::usage(&wrong).hint(&wrong.hint)
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Stop {
        Stop::usage(format!("{}:{}: {}", problem.file, problem.line, problem.message)).hint(problem.hint)
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        std::process::ExitCode::from(exit as u8)
    }
}
