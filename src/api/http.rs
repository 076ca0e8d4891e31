//! The one file that names the HTTP library.
//!
//! 1. A message is written to the network at most once: no redirects, no repeats, HTTP/1.1.
//! 2. No URL leaves this file: queries carry identity and phone numbers.
//! 3. A body is read up to a limit and no further.
//! 4. "Not sent" is claimed only where no connection was made.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, redirect, retry};
use url::{Host, Url};

use super::outcome::NotSentReason;
use super::{Answer, BodyEnd, Call, Credentials, Exchange, NoAnswer, NotSent, Transport};

/// How to reach the upstream.
#[derive(Clone, Debug)]
pub(crate) struct HttpSettings {
    base_url: String,
    credentials: Credentials,
    /// How long making a connection may take; default 10 s.
    pub(crate) connect_timeout: Duration,
    /// The longest answer that is read, in bytes; default 1 MiB.
    pub(crate) body_limit_bytes: usize,
    /// Whether plain HTTP is fine beyond this machine; default no.
    pub(crate) allow_plain_http: bool,
}

/// Why the way to the upstream cannot be set up. Nothing was sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpSetupError {
    /// The base URL cannot be read as one.
    #[error("the base URL is not a URL ({source}): give it as https://host/moneytransfer/v2")]
    NotAUrl {
        /// What is wrong with it.
        source: url::ParseError,
    },
    /// The base URL is neither `https` nor `http`.
    #[error("the base URL's scheme is `{scheme}`: use https://")]
    Scheme {
        /// The scheme that was given.
        scheme: String,
    },
    /// Plain HTTP would show credentials and PIN blocks to the network.
    #[error(
        "plain HTTP to {host} would show credentials and customers to the network: use https://, \
         or call allow_plain_http() if the way there is protected by other means"
    )]
    PlainHttp {
        /// The host that was named.
        host: String,
    },
    /// The base URL carries more than scheme, host, port and path.
    #[error("the base URL has {part}: give credentials to credentials() and leave the rest out")]
    UnexpectedPart {
        /// The part that does not belong there.
        part: &'static str,
    },
    /// HTTP Basic separates user name and password by a colon.
    #[error(
        "the user name is empty or contains a colon or a control character, which HTTP Basic does not allow"
    )]
    UserName,
    /// The TLS library or the HTTP client refused its settings.
    #[error("HTTPS cannot be set up; is one of the features `rustls` and `native-tls` on?")]
    Tls {
        /// What the library says.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl HttpSettings {
    /// Settings for the service below `base_url`, for example
    /// `https://host/moneytransfer/v2`.
    pub(crate) fn new(base_url: String, credentials: Credentials) -> Self {
        HttpSettings {
            base_url,
            credentials,
            connect_timeout: Duration::from_secs(10),
            body_limit_bytes: 1024 * 1024,
            allow_plain_http: false,
        }
    }

    fn checked_base_url(&self) -> Result<Url, HttpSetupError> {
        let url =
            Url::parse(&self.base_url).map_err(|source| HttpSetupError::NotAUrl { source })?;
        match url.scheme() {
            "https" => {}
            "http" if self.allow_plain_http || is_loopback(&url) => {}
            "http" => {
                let host = url.host_str().unwrap_or_default().to_owned();
                return Err(HttpSetupError::PlainHttp { host });
            }
            other => {
                let scheme = other.to_owned();
                return Err(HttpSetupError::Scheme { scheme });
            }
        }
        match unexpected_part(&url) {
            Some(part) => Err(HttpSetupError::UnexpectedPart { part }),
            None => Ok(url),
        }
    }

    fn check_user_name(&self) -> Result<(), HttpSetupError> {
        let user = self.credentials.user();
        if user.is_empty() || user.contains(|c: char| c == ':' || c.is_control()) {
            return Err(HttpSetupError::UserName);
        }
        Ok(())
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

fn unexpected_part(url: &Url) -> Option<&'static str> {
    if !url.username().is_empty() || url.password().is_some() {
        Some("a user name or password in it")
    } else if url.query().is_some() {
        Some("a query")
    } else if url.fragment().is_some() {
        Some("a fragment")
    } else {
        None
    }
}

/// [`Transport`] over HTTPS, with connections that are kept and used again.
pub(crate) struct HttpTransport {
    client: Client,
    /// Scheme to path, without a trailing slash.
    base: String,
    credentials: Credentials,
    body_limit_bytes: usize,
}

impl HttpTransport {
    /// Checks the settings and sets the client up; connects to nothing yet.
    pub(crate) fn new(settings: HttpSettings) -> Result<Self, HttpSetupError> {
        let url = settings.checked_base_url()?;
        settings.check_user_name()?;
        install_tls_provider();
        let client = Client::builder()
            .user_agent(concat!(
                "money-transfer-retailer/",
                env!("CARGO_PKG_VERSION")
            ))
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .http1_only()
            .connect_timeout(settings.connect_timeout)
            .build()
            .map_err(|source| HttpSetupError::Tls {
                source: Box::new(source.without_url()),
            })?;
        Ok(HttpTransport {
            client,
            base: url.as_str().trim_end_matches('/').to_owned(),
            credentials: settings.credentials,
            body_limit_bytes: settings.body_limit_bytes,
        })
    }

    async fn send(&self, call: Call) -> Result<Answer, NoAnswer> {
        let mut url = format!("{}{}", self.base, call.operation.path());
        if !call.query.is_empty() {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(&call.query);
            url = format!("{url}?{}", query.finish());
        }
        let mut request = self
            .client
            .request(call.operation.method(), url)
            .basic_auth(self.credentials.user(), Some(self.credentials.password()))
            .header(ACCEPT, "application/json")
            .timeout(call.timeout);
        if let Some(body) = call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let response = request.send().await.map_err(no_answer)?;
        Ok(read_answer(response, self.body_limit_bytes).await)
    }
}

impl Transport for HttpTransport {
    fn exchange(&self, call: Call) -> Exchange<'_> {
        Box::pin(self.send(call))
    }
}

