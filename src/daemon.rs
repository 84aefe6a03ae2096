//! The background job: what the sources hear goes through the pipeline, minutes close by the wall clock, and the
//! timelines of what is found are kept written.

use crate::alert::sender::Sender;
use crate::clock;
use crate::count::ListeningSpan;
use crate::intake::Silence;
use crate::minute::Minute;
use crate::pipeline::{Offered, Pipeline, PipelineError};
use crate::post::{Event, Gap};
use crate::source::http::Client;
use crate::source::profiles::Profiles;
use crate::source::runner::{self, Backoff};
use crate::source::{Batch, Failure, Health, Source, State};
use crate::store::StoreError;
use crate::store::writer::SourceState;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};

/// A minute closes so long after its end, so that a stream's last posts of it are in.
const GRACE: TimeDelta = TimeDelta::seconds(10);
/// How long minutes are held open at the start, while sources read what was missed.
const HOLD: TimeDelta = TimeDelta::minutes(20);
/// How long the sources have to end in order.
const FAREWELL: Duration = Duration::from_secs(5);
/// Batches that may wait for the pipeline before the sources are held up.
const QUEUE: usize = 64;

/// What the job tells of what it does.
pub trait Told {
    /// Incidents that are new, have changed, or have lost evidence.
    fn incidents(&mut self, ids: &BTreeSet<String>);
}

/// Runs until `shutdown` is ready, then ends in order: what was read is committed.
pub async fn run(
    pipeline: &mut Pipeline,
    sources: Vec<Box<dyn Source>>,
    profiles: Option<Profiles>,
    client: Client,
    alerts: &mut Sender,
    told: &mut dyn Told,
    shutdown: impl Future<Output = ()>,
) -> Result<(), PipelineError> {
    let (sender, mut batches) = mpsc::channel(QUEUE);
    let (stop, stopped) = watch::channel(false);
    let mut job = Job {
        pipeline,
        // One that costs money may have to wait for its next budget; notices can come late.
        behind: sources
            .iter()
            .filter(|it| it.listens() && !it.spends())
            .map(|source| source.name().to_owned())
            .collect(),
        hold_until: Some(clock::now() + HOLD),
        silent: Vec::new(),
        told,
    };
    let runner = tokio::spawn(runner::run(sources, profiles, client, clock::now, Backoff::default(), sender, stopped));
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    tokio::pin!(shutdown);
    let mut deaf = false;
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            batch = batches.recv(), if !deaf => {
                if let Some(batch) = batch {
                    job.take(batch)?;
                } else {
                    warn!("no source is left; `whatsdown sources` tells why");
                    deaf = true;
                }
            }
            (row, outcome) = alerts.answer() => {
                job.pipeline.settle_alert(&row, outcome, clock::now());
                job.commit(Vec::new(), false)?;
            }
            _ = tick.tick() => {
                if !deaf {
                    job.close_minutes(clock::now())?;
                }
                job.pipeline.due_alerts(clock::now()).into_iter().for_each(|task| alerts.send(task));
            }
        }
    }
    let _ = stop.send(true);
    let farewell = async {
        while let Some(batch) = batches.recv().await {
            job.take(batch)?;
        }
        Ok::<(), PipelineError>(())
    };
    if let Ok(ended) = tokio::time::timeout(FAREWELL, farewell).await {
        ended?;
    }
    runner.abort();
    for (row, outcome) in alerts.last_answers().await {
        job.pipeline.settle_alert(&row, outcome, clock::now());
    }
    job.commit(Vec::new(), true)
}

struct Job<'a> {
    pipeline: &'a mut Pipeline,
    /// Sources that still read what was missed.
    behind: BTreeSet<String>,
    /// Until when minutes wait for them.
    hold_until: Option<DateTime<Utc>>,
    /// Sources that are heard and bring nothing.
    silent: Vec<Silence>,
    told: &'a mut dyn Told,
}

