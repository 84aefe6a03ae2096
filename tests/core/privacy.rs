//! What was taken back or has outlived its time is gone, and what was counted stays counted.

use crate::stream::{Stream, at, deleted, line};
use crate::support::{Lab, open};
use whatsdown::minute::Minute;
use whatsdown::post::{Post, PostKey};
use whatsdown::store::Stamp;

/// Whether the database's files hold some words in clear, even in pages that are free.
fn holds(lab: &Lab, words: &str) -> bool {
    ["test.db", "test.db-wal"].iter().any(|name| {
        let bytes = std::fs::read(lab.path(name)).unwrap_or_default();
        bytes.windows(words.len()).any(|window| window == words.as_bytes())
    })
}

/// The posts that the incidents name.
fn evidence<'a>(lab: &Lab, stream: &'a Stream) -> Vec<&'a Post> {
    let named: Vec<String> = lab.incidents().iter().flat_map(|incident| incident.evidence().cloned()).collect();
    stream.posts.iter().filter(|post| post.url.as_ref().is_some_and(|url| named.contains(url))).collect()
}

fn link(post: &Post) -> &str {
    post.url.as_deref().unwrap()
}

/// A stream in which every text can be told from all others.
fn marked(seed: u64) -> Stream {
    let mut stream = Stream::with_outage(seed);
    for post in &mut stream.posts {
        post.text = format!("{} ~{}~", post.text, post.id);
    }
    stream
}

#[test]
fn a_deletion_takes_the_words_and_leaves_the_counts() {
    let stream = marked(1);
    let lines = stream.lines();
    let lab = Lab::of(&lines);
    let counted = lab.counted("tiktok");
    let gone = evidence(&lab, &stream)[0];
    let mark = format!("~{}~", gone.id);
    assert!(holds(&lab, link(gone)) && holds(&lab, &mark));
    lab.replay(&[deleted(gone)]).summary();
    for round in ["deleted", "read again"] {
        assert!(!lab.says().to_string().contains(&format!("{}\"", link(gone))), "{round}");
        assert!(!lab.says().to_string().contains(&mark), "{round}");
        assert!(!holds(&lab, &mark), "{round}: the words are still in the file");
        assert_eq!(lab.counted("tiktok"), counted, "{round}");
        lab.replay(&lines).summary();
    }
}

/// The posts of a stream as a bridge carries them to another network, and the deletion of the first one's copy.
fn bridged(stream: &Stream, first: &Post) -> (Vec<String>, String) {
    let copy = |post: &Post| PostKey { source: "bridged".to_owned(), id: format!("copy-of-{}", post.id) };
    let copies =
        stream.posts.iter().map(|post| line(&Post { copied_as: Some(Box::new(copy(post))), ..post.clone() })).collect();
    let key = copy(first);
    (copies, deleted(&Post { source: key.source, id: key.id, ..Post::default() }))
}

#[test]
fn a_bridged_post_is_one_post_and_goes_with_its_copy() {
    let stream = marked(3);
    let lab = Lab::of(&stream.lines());
    let counted = lab.counted("tiktok");
    let gone = evidence(&lab, &stream)[0];
    let mark = format!("~{}~", gone.id);
    let (copies, taken_back) = bridged(&stream, gone);
    lab.replay(&copies).summary();
    assert_eq!(lab.counted("tiktok"), counted);
    assert!(holds(&lab, &mark));
    lab.replay(std::slice::from_ref(&taken_back)).summary();
    assert!(!holds(&lab, &mark) && !lab.says().to_string().contains(&mark));
    assert_eq!(lab.counted("tiktok"), counted);

    // The copies alone, after the deletion was told.
    let before = line(&Post { created_at: at(-1.0), ..stream.posts[0].clone() });
    let early = Lab::of(&[vec![before, taken_back], copies].concat());
    assert!(!holds(&early, &mark));
    assert_eq!(early.counted("tiktok"), counted);
}

