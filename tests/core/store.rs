//! Databases that are not ours, not yet ours, somebody else's at the moment, or full.

use crate::stream::Stream;
use crate::support::{Lab, assert_same, open};
use rusqlite::Connection;
use std::path::Path;
use std::process::{Command, Output};
use whatsdown::intake::Brought;
use whatsdown::pipeline::PipelineError;
use whatsdown::source::{Health, State};
use whatsdown::store::writer::{Append, SourceState};
use whatsdown::store::{self, Filter, Reader, Stamp, StoreError, Writer};

/// Why the database cannot be written.
fn refusal(database: &Path, stamp: Stamp) -> StoreError {
    match open(database, stamp) {
        Err(PipelineError::Store(error)) => error,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("{} was opened", database.display()),
    }
}

#[test]
fn a_newer_schema_is_refused() {
    let lab = Lab::of(&Stream::with_outage(1).lines()[..50]);
    Connection::open(lab.database()).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = std::fs::read(lab.database()).unwrap();
    let error = refusal(&lab.database(), Stamp::Replayed);
    assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error}");
    assert!(matches!(store::Reader::open(&lab.database()), Err(StoreError::Newer { .. })));
    assert_eq!(std::fs::read(lab.database()).unwrap(), before);
}

#[test]
fn an_older_schema_is_brought_up_to_date_by_whoever_opens_it_first() {
    let lab = Lab::of(&Stream::with_outage(1).lines()[..50]);
    // As the program before its last migration left it.
    let older = "ALTER TABLE spike DROP COLUMN echo_of; PRAGMA user_version = 9";
    let job = open(&lab.database(), Stamp::Replayed).unwrap();
    Connection::open(lab.database()).unwrap().execute_batch(older).unwrap();
    let error = store::Reader::open(&lab.database()).err().unwrap();
    assert!(matches!(error, StoreError::Older { found: 9, .. }), "{error}");
    drop(job);
    assert_eq!(lab.reader().spikes(&Filter::default()).unwrap(), []);
    open(&lab.database(), Stamp::Replayed).unwrap();
}

#[test]
fn a_second_writer_is_refused_and_told_who_writes() {
    let lab = Lab::of(&Stream::with_outage(1).lines()[..50]);
    let first = open(&lab.database(), Stamp::Replayed).unwrap();
    let error = refusal(&lab.database(), Stamp::Replayed).to_string();
    assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
    drop(first);
    open(&lab.database(), Stamp::Replayed).unwrap();
}

#[test]
fn live_and_replayed_are_never_mixed() {
    let lab = Lab::of(&Stream::with_outage(1).lines()[..50]);
    assert!(matches!(refusal(&lab.database(), Stamp::Live), StoreError::Stamp { found: Stamp::Replayed, .. }));
    let live = Lab::new();
    drop(open(&live.database(), Stamp::Live).unwrap());
    assert!(matches!(refusal(&live.database(), Stamp::Replayed), StoreError::Stamp { found: Stamp::Live, .. }));
}

#[test]
fn files_of_others_are_left_as_they_are() {
    let lab = Lab::new();
    let foreign = lab.path("foreign.db");
    Connection::open(&foreign)
        .unwrap()
        .execute_batch("CREATE TABLE theirs (id INTEGER); PRAGMA user_version = 1")
        .unwrap();
    let letter = lab.write("letter.txt", b"Dear all, this is no database. ".repeat(100).as_slice());
    let note = lab.write("note.txt", b"short");
    for file in [foreign, letter, note] {
        let before = std::fs::read(&file).unwrap();
        for error in [refusal(&file, Stamp::Replayed), store::Reader::open(&file).err().unwrap()] {
            assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
            assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
        }
        assert_eq!(std::fs::read(&file).unwrap(), before);
    }
}

#[test]
fn places_that_cannot_be_written_are_named() {
    let lab = Lab::new();
    let file = lab.write("file", b"");
    for database in [file.join("in-a-file.db"), Path::new("/proc/whatsdown/test.db").to_owned(), lab.path(".")] {
        let error = refusal(&database, Stamp::Replayed);
        assert!(matches!(error, StoreError::Io { .. }), "{error}");
    }
    assert!(matches!(store::Reader::open(&lab.path("none.db")), Err(StoreError::Missing(_))));
}

#[test]
fn a_folder_that_is_not_there_is_made() {
    let lab = Lab::new();
    open(&lab.path("new/folder/test.db"), Stamp::Replayed).unwrap();
}

/// Replays where no file can grow beyond so many blocks of 512 bytes.
fn replay_within(database: &Path, recording: &Path, blocks: u32) -> Output {
    let script = format!("ulimit -f {blocks}; trap '' XFSZ; exec \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_whatsdown"), "replay", "--db"]).arg(database).arg(recording);
    command.output().unwrap()
}

#[test]
fn a_full_disk_is_told_and_loses_nothing() {
    let lines = Stream::with_outage(2).lines();
    let whole = Lab::of(&lines).says();
    for blocks in [8, 100, 400] {
        let lab = Lab::new();
        let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
        let recording = lab.write("posts.jsonl", text.as_bytes());
        let output = replay_within(&lab.database(), &recording, blocks);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("full") && said.contains("free some space"), "{blocks}: {said}");
        lab.replay(&lines).summary();
        assert_same(&whole, &lab.says(), "after space was made");
    }
}

#[test]
fn a_new_run_does_not_forget_when_a_source_was_last_heard() {
    let lab = Lab::new();
    let at = "2024-03-06T08:00:00Z".parse().unwrap();
    let heard =
        Health { state: State::Ok, last_success: Some(at), heard_until: Some(at), errors: 3, ..Health::default() };
    let failing = Health { state: State::Degraded, errors: 1, ..Health::default() };
    for health in [&heard, &failing] {
        // Each in a run of its own, whose sources begin without having heard anything.
        let source = SourceState {
            instance: "bluesky".to_owned(),
            network: "bluesky".to_owned(),
            cursor: None,
            posts: 2,
            health: serde_json::to_string(health).unwrap(),
            brought: Brought::default(),
        };
        let mut writer = Writer::open(&lab.database(), Stamp::Live).unwrap();
        writer.append(&Append { sources: vec![source], ..Append::default() }).unwrap();
    }
    let sources = Reader::open(&lab.database()).unwrap().sources().unwrap();
    let kept = Health { last_success: Some(at), heard_until: Some(at), ..failing };
    assert_eq!((sources.len(), sources[0].posts, &sources[0].health), (1, 4, &kept));
}
