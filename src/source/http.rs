//! The one polite client, for HTTP and WebSocket: says who it is, keeps to public hosts over TLS, and takes
//! no more than it asked for.

use super::fence::Fence;
use super::limits;
use super::{ConfigError, Page, SourceError, host_of, seconds};
use crate::alert::receiver::Call;
use crate::secret::Secret;
use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use reqwest::header::{
    AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
    USER_AGENT,
};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, StatusCode, Url};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Error as SocketError};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream};

/// The longest answer that is read, in bytes after decompression.
pub const BODY_LIMIT: usize = 8 << 20;
/// How much is read of what a receiver of alerts answers.
const ANSWER_LIMIT: usize = 64 << 10;
/// The longest WebSocket message, in bytes.
pub const MESSAGE_LIMIT: usize = 1 << 20;

/// The section `[sources.http]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where a server's people find out who asks them: a URL or a mail address, sent in the User-Agent.
    pub contact: String,
    /// `host` or `host:port` of servers of your own. Only these may have a private address, or speak without TLS.
    pub local_hosts: BTreeSet<String>,
    /// A PEM file with certificate authorities to trust besides the system's. Empty for none.
    pub authorities: PathBuf,
    #[serde(rename = "connect_seconds", deserialize_with = "seconds")]
    pub connect_timeout: Duration,
    /// For a whole answer; a stream has a limit of its own.
    #[serde(rename = "answer_seconds", deserialize_with = "seconds")]
    pub answer_timeout: Duration,
}

/// An open WebSocket.
pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The client. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    user_agent: HeaderValue,
    tls: Arc<rustls::ClientConfig>,
    fence: Fence,
    connect_timeout: Duration,
}

/// By which a server knows that a page is still as we have it (RFC 9110, 13).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    etag: Option<HeaderValue>,
    last_modified: Option<HeaderValue>,
}

impl Validators {
    fn of(headers: &HeaderMap) -> Validators {
        let [etag, last_modified] = [ETAG, LAST_MODIFIED].map(|name| headers.get(name).cloned());
        Validators { etag, last_modified }
    }
}

/// A page, and what its headers say of the rate limit.
pub struct Answer {
    pub page: Page,
    pub validators: Validators,
    pub remaining: Option<u32>,
    /// Set when no request is left: how long until there are some.
    pub wait: Option<Duration>,
}

/// What a receiver of alerts answered.
pub struct Sent {
    pub url: Url,
    pub status: StatusCode,
    pub wait: Option<Duration>,
    pub body: Vec<u8>,
}

impl Client {
    /// # Errors
    /// A contact that does not fit in a header, or authorities that cannot be read.
    pub fn new(config: &Config) -> Result<Client, ConfigError> {
        let client_error = |error: &dyn std::error::Error| ConfigError::Client(chain(error));
        let user_agent = format!("whatsdown/{} (+{})", env!("CARGO_PKG_VERSION"), config.contact);
        let user_agent = HeaderValue::from_str(&user_agent).map_err(|error| client_error(&error))?;
        let tls = Arc::new(tls(config)?);
        let fence = Fence(Arc::new(config.local_hosts.clone()));
        let redirects = fence.clone();
        let http = reqwest::Client::builder()
            .user_agent(user_agent.clone())
            .tls_backend_preconfigured(tls.as_ref().clone())
            .dns_resolver(fence.clone())
            .redirect(Policy::custom(move |attempt| redirects.follow(attempt)))
            // A proxy would resolve names itself, behind the fence.
            .no_proxy()
            .referer(false)
            .connect_timeout(config.connect_timeout)
            .timeout(config.answer_timeout)
            .build()
            .map_err(|error| client_error(&error))?;
        Ok(Client { http, user_agent, tls, fence, connect_timeout: config.connect_timeout })
    }

    /// Gets a page. Any status but 401, 403, 408, 429 and 5xx is the caller's to judge.
    ///
    /// # Errors
    /// Whatever leaves us without an answer that can be read.
    pub async fn get(&self, url: &Url, key: Option<&Key>, now: DateTime<Utc>) -> Result<Answer, SourceError> {
        self.ask(self.http.get(with_key(url, key)), url, key, now).await
    }

