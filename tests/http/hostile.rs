//! Nothing that a post brings acts on whoever reads it, in any format. The posts of `fixtures/hostile.jsonl` are synthetic:
//! each holds what was used, or could be used, against readers, and a mark by which it is found again.

use crate::support::{get, incident, serve, whatsdown, written};
use quick_xml::events::Event as Xml;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use whatsdown::count::KeyHash;
use whatsdown::intake::Brought;
use whatsdown::post::PostKey;
use whatsdown::source::{Health, State};
use whatsdown::store::writer::{NewQuote, SourceState};
use whatsdown::store::{Append, Writer};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hostile.jsonl")
}

fn posts() -> Vec<Value> {
    let text = std::fs::read_to_string(corpus()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The posts without what is hostile in them.
fn harmless() -> Vec<Value> {
    let mut posts = posts();
    for (number, post) in posts.iter_mut().enumerate() {
        post["text"] = format!("tiktok is down mark{number:02}").into();
        post["source"] = "made-up".into();
        post["id"] = number.to_string().into();
        post["url"] = format!("https://made-up.example/synthetic-{number:02}").into();
        post["lang"] = "en".into();
    }
    // One without a link and one without a language, which look otherwise.
    posts[0]["url"] = "0".into();
    posts[1]["lang"] = Value::Null;
    posts
}

/// A database in which every post is evidence of an incident, and names a source.
fn database(folder: &Path, posts: Vec<Value>) -> (PathBuf, String, Writer) {
    let database = folder.join("written.db");
    let mut outage = incident("tiktok", 60);
    let mut batch = Append::default();
    for post in posts {
        let field = |name: &str| post[name].as_str().unwrap().to_owned();
        let key = KeyHash::of(&PostKey { source: field("source"), id: field("id") });
        outage.phases[0].evidence.push(key);
        batch.quotes.push(NewQuote {
            key,
            at: field("created_at").parse().unwrap(),
            author: 7,
            source: field("source"),
            reference: field("url"),
            text: field("text"),
            lang: post["lang"].as_str().map(str::to_owned),
        });
        batch.sources.push(SourceState {
            instance: field("source"),
            network: field("source"),
            cursor: Some(field("text")),
            posts: 1,
            brought: Brought::default(),
            health: serde_json::to_string(&Health { state: State::Ok, ..Health::default() }).unwrap(),
        });
    }
    let id = outage.id.clone();
    batch.incidents.push(outage);
    (database.clone(), id, written(&database, batch))
}

/// Every mark is there: what is tested below was not simply left out.
fn all_marks(text: &str, what: &str) {
    for number in 0..posts().len() {
        assert!(text.contains(&format!("mark{number:02}")), "mark{number:02} is missing in {what}");
    }
}

/// Whether a character acts on a terminal, or turns or hides what stands around it.
fn acts(letter: char) -> bool {
    (letter.is_control() && letter != '\n')
        || matches!(letter, '\u{61c}' | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2028}'..='\u{2029}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}'
            | '\u{ffff}' | '\u{e0000}'..='\u{e007f}')
}

fn no_character_acts(text: &str, what: &str) {
    if let Some((at, letter)) = text.char_indices().find(|(_, letter)| acts(*letter)) {
        panic!("{what}: {letter:?} near {:?}", text[..at].chars().rev().take(60).collect::<String>());
    }
}

