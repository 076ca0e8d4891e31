//! The promise: HTTPS means that the upstream proved who it is before it learned anything, and a message counts as not sent
//! only where nothing of it can have left.

#![cfg(any(feature = "rustls", feature = "native-tls"))]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "http/certificates.rs"]
mod certificates;
#[path = "http/mod.rs"]
mod raw;
mod support;

use certificates::{
    Authority, Certified, Clients, VALID, VERSIONS, self_signed, server_config, upstream,
    upstream_with,
};
use money_transfer_retailer::{
    ClientBuilder, HttpSetupError, NotSent, NotSentReason, OpenError, OrderOutcome, Problem,
    QueryError,
};
use raw::answers::{bare, good};
use raw::desk::{Desk, SHORT, customer_of, in_time, quoted, shown};
use raw::server::{Connection, Upstream};
use support::{order, till};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::version::{TLS12, TLS13};

const ID_NUMBER: &str = "7203045006081";

fn https(upstream: &Upstream) -> String {
    let port = upstream.address().port();
    format!("https://localhost:{port}/moneytransfer/v2")
}

async fn trusting(upstream: &Upstream, authority: &Authority) -> Desk {
    Desk::open_with(&https(upstream), |till| {
        till.root_certificates(authority.pem())
    })
    .await
}

/// Asks for an order and for a customer; both must not have been sent, for the same reason.
async fn assert_not_sent(desk: &Desk) -> NotSentReason {
    let outcome = in_time(desk.till.create_order(order())).await.unwrap();
    let OrderOutcome::NotSent(not_sent) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(desk.till.advices().pending_count(), 0);
    let refused = in_time(desk.till.customer_info(customer_of(ID_NUMBER))).await;
    let refused = refused.unwrap_err();
    let text = format!("{} {}", shown(&not_sent), shown(&refused));
    for secret in [ID_NUMBER, "password", "/moneytransfer", "idNumber"] {
        assert!(!text.contains(secret), "{text}");
    }
    let QueryError::NotSent { source, .. } = refused else {
        panic!("{refused:?}");
    };
    let NotSent { reason, .. } = not_sent;
    assert_eq!(source.reason, reason);
    reason
}

#[tokio::test]
async fn a_private_authority_is_trusted_once_it_is_named_and_connections_are_reused() {
    let authority = Authority::new("Ours");
    for version in VERSIONS {
        let shown = authority.certify_localhost();
        let upstream = upstream(server_config(&shown, &Clients::All, &[version])).await;
        let desk = trusting(&upstream, &authority).await;
        for number in 1..=5 {
            assert_eq!(quoted(&desk.till, number).await, number);
            let outcome = desk.till.create_order(order()).await.unwrap();
            assert!(matches!(outcome, OrderOutcome::Approved(_)), "{outcome:?}");
        }
        assert_eq!(upstream.connections(), 1);
    }
}

#[tokio::test]
async fn several_authorities_can_be_named_in_one_bundle_or_one_after_the_other() {
    let (ours, theirs) = (Authority::new("Ours"), Authority::new("Theirs"));
    let upstream = upstream_with(&ours.certify_localhost()).await;
    let bundle = format!("# two of them\n{}\n{}", theirs.pem(), ours.pem());
    for pems in [vec![bundle], vec![theirs.pem(), ours.pem()]] {
        let settings = |till: ClientBuilder| {
            pems.iter()
                .fold(till, |till, pem| till.root_certificates(pem.as_str()))
        };
        let desk = Desk::open_with(&https(&upstream), settings).await;
        assert_eq!(quoted(&desk.till, 1).await, 1);
    }
}

