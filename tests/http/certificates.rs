//! Certificates made for one test, and TLS servers that show them.

#![allow(unreachable_pub, clippy::unwrap_used)]

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use crate::raw::answers::good;
use crate::raw::server::{Connection, Stream, Upstream, Wrapped};

pub const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// A certificate authority that no system knows.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key.
pub struct Certified {
    pub certificate: rcgen::Certificate,
    pub key: KeyPair,
}

impl Authority {
    pub fn new(name: &str) -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Authority {
            issuer: CertifiedIssuer::self_signed(params, key).unwrap(),
        }
    }

    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for this host, valid from the first of January of one year to that of another.
    pub fn certify(&self, host: &str, years: [i32; 2]) -> Certified {
        let key = KeyPair::generate().unwrap();
        let certificate = params(host, years).signed_by(&key, &self.issuer).unwrap();
        Certified { certificate, key }
    }

    pub fn certify_localhost(&self) -> Certified {
        self.certify("localhost", VALID)
    }
}

pub const VALID: [i32; 2] = [2020, 4000];

/// A certificate that vouches for itself.
pub fn self_signed(host: &str) -> Certified {
    let key = KeyPair::generate().unwrap();
    let certificate = params(host, VALID).self_signed(&key).unwrap();
    Certified { certificate, key }
}

fn params(host: &str, [from, until]: [i32; 2]) -> CertificateParams {
    let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    params
}

/// Whom a server lets in.
pub enum Clients<'a> {
    All,
    /// Those with a certificate of this authority.
    CertifiedBy(&'a Authority),
}

pub fn server_config(
    shown: &Certified,
    clients: &Clients<'_>,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ServerConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_protocol_versions(versions).unwrap();
    let builder = match clients {
        Clients::All => builder.with_no_client_auth(),
        Clients::CertifiedBy(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.issuer.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = vec![shown.certificate.der().clone()];
    let key = PrivateKeyDer::Pkcs8(shown.key.serialize_der().into());
    Arc::new(builder.with_single_cert(chain, key).unwrap())
}

impl Stream for tokio_rustls::server::TlsStream<tokio::net::TcpStream> {}

/// An upstream in good health, behind TLS.
pub async fn upstream(config: Arc<ServerConfig>) -> Upstream {
    let acceptor = TlsAcceptor::from(config);
    let handshake = move |stream| -> Wrapped {
        let accepted = acceptor.accept(stream);
        Box::pin(async { Ok(Box::new(accepted.await?) as Box<dyn Stream>) })
    };
    Upstream::start_wrapped(handshake, |mut connection: Connection| async move {
        while let Some(request) = connection.request().await {
            connection.say(good(&request)).await;
        }
    })
    .await
}

/// An upstream that shows this certificate to everyone.
pub async fn upstream_with(shown: &Certified) -> Upstream {
    upstream(server_config(shown, &Clients::All, &VERSIONS)).await
}