    /// Gets a page as [`Client::get`] does, or 304 if it is still the one that `known` came with.
    pub async fn get_changed(
        &self,
        url: &Url,
        key: Option<&Key>,
        known: &Validators,
        now: DateTime<Utc>,
    ) -> Result<Answer, SourceError> {
        let mut request = self.http.get(with_key(url, key));
        for (name, value) in [(IF_NONE_MATCH, &known.etag), (IF_MODIFIED_SINCE, &known.last_modified)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        self.ask(request, url, key, now).await
    }

    /// Sends a form, and gets a page as [`Client::get`] does.
    pub async fn post(
        &self,
        url: &Url,
        form: &'static str,
        key: Option<&Key>,
        now: DateTime<Utc>,
    ) -> Result<Answer, SourceError> {
        let request = self.http.post(with_key(url, key)).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.ask(request.body(form), url, key, now).await
    }

    /// `url` is the one without a key, for words.
    async fn ask(
        &self,
        request: RequestBuilder,
        url: &Url,
        key: Option<&Key>,
        now: DateTime<Utc>,
    ) -> Result<Answer, SourceError> {
        self.fence.check(url)?;
        let request = match key {
            Some(Key::Bearer(token)) => request.bearer_auth(token.expose()),
            Some(Key::Basic { user, password }) => request.basic_auth(user.expose(), Some(password.expose())),
            Some(Key::Query(..)) | None => request,
        };
        let response = request.send().await.map_err(|error| failed(url, &error))?;
        let status = response.status();
        judge(url, status, response.headers(), key.is_some(), now)?;
        let remaining = limits::remaining(response.headers());
        let wait = limits::wait(response.headers(), now).filter(|_| remaining == Some(0));
        let validators = Validators::of(response.headers());
        let mut body = Vec::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| failed(url, &error))?;
            if body.len() + chunk.len() > BODY_LIMIT {
                return Err(SourceError::TooLong { host: host_of(url), limit: BODY_LIMIT });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { page: Page { asked_at: now, status, body }, validators, remaining, wait })
    }

    /// Sends to a receiver of alerts. Any status is the caller's to judge.
    ///
    /// # Errors
    /// Whatever leaves us without an answer.
    pub async fn send(&self, call: Call, now: DateTime<Utc>) -> Result<Sent, SourceError> {
        self.fence.check(&call.url)?;
        let mut request = self.http.request(call.method, call.url.clone()).header(CONTENT_TYPE, "application/json");
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        if let Some(token) = &call.bearer {
            request = request.bearer_auth(token.expose());
        }
        let response = request.body(call.body).send().await.map_err(|error| failed(&call.url, &error))?;
        let (status, wait) = (response.status(), limits::wait(response.headers(), now));
        let mut body = Vec::new();
        let mut chunks = response.bytes_stream();
        // It has arrived, whatever becomes of the answer's end.
        while let Some(Ok(chunk)) = chunks.next().await {
            if body.len() + chunk.len() > ANSWER_LIMIT {
                break;
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Sent { url: call.url, status, wait, body })
    }

    /// Opens a WebSocket.
    ///
    /// # Errors
    /// When no connection comes about, or the server answers something else.
    pub async fn open(&self, url: &Url, key: Option<&Key>, now: DateTime<Utc>) -> Result<Socket, SourceError> {
        self.fence.check(url)?;
        let unreachable = |cause: String| SourceError::Unreachable { host: host_of(url), cause };
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let port = url.port_or_known_default().unwrap_or(443);
        let addresses = self.fence.addresses(host, port).await.map_err(|error| unreachable(error.to_string()))?;
        let mut request =
            with_key(url, key).as_str().into_client_request().map_err(|error| unreachable(error.to_string()))?;
        request.headers_mut().insert(USER_AGENT, self.user_agent.clone());
        if let Some(Key::Bearer(token)) = key {
            let mut header = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
                .map_err(|_| unreachable("the key does not fit in a header".to_owned()))?;
            header.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, header);
        }
        let limits =
            WebSocketConfig::default().max_message_size(Some(MESSAGE_LIMIT)).max_frame_size(Some(MESSAGE_LIMIT));
        let connect = async {
            let stream = TcpStream::connect(addresses.as_slice()).await.map_err(SocketError::Io)?;
            let tls = Some(Connector::Rustls(self.tls.clone()));
            tokio_tungstenite::client_async_tls_with_config(request, stream, Some(limits), tls).await
        };
        match timeout(self.connect_timeout, connect).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(SocketError::Http(response))) => {
                judge(url, response.status(), response.headers(), key.is_some(), now)?;
                let cause = format!("{} instead of a WebSocket", response.status());
                Err(SourceError::Malformed { host: host_of(url), cause })
            }
            Ok(Err(error)) => Err(unreachable(chain(&error))),
            Err(_) => Err(unreachable(format!("no answer within {} s", self.connect_timeout.as_secs()))),
        }
    }
}

