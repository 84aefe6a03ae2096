//! The section `[alerts]`.

use super::mail::Mail;
use super::receiver::{Kind, Receiver};
use super::rule::Rule;
use crate::config::nearest_hint;
use crate::reading::Catalogue;
use crate::secret::{KeyPlace, Secret, SecretError};
use reqwest::Url;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What the keys mean is told in `data/default.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub webhook: Vec<Webhook>,
    pub slack: Vec<Slack>,
    pub discord: Vec<Discord>,
    pub ntfy: Vec<Ntfy>,
    pub alertmanager: Vec<Alertmanager>,
    pub email: Vec<Email>,
    pub rules: Vec<Rule>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    name: String,
    url: Url,
    key: KeyPlace,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slack {
    name: String,
    /// The whole address is a secret. It cannot edit what was sent.
    webhook: Option<KeyPlace>,
    /// A bot's, which can.
    token: Option<KeyPlace>,
    channel: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discord {
    name: String,
    webhook: KeyPlace,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ntfy {
    name: String,
    server: Url,
    topic: KeyPlace,
    token: Option<KeyPlace>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alertmanager {
    name: String,
    url: Url,
    token: Option<KeyPlace>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// From the first byte, as on port 465.
    Implicit,
    /// After a greeting in the clear, as on port 587. It is refused where the server cannot.
    Starttls,
    /// Only to this machine.
    None,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Email {
    pub name: String,
    pub server: String,
    pub port: u16,
    pub tls: Tls,
    pub user: Option<String>,
    pub password: Option<KeyPlace>,
    pub from: String,
    pub to: Vec<String>,
}

/// What is wrong with the section.
#[derive(Debug, thiserror::Error)]
#[error("[alerts]: {message}")]
pub struct ConfigError {
    message: String,
    pub hint: String,
}

impl ConfigError {
    pub(super) fn new(message: String, hint: impl Into<String>) -> ConfigError {
        ConfigError { message, hint: hint.into() }
    }
}

impl From<SecretError> for ConfigError {
    fn from(error: SecretError) -> ConfigError {
        ConfigError::new(error.to_string(), "correct the file or the variable; it holds one key and nothing else")
    }
}

impl Config {
    /// The files that it names.
    pub fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let keys = self.webhook.iter_mut().map(|it| &mut it.key);
        let slack = self.slack.iter_mut().flat_map(|it| [&mut it.webhook, &mut it.token]).flatten();
        let discord = self.discord.iter_mut().map(|it| &mut it.webhook);
        let ntfy = self.ntfy.iter_mut().flat_map(|it| std::iter::once(&mut it.topic).chain(&mut it.token));
        let alertmanager = self.alertmanager.iter_mut().filter_map(|it| it.token.as_mut());
        let email = self.email.iter_mut().filter_map(|it| it.password.as_mut());
        keys.chain(slack).chain(discord).chain(ntfy).chain(alertmanager).chain(email).map(|place| &mut place.file)
    }

    /// The names of all receivers.
    pub fn names(&self) -> Vec<String> {
        let web = self.webhook.iter().map(|it| &it.name).chain(self.slack.iter().map(|it| &it.name));
        let push = self.discord.iter().map(|it| &it.name).chain(self.ntfy.iter().map(|it| &it.name));
        let more = self.alertmanager.iter().map(|it| &it.name).chain(self.email.iter().map(|it| &it.name));
        web.chain(push).chain(more).cloned().collect()
    }

    /// What the rules name must exist, and each name must be one receiver's.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, catalogue: &Catalogue) -> Result<(), ConfigError> {
        let names = self.names();
        let mut seen = BTreeSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(*name)) {
            return Err(ConfigError::new(format!("two receivers are named `{twice}`"), "give each a name of its own"));
        }
        let services: Vec<String> = catalogue.services().iter().map(|service| service.id.to_string()).collect();
        for rule in &self.rules {
            if let Some(name) = rule.send_to.iter().find(|name| !names.contains(name)) {
                return Err(ConfigError::new(format!("there is no receiver `{name}`"), nearest_hint(name, &names)));
            }
            if let Some(id) = rule.services.iter().find(|id| !services.contains(&id.to_string())) {
                let hint = "`whatsdown services` lists all".to_owned();
                return Err(ConfigError::new(format!("there is no service `{id}`"), hint));
            }
        }
        Ok(())
    }

    /// The receivers, with their keys read.
    ///
    /// # Errors
    /// A key that is missing or cannot be read, an address that is none.
    pub fn receivers(&self) -> Result<BTreeMap<String, Receiver>, ConfigError> {
        let mut all = BTreeMap::new();
        for it in &self.webhook {
            let key = super::webhook::Key::parse(&needed(&it.name, &it.key)?)
                .ok_or_else(|| ConfigError::new(format!("the key of `{}` is not base64", it.name), KEY_HINT))?;
            all.insert(it.name.clone(), Kind::Webhook { url: it.url.clone(), key });
        }
        for it in &self.slack {
            let kind = match (&it.webhook, &it.token, &it.channel) {
                (Some(webhook), None, None) => Kind::SlackWebhook { url: address(&it.name, webhook)? },
                (None, Some(token), Some(channel)) => Kind::SlackBot {
                    api: url(&it.name, "https://slack.com/api/")?,
                    token: needed(&it.name, token)?,
                    channel: channel.clone(),
                },
                _ => {
                    let hint = "give `webhook`, or `token` and `channel`";
                    return Err(ConfigError::new(format!("`{}` is not a whole Slack receiver", it.name), hint));
                }
            };
            all.insert(it.name.clone(), kind);
        }
        for it in &self.discord {
            all.insert(it.name.clone(), Kind::Discord { url: address(&it.name, &it.webhook)? });
        }
        for it in &self.ntfy {
            let (topic, token) = (needed(&it.name, &it.topic)?, optional(&it.name, it.token.as_ref())?);
            all.insert(it.name.clone(), Kind::Ntfy { server: it.server.clone(), topic, token });
        }
        for it in &self.alertmanager {
            let token = optional(&it.name, it.token.as_ref())?;
            all.insert(it.name.clone(), Kind::Alertmanager { url: it.url.clone(), token });
        }
        for it in &self.email {
            let password = optional(&it.name, it.password.as_ref())?;
            all.insert(it.name.clone(), Kind::Email(Box::new(Mail::new(it, password.as_ref())?)));
        }
        Ok(all.into_iter().map(|(name, kind)| (name, Receiver { kind })).collect())
    }
}

const KEY_HINT: &str = "make one: `openssl rand -base64 32`; the receiver needs the same";

fn needed(name: &str, place: &KeyPlace) -> Result<Secret, ConfigError> {
    place.read()?.ok_or_else(|| ConfigError::new(format!("the key of `{name}` is missing"), place.how()))
}

fn optional(name: &str, place: Option<&KeyPlace>) -> Result<Option<Secret>, ConfigError> {
    place.map(|place| needed(name, place)).transpose()
}

fn address(name: &str, place: &KeyPlace) -> Result<Secret, ConfigError> {
    let secret = needed(name, place)?;
    url(name, secret.expose()).map(|_| secret)
}

fn url(name: &str, text: &str) -> Result<Url, ConfigError> {
    // Not what it is: the address may be the secret.
    let wrong = |_| ConfigError::new(format!("the address of `{name}` is none"), "copy it whole: https://…");
    Url::parse(text).map_err(wrong)
}
