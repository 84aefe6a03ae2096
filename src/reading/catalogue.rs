//! The services that are watched for, and how people call them.

use super::fold::Folded;
use super::lexicon::Lexicon;
use super::phrases::{Pattern, SYNTAX};
use super::problem::{DataFile, Problem, Word};
use super::{Dialect, ServiceId, Symptom, words};
use crate::region::Region;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use toml::Spanned;

/// So many hashtags of a service are followed: what one request to a timeline takes.
const FOLLOWED: usize = 5;

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
    /// What holds one of its names and is something else: 'X Window System'.
    pub not: Vec<Word>,
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
    /// How a program reads that page.
    pub notices: Option<Notices>,
    /// The numbers of its autonomous systems, where it is a carrier.
    pub networks: Vec<u32>,
    /// The source of posts that it is itself: a platform that is down cannot report itself.
    pub source: Option<String>,
    /// The one country that it serves: which of several places of a name is meant.
    pub country: Option<Region>,
    defined: Word,
}

/// How a program reads a status page.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notices {
    pub dialect: Dialect,
    /// Where, if not at the service's `status`.
    pub page: Option<String>,
    /// What of the page is the service, where it is about others too: names of its parts, or of its titles.
    #[serde(default)]
    pub parts: Vec<String>,
}

words! {
    /// How the services of a group hang together.
    Tie {
        /// Mistaken and blamed for one another.
        Rivals = "rivals",
        /// Of one owner, on the same machines: they fail together.
        Siblings = "siblings",
        /// What others stand on: it takes them down with it, and is blamed when one of them fails alone.
        Beneath = "beneath",
    }
}

/// Services that hang together.
#[derive(Clone, Debug)]
pub struct Group {
    pub tie: Tie,
    pub services: Vec<Word>,
}

/// All services, in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    services: Vec<Service>,
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CatalogueFile {
    #[serde(default)]
    service: Vec<Entry>,
    #[serde(default)]
    group: Vec<GroupEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupEntry {
    tie: Tie,
    services: Vec<Spanned<String>>,
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
    not: Vec<Spanned<String>>,
    #[serde(default)]
    near: Vec<Spanned<String>>,
    #[serde(default)]
    hashtags: Vec<Spanned<String>>,
    #[serde(default)]
    accounts: BTreeMap<String, Vec<Spanned<String>>>,
    #[serde(default)]
    parts: BTreeMap<Symptom, Vec<Spanned<String>>>,
    status: Option<String>,
    notices: Option<Notices>,
    #[serde(default)]
    networks: Vec<u32>,
    country: Option<Region>,
    source: Option<String>,
}

impl Catalogue {
    /// The services that come with the program.
    pub fn embedded() -> Result<Catalogue, Problem> {
        Catalogue::parse("data/services.toml", include_str!("../../data/services.toml"))
    }

    /// Reads a file of `[[service]]` and `[[group]]` tables. `name` is what problems call it.
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
        let groups = parsed.group.into_iter();
        catalogue.groups = groups.map(|entry| Group { tie: entry.tie, services: file.words(entry.services) }).collect();
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
        self.groups.extend(additions.groups);
        self
    }

    /// Services that hang together.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    pub fn services(&self) -> &[Service] {
        &self.services
    }

    pub fn get(&self, id: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.id.as_str() == id)
    }

    /// Entries that are empty, repeated, claimed by two services, or that change nothing.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = self.services.iter().flat_map(Service::dead).collect();
        let grouped = self.groups.iter().flat_map(|group| &group.services);
        problems.extend(grouped.filter(|word| self.get(&word.text).is_none()).map(|word| {
            word.problem(format!("no service is called `{}`", word.text), "a group lists ids of services")
        }));
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
            if service.notices.is_some() && service.readable_page().is_none() {
                problems.push(service.defined.problem(
                    format!("the notices of `{}` are nowhere", service.id),
                    "give it `status`, the page's address, or `notices.page`",
                ));
            }
            let accounts = service.accounts.values().flatten().map(|word| (word, "@"));
            for (word, mark) in service.named().map(|word| (word, "")).chain(accounts) {
                let folded = Folded::text_of(&word.text);
                if folded.trim().is_empty() {
                    problems.push(word.problem("an empty name".to_owned(), "take it out"));
                } else if let Some(owner) = owners.insert(format!("{mark}{folded}"), &service.id) {
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
            not: file.words(self.not),
            near: file.words(self.near),
            hashtags: file.words(self.hashtags),
            accounts: self.accounts.into_iter().map(|(network, names)| (network, file.words(names))).collect(),
            parts: self.parts.into_iter().map(|(symptom, words)| (symptom, file.words(words))).collect(),
            status: self.status,
            notices: self.notices,
            networks: self.networks,
            source: self.source,
            country: self.country,
            defined,
        }
    }
}

impl Service {
    /// Whether it carries people's line to the internet.
    pub fn is_carrier(&self) -> bool {
        !self.networks.is_empty()
    }

