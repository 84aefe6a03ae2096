//! The program from outside: words in, exit codes, what goes to stdout and what to stderr.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

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
        (&["spikes", "--region", "QQ"], "there is no region `QQ`", "GB"),
        (&["incidents", "--service", "tiktk"], "there is no service `tiktk`", "did you mean `tiktok`?"),
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
        "run",
        "replay",
        "status",
        "spikes",
        "incidents",
        "timeline",
        "series",
        "explain",
        "score",
        "backtest",
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

/// Synthetic posts about one made-up outage: three quiet days, then a busy hour, then people who say it is back.
fn recording() -> String {
    let mut lines = String::new();
    let mut post = |minute: i64, author: &str, text: &str| {
        let at = chrono::DateTime::from_timestamp(1_709_424_000 + 60 * minute, 0).unwrap().to_rfc3339();
        let id = lines.len();
        let line = format!(
            r#"{{"source":"mastodon","id":"{id}","created_at":"{at}","author":"{author}","text":"{text}","location":"London","url":"https://social.example/{id}"}}"#
        );
        lines.push_str(&line);
        lines.push('\n');
    };
    for minute in (0..3 * 1440).step_by(7) {
        post(minute, &format!("quiet{minute}"), "good morning");
    }
    for minute in 4320..4380 {
        for person in 0..8 {
            post(minute, &format!("user{minute}-{person}"), "tiktok is down, can't log in");
        }
    }
    for minute in 4380..4600 {
        post(minute, &format!("back{minute}"), if minute < 4390 { "tiktok is back" } else { "good evening" });
    }
    lines
}

#[test]
fn a_replay_ends_with_its_incidents_and_every_command_answers_from_it() {
    let home = home();
    let posts = home.path().join("posts.jsonl");
    let rejects = home.path().join("rejects.jsonl");
    std::fs::write(&posts, recording() + "not a post\n\u{1b}[2J\n").unwrap();
    let run = |words: &[&str], code: i32| {
        let mut command = whatsdown(&home);
        let out = command.args(words).args(["--db", "w.db"]).current_dir(home.path()).assert().code(code);
        String::from_utf8(out.get_output().stdout.clone()).unwrap()
    };
    let json = |words: &[&str]| -> serde_json::Value { serde_json::from_str(&run(words, 0)).unwrap() };

    let replay = ["replay", "posts.jsonl", "--db", "w.db", "--rejects", "rejects.jsonl"];
    let said = predicate::str::contains("posts.jsonl:").and(predicate::str::contains("2 bad lines"));
    let ended = whatsdown(&home).args(replay).current_dir(home.path()).assert().code(0).stderr(said);
    let first = String::from_utf8(ended.get_output().stdout.clone()).unwrap();
    assert!(first.contains("TikTok"), "{first}");
    assert_eq!(std::fs::read_to_string(&rejects).unwrap(), "not a post\n\u{1b}[2J\n");
    assert!(!String::from_utf8_lossy(&ended.get_output().stderr).contains('\u{1b}'));

    let incidents = json(&["incidents", "--json"]);
    assert_eq!(incidents.as_array().unwrap().len(), 1);
    let id = incidents[0]["id"].as_str().unwrap();
    assert_eq!(json(&["replay", "posts.jsonl", "--json"]), incidents, "the same posts again change nothing");
    run(&["replay", "posts.jsonl", "--strict"], 1);
    assert_eq!(run(&["incidents", "--exit-code"], 0), run(&["incidents"], 0), "it is over");
    run(&["status", "tiktok", "--at", "2024-03-06T00:30:00Z", "--exit-code"], 3);
    assert_eq!(json(&["status", "--json"])["services"][0]["state"], "up");
    assert!(json(&["incidents", "--json", "--service", "github"]).as_array().unwrap().is_empty());
    assert!(json(&["incidents", "--json", "--until", "2024-03-05"]).as_array().unwrap().is_empty());
    assert!(!json(&["spikes", "--json", "--region", "GB", "--since", "7d"]).as_array().unwrap().is_empty());

    let timeline = json(&["timeline", id, "--json", "--tz", "Asia/Tokyo"]);
    assert_eq!(timeline["id"], id);
    assert!(timeline["entries"][0]["text"].is_string() && !timeline.to_string().contains("JST"));
    assert!(run(&["timeline", "--tz", "Asia/Tokyo"], 0).contains("JST"));
    assert!(run(&["timeline", "--service", "tiktok", "--format", "md"], 0).starts_with("# TikTok "));
    assert_eq!(run(&["timeline", "-o", "t.html", "--format", "html"], 0), "");
    assert!(std::fs::read_to_string(home.path().join("t.html")).unwrap().starts_with("<!doctype html>"));
    run(&["timeline", "nonsense"], 1);

    let series = json(&["series", "tiktok", "--since", "2024-03-06T00:00", "--until", "2024-03-06T01:00", "--json"]);
    assert_eq!(series.as_array().unwrap().len(), 12);
    assert!(
        run(&["series", "tiktok", "--format", "csv", "--since", "2h"], 0).starts_with("at,observed,expected,low,high,")
    );
    assert!(run(&["series", "tiktok", "--format", "svg"], 0).starts_with("<svg"));
    assert_eq!(json(&["sources", "--json"])[0]["state"], "replayed");
    let counts = run(&["export", "counts"], 0);
    let authors = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["authors"].as_u64().unwrap();
    assert!(counts.lines().map(authors).sum::<u64>() >= 480);
    assert!(run(&["export", "incidents", "--format", "csv"], 0).starts_with("id,service,state,start,"));
    run(&["spikes", "--since", "1h", "--until", "2h"], 2);
}

