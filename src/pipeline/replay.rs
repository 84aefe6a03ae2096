//! Recorded posts through the pipeline, on the posts' own clock.

use super::input::{Merged, Next, Reject};
use super::{Offered, Pipeline, PipelineError};
use crate::count::ListeningSpan;
use crate::intake::Brought;
use crate::minute::Minute;
use crate::post::{Event, Gap, Post};
use crate::source::{Health, State};
use crate::store::StoreError;
use crate::store::writer::SourceState;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::io;

/// Mentions after which it pays to commit a batch.
pub const BATCH: usize = 2_000;
/// Posts after which progress is told.
const TELL_EVERY: u64 = 50_000;

/// What a replay did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub posts: u64,
    pub counted: u64,
    pub seen_before: u64,
    pub too_late: u64,
    pub bad_lines: u64,
    /// Arrival of the first and of the last post.
    pub heard: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

/// Why a replay stopped. What was committed before stays.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    #[error("cannot read on: {0}")]
    Input(io::Error),
    #[error("cannot keep the rejected lines: {0}")]
    Rejects(io::Error),
}

impl ReplayError {
    /// What the user can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            ReplayError::Pipeline(error) => error.hint(),
            ReplayError::Input(_) => {
                "what was read before is kept; mend or replace the file and run the same command again"
            }
            ReplayError::Rejects(_) => "check that the file given to `--rejects` can be written",
        }
    }
}

/// How far a replayed network was heard.
#[derive(Clone, Copy)]
struct Heard {
    first: DateTime<Utc>,
    last: DateTime<Utc>,
    /// Posts since the last commit that the database has not counted before.
    posts: u64,
}

/// Replays what `input` gives, and commits when `batch` mentions wait. `reject` is told of every bad line; `progress`
/// of the bytes read, now and then.
pub fn replay(
    pipeline: &mut Pipeline,
    input: &mut Merged,
    batch: usize,
    reject: &mut dyn FnMut(&Reject) -> io::Result<()>,
    progress: &mut dyn FnMut(u64),
) -> Result<Summary, ReplayError> {
    let mut replay =
        Replay { before: pipeline.now(), pipeline, batch, heard: BTreeMap::new(), summary: Summary::default() };
    let ended = loop {
        match input.next_said() {
            Ok(Some(Next::Event(event))) => replay.take(event)?,
            Ok(Some(Next::Reject(line))) => {
                replay.summary.bad_lines += 1;
                reject(&line).map_err(ReplayError::Rejects)?;
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(ReplayError::Input(error)),
        }
        if replay.summary.posts.is_multiple_of(TELL_EVERY) {
            progress(input.bytes_read());
        }
    };
    replay.commit(true)?;
    ended.map(|()| replay.summary)
}

struct Replay<'a> {
    pipeline: &'a mut Pipeline,
    batch: usize,
    /// The database's now at the start: posts up to it were counted by an earlier run.
    before: Option<DateTime<Utc>>,
    heard: BTreeMap<String, Heard>,
    summary: Summary,
}

impl Replay<'_> {
    fn take(&mut self, event: Event) -> Result<(), PipelineError> {
        match event {
            Event::Post(post) => self.post(&post),
            Event::Gap(gap) => {
                self.pipeline.listen(lost(&gap));
                Ok(())
            }
            Event::Volume(volume) => {
                self.pipeline.note_volume(&volume);
                Ok(())
            }
            Event::Deleted(key) => {
                self.pipeline.delete(&key);
                Ok(())
            }
            Event::Left(person) => {
                self.pipeline.forget_author(&person);
                Ok(())
            }
        }
    }

    fn post(&mut self, post: &Post) -> Result<(), PipelineError> {
        let arrived = post.arrived_at();
        let minute = Minute::of(arrived);
        let new_minute = self.pipeline.clock().is_none_or(|clock| clock < minute - 1);
        if new_minute {
            self.pipeline.close_through(minute - 1, None);
            // Only here is everything of the minutes before in the batch, and nothing of the next.
            if self.pipeline.waiting() >= self.batch {
                self.commit(false)?;
            }
        }
        self.summary.posts += 1;
        let (first, last) = self.summary.heard.unwrap_or((arrived, arrived));
        self.summary.heard = Some((first.min(arrived), last.max(arrived)));
        self.hear(post, arrived);
        match self.pipeline.offer(post) {
            Offered::Nothing => {}
            Offered::Counted => self.summary.counted += 1,
            Offered::SeenBefore => self.summary.seen_before += 1,
            Offered::TooLate => self.summary.too_late += 1,
        }
        self.pipeline.advance(arrived);
        Ok(())
    }

    fn hear(&mut self, post: &Post, arrived: DateTime<Utc>) {
        let new = self.before.is_none_or(|before| arrived > before);
        let heard = self.heard.entry(post.source.clone()).or_insert_with(|| {
            self.pipeline.hear_from(&post.source, arrived);
            Heard { first: arrived, last: arrived, posts: 0 }
        });
        heard.last = heard.last.max(arrived);
        heard.posts += u64::from(new);
    }

    fn commit(&mut self, last: bool) -> Result<(), PipelineError> {
        let mut sources = Vec::new();
        for (network, heard) in &mut self.heard {
            self.pipeline.heard_until(ListeningSpan {
                network: network.clone(),
                instance: network.clone(),
                heard: true,
                from: heard.first.timestamp(),
                until: heard.last.timestamp() + 1,
                why: None,
            });
            sources.push(SourceState {
                instance: network.clone(),
                network: network.clone(),
                cursor: None,
                posts: std::mem::take(&mut heard.posts),
                health: replayed(heard.last)?,
                brought: Brought::default(),
            });
        }
        self.pipeline.commit(sources, last)?;
        Ok(())
    }
}

fn lost(gap: &Gap) -> ListeningSpan {
    ListeningSpan {
        network: gap.source.clone(),
        instance: gap.source.clone(),
        heard: false,
        from: gap.from.timestamp(),
        until: gap.until.timestamp(),
        why: gap.why.clone(),
    }
}

fn replayed(last: DateTime<Utc>) -> Result<String, PipelineError> {
    let health = Health { state: State::Replayed, last_success: Some(last), ..Health::default() };
    Ok(serde_json::to_string(&health).map_err(|error| StoreError::Corrupt(error.to_string()))?)
}
