//! The program from outside: words in, exit codes, what goes to stdout and what to stderr.

use assert_cmd::Command;
use predicates::prelude::*;
use std::path::Path;
use tempfile::TempDir;

/// The program in an empty home: no configuration, no database.
fn whatsdown(home: &TempDir) -> Command {
    let mut command = Command::cargo_bin("whatsdown").unwrap();
    command.env_clear().env("HOME", home.path()).env("TZ", "UTC");
    command
}

fn home() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn the_bare_name_says_what_to_do_next() {
    let home = home();
    whatsdown(&home)
        .assert()
        .code(0)
        .stdout(predicate::str::contains("whatsdown run").and(predicate::str::contains("whatsdown replay FILE")))
        .stderr("");
}

#[test]
fn wrong_words_exit_with_2_and_a_hint() {
    let home = home();
    for (words, message, hint) in [
        (&["status", "tiktk"][..], "there is no service `tiktk`", "did you mean `tiktok`?"),
        (&["series", "tiktok", "--format", "md"], "no format `md`", "text, csv, json, svg"),
        (&["series", "tiktok", "--region", "U.S."], "not a region", "US-TX"),
        (&["series", "tiktok", "--region", "QQ"], "there is no region `QQ`", "GB"),
        (&["series", "tiktok", "--step", "90s"], "whole minutes", ""),
        (&["spikes", "--since", "yesterday"], "`yesterday`", "2h"),
        (&["status", "--tz", "Mars/Base"], "Mars/Base", ""),
        (&["status", "--json", "--format", "text"], "cannot be used with", ""),
        (&["nonsense"], "nonsense", ""),
    ] {
        let said = predicate::str::contains(message).and(predicate::str::contains(hint));
        whatsdown(&home).args(words).assert().code(2).stdout("").stderr(said);
    }
}

#[test]
fn a_database_that_is_not_there_exits_with_1_and_says_how_to_make_one() {
    let home = home();
    for words in [&["status"][..], &["incidents"], &["timeline"], &["spikes"], &["sources"], &["export", "counts"]] {
        let said =
            predicate::str::contains("no database at").and(predicate::str::contains("hint: start `whatsdown run`"));
        whatsdown(&home).args(words).args(["--db", "none.db"]).assert().code(1).stdout("").stderr(said);
    }
}

#[test]
fn a_wrong_configuration_is_shown_with_its_place() {
    let home = home();
    let config = home.path().join("my.toml");
    std::fs::write(&config, "[detect]\nfalse_alarm_per_month = 2\n").unwrap();
    let said = || {
        predicate::str::contains("my.toml:2:1: there is no key `detect.false_alarm_per_month`")
            .and(predicate::str::contains("did you mean `false_alarms_per_month`?"))
    };
    whatsdown(&home).arg("status").arg("--config").arg(&config).assert().code(2).stderr(said());
    whatsdown(&home).arg("status").env("WHATSDOWN_CONFIG", &config).assert().code(2).stderr(said());
    whatsdown(&home).args(["check", "--json", "--config"]).arg(&config).assert().code(2).stdout(predicate::function(
        |text: &str| {
            let found: serde_json::Value = serde_json::from_str(text).unwrap();
            found[0]["line"] == 2 && found[0]["hint"] == "did you mean `false_alarms_per_month`?"
        },
    ));
    let said = predicate::str::contains("cannot be read");
    whatsdown(&home).args(["status", "--config", "none.toml"]).assert().code(2).stderr(said);
}

#[test]
fn what_comes_with_the_program_has_no_problems() {
    let home = home();
    whatsdown(&home).arg("check").assert().code(0).stdout("No problems.\n");
    whatsdown(&home).args(["check", "--json"]).assert().code(0).stdout("[]\n");
}

#[test]
fn the_users_own_configuration_is_found() {
    let home = home();
    let folder = home.path().join(".config/whatsdown");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("config.toml"), "[store]\npath = \"mine.db\"\n").unwrap();
    let said = predicate::str::contains(folder.join("mine.db").display().to_string());
    whatsdown(&home).arg("status").assert().code(1).stderr(said.clone());
    whatsdown(&home).arg("status").env("WHATSDOWN_CONFIG", "").assert().code(1).stderr(said);
    let said = predicate::str::contains("no database at other.db");
    whatsdown(&home).arg("status").env("WHATSDOWN_DB", "other.db").assert().code(1).stderr(said);
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    let home = home();
    let commands = [
        "replay",
        "status",
        "spikes",
        "incidents",
        "timeline",
        "series",
        "explain",
        "sources",
        "services",
        "check",
        "export",
        "completions",
        "man",
    ];
    let out = whatsdown(&home).args(["completions", "bash"]).assert().code(0).get_output().stdout.clone();
    let script = String::from_utf8(out).unwrap();
    for command in commands {
        assert!(script.contains(&format!("whatsdown__subcmd__{command}")), "{command}");
    }
    let pages = home.path().join("man");
    std::fs::create_dir(&pages).unwrap();
    whatsdown(&home).arg("man").arg("--out").arg(&pages).assert().code(0).stdout("");
    for command in commands {
        assert!(pages.join(format!("whatsdown-{command}.1")).exists(), "{command}");
    }
    whatsdown(&home).args(["man", "--out", "none/there"]).assert().code(1);
    whatsdown(&home).arg("man").assert().code(0).stdout(predicate::str::contains("whatsdown\\-status"));
}

#[test]
fn the_options_stand_before_or_after_the_command() {
    let home = home();
    for words in [&["--json", "services"][..], &["services", "--json"], &["services", "--format", "json"]] {
        whatsdown(&home).args(words).assert().code(0).stdout(predicate::function(|text: &str| {
            let services: serde_json::Value = serde_json::from_str(text).unwrap();
            services.as_array().unwrap().iter().any(|service| service["id"] == "tiktok")
        }));
    }
}

#[test]
fn no_terminal_no_colour_unless_it_is_asked_for() {
    let home = home();
    let services = |words: &[&str]| {
        let out = whatsdown(&home).arg("services").args(words).assert().code(0).get_output().stdout.clone();
        String::from_utf8(out).unwrap()
    };
    assert!(!services(&[]).contains('\u{1b}'));
    assert!(services(&["--color", "always"]).contains('\u{1b}'));
    assert!(!services(&["--color", "never"]).contains('\u{1b}'));
}

/// A pipe whose reader has gone, and a disk that is full.
#[cfg(target_os = "linux")]
#[test]
fn a_closed_pipe_is_no_error_and_a_full_disk_is_one() {
    use std::process::{Command, Stdio};
    let program = assert_cmd::cargo::cargo_bin("whatsdown");
    for words in [&["services"][..], &["man"], &["completions", "zsh"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = Command::new(&program).args(words).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(0), ""), "{words:?}");
    }
    if Path::new("/dev/full").exists() {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ended = Command::new(&program).arg("services").stdout(full).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(ended.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&ended.stderr).contains("cannot write to standard output"));
    }
}

#[test]
fn explain_answers_every_line_in_order() {
    let home = home();
    let post = r#"{"source":"s","id":"1","created_at":"2024-03-05T20:00:00Z","author":"a","text":"good morning"}"#;
    let input = format!("{post}\nnonsense\n\n{post}\n");
    let out = whatsdown(&home).arg("explain").write_stdin(input).assert().code(0).get_output().stdout.clone();
    let answers: Vec<serde_json::Value> =
        String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 3, "an empty line is no line");
    assert!(answers[0]["readings"].as_array().unwrap().is_empty() && answers[2]["readings"].is_array());
    assert!(answers[1]["error"].is_string());
}