/// Every tag with the names of its attributes.
fn tags(text: &str) -> BTreeSet<String> {
    let shape = |tag: &str| {
        let inside = tag.split_once('>').map_or(tag, |(inside, _)| inside);
        // What stands between quotation marks is a value.
        inside.split('"').step_by(2).collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    text.split('<').skip(1).map(shape).collect()
}

/// No tag and no attribute that is not there for harmless posts too, and no address that leads elsewhere than to the web.
fn no_tag_acts(text: &str, harmless: &str, what: &str) {
    let known = tags(harmless);
    let strange: Vec<_> = tags(text).into_iter().filter(|tag| !known.contains(tag)).collect();
    assert!(strange.is_empty(), "{what}: {strange:?}");
    for attribute in ["href=\"", "src=\"", "action=\""] {
        for rest in text.split(attribute).skip(1) {
            let address = rest.split('"').next().unwrap();
            let fine = ["https://", "http://", "/", "#"].iter().any(|start| address.starts_with(start));
            assert!(fine && !address.starts_with("//"), "{what}: {attribute}{address}");
        }
    }
}

/// Markdown as a reader that knows every extension shows it.
fn rendered(markdown: &str) -> String {
    let mut html = String::new();
    let everything = pulldown_cmark::Options::all();
    pulldown_cmark::html::push_html(&mut html, pulldown_cmark::Parser::new_ext(markdown, everything));
    html
}

fn well_formed(text: &str, what: &str) {
    let mut reader = quick_xml::Reader::from_str(text);
    loop {
        match reader.read_event() {
            Ok(Xml::Eof) => return,
            Ok(Xml::DocType(_) | Xml::CData(_)) => panic!("{what}: a document type or CDATA"),
            Ok(Xml::GeneralRef(name)) => {
                let known = ["amp", "lt", "gt", "quot", "apos"].contains(&&*name);
                assert!(known || name.is_char_ref(), "{what}: {name:?}");
            }
            Ok(_) => {}
            Err(error) => panic!("{what}: {error}"),
        }
    }
}

/// A cell that a spreadsheet takes for text or a number.
fn is_no_formula(cell: &str) -> bool {
    cell.parse::<f64>().is_ok() || !cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '|', '%'])
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_post_brings_acts_on_a_reader() {
    let folder = tempfile::tempdir().unwrap();
    let (hostile, id, mut writer) = database(folder.path(), posts());
    let say = |words: &[&str]| String::from_utf8(whatsdown(&hostile, words)).unwrap();
    let beside = tempfile::tempdir().unwrap();
    let (harmless, ..) = database(beside.path(), harmless());
    let harmless_say = |words: &[&str]| String::from_utf8(whatsdown(&harmless, words)).unwrap();

    // The terminal, without colour and with it: then there are colours, and nothing else.
    for words in [vec!["timeline", &id], vec!["sources"], vec!["incidents"], vec!["status"], vec!["spikes"]] {
        let text = say(&words);
        no_character_acts(&text, &words.join(" "));
        let coloured = say(&[&words[..], &["--color", "always"]].concat());
        let without: String = coloured
            .split("\u{1b}[")
            .enumerate()
            .map(|(at, part)| if at == 0 { part } else { part.split_once('m').unwrap().1 })
            .collect();
        no_character_acts(&without, &format!("{} in colour", words.join(" ")));
    }
    all_marks(&say(&["timeline", &id]), "the text");

    let html = say(&["timeline", &id, "--format", "html"]);
    all_marks(&html, "HTML");
    no_tag_acts(&html, &harmless_say(&["timeline", &id, "--format", "html"]), "HTML");
    no_character_acts(&html, "HTML");

    let markdown = say(&["timeline", &id, "--format", "md"]);
    all_marks(&markdown, "Markdown");
    no_character_acts(&markdown, "Markdown");
    let rendered = rendered(&markdown);
    let harmless_markdown = harmless_say(&["timeline", &id, "--format", "md"]);
    no_tag_acts(&rendered, &self::rendered(&harmless_markdown), "Markdown as HTML");
    let links: Vec<&str> = rendered.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(!links.is_empty() && links.iter().all(|link| link.starts_with("https://")), "{links:?}");

    let svg = say(&["timeline", &id, "--format", "svg"]);
    well_formed(&svg, "SVG");
    no_tag_acts(&svg, &harmless_say(&["timeline", &id, "--format", "svg"]), "SVG");
    no_character_acts(&svg, "SVG");

    // JSON is data: it has to be whole, a line an object, and to say the texts as they are.
    let told: Value = serde_json::from_str(&say(&["timeline", &id, "--json"])).unwrap();
    assert_eq!(told["phases"][0]["evidence"].as_array().unwrap().len(), posts().len());
    for line in say(&["export", "incidents", "--format", "jsonl"]).lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }

    let address = serve(&hostile).await;
    let harmless_address = serve(&harmless).await;
    let (_, _, page) = get(&address, &format!("/incidents/{id}"), "").await;
    all_marks(&page, "the page");
    let (_, _, harmless_page) = get(&harmless_address, &format!("/incidents/{id}"), "").await;
    no_tag_acts(&page, &harmless_page, "the page");
    no_character_acts(&page.replace('\r', ""), "the page");
    for path in ["/api/v1/sources".to_owned(), format!("/api/v1/incidents/{id}"), "/api/v1/incidents".to_owned()] {
        let (code, head, body) = get(&address, &path, "").await;
        assert!(code == 200 && head.contains("nosniff") && head.contains("application/json"), "{head}");
        serde_json::from_str::<Value>(&body).unwrap();
    }
    let (_, _, feed) = get(&address, "/feed.atom", "").await;
    well_formed(&feed, "Atom");
    let feed = feed_rs::parser::parse(feed.as_bytes()).unwrap();
    assert_eq!(feed.entries.len(), 1);
    let content = feed.entries[0].content.as_ref().unwrap().body.as_ref().unwrap();
    no_tag_acts(content, "<ul><li></li></ul>", "Atom");

    let (_, _, metrics) = get(&address, "/metrics", "").await;
    no_character_acts(&metrics, "metrics");
    assert!(metrics.contains("whatsdown_source_posts_total{source=\"a\\\"} 1"), "the hostile name is there: {metrics}");
    for line in metrics.lines() {
        let sample = line.strip_prefix("# HELP ").or_else(|| line.strip_prefix("# TYPE ")).unwrap_or(line);
        let name: String = sample.chars().take_while(|letter| letter.is_ascii_lowercase() || *letter == '_').collect();
        assert!(name.starts_with("whatsdown_") && name != "whatsdown_evil", "{line}");
    }

    // Of the stream every line is one of ours, also where an incident is told anew.
    let mut listener = crate::events::Listener::new(&address, "Last-Event-ID: 0\r\n").await;
    let event = listener.next().await;
    assert_eq!((event.kind.as_str(), event.data["id"].as_str()), ("incident", Some(id.as_str())));
    assert_eq!(event.data["phases"][0]["evidence"].as_array().unwrap().len(), posts().len());
    assert_eq!(listener.next().await.kind, "status");
    writer.append(&Append { incidents: vec![incident("aws", 5)], ..Append::default() }).unwrap();
    assert_eq!(listener.next().await.data["service"], "aws");
}

