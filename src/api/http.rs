//! The one file that names the HTTP library.
//!
//! 1. A message is written to the network at most once: no redirects, no repeats, HTTP/1.1.
//! 2. No URL leaves this file: queries carry identity and phone numbers.
//! 3. A body is read up to a limit and no further.
//! 4. "Not sent" is claimed only where no connection was made.

#[cfg(any(feature = "rustls", feature = "native-tls"))]
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{
    ACCEPT, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use reqwest::{Client, ClientBuilder, Proxy, RequestBuilder, Response, redirect, retry};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};
use zeroize::Zeroizing;

use super::body::BodyBuffer;
use super::credentials::CurrentCredentials;
use super::failure::NotSentReason;
use super::retry_after::asked_pause;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
use super::settings::{ClientIdentity, NoCertificate};
use super::settings::{HttpSettings, HttpSetupError};
use super::{
    Answer, BodyEnd, Call, Credentials, Exchange, NoAnswer, NotSent, Now, Problem, Transport,
    Unanswered,
};
use crate::model::{Operation, RequestId, Sensitive};

/// How much room is made for an answer before any of it is read.
const READY_BYTES: usize = 64 * 1024;

/// Far beyond any sensible timeout, and far from where the monotonic clock overflows.
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How long after its timeout the answer to a financial request is listened for.
const LISTENING: Duration = Duration::from_secs(60);

/// How many late answers are listened for at the same time.
const LISTENERS: usize = 64;

/// [`Transport`] over HTTPS, with connections that are kept and used again.
pub(crate) struct HttpTransport {
    client: Client,
    /// Scheme to path, without a trailing slash.
    base: String,
    credentials: CurrentCredentials,
    body_limit_bytes: usize,
    /// How long a message may wait for its connection.
    connect_timeout: Duration,
    /// Places for those who wait for late answers.
    listeners: Arc<Semaphore>,
    now: Now,
}

impl HttpTransport {
    /// Checks the settings and sets the client up; connects to nothing yet.
    pub(crate) fn new(settings: HttpSettings, now: Now) -> Result<Self, HttpSetupError> {
        let url = settings.checked_base_url()?;
        settings.check_user_name()?;
        let client = client(&settings)?;
        Ok(HttpTransport {
            client,
            base: url.as_str().trim_end_matches('/').to_owned(),
            credentials: CurrentCredentials::new(settings.credentials),
            body_limit_bytes: settings.body_limit_bytes,
            connect_timeout: settings.connect_timeout,
            listeners: Arc::new(Semaphore::new(LISTENERS)),
            now,
        })
    }

    /// Where `call` goes, with its query: our copy of it is wiped when dropped.
    fn url(&self, call: &Call) -> Zeroizing<String> {
        let end = self.base.len() + call.operation.path().len();
        let mut url = String::with_capacity(end + most_query_bytes(&call.query));
        url.push_str(&self.base);
        url.push_str(call.operation.path());
        if !call.query.is_empty() {
            url.push('?');
            let mut query = url::form_urlencoded::Serializer::for_suffix(url, end + 1);
            query.extend_pairs(
                call.query
                    .iter()
                    .map(|(name, value)| (*name, value.expose())),
            );
            url = query.finish();
        }
        Zeroizing::new(url)
    }

    async fn send(&self, call: Call) -> Result<Answer, NoAnswer> {
        let asked_at = Instant::now();
        let (operation, request_id) = (call.operation, call.request_id);
        let listening = call.request_id.map_or(Duration::ZERO, |_| LISTENING);
        let response = self
            .request(&call)
            .timeout(call.timeout.saturating_add(listening));
        let mut response = Box::pin(response.send());
        let Ok(in_time) = timeout(call.timeout, &mut response).await else {
            // What may still wait for its connection is dropped, and never sent: its reversal is on its way.
            let has_left = call.timeout > self.connect_timeout;
            if let Some(request_id) = call.request_id.filter(|_| has_left) {
                self.listen(request_id, asked_at, response);
            }
            return Err(NoAnswer::timed_out());
        };
        let time_left = call.timeout.saturating_sub(asked_at.elapsed());
        Ok(self
            .read_answer(
                in_time.map_err(|error| no_answer(error, operation, request_id))?,
                time_left,
            )
            .await)
    }

