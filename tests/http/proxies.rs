//! The proxy that was asked for, and no other.

use std::process::Command;

use money_transfer_retailer::{HttpSetupError, NotSentReason, OpenError, OrderOutcome};

use crate::raw::answers::{bare, good};
use crate::raw::desk::{Desk, quoted, shown};
use crate::raw::server::Upstream;
use crate::support::{order, till};

/// Where the proxies of these tests would have to lead; nobody is there.
const HTTP: &str = "http://upstream.example/moneytransfer/v2";
const HTTPS: &str = "https://upstream.example/moneytransfer/v2";

/// `proxy:opensesame` and `1234567:password` in base 64.
const PROXY_BASIC: &str = "Basic cHJveHk6b3BlbnNlc2FtZQ==";
const OWN_BASIC: &str = "Basic MTIzNDU2NzpwYXNzd29yZA==";

async fn behind(proxy: &Upstream, base_url: &str) -> Desk {
    let address = format!("http://proxy:opensesame@{}", proxy.address());
    Desk::open_with(base_url, |till| till.allow_plain_http().proxy(address)).await
}

#[tokio::test]
async fn a_proxy_gets_plain_http_with_the_whole_url_and_its_own_credentials() {
    let proxy = Upstream::answering(good).await;
    let desk = behind(&proxy, HTTP).await;
    assert_eq!(quoted(&desk.till, 5).await, 5);
    let outcome = desk.till.create_order(order()).await.unwrap();
    assert!(outcome.approved().is_some());
    let received = proxy.received();
    assert!(
        received[0]
            .target()
            .starts_with(&format!("{HTTP}/admin/fees?"))
    );
    assert_eq!(received[1].target(), format!("{HTTP}/orders"));
    for request in received {
        assert_eq!(request.header("proxy-authorization"), Some(PROXY_BASIC));
        assert_eq!(request.header("authorization"), Some(OWN_BASIC));
    }
}

#[tokio::test]
async fn a_proxy_gets_only_the_host_and_port_of_an_https_upstream() {
    for status in [403, 407, 502] {
        let proxy = Upstream::answering(move |_| bare(status, "")).await;
        let desk = behind(&proxy, HTTPS).await;
        let outcome = desk.till.create_order(order()).await.unwrap();
        // Without a tunnel nothing can have got through.
        let OrderOutcome::NotSent(not_sent) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(not_sent.reason, NotSentReason::Connect);
        assert_eq!(desk.till.advices().pending_count(), 0);
        let [request] = &proxy.received()[..] else {
            panic!("{:?}", proxy.received());
        };
        assert_eq!(request.method(), "CONNECT");
        assert_eq!(request.target(), "upstream.example:443");
        assert_eq!(request.header("proxy-authorization"), Some(PROXY_BASIC));
        assert_eq!(request.header("authorization"), None);
        assert!(!shown(&not_sent).contains("opensesame"));
    }
}

#[tokio::test]
async fn a_proxy_that_cannot_be_reached_means_that_nothing_was_sent() {
    let proxy = Upstream::answering(good).await;
    let desk = behind(&proxy, HTTP).await;
    drop(proxy);
    let outcome = desk.till.create_order(order()).await.unwrap();
    assert!(matches!(outcome, OrderOutcome::NotSent(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_proxy_that_could_not_be_used_is_refused_at_open_and_never_bypassed() {
    let queue = tempfile::tempdir().unwrap();
    for address in [
        "",
        "http://",
        "http://proxy:port",
        "not an address",
        "ftp://user:opensesame@proxy:21",
        "socks5://proxy:1080",
        "tcp://proxy:3128",
        "proxy:3128",
        "user:opensesame@proxy",
    ] {
        let opened = till(HTTPS, queue.path()).proxy(address).open().await;
        let refused = opened.err().unwrap_or_else(|| panic!("{address}"));
        assert!(
            matches!(refused, OpenError::Upstream(HttpSetupError::Proxy)),
            "{address}: {refused:?}"
        );
        let shown = shown(&refused);
        assert!(shown.contains("give it as http://host:port"), "{shown}");
        assert!(!shown.contains("opensesame"), "{shown}");
    }
}

/// The variables are set for a process of its own, which runs this very test again: those of this process are shared with
/// all other tests.
#[tokio::test]
async fn a_proxy_of_the_environment_is_ignored() {
    const BASE_URL: &str = "MONEY_TRANSFER_TEST_BASE_URL";
    if let Ok(base_url) = std::env::var(BASE_URL) {
        let desk = Desk::open(&base_url).await;
        assert_eq!(quoted(&desk.till, 3).await, 3);
        return;
    }
    let (upstream, proxy) = (
        Upstream::answering(good).await,
        Upstream::answering(good).await,
    );
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "proxies::a_proxy_of_the_environment_is_ignored"]);
    again.env(BASE_URL, upstream.base_url());
    for variable in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        let address = format!("http://{}", proxy.address());
        again.env(variable, &address);
        again.env(variable.to_lowercase(), &address);
        again.env_remove("NO_PROXY").env_remove("no_proxy");
    }
    let ended = tokio::task::spawn_blocking(move || again.output().unwrap());
    let ended = ended.await.unwrap();
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(upstream.received().len(), 1);
    assert_eq!(proxy.connections(), 0);
}
