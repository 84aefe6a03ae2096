//! The one loop that waits: it asks each source what to ask, keeps to the budgets, fetches, retries and
//! reports. It can be cancelled at any await, because a cursor only leaves it together with what was read.

use super::http::{Client, Validators, closed};
use super::limits::{Budgets, backoff};
use super::profiles::{self, Profiles};
use super::{Batch, Failure, Found, Health, Reply, Request, RequestKind, Source, SourceError, State, host_of};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{SinkExt, StreamExt};
use reqwest::{StatusCode, Url};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_tungstenite::tungstenite::Message;
use tracing::{info, warn};

/// A stream's events are sent this often, or when so many have come.
const BATCH_EVERY: Duration = Duration::from_secs(1);
const BATCH_EVENTS: usize = 500;
/// A stream that lived so long was healthy: its end is no further failure in a row.
const HEALTHY_AFTER: Duration = Duration::from_secs(60);
/// The longest sleep between two looks at the clock, which may be set in between.
const NAP: Duration = Duration::from_secs(60);

/// How long to wait after failures of which the server does not say it.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    pub base: Duration,
    pub cap: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(300) }
    }
}

/// Runs every source until `shutdown` turns true, the receiver of the batches is dropped, or all sources
/// have been refused. `clock` gives the wall time, `profiles` asks where the authors of its network are.
pub async fn run(
    sources: Vec<Box<dyn Source>>,
    mut profiles: Option<Profiles>,
    client: Client,
    clock: fn() -> DateTime<Utc>,
    backoff: Backoff,
    batches: mpsc::Sender<Batch>,
    shutdown: watch::Receiver<bool>,
) {
    let budgets = Arc::new(Budgets::default());
    let mut tasks = JoinSet::new();
    for source in sources {
        let mut task = Task {
            profiles: profiles.take_if(|_| source.network() == profiles::NETWORK),
            source,
            client: client.clone(),
            budgets: budgets.clone(),
            clock,
            backoff,
            batches: batches.clone(),
            health: Health::default(),
            known: BTreeMap::new(),
            failures: 0,
        };
        let mut shutdown = shutdown.clone();
        tasks.spawn(async move {
            tokio::select! {
                // An error means that nobody is left who could shut us down.
                _ = shutdown.wait_for(|down| *down) => task.stopped(),
                () = task.drive() => {}
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            warn!("a source's task failed: {error}");
        }
    }
}

/// Sleeps until the clock shows `at`.
async fn until(at: DateTime<Utc>, clock: fn() -> DateTime<Utc>) {
    while let Some(left) = (at - clock()).to_std().ok().filter(|left| !left.is_zero()) {
        sleep(left.min(NAP)).await;
    }
}

/// One source and what the runner knows of it.
struct Task {
    source: Box<dyn Source>,
    profiles: Option<Profiles>,
    client: Client,
    budgets: Arc<Budgets>,
    clock: fn() -> DateTime<Utc>,
    backoff: Backoff,
    batches: mpsc::Sender<Batch>,
    health: Health,
    /// Of the pages that were read last.
    known: BTreeMap<Url, Validators>,
    /// In a row.
    failures: u32,
}

/// Why a request ended without success.
enum End {
    Failed(SourceError),
    /// Nobody takes batches any more.
    NobodyListens,
}

impl From<SourceError> for End {
    fn from(error: SourceError) -> Self {
        End::Failed(error)
    }
}

impl Task {
    async fn drive(&mut self) {
        loop {
            let request = self.source.next((self.clock)());
            until(request.at, self.clock).await;
            self.budgets.admit(&host_of(&request.url), self.source.spacing()).await;
            let done = match request.kind {
                RequestKind::Page | RequestKind::Changed | RequestKind::Form(_) => self.poll(&request).await,
                RequestKind::Stream { silence } => self.listen(&request, silence).await,
            };
            match done {
                Ok(()) => self.failures = 0,
                Err(End::NobodyListens) => return,
                Err(End::Failed(error)) => match self.fail(&request, &error).await {
                    Some(wait) => sleep(wait).await,
                    None => return,
                },
            }
        }
    }

    /// One HTTP request.
    async fn poll(&mut self, request: &Request) -> Result<(), End> {
        let (key, now) = (self.source.key(), (self.clock)());
        if self.source.spends() {
            // What it costs is stored before it is spent.
            self.batches.send(self.batch_here(Found::default())).await.map_err(|_| End::NobodyListens)?;
        }
        let answer = match request.kind {
            RequestKind::Changed => {
                let known = self.known.get(&request.url).cloned().unwrap_or_default();
                self.client.get_changed(&request.url, key.as_ref(), &known, now).await?
            }
            RequestKind::Form(form) => self.client.post(&request.url, form, key.as_ref(), now).await?,
            _ => self.client.get(&request.url, key.as_ref(), now).await?,
        };
        self.health.budget_left = answer.remaining;
        if let Some(wait) = answer.wait {
            self.budgets.hold(&host_of(&request.url), wait, self.source.spacing());
        }
        let mut found = Found::default();
        self.source.read(Reply::Page(&answer.page), (self.clock)(), &mut found)?;
        if request.kind == RequestKind::Changed && answer.page.status == StatusCode::OK {
            // Only what was read need not be sent again.
            self.known.insert(request.url.clone(), answer.validators);
        }
        // A page without posts is told too: it need not be read again. Only before there is anything to store, it is not.
        if found.is_empty() && self.source.cursor().is_none() {
            return Ok(());
        }
        self.send(found).await
    }

    /// One WebSocket connection, to its end; which is always a failure of some kind.
    async fn listen(&mut self, request: &Request, silence: Duration) -> Result<(), End> {
        let mut socket = self.client.open(&request.url, self.source.key().as_ref(), (self.clock)()).await?;
        for words in self.source.greeting() {
            socket.send(Message::text(words)).await.map_err(|error| closed(&request.url, &error))?;
        }
        let opened = Instant::now();
        let mut found = Found::default();
        let mut send_at = opened + BATCH_EVERY;
        let mut silent_at = opened + silence;
        let host = host_of(&request.url);
        let end = loop {
            tokio::select! {
                message = socket.next() => match message {
                    Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                        match self.read_frame(&message, &mut found) {
                            Ok(()) => silent_at = Instant::now() + silence,
                            Err(error @ (SourceError::Refused { .. } | SourceError::Closed { .. })) => break error,
                            Err(_) => found.odd += 1,
                        }
                        if found.events.len() >= BATCH_EVENTS {
                            self.send(std::mem::take(&mut found)).await?;
                        }
                    }
                    Some(Ok(Message::Close(frame))) => {
                        let cause = frame.map_or("without a reason".to_owned(), |frame| frame.to_string());
                        break SourceError::Closed { host, cause };
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => break closed(&request.url, &error),
                    None => break SourceError::Closed { host, cause: "without a reason".to_owned() },
                },
                () = sleep_until(silent_at) => break SourceError::Silent { host, silence },
                () = sleep_until(send_at) => {
                    self.send_any(std::mem::take(&mut found)).await?;
                    send_at = Instant::now() + BATCH_EVERY;
                }
            }
        };
        self.send_any(found).await?;
        if opened.elapsed() >= HEALTHY_AFTER {
            self.failures = 0;
        }
        Err(End::Failed(end))
    }

    /// Reads one frame, of text or of bytes that hold one.
    fn read_frame(&mut self, message: &Message, found: &mut Found) -> Result<(), SourceError> {
        let now = (self.clock)();
        match message {
            Message::Text(text) => self.source.read(Reply::Frame(text), now, found),
            other => {
                let text = self.source.unpack(&other.clone().into_data());
                let text = text.ok_or_else(|| SourceError::Malformed {
                    host: self.source.name().to_owned(),
                    cause: "bytes that are no frame".to_owned(),
                })?;
                self.source.read(Reply::Frame(&text), now, found)
            }
        }
    }

    /// Sends what was found, and the cursor after it.
    async fn send(&mut self, mut found: Found) -> Result<(), End> {
        if let Some(profiles) = &mut self.profiles {
            profiles.fill(&mut found.events, &self.client, (self.clock)()).await;
        }
        let now = (self.clock)();
        self.health.odd += found.odd;
        self.health.last_success = Some(now);
        self.health.enter(if found.caught_up { State::Ok } else { State::Backfilling }, now);
        if let Some((_, until)) = found.heard {
            self.health.heard_until = Some(until);
        }
        self.batches.send(self.batch_here(found)).await.map_err(|_| End::NobodyListens)
    }

    /// Sends what came over a stream, if anything did.
    async fn send_any(&mut self, found: Found) -> Result<(), End> {
        if found.is_empty() { Ok(()) } else { self.send(found).await }
    }

    /// Reports a failure. Gives how long to wait before the next request, or nothing if there shall be none.
    async fn fail(&mut self, request: &Request, error: &SourceError) -> Option<Duration> {
        let now = (self.clock)();
        self.failures = self.failures.saturating_add(1);
        let wait = match error {
            SourceError::Refused { .. } => None,
            SourceError::Busy { wait: Some(wait), .. } => {
                self.budgets.hold(&host_of(&request.url), *wait, self.source.spacing());
                Some(*wait)
            }
            _ => Some(backoff(self.failures, self.backoff.base, self.backoff.cap)),
        };
        warn!(source = self.source.name(), "{error}");
        self.source.failed(now);
        let retry_at = wait.and_then(|wait| now.checked_add_signed(TimeDelta::from_std(wait).ok()?));
        self.health.errors += 1;
        let silent = matches!(error, SourceError::Silent { .. });
        self.health.enter(if silent { State::Silent } else { State::Degraded }, now);
        self.health.last_error = Some(Failure { at: now, message: error.to_string(), retry_at });
        match self.batches.send(self.batch(Found::default())).await {
            Ok(()) => wait,
            Err(_) => None,
        }
    }

    /// Tells that the job ends, if there is still room to tell it.
    fn stopped(&mut self) {
        self.health.enter(State::Stopped, (self.clock)());
        if self.batches.try_send(self.batch(Found::default())).is_err() {
            info!(source = self.source.name(), "stopped");
        }
    }

    /// A batch with where to go on after it.
    fn batch_here(&self, found: Found) -> Batch {
        Batch { cursor: self.source.cursor(), ..self.batch(found) }
    }

    fn batch(&self, found: Found) -> Batch {
        Batch {
            source: self.source.name().to_owned(),
            network: self.source.network(),
            events: found.events,
            cursor: None,
            heard: found.heard,
            seen: found.seen,
            caught_up: found.caught_up,
            health: self.health.clone(),
        }
    }
}