#[test]
fn a_post_deleted_before_it_is_read_is_counted_and_never_quoted() {
    let stream = marked(2);
    let lines = stream.lines();
    let plain = Lab::of(&lines);
    let gone = evidence(&plain, &stream)[0];
    let before: Vec<String> = {
        let mut early = Stream::new(0);
        early.posts = stream.posts.iter().filter(|post| post.created_at < at(380.0)).cloned().collect();
        early.lines()
    };
    let lab = Lab::of(&[before, vec![deleted(gone)]].concat());
    lab.replay(&lines).summary();
    assert_eq!(lab.counted("tiktok"), plain.counted("tiktok"));
    assert!(!holds(&lab, &format!("~{}~", gone.id)));
}

#[test]
fn an_edit_takes_the_old_words_and_leaves_the_counts() {
    let stream = marked(6);
    let lines = stream.lines();
    let lab = Lab::of(&lines);
    let counted = lab.counted("tiktok");
    let edited = evidence(&lab, &stream)[0];
    let mark = format!("~{}~", edited.id);
    // Read again with an edit that changed nothing of the words, then with one that did, then from a server that has not heard of it.
    lab.replay(&[line(&Post { edited: true, ..edited.clone() })]).summary();
    assert!(holds(&lab, &mark) && holds(&lab, link(edited)));
    let text = "Synthetic: never mind, is TikTok down ~new words~".to_owned();
    for again in [Post { text, edited: true, ..edited.clone() }, edited.clone()] {
        lab.replay(&[line(&again)]).summary();
        assert!(!holds(&lab, &mark) && !holds(&lab, "~new words~"));
        assert!(!lab.says().to_string().contains(&format!("{}\"", link(edited))));
        assert_eq!(lab.counted("tiktok"), counted);
    }
}

#[test]
fn who_leaves_takes_all_words_along() {
    let mut stream = marked(7);
    let plain = Lab::of(&stream.lines());
    let counted = plain.counted("tiktok");
    let ids: Vec<String> = evidence(&plain, &stream).into_iter().take(2).map(|post| post.id.clone()).collect();
    let source = stream.posts.iter().find(|post| post.id == ids[0]).unwrap().source.clone();
    for post in stream.posts.iter_mut().filter(|post| ids.contains(&post.id)) {
        post.author = "synthetic-leaver".to_owned();
        post.source.clone_from(&source);
    }
    let left = serde_json::json!({"left": {"source": source, "author": "synthetic-leaver"}}).to_string();
    let other = serde_json::json!({"left": {"source": source, "author": "synthetic-nobody"}}).to_string();
    let lab = Lab::of(&stream.lines());
    lab.replay(&[other]).summary();
    assert!(ids.iter().all(|id| holds(&lab, &format!("~{id}~"))));
    // Also when the posts and the news come in one batch.
    let at_once = Lab::of(&[stream.lines(), vec![left.clone()]].concat());
    lab.replay(&[left]).summary();
    for lab in [lab, at_once] {
        assert!(!ids.iter().any(|id| holds(&lab, &format!("~{id}~"))));
        assert!(!evidence(&lab, &stream).iter().any(|post| ids.contains(&post.id)));
        assert_eq!(lab.counted("tiktok"), counted);
    }
}

/// Evidence is quoted for a month, keys are kept for a week.
#[test]
fn evidence_goes_with_a_deletion_after_its_key_is_forgotten() {
    let lab = Lab::new();
    let words = "Synthetic: is TikTok down ~old~";
    let key = PostKey { source: "bluesky".to_owned(), id: "synthetic-old".to_owned() };
    let post = Post {
        source: key.source.clone(),
        id: key.id.clone(),
        created_at: at(0.0),
        author: "synthetic".to_owned(),
        text: words.to_owned(),
        ..Post::default()
    };
    let live = || open(&lab.database(), Stamp::Live).unwrap();
    let mut pipeline = live();
    pipeline.advance(at(1.0));
    pipeline.offer(&post);
    pipeline.commit(Vec::new(), true).unwrap();
    drop(pipeline);
    // As an incident would: nothing else keeps a quote for longer than its key.
    let database = rusqlite::Connection::open(lab.database()).unwrap();
    database.execute("UPDATE quote SET evidence = 1", []).unwrap();
    drop(database);
    let mut pipeline = live();
    pipeline.close_through(Minute::of(at(8.0 * 1440.0)), None);
    pipeline.advance(at(8.0 * 1440.0));
    pipeline.commit(Vec::new(), true).unwrap();
    assert!(holds(&lab, "~old~"));
    pipeline.delete(&key);
    pipeline.commit(Vec::new(), true).unwrap();
    drop(pipeline);
    assert!(!holds(&lab, "~old~"));
}

