//! People as keyed hashes. The key lies beside the database, not in it, so that the database alone names nobody.

use super::PipelineError;
use regex::Regex;
use std::io::Write;
use std::path::Path;

/// Letters from which on the same words from several people are copies, not chance.
const LONG_TEXT: usize = 60;
/// A link is passed on, not thought of twice: the same words around the same link are copies at any length. It may come
/// without its scheme, as in `shop.example/1`.
const LINK: &str = r"(?i)\bhttps?://\S|\b[a-z0-9-]+\.[a-z]{2,}/\w";

#[derive(Clone)]
pub struct Persons {
    key: [u8; 32],
    link: Regex,
}

impl Persons {
    /// Reads the key beside the database, or makes one.
    pub fn beside(database: &Path) -> Result<Persons, PipelineError> {
        let path = crate::store::beside(database, "key");
        let failed = |source| PipelineError::Key { path: path.clone(), source };
        match std::fs::read(&path) {
            Ok(bytes) => {
                let wrong = || std::io::Error::new(std::io::ErrorKind::InvalidData, "it is not 32 bytes long");
                Persons::with(bytes.try_into().map_err(|_| failed(wrong()))?)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let mut key = [0; 32];
                getrandom::fill(&mut key).map_err(|error| failed(std::io::Error::other(error)))?;
                write_private(&path, &key).map_err(failed)?;
                Persons::with(key)
            }
            Err(error) => Err(failed(error)),
        }
    }

    fn with(key: [u8; 32]) -> Result<Persons, PipelineError> {
        Ok(Persons { key, link: Regex::new(LINK)? })
    }

    /// An author of a network.
    pub fn author(&self, network: &str, author: &str) -> u64 {
        self.hash(&[b"author", network.as_bytes(), author.as_bytes()])
    }

    /// A text that is known again, without its case, spaces and signs: a long one without what a template fills in
    /// (accounts, numbers, what follows a link's host), a short one by its link.
    pub fn print(&self, text: &str) -> Option<u64> {
        let words = text.split_whitespace().filter(|word| !word.starts_with('@')).map(host);
        let template = folded(words.flat_map(str::chars).filter(|letter| letter.is_alphabetic()));
        if template.chars().nth(LONG_TEXT).is_some() {
            return Some(self.hash(&[b"text", template.as_bytes()]));
        }
        let linked = || folded(text.chars().filter(|letter| letter.is_alphanumeric()));
        self.link.is_match(text).then(|| self.hash(&[b"link", linked().as_bytes()]))
    }

    fn hash(&self, parts: &[&[u8]]) -> u64 {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        let mut hash = [0; 8];
        hasher.finalize_xof().fill(&mut hash);
        u64::from_le_bytes(hash)
    }
}

fn folded(letters: impl Iterator<Item = char>) -> String {
    letters.flat_map(char::to_lowercase).collect()
}

/// A link without what follows its host, and any other word as it is.
fn host(word: &str) -> &str {
    let address = word.find("://").map_or(0, |scheme| scheme + 3);
    let end = word.get(address..).and_then(|rest| rest.find('/'));
    end.and_then(|end| word.get(..address + end)).unwrap_or(word)
}

fn write_private(path: &Path, key: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(key)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_texts_and_links_are_known_again() {
        let persons = Persons::with([7; 32]).unwrap();
        assert_eq!(persons.print("is tiktok down"), None);
        assert_eq!(persons.print("tiktok.com is down/broken. and now?"), None);
        assert!(persons.print("tiktok not working? https://shop.example/1").is_some());
        assert!(persons.print("tiktok not working? shop.example/1").is_some());
        let long = "TikTok is down again and I have the whole evening planned around this, what now";
        assert_eq!(persons.print(long), persons.print(&format!("{}!!", long.to_uppercase())));
        let filled = |name: &str, number: u32| {
            let text = format!(
                "@{name} TikTok down and no answer from support? We get you back in at https://help.example/{number}"
            );
            persons.print(&text)
        };
        assert_eq!(filled("one", 17), filled("two", 4));
        assert!(filled("one", 17).is_some());
        assert_ne!(persons.print("tiktok? https://a.example/1"), persons.print("tiktok? https://a.example/2"));
    }

    #[test]
    fn another_key_makes_another_hash() {
        let (one, two) = (Persons::with([1; 32]).unwrap(), Persons::with([2; 32]).unwrap());
        assert_ne!(one.author("mastodon", "a"), two.author("mastodon", "a"));
        assert_ne!(one.author("mastodon", "a"), one.author("bluesky", "a"));
    }

    #[test]
    fn the_key_is_made_once_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("a.db");
        let first = Persons::beside(&database).unwrap().key;
        assert_eq!(Persons::beside(&database).unwrap().key, first);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(folder.path().join("a.db.key")).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0);
        }
        std::fs::write(folder.path().join("a.db.key"), b"short").unwrap();
        assert!(Persons::beside(&database).is_err());
    }
}
