//! The JSON answers: the same questions as the commands', with the same words.

use super::App;
use super::problem::Problem;
use crate::answer::Spike;
use crate::incident::Incident;
use crate::minute::Minute;
use crate::region::Region;
use crate::report::Timeline;
use crate::select::{self, DAY, Question};
use crate::store::{Filter, Mark, Reader};
use crate::when::When;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// What each question may be asked with; anything else is an error, as an unknown option is.
pub const STATUS: &[&str] = &["service", "at"];
pub const INCIDENTS: &[&str] = &["service", "region", "since", "until", "open", "limit", "cursor"];
pub const SPIKES: &[&str] = &["service", "region", "since", "until", "limit", "cursor"];
pub const SERIES: &[&str] = &["service", "region", "since", "until", "step"];
pub const NOTHING: &[&str] = &[];

/// Rows of one answer at the most, and unless fewer are asked for.
pub const ROWS: usize = 100;
/// Steps that one series may have, and the longest time that it may cover.
pub const STEPS: i64 = 20_000;
const LONGEST: TimeDelta = TimeDelta::days(2 * 366);

/// Every word that any question knows.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    service: Option<String>,
    region: Option<String>,
    since: Option<String>,
    until: Option<String>,
    at: Option<String>,
    step: Option<String>,
    open: Option<bool>,
    limit: Option<usize>,
    cursor: Option<String>,
}

type Answer = Result<Response, Problem>;
pub type AskedPath = Result<Path<String>, PathRejection>;
pub type Asking = Result<Query<Asked>, QueryRejection>;

impl Asked {
    /// The query, if it has no word but these.
    pub fn of(asked: Asking, words: &[&str]) -> Result<Asked, Problem> {
        let Query(asked) = asked.map_err(|rejection| Problem::bad(rejection.body_text()))?;
        let given = [
            ("service", asked.service.is_some()),
            ("region", asked.region.is_some()),
            ("since", asked.since.is_some()),
            ("until", asked.until.is_some()),
            ("at", asked.at.is_some()),
            ("step", asked.step.is_some()),
            ("open", asked.open.is_some()),
            ("limit", asked.limit.is_some()),
            ("cursor", asked.cursor.is_some()),
        ];
        match given.iter().find(|(word, given)| *given && !words.contains(word)) {
            Some((word, _)) if words.is_empty() => {
                Err(Problem::bad(format!("nothing can be asked here, not `{word}`")))
            }
            Some((word, _)) => Err(Problem::bad(format!("`{word}` cannot be asked here"))
                .hint(format!("what can be asked: {}", words.join(", ")))),
            None => Ok(asked),
        }
    }
}

fn parsed<T: FromStr>(value: Option<&str>) -> Result<Option<T>, Problem>
where
    T::Err: std::fmt::Display,
{
    value.map(str::parse).transpose().map_err(Problem::bad)
}

pub fn filter(app: &App, asked: &Asked, store: &Reader, by_default: Option<TimeDelta>) -> Result<Filter, Problem> {
    let question = Question {
        since: parsed::<When>(asked.since.as_deref())?,
        until: parsed::<When>(asked.until.as_deref())?,
        service: asked.service.as_deref(),
        region: parsed::<Region>(asked.region.as_deref())?,
    };
    let filter = question.filter(&app.catalogue, store.now()?, by_default)?;
    let after = parsed::<Mark>(asked.cursor.as_deref())?;
    Ok(Filter { open: asked.open.unwrap_or_default(), limit: asked.limit, after, ..filter })
}

fn json(answer: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(answer).map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "no JSON"))
}

/// Asks the database beside the threads that serve, and answers in JSON with an ETag.
async fn answer<T, F>(app: App, headers: HeaderMap, asked: Result<Asked, Problem>, ask: F) -> Answer
where
    T: Serialize,
    F: FnOnce(&App, &Asked, &Reader) -> Result<T, Problem> + Send + 'static,
{
    let asked = asked?;
    let body = app.read(move |app, store| json(&ask(app, &asked, store)?)).await?;
    Ok(tagged(&headers, "application/json", body))
}