impl Job<'_> {
    /// Counts a batch and commits it with the cursor of its source.
    fn take(&mut self, batch: Batch) -> Result<(), PipelineError> {
        self.pipeline.advance(clock::now());
        let mut too_late = 0u32;
        for event in &batch.events {
            match event {
                Event::Post(post) => too_late += u32::from(self.pipeline.offer(post) == Offered::TooLate),
                Event::Gap(gap) => self.pipeline.listen(lost(&batch, gap)),
                Event::Deleted(key) => self.pipeline.delete(key),
                Event::Left(person) => self.pipeline.forget_author(person),
                Event::Volume(volume) => self.pipeline.note_volume(volume),
            }
        }
        if too_late > 0 {
            info!("{}: {too_late} posts are older than 7 days and were not counted", batch.source);
        }
        if let Some((from, until)) = batch.heard {
            self.pipeline.listen(span(&batch, true, from, until, None));
        }
        if batch.caught_up && self.behind.remove(&batch.source) {
            info!("{} has caught up", batch.source);
        }
        if has_ended(&batch.health) {
            self.behind.remove(&batch.source);
        }
        let now = clock::now();
        let brought = self.pipeline.note_intake(&batch, now);
        let mut health = batch.health;
        if let Some(silence) = self.silent.iter().find(|silence| silence.instance == batch.source)
            && matches!(health.state, State::Ok)
        {
            health.state = State::Silent;
            health.since = Some(silence.since);
            health.last_error = Some(Failure { at: now, message: silence.to_string(), retry_at: Some(now) });
        }
        let health = serde_json::to_string(&health).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let state = SourceState {
            instance: batch.source,
            network: batch.network.to_owned(),
            cursor: batch.cursor.map(|cursor| cursor.0),
            posts: batch.seen,
            health,
            brought,
        };
        self.commit(vec![state], false)
    }

    /// Closes the minutes whose time is over. At the start they wait for what was missed to be read, so that the first
    /// thing that is learnt is what is usual.
    fn close_minutes(&mut self, now: DateTime<Utc>) -> Result<(), PipelineError> {
        if self.hold_until.is_some_and(|until| now < until) && !self.behind.is_empty() {
            return Ok(());
        }
        if self.hold_until.take().is_some() && !self.behind.is_empty() {
            let behind: Vec<&str> = self.behind.iter().map(String::as_str).collect();
            warn!("going on without what was missed by {}", behind.join(", "));
        }
        let through = Minute::of(now - GRACE) - 1;
        if self.pipeline.clock().is_some_and(|clock| clock >= through) {
            return Ok(());
        }
        self.pipeline.advance(now);
        self.silent = self.pipeline.find_silences(now);
        self.pipeline.close_through(through, Some(now));
        self.commit(Vec::new(), false)
    }

    fn commit(&mut self, sources: Vec<SourceState>, last: bool) -> Result<(), PipelineError> {
        let changed = self.pipeline.commit(sources, last)?;
        if !changed.is_empty() {
            self.told.incidents(&changed);
        }
        Ok(())
    }
}

/// Whether nothing will come of a source any more: the server refused it.
fn has_ended(health: &Health) -> bool {
    health.state == State::Degraded && health.last_error.as_ref().is_some_and(|error| error.retry_at.is_none())
}

fn lost(batch: &Batch, gap: &Gap) -> ListeningSpan {
    span(batch, false, gap.from, gap.until, gap.why.clone())
}

fn span(batch: &Batch, heard: bool, from: DateTime<Utc>, until: DateTime<Utc>, why: Option<String>) -> ListeningSpan {
    ListeningSpan {
        network: batch.network.to_owned(),
        instance: batch.source.clone(),
        heard,
        from: from.timestamp(),
        until: until.timestamp(),
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_is_an_end() {
        let failed = |retry_at| Health {
            state: State::Degraded,
            last_error: Some(Failure { at: DateTime::UNIX_EPOCH, message: "401".to_owned(), retry_at }),
            ..Health::default()
        };
        assert!(has_ended(&failed(None)));
        assert!(!has_ended(&failed(Some(DateTime::UNIX_EPOCH))) && !has_ended(&Health::default()));
    }
}
