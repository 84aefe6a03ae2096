//! Mail over SMTP.

use super::config::{ConfigError, Email, Tls};
use super::desk::Outcome;
use super::message::Message;
use crate::secret::Secret;
use lettre::message::{Mailbox, header};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls as Encryption, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(30);

/// A way to some mailboxes.
#[derive(Clone)]
pub struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Mail {
    pub fn new(config: &Email, password: Option<&Secret>) -> Result<Mail, ConfigError> {
        let wrong = |what: &str, hint: &str| ConfigError::new(format!("`{}`: {what}", config.name), hint);
        let mailbox = |text: &String| {
            text.parse().map_err(|_| wrong(&format!("`{text}` is no mail address"), "use name@example.org"))
        };
        let parameters = || {
            TlsParameters::new(config.server.clone())
                .map_err(|error| wrong(&error.to_string(), "`server` is a host's name"))
        };
        let here = matches!(config.server.as_str(), "localhost" | "127.0.0.1" | "::1");
        let encryption = match config.tls {
            Tls::Implicit => Encryption::Wrapper(parameters()?),
            Tls::Starttls => Encryption::Required(parameters()?),
            Tls::None if here => Encryption::None,
            Tls::None => return Err(wrong("mail leaves this machine only over TLS", "use tls = \"starttls\"")),
        };
        let credentials = match (&config.user, password) {
            (Some(user), Some(password)) => Some(Credentials::new(user.clone(), password.expose().to_owned())),
            (None, None) => None,
            _ => return Err(wrong("a user and a password go together", "give both `user` and `password`, or none")),
        };
        if config.to.is_empty() {
            return Err(wrong("nobody is to get it", "give addresses in `to`"));
        }
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.server)
            .port(config.port)
            .tls(encryption)
            .timeout(Some(TIMEOUT));
        if let Some(credentials) = credentials {
            transport = transport.credentials(credentials);
        }
        Ok(Mail {
            transport: transport.build(),
            from: mailbox(&config.from)?,
            to: config.to.iter().map(mailbox).collect::<Result<_, _>>()?,
        })
    }

    pub async fn send(&self, message: &Message) -> Outcome {
        let mail = match self.compose(message) {
            Ok(mail) => mail,
            Err(error) => return Outcome::Refused(error.to_string()),
        };
        match self.transport.send(mail).await {
            Ok(_) => Outcome::Delivered { handle: None },
            Err(error) => Outcome::Failed { why: error.to_string(), wait: None },
        }
    }

    /// The same message has the same id, and those of an incident are one conversation. Headers are encoded by the
    /// library; the subject is one line before it gets there.
    fn compose(&self, message: &Message) -> Result<lettre::Message, lettre::error::Error> {
        let id = |key: &str| format!("<{key}@whatsdown.invalid>");
        let conversation = id(&format!("{}.1", message.incident.id));
        let mut mail = lettre::Message::builder()
            .from(self.from.clone())
            .subject(&message.title)
            .date(message.at.into())
            .message_id(Some(id(&message.key)))
            .header(header::ContentType::TEXT_PLAIN);
        for to in &self.to {
            mail = mail.to(to.clone());
        }
        if conversation != id(&message.key) {
            mail = mail.in_reply_to(conversation.clone()).references(conversation);
        }
        mail.body(format!("{}\n\n{}\n", message.title, message.text()))
    }
}
