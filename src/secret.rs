//! Keys that open an API: read from the environment or from a file that the configuration names, and written nowhere.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::path::{Path, PathBuf};

/// What stands where a secret would.
const REDACTED: &str = "(secret)";
/// No key is longer, in bytes. A longer file is not one.
const LONGEST: usize = 8 << 10;

/// A key. It is never shown: only [`Secret::expose`] gives it, to be sent to the server that it is for.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(key: impl Into<String>) -> Secret {
        Secret(key.into())
    }

    /// The key itself. Not for logs, errors or the database.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

/// Where a key is to be found. What stands in the configuration is only this.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPlace {
    /// The name of an environment variable. It goes before the file.
    pub env: String,
    /// A file that holds the key and nothing else. Empty for none.
    pub file: PathBuf,
}

/// Why a key that was named cannot be used. Says where it was looked for, never what was found.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("cannot read the key in {path}: {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{place} does not hold one key: it is {why}")]
    NotAKey { place: String, why: &'static str },
}

impl KeyPlace {
    /// The key, if one was given: an environment variable that is not set or empty, and an empty path, are none.
    ///
    /// # Errors
    /// A file that was named but cannot be read, or something that is not a key.
    pub fn read(&self) -> Result<Option<Secret>, SecretError> {
        match std::env::var_os(&self.env).filter(|value| !self.env.is_empty() && !value.is_empty()) {
            Some(value) => key(value.to_str(), || format!("the environment variable {}", self.env)).map(Some),
            None if self.file.as_os_str().is_empty() => Ok(None),
            None => read_file(&self.file).map(Some),
        }
    }

    /// How to give the key, in words: `set WHATSDOWN_X_TOKEN`.
    pub fn how(&self) -> String {
        match (self.env.is_empty(), self.file.as_os_str().is_empty()) {
            (false, true) => format!("set {}, or name a file that holds it", self.env),
            (false, false) => format!("set {}, or write it into {}", self.env, self.file.display()),
            (true, _) => "name an environment variable or a file that holds it".to_owned(),
        }
    }
}

fn read_file(path: &Path) -> Result<Secret, SecretError> {
    let unreadable = |source| SecretError::Unreadable { path: path.to_owned(), source };
    let bytes = std::fs::read(path).map_err(unreadable)?;
    key(std::str::from_utf8(&bytes).ok(), || path.display().to_string())
}

fn key(text: Option<&str>, place: impl Fn() -> String) -> Result<Secret, SecretError> {
    let wrong = |why| SecretError::NotAKey { place: place(), why };
    let key = text.ok_or_else(|| wrong("not text"))?.trim();
    match key {
        "" => Err(wrong("empty")),
        _ if key.len() > LONGEST => Err(wrong("too long")),
        // So that it can be sent in a header.
        _ if key.bytes().any(|byte| !byte.is_ascii_graphic()) => Err(wrong("more than one word of plain characters")),
        _ => Ok(Secret::new(key)),
    }
}

impl<'de> Deserialize<'de> for KeyPlace {
    /// Its errors never repeat what was written, since it may be a key in the wrong place.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Named {
            env: String,
            file: PathBuf,
        }
        let wrong = |why: &str| serde::de::Error::custom(why);
        let value = toml::Value::deserialize(deserializer).map_err(|_| wrong("not a table"))?;
        let named = Named::deserialize(value).map_err(|_| {
            wrong(
                "a key never stands in the configuration: write `env = \"NAME\"` or `file = \"PATH\"` in this section",
            )
        })?;
        let is_name = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        if !named.env.bytes().all(is_name) {
            return Err(wrong("`env` is the name of an environment variable, in capitals, not the key itself"));
        }
        Ok(KeyPlace { env: named.env, file: named.file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "s3cr3t-Of-A-test";

    #[test]
    fn a_secret_shows_itself_nowhere() {
        let secret = Secret::new(KEY);
        let shown = [
            format!("{secret}"),
            format!("{secret:?}"),
            format!("{secret:#?}"),
            serde_json::to_string(&secret).unwrap(),
        ];
        assert!(shown.iter().all(|shown| shown.contains(REDACTED) && !shown.contains(KEY)), "{shown:?}");
        assert_eq!(secret.expose(), KEY);
    }

    #[test]
    fn a_file_holds_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let place = KeyPlace { env: String::new(), file: file.clone() };
        assert!(matches!(place.read(), Err(SecretError::Unreadable { .. })), "it does not exist");
        std::fs::write(&file, format!("  {KEY}\n")).unwrap();
        assert_eq!(place.read().unwrap().unwrap().expose(), KEY);
        let long = "x".repeat(LONGEST + 1);
        let several = format!("{KEY} {KEY}");
        for bad in ["", " \n", &several, &long, "ключ"] {
            std::fs::write(&file, bad).unwrap();
            let error = place.read().unwrap_err();
            assert!(matches!(error, SecretError::NotAKey { .. }) && !format!("{error} {error:?}").contains(KEY));
        }
        std::fs::write(&file, [0xff, 0xfe]).unwrap();
        assert!(place.read().unwrap_err().to_string().contains("not text"));
    }

    #[test]
    fn the_environment_goes_first_and_nothing_is_no_error() {
        assert_eq!(KeyPlace::default().read().unwrap(), None);
        let unset = KeyPlace { env: "WHATSDOWN_TEST_NEVER_SET".to_owned(), file: PathBuf::new() };
        assert_eq!(unset.read().unwrap(), None);
        assert!(unset.how().contains("WHATSDOWN_TEST_NEVER_SET"));
        // A variable that every test has, and a file that does not exist.
        let set = KeyPlace { env: "CARGO_PKG_NAME".to_owned(), file: "/nowhere/at/all".into() };
        assert_eq!(set.read().unwrap().unwrap().expose(), std::env::var("CARGO_PKG_NAME").unwrap());
    }

    #[test]
    fn a_key_in_the_configuration_is_refused_without_repeating_it() {
        #[derive(Debug, Deserialize)]
        struct Section {
            #[expect(dead_code, reason = "only its errors matter")]
            token: KeyPlace,
        }
        for wrong in [
            format!("token = \"{KEY}\""),
            format!("token = [\"{KEY}\"]"),
            format!("[token]\nenv = \"{KEY}\"\nfile = \"\""),
            format!("[token]\nvalue = \"{KEY}\"\nenv = \"A\"\nfile = \"\""),
            format!("[token]\nenv = [\"{KEY}\"]\nfile = \"\""),
        ] {
            let error = toml::from_str::<Section>(&wrong).unwrap_err();
            assert!(!error.message().contains(KEY), "{}", error.message());
        }
    }
}
