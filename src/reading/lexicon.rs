//! The words of one language: how people say that something fails, works again, or is only remembered.

use super::fold::Folded;
use super::phrases::{Hit, Pattern, Phrases, SERVICE_SIGN, SYNTAX, written};
use super::problem::{DataFile, Problem, Word};
use super::{Stage, Surface, Symptom};
use serde::de::IntoDeserializer;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use toml::Spanned;

/// What a group of phrases says. The longest phrase wins where one lies within another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// It fails now: 'is down', 'not working'.
    Report,
    /// Asks whether it fails now.
    Question,
    /// It works again.
    Recovery,
    /// It does not fail: 'isn't down', 'works fine'.
    Fine,
    /// News, relays, memories. Holds for the whole post.
    Echo,
    /// It might fail: 'if {s} goes down'.
    Hypothetical,
    /// It failed long ago: 'last year'.
    Past,
    /// Means something else: 'down bad'. Undoes what it overlaps.
    Idiom,
    /// The post is about something else altogether: 'shares', 'getting banned'.
    Veto,
    /// The place that the writer came to instead: 'running to {s}'.
    Refuge,
    /// Something is wrong, perhaps with the writer's own device: 'stuck', 'no data'. A report where others have it too;
    /// in a report, the part right before it fails.
    Trouble,
    /// Others have it too: 'the whole office', 'hers as well'.
    Shared,
}

impl Group {
    /// In plain words, for `explain`.
    pub fn means(self) -> &'static str {
        match self {
            Group::Report => "says that it fails",
            Group::Question => "asks whether it fails",
            Group::Recovery => "says that it works again",
            Group::Fine => "says that it works",
            Group::Echo => "relays or recalls",
            Group::Hypothetical => "only supposes",
            Group::Past => "speaks of the past",
            Group::Idiom => "means something else",
            Group::Veto => "is about something else",
            Group::Refuge => "names where the writer went instead",
            Group::Trouble => "says that something is wrong",
            Group::Shared => "says that others have it too",
        }
    }
}

/// One language's words, from `data/lexicon/<language>.toml` or from the configuration.
#[derive(Clone, Debug, Default)]
pub struct Lexicon {
    /// BCP 47, the primary subtag alone.
    pub language: String,
    /// Frequent words that show that a text is in this language.
    pub common: Vec<Word>,
    /// Words that join names to a list: 'and', 'or'.
    pub joiners: Vec<Word>,
    /// Words at which another clause begins: 'but', 'because'.
    pub contrast: Vec<Word>,
    /// What may hang on the end or the beginning of a name without a space.
    pub endings: Vec<Word>,
    pub beginnings: Vec<Word>,
    /// Hashtags that say that a service is down: `{s}down`.
    pub hashtags: Vec<Word>,
    pub phrases: BTreeMap<Group, Vec<Word>>,
    /// Phrases that say on their own that a part fails: 'can't log in'.
    pub fails: BTreeMap<Part, Vec<Word>>,
    /// Words for a part, which count where something else says that it fails: 'feed'.
    pub parts: BTreeMap<Part, Vec<Word>>,
    pub surfaces: BTreeMap<Surface, Vec<Word>>,
    /// How services speak in their own announcements.
    pub official: BTreeMap<Stage, Vec<Word>>,
    /// What each of the entries looks for, in their order.
    patterns: Vec<Pattern>,
}

type Texts = Vec<Spanned<String>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LexiconFile {
    language: String,
    #[serde(default)]
    common: Texts,
    #[serde(default)]
    joiners: Texts,
    #[serde(default)]
    contrast: Texts,
    #[serde(default)]
    endings: Texts,
    #[serde(default)]
    beginnings: Texts,
    #[serde(default)]
    hashtags: Texts,
    #[serde(default)]
    phrases: BTreeMap<Group, Texts>,
    #[serde(default)]
    fails: BTreeMap<Part, Texts>,
    #[serde(default)]
    parts: BTreeMap<Part, Texts>,
    #[serde(default)]
    surfaces: BTreeMap<Surface, Texts>,
    #[serde(default)]
    official: BTreeMap<Stage, Texts>,
}

