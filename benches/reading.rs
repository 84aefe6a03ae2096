//! What reading costs: `cargo bench --bench reading`. It first prints posts a second on one thread for the mix of a
//! stream in which 99% are about nothing, against a bare search for the same names, and what names and phrases take.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark that fails says so")]

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use divan::{Bencher, black_box};
use std::time::Instant;
use whatsdown::post::Post;
use whatsdown::reading::{Catalogue, Lexicon, Reader};

/// Posts of a mix.
const POSTS: usize = 20_000;
/// One post in so many is about an outage or looks like it.
const ONE_IN: usize = 100;
/// How often the mix is read; the fastest time counts.
const ROUNDS: usize = 10;

fn main() {
    let (reader, mix) = (reader(), mix());
    let bytes: usize = mix.iter().map(|post| post.text.len()).sum();
    let names = bare(&reader);
    let read = fastest(|| mix.iter().map(|post| reader.read(post).readings.len()).sum());
    let searched = fastest(|| mix.iter().map(|post| names.find_overlapping_iter(&post.text).count()).sum());
    println!("{POSTS} posts of {} bytes in the mean, 1 in {ONE_IN} about an outage or like it", bytes / POSTS);
    println!("read:               {:>9.0} posts/s", POSTS as f64 / read);
    println!("bare search:        {:>9.0} posts/s", POSTS as f64 / searched);
    println!("reading / search:   {:>9.1}", read / searched);
    println!("names and phrases:  {:>9.1} MB", reader.memory() as f64 / 1e6);
    divan::main();
}

fn reader() -> Reader {
    Reader::new(Catalogue::embedded().unwrap(), &Lexicon::embedded().unwrap()).unwrap()
}

/// An automaton over the names of all services and nothing else, as cheap as naming a service can be.
fn bare(reader: &Reader) -> AhoCorasick {
    let services = reader.catalogue().services().iter();
    let names = services.flat_map(|service| service.names.iter().chain(&service.words).chain(&service.capitals));
    let builder = &mut AhoCorasick::builder();
    let builder = builder.kind(Some(AhoCorasickKind::DFA)).ascii_case_insensitive(true);
    builder.build(names.map(|word| word.text.as_str())).unwrap()
}

/// Everyday texts, their words in an order of its own in each post, and now and then a labelled post.
fn mix() -> Vec<Post> {
    let everyday: Vec<&str> = include_str!("../fixtures/posts/everyday.txt").lines().collect();
    let labelled: Vec<String> = include_str!("../fixtures/posts/report.jsonl")
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["text"].as_str().unwrap().to_owned())
        .collect();
    let mut rng = fastrand::Rng::with_seed(7);
    let mut text = |number: usize| {
        if number.is_multiple_of(ONE_IN) {
            return rng.choice(&labelled).unwrap().clone();
        }
        let mut words: Vec<&str> = rng.choice(&everyday).unwrap().split(' ').collect();
        rng.shuffle(&mut words);
        words.join(" ")
    };
    let post = |number| Post {
        source: "bluesky".into(),
        author: format!("did:plc:{number}"),
        text: text(number),
        ..Post::default()
    };
    (0..POSTS).map(post).collect()
}

/// Seconds.
fn fastest(mut work: impl FnMut() -> usize) -> f64 {
    let time = |_| {
        let started = Instant::now();
        black_box(work());
        started.elapsed().as_secs_f64()
    };
    (0..ROUNDS).map(time).fold(f64::INFINITY, f64::min)
}

#[divan::bench(sample_count = 10)]
fn start_up() -> Reader {
    reader()
}

#[divan::bench(args = ["just made the best banana bread of my life", "is tiktok down for anyone else? can't log in"])]
fn read_one(bencher: Bencher, text: &str) {
    let reader = reader();
    let post = Post { source: "bluesky".into(), author: "did:plc:1".into(), text: text.into(), ..Post::default() };
    bencher.bench(|| reader.read(black_box(&post)));
}

/// 10,000 bytes that begin phrases and names without end.
#[divan::bench(args = ["tiktok is can't ", "is {s} it's ", "#tiktokdow ", "@@..", "é\u{301}"])]
fn read_hostile(bencher: Bencher, unit: &str) {
    let reader = reader();
    let text = unit.repeat(10_000 / unit.len());
    let post = Post { source: "bluesky".into(), author: "did:plc:1".into(), text, ..Post::default() };
    bencher.bench(|| reader.read(black_box(&post)));
}
