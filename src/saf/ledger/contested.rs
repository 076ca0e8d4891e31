//! Orders whose earlier reversal is not settled: a late reversal could reopen what a new request pays
//! out, or cancels.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use super::super::Transaction;
use super::LedgerError;
use super::records::{List, PAGE, is_about_an_order, listing, load, may_be_marked};
use crate::model::RequestId;
use crate::store::{Store, StoreError};

/// Reversals that are under way, with what is known of their orders.
#[derive(Debug, Default)]
pub(super) struct Contested {
    hasher: RandomState,
    reversals: HashMap<RequestId, Order>,
}

/// What is known of an order, as keyed hashes: nobody who looks at this memory can collect anything
/// with it.
#[derive(Clone, Copy, Debug)]
struct Order {
    /// Of its reference; `None` where the receipt cannot be read any more.
    reference: Option<u64>,
    /// Of the end of it, which stays in the record.
    end: u64,
}

impl Order {
    /// Whether it may be the same one: where a reference cannot be read, in doubt it is.
    fn may_be(self, other: Order) -> bool {
        match (self.reference, other.reference) {
            (Some(one), Some(another)) => one == another,
            _ => self.end == other.end,
        }
    }
}

impl Contested {
    pub(super) fn of(store: &dyn Store) -> Result<Contested, StoreError> {
        let mut contested = Contested::default();
        for list in [List::Pending, List::Refused] {
            contested.read(store, list)?;
        }
        Ok(contested)
    }

    fn read(&mut self, store: &dyn Store, list: List) -> Result<(), StoreError> {
        let mut behind = None;
        loop {
            let page = store.page(list.prefix(), behind.as_deref(), PAGE)?;
            for (key, _) in page.iter().filter(|(_, value)| may_be_marked(value)) {
                let (_, id) = listing(key)?;
                match load(store, id) {
                    Ok(transaction) => transaction.iter().for_each(|one| self.follow(one)),
                    // It is listed as damaged, and nothing is known of its order.
                    Err(StoreError::Damaged { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            match page.into_iter().next_back() {
                Some((last, _)) => behind = Some(last),
                None => return Ok(()),
            }
        }
    }

    /// Takes note of what became of `transaction`.
    pub(super) fn follow(&mut self, transaction: &Transaction) {
        match self.order_of(transaction) {
            Some(order) if is_under_way(transaction) => {
                self.reversals.insert(transaction.request_id, order);
            }
            _ => {
                self.reversals.remove(&transaction.request_id);
            }
        }
    }

    /// Refuses a request for an order whose earlier reversal is under way, or is decided on in what is
    /// `queued` for the same commit.
    pub(super) fn check<'a>(
        &self,
        request: &Transaction,
        mut queued: impl Iterator<Item = &'a Transaction>,
    ) -> Result<(), LedgerError> {
        let Some(order) = self.order_of(request) else {
            return Ok(());
        };
        let durable = self
            .reversals
            .iter()
            .find(|(_, other)| order.may_be(**other));
        let earlier = durable.map(|(reversed, _)| *reversed).or_else(|| {
            let is_it = |one: &&Transaction| {
                let other = self.order_of(one);
                is_under_way(one) && other.is_some_and(|other| order.may_be(other))
            };
            queued.find(is_it).map(|one| one.request_id)
        });
        earlier.map_or(Ok(()), |reversed| {
            Err(LedgerError::EarlierReversalPending { reversed })
        })
    }

    /// The order that is paid out or cancelled; a new one has no earlier requests.
    fn order_of(&self, transaction: &Transaction) -> Option<Order> {
        if !is_about_an_order(transaction) {
            return None;
        }
        let reference = transaction.receipt.order_redeem_ref.as_ref();
        Some(Order {
            reference: reference.map(|reference| self.hasher.hash_one(reference.expose())),
            end: self
                .hasher
                .hash_one(transaction.masked_redeem_ref.as_ref()?),
        })
    }
}

/// Whether its reversal is decided on, and the upstream has not taken it. One that was refused may be sent
/// again.
fn is_under_way(transaction: &Transaction) -> bool {
    let advice = transaction.advice().filter(|_| !transaction.is_final());
    advice.is_some_and(|advice| advice.reason.is_some())
}