macro_rules! embedded {
    ($($language:literal),+) => {
        [$((
            concat!("data/lexicon/", $language, ".toml"),
            include_str!(concat!("../../data/lexicon/", $language, ".toml")),
        )),+]
    };
}

impl Lexicon {
    /// The languages that come with the program.
    pub fn embedded() -> Result<Vec<Lexicon>, Problem> {
        let files = embedded!(
            "en", "es", "pt", "fr", "de", "it", "nl", "pl", "tr", "id", "tl", "vi", "ja", "ko", "zh", "th", "hi", "ar",
            "ru", "uk"
        );
        // Each file in a thread of its own: most of the time until the first post is read goes here.
        std::thread::scope(|scope| {
            let threads = files.map(|(name, text)| scope.spawn(move || Lexicon::parse(name, text)));
            let parsed = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
            parsed.map(|lexicon| lexicon.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        })
    }

    /// Reads one language's file. `name` is what problems call it.
    ///
    /// # Errors
    /// The first unknown key, wrong type or phrase that cannot be read.
    pub fn parse(name: &str, text: &str) -> Result<Lexicon, Problem> {
        let file = DataFile::new(name, text);
        let parsed: LexiconFile = file.parse()?;
        let mut lexicon = Lexicon {
            language: parsed.language,
            common: file.words(parsed.common),
            joiners: file.words(parsed.joiners),
            contrast: file.words(parsed.contrast),
            endings: file.words(parsed.endings),
            beginnings: file.words(parsed.beginnings),
            hashtags: file.words(parsed.hashtags),
            phrases: located(&file, parsed.phrases),
            fails: located(&file, parsed.fails),
            parts: located(&file, parsed.parts),
            surfaces: located(&file, parsed.surfaces),
            official: located(&file, parsed.official),
            patterns: Vec::new(),
        };
        let pattern = |(word, _): (&Word, Sense)| {
            Pattern::parse(&word.text).map_err(|wrong| word.problem(format!("`{}`: {wrong}", word.text), SYNTAX))
        };
        lexicon.patterns = lexicon.entries().map(pattern).collect::<Result<_, _>>()?;
        if let Some(tag) = lexicon.hashtags.iter().find(|tag| !tag.text.contains("{s}")) {
            return Err(tag.problem(
                format!("the hashtag `{}` names no service", tag.text),
                "write `{s}` where the service's name goes, for example `{s}down`",
            ));
        }
        Ok(lexicon)
    }

    /// Phrases that are there twice, that say two things, or that change nothing because a shorter one says the same.
    pub fn problems(lexicons: &[Lexicon]) -> Vec<Problem> {
        lexicons.iter().flat_map(|lexicon| [lexicon.repeated(), lexicon.needless()]).flatten().collect()
    }

    fn repeated(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut seen: BTreeMap<(String, Option<Contest>), (Sense, usize)> = BTreeMap::new();
        for (word, sense) in self.entries() {
            match seen.insert((Folded::text_of(&word.text), sense.contest()), (sense, word.line)) {
                Some((other, line)) if other == sense => problems.push(word.problem(
                    format!("`{}` is there twice", word.text),
                    &format!("take it out here or in line {line}; accents and capitals make no difference"),
                )),
                Some((other, line)) if sense.contest().is_some() => problems.push(word.problem(
                    format!("`{}` {} here and {} in line {line}", word.text, sense.means(), other.means()),
                    "keep it in the group that is right most often, and put longer phrases into the other",
                )),
                _ => {}
            }
        }
        problems
    }

    /// A phrase is needless if a part of it says the same, and no part of it says anything else.
    fn needless(&self) -> Vec<Problem> {
        let competing = || self.patterns().filter(|(_, sense, _)| sense.contest().is_some());
        let phrases = Phrases::new(competing().map(|(_, sense, pattern)| (pattern, sense, Some(0))));
        let mut problems = Vec::new();
        for (word, sense, pattern) in competing() {
            let [spellings] = pattern.runs.as_slice() else { continue };
            let shorter: Option<Vec<String>> = spellings.texts().map(|text| shorter(&phrases, text, sense)).collect();
            if let Some(said) = shorter.and_then(|said| said.into_iter().next()) {
                problems.push(word.problem(
                    format!("`{}` changes nothing", word.text),
                    &format!("`{said}` says the same already: take the longer one out"),
                ));
            }
        }
        problems
    }

    /// Every phrase with what it says and what it looks for.
    pub fn patterns(&self) -> impl Iterator<Item = (&Word, Sense, &Pattern)> {
        self.entries().zip(&self.patterns).map(|((word, sense), pattern)| (word, sense, pattern))
    }

    /// Every phrase with what it says.
    pub fn entries(&self) -> impl Iterator<Item = (&Word, Sense)> {
        let phrases = self.phrases.iter().map(|(group, words)| (Sense::Says(*group), words)).flat_map(by_word);
        let fails = self.fails.iter().map(|(part, words)| (Sense::Fails(*part), words)).flat_map(by_word);
        let parts = self.parts.iter().map(|(part, words)| (Sense::Part(*part), words)).flat_map(by_word);
        let surfaces = self.surfaces.iter().map(|(surface, words)| (Sense::On(*surface), words)).flat_map(by_word);
        let official = self.official.iter().map(|(stage, words)| (Sense::Stage(*stage), words)).flat_map(by_word);
        phrases
            .chain(fails)
            .chain(parts)
            .chain(surfaces)
            .chain(official)
            .chain(by_word((Sense::Contrast, &self.contrast)))
            .chain(by_word((Sense::Common, &self.common)))
    }
}

/// A phrase within a text that says the same as the whole, if nothing in the text says anything else.
fn shorter(phrases: &Phrases, text: &str, sense: Sense) -> Option<String> {
    let names_service = text.contains(SERVICE_SIGN);
    let mut hits = phrases.find(text, None);
    hits.retain(|hit| hit.sense.contest() == sense.contest());
    let alike = |hit: &Hit| hit.names_service == names_service && hit.range.len() < text.len();
    let shorter = hits.iter().find(|hit| hit.sense == sense && alike(hit))?;
    hits.iter().all(|hit| hit.sense == sense).then(|| written(text.get(shorter.range.clone()).unwrap_or_default()))
}

fn by_word((sense, words): (Sense, &Vec<Word>)) -> impl Iterator<Item = (&Word, Sense)> {
    words.iter().map(move |word| (word, sense))
}

fn located<K: Ord>(file: &DataFile, groups: BTreeMap<K, Texts>) -> BTreeMap<K, Vec<Word>> {
    groups.into_iter().map(|(group, texts)| (group, file.words(texts))).collect()
}

/// A part of a service that a phrase speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Of whichever service is meant.
    Any(Symptom),
    /// The writer's line to the internet: of a carrier its connection, and of other services nothing.
    Line,
    /// In the words of one service, by its place in the catalogue.
    Own(usize, Symptom),
}

