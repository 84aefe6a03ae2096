//! Recordings read line by line: plain, gzip or zstd, from files or standard input, merged by time.

use crate::post::{BadLine, Event, LATENESS, Post};
use chrono::{DateTime, TimeDelta, Utc};
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// A line longer than this is not held in memory.
const LONGEST_LINE: usize = 16 << 20;
/// A post that leaps ahead and is contradicted by its successor waits for its time to come, if it is so near.
const LEAP: TimeDelta = TimeDelta::hours(1);
/// A leap that nothing follows is believed up to this, and so is one of the first posts so far from the others.
const LAST_LEAP: TimeDelta = TimeDelta::days(30);
/// Posts at the start of a recording that are judged together, since nothing before them tells whose clock is wrong.
const FIRST: usize = 3;

/// A line that could not be used.
#[derive(Debug)]
pub struct Reject {
    pub path: PathBuf,
    pub line: u64,
    pub why: Why,
    /// The line itself, as far as it was kept.
    pub bytes: Vec<u8>,
}

/// Why a line could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Why {
    #[error(transparent)]
    Bad(#[from] BadLine),
    #[error("longer than {} MiB", LONGEST_LINE >> 20)]
    TooLong,
    #[error("its time {0} is far from its neighbours'")]
    Leap(DateTime<Utc>),
}

/// Some editors begin a file with it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What the recordings say next.
pub enum Next {
    Event(Event),
    Reject(Reject),
}

/// Several recordings as one, in the order of the posts' arrival. Each may be out of order within the lateness bound.
pub struct Merged {
    recordings: Vec<Recording>,
    /// The arrival of each recording's next post.
    heads: BTreeSet<(DateTime<Utc>, usize)>,
    ready: VecDeque<Next>,
    started: bool,
}

impl Merged {
    /// Opens all recordings, so that a missing file is told before anything is read. `-` is standard input.
    pub fn open(paths: &[PathBuf], latest: DateTime<Utc>) -> io::Result<Merged> {
        let open = |path: &PathBuf| Recording::open(path, latest).map_err(|error| named(path, &error));
        Ok(Merged {
            recordings: paths.iter().map(open).collect::<io::Result<_>>()?,
            heads: BTreeSet::new(),
            ready: VecDeque::new(),
            started: false,
        })
    }

    /// Bytes of the files read so far, as they lie on the disk.
    pub fn bytes_read(&self) -> u64 {
        self.recordings.iter().map(|recording| recording.read.load(std::sync::atomic::Ordering::Relaxed)).sum()
    }

    /// # Errors
    /// When a file cannot be read on: damaged compression, a failing disk.
    pub fn next_said(&mut self) -> io::Result<Option<Next>> {
        if !self.started {
            self.started = true;
            for index in 0..self.recordings.len() {
                self.refill(index)?;
            }
        }
        if self.ready.is_empty()
            && let Some((_, index)) = self.heads.pop_first()
        {
            if let Some(post) = self.recordings.get_mut(index).and_then(Recording::pop) {
                self.ready.push_back(Next::Event(Event::Post(post)));
            }
            self.refill(index)?;
        }
        Ok(self.ready.pop_front())
    }