    fn request(&self, call: &Call) -> RequestBuilder {
        let url = self.url(call);
        let credentials = self.credentials.get();
        let request = self
            .client
            .request(call.operation.method(), url.as_str())
            .basic_auth(credentials.user(), Some(credentials.password()))
            .header(ACCEPT, "application/json");
        match &call.body {
            Some(body) => request
                .header(CONTENT_TYPE, "application/json")
                .body(body.clone()),
            None => request,
        }
    }

    /// Waits a while longer for the answer to a financial request, to log it. Its outcome is settled.
    fn listen(
        &self,
        request_id: RequestId,
        asked_at: Instant,
        late: impl Future<Output = reqwest::Result<Response>> + Send + 'static,
    ) {
        let Ok(place) = Arc::clone(&self.listeners).try_acquire_owned() else {
            return;
        };
        tokio::spawn(async move {
            if let Ok(response) = late.await {
                let (status, delay) = (response.status().as_u16(), asked_at.elapsed());
                tracing::warn!(%request_id, status, ?delay, "an answer came too late, and is ignored");
            }
            drop(place);
        });
    }

    async fn read_answer(&self, mut response: Response, time_left: Duration) -> Answer {
        let status = response.status().as_u16();
        let content_type = text_header(response.headers(), &CONTENT_TYPE);
        let retry_after = self.retry_after(response.headers());
        let (body, body_end) = read_body(&mut response, self.body_limit_bytes, time_left).await;
        Answer {
            status,
            content_type,
            retry_after,
            body,
            body_end,
        }
    }

    fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        let asked = text_header(headers, &RETRY_AFTER)?;
        let date = text_header(headers, &DATE);
        asked_pause(&asked, date.as_deref(), &self.now)
    }
}

impl Transport for HttpTransport {
    fn exchange(&self, call: Call) -> Exchange<'_> {
        Box::pin(self.send(call))
    }

    fn replace_credentials(&self, credentials: Credentials) -> bool {
        self.credentials.replace(credentials)
    }
}

