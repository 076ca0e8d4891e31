//! What a till does on a disk that is full from some point on, and what has to come of it.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use money_transfer_retailer::model::{
    CreateOrderResponse, Operation, RequestId, ReversalReason, ThirdPartyIdentifier,
    ThirdPartyIdentifiers,
};
use money_transfer_retailer::simulator::{Fault, Rule, Simulator};
use money_transfer_retailer::{
    Approved, Client, DecisionError, OpenError, OrderOutcome, RequestError, StoreError,
};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::small_disk::Rival;
use crate::support::{PATIENCE, impatient, order, order_of, till};

/// How many points there are at which the disk can become full.
pub const POINTS: usize = 9;

/// The queue may look for room no more often than this.
const ROOM_IS_NOTICED: Duration = Duration::from_secs(60);

/// Thousands of advices may be waiting.
const LONGEST_DRAIN: Duration = Duration::from_secs(120);

/// How long an answer is on its way that arrives when the disk is full.
const LATE: Duration = Duration::from_millis(300);

/// How many requests are under way when the disk becomes full.
const UNDER_WAY: usize = 12;

type Sale = Result<OrderOutcome<CreateOrderResponse>, RequestError>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Confirm,
    Reverse,
}

/// A till on a small disk, and what it was told.
pub struct Session {
    disk: PathBuf,
    upstream: Simulator,
    till: Option<Client>,
    rival: Option<Rival>,
    undecided: Vec<RequestId>,
    acknowledged: Vec<(RequestId, Decision)>,
    /// Decisions for which there was no room.
    postponed: Vec<(RequestId, Decision)>,
    /// Requests that were never sent.
    refused: Vec<RequestId>,
    refused_opens: usize,
}

impl Session {
    pub async fn start(disk: PathBuf) -> Session {
        Session {
            disk,
            upstream: Simulator::start().await.unwrap(),
            till: None,
            rival: None,
            undecided: Vec::new(),
            acknowledged: Vec::new(),
            postponed: Vec::new(),
            refused: Vec::new(),
            refused_opens: 0,
        }
    }

    /// Goes through a session whose disk is full from `point` on, until all is over.
    pub async fn run(&mut self, point: usize, is_greedy: bool) -> String {
        for step in 0..POINTS {
            if step == point {
                self.rival = Some(Rival::fill(&self.disk, is_greedy));
            }
            self.step(step).await;
        }
        self.get_room_back().await;
        self.settle_everything().await;
        self.audit()
    }

    async fn step(&mut self, step: usize) {
        match step {
            0 => self.open().await,
            1 | 4 => {
                self.sell().await;
            }
            2 => self.sell_while_it_fills_up().await,
            3 => self.decide(Decision::Confirm).await,
            5 => self.decide(Decision::Reverse).await,
            6 => self.restart().await,
            7 => self.roll_over().await,
            _ => {
                self.sell().await;
                self.decide(Decision::Confirm).await;
            }
        }
    }

    async fn open(&mut self) {
        let queue = self.disk.join("queue");
        let till = till(&self.upstream.base_url(), &queue)
            .retry_policy(impatient().parallel(8))
            .timeout(Duration::from_secs(2));
        match till.open().await {
            Ok(till) => self.till = Some(till),
            Err(error) if self.rival.is_some() && is_full(&error) => self.refused_opens += 1,
            Err(error) => panic!("{error:?}"),
        }
    }

    async fn restart(&mut self) {
        if let Some(till) = self.till.take() {
            till.shutdown(PATIENCE).await;
        }
        self.open().await;
    }

    /// Sells one order. A till that is not open sells nothing.
    async fn sell(&mut self) -> Option<()> {
        let till = self.till.clone()?;
        let request = order();
        let id = request.id;
        let sale = till.create_order(request).await;
        self.take_note(id, sale)
    }

    fn take_note(&mut self, id: RequestId, sale: Sale) -> Option<()> {
        match sale {
            Ok(OrderOutcome::Approved(approved)) => self.undecided.push(approved.request_id()),
            Ok(OrderOutcome::Declined(_)) => {}
            Err(RequestError::NotJournaled {
                source: StoreError::Full { .. },
                ..
            }) => {
                self.refused.push(id);
                return None;
            }
            // Room for an approval is kept before a request is sent.
            other => panic!("{other:?}"),
        }
        Some(())
    }