    fn refill(&mut self, index: usize) -> io::Result<()> {
        let Some(recording) = self.recordings.get_mut(index) else { return Ok(()) };
        let arrival = recording.advance(&mut self.ready).map_err(|error| named(&recording.path, &error))?;
        if let Some(arrival) = arrival {
            self.heads.insert((arrival, index));
        }
        Ok(())
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// One recording, with the posts that may still be overtaken by a later line.
struct Recording {
    path: PathBuf,
    lines: Box<dyn BufRead>,
    read: std::sync::Arc<std::sync::atomic::AtomicU64>,
    line: u64,
    latest: DateTime<Utc>,
    newest: Option<DateTime<Utc>>,
    /// The first posts, until they are enough to be judged.
    first: Vec<Line>,
    /// A post that leapt ahead, until its successor tells whether time has moved on.
    leapt: Option<Line>,
    /// Posts that wait for the time that they claim.
    doubted: Vec<Line>,
    held: BinaryHeap<Reverse<Held>>,
    at_end: bool,
}

/// A post as it stands in the recording.
struct Line {
    post: Post,
    bytes: Vec<u8>,
    number: u64,
}

/// Ordered by arrival, then by source and id, so that the order in the file does not matter.
struct Held(Post);

impl Held {
    fn order(&self) -> (DateTime<Utc>, &str, &str) {
        (self.0.arrived_at(), &self.0.source, &self.0.id)
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}
impl Eq for Held {}
impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Held {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

impl Recording {
    fn open(path: &Path, latest: DateTime<Utc>) -> io::Result<Recording> {
        let read = std::sync::Arc::default();
        let raw: Box<dyn Read> = if path == Path::new("-") {
            Box::new(io::stdin())
        } else {
            if path.is_dir() {
                return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
            }
            Box::new(File::open(path)?)
        };
        let counted = Counted { inner: raw, read: std::sync::Arc::clone(&read) };
        Ok(Recording {
            path: path.to_owned(),
            lines: unpack(counted)?,
            read,
            line: 0,
            latest,
            newest: None,
            first: Vec::new(),
            leapt: None,
            doubted: Vec::new(),
            held: BinaryHeap::new(),
            at_end: false,
        })
    }

    fn pop(&mut self) -> Option<Post> {
        self.held.pop().map(|Reverse(Held(post))| post)
    }

    /// Reads on until the first held post cannot be overtaken any more, and gives its arrival. What is no post goes to `ready`.
    fn advance(&mut self, ready: &mut VecDeque<Next>) -> io::Result<Option<DateTime<Utc>>> {
        loop {
            let first = self.held.peek().map(|Reverse(held)| held.0.arrived_at());
            let settled = first.zip(self.newest).is_some_and(|(first, newest)| newest - first > LATENESS);
            if settled || self.at_end {
                return Ok(first);
            }
            self.read_line(ready)?;
        }
    }

    fn read_line(&mut self, ready: &mut VecDeque<Next>) -> io::Result<()> {
        let mut bytes = Vec::new();
        let length = self.lines.by_ref().take(LONGEST_LINE as u64 + 1).read_until(b'\n', &mut bytes)?;
        if length == 0 {
            self.at_end = true;
            self.judge_last(ready);
            return Ok(());
        }
        self.line += 1;
        if length > LONGEST_LINE && !bytes.ends_with(b"\n") {
            self.skip_line()?;
            bytes.truncate(1000);
            ready.push_back(Next::Reject(self.reject(self.line, Why::TooLong, bytes)));
            return Ok(());
        }
        while bytes.last().is_some_and(u8::is_ascii_whitespace) {
            bytes.pop();
        }
        if bytes.is_empty() {
            return Ok(());
        }
        if self.line == 1 && bytes.starts_with(BYTE_ORDER_MARK) {
            bytes.drain(..BYTE_ORDER_MARK.len());
        }
        match Event::parse(&bytes, self.latest) {
            Ok(Event::Post(post)) => self.take(Line { post, bytes, number: self.line }, ready),
            Ok(event) => ready.push_back(Next::Event(event)),
            Err(error) => ready.push_back(Next::Reject(self.reject(self.line, error.into(), bytes))),
        }
        Ok(())
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let chunk = self.lines.fill_buf()?;
            if chunk.is_empty() {
                return Ok(());
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let used = end.map_or(chunk.len(), |end| end + 1);
            self.lines.consume(used);
            if end.is_some() {
                return Ok(());
            }
        }
    }

    fn reject(&self, line: u64, why: Why, bytes: Vec<u8>) -> Reject {
        Reject { path: self.path.clone(), line, why, bytes }
    }

    fn reject_leap(&self, line: Line, ready: &mut VecDeque<Next>) {
        let why = Why::Leap(line.post.arrived_at());
        ready.push_back(Next::Reject(self.reject(line.number, why, line.bytes)));
    }

    fn take(&mut self, line: Line, ready: &mut VecDeque<Next>) {
        if let Some(newest) = self.newest {
            self.place(line, newest, ready);
            return;
        }
        self.first.push(line);
        if self.first.len() == FIRST {
            self.judge_first(ready);
        }
    }

    /// Of the first posts one may lie far from the others.
    fn judge_first(&mut self, ready: &mut VecDeque<Next>) {
        let mut first = std::mem::take(&mut self.first);
        first.sort_by_key(|line| line.post.arrived_at());
        let middle = first.get(FIRST / 2).filter(|_| first.len() == FIRST).map(|line| line.post.arrived_at());
        for line in first {
            match self.newest {
                _ if middle.is_some_and(|middle| (line.post.arrived_at() - middle).abs() > LAST_LEAP) => {
                    self.reject_leap(line, ready);
                }
                Some(newest) => self.place(line, newest, ready),
                None => self.accept(line.post),
            }
        }
    }

    /// Takes a post that is not the first. One far ahead is believed only when its successor agrees that time has moved
    /// on, lest one wrong clock make everything after it too late.
    fn place(&mut self, line: Line, newest: DateTime<Utc>, ready: &mut VecDeque<Next>) {
        let arrival = line.post.arrived_at();
        if let Some(leapt) = self.leapt.take() {
            let claim = leapt.post.arrived_at();
            if arrival >= claim - LATENESS {
                self.accept(leapt.post);
            } else if arrival < newest - LATENESS {
                self.leapt = Some(leapt); // a straggler tells nothing of it
            } else if claim - newest <= LEAP {
                self.doubted.push(leapt);
            } else {
                self.reject_leap(leapt, ready);
            }
        }
        if self.newest.is_some_and(|newest| arrival - newest > LATENESS) {
            self.leapt = Some(line);
        } else {
            self.accept(line.post);
        }
    }

    fn accept(&mut self, post: Post) {
        let arrival = post.arrived_at();
        let newest = self.newest.map_or(arrival, |newest| newest.max(arrival));
        self.newest = Some(newest);
        self.held.push(Reverse(Held(post)));
        let come = self.doubted.extract_if(.., |line| line.post.arrived_at() - newest <= LATENESS);
        self.held.extend(come.map(|line| Reverse(Held(line.post))));
    }

    fn judge_last(&mut self, ready: &mut VecDeque<Next>) {
        self.judge_first(ready);
        if let Some(line) = self.leapt.take() {
            if self.newest.is_some_and(|newest| line.post.arrived_at() - newest > LAST_LEAP) {
                self.reject_leap(line, ready);
            } else {
                self.accept(line.post);
            }
        }
        for line in std::mem::take(&mut self.doubted) {
            self.reject_leap(line, ready);
        }
    }
}

/// Counts what was read, for progress.
struct Counted {
    inner: Box<dyn Read>,
    read: std::sync::Arc<std::sync::atomic::AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.read.fetch_add(length as u64, std::sync::atomic::Ordering::Relaxed);
        Ok(length)
    }
}

/// Unpacks gzip and zstd, known by their first bytes.
fn unpack(mut raw: Counted) -> io::Result<Box<dyn BufRead>> {
    let mut head = Vec::new();
    raw.by_ref().take(4).read_to_end(&mut head)?;
    let whole = io::Cursor::new(head.clone()).chain(raw);
    Ok(match head.as_slice() {
        [0x1f, 0x8b, ..] => Box::new(BufReader::new(flate2::read::MultiGzDecoder::new(whole))),
        [0x28, 0xb5, 0x2f, 0xfd] => Box::new(BufReader::new(zstd::Decoder::new(whole)?)),
        _ => Box::new(BufReader::with_capacity(1 << 16, whole)),
    })
}
