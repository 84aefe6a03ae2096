//! The one place that knows every stage: post → reading → count → track → store. `run` and `replay` both drive it.

mod authors;
pub mod input;
mod person;
pub mod replay;

use crate::alert::Row;
use crate::alert::desk::{Desk, Outcome, Task};
use crate::alert::rule::Rule;
use crate::count::{KeyHash, ListeningSpan, Mention, OPEN_END, Tally};
use crate::incident::related::Ties;
use crate::intake::{Brought, Intake, Silence};
use crate::minute::Minute;
use crate::post::{AuthorKey, KEY_RETENTION, Post, PostKey, Volume};
use crate::reading::place::COUNTED_CONFIDENCE;
use crate::reading::{Kind, Reader, Reading};
use crate::region::Region;
use crate::source::{Batch, profiles};
use crate::store::writer::{Forget, NewQuote, Resume, SourceState};
use crate::store::{Append, Stamp, StoreError, Writer};
use crate::track::{Findings, Settings, Track};
use authors::Authors;
use chrono::{DateTime, TimeDelta, Utc};
use person::Persons;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// Minutes of the data's time after which the state is stored anew, and what is old is forgotten.
const SNAPSHOT_EVERY: i64 = 6 * Minute::HOUR;

/// How long what was written stays in clear, by the data's clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retention {
    /// For posts that nothing quotes.
    pub unquoted: TimeDelta,
    /// For the evidence of incidents.
    pub quoted: TimeDelta,
}

/// Why the pipeline stopped.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the pattern of links is wrong: {0}")]
    Pattern(#[from] regex::Error),
    #[error("cannot use the key for authors' names at {path}: {source}")]
    Key { path: std::path::PathBuf, source: std::io::Error },
}

impl PipelineError {
    /// What the user can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            PipelineError::Store(error) => error.hint(),
            PipelineError::Pattern(_) => "this is a fault of the program; please report it",
            PipelineError::Key { .. } => "check that the file beside the database is readable and 32 bytes long",
        }
    }
}

/// What became of a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// It is about no outage.
    Nothing,
    Counted,
    SeenBefore,
    /// Older than the keys of posts are kept: it could have been counted before.
    TooLate,
}

/// The whole line from posts to the database.
pub struct Pipeline {
    reader: Arc<Reader>,
    persons: Persons,
    authors: Arc<Authors>,
    track: Track,
    writer: Writer,
    settings: Settings,
    ties: Ties,
    retention: Retention,
    seen: BTreeMap<KeyHash, Minute>,
    /// Posts that were taken back, perhaps before they were read.
    deleted: BTreeMap<KeyHash, Minute>,
    /// Copies of posts that a bridge made, and the posts.
    copies: BTreeMap<KeyHash, (KeyHash, Minute)>,
    now: Option<DateTime<Utc>>,
    snapshot_at: Option<Minute>,
    /// A loss was told after its minutes were closed.
    lost_late: bool,
    pending: Append,
    findings: Findings,
    stamp: Stamp,
    desk: Desk,
    intake: Intake,
}

impl Pipeline {
    /// Opens the database and goes on where it stands. Gives the stored cursors of the sources beside.
    pub fn open(
        database: &Path,
        stamp: Stamp,
        reader: Reader,
        settings: Settings,
        retention: Retention,
    ) -> Result<(Pipeline, BTreeMap<String, String>), PipelineError> {
        let writer = Writer::open(database, stamp)?;
        let persons = Persons::beside(database)?;
        let resume = writer.resume()?;
        let ties = Ties::of(reader.catalogue().groups());
        let track = rebuild(&resume, stamp, settings, &ties)?;
        let reader = Arc::new(reader);
        let pipeline = Pipeline {
            authors: Arc::new(Authors::new(reader.clone(), persons.clone(), resume.authors)),
            reader,
            persons,
            snapshot_at: track.clock(),
            lost_late: false,
            track,
            writer,
            settings,
            ties,
            retention,
            seen: resume.seen,
            deleted: resume.deleted,
            copies: resume.copies,
            now: resume.now,
            pending: Append::default(),
            findings: Findings::default(),
            stamp,
            desk: Desk::default(),
            intake: Intake::resume(resume.alive),
        };
        Ok((pipeline, resume.cursors))
    }

