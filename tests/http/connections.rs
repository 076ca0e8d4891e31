//! Connections that last, and connections that break at the worst moment.

use money_transfer_retailer::model::CreateOrderRequest;
use money_transfer_retailer::{OrderOutcome, Problem};

use crate::raw::answers::{approval, good};
use crate::raw::desk::{Desk, quoted};
use crate::raw::server::{Connection, Upstream};
use crate::support::order;

/// How the upstream ends a connection.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// It reads the request and closes.
    Close,
    /// It reads the request and resets.
    Reset,
    /// It looks at the first bytes only, and closes over the unread rest.
    CloseUnread,
}

const ENDS: [End; 3] = [End::Close, End::Reset, End::CloseUnread];

impl End {
    async fn of(self, mut connection: Connection) {
        match self {
            End::CloseUnread => connection.anything().await,
            End::Close | End::Reset => drop(connection.request().await),
        }
        if self == End::Reset {
            connection.reset();
        }
    }
}

#[tokio::test]
async fn calls_one_after_the_other_share_one_connection() {
    let upstream = Upstream::answering(good).await;
    let desk = Desk::open(&upstream.base_url()).await;
    for number in 1..=20 {
        assert_eq!(quoted(&desk.till, number).await, number);
        let outcome = desk.till.create_order(order()).await.unwrap();
        assert!(matches!(outcome, OrderOutcome::Approved(_)), "{outcome:?}");
    }
    assert_eq!(upstream.received().len(), 40);
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn a_connection_that_the_upstream_closes_between_two_messages_costs_no_message_and_doubles_none()
 {
    let upstream = Upstream::start(|mut connection: Connection| async move {
        if let Some(request) = connection.request().await {
            connection.say(good(&request)).await;
        }
    })
    .await;
    let desk = Desk::open(&upstream.base_url()).await;
    for _ in 0..50 {
        let request = order();
        let id = request.id.to_string();
        let outcome = desk.till.create_order(request).await.unwrap();
        let sent = sent(&upstream, &id);
        match outcome {
            OrderOutcome::Approved(_) => assert_eq!(sent, 1),
            OrderOutcome::NotSent(_) => assert_eq!(sent, 0),
            // The close crossed the message on its way.
            OrderOutcome::Unknown(_) => assert!(sent <= 1, "{sent}"),
            OrderOutcome::Declined(declined) => panic!("{declined}"),
            OrderOutcome::Earlier(earlier) => panic!("{earlier:?}"),
        }
    }
    // All the same most of them went through: a stale connection is noticed.
    assert!(upstream.received_at("POST", "/orders").len() >= 40);
}

#[tokio::test]
async fn a_message_that_met_a_dying_connection_is_unknown_and_is_not_sent_again() {
    for end in ENDS {
        let upstream = Upstream::start(move |mut connection: Connection| async move {
            let Some(request) = connection.request().await else {
                return;
            };
            connection.say(good(&request)).await;
            // The connection is a used one now; only the first one dies.
            if connection.number == 1 {
                end.of(connection).await;
            } else {
                connection.until_closed().await;
            }
        })
        .await;
        let desk = Desk::open(&upstream.base_url()).await;
        quoted(&desk.till, 1).await;
        assert_lost(&desk, order()).await;
        let id = upstream.received_at("POST", "/orders").pop();
        assert_eq!(
            id.is_some(),
            end != End::CloseUnread,
            "{end:?}: sent once or cut, never again"
        );
        assert!(upstream.received_at("POST", "/orders").len() <= 1);
    }
}

#[tokio::test]
async fn a_fresh_connection_that_dies_before_the_answer_leaves_the_message_unknown_and_sent_once() {
    for end in ENDS {
        let upstream = Upstream::start(move |mut connection: Connection| async move {
            if connection.number == 1 {
                return end.of(connection).await;
            }
            while let Some(request) = connection.request().await {
                connection.say(good(&request)).await;
            }
        })
        .await;
        let desk = Desk::open(&upstream.base_url()).await;
        assert_lost(&desk, order()).await;
        assert!(
            upstream.received_at("POST", "/orders").len() <= 1,
            "{end:?}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_in_its_head_is_a_lost_connection() {
    for cut in ["HTTP/1.1 20", "HTTP/1.1 201 Created\r\ncontent-le"] {
        let upstream = Upstream::start(move |mut connection: Connection| async move {
            let Some(request) = connection.request().await else {
                return;
            };
            match request.path() {
                "/orders" => connection.say(cut).await,
                _ => connection.say(good(&request)).await,
            };
        })
        .await;
        let desk = Desk::open(&upstream.base_url()).await;
        assert_lost(&desk, order()).await;
        assert_eq!(upstream.received_at("POST", "/orders").len(), 1);
    }
}

#[tokio::test]
async fn an_answer_that_came_in_whole_counts_although_the_connection_then_dies() {
    for reset in [false, true] {
        let upstream = Upstream::start(move |mut connection: Connection| async move {
            let request = connection.request().await.unwrap();
            connection.say(approval(&request)).await;
            if reset {
                // Once the client has read it: a reset overtakes what is still in the pipe.
                connection.anything().await;
                connection.reset();
            }
        })
        .await;
        let desk = Desk::open(&upstream.base_url()).await;
        let outcome = desk.till.create_order(order()).await.unwrap();
        assert!(matches!(outcome, OrderOutcome::Approved(_)), "{outcome:?}");
    }
}

async fn assert_lost(desk: &Desk, request: CreateOrderRequest) {
    let outcome = desk.till.create_order(request).await.unwrap();
    let OrderOutcome::Unknown(unknown) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(unknown.cause.problem, Problem::ConnectionLost);
    desk.drained().await;
}

/// How often the order with this id arrived.
fn sent(upstream: &Upstream, id: &str) -> usize {
    let orders = upstream.received_at("POST", "/orders");
    orders
        .iter()
        .filter(|order| order.json()["id"] == id)
        .count()
}