/// Room for a query however much of it has to be escaped: a text that grows leaves copies behind.
fn most_query_bytes(query: &[(&'static str, Sensitive)]) -> usize {
    const ESCAPED_BYTES: usize = "%20".len();
    let pairs = query.iter();
    pairs
        .map(|(name, value)| "?=".len() + name.len() + ESCAPED_BYTES * value.expose().len())
        .sum()
}

fn client(settings: &HttpSettings) -> Result<Client, HttpSetupError> {
    install_tls_provider();
    let mut builder = Client::builder()
        .user_agent(user_agent(settings)?)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .no_proxy()
        .http1_only()
        .connect_timeout(settings.connect_timeout);
    if let Some(proxy) = settings.checked_proxy()? {
        let proxy = Proxy::all(proxy).map_err(|_| HttpSetupError::Proxy)?;
        builder = builder.proxy(proxy);
    }
    builder = with_tls(builder, settings)?;
    let built = builder.build();
    built.map_err(|source| not_built(source.without_url(), settings))
}

fn user_agent(settings: &HttpSettings) -> Result<HeaderValue, HttpSetupError> {
    const OWN: &str = concat!("money-transfer-retailer/", env!("CARGO_PKG_VERSION"));
    let user_agent = settings.user_agent.as_deref().unwrap_or(OWN);
    HeaderValue::from_str(user_agent).map_err(|_| HttpSetupError::UserAgent)
}

#[cfg(any(feature = "rustls", feature = "native-tls"))]
fn with_tls(
    mut builder: ClientBuilder,
    settings: &HttpSettings,
) -> Result<ClientBuilder, HttpSetupError> {
    #[cfg(feature = "rustls")]
    {
        builder = builder.tls_backend_rustls();
    }
    if !settings.needs_tls() {
        // A machine without certificates is then as good as any.
        return Ok(builder.tls_certs_only(Vec::new()));
    }
    for bundle in &settings.root_certificates {
        let certificates = root_certificates(bundle);
        let certificates =
            certificates.map_err(|source| HttpSetupError::RootCertificates { source })?;
        builder = builder.tls_certs_merge(certificates);
    }
    if let Some(identity) = &settings.identity {
        let unreadable = |source| HttpSetupError::ClientCertificate {
            source: Box::new(source),
        };
        builder = builder.identity(tls_identity(identity).map_err(unreadable)?);
    }
    Ok(builder)
}

/// The HTTP library takes a bundle without a certificate for an empty one, and a broken certificate
/// for the platform's fault.
#[cfg(any(feature = "rustls", feature = "native-tls"))]
fn root_certificates(
    bundle: &[u8],
) -> Result<Vec<reqwest::Certificate>, Box<dyn Error + Send + Sync>> {
    let certificates = reqwest::Certificate::from_pem_bundle(bundle)?;
    if certificates.is_empty() {
        return Err(Box::new(NoCertificate));
    }
    #[cfg(feature = "rustls")]
    {
        use rustls::pki_types::{CertificateDer, pem::PemObject};
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(bundle) {
            roots.add(certificate?)?;
        }
    }
    Ok(certificates)
}

/// Without a TLS library every `https` address fails as one that cannot be connected to.
#[cfg(not(any(feature = "rustls", feature = "native-tls")))]
fn with_tls(
    builder: ClientBuilder,
    settings: &HttpSettings,
) -> Result<ClientBuilder, HttpSetupError> {
    match settings.needs_tls() {
        true => Err(HttpSetupError::NoTls),
        false => Ok(builder),
    }
}

/// The root certificates have been checked by now: a certificate that is to blame is the till's own.
#[cfg(feature = "rustls")]
fn not_built(error: reqwest::Error, _: &HttpSettings) -> HttpSetupError {
    use rustls::Error as E;
    let own = matches!(
        tls_cause(&error),
        Some(E::InconsistentKeys(_) | E::InvalidCertificate(_))
    );
    let source = Box::new(error);
    match own {
        true => HttpSetupError::ClientCertificate { source },
        false => HttpSetupError::Tls { source },
    }
}

/// The system's library does not say what it is that it cannot use.
#[cfg(all(feature = "native-tls", not(feature = "rustls")))]
fn not_built(error: reqwest::Error, settings: &HttpSettings) -> HttpSetupError {
    let own = settings.identity.is_some() && tls_cause(&error).is_some();
    let source = Box::new(error);
    match own {
        true => HttpSetupError::ClientCertificate { source },
        false => HttpSetupError::Tls { source },
    }
}

#[cfg(not(any(feature = "rustls", feature = "native-tls")))]
fn not_built(error: reqwest::Error, _: &HttpSettings) -> HttpSetupError {
    let source = Box::new(error);
    HttpSetupError::Tls { source }
}

#[cfg(feature = "rustls")]
fn tls_identity(identity: &ClientIdentity) -> reqwest::Result<reqwest::Identity> {
    let mut both = Zeroizing::new(identity.certificate.clone());
    both.push(b'\n');
    both.extend_from_slice(&identity.key);
    reqwest::Identity::from_pem(&both)
}

#[cfg(all(feature = "native-tls", not(feature = "rustls")))]
fn tls_identity(identity: &ClientIdentity) -> reqwest::Result<reqwest::Identity> {
    reqwest::Identity::from_pkcs8_pem(&identity.certificate, &identity.key)
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

async fn read_body(
    response: &mut Response,
    limit_bytes: usize,
    time_left: Duration,
) -> (Bytes, BodyEnd) {
    // A time that no clock can tell is none.
    let ends_at = Instant::now() + time_left.min(LONGEST_WAIT);
    let announced = response.content_length().unwrap_or_default();
    let announced = usize::try_from(announced).unwrap_or(limit_bytes);
    // What is announced may be a lie, so only a little is made ready for it.
    let ready = announced.min(limit_bytes).min(READY_BYTES);
    let mut body = BodyBuffer::with_capacity(ready);
    loop {
        let Ok(chunk) = timeout_at(ends_at, response.chunk()).await else {
            return (body.finish(), BodyEnd::CutOff);
        };
        match chunk {
            Ok(Some(chunk)) if body.len() + chunk.len() > limit_bytes => {
                return (body.finish(), BodyEnd::TooLarge);
            }
            Ok(Some(chunk)) => body.append(&chunk),
            Ok(None) => return (body.finish(), BodyEnd::Complete),
            Err(_) => return (body.finish(), BodyEnd::CutOff),
        }
    }
}

fn text_header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value: &HeaderValue = headers.get(name)?;
    value.to_str().ok().map(str::to_owned)
}

fn no_answer(
    error: reqwest::Error,
    operation: Operation,
    request_id: Option<RequestId>,
) -> NoAnswer {
    let error = error.without_url();
    if error.is_connect() || error.is_builder() {
        return NoAnswer::NotSent(NotSent {
            operation,
            request_id,
            reason: not_sent_reason(&error),
            source: Box::new(error),
        });
    }
    let problem = match error.is_timeout() {
        true => Problem::TimedOut,
        false => Problem::ConnectionLost,
    };
    NoAnswer::Unanswered(Unanswered::new(problem).because(error))
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

#[cfg(any(feature = "rustls", feature = "native-tls"))]
fn has_tls_cause(error: &reqwest::Error) -> bool {
    tls_cause(error).is_some()
}

#[cfg(not(any(feature = "rustls", feature = "native-tls")))]
fn has_tls_cause(_: &reqwest::Error) -> bool {
    false
}

/// What the TLS library in use says.
#[cfg(feature = "rustls")]
type TlsError = rustls::Error;
#[cfg(all(feature = "native-tls", not(feature = "rustls")))]
type TlsError = native_tls::Error;

#[cfg(any(feature = "rustls", feature = "native-tls"))]
fn tls_cause(error: &reqwest::Error) -> Option<&TlsError> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        cause = cause_of(error);
    }
    None
}

/// An I/O error that wraps another error does not name it as its source.
#[cfg(any(feature = "rustls", feature = "native-tls"))]
fn cause_of<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let io = error.downcast_ref::<std::io::Error>();
    match io.and_then(std::io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
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
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::net::TcpListener;

    use super::*;
    use crate::model::Timestamp;

    const TIMEOUT: Duration = Duration::from_secs(1);

    fn transport(server: &TcpListener) -> HttpTransport {
        let base_url = format!("http://{}/v2", server.local_addr().unwrap());
        let mut settings = HttpSettings::new(base_url, Credentials::new("user", "password"));
        settings.connect_timeout = TIMEOUT / 2;
        HttpTransport::new(settings, Box::new(Timestamp::unix_epoch)).unwrap()
    }

    #[tokio::test]
    async fn a_late_answer_is_listened_for_a_minute_and_no_longer() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let transport = transport(&server);
        let (operation, id) = (Operation::CreateOrder, RequestId::random());
        let call = Call::financial(operation, Bytes::from_static(b"{}"), TIMEOUT, id);
        let silent = async {
            let (connection, _) = server.accept().await.unwrap();
            connection.readable().await.unwrap();
            // Nothing but time has to pass from here on.
            tokio::time::pause();
            connection
        };
        let (ended, _connection) = tokio::join!(transport.exchange(call), silent);
        assert!(matches!(ended, Err(NoAnswer::Unanswered(_))), "{ended:?}");
        assert_eq!(transport.listeners.available_permits(), LISTENERS - 1);
        tokio::time::sleep(LISTENING - Duration::from_secs(1)).await;
        assert_eq!(transport.listeners.available_permits(), LISTENERS - 1);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(transport.listeners.available_permits(), LISTENERS);
    }

    #[tokio::test]
    async fn what_may_still_wait_for_its_connection_is_given_up_with_the_timeout() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let transport = transport(&server);
        let (operation, id) = (Operation::CreateOrder, RequestId::random());
        let short = Duration::from_millis(20);
        let call = Call::financial(operation, Bytes::from_static(b"{}"), short, id);
        transport.exchange(call).await.unwrap_err();
        assert_eq!(transport.listeners.available_permits(), LISTENERS);
    }

    #[tokio::test]
    async fn nobody_is_listened_for_once_all_places_are_taken() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let transport = transport(&server);
        for _ in 0..LISTENERS + 2 {
            transport.listen(RequestId::random(), Instant::now(), std::future::pending());
        }
        assert_eq!(transport.listeners.available_permits(), 0);
    }

    #[test]
    fn there_is_room_for_a_query_that_is_escaped_all_over() {
        let query = [("idNumber", "ü/+&%"), ("receiverId", ""), ("status", "a b")]
            .map(|(name, value)| (name, Sensitive::from(value)));
        let mut written = url::form_urlencoded::Serializer::new(String::new());
        written.extend_pairs(query.iter().map(|(name, value)| (*name, value.expose())));
        assert!(written.finish().len() <= most_query_bytes(&query));
    }
}