    fn grow(&mut self, added: Service) {
        if added.name != added.id.as_str() {
            self.name = added.name;
        }
        self.names.extend(added.names);
        self.words.extend(added.words);
        self.capitals.extend(added.capitals);
        self.not.extend(added.not);
        self.near.extend(added.near);
        self.hashtags.extend(added.hashtags);
        for (network, accounts) in added.accounts {
            self.accounts.entry(network).or_default().extend(accounts);
        }
        for (symptom, words) in added.parts {
            self.parts.entry(symptom).or_default().extend(words);
        }
        self.status = added.status.or(self.status.take());
        self.notices = added.notices.or(self.notices.take());
        self.networks.extend(added.networks);
        self.source = added.source.or(self.source.take());
        self.country = added.country.or(self.country);
    }

    /// Its entries beside its names that cannot be looked for, are there twice, or that nothing asks for.
    fn dead(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let needs_near = !(self.words.is_empty() && self.capitals.is_empty());
        if let Some(word) = self.near.first().filter(|_| !needs_near) {
            let message =
                format!("`{}` changes nothing: the names of `{}` count wherever they stand", word.text, self.id);
            problems.push(word.problem(message, "take `near` out, or move the names that are words too to `words`"));
        }
        let names: Vec<String> = self.named().map(|word| Folded::text_of(&word.text)).collect();
        let holds = |word: &&Word| {
            let other = Folded::text_of(&word.text);
            names.iter().any(|name| other.len() > name.len() && other.contains(name.as_str()))
        };
        for word in self.not.iter().filter(|word| !holds(word)) {
            let message = format!("`{}` changes nothing: no name of `{}` is in it", word.text, self.id);
            problems.push(word.problem(message, "take it out, or write more around one of the names"));
        }
        let tags: BTreeSet<String> = self.named().map(|word| tag(&word.text)).collect();
        for word in self.hashtags.iter().filter(|word| tags.contains(&tag(&word.text))) {
            let message = format!("the hashtag `{}` changes nothing", word.text);
            problems.push(word.problem(message, "a name without its spaces is a hashtag already: take it out"));
        }
        let mut parts: BTreeMap<String, Symptom> = BTreeMap::new();
        let mut near: BTreeSet<String> = BTreeSet::new();
        let of_parts =
            self.parts.iter().flat_map(|(symptom, words)| words.iter().map(move |word| (word, Some(*symptom))));
        for (word, symptom) in self.near.iter().map(|word| (word, None)).chain(of_parts) {
            let folded = Folded::text_of(&word.text);
            let repeated = match symptom {
                Some(symptom) => parts.insert(folded, symptom).map(|other| format!("part of {other}")),
                None => (!near.insert(folded)).then(|| "word of `near`".to_owned()),
            };
            if let Err(wrong) = Pattern::parse(&word.text) {
                problems.push(word.problem(format!("`{}`: {wrong}", word.text), SYNTAX));
            } else if let Some(other) = repeated {
                let message = format!("`{}` is a {other} of `{}` already", word.text, self.id);
                problems.push(word.problem(message, "keep it in one place"));
            }
        }
        problems
    }

    /// The page that a program can read, and how.
    pub fn readable_page(&self) -> Option<(&Notices, &str)> {
        let notices = self.notices.as_ref()?;
        Some((notices, notices.page.as_deref().or(self.status.as_deref())?))
    }

    /// All its names, whether or not they need more to count.
    fn named(&self) -> impl Iterator<Item = &Word> {
        self.names.iter().chain(&self.words).chain(&self.capitals)
    }

    /// What hashtags call it, folded, without `#`: its names without spaces and its `hashtags`.
    pub fn tags(&self) -> BTreeSet<String> {
        let words = self.named().chain(&self.hashtags);
        words.map(|word| tag(&word.text)).filter(|tag| !tag.is_empty()).collect()
    }

