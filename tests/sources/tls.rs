//! Streams and pages over TLS, with an authority of our own.

use crate::runner::{Job, bluesky, mastodon};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use whatsdown::source::ConfigError;
use whatsdown::source::http::Client;

/// An authority, and a file that trusts it.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub file: tempfile::NamedTempFile,
}

/// One for all tests, so that they need none of the system's.
pub static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), params.self_signed(&key).unwrap().pem()).unwrap();
    Authority { issuer: Issuer::new(params, key), file }
});

/// Answers every TLS connection with `answer`, under a certificate for `name`.
async fn serve(name: &str, answer: &'static [u8]) -> SocketAddr {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &AUTHORITY.issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else { break };
                request.push(byte);
            }
            // A client that hangs up early is the test's own doing.
            let _ = stream.write_all(answer).await;
            let _ = stream.shutdown().await;
        }
    });
    address
}

async fn first_failure(mut job: Job) -> String {
    let batch = job.until(|batch| batch.health.errors > 0).await.pop().unwrap();
    batch.health.last_error.unwrap().message
}

const TEAPOT: &[u8] = b"HTTP/1.1 418 X\r\ncontent-length: 0\r\n\r\n";

#[tokio::test]
async fn a_certificate_of_a_known_authority_is_trusted() {
    let address = serve("127.0.0.1", TEAPOT).await;
    let mut config = bluesky(address);
    config.bluesky.servers = vec![format!("wss://{address}")];
    let failure = first_failure(Job::start(&config, &BTreeMap::new())).await;
    assert!(failure.contains("418") && failure.contains("instead of a WebSocket"), "{failure}");
    let mut config = mastodon(address);
    config.mastodon.instances = vec![address.to_string()];
    let failure = first_failure(Job::start(&config, &BTreeMap::new())).await;
    assert!(failure.contains("418"), "{failure}");
}

#[tokio::test]
async fn a_certificate_of_another_host_is_refused() {
    let address = serve("social.example", TEAPOT).await;
    let mut config = bluesky(address);
    config.bluesky.servers = vec![format!("wss://{address}")];
    let failure = first_failure(Job::start(&config, &BTreeMap::new())).await;
    assert!(failure.contains("not valid for name") && failure.contains("social.example"), "{failure}");
    let mut config = mastodon(address);
    config.mastodon.instances = vec![address.to_string()];
    let failure = first_failure(Job::start(&config, &BTreeMap::new())).await;
    assert!(failure.contains("not valid for name"), "{failure}");
}

#[test]
fn a_file_that_holds_no_authority_is_told() {
    let empty = tempfile::NamedTempFile::new().unwrap();
    for path in [empty.path(), Path::new("/no/such/file.pem")] {
        let mut config = crate::config();
        config.http.authorities = path.to_owned();
        let error = Client::new(&config.http).err().unwrap();
        assert!(matches!(error, ConfigError::BadAuthority { .. }), "{error}");
    }
}
