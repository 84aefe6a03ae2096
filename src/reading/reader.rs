//! Reads a post: which services it names, and what it says of each.

use super::catalogue::Catalogue;
use super::compose::compose;
use super::fold::Folded;
use super::judge::{Verdict, judge, strongest};
use super::lexicon::{Contest, Group, Lexicon, Part, Sense};
use super::names::{Case, Mention, Names, is_stuffed, mask};
use super::phrases::{Hit, Pattern, Phrases};
use super::place::{Places, Services};
use super::problem::Word;
use super::{Kind, PlaceSource, PostReading, Reading, ServiceId, Span, Stage, Surface, Symptom};
use crate::post::{Notice, Post};
use crate::region::Region;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

/// Reads posts by the words of a catalogue and of lexicons.
pub struct Reader {
    catalogue: Catalogue,
    names: Names,
    phrases: Phrases,
    joiners: HashSet<String>,
    /// Each language's number.
    languages: HashMap<String, usize>,
    places: Places,
}

/// Why no reader can be made.
#[derive(Debug, thiserror::Error)]
pub enum ReaderError {
    #[error("the names of the services are too many: {0}")]
    TooManyNames(#[from] aho_corasick::BuildError),
}

impl Reader {
    /// # Errors
    /// When the names of the services are too many for an automaton.
    pub fn new(catalogue: Catalogue, lexicons: &[Lexicon]) -> Result<Reader, ReaderError> {
        let mut languages = HashMap::new();
        let mut patterns: Vec<(&Pattern, Sense, Option<usize>)> = Vec::new();
        for lexicon in lexicons {
            // Several lexicons may speak one language: the program's and the configuration's.
            let next = languages.len();
            let language = *languages.entry(lexicon.language.clone()).or_insert(next);
            patterns.extend(lexicon.patterns().map(|(_, sense, pattern)| (pattern, sense, Some(language))));
        }
        let of_services = catalogue.services().iter().enumerate().flat_map(|(place, service)| {
            let near = service.near.iter().map(move |word| (word, Sense::Near(place)));
            let of = move |symptom: Symptom| move |word| (word, Sense::Part(Part::Own(place, symptom)));
            near.chain(service.parts.iter().flat_map(move |(symptom, words)| words.iter().map(of(*symptom))))
        });
        // Of the catalogue an empty word says nothing.
        let of_services: Vec<(Pattern, Sense)> = of_services
            .filter_map(|(word, sense): (&Word, Sense)| Some((Pattern::parse(&word.text).ok()?, sense)))
            .collect();
        patterns.extend(of_services.iter().map(|(pattern, sense)| (pattern, *sense, None)));
        let joiners = lexicons.iter().flat_map(|lexicon| &lexicon.joiners);
        let joiners = joiners.map(|word| Folded::text_of(&word.text)).collect();
        // Side by side: this is most of a start.
        let (phrases, names) = std::thread::scope(|scope| {
            let names = scope.spawn(|| Names::new(&catalogue, lexicons));
            (Phrases::new(patterns), names.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        Ok(Reader { phrases, names: names?, catalogue, joiners, places: Places::embedded(), languages })
    }

    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The memory that what finds names and phrases takes, in bytes.
    pub fn memory(&self) -> usize {
        self.names.automaton_bytes() + self.phrases.memory()
    }

    /// What the post says. Symptoms and surfaces are empty where none is stated.
    pub fn read(&self, post: &Post) -> PostReading {
        let text = post.read_text();
        let speaks_for = self.names.account(&post.source, &post.author);
        let mut readings = if let Some(notice) = post.notice.as_ref().filter(|_| post.news) {
            self.measured(text, notice)
        } else if post.official || post.notice.is_some() || speaks_for.is_some() {
            self.official(text, post, speaks_for)
        } else if self.names.any(&Folded::text_of(text)) {
            self.readings(text, post)
        } else {
            Vec::new()
        };
        // Where the author is matters only for a post that is counted, and takes longer to read.
        if readings.is_empty() {
            return PostReading { readings, region: None };
        }
        let services = self.services(text, &readings);
        let region = self.places.read(text, &services, post.location.as_deref(), post.lang.as_deref());
        if region.is_some_and(|place| place.from == PlaceSource::Text) {
            self.add_place(&mut readings, text, &services, post.lang.as_deref());
        }
        PostReading { readings, region }
    }

    /// The names and phrases that are in a post, in its order, whatever came of them: why a post is about nothing.
    pub fn heard(&self, post: &Post) -> Vec<Span> {
        let text = post.read_text();
        let folded = Folded::new(text);
        let (mentions, opaque) = self.names.find(text, &folded);
        let (masked, mentions) = mask(&folded, mentions, &opaque);
        let named = mentions.iter().filter_map(|mention| {
            let service = self.catalogue.services().get(mention.service)?;
            span(text, &masked, mention.range.clone(), names(mention, &service.name))
        });
        let mut hits = self.phrases.find(&masked.text, self.language(post));
        hits.retain(|hit| matches!(hit.sense.contest(), Some(Contest::People | Contest::Hints)));
        let said = hits.into_iter().filter_map(|hit| span(text, &masked, hit.range, hit.sense.means()));
        let mut heard: Vec<Span> = named.chain(said).collect();
        heard.sort_by(|a, b| (a.start, a.end, &a.means).cmp(&(b.start, b.end, &b.means)));
        heard.dedup();
        heard
    }

    /// Adds the words that say where the author is to what decided each reading.
    fn add_place(&self, readings: &mut [Reading], text: &str, services: &Services, lang: Option<&str>) {
        for range in self.places.said(text, services, lang) {
            let (start, end) = (range.start, range.end);
            let Some(part) = text.get(range) else { continue };
            let means = "says where the author is".to_owned();
            for reading in readings.iter_mut() {
                reading.why.push(Span { text: part.to_owned(), start, end, means: means.clone() });
            }
        }
    }

    /// What the place's reader needs to know of the services that a post names and of those that it was read to speak of.
    fn services(&self, text: &str, readings: &[Reading]) -> Services {
        let folded = Folded::new(text);
        let (mentions, _) = self.names.find(text, &folded);
        let bytes = mentions.into_iter().map(|mention| folded.origin(mention.range));
        let mut countries: Vec<Option<Region>> =
            readings.iter().map(|reading| self.catalogue.get(reading.service.as_str())?.country).collect();
        countries.dedup();
        let country = if let [country] = countries.as_slice() { *country } else { None };
        Services { names: bytes.map(|(start, end)| start as usize..end as usize).collect(), country }
    }

    fn language(&self, post: &Post) -> Option<usize> {
        let tag = post.lang.as_deref()?;
        let primary = tag.split(['-', '_']).next()?;
        self.languages.get(&primary.to_ascii_lowercase()).copied()
    }

    fn readings(&self, text: &str, post: &Post) -> Vec<Reading> {
        let folded = Folded::new(text);
        let (mentions, opaque) = self.names.find(text, &folded);
        if mentions.is_empty() || is_stuffed(&folded.text) {
            return Vec::new();
        }
        let (masked, mentions) = mask(&folded, mentions, &opaque);
        let mut hits = self.phrases.find(&masked.text, self.language(post));
        hits.retain(|hit| hit.sense.contest() != Some(Contest::Official));
        let hits = compose(&masked.text, &mentions, hits);
        let verdicts = judge(&masked.text, mentions, hits, &self.joiners);
        let readings = verdicts.into_iter().filter_map(|verdict| self.reading(text, &masked, verdict, None));
        // Whoever passes on what others say reports nothing.
        readings.map(|reading| if post.news { Reading { kind: Kind::Echo, ..reading } } else { reading }).collect()
    }

    /// An account speaks for its service, a notice for those that it states; else it is for the services that are named.
    fn official(&self, text: &str, post: &Post, speaks_for: Option<usize>) -> Vec<Reading> {
        let folded = Folded::new(text);
        let (mentions, opaque) = self.names.find(text, &folded);
        let (masked, mentions) = mask(&folded, mentions, &opaque);
        let hits = self.phrases.find(&masked.text, self.language(post));
        let (stages, said): (Vec<Hit>, Vec<Hit>) =
            hits.into_iter().partition(|hit| hit.sense.contest() == Some(Contest::Official));
        let mut hits = strongest(said);
        hits.extend(strongest(stages));
        let says = |stage| hits.iter().any(|hit| hit.sense == Sense::Stage(stage));
        let stated = post.notice.as_ref();
        let stage = match (stated.and_then(|notice| notice.stage), says(Stage::Resolved), says(Stage::Acknowledged)) {
            (Some(stage), ..) => stage,
            (None, true, _) => Stage::Resolved,
            (None, false, true) => Stage::Acknowledged,
            (None, false, false) => return Vec::new(),
        };
        let named = || {
            // Who speaks for a service writes its name as a name.
            let meant = |mention: &&Mention| mention.case != Case::Small;
            mentions.iter().filter(meant).map(|mention| mention.service)
        };
        let services: BTreeSet<usize> = match stated {
            Some(notice) => self.places_of(&notice.services),
            None => match speaks_for.or_else(|| self.named_by(&post.author)) {
                Some(service) => [service].into(),
                None => named().collect(),
            },
        };
        let exact = hits.iter().any(|hit| matches!(hit.sense, Sense::Fails(_)));
        let told = |hit: &&Hit| match hit.sense {
            Sense::Fails(_) | Sense::On(_) => true,
            // 'Our network team' names none where 'unable to make calls' does.
            Sense::Part(_) => !exact,
            sense => sense == Sense::Stage(stage),
        };
        let verdicts = services.into_iter().map(|service| Verdict {
            service,
            kind: Kind::Official,
            mentions: mentions.iter().filter(|mention| mention.service == service).cloned().collect(),
            hits: hits.iter().filter(told).cloned().collect(),
        });
        verdicts.filter_map(|verdict| self.reading(text, &masked, verdict, Some(stage))).collect()
    }

    /// What is passed on, of services that are stated.
    fn measured(&self, text: &str, notice: &Notice) -> Vec<Reading> {
        let services = self.places_of(&notice.services);
        let verdicts =
            services.into_iter().map(|service| Verdict { service, kind: Kind::Echo, mentions: vec![], hits: vec![] });
        verdicts.filter_map(|verdict| self.reading(text, &Folded::new(text), verdict, None)).collect()
    }

    /// Where these services stand in the catalogue.
    fn places_of(&self, ids: &[ServiceId]) -> BTreeSet<usize> {
        let services = self.catalogue.services().iter().enumerate();
        services.filter(|(_, service)| ids.contains(&service.id)).map(|(place, _)| place).collect()
    }

    /// The service that an account's name begins with: `tiktoksupport`.
    fn named_by(&self, author: &str) -> Option<usize> {
        let author = Folded::text_of(author);
        let begins = |tag: &String| author.trim_start_matches('@').starts_with(tag.as_str());
        let length = |tags: BTreeSet<String>| tags.into_iter().filter(&begins).map(|tag| tag.len()).max();
        let services = self.catalogue.services().iter().enumerate();
        services.filter_map(|(place, service)| Some((length(service.tags())?, place))).max().map(|(_, place)| place)
    }

    fn reading(&self, text: &str, masked: &Folded, verdict: Verdict, stage: Option<Stage>) -> Option<Reading> {
        let service = self.catalogue.services().get(verdict.service)?;
        let mut symptoms = BTreeSet::new();
        let mut surfaces: BTreeSet<Surface> = BTreeSet::new();
        let mut why: Vec<Span> = Vec::new();
        let named = verdict.mentions.iter();
        why.extend(
            named.filter_map(|mention| span(text, masked, mention.range.clone(), names(mention, &service.name))),
        );
        let named = why.len();
        for hit in verdict.hits {
            let mut sense = hit.sense;
            match sense {
                Sense::Fails(part) | Sense::Part(part) => match part.symptom(verdict.service, service.is_carrier()) {
                    Some(symptom) => _ = symptoms.insert(symptom),
                    // It fails, but no part of it that it has.
                    None if matches!(sense, Sense::Fails(_)) => sense = Sense::Says(Group::Report),
                    None => continue,
                },
                Sense::On(surface) => {
                    surfaces.insert(surface);
                }
                _ => {}
            }
            why.extend(span(text, masked, hit.range, sense.means()));
        }
        if symptoms.is_empty() {
            // Who calls AWS by the name of DynamoDB has named a part of it.
            let calls: BTreeSet<String> = why.iter().take(named).map(|name| Folded::text_of(&name.text)).collect();
            let called = |words: &[Word]| words.iter().any(|word| calls.contains(&Folded::text_of(&word.text)));
            symptoms.extend(service.parts.iter().find(|(_, words)| called(words)).map(|(part, _)| *part));
        }
        why.sort_by(|a, b| (a.start, a.end, &a.means).cmp(&(b.start, b.end, &b.means)));
        why.dedup();
        let symptoms: Vec<Symptom> = symptoms.into_iter().collect();
        let surfaces = surfaces.into_iter().collect();
        Some(Reading { service: service.id.clone(), kind: verdict.kind, symptoms, surfaces, stage, why })
    }
}

/// The words of a post that a range of its masked text stands for.
fn span(text: &str, masked: &Folded, range: Range<usize>, means: String) -> Option<Span> {
    let (start, end) = masked.origin(range);
    let (start, end) = (start as usize, end as usize);
    text.get(start..end).map(|part| Span { text: part.to_owned(), start, end, means })
}

fn names(mention: &Mention, name: &str) -> String {
    if mention.down_tag { format!("a hashtag that says that {name} is down") } else { format!("names {name}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    static READER: LazyLock<Reader> =
        LazyLock::new(|| Reader::new(Catalogue::embedded().unwrap(), &Lexicon::embedded().unwrap()).unwrap());

    fn read(text: &str) -> Vec<Reading> {
        READER.read(&Post { text: text.to_owned(), ..Post::default() }).readings
    }

    fn said(text: &str) -> Vec<(String, Kind)> {
        read(text).into_iter().map(|reading| (reading.service.to_string(), reading.kind)).collect()
    }

    fn report(service: &str) -> Vec<(String, Kind)> {
        vec![(service.to_owned(), Kind::Report)]
    }

    #[test]
    fn each_service_has_its_own_fate() {
        assert_eq!(said("Facebook is fine but Instagram is down"), report("instagram"));
        assert_eq!(said("everyone running to Twitter because TikTok is down"), report("tiktok"));
        let all = said("Facebook, Instagram and WhatsApp are all down");
        assert_eq!(all.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["instagram", "facebook", "whatsapp"]);
    }

    #[test]
    fn trouble_that_others_have_too_is_a_report() {
        assert_eq!(said("netflix: black rectangle, stuck, and the whole dorm is groaning"), report("netflix"));
        assert!(said("netflix: black rectangle, stuck").is_empty());
        assert!(said("netflix party with the whole dorm").is_empty());
        assert!(said("the whole dorm was stuck on netflix last year").is_empty());
        let apart =
            format!("my bus is stuck {} and the whole dorm has netflix", "on the road again and again ".repeat(4));
        assert!(said(&apart).is_empty());
    }

    fn symptoms(text: &str) -> Vec<Symptom> {
        read(text).into_iter().flat_map(|reading| reading.symptoms).collect()
    }

    #[test]
    fn a_part_by_its_name_fails_where_trouble_follows() {
        assert_eq!(symptoms("amazon checkout bounces at the pay button"), [Symptom::Payment]);
        assert_eq!(symptoms("stories on instagram just vanish"), [Symptom::Feed]);
        assert_eq!(said("the xbox app coughs up a 503"), report("xbox"));
        assert_eq!(said("signal voice notes vanish halfway"), report("signal"));
        // Another sentence, another clause, another name between and no name beside the part, in two sentences and in one.
        assert!(said("facebook comments? my dog vanished").is_empty());
        assert!(said("facebook comments amuse me, my toaster stutters").is_empty());
        assert!(said("instagram stories of what google swallowed").is_empty());
        assert!(said("I love facebook. my comments just vanish").is_empty());
        assert!(said("facebook wants to show me how comments just vanish").is_empty());
    }

    #[test]
    fn the_line_fails_of_carriers_alone() {
        assert_eq!(symptoms("EE is down here: no wifi or landline"), [Symptom::Connection]);
        assert_eq!(symptoms("EE broadband gone since noon"), [Symptom::Connection]);
        assert_eq!(symptoms("instagram not loading on wifi or 4g"), []);
        let gone = read("half of my instagram data gone").remove(0);
        assert_eq!(gone.symptoms, []);
        assert!(gone.why.iter().all(|span| !span.means.contains("connection")));
        assert_eq!(symptoms("minecraft servers are down"), [Symptom::Connection]);
    }

    #[test]
    fn what_works_again_is_told_in_the_same_breath() {
        assert_eq!(symptoms("Optus is back, four bars"), [Symptom::Connection]);
        assert_eq!(symptoms("instagram is back. I missed my feed"), []);
    }

    #[test]
    fn a_part_that_is_in_trouble_fails_if_something_does() {
        assert_eq!(symptoms("instagram is acting up. my reels just spin"), [Symptom::Playback]);
        assert_eq!(symptoms("instagram is acting up. my cousin loves reels"), []);
        assert_eq!(symptoms("instagram is acting up. last year my reels just spun"), []);
        assert!(said("instagram reels that spin").is_empty());
    }

    #[test]
    fn a_name_may_say_which_part_is_meant() {
        assert_eq!(symptoms("is dynamodb down"), [Symptom::Other]);
        assert_eq!(symptoms("is aws down"), []);
    }

    #[test]
    fn what_a_post_about_nothing_says_is_told() {
        let post = Post { text: "is tiktok down or did I get banned".to_owned(), ..Post::default() };
        assert!(READER.read(&post).readings.is_empty());
        let heard = READER.heard(&post);
        let means = |text: &str| heard.iter().find(|span| span.text == text).map(|span| span.means.as_str());
        assert_eq!(means("tiktok"), Some("names TikTok"));
        assert_eq!(means("get banned"), Some("is about something else"));
    }

    #[test]
    fn what_works_is_no_surface_that_fails() {
        let surfaces = |text: &str| read(text).into_iter().flat_map(|reading| reading.surfaces).collect::<Vec<_>>();
        assert_eq!(surfaces("facebook is down in the browser, the app is fine"), [Surface::Web]);
        assert_eq!(surfaces("facebook is down in the browser and the app"), [Surface::App, Surface::Web]);
    }

    #[test]
    fn a_heap_of_hashtags_is_spam() {
        let spam = "#tiktokdown #instagramdown #fyp #viral #followme #crypto #giveaway win now";
        assert_eq!(said(spam), []);
        assert_eq!(said("#tiktokdown #tiktok #down what is going on"), report("tiktok"));
    }

    #[test]
    fn ordinary_words_need_more() {
        assert_eq!(said("is X down"), report("x"));
        assert_eq!(said("my bt router blinks at me, no internet"), report("bt"));
        assert_eq!(said("solve for x, it is not working"), []);
        assert_eq!(said("The signal here is bad and nothing is working"), []);
        assert_eq!(said("Yesterday's Zoom outage explained"), [("zoom".to_owned(), Kind::Echo)]);
    }

    #[test]
    fn what_only_holds_a_name_names_nothing() {
        assert_eq!(said("the X Window System is down"), []);
        assert_eq!(said("Taco Bell is down to one taco"), []);
        assert_eq!(said("Bell is down"), report("bell"));
        assert_eq!(said("ไทม์ไลน์ล่ม"), []);
        assert_eq!(said("ไลน์ล่ม"), report("line"));
    }

    #[test]
    fn an_idiom_undoes_what_ends_in_it() {
        assert_eq!(said("long flight, so my spotify is in offline mode again"), []);
        assert_eq!(said("看微博看得我心态崩了"), []);
        assert_eq!(said("weibo 崩了"), report("weibo"));
    }

    #[test]
    fn quotation_marks_are_not_read() {
        assert_eq!(said("whatsapp is stuck on “connecting”"), report("whatsapp"));
    }

    #[test]
    fn a_letter_with_an_accent_is_another_letter() {
        assert_eq!(said("Über die App läuft gar nichts"), []);
        assert_eq!(said("Uber app is down"), report("uber"));
        assert_eq!(said("İnstagram çöktü"), report("instagram"));
    }

    #[test]
    fn links_and_other_peoples_handles_name_nothing() {
        assert_eq!(said("is down https://tiktok.com/@someone"), []);
        assert_eq!(said("@tiktokfan42 my car is not working"), []);
        assert_eq!(said("mail me at someone@gmail.com, the site is down"), []);
    }

    #[test]
    fn an_announcement_names_the_part_that_fails_and_not_who_mends_it() {
        let text = "Some customers can't make calls. Our network team is looking into it".to_owned();
        let post = Post { text, source: "x".into(), author: "VerizonSupport".into(), ..Post::default() };
        assert_eq!(READER.read(&post).readings[0].symptoms, [Symptom::Messaging]);
    }

    #[test]
    fn an_official_account_gives_a_stage_or_nothing() {
        let official = |text: &str| {
            let post =
                Post { source: "x".into(), author: "@TikTokSupport".into(), text: text.into(), ..Post::default() };
            READER.read(&post).readings.into_iter().map(|reading| (reading.kind, reading.stage)).collect::<Vec<_>>()
        };
        assert_eq!(official("We are looking into it"), [(Kind::Official, Some(Stage::Acknowledged))]);
        assert_eq!(official("Back to normal!"), [(Kind::Official, Some(Stage::Resolved))]);
        assert_eq!(official("Meet this month's creators"), []);
    }

    #[test]
    fn a_notice_says_of_what_and_how_far_whatever_its_words() {
        let services = vec![ServiceId::new("fortnite"), ServiceId::new("nobody"), ServiceId::new("epicgames")];
        let notice = Some(Notice { services, stage: Some(Stage::Acknowledged) });
        // The words sound like an end, and name another service.
        let text = "Log-in at GitHub: this incident has been resolved".to_owned();
        let post = Post { source: "status".into(), author: "status.example".into(), text, notice, ..Post::default() };
        let readings = READER.read(&post).readings;
        let said: Vec<_> = readings.iter().map(|it| (it.service.as_str(), it.kind, it.stage)).collect();
        let acknowledged = Some(Stage::Acknowledged);
        assert_eq!(said, [("fortnite", Kind::Official, acknowledged), ("epicgames", Kind::Official, acknowledged)]);
    }

    #[test]
    fn news_are_an_echo_whatever_their_words() {
        let news = |text: &str| {
            let post = Post { text: text.to_owned(), news: true, ..Post::default() };
            READER.read(&post).readings.iter().map(|reading| reading.kind).collect::<Vec<_>>()
        };
        assert_eq!(news("TikTok is down, I can't log in"), [Kind::Echo]);
        assert_eq!(news("TikTok has new filters"), []);
        let notice = Some(Notice { services: vec![ServiceId::new("rogers")], stage: None });
        let measured = Post { text: "synthetic".to_owned(), news: true, notice, ..Post::default() };
        assert_eq!(READER.read(&measured).readings[0].kind, Kind::Echo);
    }

    #[test]
    fn reasons_are_said_in_plain_words() {
        let readings = read("Can't log in to TikTok 😭");
        let why: Vec<(&str, usize, &str)> =
            readings[0].why.iter().map(|span| (span.text.as_str(), span.start, span.means.as_str())).collect();
        assert_eq!(why, [("Can't log in", 0, "says that log-in fails"), ("TikTok", 16, "names TikTok")]);
        assert_eq!(readings[0].symptoms, [Symptom::Login]);
    }

    #[test]
    fn the_words_that_say_where_are_among_the_reasons() {
        let readings = read("é tiktok is down in Mumbai 🇮🇳");
        let last = readings[0].why.last().unwrap();
        assert_eq!((last.text.as_str(), last.means.as_str()), ("in Mumbai", "says where the author is"));
        let flag = read("tiktok is down 🇮🇳");
        assert_eq!(flag[0].why.last().unwrap().text, "🇮🇳");
    }

    #[test]
    fn symptoms_are_empty_where_none_is_stated() {
        assert!(read("tiktok down")[0].symptoms.is_empty());
    }

    /// Texts made of words that matter and of anything else.
    fn texts() -> impl Strategy<Value = String> {
        let word = prop_oneof![
            Just("TikTok"),
            Just("#tiktokdown"),
            Just("Ｘ is down"),
            Just("can’t log in"),
            Just("caí\u{301}do"),
            Just("@"),
            Just("틱톡"),
            Just("https://x.com"),
            Just(", "),
            Just("\n"),
            Just("is"),
            Just("downnnnn"),
            Just("#"),
            Just("ß"),
        ];
        let piece = prop_oneof![word.prop_map(str::to_owned), any::<String>(), Just(" ".to_owned())];
        proptest::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn spans_lie_in_the_text(text in texts()) {
            for reading in read(&text) {
                prop_assert!(!reading.why.is_empty());
                for span in reading.why {
                    prop_assert_eq!(text.get(span.start..span.end), Some(span.text.as_str()));
                    prop_assert!(!span.text.is_empty());
                }
            }
        }

        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            read(&String::from_utf8_lossy(&bytes));
        }
    }

    /// Text of up to 20 kB: a unit without end, or anything.
    fn long_texts() -> impl Strategy<Value = String> {
        let hostile = (texts(), 0..20_000usize)
            .prop_map(|(unit, length)| unit.repeat(length.checked_div(unit.len()).unwrap_or_default().min(20_000)));
        let bytes = proptest::collection::vec(any::<u8>(), 0..20_000);
        prop_oneof![hostile, bytes.prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn of_a_long_text_the_beginning_is_read(text in long_texts()) {
            let end = (0..=text.len().min(crate::post::TEXT_LIMIT)).rev().find(|end| text.is_char_boundary(*end));
            let beginning = &text[..end.unwrap_or_default()];
            prop_assert_eq!(read(&text), read(beginning));
        }
    }

    #[test]
    fn twice_the_text_takes_twice_the_time() {
        let time = |unit: &str, bytes: usize| {
            let text = unit.repeat(bytes / unit.len());
            let once = |_| {
                let started = std::time::Instant::now();
                read(&text);
                started.elapsed().as_secs_f64()
            };
            (0..7).map(once).fold(f64::INFINITY, f64::min)
        };
        for unit in
            ["tiktok ", "can't ", "#a ", "@x ", "is tiktok down, ", "stuck in the ", "a. ", "가", "{s} is .. down "]
        {
            let (short, long) = (time(unit, 1_250), time(unit, 10_000));
            // Eight times the text: the square would be 64 times the work.
            assert!(long < 30.0 * short.max(0.000_2), "{unit}: {long} s after {short} s");
        }
    }

    #[test]
    fn hostile_repetition_is_read_in_time() {
        for unit in ["tiktok ", "can't ", "#", "@x", "is tiktok down, ", "tiktok's ", "a.", "가", "down "] {
            let started = std::time::Instant::now();
            read(&unit.repeat(crate::post::TEXT_LIMIT));
            assert!(started.elapsed().as_millis() < 2000, "{unit}");
        }
    }
}
