//! How to reach the upstream, and what is wrong with a setting before anything is sent.

use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use url::{Host, Url};
use zeroize::Zeroizing;

use super::Credentials;
use crate::model::Sensitive;

/// How to reach the upstream.
#[derive(Clone, Debug)]
pub(crate) struct HttpSettings {
    base_url: String,
    pub(super) credentials: Credentials,
    /// How long making a connection may take.
    pub(crate) connect_timeout: Duration,
    /// The longest answer that is read, in bytes; default 1 MiB.
    pub(crate) body_limit_bytes: usize,
    /// Whether plain HTTP is fine beyond this machine; default no.
    pub(crate) allow_plain_http: bool,
    /// PEM bundles of certificates that are trusted beside the system's.
    pub(crate) root_certificates: Vec<Vec<u8>>,
    /// The certificate by which the till itself is known.
    pub(crate) identity: Option<ClientIdentity>,
    /// The HTTP proxy on the way, perhaps with a password; default none, whatever the environment
    /// says.
    pub(crate) proxy: Option<Sensitive>,
    /// Default is the name and version of this crate.
    pub(crate) user_agent: Option<String>,
}

/// A client certificate with its key, both PEM. The key is wiped from memory when dropped.
#[derive(Clone)]
#[cfg_attr(
    not(any(feature = "rustls", feature = "native-tls")),
    allow(dead_code, reason = "refused without a TLS library")
)]
pub(crate) struct ClientIdentity {
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientIdentity(***)")
    }
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
    /// The crate was built without a TLS library.
    #[error("HTTPS needs one of the features `rustls` and `native-tls`, and neither is on")]
    NoTls,
    /// The root certificates cannot be read.
    #[error("the root certificates cannot be read: give PEM of at least one certificate")]
    RootCertificates {
        /// What the library says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The client certificate or its key cannot be read, or they do not belong together.
    #[error(
        "the client certificate cannot be used: give it and its own key as PEM, the key as PKCS #8"
    )]
    ClientCertificate {
        /// What the library says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The proxy's address cannot be read.
    #[error("the proxy's address cannot be read: give it as http://host:port")]
    Proxy,
    /// The user agent cannot be sent as a header.
    #[error("the user agent has characters that no header can carry")]
    UserAgent,
    /// The TLS library or the HTTP client refused its settings.
    #[error(
        "HTTPS cannot be set up: install the system's root certificates, or give root_certificates()"
    )]
    Tls {
        /// What the library says.
        source: Box<dyn Error + Send + Sync>,
    },
}

/// The PEM text holds no certificate.
#[cfg(any(feature = "rustls", feature = "native-tls"))]
#[derive(Debug, thiserror::Error)]
#[error("there is no certificate in it")]
pub(super) struct NoCertificate;

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
            root_certificates: Vec::new(),
            identity: None,
            proxy: None,
            user_agent: None,
        }
    }

    pub(super) fn checked_base_url(&self) -> Result<Url, HttpSetupError> {
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

    /// The HTTP library bypasses a proxy whose scheme it does not know, so it must not see one.
    pub(super) fn checked_proxy(&self) -> Result<Option<Url>, HttpSetupError> {
        let Some(proxy) = &self.proxy else {
            return Ok(None);
        };
        let url = Url::parse(proxy.expose()).map_err(|_| HttpSetupError::Proxy)?;
        match url.scheme() {
            "http" | "https" => Ok(Some(url)),
            _ => Err(HttpSetupError::Proxy),
        }
    }

    /// Whether a TLS library is needed for these settings.
    pub(super) fn needs_tls(&self) -> bool {
        let speaks_tls = |url: &Url| url.scheme() == "https";
        let upstream = self.checked_base_url().ok();
        let proxy = self.checked_proxy().ok().flatten();
        upstream.as_ref().is_some_and(speaks_tls)
            || proxy.as_ref().is_some_and(speaks_tls)
            || self.identity.is_some()
            || !self.root_certificates.is_empty()
    }

    pub(super) fn check_user_name(&self) -> Result<(), HttpSetupError> {
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn checked(base_url: &str) -> Result<Url, HttpSetupError> {
        let credentials = Credentials::new("till", "password");
        HttpSettings::new(base_url.to_owned(), credentials).checked_base_url()
    }

    #[test]
    fn https_anywhere_and_http_on_this_machine_are_accepted() {
        for url in [
            "https://upstream.example/moneytransfer/v2/",
            "http://localhost:8080/moneytransfer/v2",
            "http://127.0.0.1:1",
            "http://[::1]:1",
        ] {
            assert!(checked(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn a_base_url_that_would_leak_or_mislead_is_refused() {
        use HttpSetupError as E;
        assert!(matches!(checked("upstream"), Err(E::NotAUrl { .. })));
        assert!(matches!(
            checked("ftp://upstream.example"),
            Err(E::Scheme { .. })
        ));
        assert!(matches!(
            checked("http://upstream.example"),
            Err(E::PlainHttp { .. })
        ));
        assert!(matches!(
            checked("http://localhost.example"),
            Err(E::PlainHttp { .. })
        ));
        for url in [
            "https://u:p@upstream.example",
            "https://h/?a=b",
            "https://h/#x",
        ] {
            assert!(
                matches!(checked(url), Err(E::UnexpectedPart { .. })),
                "{url}"
            );
        }
    }

    #[test]
    fn a_user_name_that_basic_authentication_cannot_carry_is_refused() {
        for user in ["", "a:b", "a\nb"] {
            let credentials = Credentials::new(user, "password");
            let settings = HttpSettings::new("https://h".to_owned(), credentials);
            let refused = settings.check_user_name();
            assert!(matches!(refused, Err(HttpSetupError::UserName)), "{user:?}");
        }
    }
}
