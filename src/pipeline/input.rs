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
/// A post so much later than all before it is believed only when its successor agrees, lest one wrong clock make
/// everything after it too late.
const LEAP: TimeDelta = TimeDelta::hours(1);
/// A leap that nothing follows is believed up to this.
const LAST_LEAP: TimeDelta = TimeDelta::days(30);

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
    #[error("its time {0} is far ahead of its neighbours'")]
    Leap(DateTime<Utc>),
}

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
        let open = |path: &PathBuf| {
            Recording::open(path, latest)
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
        };
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
    pub fn next(&mut self) -> io::Result<Option<Next>> {
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
        if let Some(arrival) = recording.advance(&mut self.ready)? {
            self.heads.insert((arrival, index));
        }
        Ok(())
    }
}

/// One recording, with the posts that may still be overtaken by a later line.
struct Recording {
    path: PathBuf,
    lines: Box<dyn BufRead>,
    read: std::sync::Arc<std::sync::atomic::AtomicU64>,
    line: u64,
    latest: DateTime<Utc>,
    newest: Option<DateTime<Utc>>,
    /// A post that leapt ahead, and its line.
    leapt: Option<(Post, Vec<u8>, u64)>,
    held: BinaryHeap<Reverse<Held>>,
    at_end: bool,
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
            leapt: None,
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
            self.judge_last_leap(ready);
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
        match Event::parse(&bytes, self.latest) {
            Ok(Event::Post(post)) => self.hold(post, bytes, ready),
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

    fn hold(&mut self, post: Post, bytes: Vec<u8>, ready: &mut VecDeque<Next>) {
        let arrival = post.arrived_at();
        if let Some((leapt, leapt_bytes, line)) = self.leapt.take() {
            if arrival >= leapt.arrived_at() - LATENESS {
                self.accept(leapt);
            } else {
                let why = Why::Leap(leapt.arrived_at());
                ready.push_back(Next::Reject(self.reject(line, why, leapt_bytes)));
            }
        }
        if self.newest.is_none_or(|newest| arrival - newest > LEAP) {
            self.leapt = Some((post, bytes, self.line));
        } else {
            self.accept(post);
        }
    }

    fn accept(&mut self, post: Post) {
        let arrival = post.arrived_at();
        self.newest = Some(self.newest.map_or(arrival, |newest| newest.max(arrival)));
        self.held.push(Reverse(Held(post)));
    }

    fn judge_last_leap(&mut self, ready: &mut VecDeque<Next>) {
        let Some((post, bytes, line)) = self.leapt.take() else { return };
        if self.newest.is_none_or(|newest| post.arrived_at() - newest <= LAST_LEAP) {
            self.accept(post);
        } else {
            let why = Why::Leap(post.arrived_at());
            ready.push_back(Next::Reject(self.reject(line, why, bytes)));
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
