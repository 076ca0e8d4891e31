//! One suite for every store: the rules of the room, run against each kind.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use super::{
    Batch, DirectoryLock, JournaledStore, MemoryStore, Store, StoreError, StoreOptions, Uptime,
    VALUE_LIMIT_BYTES,
};

/// Runs `check` against a fresh store of every kind.
fn for_every_store(check: impl Fn(&dyn Store)) {
    check(&MemoryStore::default());
    let directory = tempfile::tempdir().unwrap();
    let lock = DirectoryLock::take(directory.path()).unwrap();
    let uptime: Uptime = Arc::new(|| Duration::ZERO);
    let options = StoreOptions {
        retention: Duration::MAX,
        receipt_key: None,
    };
    let (store, _) = JournaledStore::open(lock, uptime, options).unwrap();
    check(&store);
}

fn put(store: &dyn Store, key: &str, value: &str) {
    let mut batch = Batch::default();
    batch.put(key.into(), value.into());
    store.commit(&batch).unwrap();
}

#[test]
fn what_was_committed_is_read() {
    for_every_store(|store| {
        put(store, "a", "1");
        assert_eq!(store.read(b"a").unwrap(), Some(b"1".to_vec()));
        assert_eq!(store.read(b"b").unwrap(), None);
    });
}

#[test]
fn a_batch_puts_and_deletes_together() {
    for_every_store(|store| {
        put(store, "a", "1");
        let mut batch = Batch::default();
        batch.delete(b"a".to_vec());
        batch.put(b"b".to_vec(), b"2".to_vec());
        store.commit(&batch).unwrap();
        assert_eq!(store.read(b"a").unwrap(), None);
        assert_eq!(store.read(b"b").unwrap(), Some(b"2".to_vec()));
    });
}

#[test]
fn within_a_batch_the_last_change_of_a_key_wins() {
    for_every_store(|store| {
        let mut batch = Batch::default();
        batch.put(b"a".to_vec(), b"1".to_vec());
        batch.put(b"a".to_vec(), b"2".to_vec());
        store.commit(&batch).unwrap();
        assert_eq!(store.read(b"a").unwrap(), Some(b"2".to_vec()));
    });
}

#[test]
fn pages_follow_the_order_of_keys_and_stay_within_the_prefix() {
    for_every_store(|store| {
        for key in ["a9", "b2", "b1", "b3", "c0"] {
            put(store, key, key);
        }
        let first = store.page(b"b", None, 2).unwrap();
        assert_eq!(keys(&first), ["b1", "b2"]);
        let second = store.page(b"b", Some(b"b2"), 2).unwrap();
        assert_eq!(keys(&second), ["b3"]);
        assert!(store.page(b"d", None, 2).unwrap().is_empty());
    });
}

fn keys(page: &[super::Entry]) -> Vec<&str> {
    page.iter()
        .map(|(key, _)| std::str::from_utf8(key).unwrap())
        .collect()
}

#[test]
fn the_last_entry_of_a_prefix_is_found() {
    for_every_store(|store| {
        for key in ["a1", "b1", "b2", "c1"] {
            put(store, key, key);
        }
        let last = store.last(b"b").unwrap().unwrap();
        assert_eq!(last.0, b"b2");
        assert!(store.last(b"x").unwrap().is_none());
    });
}

#[test]
fn a_value_beyond_the_limit_is_refused_and_nothing_of_its_batch_is_stored() {
    for_every_store(|store| {
        let mut batch = Batch::default();
        batch.put(b"a".to_vec(), b"1".to_vec());
        batch.put(b"b".to_vec(), vec![0; VALUE_LIMIT_BYTES + 1]);
        let refused = store.commit(&batch).unwrap_err();
        assert!(matches!(refused, StoreError::TooLarge { .. }), "{refused}");
        assert_eq!(store.read(b"a").unwrap(), None);
    });
}