#[test]
fn hostile_posts_are_read_counted_and_exported_without_harm() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("replayed.db");
    let say = |words: &[&str]| String::from_utf8(whatsdown(&database, words)).unwrap();
    let corpus = corpus();
    let told = say(&["replay", corpus.to_str().unwrap(), "--strict", "-q"]);
    no_character_acts(&told, "replay");
    let texts = posts().into_iter().map(|post| post["text"].as_str().unwrap().replace('\0', ""));
    for text in texts.filter(|text| text.contains(acts)) {
        no_character_acts(&say(&["explain", "--", &text]), &text);
    }
    let mut checked = String::new();
    for what in ["counts", "volumes", "spikes", "incidents"] {
        let table = say(&["export", what, "--format", "csv"]);
        for record in csv::ReaderBuilder::new().has_headers(false).from_reader(table.as_bytes()).records() {
            for cell in &record.unwrap() {
                assert!(is_no_formula(cell), "{what}: {cell:?}");
                let _ = writeln!(checked, "{cell}");
            }
        }
        for line in say(&["export", what]).lines() {
            serde_json::from_str::<Value>(line).unwrap();
        }
    }
    assert!(checked.contains("'=HYPERLINK") && checked.contains("'@SUM"), "the hostile names are there: {checked}");
    no_character_acts(&say(&["sources"]), "sources");
}
