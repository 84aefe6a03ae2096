//! What changes, as server-sent events. The database is asked once for all who listen.

use super::App;
use super::api::{Asked, Asking, NOTHING};
use super::problem::Problem;
use crate::answer::{ServiceStatus, Status};
use crate::store::Reader;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

/// How often the database is asked whether an incident has changed: one look into an index.
const POLL: Duration = Duration::from_secs(1);
/// How often a service's state is worked out where no incident has changed: `unknown` comes by the clock alone.
const REVIEW: Duration = Duration::from_secs(10);
/// How often a line is sent that says nothing, so that nobody on the way takes the connection for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a browser waits before it comes back.
const RETRY: Duration = Duration::from_secs(5);
/// Listeners at a time.
const LISTENERS: usize = 200;
/// Changes that a slow listener may be behind before it has to come back.
const BEHIND: usize = 256;
/// Incidents that one who comes back is told at the most.
const MISSED: usize = 500;

/// Where listeners meet the one look at the database.
#[derive(Clone)]
pub struct Events {
    sender: broadcast::Sender<Arc<Change>>,
    places: Arc<Semaphore>,
}

impl Events {
    pub fn new() -> Events {
        Events { sender: broadcast::Sender::new(BEHIND), places: Arc::new(Semaphore::new(LISTENERS)) }
    }

    /// How many listen.
    pub fn listeners(&self) -> usize {
        LISTENERS - self.places.available_permits()
    }
}

/// One event.
struct Change {
    /// The number of the last change to an incident when this was so: the event's id.
    revision: i64,
    kind: &'static str,
    /// JSON.
    data: String,
}

impl Change {
    fn new(revision: i64, kind: &'static str, data: &impl Serialize) -> Result<Arc<Change>, Problem> {
        let data =
            serde_json::to_string(data).map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "no JSON"))?;
        Ok(Arc::new(Change { revision, kind, data }))
    }

    fn event(&self) -> Event {
        Event::default().id(self.revision.to_string()).event(self.kind).data(&self.data)
    }
}

/// What the listeners were told last.
#[derive(Clone)]
struct Told {
    revision: i64,
    services: Vec<ServiceStatus>,
    at: Instant,
}

/// Tells the listeners of changes until it is dropped.
pub async fn watch(app: App) {
    let mut ticks = interval(POLL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = None;
    loop {
        ticks.tick().await;
        let before = told.clone();
        let Ok((now, changes)) = app.clone().read(move |app, store| look(app, store, before)).await else {
            // Where it was read it was told of; what was missed is made up for later.
            sleep(REVIEW).await;
            continue;
        };
        told = Some(now);
        for change in changes {
            // Nobody may be listening.
            let _ = app.events.sender.send(change);
        }
    }
}

/// What has changed since the last look. The first look only takes in how things stand.
fn look(app: &App, store: &Reader, told: Option<Told>) -> Result<(Told, Vec<Arc<Change>>), Problem> {
    let revision = store.revision()?;
    let now = |revision, services| Told { revision, services, at: Instant::now() };
    let status = |store: &Reader| Ok::<_, Problem>(store.status(&app.services(None)?, None)?);
    let told = match told {
        None => return Ok((now(revision, status(store)?.services), Vec::new())),
        Some(told) if told.revision == revision && told.at.elapsed() < REVIEW => return Ok((told, Vec::new())),
        Some(told) => told,
    };
    let status = status(store)?;
    let mut changes = incidents(store, told.revision)?;
    let revision = changes.last().map_or(revision, |change| change.revision);
    let turned: Vec<ServiceStatus> =
        status.services.iter().filter(|service| !told.services.contains(service)).cloned().collect();
    if !turned.is_empty() {
        changes.push(Change::new(revision, "status", &Status { at: status.at, services: turned })?);
    }
    Ok((now(revision, status.services), changes))
}

fn incidents(store: &Reader, since: i64) -> Result<Vec<Arc<Change>>, Problem> {
    let changed = store.changed_since(since, MISSED)?;
    changed.iter().map(|(revision, incident)| Change::new(*revision, "incident", incident)).collect()
}

/// First how everything stands, and what was missed by one who comes back; then every change.
pub async fn listen(State(app): State<App>, headers: HeaderMap, asked: Asking) -> Result<Response, Problem> {
    Asked::of(asked, NOTHING)?;
    let full = |_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many listen already").retry_after(10);
    let place = app.events.places.clone().try_acquire_owned().map_err(full)?;
    // Before the database is read, so that nothing falls between the two.
    let changes = app.events.sender.subscribe();
    let known = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let first = app.read(move |app, store| beginning(app, store, known)).await?;
    let revision = first.back().map_or(0, |change| change.revision);
    let listener = Listener { first, revision, changes, _place: place };
    let events = stream::unfold(listener, async |mut listener| {
        let change = listener.next().await?;
        Some((Ok::<_, Infallible>(change.event().retry(RETRY)), listener))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response())
}

fn beginning(app: &App, store: &Reader, known: Option<i64>) -> Result<VecDeque<Arc<Change>>, Problem> {
    let revision = store.revision()?;
    // An id that is not reached yet is another database's.
    let mut first: VecDeque<_> = match known.filter(|known| *known <= revision) {
        Some(known) => incidents(store, known)?.into(),
        None => VecDeque::new(),
    };
    let revision = first.back().map_or(revision, |change| change.revision);
    first.push_back(Change::new(revision, "status", &store.status(&app.services(None)?, None)?)?);
    Ok(first)
}

struct Listener {
    first: VecDeque<Arc<Change>>,
    /// Up to which change it knows the incidents.
    revision: i64,
    changes: broadcast::Receiver<Arc<Change>>,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    /// The next change; none where it is too slow and has to come back, which makes up for what it missed.
    async fn next(&mut self) -> Option<Arc<Change>> {
        if let Some(change) = self.first.pop_front() {
            return Some(change);
        }
        loop {
            let change = self.changes.recv().await.ok()?;
            if change.kind == "status" || change.revision > self.revision {
                return Some(change);
            }
        }
    }
}