impl Part {
    /// What fails of a service, by its place in the catalogue, if this part of it does.
    pub fn symptom(self, service: usize, is_carrier: bool) -> Option<Symptom> {
        match self {
            Part::Any(symptom) => Some(symptom),
            Part::Line => is_carrier.then_some(Symptom::Connection),
            Part::Own(owner, symptom) => (owner == service).then_some(symptom),
        }
    }

    fn spoken(self) -> &'static str {
        match self {
            Part::Any(symptom) | Part::Own(_, symptom) => spoken(symptom),
            Part::Line => spoken(Symptom::Connection),
        }
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(key: D) -> Result<Part, D::Error> {
        let key = String::deserialize(key)?;
        if key == "line" {
            return Ok(Part::Line);
        }
        Symptom::deserialize(key.as_str().into_deserializer()).map(Part::Any)
    }
}

/// What a phrase says where it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sense {
    Says(Group),
    /// A part fails.
    Fails(Part),
    /// Names a part.
    Part(Part),
    On(Surface),
    Stage(Stage),
    /// Another clause begins.
    Contrast,
    /// A frequent word of the language.
    Common,
    /// A word that makes an ordinary word the name of this service.
    Near(usize),
}

/// Where phrases are compared with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contest {
    People,
    /// What decides nothing alone, and so takes nothing from other phrases.
    Hints,
    Official,
}

