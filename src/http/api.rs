//! The JSON answers: the same questions as the commands', with the same words.

use super::App;
use super::problem::Problem;
use crate::reading::ServiceId;
use crate::region::Region;
use crate::report::Timeline;
use crate::select::{self, DAY, Question};
use crate::store::{Filter, Reader};
use crate::when::When;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// The query of a question. A key that is not here is an error, as an unknown option is.
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
}

/// Steps that one series may have.
const STEPS: i64 = 20_000;

type Answer = Result<Response, Problem>;
pub type AskedPath = Result<Path<String>, PathRejection>;
type Asking = Result<Query<Asked>, QueryRejection>;

fn parsed<T: FromStr>(value: Option<&str>) -> Result<Option<T>, Problem>
where
    T::Err: std::fmt::Display,
{
    value.map(str::parse).transpose().map_err(Problem::bad)
}

fn filter(app: &App, asked: &Asked, store: &Reader, by_default: Option<chrono::TimeDelta>) -> Result<Filter, Problem> {
    let question = Question {
        since: parsed::<When>(asked.since.as_deref())?,
        until: parsed::<When>(asked.until.as_deref())?,
        service: asked.service.as_deref(),
        region: parsed::<Region>(asked.region.as_deref())?,
    };
    let filter = question.filter(&app.catalogue, store.now()?, by_default)?;
    Ok(Filter { open: asked.open.unwrap_or_default(), limit: asked.limit, ..filter })
}

/// Asks the database beside the threads that serve, and answers in JSON with an ETag.
async fn answer<T, F>(app: App, headers: HeaderMap, asked: Asking, ask: F) -> Answer
where
    T: Serialize,
    F: FnOnce(&App, &Asked, &Reader) -> Result<T, Problem> + Send + 'static,
{
    let Query(asked) = asked.map_err(|rejection| Problem::bad(rejection.body_text()))?;
    let body = app
        .read(move |app, store| {
            let answer = ask(app, &asked, store)?;
            serde_json::to_vec(&answer).map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "no JSON"))
        })
        .await?;
    Ok(tagged(&headers, "application/json", body))
}

/// The body, or 304 where the asker has it already.
pub fn tagged(headers: &HeaderMap, kind: &'static str, body: Vec<u8>) -> Response {
    let tag = format!("W/\"{}\"", blake3::hash(&body).to_hex());
    let known = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    if known.is_some_and(|tags| tags.split(',').any(|known| known.trim() == tag)) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    ([(header::ETAG, tag), (header::CONTENT_TYPE, kind.to_owned())], body).into_response()
}

pub async fn status(State(app): State<App>, headers: HeaderMap, asked: Asking) -> Answer {
    answer(app, headers, asked, |app, asked, store| {
        let at = parsed::<When>(asked.at.as_deref())?;
        let now = store.now()?;
        Ok(store.status(&app.services(asked.service.as_deref())?, at.map(|at| at.resolve(now)))?)
    })
    .await
}

pub async fn incidents(State(app): State<App>, headers: HeaderMap, asked: Asking) -> Answer {
    answer(app, headers, asked, |app, asked, store| Ok(store.incidents(&filter(app, asked, store, None)?)?)).await
}

pub async fn spikes(State(app): State<App>, headers: HeaderMap, asked: Asking) -> Answer {
    answer(app, headers, asked, |app, asked, store| Ok(store.spikes(&filter(app, asked, store, Some(DAY))?)?)).await
}

pub async fn series(State(app): State<App>, headers: HeaderMap, asked: Asking) -> Answer {
    answer(app, headers, asked, |app, asked, store| {
        let filter = filter(app, asked, store, Some(DAY))?;
        let service = filter.service.ok_or_else(|| Problem::bad("`service` says whose counts are wanted"))?;
        let until = filter.until.map_or_else(|| store.now(), Ok)?;
        let since = filter.since.unwrap_or(until - DAY);
        select::after(since, until)?;
        let step = select::step(asked.step.as_deref().unwrap_or("5m")).map_err(Problem::bad)?;
        if (until - since).num_minutes() / step > STEPS {
            return Err(Problem::bad(format!("that is more than {STEPS} steps; take a longer `step`")));
        }
        Ok(store.series(&service, filter.region.unwrap_or(Region::WORLD), since, until, step)?)
    })
    .await
}

pub async fn sources(State(app): State<App>, headers: HeaderMap, asked: Asking) -> Answer {
    answer(app, headers, asked, |_, _, store| Ok(store.sources()?)).await
}

#[derive(Serialize)]
struct Named {
    id: ServiceId,
    name: String,
    status: Option<String>,
}

pub async fn services(State(app): State<App>, headers: HeaderMap, asked: Asking) -> Answer {
    answer(app, headers, asked, |app, _, _| {
        let services = app.catalogue.services().iter();
        let named = |service: &crate::reading::Service| Named {
            id: service.id.clone(),
            name: service.name.clone(),
            status: service.status.clone(),
        };
        Ok(services.map(named).collect::<Vec<_>>())
    })
    .await
}

/// One incident with its entries, as `whatsdown timeline --json`.
pub async fn incident(State(app): State<App>, headers: HeaderMap, path: AskedPath) -> Answer {
    let body = app.timeline(path, Timeline::json).await?;
    let body = body.map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "no JSON"))?;
    Ok(tagged(&headers, "application/json", body.into_bytes()))
}
