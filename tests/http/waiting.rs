//! How long a call may take, and how it is broken off.

use std::sync::Arc;
use std::time::Duration;

use money_transfer_retailer::{ClientBuilder, NotSentReason, OrderOutcome, Problem, QueryError};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::raw::answers::{bare, good};
use crate::raw::desk::{Desk, SHORT, in_time, quote_of, quoted};
use crate::raw::server::{Connection, Upstream};
use crate::support::{PATIENCE, impatient, order};

async fn not_sent(desk: &Desk) -> NotSentReason {
    let outcome = in_time(desk.till.create_order(order())).await.unwrap();
    let OrderOutcome::NotSent(not_sent) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(desk.till.advices().pending_count(), 0);
    not_sent.reason
}

/// Linux drops a connection attempt when the queue of the listener is full, as a firewall does.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_connection_that_nobody_takes_is_given_up_in_time_and_nothing_was_sent() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(connected) = tokio::time::timeout(SHORT, TcpStream::connect(address)).await {
        queued.push(connected.unwrap());
        assert!(queued.len() < 100, "the queue never fills up");
    }
    let base_url = format!("http://{address}/moneytransfer/v2");
    let desk = Desk::open_with(&base_url, |till| till.connect_timeout(SHORT)).await;
    assert_eq!(not_sent(&desk).await, NotSentReason::ConnectTimeout);
}

#[tokio::test]
async fn a_name_that_cannot_be_resolved_is_told_and_nothing_was_sent() {
    // A label of 64 characters is refused by the resolver itself, without a network.
    let base_url = format!("http://{}.example/moneytransfer/v2", "a".repeat(64));
    let desk = Desk::open_with(&base_url, |till| till.allow_plain_http()).await;
    assert_eq!(not_sent(&desk).await, NotSentReason::Dns);
}

#[tokio::test]
async fn a_refused_connection_is_told_and_nothing_was_sent() {
    let upstream = Upstream::answering(good).await;
    let base_url = upstream.base_url();
    drop(upstream);
    let desk = Desk::open(&base_url).await;
    assert_eq!(not_sent(&desk).await, NotSentReason::Connect);
}

/// An upstream that reads everything, and answers nothing but reversals.
async fn silent() -> Upstream {
    Upstream::start(|mut connection: Connection| async move {
        while let Some(request) = connection.request().await {
            if request.path() == "/orders/reversals" {
                connection.say(good(&request)).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_timeout_of_one_call_holds_for_that_call_alone() {
    let upstream = silent().await;
    let desk = Desk::open(&upstream.base_url()).await;
    let impatient = desk.till.with_timeout(SHORT);
    let outcome = in_time(impatient.create_order(order())).await.unwrap();
    let OrderOutcome::Unknown(unknown) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(unknown.cause.problem, Problem::TimedOut);
    let patient = desk.till.create_order(order());
    let waited = tokio::time::timeout(2 * SHORT, patient).await;
    assert!(waited.is_err(), "the till itself is as patient as before");
}

#[tokio::test]
async fn a_deadline_cuts_a_call_short_that_could_wait_longer() {
    let upstream = silent().await;
    let desk = Desk::open(&upstream.base_url()).await;
    let till = desk.till.with_deadline(SHORT);
    let ended = in_time(till.fee_quote(quote_of(1))).await.unwrap_err();
    let QueryError::Unanswered { cause, .. } = ended else {
        panic!("{ended:?}");
    };
    assert_eq!(cause.problem, Problem::TimedOut);
}

/// An upstream that is busy once, with these header lines, and a till that repeats in no time.
async fn busy_once(headers: &'static str) -> (Upstream, Desk) {
    let upstream = Upstream::start(move |mut connection: Connection| async move {
        connection.request().await;
        connection.say(bare(503, headers)).await;
        while let Some(request) = connection.request().await {
            connection.say(good(&request)).await;
        }
    })
    .await;
    let quick = |till: ClientBuilder| till.retry_policy(impatient());
    let desk = Desk::open_with(&upstream.base_url(), quick).await;
    (upstream, desk)
}

#[tokio::test]
async fn a_query_is_repeated_no_sooner_than_the_upstream_asks() {
    for headers in [
        "retry-after: 1\r\n",
        // Counted from the upstream's own clock, which is decades off here.
        "date: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 1994 08:49:38 GMT\r\n",
    ] {
        let (upstream, desk) = busy_once(headers).await;
        let began_at = Instant::now();
        assert_eq!(in_time(quoted(&desk.till, 7)).await, 7);
        assert!(began_at.elapsed() >= Duration::from_secs(1), "{headers}");
        assert_eq!(upstream.received().len(), 2, "{headers}");
    }
}

#[tokio::test]
async fn a_query_that_is_asked_to_wait_beyond_its_deadline_ends_at_once() {
    let century = 100 * 365 * 24 * 60 * 60;
    for (headers, at_least_seconds) in [
        ("retry-after: 3600\r\n", 3_600),
        ("retry-after: 99999999999999999999999999\r\n", u64::MAX),
        // Counted from the till's own clock.
        ("retry-after: Fri, 31 Dec 9999 23:59:59 GMT\r\n", century),
    ] {
        let (upstream, desk) = busy_once(headers).await;
        let ended = in_time(desk.till.fee_quote(quote_of(1))).await.unwrap_err();
        let QueryError::Unanswered { cause, .. } = ended else {
            panic!("{ended:?}");
        };
        let asked = cause.retry_after.unwrap();
        assert!(asked.as_secs() >= at_least_seconds, "{headers}: {asked:?}");
        assert_eq!(upstream.received().len(), 1, "{headers}");
    }
}

#[tokio::test]
async fn the_longest_times_there_are_are_no_mistake() {
    let upstream = Upstream::answering(good).await;
    let longest = Duration::MAX;
    let desk = Desk::open_with(&upstream.base_url(), |till| {
        till.timeout(longest)
            .deadline(longest)
            .connect_timeout(longest)
    })
    .await;
    assert_eq!(quoted(&desk.till, 7).await, 7);
    let till = desk.till.with_deadline(longest).with_timeout(longest);
    assert_eq!(quoted(&till, 7).await, 7);
    let outcome = till.create_order(order()).await.unwrap();
    outcome.approved().unwrap().confirm().await.unwrap();
    desk.drained().await;
}

#[tokio::test]
async fn a_query_that_is_dropped_ends_its_connection_and_is_never_sent_again() {
    let closed = Arc::new(Notify::new());
    let upstream = Upstream::start({
        let closed = Arc::clone(&closed);
        move |mut connection: Connection| {
            let closed = Arc::clone(&closed);
            async move {
                connection.request().await;
                connection.until_closed().await;
                closed.notify_one();
            }
        }
    })
    .await;
    let desk = Desk::open(&upstream.base_url()).await;
    tokio::select! {
        answer = desk.till.fee_quote(quote_of(1)) => panic!("{answer:?}"),
        () = upstream.wait_for(1) => {}
    }
    tokio::time::timeout(PATIENCE, closed.notified())
        .await
        .unwrap();
    assert_eq!(upstream.received().len(), 1);
    assert_eq!(upstream.connections(), 1);
}
