//! An answer that comes after the timeout is logged with the id of its request and the delay, and changes nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "http/mod.rs"]
mod raw;
mod support;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use money_transfer_retailer::model::ReversalReason;
use money_transfer_retailer::simulator::{Fault, Operation, Rule};
use money_transfer_retailer::{Credentials, OrderOutcome, Standing};
use raw::answers::{bare, good};
use raw::desk::Desk;
use raw::server::Upstream;
use support::{PATIENCE, Shop, TIMEOUT, approved, impatient, order};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// The lines about late answers.
    fn late(&self) -> Vec<String> {
        let log = self.0.lock().unwrap();
        let text = String::from_utf8_lossy(&log);
        let late = text.lines().filter(|line| line.contains("came too late"));
        late.map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn a_late_answer_is_logged_with_its_delay_and_ignored() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone());
    tracing::subscriber::set_global_default(subscriber.finish()).unwrap();

    let shop = Shop::open().await;
    let slow = Fault::SlowHeaders(2 * TIMEOUT);
    let requests = 80;
    let rule = Rule::on(Operation::CreateOrder).next(requests).fault(slow);
    shop.upstream.inject(rule);
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..requests {
        let till = shop.till.clone();
        asked.spawn(async move { till.create_order(order()).await.unwrap() });
    }
    let mut ids = Vec::new();
    while let Some(outcome) = asked.join_next().await {
        let OrderOutcome::Unknown(unknown) = outcome.unwrap() else {
            panic!("it was in time");
        };
        ids.push(unknown.request_id);
    }
    let logged = async {
        while log.late().len() < 64 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, logged).await.unwrap();
    shop.drained().await;
    // The others had no listener: how many there are at a time is bounded.
    let late = log.late();
    assert!((64..=80).contains(&late.len()), "{}", late.len());
    for line in &late {
        let id = ids.iter().find(|id| line.contains(&id.to_string()));
        let transaction = shop.till.transaction(*id.unwrap()).unwrap().unwrap();
        assert_eq!(transaction.standing, Standing::Reversed);
        assert_eq!(
            transaction.advice.unwrap().reason,
            Some(ReversalReason::Timeout)
        );
        assert!(
            line.contains("status=201") && line.contains("delay="),
            "{line}"
        );
    }
    assert!(shop.till.advices().undecided().unwrap().is_empty());
}

#[tokio::test]
async fn a_repeat_keeps_its_bytes_and_carries_the_password_in_force() {
    let upstream = Upstream::answering(|request| {
        let is_old = request.header("authorization") == Some("Basic MTIzNDU2NzpwYXNzd29yZA==");
        match request.path().ends_with("/confirmations") && is_old {
            true => bare(401, ""),
            false => good(request),
        }
    })
    .await;
    let base_url = upstream.base_url();
    let desk = Desk::open_with(&base_url, |till| till.retry_policy(impatient())).await;
    let sold = approved(desk.till.create_order(order()).await.unwrap());
    sold.confirm().await.unwrap();
    upstream.wait_for(4).await;
    let new = Credentials::new("1234567", "another");
    desk.till.replace_credentials(new).unwrap();
    desk.drained().await;
    let path = "/orders/confirmations";
    let sent = upstream.received_at("POST", path);
    let passwords: Vec<_> = sent.iter().map(|one| one.header("authorization")).collect();
    assert_ne!(passwords.first(), passwords.last());
    assert!(sent.len() >= 4);
    assert!(sent.iter().all(|one| one.body == sent[0].body));
}