#[tokio::test]
async fn an_upstream_that_cannot_prove_who_it_is_learns_nothing() {
    let (ours, theirs) = (Authority::new("Ours"), Authority::new("Theirs"));
    let impostors: [(&str, Certified); 5] = [
        ("another name", ours.certify("elsewhere.example", VALID)),
        ("expired", ours.certify("localhost", [2019, 2020])),
        ("not yet valid", ours.certify("localhost", [3999, 4000])),
        ("self-signed", self_signed("localhost")),
        ("another authority", theirs.certify_localhost()),
    ];
    for (name, impostor) in impostors {
        let upstream = upstream_with(&impostor).await;
        let desk = trusting(&upstream, &ours).await;
        assert_eq!(assert_not_sent(&desk).await, NotSentReason::Tls, "{name}");
        assert!(upstream.connections() > 0, "{name}: nobody knocked");
        assert!(upstream.received().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_private_authority_is_not_trusted_unless_it_is_named() {
    let authority = Authority::new("Ours");
    let upstream = upstream_with(&authority.certify_localhost()).await;
    let desk = Desk::open(&https(&upstream)).await;
    assert_eq!(assert_not_sent(&desk).await, NotSentReason::Tls);
    assert!(upstream.received().is_empty());
}

#[tokio::test]
async fn a_client_certificate_opens_an_upstream_that_asks_for_one() {
    let (authority, tills) = (Authority::new("Ours"), Authority::new("Tills"));
    let own = tills.certify("till-7", VALID);
    for version in VERSIONS {
        let shown = authority.certify_localhost();
        let clients = Clients::CertifiedBy(&tills);
        let upstream = upstream(server_config(&shown, &clients, &[version])).await;
        let desk = Desk::open_with(&https(&upstream), |till| {
            till.root_certificates(authority.pem())
                .client_certificate(own.certificate.pem(), own.key.serialize_pem())
        })
        .await;
        let outcome = desk.till.create_order(order()).await.unwrap();
        assert!(matches!(outcome, OrderOutcome::Approved(_)), "{outcome:?}");
    }
}

/// In TLS 1.2 the refusal is part of the handshake: nothing was sent.
#[tokio::test]
async fn with_tls_1_2_a_missing_or_wrong_client_certificate_means_not_sent() {
    let authority = Authority::new("Ours");
    let clients = Clients::CertifiedBy(&Authority::new("Tills"));
    let config = server_config(&authority.certify_localhost(), &clients, &[&TLS12]);
    let upstream = upstream(config).await;
    let stranger = Authority::new("Strangers").certify("till-7", VALID);
    for own in [None, Some(stranger)] {
        let desk = Desk::open_with(&https(&upstream), |till| {
            with_identity(till.root_certificates(authority.pem()), own)
        })
        .await;
        assert_eq!(assert_not_sent(&desk).await, NotSentReason::Tls);
    }
    assert!(upstream.received().is_empty());
}

/// In TLS 1.3 the client is done before the server has looked at its certificate, and sends: the refusal finds the
/// message on its way. Whoever called that "not sent" would have to know what the other side made of the bytes.
#[tokio::test]
async fn with_tls_1_3_a_missing_or_wrong_client_certificate_leaves_the_outcome_unknown() {
    let authority = Authority::new("Ours");
    let clients = Clients::CertifiedBy(&Authority::new("Tills"));
    let config = server_config(&authority.certify_localhost(), &clients, &[&TLS13]);
    let upstream = upstream(config).await;
    for round in 0..20 {
        let own = (round % 2 == 1).then(|| Authority::new("Strangers").certify("till-7", VALID));
        let desk = Desk::open_with(&https(&upstream), |till| {
            with_identity(till.root_certificates(authority.pem()), own)
        })
        .await;
        let outcome = in_time(desk.till.create_order(order())).await.unwrap();
        let OrderOutcome::Unknown(unknown) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(unknown.cause.problem, Problem::ConnectionLost);
        assert_eq!(desk.till.advices().pending_count(), 1, "its reversal");
    }
    assert!(upstream.received().is_empty());
}

fn with_identity(till: ClientBuilder, own: Option<Certified>) -> ClientBuilder {
    match own {
        Some(own) => till.client_certificate(own.certificate.pem(), own.key.serialize_pem()),
        None => till,
    }
}

#[tokio::test]
async fn a_server_without_tls_behind_https_learns_nothing() {
    let upstream = Upstream::start(|mut connection: Connection| async move {
        connection.anything().await;
        connection.say(bare(400, "")).await;
    })
    .await;
    let desk = Desk::open(&https(&upstream)).await;
    assert_eq!(assert_not_sent(&desk).await, NotSentReason::Tls);
}

#[tokio::test]
async fn a_server_that_hangs_up_in_the_handshake_learns_nothing() {
    let upstream = Upstream::start(|mut connection: Connection| async move {
        connection.anything().await;
    })
    .await;
    let desk = Desk::open(&https(&upstream)).await;
    // Only the one library takes this for a failed handshake.
    let expected = match cfg!(feature = "rustls") {
        true => NotSentReason::Connect,
        false => NotSentReason::Tls,
    };
    assert_eq!(assert_not_sent(&desk).await, expected);
}

#[tokio::test]
async fn a_server_that_is_silent_in_the_handshake_is_given_up_in_time() {
    let upstream = Upstream::start(Connection::until_closed).await;
    let desk = Desk::open_with(&https(&upstream), |till| till.connect_timeout(SHORT)).await;
    assert_eq!(assert_not_sent(&desk).await, NotSentReason::ConnectTimeout);
}

/// The message went out in plain sight: whoever took it may have acted on it.
#[tokio::test]
async fn a_server_with_tls_behind_http_leaves_the_outcome_unknown() {
    let authority = Authority::new("Ours");
    let upstream = upstream_with(&authority.certify_localhost()).await;
    let desk = Desk::open(&upstream.base_url()).await;
    let outcome = in_time(desk.till.create_order(order())).await.unwrap();
    let OrderOutcome::Unknown(unknown) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(unknown.cause.problem, Problem::ConnectionLost);
    assert!(upstream.received().is_empty());
}

/// The proxy is told a host that only it can find, and sees nothing but bytes that it cannot read.
#[tokio::test]
async fn a_proxy_carries_https_without_being_trusted() {
    let authority = Authority::new("Ours");
    let upstream = upstream_with(&authority.certify("upstream.example", VALID)).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let target = upstream.address();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let connect = read_head(&mut client).await;
            assert!(connect.starts_with("CONNECT upstream.example:443 HTTP/1.1\r\n"));
            assert!(
                !connect.to_lowercase().contains("authorization"),
                "{connect}"
            );
            let mut server = TcpStream::connect(target).await.unwrap();
            let established = b"HTTP/1.1 200 Connection established\r\n\r\n";
            tokio::io::AsyncWriteExt::write_all(&mut client, established)
                .await
                .unwrap();
            let _ = copy_bidirectional(&mut client, &mut server).await;
        }
    });
    let desk = Desk::open_with("https://upstream.example/moneytransfer/v2", |till| {
        till.root_certificates(authority.pem()).proxy(proxy)
    })
    .await;
    let outcome = in_time(desk.till.create_order(order())).await.unwrap();
    assert!(matches!(outcome, OrderOutcome::Approved(_)), "{outcome:?}");
    assert_eq!(upstream.received().len(), 1);
}

