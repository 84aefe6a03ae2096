//! What every request and answer passes: who was asked, how often, and what a browser may do with the answer.

use super::problem::Problem;
use super::{App, Config};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// Everything from here, and nothing inline.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
/// After so many requests those are forgotten who have not asked lately.
const TIDY: u64 = 1000;

/// Refuses names other than `localhost` and the configured ones, so that a foreign page cannot read the answers by
/// having its own name lead here (DNS rebinding).
pub async fn hosts(State(app): State<App>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    if !host.is_some_and(|host| ours(host, &app.config.names)) {
        return Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "this server answers to its address, to `localhost` and to configured names alone",
        )
        .hint("put the name under `names` of [http] in the configuration")
        .into_response();
    }
    next.run(request).await
}

fn ours(host: &str, names: &[String]) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let known = |known: &str| name.eq_ignore_ascii_case(known);
    known("localhost") || name.parse::<IpAddr>().is_ok() || names.iter().any(|name| known(name))
}

/// Requests that one address may make.
pub struct Limits {
    limiter: Option<DefaultKeyedRateLimiter<IpAddr>>,
    clock: DefaultClock,
    asked: AtomicU64,
}

impl Limits {
    /// As many at once, and then as many a minute; 0 for no limit.
    pub fn new(requests_a_minute: u32) -> Limits {
        let limiter = |most| RateLimiter::keyed(Quota::per_minute(most));
        Limits {
            limiter: NonZeroU32::new(requests_a_minute).map(limiter),
            clock: DefaultClock::default(),
            asked: AtomicU64::new(0),
        }
    }

    /// The seconds that this address has to wait, if it has to.
    fn wait(&self, address: IpAddr) -> Option<u64> {
        let limiter = self.limiter.as_ref()?;
        if self.asked.fetch_add(1, Ordering::Relaxed) % TIDY == TIDY - 1 {
            limiter.retain_recent();
        }
        let refused = limiter.check_key(&network(address)).err()?;
        Some(refused.wait_time_from(self.clock.now()).as_secs() + 1)
    }
}

/// Whom an address belongs to: of IPv6 one customer has a whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Refuses those who ask too often.
pub async fn limits(State(app): State<App>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    match peer.and_then(|peer| app.limits.wait(peer)) {
        None => next.run(request).await,
        Some(seconds) => Problem::new(StatusCode::TOO_MANY_REQUESTS, "you ask too often")
            .hint("`/api/v1/events` tells of changes without being asked")
            .retry_after(seconds)
            .into_response(),
    }
}

/// Pages of other origins, where the configuration names any.
pub fn cors(config: &Config) -> CorsLayer {
    let origins = config.cors_origins.iter();
    let allowed = if config.cors_origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.filter_map(|origin| origin.parse().ok()))
    };
    CorsLayer::new().allow_origin(allowed).allow_methods([Method::GET, Method::HEAD]).expose_headers([
        header::ETAG,
        header::LINK,
        header::RETRY_AFTER,
    ])
}

/// How many requests were answered, by the code of the answer.
#[derive(Default)]
pub struct Answered(Mutex<BTreeMap<u16, u64>>);

impl Answered {
    pub fn by_code(&self) -> BTreeMap<u16, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Counts the answer, and says what a browser may do with it.
pub async fn headers(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    *app.answered.0.lock().unwrap_or_else(PoisonError::into_inner).entry(response.status().as_u16()).or_default() += 1;
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_names_are_refused() {
        let names = ["status.example.org".to_owned()];
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:8370", "[::1]:8370", "192.0.2.7", "status.example.org:443"]
        {
            assert!(ours(host, &names), "{host}");
        }
        for host in ["", "evil.example", "localhost.evil.example:80", "127.0.0.1.evil.example", "[evil]"] {
            assert!(!ours(host, &names), "{host}");
        }
        assert!(!ours("status.example.org", &[]));
    }

    #[test]
    fn one_who_asks_too_often_waits_and_others_do_not() {
        let limits = Limits::new(3);
        let waits = |address: &str| limits.wait(address.parse().unwrap());
        assert_eq!([waits("2001:db8::1"), waits("2001:db8::2"), waits("2001:db8::3")], [None; 3]);
        assert!((1..=21).contains(&waits("2001:db8::4").unwrap()), "of the same network");
        assert_eq!([waits("2001:db8:0:1::1"), waits("192.0.2.1")], [None; 2]);
        let unlimited = Limits::new(0);
        assert!((0..5000).all(|_| unlimited.wait("192.0.2.1".parse().unwrap()).is_none()));
    }
}
