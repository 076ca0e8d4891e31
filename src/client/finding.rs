//! Finding requests by what the till calls them.

use super::{Client, DecisionError};
use crate::saf::{LedgerError, LedgerPage, List, TillReference, TransactionRecord};

/// How many transactions are read at a time.
const PAGE: usize = 256;

/// How many requests are found at the most.
const FOUND_LIMIT: usize = 1_000;

impl Client {
    /// The requests whose till reference has every part that `wanted` names: first those that are open,
    /// oldest first, then those that ended, in that order; the first 1,000 of them.
    ///
    /// Reads the whole queue.
    ///
    /// # Errors
    /// As for [`transaction`](Client::transaction).
    pub fn find(&self, wanted: &TillReference) -> Result<Vec<TransactionRecord>, DecisionError> {
        let ledger = &self.core.ledger;
        let mut found = Vec::new();
        for list in List::ALL {
            self.search(wanted, &mut found, |after| ledger.page(list, after, PAGE))?;
        }
        found.truncate(FOUND_LIMIT);
        Ok(found)
    }

    fn search(
        &self,
        wanted: &TillReference,
        found: &mut Vec<TransactionRecord>,
        read: impl Fn(Option<u64>) -> Result<LedgerPage, LedgerError>,
    ) -> Result<(), DecisionError> {
        let mut after = None;
        while found.len() < FOUND_LIMIT {
            let page = read(after)?;
            let matching = page.transactions.into_iter();
            let matching = matching.filter(|one| one.till_reference.matches(wanted));
            found.extend(matching.map(|one| TransactionRecord::new(one, self.core.whereabouts())));
            match page.last {
                Some(last) => after = Some(last),
                None => break,
            }
        }
        Ok(())
    }
}