    /// The answers to requests that were sent in time find the disk full.
    async fn sell_while_it_fills_up(&mut self) {
        let Some(till) = self.till.clone() else {
            return;
        };
        let late = Rule::on(Operation::CreateOrder).always();
        self.upstream.inject(late.fault(Fault::SlowHeaders(LATE)));
        let sales: Vec<(RequestId, JoinHandle<Sale>)> = (0..UNDER_WAY)
            .map(|_| {
                let (till, request) = (till.clone(), order());
                let id = request.id;
                (
                    id,
                    tokio::spawn(async move { till.create_order(request).await }),
                )
            })
            .collect();
        sleep(LATE / 2).await;
        let is_full = self.rival.is_some();
        let filled = (!is_full).then(|| Rival::fill(&self.disk, false));
        for (id, sale) in sales {
            let sale = sale.await.unwrap();
            self.take_note(id, sale);
        }
        if let Some(rival) = filled {
            rival.leave();
        }
        self.upstream.clear_faults();
    }

    async fn decide(&mut self, decision: Decision) {
        let Some(id) = self.undecided.pop() else {
            return;
        };
        let Some(till) = self.till.clone() else {
            return self.postponed.push((id, decision));
        };
        match ask(&till, id, decision).await {
            Ok(()) => self.acknowledged.push((id, decision)),
            Err(DecisionError::Full(_)) => panic!("there was no room for the decision on {id}"),
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Makes so many records that the journal goes on in its next segment, if it may.
    async fn roll_over(&mut self) {
        let Some(till) = self.till.clone() else {
            return;
        };
        for _ in 0..200 {
            let mut request = order_of(10_000_000_000);
            let long = ThirdPartyIdentifier::new("588892", "x".repeat(12_000));
            request.third_party_identifiers = ThirdPartyIdentifiers::from(vec![long]);
            let id = request.id;
            let sale = till.create_order(request).await;
            if self.take_note(id, sale).is_none() {
                return;
            }
        }
    }

    /// From now on there is room: the queue notices by itself.
    async fn get_room_back(&mut self) {
        if let Some(rival) = self.rival.take() {
            rival.leave();
        }
        if self.till.is_none() {
            self.open().await;
        }
        let start = Instant::now();
        while self.sell().await.is_none() {
            assert!(start.elapsed() < ROOM_IS_NOTICED, "the room is not noticed");
            sleep(Duration::from_millis(200)).await;
        }
    }

    async fn settle_everything(&mut self) {
        let till = self.till.clone().unwrap();
        for (id, decision) in std::mem::take(&mut self.postponed) {
            ask(&till, id, decision).await.unwrap();
            self.acknowledged.push((id, decision));
        }
        for id in std::mem::take(&mut self.undecided) {
            ask(&till, id, Decision::Reverse).await.unwrap();
            self.acknowledged.push((id, Decision::Reverse));
        }
        till.advices().wait_empty(LONGEST_DRAIN).await.unwrap();
        // What could not be stored is reversed by itself.
        let settled = async {
            while self.book_has_unsettled() {
                sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(PATIENCE, settled)
            .await
            .expect("an order stays unsettled");
        till.advices().wait_empty(PATIENCE).await.unwrap();
        assert!(till.advices().undecided().unwrap().is_empty());
        assert!(till.advices().rejected().unwrap().is_empty());
    }

    fn book_has_unsettled(&self) -> bool {
        let book = self.upstream.book();
        book.orders()
            .any(|order| order.confirmations().is_empty() && order.reversals().is_empty())
    }

    fn audit(&self) -> String {
        let book = self.upstream.book();
        for (id, decision) in &self.acknowledged {
            let (taken, other) = match decision {
                Decision::Confirm => (book.confirmations_of(id), book.reversals_of(id)),
                Decision::Reverse => (book.reversals_of(id), book.confirmations_of(id)),
            };
            assert_eq!(taken.accepted(), 1, "{decision:?} of {id} is lost");
            assert_eq!(
                taken.distinct_bodies(),
                1,
                "{decision:?} of {id} was altered"
            );
            assert_eq!(other.received(), 0, "{id} went both ways");
        }
        for id in &self.refused {
            let sent = book.requests_of(id).received();
            assert_eq!(sent, 0, "{id} was refused, and sent");
        }
        format!(
            "{} decisions acknowledged and delivered, {} requests and {} opens refused",
            self.acknowledged.len(),
            self.refused.len(),
            self.refused_opens
        )
    }
}

/// Whether that is why a queue cannot be opened. One that is to be made has no directory yet.
fn is_full(error: &OpenError) -> bool {
    match error {
        OpenError::Store(StoreError::Full { .. }) => true,
        OpenError::Directory { source, .. } => source.kind() == ErrorKind::StorageFull,
        _ => false,
    }
}

async fn ask(till: &Client, id: RequestId, decision: Decision) -> Result<(), DecisionError> {
    match decision {
        Decision::Confirm => till.confirm(id).await,
        Decision::Reverse => till.reverse(id, ReversalReason::Cancelled).await,
    }
    .map(drop)
}

/// Of the reserve.
const SALES: usize = 6_400;
const LANES: usize = 64;

impl Session {
    /// Fills the disk when many orders wait for a decision, sells until the queue refuses, and then
    /// decides until there is no room left.
    pub async fn measure_reserve(&mut self) -> String {
        self.open().await;
        for _ in 0..SALES / LANES {
            self.sell_in_lanes().await;
        }
        self.upstream.go_down().await.unwrap();
        self.rival = Some(Rival::fill(&self.disk, true));
        self.use_up_what_is_not_kept().await;
        let (mut stored, mut waiting) = (0, std::mem::take(&mut self.undecided));
        let till = self.till.clone().unwrap();
        while let Some(id) = waiting.pop() {
            match ask(&till, id, Decision::Confirm).await {
                Ok(()) => {
                    stored += 1;
                    self.acknowledged.push((id, Decision::Confirm));
                }
                Err(DecisionError::Full(StoreError::Full { .. })) => {
                    self.postponed.push((id, Decision::Confirm));
                    break;
                }
                Err(error) => panic!("{error:?}"),
            }
        }
        assert!(!self.postponed.is_empty(), "all {stored} decisions fitted");
        self.undecided = waiting;
        self.upstream.come_up().await.unwrap();
        self.get_room_back().await;
        self.settle_in_lanes().await;
        self.settle_everything().await;
        format!(
            "{stored} decisions, one after the other, fitted into the room that was kept; {}",
            self.audit_quickly()
        )
    }

    async fn sell_in_lanes(&mut self) {
        let till = self.till.clone().unwrap();
        let sales: Vec<JoinHandle<Option<Approved<CreateOrderResponse>>>> = (0..LANES)
            .map(|_| {
                let till = till.clone();
                tokio::spawn(async move { till.create_order(order()).await.unwrap().approved() })
            })
            .collect();
        for sale in sales {
            let approved = sale.await.unwrap().expect("the simulator approves");
            self.undecided.push(approved.request_id());
        }
    }

    /// Requests that cannot be sent take room, until the queue refuses them.
    async fn use_up_what_is_not_kept(&mut self) {
        let till = self.till.clone().unwrap();
        for _ in 0..200 {
            let mut request = order();
            let long = ThirdPartyIdentifier::new("588892", "x".repeat(12_000));
            request.third_party_identifiers = ThirdPartyIdentifiers::from(vec![long]);
            match till.create_order(request).await {
                Ok(OrderOutcome::NotSent(_)) => {}
                Err(RequestError::NotJournaled { .. }) => return,
                other => panic!("{other:?}"),
            }
        }
        panic!("the queue never refused");
    }

    async fn settle_in_lanes(&mut self) {
        let till = self.till.clone().unwrap();
        let waiting = std::mem::take(&mut self.undecided);
        for some in waiting.chunks(LANES) {
            let reversals: Vec<JoinHandle<()>> = some
                .iter()
                .map(|id| {
                    let (till, id) = (till.clone(), *id);
                    tokio::spawn(async move { ask(&till, id, Decision::Reverse).await.unwrap() })
                })
                .collect();
            for reversal in reversals {
                reversal.await.unwrap();
            }
        }
    }

    /// The book's own look-ups go through all messages, which is too slow for as many.
    fn audit_quickly(&self) -> String {
        let book = self.upstream.book();
        let confirmed: std::collections::HashSet<&str> = book
            .orders()
            .filter(|order| order.confirmations().len() == 1 && order.reversals().is_empty())
            .map(|order| order.request_id())
            .collect();
        let lost = self.acknowledged.iter().filter(|(id, decision)| {
            *decision == Decision::Confirm && !confirmed.contains(id.to_string().as_str())
        });
        assert_eq!(lost.count(), 0, "decisions are lost");
        format!("all {} confirmations arrived", confirmed.len())
    }
}
