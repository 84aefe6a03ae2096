//! Damaged and odd recordings: each bad line is told with its place, and every good one around it is kept.

use crate::stream::{Stream, at, line};
use crate::support::{self, Lab, Ran};
use std::io::Write;
use std::path::PathBuf;
use whatsdown::pipeline::replay::ReplayError;

fn run(lab: &Lab, files: &[PathBuf]) -> Ran {
    support::replay(&lab.database(), files, 100)
}

/// Good lines, each a report of tiktok.
fn good(count: u32) -> Vec<String> {
    let mut stream = Stream::new(1);
    for index in 0..count {
        stream.post(f64::from(index) / 10.0, &format!("synthetic-{index}"), "is TikTok down?");
    }
    stream.lines()
}

fn joined(lines: &[impl AsRef<[u8]>], end: &str) -> Vec<u8> {
    lines.iter().flat_map(|line| [line.as_ref(), end.as_bytes()].concat()).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

#[test]
fn bad_lines_are_told_and_good_ones_kept() {
    let post = |field: &str, value: &str| {
        let mut post: serde_json::Value = serde_json::from_str(&good(1)[0]).unwrap();
        post[field] = serde_json::from_str(value).unwrap();
        post["id"] = format!("odd {field} {value}").into();
        post.to_string().into_bytes()
    };
    let without_text = br#"{"source":"s","id":"1","author":"a","created_at":"2024-03-04T00:00:00Z"}"#.to_vec();
    let bad: Vec<(Vec<u8>, &str)> = vec![
        (b"{\"source\":\"bluesky\",".to_vec(), "not a post"),
        (b"[]".to_vec(), "not a post"),
        (b"null".to_vec(), "not a post"),
        (b"\"text\"".to_vec(), "not a post"),
        (vec![b'['; 100_000], "not a post"),
        (without_text, "missing field `text`"),
        (post("created_at", "5"), "not a post"),
        (post("created_at", "\"yesterday\""), "not a post"),
        (post("created_at", "\"0001-01-01T00:00:00Z\""), "before any of these networks"),
        (post("created_at", "\"1970-01-01T00:00:00Z\""), "before any of these networks"),
        (post("created_at", "\"9999-12-31T23:59:59Z\""), "far from its neighbours'"),
        (post("observed_at", "\"1970-01-01T00:00:00Z\""), "before any of these networks"),
        (post("author", "\"\""), "`author` is empty"),
        (post("author", "{\"name\":\"a\"}"), "not a post"),
        (post("bot", "\"yes\""), "not a post"),
        (b"\xff\xfe{}".to_vec(), "not valid UTF-8 at byte 0"),
        (br#"{"gap":{"source":"s"}}"#.to_vec(), "not a post"),
        (br#"{"gap":{"source":"s","from":"2024-03-04T02:00:00Z","until":"2024-03-04T01:00:00Z"}}"#.to_vec(), "a gap"),
        ([b"{\"text\":\"".to_vec(), vec![b'x'; 3 << 20], b"\"}".to_vec()].concat(), "not a post"),
        (vec![b'x'; 17 << 20], "longer than 16 MiB"),
    ];
    let good = good(u32::try_from(bad.len()).unwrap() + 3);
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for (index, good) in good.iter().enumerate() {
        lines.push(good.clone().into_bytes());
        lines.extend(bad.get(index).map(|(line, _)| line.clone()));
    }
    let lab = Lab::new();
    let ran = run(&lab, &[lab.write("odd.jsonl", &joined(&lines, "\n"))]);
    assert_eq!(ran.summary().counted, good.len() as u64);
    assert_eq!(ran.summary().bad_lines, bad.len() as u64);
    let mut told = ran.rejects;
    told.sort_by_key(|(number, _)| *number);
    for (index, ((number, why), (_, expected))) in told.iter().zip(&bad).enumerate() {
        assert_eq!(*number, 2 * index as u64 + 2, "{why}");
        assert!(why.contains(expected), "line {number}: {why}, not {expected}");
    }
}

#[test]
fn a_good_line_of_3_megabytes_is_counted() {
    let mut stream = Stream::new(2);
    stream.post(0.0, "synthetic-1", &format!("is TikTok down? {}", "la ".repeat(1 << 20)));
    stream.post(1.0, "synthetic-2", "is TikTok down?");
    let lab = Lab::of(&stream.lines());
    assert_eq!(lab.counted("tiktok"), 2);
}

#[test]
fn line_ends_blanks_and_a_byte_order_mark_do_no_harm() {
    let good = good(20);
    let ends = [("\n", ""), ("\r\n", ""), ("\n\n \n", ""), (" \t\n", "\u{feff}")];
    for (end, start) in ends {
        let lab = Lab::new();
        let bytes = [start.as_bytes(), &joined(&good, end)].concat();
        let without_last_end = bytes.trim_ascii_end();
        let ran = run(&lab, &[lab.write("odd.jsonl", without_last_end)]);
        assert_eq!((ran.summary().counted, ran.summary().bad_lines), (20, 0), "{end:?} {start:?}");
    }
}

#[test]
fn plain_gzip_and_zstd_are_told_by_their_first_bytes() {
    let good = good(90);
    let whole = Lab::of(&good).says();
    let part = |index: usize| joined(&good[index * 30..(index + 1) * 30], "\n");
    let lab = Lab::new();
    let two_members = [gzip(&part(1)[..500]), gzip(&part(1)[500..])].concat();
    let files = [lab.write("a", &part(0)), lab.write("b.txt", &two_members), lab.write("c.gz", &zstd(&part(2)))];
    let ran = run(&lab, &files);
    assert_eq!(ran.summary().counted, 90);
    support::assert_same(&whole, &lab.says(), "packed");
}

#[test]
fn a_cut_archive_keeps_what_came_before_and_names_the_file() {
    let good = good(3000);
    let whole = Lab::of(&good).says();
    for (name, packed) in [("cut.gz", gzip(&joined(&good, "\n"))), ("cut.zst", zstd(&joined(&good, "\n")))] {
        let lab = Lab::new();
        let ran = run(&lab, &[lab.write(name, &packed[..packed.len() * 9 / 10])]);
        let error = ran.result.err().unwrap();
        assert!(matches!(error, ReplayError::Input(_)) && error.to_string().contains(name), "{error}");
        assert!(lab.counted("tiktok") > 1000, "{name}: {}", lab.counted("tiktok"));
        run(&lab, &[lab.write(name, &packed)]).summary();
        support::assert_same(&whole, &lab.says(), name);
    }
}

#[test]
fn files_that_are_none_are_told_before_anything_is_read() {
    let lab = Lab::new();
    let good = lab.write("good.jsonl", &joined(&good(3), "\n"));
    for (bad, expected) in [(lab.path("missing.jsonl"), "missing.jsonl"), (lab.path("."), "folder")] {
        let error = run(&lab, &[good.clone(), bad]).result.err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(run(&lab, &[lab.write("empty", b"")]).summary().posts, 0);
    assert_eq!(run(&lab, &[lab.write("empty", b""), good]).summary().counted, 3);
}

#[test]
fn standard_input_is_a_recording_too() {
    let lab = Lab::new();
    let good = good(20);
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_whatsdown"));
    command.args(["replay", "-", "--db"]).arg(lab.database()).write_stdin(gzip(&joined(&good, "\n")));
    command.assert().success();
    assert_eq!(lab.counted("tiktok"), 20);
}

#[test]
fn two_posts_years_apart_do_not_take_forever() {
    let mut stream = Stream::new(3);
    for (index, minute) in [0.0, 1.0, 2.0, 1_500_000.0, 1_500_001.0].into_iter().enumerate() {
        stream.post(minute, &format!("synthetic-{index}"), "is TikTok down?");
    }
    let before = std::time::Instant::now();
    let lab = Lab::of(&stream.posts.iter().map(line).collect::<Vec<_>>());
    assert_eq!(lab.counted("tiktok"), 5);
    assert!(lab.reader().now().unwrap() > at(1_500_000.0));
    assert!(before.elapsed().as_secs() < 20, "{:?}", before.elapsed());
}