    /// Tells receivers of incidents from now on, by these rules. Goes on where the outbox stands.
    pub fn tell(&mut self, rules: Vec<Rule>) -> Result<(), PipelineError> {
        self.desk = Desk::new(rules, self.writer.alerts()?);
        Ok(())
    }

    /// The alerts that are to be sent now. Each must be settled.
    pub fn due_alerts(&mut self, now: DateTime<Utc>) -> Vec<Task> {
        self.desk.next(now)
    }

    /// Takes note of what became of an alert, with the next commit.
    pub fn settle_alert(&mut self, row: &Row, outcome: Outcome, now: DateTime<Utc>) {
        self.pending.alerts.extend(self.desk.settle(row, outcome, now));
    }

    /// What is known of where authors are, for the sources to ask and to add to.
    pub fn authors(&self) -> Arc<dyn profiles::Authors> {
        self.authors.clone()
    }

    /// The last closed minute.
    pub fn clock(&self) -> Option<Minute> {
        self.track.clock()
    }

    /// The database's now.
    pub fn now(&self) -> Option<DateTime<Utc>> {
        self.now
    }

    /// Moves the database's now on; it never goes back.
    pub fn advance(&mut self, now: DateTime<Utc>) {
        self.now = Some(self.now.map_or(now, |before| before.max(now)));
    }

    /// Reads a post and counts what it says.
    pub fn offer(&mut self, post: &Post) -> Offered {
        let at = post.written_at();
        if post.edited {
            // Its count stays, and the new words are not read: what it was when it was counted is what it counts as.
            self.pending.edited.push((KeyHash::of(&post.key()), post.read_text().to_owned()));
        }
        if self.now.is_some_and(|now| at < now - KEY_RETENTION) {
            return Offered::TooLate;
        }
        let reading = self.reader.read(post);
        if reading.readings.is_empty() {
            return Offered::Nothing;
        }
        let key = KeyHash::of(&post.key());
        if let Some(copy) = &post.copied_as {
            self.know_copy(KeyHash::of(copy), key, Minute::of(at));
        }
        match self.seen.entry(key) {
            // A copy may claim another time; the key is kept by that of the first.
            Entry::Occupied(_) => return Offered::SeenBefore,
            Entry::Vacant(new) => new.insert(Minute::of(at)),
        };
        let place = reading.region.filter(|place| place.confidence >= COUNTED_CONFIDENCE);
        let region = place.map_or(Region::WORLD, |place| place.code);
        for reading in &reading.readings {
            let mention = self.mention(post, key, reading, region);
            self.track.add(&mention);
            self.pending.mentions.push((self.track.clock(), mention));
        }
        let telling = reading.readings.iter().any(|reading| reading.kind != Kind::Echo);
        if telling && is_quotable(post) && !self.deleted.contains_key(&key) {
            self.pending.quotes.push(NewQuote {
                key,
                at,
                author: self.persons.author(&post.source, &post.author),
                source: post.source.clone(),
                reference: post.url.clone().unwrap_or_else(|| post.id.clone()),
                text: post.read_text().to_owned(),
                lang: post.lang.clone(),
            });
        }
        Offered::Counted
    }

