//! `kill -9` at any moment of a replay, then the same command again.

use crate::stream::Stream;
use crate::support::{Lab, assert_same};
use fastrand::Rng;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

fn start(database: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_whatsdown"));
    command.args(["replay", "-", "--quiet", "--db"]).arg(database);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
}

#[test]
fn killed_at_random_moments_it_ends_as_if_undisturbed() {
    let mut stream = Stream::with_outage(1);
    // Enough for several commits.
    stream.talk(0..600, 11.0, "Discord", &["is {} down?", "{} won't load"]);
    let text: String = stream.lines().iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    let plain = Lab::new();
    let mut child = start(&plain.database());
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());

    let killed = Lab::new();
    let mut rng = Rng::with_seed(7);
    let mut resumed = 0;
    for _ in 0..8 {
        let mut child = start(&killed.database());
        // The pipe is full but for what was read: the program stands somewhere before the last byte given.
        let given = &text.as_bytes()[..rng.usize(0..text.len())];
        child.stdin.as_mut().unwrap().write_all(given).unwrap();
        std::thread::sleep(Duration::from_millis(rng.u64(0..60)));
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success());
        resumed += u32::from(killed.database().exists() && killed.says()["counts"] != serde_json::json!([]));
    }
    assert!(resumed >= 3, "something was committed before {resumed} of 8 kills");
    let mut child = start(&killed.database());
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    assert_same(&plain.says(), &killed.says(), "killed");
}