/// The job with one source on loopback that refuses every connection.
#[cfg(unix)]
#[test]
fn the_job_says_what_it_does_and_ends_in_order_when_it_is_told_to() {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};
    let home = home();
    let config = home.path().join("config.toml");
    let sources = "[sources.http]\nlocal_hosts = [\"127.0.0.1:9\"]\n[sources.bluesky]\nservers = [\"ws://127.0.0.1:9\"]\nprofiles = { enabled = false }\n";
    let off = |name: &&str| format!("[sources.{name}]\nenabled = false\n");
    let off: String = ["mastodon", "hackernews", "lemmy", "ioda"].iter().map(off).collect();
    let pages = "[sources.status]\nservices = [\"github\", \"discord\"]\n";
    std::fs::write(&config, format!("{sources}{off}{pages}")).unwrap();
    let mut job = Command::new(assert_cmd::cargo::cargo_bin("whatsdown"))
        .args(["run", "--db", "live.db", "--config", "config.toml"])
        .current_dir(home.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(job.stderr.take().unwrap()).lines();
    assert_eq!(said.next().unwrap().unwrap(), "Listening to bluesky and 2 status pages.");
    assert_eq!(said.next().unwrap().unwrap(), "Database: live.db");
    assert!(said.any(|line| line.unwrap().contains("Ctrl-C ends")));
    assert!(Command::new("kill").arg(job.id().to_string()).status().unwrap().success());
    assert_eq!(job.wait().unwrap().code(), Some(0));
    whatsdown(&home).args(["sources", "--db", "live.db"]).current_dir(home.path()).assert().code(0);
    let mixed = ["replay", "config.toml", "--db", "live.db"];
    let said = predicate::str::contains("live database").and(predicate::str::contains("hint:"));
    whatsdown(&home).args(mixed).current_dir(home.path()).assert().code(1).stderr(said);
}

