//! What the simulator promises of its book, of going down and coming up, and of its own end.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "simulator/till.rs"]
mod till;

use std::{
    io::ErrorKind,
    sync::{Arc, Mutex},
    time::Duration,
};

use money_transfer_retailer::simulator::{Fault, Operation, OrderState, Rule, Simulator};
use till::{Till, id};
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
    time::timeout,
};

const AT_ONCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn the_book_holds_every_message_in_order_byte_for_byte() {
    let till = Till::open().await;
    assert!(till.simulator.book().is_empty());
    let order = till.order(9);
    till.post("/orders", &order).await;
    let advice = till.advice(&order);
    till.post("/orders/confirmations", &advice).await;
    till.get("/orders?orderRedeemRef=1").await;
    let book = till.simulator.book();
    let operations: Vec<Operation> = book.messages().map(|message| message.operation()).collect();
    assert_eq!(
        operations,
        [
            Operation::CreateOrder,
            Operation::ConfirmPayment,
            Operation::LookupOrder
        ]
    );
    let messages: Vec<_> = book.messages().collect();
    assert_eq!(messages[0].body(), order.to_string().as_bytes());
    assert_eq!(
        (messages[1].json(), messages[1].user()),
        (advice.clone(), till::USER)
    );
    assert_eq!(
        (messages[1].request_id(), messages[1].advice_id()),
        (Some(id(&order)), Some(id(&advice)))
    );
    assert_eq!(
        (messages[0].request_id(), messages[0].advice_id()),
        (Some(id(&order)), None)
    );
    assert_eq!(
        (messages[2].answered(), messages[2].error_type()),
        (Some(400), Some("UNABLE_TO_LOCATE_RECORD"))
    );
    assert_eq!((messages[2].processed(), messages[2].accepted()), (1, 0));
}

#[tokio::test]
async fn the_book_holds_every_order_as_it_stands() {
    let till = Till::open().await;
    let (sold, reference) = till.sold(41).await;
    let open = till.order(42);
    till.post("/orders", &open).await;
    let before = till.simulator.book();
    till.post("/orders/reversals", &till.reversal(&open)).await;
    let book = till.simulator.book();
    let states: Vec<OrderState> = book.orders().map(|order| order.state()).collect();
    assert_eq!(states, [OrderState::Confirmed, OrderState::Reversed]);
    let order = book.order(id(&sold)).unwrap();
    assert_eq!(
        (order.amount(), order.currency(), order.order_redeem_ref()),
        (41, "710", reference.as_str())
    );
    assert_eq!((order.request_id(), order.user()), (id(&sold), till::USER));
    assert_eq!(
        before.order(id(&open)).unwrap().state(),
        OrderState::Created,
        "a snapshot stays as it is"
    );
}

#[tokio::test]
async fn what_is_printed_of_the_book_is_nobodys_secret() {
    let till = Till::open().await;
    let mut order = till.order(9);
    order["senderDetails"]["idNumber"] = "8001015009087-X".into();
    let approved = till.post("/orders", &order).await;
    till.get("/admin/customers?idNumber=8001015009087-X&receiverId=9")
        .await;
    let printed = format!("{:?} {:#?}", till.simulator.book(), till.simulator);
    let reference = approved.json["orderRedeemRef"].as_str().unwrap();
    for secret in [
        "Thandi",
        "Sipho",
        "8001015009087-X",
        "0000000000000001",
        "secret",
        reference,
    ] {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
    assert!(printed.contains(id(&order)) && printed.contains("Created"));
}

#[tokio::test]
async fn waiting_ends_when_the_book_is_as_wanted() {
    let till = Arc::new(Till::open().await);
    let order = till.order(9);
    let waiting = till
        .simulator
        .wait_until(|book| book.order(id(&order)).is_some());
    let (book, approved) = tokio::join!(timeout(AT_ONCE, waiting), till.post("/orders", &order));
    assert_eq!(
        (book.unwrap().count(Operation::CreateOrder), approved.status),
        (1, 201)
    );
    let second = till.order(9);
    let (book, _) = tokio::join!(
        timeout(AT_ONCE, till.simulator.received(Operation::CreateOrder, 2)),
        till.post("/orders", &second)
    );
    assert_eq!(book.unwrap().messages().count(), 2);
}

#[tokio::test]
async fn down_refuses_connections_cuts_those_that_stand_and_keeps_the_port() {
    let till = Till::open().await;
    let (order, reference) = till.sold(9).await;
    let mut standing = TcpStream::connect(till.simulator.address()).await.unwrap();
    till.simulator.go_down().await.unwrap();
    till.simulator.go_down().await.unwrap();
    let read = timeout(AT_ONCE, standing.read(&mut [0; 1])).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)));
    assert!(
        till.try_post("/orders", &till.order(1))
            .await
            .unwrap_err()
            .is_connect()
    );
    let refused = TcpStream::connect(till.simulator.address())
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    till.simulator.come_up().await.unwrap();
    till.simulator.come_up().await.unwrap();
    let found = till
        .get(&format!("/orders?orderRedeemRef={reference}"))
        .await;
    assert_eq!(found.status, 200, "the records are kept");
    assert_eq!(
        till.simulator.book().order(id(&order)).unwrap().state(),
        OrderState::Confirmed
    );
    for _ in 0..20 {
        till.simulator.go_down().await.unwrap();
        till.simulator.come_up().await.unwrap();
        assert_eq!(till.post("/orders", &till.order(1)).await.status, 201);
    }
}