impl Sense {
    /// Phrases of the same contest are compared, and of what people say and of what services say the longest wins.
    pub fn contest(self) -> Option<Contest> {
        match self {
            Sense::Says(Group::Trouble | Group::Shared) => Some(Contest::Hints),
            Sense::Says(_) | Sense::Fails(_) => Some(Contest::People),
            Sense::Stage(_) => Some(Contest::Official),
            _ => None,
        }
    }

    /// In plain words, for `explain`.
    pub fn means(self) -> String {
        match self {
            Sense::Says(group) => group.means().to_owned(),
            Sense::Fails(part) => format!("says that {} fails", part.spoken()),
            Sense::Part(part) => format!("speaks of {}", part.spoken()),
            Sense::On(surface) => format!("speaks of the {surface}"),
            Sense::Stage(Stage::Acknowledged) => "says that the fault is known".to_owned(),
            Sense::Stage(Stage::Resolved) => "says that the fault is over".to_owned(),
            Sense::Contrast => "begins another clause".to_owned(),
            Sense::Common => "shows the language".to_owned(),
            Sense::Near(_) => "shows that the service is meant".to_owned(),
        }
    }
}

fn spoken(symptom: Symptom) -> &'static str {
    match symptom {
        Symptom::Login => "log-in",
        Symptom::Feed => "the feed",
        Symptom::Search => "search",
        Symptom::Profile => "the account's data",
        Symptom::Upload => "posting",
        Symptom::Playback => "playback",
        Symptom::Messaging => "messaging",
        Symptom::Crash => "running without a crash",
        Symptom::Slow => "speed",
        Symptom::Payment => "payment",
        Symptom::Notifications => "notifications",
        Symptom::Connection => "the connection",
        Symptom::Other => "another part",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_lexicons_have_no_problems() {
        let problems = Lexicon::problems(&Lexicon::embedded().unwrap());
        assert!(problems.is_empty(), "{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn repeated_clashing_and_needless_phrases_are_found() {
        let text = "language = \"en\"\n[phrases]\nreport = [\"is down\", \"Is Down\", \"is down again\", \"is down bad\"]\n\
            fine = [\"stopped\"]\nidiom = [\"down bad\", \"stopped\"]\n";
        let problems = Lexicon::problems(&[Lexicon::parse("en.toml", text).unwrap()]);
        let told: Vec<(usize, &str)> = problems.iter().map(|p| (p.line, p.message.as_str())).collect();
        assert_eq!(
            told,
            [
                (3, "`Is Down` is there twice"),
                (5, "`stopped` means something else here and says that it works in line 4"),
                (3, "`is down again` changes nothing"),
            ]
        );
    }

    #[test]
    fn alternatives_are_needless_only_if_each_is() {
        let text = "language = \"en\"\n[phrases]\nreport = [\"(is|was) dead\", \"is dead\", \"(is dead|is dead again) now\"]\n";
        let problems = Lexicon::problems(&[Lexicon::parse("en.toml", text).unwrap()]);
        let told: Vec<&str> = problems.iter().map(|p| p.message.as_str()).collect();
        assert_eq!(told, ["`(is dead|is dead again) now` changes nothing"]);
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        for (text, line, part) in [
            ("language = \"en\"\n[phrases]\nrepotr = []\n", 3, "repotr"),
            ("language = \"en\"\n[phrases]\nreport = [\n  \"a*b\",\n]\n", 4, "a*b"),
            ("language = \"en\"\nhashtags = [\"down\"]\n", 2, "names no service"),
        ] {
            let problem = Lexicon::parse("en.toml", text).unwrap_err();
            assert_eq!(problem.line, line, "{problem}");
            assert!(problem.message.contains(part), "{problem}");
        }
    }
}
