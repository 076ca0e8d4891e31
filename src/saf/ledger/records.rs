//! The records of the ledger: their keys, and how they are read and put away.

use zeroize::Zeroizing;

use super::super::{Receipt, Transaction};
use super::{DamagedRecord, Page};
use crate::model::{AdviceId, Currency, Operation, RequestId};
use crate::store::{Batch, Kept, Store, StoreError, open_record};

/// How many entries of a list are read at a time.
pub(super) const PAGE: usize = 256;

const TRANSACTION: &[u8] = b"t";

/// The lists of transactions. Each transaction is in one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    /// Without an outcome or a decision, or known upstream before they came, in the order in which they began.
    Undecided,
    /// With an advice that is to be sent, in the order of the decisions.
    Pending,
    /// With an advice that the upstream refused, in the order of the decisions.
    Refused,
    /// With nothing left to do, in the order in which they ended.
    Ended,
}

impl List {
    pub(crate) const ALL: [List; 4] = [List::Undecided, List::Pending, List::Refused, List::Ended];

    /// The one that `transaction` is in.
    pub(super) fn of(transaction: &Transaction) -> List {
        if transaction.is_final() {
            List::Ended
        } else if transaction.pending_advice().is_some() {
            List::Pending
        } else if transaction.advice().is_some() {
            List::Refused
        } else {
            List::Undecided
        }
    }

    pub(super) fn prefix(self) -> &'static [u8] {
        match self {
            List::Undecided => b"o",
            List::Pending => b"p",
            List::Refused => b"r",
            List::Ended => b"h",
        }
    }

    /// The key of the `number`th entry.
    pub(super) fn key(self, number: u64, id: RequestId) -> Vec<u8> {
        let number = number.to_be_bytes();
        [self.prefix(), &number, id.as_uuid().as_bytes()].concat()
    }

    /// A key behind all of `number`.
    pub(super) fn key_behind(self, number: u64) -> Vec<u8> {
        [self.prefix(), &number.to_be_bytes(), &[0xff; 17]].concat()
    }
}

/// Where the lists other than that of the ended ones name `transaction`.
pub(super) fn open_list_key(transaction: &Transaction) -> Option<Vec<u8>> {
    let list = List::of(transaction);
    let number = match list {
        List::Undecided => transaction.sequence,
        List::Pending | List::Refused => transaction.advice_number.unwrap_or_default(),
        List::Ended => return None,
    };
    Some(list.key(number, transaction.request_id))
}

/// Puts those transactions back on their lists whose entries damage took. Says how many.
///
/// A decision and its entry are changes of one frame, and damage may leave the one without the other.
pub(super) fn relist(store: &dyn Store) -> Result<usize, StoreError> {
    let (mut relisted, mut behind) = (0, None);
    loop {
        let page = store.page(TRANSACTION, behind.as_deref(), PAGE)?;
        let mut batch = Batch::default();
        for id in page.iter().filter_map(|(key, _)| request_of(key)) {
            let transaction = match load(store, id) {
                Ok(Some(transaction)) => transaction,
                Ok(None) | Err(StoreError::Damaged { .. }) => continue,
                Err(error) => return Err(error),
            };
            let Some(entry) = open_list_key(&transaction) else {
                continue;
            };
            let value = list_value(&transaction);
            // Missing, or only known to have been there.
            if store.read(&entry)?.as_deref() != Some(&value) {
                batch.put(entry, value);
                relisted += 1;
            }
        }
        if !batch.is_empty() {
            store.commit(&batch)?;
        }
        match page.into_iter().next_back() {
            Some((last, _)) => behind = Some(last),
            None => return Ok(relisted),
        }
    }
}

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