    fn mention(&self, post: &Post, key: KeyHash, reading: &Reading, region: Region) -> Mention {
        let tally = match reading.kind {
            Kind::Official => Tally::Official,
            _ if post.bot => Tally::Bot,
            _ if post.repost_of.is_some() => Tally::Repost,
            kind => kind.into(),
        };
        let author = self.persons.author(&post.source, &post.author);
        Mention {
            key,
            // To the millisecond, as it is stored.
            at: DateTime::from_timestamp_millis(post.written_at().timestamp_millis()).unwrap_or_default(),
            service: reading.service.clone(),
            source: post.source.clone(),
            region,
            tally,
            symptoms: reading.symptoms.clone(),
            surfaces: reading.surfaces.clone(),
            stage: reading.stage,
            author,
            print: self.persons.print(post.read_text()).unwrap_or(author),
            quotable: is_quotable(post),
        }
    }

    /// Remembers under which other key a post was read, and follows a deletion that was told before it.
    fn know_copy(&mut self, copy: KeyHash, post: KeyHash, minute: Minute) {
        if self.copies.insert(copy, (post, minute)).is_none() {
            self.pending.copies.push((copy, post, minute));
        }
        if let Some(minute) = self.deleted.get(&copy).copied() {
            self.pending.deleted.push((post, minute));
            self.deleted.insert(post, minute);
        }
    }

    /// All posts of a person are taken back: their words go, their counts stay.
    pub fn forget_author(&mut self, person: &AuthorKey) {
        let author = self.persons.author(&person.source, &person.author);
        self.pending.quotes.retain(|quote| quote.author != author);
        self.pending.left.push(author);
    }

    /// Takes a post back: its words go, its count stays.
    pub fn delete(&mut self, key: &PostKey) {
        let key = KeyHash::of(key);
        let key = self.copies.get(&key).map_or(key, |(post, _)| *post);
        let minute = match self.seen.get(&key) {
            Some(minute) => *minute,
            // A recording may tell of it before the post. A live stream does not, and its deletions are too many to keep.
            None if self.stamp == Stamp::Replayed => self.now.map_or(Minute::default(), Minute::of),
            // Evidence is quoted for longer than keys are kept.
            None => return self.pending.unquoted.push(key),
        };
        self.pending.deleted.push((key, minute));
        self.pending.quotes.retain(|quote| quote.key != key);
        self.deleted.insert(key, minute);
    }

    /// Takes a count of posts that nobody read. It is stored, and counts for nothing.
    pub fn note_volume(&mut self, volume: &Volume) {
        self.pending.volumes.push(volume.clone());
    }

    /// Takes note of how much a source brings, and how soon. Gives what is to be committed with its cursor.
    pub fn note_intake(&mut self, batch: &Batch, now: DateTime<Utc>) -> Brought {
        self.intake.take(batch, now)
    }

    /// The sources that are heard and bring nothing. Their time since then counts as lost.
    pub fn find_silences(&mut self, now: DateTime<Utc>) -> Vec<Silence> {
        let silences = self.intake.silences(now);
        for silence in &silences {
            self.listen(ListeningSpan {
                network: silence.network.clone(),
                instance: silence.instance.clone(),
                heard: false,
                from: silence.since.timestamp(),
                until: now.timestamp(),
                why: Some(silence.to_string()),
            });
        }
        silences
    }

    /// Takes a span of listening or of loss.
    pub fn listen(&mut self, span: ListeningSpan) {
        self.lost_late |= !span.heard && self.track.clock().is_some_and(|clock| span.from < clock.close().timestamp());
        self.track.listen(&span);
        self.pending.listening.push(span);
    }

    /// The first post of a replayed network: it counts as heard from here on, as far as is known.
    pub fn hear_from(&mut self, network: &str, from: DateTime<Utc>) {
        self.track.listen(&ListeningSpan {
            network: network.to_owned(),
            instance: network.to_owned(),
            heard: true,
            from: from.timestamp(),
            until: OPEN_END,
            why: None,
        });
    }

    /// Takes note of how far a replayed network was heard.
    pub fn heard_until(&mut self, span: ListeningSpan) {
        self.pending.listening.push(span);
    }