/// [`answer`] with a list that may go on: then a `Link` leads to the rest.
async fn list<T, F>(app: App, uri: Uri, headers: HeaderMap, asked: Result<Asked, Problem>, ask: F) -> Answer
where
    T: Serialize + Marked,
    F: FnOnce(&App, &Asked, &Reader) -> Result<Vec<T>, Problem> + Send + 'static,
{
    let mut asked = asked?;
    let rows = asked.limit.unwrap_or(ROWS);
    if !(1..=ROWS).contains(&rows) {
        return Err(Problem::bad(format!("`limit` is 1 to {ROWS}")).hint("the `Link` of an answer leads to the rest"));
    }
    asked.limit = Some(rows + 1);
    let (body, last) = app
        .read(move |app, store| {
            let mut found = ask(app, &asked, store)?;
            let more = found.len() > rows;
            found.truncate(rows);
            Ok((json(&found)?, found.last().filter(|_| more).map(T::mark)))
        })
        .await?;
    let mut response = tagged(&headers, "application/json", body);
    if let Some(link) = last.and_then(|mark| HeaderValue::try_from(next(&uri, &mark)).ok()) {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

/// The same question, going on after the mark.
fn next(uri: &Uri, mark: &Mark) -> String {
    let words = uri.query().unwrap_or_default().split('&').filter(|word| !word.is_empty());
    let mut words: Vec<&str> = words.filter(|word| !word.starts_with("cursor=")).collect();
    let cursor = format!("cursor={mark}");
    words.push(&cursor);
    format!("<{}?{}>; rel=\"next\"", uri.path(), words.join("&"))
}

/// What can be the last row of an answer.
trait Marked {
    fn mark(&self) -> Mark;
}

impl Marked for Incident {
    fn mark(&self) -> Mark {
        Mark { time: self.start.low.timestamp(), name: self.id.clone() }
    }
}

impl Marked for Spike {
    fn mark(&self) -> Mark {
        Mark { time: Minute::of(self.at).0, name: format!("{}.{}", self.service, self.region) }
    }
}

/// The body, or 304 where the asker has it already.
pub fn tagged(headers: &HeaderMap, kind: &'static str, body: Vec<u8>) -> Response {
    let tag = format!("W/\"{}\"", blake3::hash(&body).to_hex());
    let known = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    if known.is_some_and(|tags| tags.split(',').any(|known| [tag.as_str(), "*"].contains(&known.trim()))) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    ([(header::ETAG, tag), (header::CONTENT_TYPE, kind.to_owned())], body).into_response()
}

pub async fn status(State(app): State<App>, headers: HeaderMap, asked: Asking) -> Answer {
    answer(app, headers, Asked::of(asked, STATUS), |app, asked, store| {
        let at = parsed::<When>(asked.at.as_deref())?;
        let now = store.now()?;
        Ok(store.status(&app.services(asked.service.as_deref())?, at.map(|at| at.resolve(now)))?)
    })
    .await
}

pub async fn incidents(State(app): State<App>, uri: Uri, headers: HeaderMap, asked: Asking) -> Answer {
    let asked = Asked::of(asked, INCIDENTS);
    list(app, uri, headers, asked, |app, asked, store| Ok(store.incidents(&filter(app, asked, store, None)?)?)).await
}

pub async fn spikes(State(app): State<App>, uri: Uri, headers: HeaderMap, asked: Asking) -> Answer {
    let asked = Asked::of(asked, SPIKES);
    list(app, uri, headers, asked, |app, asked, store| Ok(store.spikes(&filter(app, asked, store, Some(DAY))?)?)).await
}

pub async fn series(State(app): State<App>, headers: HeaderMap, asked: Asking) -> Answer {
    answer(app, headers, Asked::of(asked, SERIES), |app, asked, store| {
        let filter = filter(app, asked, store, Some(DAY))?;
        let service = filter.service.ok_or_else(|| Problem::bad("`service` says whose counts are wanted"))?;
        let until = filter.until.map_or_else(|| store.now(), Ok)?;
        let since = filter.since.unwrap_or(until - DAY);
        select::after(since, until)?;
        let step = select::step(asked.step.as_deref().unwrap_or("5m")).map_err(Problem::bad)?;
        if (until - since).num_minutes() / step > STEPS {
            return Err(Problem::bad(format!("that is more than {STEPS} steps; take a longer `step`")));
        }
        if until - since > LONGEST {
            return Err(Problem::bad("that is more than two years; ask for less at a time"));
        }
        Ok(store.series(&service, filter.region.unwrap_or(Region::WORLD), since, until, step)?)
    })
    .await
}

pub async fn sources(State(app): State<App>, headers: HeaderMap, asked: Asking) -> Answer {
    answer(app, headers, Asked::of(asked, NOTHING), |_, _, store| Ok(store.sources()?)).await
}

pub async fn services(State(app): State<App>, headers: HeaderMap, asked: Asking) -> Answer {
    Asked::of(asked, NOTHING)?;
    Ok(tagged(&headers, "application/json", json(&*app.listed)?))
}

/// One incident with its entries, as `whatsdown timeline --json`.
pub async fn incident(State(app): State<App>, headers: HeaderMap, path: AskedPath, asked: Asking) -> Answer {
    Asked::of(asked, NOTHING)?;
    let body = app.timeline(path, Timeline::json).await?;
    let body = body.map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "no JSON"))?;
    Ok(tagged(&headers, "application/json", body.into_bytes()))
}