#[tokio::test]
async fn down_cuts_a_message_that_a_fault_holds() {
    let till = Till::open().await;
    till.simulator.inject(Rule::any().fault(Fault::Hang));
    let order = till.order(1);
    let down = async {
        till.simulator.received(Operation::CreateOrder, 1).await;
        till.simulator.go_down().await.unwrap();
    };
    let (outcome, ()) = tokio::join!(timeout(AT_ONCE, till.try_post("/orders", &order)), down);
    assert!(!outcome.unwrap().unwrap_err().is_timeout());
    assert_eq!(till.simulator.book().requests_of(id(&order)).processed(), 0);
}

#[tokio::test]
async fn dropping_the_simulator_ends_it() {
    let till = Till::open().await;
    let address = till.simulator.address();
    let mut standing = TcpStream::connect(address).await.unwrap();
    drop(till);
    let read = timeout(AT_ONCE, standing.read(&mut [0; 1])).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)));
    timeout(AT_ONCE, async {
        while TcpListener::bind(address).await.is_err() {}
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn the_observer_sees_each_message_when_it_is_over() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&seen);
    let builder = Simulator::builder()
        .remember(1)
        .inject(
            Rule::on(Operation::CreateOrder)
                .nth(2)
                .fault(Fault::LoseAnswer),
        )
        .observe(move |message| {
            lines
                .lock()
                .unwrap()
                .push((message.operation(), message.answered()))
        });
    let till = Till::at(builder).await;
    let order = till.order(1);
    till.post("/orders", &order).await;
    assert!(till.try_post("/orders", &till.order(1)).await.is_err());
    till.post("/orders/confirmations", &till.advice(&order))
        .await;
    let expected = [
        (Operation::CreateOrder, Some(201)),
        (Operation::CreateOrder, None),
        (Operation::ConfirmPayment, Some(202)),
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
    assert_eq!(
        till.simulator.book().messages().count(),
        1,
        "the book was told to remember one"
    );
    assert_eq!(
        till.simulator.book().orders().count(),
        2,
        "and orders are always kept"
    );
}

#[tokio::test]
async fn the_observer_of_receipts_sees_a_message_that_hangs_with_its_fault() {
    let (seen, mut received) = tokio::sync::mpsc::unbounded_channel();
    let builder = Simulator::builder()
        .inject(Rule::any().fault(Fault::Hang))
        .observe_received(move |message| seen.send(message.clone()).unwrap());
    let till = Till::at(builder).await;
    let order = till.order(1);
    let message = tokio::select! {
        answered = till.try_post("/orders", &order) => panic!("{answered:?}"),
        message = received.recv() => message.unwrap(),
    };
    assert_eq!(message.operation(), Operation::CreateOrder);
    assert_eq!(message.request_id(), Some(id(&order)));
    assert_eq!(message.fault(), Some(&Fault::Hang));
    assert_eq!((message.processed(), message.answered()), (0, None));
}

#[tokio::test]
async fn the_observer_of_strays_sees_every_request_that_is_no_message() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&seen);
    let till = Till::at(Simulator::builder().observe_strays(move |stray| {
        let line = format!("{} {} {}", stray.method(), stray.path(), stray.status());
        lines.lock().unwrap().push(line);
    }))
    .await;
    till.get("/nowhere?idNumber=8001015009087").await;
    till.put("/orders", &till.order(1)).await;
    let mut long = till.order(1);
    long["basketRef"] = "x".repeat(5 * 1024 * 1024).into();
    till.post("/orders", &long).await;
    till.post("/testServerAdmin/reset?clientId=1", &long["amount"])
        .await;
    till.post("/orders", &till.order(1)).await;
    let expected = [
        "GET /moneytransfer/v2/nowhere 404",
        "PUT /moneytransfer/v2/orders 405",
        "POST /moneytransfer/v2/orders 413",
        "POST /moneytransfer/v2/testServerAdmin/reset 204",
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
    assert_eq!(till.simulator.book().strays(), 3, "a reset is at home here");
}

#[tokio::test]
async fn the_base_url_names_the_port() {
    let simulator = Simulator::start().await.unwrap();
    let port = simulator.address().port();
    assert_eq!(
        simulator.base_url(),
        format!("http://127.0.0.1:{port}/moneytransfer/v2")
    );
    let taken = Simulator::builder()
        .listen(simulator.address())
        .start()
        .await
        .unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);
}
