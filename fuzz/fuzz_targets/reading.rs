//! Any bytes as a post: its text, and behind a zero byte each the author's location text and language tag.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use whatsdown::post::Post;
use whatsdown::reading::{Catalogue, Lexicon, Reader, Span};

static READER: LazyLock<Reader> = LazyLock::new(|| {
    let catalogue = Catalogue::embedded().expect("the catalogue is read by the program's tests");
    let lexicons = Lexicon::embedded().expect("the lexicons are read by the program's tests");
    Reader::new(catalogue, &lexicons).expect("the names fit into an automaton")
});

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(3, |byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned());
    let post = Post {
        source: "x".into(),
        text: parts.next().unwrap_or_default(),
        location: parts.next(),
        lang: parts.next(),
        official: bytes.len() % 2 == 1,
        ..Post::default()
    };
    let quotes = |span: &Span| post.text.get(span.start..span.end) == Some(span.text.as_str());
    let read = READER.read(&post);
    assert!(read.readings.iter().flat_map(|reading| &reading.why).all(quotes));
    assert!(READER.heard(&post).iter().all(quotes));
});