    /// Closes every minute up to and with `through`.
    pub fn close_through(&mut self, through: Minute, said_at: Option<DateTime<Utc>>) {
        let findings = self.track.close_through(through, said_at, &self.settings, &self.ties);
        self.findings.incidents.extend(findings.incidents);
        self.findings.spikes.extend(findings.spikes);
        self.findings.expected.extend(findings.expected);
    }

    /// How many mentions wait for a commit.
    pub fn waiting(&self) -> usize {
        self.pending.mentions.len()
    }

    /// Commits what is waiting, with where the sources stand. `last` stores the state too, so that the next start is
    /// quick. Gives the ids of the incidents that have changed.
    pub fn commit(&mut self, sources: Vec<SourceState>, last: bool) -> Result<BTreeSet<String>, PipelineError> {
        let mut batch = std::mem::take(&mut self.pending);
        let findings = std::mem::take(&mut self.findings);
        let mut changed: BTreeSet<String> = findings.incidents.keys().cloned().collect();
        batch.authors = self.authors.take_new();
        batch.sources = sources;
        batch.incidents = findings.incidents.into_values().collect();
        if let Some(now) = self.now {
            batch.alerts.extend(batch.incidents.iter().flat_map(|incident| self.desk.consider(incident, now)));
        }
        batch.spikes = findings.spikes;
        batch.expected = findings.expected;
        batch.closed_through = self.track.clock();
        batch.now = self.now;
        let due = self
            .track
            .clock()
            .is_some_and(|clock| self.snapshot_at.is_none_or(|before| clock - before >= SNAPSHOT_EVERY));
        // What a rebuild from mentions could see otherwise: which minutes were known to be lost when they were judged,
        // and in a live job also which were known to be heard. An incident must not be opened anew at another minute.
        let unsure = std::mem::take(&mut self.lost_late) || !batch.incidents.is_empty();
        if due || last || unsure {
            batch.snapshot =
                Some(postcard::to_stdvec(&self.track).map_err(|error| StoreError::Corrupt(error.to_string()))?);
        }
        if due || last {
            self.snapshot_at = self.track.clock();
            batch.forget = self.now.map(|now| Forget {
                keys_before: Minute::of(now - KEY_RETENTION),
                unquoted_before: Minute::of(now - self.retention.unquoted),
                quoted_before: Minute::of(now - self.retention.quoted),
            });
            if let Some(forget) = batch.forget {
                self.seen.retain(|_, minute| *minute >= forget.keys_before);
                self.deleted.retain(|_, minute| *minute >= forget.keys_before);
                self.authors.forget_before(forget.keys_before);
                self.copies.retain(|_, (_, minute)| *minute >= forget.keys_before);
            }
        }
        changed.append(&mut self.writer.append(&batch)?);
        Ok(changed)
    }
}

fn is_quotable(post: &Post) -> bool {
    !post.noindex && !post.bot && post.repost_of.is_none()
}

/// The state as it was when the last batch was committed: the stored state, and the mentions since in their order.
fn rebuild(resume: &Resume, stamp: Stamp, settings: Settings, ties: &Ties) -> Result<Track, StoreError> {
    let mut track: Track = match &resume.snapshot {
        Some(body) => postcard::from_bytes(body).map_err(|error| StoreError::Corrupt(format!("the state: {error}")))?,
        None => Track::default(),
    };
    for span in &resume.listening {
        let mut span = span.clone();
        if stamp == Stamp::Replayed && span.heard {
            span.until = OPEN_END;
        }
        track.listen(&span);
    }
    for (clock, mention) in &resume.mentions {
        if let Some(clock) = clock {
            track.close_through(*clock, None, &settings, ties);
        }
        track.add(mention);
    }
    if let Some(minute) = resume.closed_through {
        track.close_through(minute, None, &settings, ties);
    }
    track.restore_said(&resume.said);
    Ok(track)
}