#[test]
fn score_says_what_was_expected_and_where_an_alarm_begins() {
    use std::fmt::Write as _;
    let home = home();
    let mut rows = String::from("timestamp,value\n");
    for hour in 0..24 * 30 {
        let at = chrono::DateTime::from_timestamp(1_709_424_000 + 3600 * hour, 0).unwrap().format("%Y-%m-%d %H:%M:%S");
        let value =
            20 + 10 * i64::from(hour % 24 >= 12) + hour * 7 % 5 + if (600..606).contains(&hour) { 60 } else { 0 };
        match hour {
            300 => writeln!(rows, "{at},").unwrap(),
            301..305 => {}
            _ => writeln!(rows, "{at},{value}").unwrap(),
        }
    }
    std::fs::write(home.path().join("rows.csv"), &rows).unwrap();
    let score = |words: &[&str]| {
        let ended =
            whatsdown(&home).arg("score").args(words).current_dir(home.path()).write_stdin(rows.clone()).assert();
        String::from_utf8(ended.code(0).stderr("").get_output().stdout.clone()).unwrap()
    };
    let csv = score(&["rows.csv"]);
    assert_eq!(csv, score(&["-"]));
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "timestamp,value,expected,low,high,score,alarm");
    assert_eq!(lines.len(), rows.lines().count());
    let alarms: Vec<&&str> = lines.iter().filter(|line| line.ends_with(",1")).collect();
    assert!(alarms.len() == 1 && alarms[0].starts_with("2024-03-28 00:00:00,80,"), "{alarms:?}");
    assert!(lines[301].starts_with("2024-03-15 12:00:00,,"), "{}", lines[301]);
    let json: serde_json::Value = serde_json::from_str(&score(&["rows.csv", "--json"])).unwrap();
    let row = &json.as_array().unwrap()[596];
    assert_eq!((row["timestamp"].as_str(), row["alarm"].as_u64()), (Some("2024-03-28 00:00:00"), Some(1)));
    assert!(row["score"].as_f64().unwrap() >= 0.5 && json[300]["value"].is_null());

    let said =
        predicate::str::contains("standard input:3: `soon` is no time").and(predicate::str::contains("hint: write"));
    let wrong = "timestamp,value\n2024-03-05,1\nsoon,2\n";
    whatsdown(&home).args(["score", "-"]).write_stdin(wrong).assert().code(1).stderr(said);
    whatsdown(&home)
        .args(["score", "none.csv"])
        .assert()
        .code(1)
        .stderr(predicate::str::contains("cannot read none.csv"));
}

#[test]
fn a_backtest_holds_a_replay_against_what_is_known() {
    let home = home();
    std::fs::write(home.path().join("posts.jsonl"), recording()).unwrap();
    let truth = |outages: &str| {
        std::fs::write(home.path().join("truth.json"), format!(r#"{{"incidents":[{outages}]}}"#)).unwrap();
    };
    let backtest = |words: &[&str], code: i32| {
        let words = ["backtest", "posts.jsonl", "--truth", "truth.json"].iter().chain(words);
        whatsdown(&home).args(words).current_dir(home.path()).assert().code(code).get_output().clone()
    };
    let known = r#"{"service":"tiktok","start":"2024-03-06T00:00:00Z","end":{"low":"2024-03-06T00:55:00Z","high":"2024-03-06T01:05:00Z"}}"#;
    truth(&format!(
        r#"{known},{{"service":"github","start":"2024-03-05T00:00:00Z","end":"2024-03-05T01:00:00Z"}},{{"service":"x","start":"2024-01-05T00:00:00Z","end":"2024-01-05T01:00:00Z"}}"#
    ));
    let out = backtest(&["--json"], 0);
    assert!(String::from_utf8_lossy(&out.stderr).contains("1 known outage outside the time of the recordings"));
    let found: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((found["precision"].as_f64(), found["recall"].as_f64()), (Some(1.0), Some(0.5)));
    assert_eq!(found["false_alarms_per_week"].as_f64(), Some(0.0));
    let delay = found["detection_delay_minutes"]["median"].as_f64().unwrap();
    assert!((0.0..=10.0).contains(&delay), "{delay}");
    assert_eq!(found["end_error_minutes"]["p90"], found["incidents"][1]["end_error_minutes"]);
    assert_eq!(found["incidents"][0]["verdict"], "missed");
    assert!(found["incidents"][1]["detected"]["id"].as_str().unwrap().starts_with("tiktok-20240306T00"));
    assert!(
        !home.path().join("backtest.db").exists() && !home.path().join(".local").exists(),
        "the replay's database goes"
    );

    let table = String::from_utf8(backtest(&["--db", "kept.db"], 0).stdout).unwrap();
    assert!(table.contains("Recall                    50% (1 of 2 known outages found)"), "{table}");
    assert!(home.path().join("kept.db").exists());
    truth("");
    let nothing: serde_json::Value = serde_json::from_slice(&backtest(&["--json"], 0).stdout).unwrap();
    assert!(
        nothing["recall"].is_null()
            && nothing["start_coverage"].is_null()
            && nothing["precision"].as_f64() == Some(0.0)
    );
    truth(r#"{"service":"tiktk","start":"2024-03-06T00:00:00Z"}"#);
    assert!(String::from_utf8_lossy(&backtest(&[], 2).stderr).contains("did you mean `tiktok`?"));
    truth(r#"{"service":"tiktok"}"#);
    assert!(String::from_utf8_lossy(&backtest(&[], 1).stderr).contains("missing field `start`"));
}