/// Without a provider the TLS library panics; one that the program installed itself is left alone.
#[cfg(feature = "rustls")]
fn install_tls_provider() {
    use rustls::crypto::{CryptoProvider, ring};
    if CryptoProvider::get_default().is_none() {
        // Losing this race to another thread is as good as winning it.
        let _ = ring::default_provider().install_default();
    }
}

#[cfg(not(feature = "rustls"))]
fn install_tls_provider() {}

async fn read_answer(mut response: Response, limit_bytes: usize) -> Answer {
    let status = response.status().as_u16();
    let content_type = text_header(response.headers(), CONTENT_TYPE.as_str());
    let retry_after = retry_after(response.headers());
    let (body, body_end) = read_body(&mut response, limit_bytes).await;
    Answer {
        status,
        content_type,
        retry_after,
        body,
        body_end,
    }
}

async fn read_body(response: &mut Response, limit_bytes: usize) -> (Bytes, BodyEnd) {
    let mut body = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > limit_bytes => {
                return (body.freeze(), BodyEnd::TooLarge);
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return (body.freeze(), BodyEnd::Complete),
            Err(_) => return (body.freeze(), BodyEnd::CutOff),
        }
    }
}

fn text_header(headers: &HeaderMap, name: &str) -> Option<String> {
    let value: &HeaderValue = headers.get(name)?;
    value.to_str().ok().map(str::to_owned)
}

/// Only the form in seconds is understood: the form with a date asks two clocks to agree.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = text_header(headers, RETRY_AFTER.as_str())?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

fn no_answer(error: reqwest::Error) -> NoAnswer {
    let error = error.without_url();
    if error.is_connect() || error.is_builder() {
        let reason = not_sent_reason(&error);
        NoAnswer::NotSent(NotSent {
            reason,
            source: Box::new(error),
        })
    } else if error.is_timeout() {
        NoAnswer::TimedOut
    } else {
        NoAnswer::ConnectionLost
    }
}

fn not_sent_reason(error: &reqwest::Error) -> NotSentReason {
    if error.is_builder() {
        NotSentReason::Local
    } else if error.is_dns() {
        NotSentReason::Dns
    } else if error.is_timeout() {
        NotSentReason::ConnectTimeout
    } else if has_tls_cause(error) {
        NotSentReason::Tls
    } else {
        NotSentReason::Connect
    }
}

#[cfg(feature = "rustls")]
fn has_tls_cause(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = cause {
        let io = error.downcast_ref::<std::io::Error>();
        let wrapped = io.and_then(std::io::Error::get_ref);
        if wrapped.is_some_and(|inner| inner.is::<rustls::Error>()) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(not(feature = "rustls"))]
fn has_tls_cause(_: &reqwest::Error) -> bool {
    false
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransport")
            .field("base", &self.base)
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn setup(base_url: &str) -> Result<HttpTransport, HttpSetupError> {
        let credentials = Credentials::new("till", "password");
        HttpTransport::new(HttpSettings::new(base_url.to_owned(), credentials))
    }

    #[test]
    fn https_anywhere_and_http_on_this_machine_are_accepted() {
        for url in [
            "https://upstream.example/moneytransfer/v2/",
            "http://localhost:8080/moneytransfer/v2",
            "http://127.0.0.1:1",
            "http://[::1]:1",
        ] {
            assert!(setup(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn a_base_url_that_would_leak_or_mislead_is_refused() {
        use HttpSetupError as E;
        assert!(matches!(setup("upstream"), Err(E::NotAUrl { .. })));
        assert!(matches!(
            setup("ftp://upstream.example"),
            Err(E::Scheme { .. })
        ));
        assert!(matches!(
            setup("http://upstream.example"),
            Err(E::PlainHttp { .. })
        ));
        assert!(matches!(
            setup("http://localhost.example"),
            Err(E::PlainHttp { .. })
        ));
        for url in [
            "https://u:p@upstream.example",
            "https://h/?a=b",
            "https://h/#x",
        ] {
            assert!(matches!(setup(url), Err(E::UnexpectedPart { .. })), "{url}");
        }
    }

    #[test]
    fn a_user_name_that_basic_authentication_cannot_carry_is_refused() {
        for user in ["", "a:b", "a\nb"] {
            let credentials = Credentials::new(user, "password");
            let settings = HttpSettings::new("https://h".to_owned(), credentials);
            let refused = HttpTransport::new(settings);
            assert!(matches!(refused, Err(HttpSetupError::UserName)), "{user:?}");
        }
    }
}
