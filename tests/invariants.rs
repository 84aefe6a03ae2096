//! Invariants of the code itself.

use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn only_the_clock_reads_the_wall_clock() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 50);
    let reads = |path: &&PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        ["Utc::now", "Local::now", "SystemTime::now"].iter().any(|call| text.contains(call))
    };
    let guilty: Vec<&PathBuf> = files.iter().filter(reads).collect();
    assert_eq!(guilty.len(), 1, "{guilty:?}");
    assert!(guilty[0].ends_with("src/clock.rs"));
}
