//! Where a message goes, and where it must not go.

use money_transfer_retailer::{OrderOutcome, Problem};

use crate::raw::answers::{bare, good};
use crate::raw::desk::{Desk, quote_of, quoted};
use crate::raw::server::Upstream;
use crate::support::order;

#[tokio::test]
async fn a_base_url_with_and_without_a_trailing_slash_leads_to_the_same_place() {
    let upstream = Upstream::answering(good).await;
    for ending in ["", "/", "//"] {
        let desk = Desk::open(&format!("{}{ending}", upstream.base_url())).await;
        quoted(&desk.till, 1).await;
        let outcome = desk.till.create_order(order()).await.unwrap();
        assert!(outcome.approved().is_some());
    }
    let received = upstream.received();
    let mut places: Vec<_> = received
        .iter()
        .map(|request| request.target().split('?').next().unwrap())
        .collect();
    places.sort_unstable();
    places.dedup();
    let expected = ["/moneytransfer/v2/admin/fees", "/moneytransfer/v2/orders"];
    assert_eq!(places, expected);
}

#[tokio::test]
async fn the_host_header_names_the_host_and_port_of_the_base_url() {
    let upstream = Upstream::answering(good).await;
    let port = upstream.address().port();
    let desk = Desk::open(&format!("http://localhost:{port}/moneytransfer/v2")).await;
    quoted(&desk.till, 1).await;
    let host = format!("localhost:{port}");
    assert_eq!(upstream.received()[0].header("host"), Some(host.as_str()));
}

#[tokio::test]
async fn a_redirect_is_never_followed_and_nobody_else_learns_anything() {
    let stranger = Upstream::answering(good).await;
    let elsewhere = format!("{}/orders", stranger.base_url());
    for status in [300, 301, 302, 303, 305, 307, 308] {
        for place in [elsewhere.as_str(), "/moneytransfer/v2/elsewhere"] {
            let location = format!("location: {place}\r\n");
            let upstream = Upstream::answering(move |request| match request.path() {
                "/orders" | "/admin/fees" => bare(status, &location),
                _ => good(request),
            })
            .await;
            let desk = Desk::open(&upstream.base_url()).await;
            let outcome = desk.till.create_order(order()).await.unwrap();
            let OrderOutcome::Unknown(unknown) = outcome else {
                panic!("{status}: {outcome:?}");
            };
            assert_eq!(unknown.cause.problem, Problem::NotTheService { status });
            desk.till.fee_quote(quote_of(1)).await.unwrap_err();
            desk.drained().await;
            assert_eq!(upstream.received_at("POST", "/orders").len(), 1);
            assert_eq!(upstream.received_at("GET", "/admin/fees").len(), 1);
            // Beside those two only the reversal.
            assert_eq!(upstream.received().len(), 3);
        }
    }
    assert_eq!(stranger.connections(), 0);
}
