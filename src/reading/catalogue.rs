//! The services that are watched for, and how people call them.

use super::fold::Folded;
use super::lexicon::Lexicon;
use super::problem::{DataFile, Problem, Word};
use super::{ServiceId, Symptom};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use toml::Spanned;

/// One service.
#[derive(Clone, Debug)]
pub struct Service {
    pub id: ServiceId,
    /// As it calls itself.
    pub name: String,
    /// Names that count wherever they stand.
    pub names: Vec<Word>,
    /// Names that are words too: they count beside a word of `near` or within a phrase such as 'is {s} down'.
    pub words: Vec<Word>,
    /// As `words`, and only with a capital letter.
    pub capitals: Vec<Word>,
    /// Words that make one of `words` or `capitals` this service.
    pub near: Vec<Word>,
    /// What hashtags call it, beside its names without spaces.
    pub hashtags: Vec<Word>,
    /// Official accounts by network.
    pub accounts: BTreeMap<String, Vec<Word>>,
    /// Its own words for its parts.
    pub parts: BTreeMap<Symptom, Vec<Word>>,
    /// Its official status page.
    pub status: Option<String>,
    /// The source of posts that it is itself: a platform that is down cannot report itself.
    pub source: Option<String>,
    defined: Word,
}

/// All services, in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    services: Vec<Service>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CatalogueFile {
    #[serde(default)]
    service: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: Spanned<String>,
    name: Option<String>,
    #[serde(default)]
    names: Vec<Spanned<String>>,
    #[serde(default)]
    words: Vec<Spanned<String>>,
    #[serde(default)]
    capitals: Vec<Spanned<String>>,
    #[serde(default)]
    near: Vec<Spanned<String>>,
    #[serde(default)]
    hashtags: Vec<Spanned<String>>,
    #[serde(default)]
    accounts: BTreeMap<String, Vec<Spanned<String>>>,
    #[serde(default)]
    parts: BTreeMap<Symptom, Vec<Spanned<String>>>,
    status: Option<String>,
    source: Option<String>,
}

impl Catalogue {
    /// The services that come with the program.
    pub fn embedded() -> Result<Catalogue, Problem> {
        Catalogue::parse("data/services.toml", include_str!("../../data/services.toml"))
    }

    /// Reads a file of `[[service]]` tables. `name` is what problems call it.
    ///
    /// # Errors
    /// The first unknown key, wrong type, or malformed or repeated id.
    pub fn parse(name: &str, text: &str) -> Result<Catalogue, Problem> {
        let file = DataFile::new(name, text);
        let parsed: CatalogueFile = file.parse()?;
        let mut catalogue = Catalogue::default();
        let mut seen = BTreeSet::new();
        for entry in parsed.service {
            let service = entry.service(&file);
            let id = &service.defined;
            if id.text.is_empty() || !id.text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            {
                return Err(id.problem(format!("`{}` cannot be an id", id.text), "use a-z, 0-9 and `-` only"));
            }
            if !seen.insert(id.text.clone()) {
                return Err(
                    id.problem(format!("the service `{}` is there twice", id.text), "put all of it in one table")
                );
            }
            catalogue.services.push(service);
        }
        Ok(catalogue)
    }

    /// Adds the services of `additions`. What it says of a service that is known already comes on top: lists grow,
    /// single values are replaced.
    #[must_use]
    pub fn with(mut self, additions: Catalogue) -> Catalogue {
        for added in additions.services {
            match self.services.iter_mut().find(|service| service.id == added.id) {
                Some(known) => known.grow(added),
                None => self.services.push(added),
            }
        }
        self
    }

    pub fn services(&self) -> &[Service] {
        &self.services
    }

    pub fn get(&self, id: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.id.as_str() == id)
    }

    /// Entries that are empty, repeated, or claimed by two services.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut owners: BTreeMap<String, &ServiceId> = BTreeMap::new();
        for service in &self.services {
            if service.names.is_empty() && service.words.is_empty() && service.capitals.is_empty() {
                problems.push(service.defined.problem(
                    format!("nothing names the service `{}`", service.id),
                    "give it `names`, `words` or `capitals`",
                ));
            }
            if service.near.is_empty() && !(service.words.is_empty() && service.capitals.is_empty()) {
                problems.push(service.defined.problem(
                    format!("no word shows when `{}` is meant", service.id),
                    "its name is an ordinary word: give `near` some words of its field",
                ));
            }
            for word in service.named().chain(service.accounts.values().flatten()) {
                let folded = Folded::text_of(&word.text);
                if folded.trim().is_empty() {
                    problems.push(word.problem("an empty name".to_owned(), "take it out"));
                } else if let Some(owner) = owners.insert(folded, &service.id) {
                    let who = if *owner == service.id { "there already".to_owned() } else { format!("`{owner}` too") };
                    problems.push(word.problem(format!("`{}` is {who}", word.text), "keep it in one place"));
                }
            }
        }
        problems
    }
}

impl Entry {
    fn service(self, file: &DataFile) -> Service {
        let defined = file.word(self.id);
        Service {
            id: ServiceId::new(&defined.text),
            name: self.name.unwrap_or_else(|| defined.text.clone()),
            names: file.words(self.names),
            words: file.words(self.words),
            capitals: file.words(self.capitals),
            near: file.words(self.near),
            hashtags: file.words(self.hashtags),
            accounts: self.accounts.into_iter().map(|(network, names)| (network, file.words(names))).collect(),
            parts: self.parts.into_iter().map(|(symptom, words)| (symptom, file.words(words))).collect(),
            status: self.status,
            source: self.source,
            defined,
        }
    }
}

impl Service {
    fn grow(&mut self, added: Service) {
        if added.name != added.id.as_str() {
            self.name = added.name;
        }
        self.names.extend(added.names);
        self.words.extend(added.words);
        self.capitals.extend(added.capitals);
        self.near.extend(added.near);
        self.hashtags.extend(added.hashtags);
        for (network, accounts) in added.accounts {
            self.accounts.entry(network).or_default().extend(accounts);
        }
        for (symptom, words) in added.parts {
            self.parts.entry(symptom).or_default().extend(words);
        }
        self.status = added.status.or(self.status.take());
        self.source = added.source.or(self.source.take());
    }

    /// All its names, whether or not they need more to count.
    fn named(&self) -> impl Iterator<Item = &Word> {
        self.names.iter().chain(&self.words).chain(&self.capitals)
    }

    /// What hashtags call it, folded, without `#`: its names without spaces and its `hashtags`.
    pub fn tags(&self) -> BTreeSet<String> {
        let words = self.named().chain(&self.hashtags).map(|word| Folded::text_of(&word.text));
        words.map(|tag| tag.replace([' ', '.', '-', '\'', '+'], "")).filter(|tag| !tag.is_empty()).collect()
    }

    /// Hashtags, without `#`, that say that it is down, in the languages of `lexicons`: `tiktokdown`. Those of its
    /// name come first.
    pub fn down_tags(&self, lexicons: &[Lexicon]) -> Vec<String> {
        let own = Folded::text_of(&self.name).replace(' ', "");
        let (first, rest): (Vec<_>, Vec<_>) = self.tags().into_iter().partition(|tag| *tag == own);
        let templates = || lexicons.iter().flat_map(|lexicon| &lexicon.hashtags);
        let tags = first.iter().chain(&rest);
        tags.flat_map(|tag| templates().map(move |template| template.text.replace("{s}", tag))).collect()
    }
}