/// The number and the request that the key of a list names.
pub(super) fn listing(key: &[u8]) -> Result<(u64, RequestId), StoreError> {
    let parts = key.get(1..).and_then(|rest| rest.split_first_chunk());
    let parts = parts.and_then(|(number, id)| Some((number, uuid::Uuid::from_slice(id).ok()?)));
    let (number, id) = parts.ok_or_else(|| StoreError::Damaged {
        reason: "a key of a list names no request".to_owned(),
    })?;
    Ok((u64::from_be_bytes(*number), RequestId::from_uuid(id)))
}

pub(super) fn first_number(store: &dyn Store, list: List) -> Result<u64, StoreError> {
    match store.page(list.prefix(), None, 1)?.first() {
        Some((key, _)) => listing(key).map(|(number, _)| number),
        None => Ok(0),
    }
}

pub(super) fn next_number(store: &dyn Store, list: List) -> Result<u64, StoreError> {
    match store.last(list.prefix())? {
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

/// What a list says of `transaction` beside its name: the id of its advice, behind a mark on those
/// that can keep later requests for their order waiting.
pub(super) fn list_value(transaction: &Transaction) -> Vec<u8> {
    match transaction.advice() {
        Some(advice) => {
            let mark = u8::from(advice.reason.is_some() && is_about_an_order(transaction));
            [&[mark], &advice.id.as_uuid().as_bytes()[..]].concat()
        }
        None => Vec::new(),
    }
}

/// Whether the value of a list's entry has the mark, or may have had it: damage can take that.
pub(super) fn may_be_marked(value: &[u8]) -> bool {
    value.first() != Some(&0)
}

/// Whether it is about an order that was there before.
pub(super) fn is_about_an_order(transaction: &Transaction) -> bool {
    matches!(
        transaction.operation,
        Operation::RedeemOrder | Operation::CancelOrder
    )
}

/// The money that its pending confirmation is about, in minor units.
pub(super) fn owed(transaction: &Transaction) -> Option<(Currency, i64)> {
    let advice = transaction.pending_advice()?;
    let approved = transaction
        .approval
        .as_ref()
        .map(|approval| &approval.amount);
    let money = advice.amount.as_ref().or(approved)?;
    let is_confirmation = advice.reason.is_none();
    is_confirmation.then(|| (money.currency.clone(), money.minor_units))
}

/// At most `limit` entries of `list` behind `after`: their numbers, and the requests that they name.
pub(super) fn entries(
    store: &dyn Store,
    list: List,
    after: Option<u64>,
    limit: usize,
) -> Result<Vec<(u64, RequestId)>, StoreError> {
    let after = after.map(|number| list.key_behind(number));
    let listed = store.page(list.prefix(), after.as_deref(), limit)?;
    listed.iter().map(|(key, _)| listing(key)).collect()
}

/// The request that `list` names beside the advice `id`.
pub(super) fn request_of_advice(
    store: &dyn Store,
    list: List,
    id: AdviceId,
) -> Result<Option<RequestId>, StoreError> {
    let mut behind = None;
    loop {
        let page = store.page(list.prefix(), behind.as_deref(), PAGE)?;
        let is_of_it = |value: &[u8]| value.get(1..) == Some(id.as_uuid().as_bytes());
        if let Some((key, _)) = page.iter().find(|(_, value)| is_of_it(value)) {
            return listing(key).map(|(_, request)| Some(request));
        }
        match page.into_iter().next_back() {
            Some((last, _)) => behind = Some(last),
            None => return Ok(None),
        }
    }
}

/// How many entries `list` has.
pub(super) fn count(store: &dyn Store, list: List) -> Result<usize, StoreError> {
    let (mut count, mut after) = (0, None);
    loop {
        let page = entries(store, list, after, PAGE)?;
        count += page.len();
        match page.last() {
            Some((last, _)) => after = Some(*last),
            None => return Ok(count),
        }
    }
}

pub(super) fn page(
    store: &dyn Store,
    list: List,
    after: Option<u64>,
    limit: usize,
) -> Result<Page, StoreError> {
    let mut page = Page::default();
    for (number, id) in entries(store, list, after, limit)? {
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