#[test]
fn who_opted_out_is_counted_and_never_quoted() {
    let mut stream = marked(3);
    let plain = Lab::of(&stream.lines());
    let id = evidence(&plain, &stream)[0].id.clone();
    for post in stream.posts.iter_mut().filter(|post| post.id == id) {
        post.noindex = true;
    }
    let lab = Lab::of(&stream.lines());
    assert_eq!(lab.counted("tiktok"), plain.counted("tiktok"));
    assert!(!holds(&lab, &format!("~{id}~")));
}

#[test]
fn authors_are_not_stored() {
    let stream = Stream::with_outage(4);
    let lab = Lab::of(&stream.lines());
    let quoted = evidence(&lab, &stream);
    assert!(quoted.iter().all(|post| holds(&lab, link(post)) && !holds(&lab, &post.author)));
    assert!(!quoted.is_empty());
}

#[test]
fn words_go_after_their_time_and_keys_after_a_week() {
    let stream = marked(5);
    let early = stream.lines();
    let lab = Lab::of(&early);
    let quoted: Vec<Post> = evidence(&lab, &stream).into_iter().cloned().collect();
    let unquoted = stream.posts.iter().find(|post| {
        let mark = format!("~{}~", post.id);
        holds(&lab, &mark) && quoted.iter().all(|other| other.id != post.id)
    });
    let unquoted = format!("~{}~", unquoted.unwrap().id);
    let counted = lab.counted("tiktok");
    let mut later = Stream::new(9);
    let mut go_on = |lab: &Lab, from: u32, until: u32| {
        for minute in (from..until).step_by(30) {
            later.post(f64::from(minute), "synthetic-clock", "tick").id = format!("tick-{minute}");
        }
        lab.replay(&later.lines()).summary();
    };
    let is_quoted = |lab: &Lab| quoted.iter().any(|post| holds(lab, &format!("~{}~", post.id)));

    go_on(&lab, 600, 4 * 1440);
    assert!(!holds(&lab, &unquoted), "after 4 days");
    assert!(is_quoted(&lab));
    let again = lab.replay(&early).summary();
    assert_eq!((again.counted, again.too_late), (0, 0));

    go_on(&lab, 4 * 1440, 9 * 1440);
    let again = lab.replay(&early).summary();
    assert_eq!((again.counted, again.seen_before, again.too_late), (0, 0, again.posts));
    assert_eq!(lab.counted("tiktok"), counted);

    go_on(&lab, 9 * 1440, 33 * 1440);
    assert!(!is_quoted(&lab), "after a month");
    assert_eq!(lab.counted("tiktok"), counted);
    assert_eq!(evidence(&lab, &stream).len(), 0);
}

/// A copy that claims another time must not make the post's key be forgotten before its row.
#[test]
fn a_copy_with_another_time_changes_nothing() {
    let mut stream = Stream::new(7);
    stream.everyday(0..60);
    let mut copy = stream.post(70.0, "synthetic-7", "is TikTok down?").clone();
    copy.observed_at = Some(at(80.0));
    copy.created_at = at(80.0 - 6.9 * 1440.0);
    stream.posts.push(copy.clone());
    stream.everyday(90..1400);
    copy.observed_at = Some(at(1300.0));
    copy.created_at = at(1299.0);
    let alone = Lab::of(&stream.lines()).counted("tiktok");
    stream.posts.push(copy);
    assert_eq!(Lab::of(&stream.lines()).counted("tiktok"), alone);
}
