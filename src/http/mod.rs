//! The pages and the API over a database. Read-only: nothing on the network can change anything.

mod api;
mod events;
mod feed;
mod guard;
mod health;
mod metrics;
mod openapi;
mod page;
mod problem;

use crate::answer::ServiceAnswer;
use crate::reading::place::Places;
use crate::reading::{Catalogue, Lexicon, ServiceId};
use crate::report::{Audience, Timeline};
use crate::select;
use crate::store::Reader;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Router, middleware};
use chrono_tz::Tz;
use events::Events;
use guard::{Answered, Limits};
use problem::Problem;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tower_http::compression::CompressionLayer;

/// What is served to whom; data/default.toml tells what the keys mean.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub names: Vec<String>,
    pub page: String,
    pub cors_origins: Vec<String>,
    pub requests_a_minute: u32,
}

/// What every answer is made from.
#[derive(Clone)]
pub struct App {
    database: Arc<PathBuf>,
    catalogue: Arc<Catalogue>,
    /// The catalogue as it is shown.
    listed: Arc<Vec<ServiceAnswer>>,
    config: Arc<Config>,
    events: Events,
    limits: Arc<Limits>,
    answered: Arc<Answered>,
}

impl App {
    pub fn new(database: PathBuf, catalogue: Catalogue, lexicons: &[Lexicon], config: Config) -> App {
        let listed = catalogue.services().iter().map(|service| ServiceAnswer::of(service, lexicons));
        App {
            database: Arc::new(database),
            listed: Arc::new(listed.collect()),
            catalogue: Arc::new(catalogue),
            limits: Arc::new(Limits::new(config.requests_a_minute)),
            config: Arc::new(config),
            events: Events::new(),
            answered: Arc::default(),
        }
    }

    /// Asks the database on a thread that may wait.
    async fn read<T: Send + 'static>(
        self,
        ask: impl FnOnce(&App, &Reader) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let asked = tokio::task::spawn_blocking(move || ask(&self, &Reader::open(&self.database)?)).await;
        asked.unwrap_or_else(|_| Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the answer was not finished")))
    }

    fn services(&self, only: Option<&str>) -> Result<Vec<ServiceId>, Problem> {
        match only {
            Some(id) => Ok(vec![select::service(&self.catalogue, id)?]),
            None => Ok(self.catalogue.services().iter().map(|service| service.id.clone()).collect()),
        }
    }

    /// Gives the names of services and regions, and the reader's zone.
    fn telling<T>(&self, zone: Tz, tell: impl FnOnce(&Audience) -> T) -> T {
        let places = Places::embedded();
        tell(&Audience {
            service: &|id| self.catalogue.get(id.as_str()).map_or_else(|| id.to_string(), |s| s.name.clone()),
            region: &|region| places.name(region).map_or_else(|| region.to_string(), str::to_owned),
            zone,
        })
    }

    /// The timeline of an incident, in UTC.
    async fn timeline<T: Send + 'static>(
        self,
        path: api::AskedPath,
        tell: impl FnOnce(&Timeline) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let Path(id) = path.map_err(|rejection| Problem::bad(rejection.body_text()))?;
        self.read(move |app, store| {
            let Some(file) = store.incident_file(&id)? else {
                return Err(Problem::new(StatusCode::NOT_FOUND, format!("there is no incident `{id}`")));
            };
            Ok(app.telling(Tz::UTC, |reader| tell(&Timeline::new(&file, reader))))
        })
        .await
    }
}

/// Serves until it is dropped.
pub async fn serve(listener: TcpListener, app: App) -> std::io::Result<()> {
    tokio::select! {
        served = axum::serve(listener, router(app.clone()).into_make_service_with_connect_info::<SocketAddr>()) => served,
        () = events::watch(app) => Ok(()),
    }
}

/// Everything that is answered.
pub fn router(app: App) -> Router {
    let answers = Router::new()
        .route("/", get(page::home))
        .route("/services/{id}", get(page::service))
        .route("/incidents/{id}", get(page::incident))
        .route("/static/site.css", get(page::assets::style))
        .route("/static/live.js", get(page::assets::script))
        .route("/static/icon.svg", get(page::assets::icon))
        .route("/api/v1/status", get(api::status))
        .route("/api/v1/spikes", get(api::spikes))
        .route("/api/v1/incidents", get(api::incidents))
        .route("/api/v1/incidents/{id}", get(api::incident))
        .route("/api/v1/series", get(api::series))
        .route("/api/v1/sources", get(api::sources))
        .route("/api/v1/services", get(api::services))
        .route("/api/v1/events", get(events::listen))
        .route("/feed.atom", get(feed::atom))
        .route("/metrics", get(metrics::metrics))
        .route("/openapi.json", get(openapi::document))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .fallback(page::nothing)
        .method_not_allowed_fallback(async || Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this can only be read"))
        .layer(CompressionLayer::new());
    // Without an origin that is allowed, a question before the question is refused as any other method.
    let answers = if app.config.cors_origins.is_empty() { answers } else { answers.layer(guard::cors(&app.config)) };
    answers
        .layer(middleware::from_fn_with_state(app.clone(), guard::limits))
        .layer(middleware::from_fn_with_state(app.clone(), guard::hosts))
        .layer(middleware::from_fn_with_state(app.clone(), guard::headers))
        .with_state(app)
}
