//! The pages and the API over a database. Read-only: nothing on the network can change anything.

mod api;
mod events;
mod guard;
mod page;
mod problem;

use crate::reading::place::Places;
use crate::reading::{Catalogue, ServiceId};
use crate::report::{Audience, Timeline};
use crate::select;
use crate::store::Reader;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Router, middleware};
use chrono_tz::Tz;
use events::Events;
use problem::Problem;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tower_http::compression::CompressionLayer;

/// What every answer is made from.
#[derive(Clone)]
pub struct App {
    database: Arc<PathBuf>,
    catalogue: Arc<Catalogue>,
    events: Events,
}

impl App {
    pub fn new(database: PathBuf, catalogue: Catalogue) -> App {
        App { database: Arc::new(database), catalogue: Arc::new(catalogue), events: Events::new() }
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
        served = axum::serve(listener, router(app.clone())) => served,
        () = events::watch(app) => Ok(()),
    }
}

/// Everything that is answered.
pub fn router(app: App) -> Router {
    Router::new()
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
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .fallback(page::nothing)
        .method_not_allowed_fallback(async || Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this can only be read"))
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn(guard::hosts))
        .layer(middleware::from_fn(guard::headers))
        .with_state(app)
}

/// Whether the database can be read.
async fn ready(State(app): State<App>) -> Result<&'static str, Problem> {
    app.read(|_, store| Ok(store.now()?)).await.map(|_| "ready\n")
}