fn tls(config: &Config) -> Result<rustls::ClientConfig, ConfigError> {
    let bad = |cause: String| ConfigError::BadAuthority { path: config.authorities.display().to_string(), cause };
    let mut authorities = Vec::new();
    if !config.authorities.as_os_str().is_empty() {
        for certificate in CertificateDer::pem_file_iter(&config.authorities).map_err(|error| bad(error.to_string()))? {
            authorities.push(certificate.map_err(|error| bad(error.to_string()))?);
        }
        if authorities.is_empty() {
            return Err(bad("holds no certificate".to_owned()));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(authorities, provider.clone())
        .map_err(|error| ConfigError::NoAuthority(error.to_string()))?;
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(builder
        .map_err(|error| ConfigError::Client(error.to_string()))?
        .dangerous() // rustls' word for any verifier of one's own; this is the system's
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

/// How a request shows that it may be made.
#[derive(Clone, Debug)]
pub enum Key {
    Bearer(Secret),
    /// Not for WebSockets.
    Basic {
        user: Secret,
        password: Secret,
    },
    /// A part of the query, where the API knows no other way.
    Query(&'static str, Secret),
}

fn with_key(url: &Url, key: Option<&Key>) -> Url {
    let mut url = url.clone();
    if let Some(Key::Query(name, secret)) = key {
        url.query_pairs_mut().append_pair(name, secret.expose());
    }
    url
}

/// Tells the answers that every source treats alike.
fn judge(
    url: &Url,
    status: StatusCode,
    headers: &HeaderMap,
    keyed: bool,
    now: DateTime<Utc>,
) -> Result<(), SourceError> {
    let host = host_of(url);
    match status {
        StatusCode::UNAUTHORIZED if keyed => Err(SourceError::Refused {
            host,
            status,
            hint: "it does not know the key, or no longer; docs/keys.md tells how to get one",
        }),
        StatusCode::FORBIDDEN | StatusCode::PAYMENT_REQUIRED if keyed => Err(SourceError::Refused {
            host,
            status,
            hint: "it knows the key, but does not allow this with it: see what the account may do, and docs/keys.md",
        }),
        StatusCode::UNAUTHORIZED => Err(SourceError::Refused {
            host,
            status,
            hint: "it wants a login for this; take it off the list of servers, or ask its administrators",
        }),
        StatusCode::FORBIDDEN => Err(SourceError::Refused {
            host,
            status,
            hint: "it does not want to be read by us; take it off the list of servers, or ask its administrators",
        }),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
            Err(SourceError::Busy { host, status, wait: limits::wait(headers, now) })
        }
        _ if status.is_server_error() => Err(SourceError::Busy { host, status, wait: limits::wait(headers, now) }),
        _ => Ok(()),
    }
}

fn failed(url: &Url, error: &reqwest::Error) -> SourceError {
    if error.is_redirect() {
        let host = host_of(error.url().unwrap_or(url));
        return SourceError::Fenced { host, why: "too many redirects, or one that leaves the public hosts over TLS" };
    }
    // Without the URL: a query may hold more than a log should.
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let cause = if error.is_timeout() { "no answer in time".to_owned() } else { cause.to_string() };
    SourceError::Unreachable { host: host_of(url), cause }
}

/// The error and its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |line, cause| format!("{line}: {cause}"))
}

/// What a broken stream is called.
pub fn closed(url: &Url, error: &tungstenite::Error) -> SourceError {
    SourceError::Closed { host: host_of(url), cause: chain(error) }
}
