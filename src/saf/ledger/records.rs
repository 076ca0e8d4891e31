//! The records of the ledger: their keys, and how they are read and put away.

use zeroize::Zeroizing;

use super::super::{Receipt, Transaction};
use super::{DamagedRecord, Page};
use crate::model::RequestId;
use crate::store::{Kept, Store, StoreError, open_record};

const TRANSACTION: &[u8] = b"t";
pub(super) const OPEN: &[u8] = b"o";
pub(super) const HISTORIC: &[u8] = b"h";
pub(super) const BINDING: &[u8] = b"b";

/// Erases the receipts of transactions that are final, or were never approved: the power went before
/// that could be done.
pub(super) fn sweep_vault(store: &dyn Store) -> Result<(), StoreError> {
    for (owner, at) in store.vault().all() {
        let id = RequestId::from_uuid(uuid::Uuid::from_bytes(owner));
        let is_needed = match load(store, id) {
            Ok(found) => found.is_some_and(|transaction| transaction.receipt_at == Some(at)),
            // Nobody can tell, so it stays.
            Err(StoreError::Damaged { .. }) => true,
            Err(error) => return Err(error),
        };
        if !is_needed {
            store.vault().erase(owner, at);
        }
    }
    Ok(())
}

pub(super) fn transaction_key(id: RequestId) -> Vec<u8> {
    [TRANSACTION, id.as_uuid().as_bytes()].concat()
}

/// The request whose record stands under `key`, if it is one of a request.
pub(in crate::saf) fn request_of(key: &[u8]) -> Option<RequestId> {
    let id = uuid::Uuid::from_slice(key.strip_prefix(TRANSACTION)?).ok()?;
    Some(RequestId::from_uuid(id))
}

pub(super) fn list_key(prefix: &[u8], number: u64, id: RequestId) -> Vec<u8> {
    [prefix, &number.to_be_bytes(), id.as_uuid().as_bytes()].concat()
}

/// A key behind all of `number` in a list, and before all of the next one.
pub(super) fn behind_in(prefix: &[u8], number: u64) -> Vec<u8> {
    [prefix, &number.to_be_bytes(), &[0xff; 17]].concat()
}

/// The number and the request that the key of a list names.
pub(super) fn listing(key: &[u8]) -> Result<(u64, RequestId), StoreError> {
    let parts = key.get(1..).and_then(|rest| rest.split_first_chunk());
    let parts = parts.and_then(|(number, id)| Some((number, uuid::Uuid::from_slice(id).ok()?)));
    let (number, id) = parts.ok_or_else(|| StoreError::Damaged {
        reason: "a key of a list names no request".to_owned(),
    })?;
    Ok((u64::from_be_bytes(*number), RequestId::from_uuid(id)))
}

pub(super) fn first_number(store: &dyn Store, prefix: &[u8]) -> Result<u64, StoreError> {
    match store.page(prefix, None, 1)?.first() {
        Some((key, _)) => listing(key).map(|(number, _)| number),
        None => Ok(0),
    }
}

pub(super) fn next_number(store: &dyn Store, prefix: &[u8]) -> Result<u64, StoreError> {
    match store.last(prefix)? {
        Some((key, _)) => listing(&key)?
            .0
            .checked_add(1)
            .ok_or_else(|| StoreError::Damaged {
                reason: "a list has no number left".to_owned(),
            }),
        None => Ok(0),
    }
}

pub(super) fn load(store: &dyn Store, id: RequestId) -> Result<Option<Transaction>, StoreError> {
    let key = transaction_key(id);
    let Some(sealed) = store.read(&key)? else {
        return Ok(None);
    };
    let damaged = |reason: String| StoreError::Damaged { reason };
    let payload = open_record(&key, &sealed).map_err(|error| damaged(error.to_string()))?;
    let mut transaction: Transaction =
        serde_json::from_slice(payload).map_err(|error| damaged(error.to_string()))?;
    if let Some(at) = transaction.receipt_at {
        transaction.receipt = load_receipt(store, id, at)?.unwrap_or_default();
    }
    Ok(Some(transaction))
}

/// A receipt that is damaged, or sealed with another key, is no reason to lose the rest.
fn load_receipt(store: &dyn Store, id: RequestId, at: Kept) -> Result<Option<Receipt>, StoreError> {
    let kept = store.vault().kept(*id.as_uuid().as_bytes(), at)?;
    let receipt = kept.and_then(|json| serde_json::from_slice(&json).ok());
    if receipt.is_none() {
        tracing::warn!(request_id = %id, "the receipt of a request cannot be read");
    }
    Ok(receipt)
}

pub(super) fn list(
    store: &dyn Store,
    list: &[u8],
    after: Option<u64>,
    limit: usize,
) -> Result<Page, StoreError> {
    let after = after.map(|number| behind_in(list, number));
    let listed = store.page(list, after.as_deref(), limit)?;
    let mut page = Page::default();
    for (key, _) in listed {
        let (number, id) = listing(&key)?;
        page.last = Some(number);
        match load_listed(store, id) {
            Ok(found) => page.transactions.push(found),
            Err(StoreError::Damaged { reason }) => page.damaged.push(DamagedRecord {
                request_id: id,
                reason,
            }),
            Err(error) => return Err(error),
        }
    }
    Ok(page)
}

/// Puts the receipt of a transaction away, where it has one that is not.
pub(super) fn keep_receipt(
    store: &dyn Store,
    transaction: &mut Transaction,
) -> Result<(), StoreError> {
    if transaction.receipt_at.is_some() || transaction.receipt.is_empty() {
        return Ok(());
    }
    let json = serde_json::to_vec(&transaction.receipt).map_err(|error| StoreError::Damaged {
        reason: error.to_string(),
    })?;
    let owner = *transaction.request_id.as_uuid().as_bytes();
    transaction.receipt_at = Some(store.vault().keep(owner, &Zeroizing::new(json))?);
    Ok(())
}

/// The transaction that a list names: without its record it would silently be forgotten.
fn load_listed(store: &dyn Store, id: RequestId) -> Result<Transaction, StoreError> {
    load(store, id)?.ok_or_else(|| StoreError::Damaged {
        reason: "it is listed and has no record".to_owned(),
    })
}

pub(super) fn check_size(length_bytes: usize) -> Result<(), StoreError> {
    match length_bytes > crate::store::VALUE_LIMIT_BYTES {
        true => Err(StoreError::TooLarge { length_bytes }),
        false => Ok(()),
    }
}