async fn read_head(client: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let read = tokio::io::AsyncReadExt::read_buf(client, &mut head).await;
        assert!(read.unwrap() > 0);
    }
    String::from_utf8(head).unwrap()
}

async fn refused(settings: impl FnOnce(ClientBuilder) -> ClientBuilder) -> HttpSetupError {
    let queue = tempfile::tempdir().unwrap();
    let builder = till("https://upstream.example/moneytransfer/v2", queue.path());
    match settings(builder).open().await {
        Err(OpenError::Upstream(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn root_certificates_that_cannot_be_read_are_refused_at_open() {
    let good = Authority::new("Ours").pem();
    let cut = good[..good.len() / 2].to_owned();
    let no_certificate = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    let key = self_signed("localhost").key.serialize_pem();
    for pem in ["", "no certificate", &cut, no_certificate, &key] {
        let refused = refused(|till| till.root_certificates(pem)).await;
        assert!(
            matches!(refused, HttpSetupError::RootCertificates { .. }),
            "{pem}: {refused:?}"
        );
        assert!(refused.to_string().contains("give PEM"), "{refused}");
        assert!(!shown(&refused).contains("PRIVATE"), "{refused:?}");
    }
}

#[tokio::test]
async fn a_client_certificate_that_cannot_be_used_is_refused_at_open() {
    let (own, other) = (self_signed("till-7"), self_signed("till-8"));
    let (certificate, key) = (own.certificate.pem(), own.key.serialize_pem());
    let pairs = [
        ("a key alone", String::new(), key.clone()),
        ("a certificate alone", certificate.clone(), String::new()),
        ("no PEM", "certificate".to_owned(), "key".to_owned()),
        ("a cut key", certificate.clone(), key[..60].to_owned()),
        (
            "the key of another",
            certificate.clone(),
            other.key.serialize_pem(),
        ),
    ];
    for (name, certificate, key) in pairs {
        let refused = refused(|till| till.client_certificate(certificate, key.as_str())).await;
        assert!(
            matches!(refused, HttpSetupError::ClientCertificate { .. }),
            "{name}: {refused:?}"
        );
        assert!(refused.to_string().contains("PKCS #8"), "{refused}");
        let middle = key.lines().nth(1).unwrap_or("-----");
        assert!(!shown(&refused).contains(middle), "{name} shows the key");
    }
}

/// Containers often have none. The variables are set for a process of its own, which runs this very test again.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_machine_without_certificates_needs_none_but_those_that_are_named() {
    if std::env::var_os("SSL_CERT_FILE").is_none_or(|file| file != "/nowhere") {
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        again
            .env("SSL_CERT_FILE", "/nowhere")
            .env("SSL_CERT_DIR", "/nowhere");
        let this = "a_machine_without_certificates_needs_none_but_those_that_are_named";
        let ended = tokio::task::spawn_blocking(move || again.args(["--exact", this]).output());
        let ended = ended.await.unwrap().unwrap();
        assert!(ended.status.success(), "{ended:?}");
        assert!(String::from_utf8_lossy(&ended.stdout).contains("1 passed"));
        return;
    }
    let plain = Upstream::answering(good).await;
    let desk = Desk::open(&plain.base_url()).await;
    assert_eq!(quoted(&desk.till, 1).await, 1);
    let authority = Authority::new("Ours");
    let upstream = upstream_with(&authority.certify_localhost()).await;
    let desk = trusting(&upstream, &authority).await;
    assert_eq!(quoted(&desk.till, 2).await, 2);
    if cfg!(not(feature = "rustls")) {
        // The system's library says so only when it is asked to trust somebody.
        let desk = Desk::open(&https(&upstream)).await;
        assert_eq!(assert_not_sent(&desk).await, NotSentReason::Tls);
        return;
    }
    let refused = refused(|till| till).await;
    assert!(matches!(refused, HttpSetupError::Tls { .. }), "{refused:?}");
    assert!(
        refused.to_string().contains("root_certificates()"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_user_agent_that_no_header_can_carry_is_refused_at_open() {
    for user_agent in ["till\r\nx-injected: 1", "till\0", "\u{7f}"] {
        let refused = refused(|till| till.user_agent(user_agent)).await;
        assert!(matches!(refused, HttpSetupError::UserAgent), "{refused:?}");
    }
    let upstream = Upstream::answering(good).await;
    let desk = Desk::open_with(&upstream.base_url(), |till| {
        till.user_agent("corner-shop/7")
    })
    .await;
    assert_eq!(quoted(&desk.till, 1).await, 1);
    let received = upstream.received();
    assert_eq!(received[0].header("user-agent"), Some("corner-shop/7"));
}