    /// The few of its hashtags that are worth asking a server for: each name's under the first word for 'down', then its
    /// own name's under that of every language, without `#`. All that readers know would take half a day to ask for once.
    pub fn followed_tags(&self, lexicons: &[Lexicon]) -> Vec<String> {
        let spelled = |name: &str| Folded::text_of(name).replace(|sign: char| !sign.is_alphanumeric(), "");
        let own = spelled(&self.name);
        let other = self.names.iter().map(|name| spelled(&name.text)).find(|name| *name != own && name.is_ascii());
        let templates = || lexicons.iter().filter_map(|lexicon| lexicon.hashtags.first());
        let of_other = templates().take(1).filter_map(|template| Some(template.text.replace("{s}", other.as_ref()?)));
        let of_own = templates().map(|template| template.text.replace("{s}", &own));
        let mut tags: Vec<String> = Vec::with_capacity(FOLLOWED);
        for tag in of_own.clone().take(1).chain(of_other).chain(of_own) {
            if tags.len() < FOLLOWED && !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        tags
    }
}

/// A name as a hashtag writes it: folded, without spaces and signs.
fn tag(name: &str) -> String {
    Folded::text_of(name).replace([' ', '.', '-', '\'', '+'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The services that the program promises to know.
    const PROMISED: &str = "tiktok instagram facebook threads whatsapp messenger x youtube snapchat reddit discord telegram \
        signal bluesky mastodon pinterest linkedin twitch kakaotalk line wechat weibo spotify netflix disneyplus primevideo \
        hulu max roblox fortnite minecraft steam playstation xbox nintendo epicgames leagueoflegends aws azure googlecloud \
        cloudflare fastly github gitlab slack teams zoom google gmail googlemaps microsoft365 outlook icloud apple chatgpt \
        claude gemini deepseek paypal venmo cashapp stripe coinbase robinhood amazon ebay shopify uber doordash verizon att \
        t-mobile comcast spectrum rogers bell telus optus telstra vodafone o2 ee bt virginmedia orange jio airtel crowdstrike";

    #[test]
    fn every_promised_service_is_known() {
        let catalogue = Catalogue::embedded().unwrap();
        let missing: Vec<&str> = PROMISED.split_whitespace().filter(|id| catalogue.get(id).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn the_embedded_catalogue_has_no_problems() {
        let problems = Catalogue::embedded().unwrap().problems();
        assert!(problems.is_empty(), "{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn an_unknown_key_is_told_with_its_line() {
        let problem = Catalogue::parse("mine.toml", "[[service]]\nid = \"a\"\nnmae = \"A\"\n").unwrap_err();
        assert_eq!((problem.file.as_str(), problem.line), ("mine.toml", 3));
        assert!(problem.message.contains("nmae"), "{problem}");
    }

    #[test]
    fn additions_come_on_top() {
        let added = "[[service]]\nid = \"tiktok\"\nnames = [\"the clock app\"]\n[[service]]\nid = \"mine\"\nnames = [\"mine\"]\n";
        let catalogue = Catalogue::embedded().unwrap().with(Catalogue::parse("mine.toml", added).unwrap());
        let tiktok = catalogue.get("tiktok").unwrap();
        assert_eq!(tiktok.name, "TikTok");
        assert_eq!(tiktok.names.last().unwrap().text, "the clock app");
        assert!(catalogue.get("mine").is_some());
    }

    #[test]
    fn clashes_and_empty_names_are_found() {
        let text = "[[service]]\nid = \"a\"\nnames = [\"same\"]\n[[service]]\nid = \"b\"\nnames = [\"Same\", \"\"]\n";
        let problems = Catalogue::parse("t", text).unwrap().problems();
        let told: Vec<(usize, &str)> = problems.iter().map(|p| (p.line, p.message.as_str())).collect();
        assert_eq!(told, [(6, "`Same` is `a` too"), (6, "an empty name")]);
    }

    #[test]
    fn a_group_of_a_service_that_nobody_knows_is_found() {
        let text =
            "[[service]]\nid = \"a\"\nnames = [\"a b\"]\n[[group]]\ntie = \"rivals\"\nservices = [\"a\", \"c\"]\n";
        let problems = Catalogue::parse("t", text).unwrap().problems();
        let told: Vec<(usize, &str)> = problems.iter().map(|p| (p.line, p.message.as_str())).collect();
        assert_eq!(told, [(6, "no service is called `c`")]);
    }

    #[test]
    fn dead_entries_beside_the_names_are_found() {
        let text = "[[service]]\nid = \"a\"\nnames = [\"a b\"]\nnear = [\"app\"]\nhashtags = [\"AB\"]\nparts.feed = [\"wall\", \"a*b\"]\n\
            parts.search = [\"Wall\"]\n[[service]]\nid = \"c\"\nwords = [\"c\"]\nnear = [\"app\", \"App\"]\n";
        let problems = Catalogue::parse("t", text).unwrap().problems();
        let told: Vec<(usize, &str)> = problems.iter().map(|p| (p.line, p.message.as_str())).collect();
        assert_eq!(
            told,
            [
                (4, "`app` changes nothing: the names of `a` count wherever they stand"),
                (5, "the hashtag `AB` changes nothing"),
                (6, "`a*b`: `*` may only stand at the end of a part"),
                (7, "`Wall` is a part of feed of `a` already"),
                (11, "`App` is a word of `near` of `c` already"),
            ]
        );
        assert!(problems.iter().all(|problem| !problem.hint.is_empty()));
    }

    #[test]
    fn what_is_followed_fits_into_a_round_of_five_minutes() {
        let (catalogue, lexicons) = (Catalogue::embedded().unwrap(), Lexicon::embedded().unwrap());
        let followed = |id: &str| catalogue.get(id).unwrap().followed_tags(&lexicons);
        assert_eq!(followed("tiktok")[0], "tiktokdown");
        assert_eq!(followed("x")[..2], ["xdown", "twitterdown"]);
        let all: Vec<String> = catalogue.services().iter().flat_map(|it| it.followed_tags(&lexicons)).collect();
        assert!(all.iter().all(|tag| tag.chars().all(char::is_alphanumeric)), "{all:?}");
        // A hundred requests of five hashtags, one each 3 seconds.
        assert!(all.len() <= 500, "{}", all.len());
    }
}
